#include "sim/judge/election_checkers.h"

#include "engine/ids.h"
#include "engine/saved_state.h"
#include "gtest/gtest.h"

namespace cachalot::sim {
namespace {

constexpr NodeId kN1{1, 1};
constexpr NodeId kN2{2, 2};
constexpr NodeId kN3{3, 3};
constexpr NodeId kN4{4, 4};

TEST(VotesTest, RefusesASecondVoteInATerm) {
  Votes votes;
  EXPECT_FALSE(votes.ObserveVote(kN1, Term(1), kN2));
  EXPECT_FALSE(votes.ObserveVote(kN1, Term(1), kN2));
  EXPECT_FALSE(votes.ObserveVote(kN3, Term(1), kN3));
  EXPECT_FALSE(votes.ObserveVote(kN1, Term(2), kN3));
  EXPECT_TRUE(votes.ObserveVote(kN1, Term(1), kN3));
}

TEST(VotesTest, RefusesALeaderThatAMinorityVotedFor) {
  const Configuration configuration = {
      .voters = {{.id = kN1}, {.id = kN2}, {.id = kN3}}};
  Votes votes;
  votes.ObserveVote(kN1, Term(1), kN1);
  votes.ObserveVote(kN2, Term(1), kN2);
  votes.ObserveVote(kN4, Term(1), kN1);  // a learner
  EXPECT_TRUE(votes.CheckElection(configuration, Term(1), kN1));
  votes.ObserveVote(kN3, Term(1), kN1);
  EXPECT_FALSE(votes.CheckElection(configuration, Term(1), kN1));
  EXPECT_TRUE(votes.CheckElection(configuration, Term(2), kN1));
}

TEST(VotesTest, AsksBothListsWhileTheChangeIsJoint) {
  const Configuration configuration = {.voters = {{.id = kN1}},
                                       .outgoing = {{.id = kN2}}};
  Votes votes;
  votes.ObserveVote(kN1, Term(1), kN1);
  EXPECT_TRUE(votes.CheckElection(configuration, Term(1), kN1));
  votes.ObserveVote(kN2, Term(1), kN1);
  EXPECT_FALSE(votes.CheckElection(configuration, Term(1), kN1));
}

TEST(VoteStaysTest, RefusesAVoteThatIsForgottenWithinItsTerm) {
  VoteStays vote;
  EXPECT_FALSE(vote.Observe(Term(1), NodeId()));
  EXPECT_FALSE(vote.Observe(Term(1), kN2));
  EXPECT_FALSE(vote.Observe(Term(1), kN2));
  EXPECT_FALSE(vote.Observe(Term(2), NodeId()));
  EXPECT_FALSE(vote.Observe(Term(2), kN3));
  EXPECT_TRUE(vote.Observe(Term(2), NodeId()));
}

class ConfigurationChainTest : public testing::Test {
 protected:
  const Configuration one_ = {.voters = {{.id = kN1}}};
  const Configuration joint_ = {.voters = {{.id = kN1}, {.id = kN2}},
                                .outgoing = {{.id = kN1}}};
  const Configuration two_ = {.voters = {{.id = kN1}, {.id = kN2}}};
  ConfigurationChain chain_;
};

TEST_F(ConfigurationChainTest, RefusesASnapshotWithOtherVoters) {
  chain_.ObserveCommit(LogIndex(1), one_);
  chain_.ObserveCommit(LogIndex(5), joint_);
  EXPECT_FALSE(chain_.CheckSnapshot(LogIndex(4), one_));
  EXPECT_TRUE(chain_.CheckSnapshot(LogIndex(4), joint_)) << "not covered yet";
  EXPECT_TRUE(chain_.CheckSnapshot(LogIndex(5), one_));
  EXPECT_FALSE(chain_.CheckSnapshot(LogIndex(5), joint_));
}

TEST_F(ConfigurationChainTest, AcceptsAChangeInTwoSteps) {
  EXPECT_FALSE(chain_.ObserveCommit(LogIndex(1), one_));
  EXPECT_FALSE(chain_.ObserveCommit(LogIndex(2), joint_));
  EXPECT_FALSE(chain_.ObserveCommit(LogIndex(3), two_));
  EXPECT_FALSE(chain_.ObserveCommit(LogIndex(4), two_)) << "said again";
  EXPECT_EQ(chain_.last(), two_);
}

TEST_F(ConfigurationChainTest, RefusesAChangeInOneStep) {
  EXPECT_FALSE(chain_.ObserveCommit(LogIndex(1), one_));
  EXPECT_TRUE(chain_.ObserveCommit(LogIndex(2), two_));
}

TEST_F(ConfigurationChainTest, RefusesAChangeFromWhatWasNotInForce) {
  EXPECT_FALSE(chain_.ObserveCommit(LogIndex(1), two_));
  EXPECT_TRUE(chain_.ObserveCommit(LogIndex(2), joint_));
}

TEST_F(ConfigurationChainTest, RefusesToEndAChangeElsewhere) {
  EXPECT_FALSE(chain_.ObserveCommit(LogIndex(1), one_));
  EXPECT_FALSE(chain_.ObserveCommit(LogIndex(2), joint_));
  EXPECT_TRUE(chain_.ObserveCommit(LogIndex(3), one_));
}

TEST(ConfigurationProposalTest, RefusesTwoInFlight) {
  ConfigurationProposal proposal = {.index = LogIndex(9),
                                    .before = LogIndex(7),
                                    .term = Term(2),
                                    .commit = LogIndex(7),
                                    .commit_term = Term(2)};
  EXPECT_FALSE(CheckConfigurationProposal(proposal));
  proposal.commit = LogIndex(6);
  EXPECT_TRUE(CheckConfigurationProposal(proposal));
}

TEST(ConfigurationProposalTest, RefusesOneBeforeTheTermHasCommitted) {
  ConfigurationProposal proposal = {.index = LogIndex(9),
                                    .before = LogIndex(3),
                                    .term = Term(2),
                                    .commit = LogIndex(7),
                                    .commit_term = Term(1)};
  EXPECT_TRUE(CheckConfigurationProposal(proposal));
  proposal.before = LogIndex();  // the founders'
  EXPECT_FALSE(CheckConfigurationProposal(proposal));
}

}  // namespace
}  // namespace cachalot::sim
