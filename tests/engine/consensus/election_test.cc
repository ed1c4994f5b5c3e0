#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "engine/consensus/consensus.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/outbox.h"
#include "engine/saved_state.h"
#include "engine/wire/message.h"
#include "gtest/gtest.h"
#include "tests/engine/consensus/lone_consensus.h"
#include "tests/engine/consensus/parts.h"

// Who leads: time-outs, votes, and what keeps a leader a leader. Node 1 is the
// one that is tested. Rules are those of engine/consensus/README.md.

namespace cachalot {
namespace {

using Role = Consensus::Role;

constexpr absl::Duration kPatience = absl::Milliseconds(250);

// Node 1 of three voters, in term 5, with two entries of term 4 behind it.
LoneConsensus Voter1() {
  LoneConsensus lone;
  lone.Restore(5, Voting({1, 2, 3}),
               {CommandEntry(4, "a"), CommandEntry(4, "b")});
  return lone;
}

VoteRequest Standing(uint64_t term, uint64_t last_index = 2,
                     uint64_t last_term = 4) {
  return {.term = Term(term),
          .last_index = LogIndex(last_index),
          .last_term = Term(last_term)};
}

VoteRequest Asking(uint64_t term, uint64_t last_index = 2,
                   uint64_t last_term = 4) {
  VoteRequest request = Standing(term, last_index, last_term);
  request.is_pre_vote = true;
  return request;
}

VoteReply Vote(uint64_t term, bool granted = true) {
  return {.term = Term(term), .granted = granted};
}

VoteReply PreVote(uint64_t term, bool granted = true) {
  return {.term = Term(term), .granted = granted, .is_pre_vote = true};
}

Append Heartbeat(uint64_t term) {
  return {.term = Term(term),
          .previous_index = LogIndex(2),
          .previous_term = Term(4)};
}

bool Grants(LoneConsensus& lone, uint64_t to, const VoteRequest& request) {
  lone.Receive(to, request);
  lone.SaveAll();
  const std::optional<VoteReply> reply = lone.Take<VoteReply>(to);
  EXPECT_TRUE(reply.has_value());
  return reply.has_value() && reply->granted;
}

// --- Standing for election --------------------------------------------------

TEST(ElectionTest, AsksWhetherItWouldBeElectedBeforeItDisturbsAnybody) {
  LoneConsensus lone = Voter1();
  lone.PassToDeadline();
  EXPECT_EQ(lone.machine().role(), Role::kPreCandidate);
  EXPECT_EQ(lone.machine().term(), Term(5)) << "nothing has changed yet";
  for (const uint64_t other : std::vector<uint64_t>{2, 3}) {
    EXPECT_EQ(lone.Take<VoteRequest>(other), Asking(6));
  }
  lone.Flush();
  EXPECT_EQ(lone.saves_in_flight(), 0u);
}

TEST(ElectionTest, StandsWhenAMajorityWouldVote) {
  LoneConsensus lone = Voter1();
  lone.PassToDeadline();
  lone.Ignore();
  lone.Receive(2, PreVote(6));
  EXPECT_EQ(lone.machine().role(), Role::kCandidate);
  EXPECT_EQ(lone.machine().term(), Term(6));
  EXPECT_EQ(lone.machine().vote(), IdOf(1));
  lone.SaveAll();
  for (const uint64_t other : std::vector<uint64_t>{2, 3}) {
    EXPECT_EQ(lone.Take<VoteRequest>(other), Standing(6));
  }
}

TEST(ElectionTest, DoesNotStandWhileAMajorityWouldRefuse) {
  LoneConsensus lone = Voter1();
  for (int i = 0; i < 10; ++i) {
    lone.PassToDeadline();
    lone.Receive(2, PreVote(5, false));
    lone.Receive(3, PreVote(5, false));
  }
  EXPECT_EQ(lone.machine().term(), Term(5)) << "cut off, it does not run away";
}

// Or a candidate that crashed could stand twice in one term, with two logs.
TEST(ElectionTest, AsksForVotesOnlyWhenItsOwnIsSaved) {
  LoneConsensus lone = Voter1();
  lone.PassToDeadline();
  lone.Ignore();
  lone.Receive(2, PreVote(6));
  lone.Flush();
  EXPECT_EQ(lone.sent_count(), 0u);
  lone.SaveNext();
  EXPECT_EQ(lone.disk().term, Term(6));
  EXPECT_EQ(lone.disk().vote, IdOf(1));
  EXPECT_TRUE(lone.Take<VoteRequest>(2).has_value());
}

TEST(ElectionTest, CountsItsOwnVoteOnlyWhenItIsSaved) {
  LoneConsensus lone = Voter1();
  lone.PassToDeadline();
  lone.Receive(2, PreVote(6));
  lone.Flush();
  lone.Receive(2, Vote(6));
  EXPECT_EQ(lone.machine().role(), Role::kCandidate);
  lone.SaveNext();
  EXPECT_TRUE(lone.machine().leads());
}

TEST(ElectionTest, ALoneFounderLeadsWhenItsVoteIsSaved) {
  LoneConsensus lone;
  Outbox out;
  lone.machine().Found(lone.now(), VotersOf({1}), out);
  lone.Flush();
  EXPECT_EQ(lone.machine().role(), Role::kCandidate);
  lone.SaveNext();
  EXPECT_TRUE(lone.machine().leads());
}

TEST(ElectionTest, AnswersOfOtherTermsAndKindsDoNotCount) {
  LoneConsensus lone = Voter1();
  lone.PassToDeadline();
  lone.Receive(2, Vote(6));
  lone.Receive(3, PreVote(5));
  EXPECT_EQ(lone.machine().role(), Role::kPreCandidate);
  lone.Receive(2, PreVote(6));
  lone.SaveAll();
  lone.Receive(3, PreVote(6));
  lone.Receive(3, PreVote(7));
  lone.Receive(3, Vote(5));
  lone.Receive(3, Vote(6, false));
  EXPECT_EQ(lone.machine().role(), Role::kCandidate);
  lone.Receive(3, Vote(6));
  EXPECT_TRUE(lone.machine().leads());
}

TEST(ElectionTest, TheSameVoterCountsOnce) {
  LoneConsensus lone;
  lone.Restore(5, Voting({1, 2, 3, 4, 5}), {});
  lone.PassToDeadline();
  lone.Receive(2, PreVote(6));
  lone.Receive(2, PreVote(6));
  EXPECT_EQ(lone.machine().role(), Role::kPreCandidate);
}

TEST(ElectionTest, WhoDoesNotVoteDoesNotCount) {
  LoneConsensus lone = Voter1();
  lone.PassToDeadline();
  lone.Receive(4, PreVote(6));
  lone.Receive(5, PreVote(6));
  EXPECT_EQ(lone.machine().role(), Role::kPreCandidate);
}

TEST(ElectionTest, NeedsMajoritiesOfBothListsOfAJointConfiguration) {
  for (const uint64_t last : std::vector<uint64_t>{2, 3}) {
    LoneConsensus lone;
    lone.Restore(5, Joint({1, 4, 5}, {1, 2, 3}), {});
    lone.PassToDeadline();
    for (const uint64_t other : std::vector<uint64_t>{2, 3, 4, 5}) {
      EXPECT_TRUE(lone.Take<VoteRequest>(other).has_value());
    }
    lone.Receive(4, PreVote(6));
    lone.Receive(5, PreVote(6));
    EXPECT_EQ(lone.machine().role(), Role::kPreCandidate) << "only the new";
    lone.Receive(last, PreVote(6));
    EXPECT_EQ(lone.machine().role(), Role::kCandidate);
  }
}

TEST(ElectionTest, WaitsBetweenOneAndTwoTimeouts) {
  std::set<absl::Duration> waits;
  LoneConsensus lone = Voter1();
  for (int i = 0; i < 100; ++i) {
    lone.Receive(2, Heartbeat(5));
    const absl::Duration wait = lone.machine().NextDeadline() - lone.now();
    EXPECT_GT(wait, kPatience);
    EXPECT_LE(wait, 2 * kPatience);
    waits.insert(wait);
  }
  EXPECT_GT(waits.size(), 90u);
}

TEST(ElectionTest, ALearnerDoesNotStand) {
  LoneConsensus lone;
  lone.Restore(5, Voting({2, 3, 4}), {});
  lone.Pass(absl::Minutes(1));
  EXPECT_EQ(lone.machine().role(), Role::kFollower);
  lone.Receive(2, Append{.term = Term(6)});
  lone.Pass(absl::Minutes(1));
  EXPECT_EQ(lone.machine().role(), Role::kFollower);
}

// A configuration counts from the append that brings it, and that append may
// be the leader's last.
TEST(ElectionTest, ALearnerStandsOnceTheLogMakesItAVoter) {
  LoneConsensus lone;
  lone.Restore(5, Voting({2, 3, 4}), {});
  lone.Receive(
      2,
      Append{.term = Term(5),
             .entries = {ConfigurationEntry(5, Joint({1, 3, 4}, {2, 3, 4}))}});
  lone.Pass(2 * kPatience);
  EXPECT_EQ(lone.machine().role(), Role::kPreCandidate);
}

// Perhaps only the removed have the entry that removes them: those who stay
// lack it, so they cannot win (dissertation, 4.2.2).
TEST(ElectionTest, AVoterStandsUntilItsRemovalIsCommitted) {
  LoneConsensus lone;
  lone.Restore(5, Voting({1, 2, 3}),
               {ConfigurationEntry(5, Joint({2, 3, 4}, {1, 2, 3})),
                ConfigurationEntry(5, Voting({2, 3, 4}))});
  lone.PassToDeadline();
  EXPECT_EQ(lone.machine().role(), Role::kPreCandidate);
  lone.Receive(2, PreVote(6));
  EXPECT_EQ(lone.machine().role(), Role::kPreCandidate) << "it has no vote";
  lone.Receive(4, PreVote(6));
  EXPECT_EQ(lone.machine().role(), Role::kCandidate);

  lone.Receive(2, Append{.term = Term(6),
                         .previous_index = LogIndex(2),
                         .previous_term = Term(5),
                         .commit = LogIndex(2)});
  lone.Pass(absl::Minutes(1));
  EXPECT_EQ(lone.machine().role(), Role::kFollower);
}

// --- Voting -----------------------------------------------------------------

TEST(ElectionTest, VotesOnceInATerm) {
  LoneConsensus lone = Voter1();
  EXPECT_TRUE(Grants(lone, 2, Standing(6)));
  EXPECT_FALSE(Grants(lone, 3, Standing(6)));
  EXPECT_TRUE(Grants(lone, 2, Standing(6))) << "the answer may have been lost";
  EXPECT_TRUE(Grants(lone, 3, Standing(7)));
  EXPECT_FALSE(Grants(lone, 2, Standing(6))) << "of the past";
}

// Rule 6 (CCF #5891): a candidate that steps down within its term has voted.
TEST(ElectionTest, ACandidateThatFollowsKeepsItsVote) {
  LoneConsensus lone = Voter1();
  lone.PassToDeadline();
  lone.Receive(2, PreVote(6));
  lone.SaveAll();
  lone.Receive(3, Heartbeat(6));
  EXPECT_EQ(lone.machine().role(), Role::kFollower);
  EXPECT_EQ(lone.machine().leader(), IdOf(3));
  EXPECT_EQ(lone.machine().vote(), IdOf(1));
  lone.Ignore();
  lone.Pass(kPatience);
  EXPECT_FALSE(Grants(lone, 2, Standing(6)));
}

TEST(ElectionTest, RemembersItsVoteOverARestart) {
  LoneConsensus lone = Voter1();
  ASSERT_TRUE(Grants(lone, 2, Standing(6)));
  lone.CrashAndRestore();
  EXPECT_EQ(lone.machine().term(), Term(6));
  EXPECT_FALSE(Grants(lone, 3, Standing(6)));
  EXPECT_TRUE(Grants(lone, 2, Standing(6)));
}

// Rule 11.
TEST(ElectionTest, AVoteWaitsForItsSave) {
  LoneConsensus lone = Voter1();
  lone.Receive(2, Standing(6));
  lone.Flush();
  EXPECT_EQ(lone.withheld_count(), 1u);
  EXPECT_FALSE(lone.Take<VoteReply>(2).has_value());
  // Asked again while the save is under way: the same promise.
  lone.Receive(2, Standing(6));
  lone.Flush();
  EXPECT_FALSE(lone.Take<VoteReply>(2).has_value());
  lone.SaveNext();
  EXPECT_EQ(lone.Take<VoteReply>(2), Vote(6));
  EXPECT_EQ(lone.Take<VoteReply>(2), Vote(6));
  EXPECT_EQ(lone.disk().vote, IdOf(2));
}

TEST(ElectionTest, APreVoteIsNoPromise) {
  LoneConsensus lone = Voter1();
  lone.Receive(2, Asking(6));
  EXPECT_EQ(lone.Take<VoteReply>(2), PreVote(6));
  lone.Receive(3, Asking(6));
  EXPECT_EQ(lone.Take<VoteReply>(3), PreVote(6));
  lone.Flush();
  EXPECT_EQ(lone.saves_in_flight(), 0u);
  EXPECT_EQ(lone.machine().term(), Term(5));
}

TEST(ElectionTest, VotesForNoLogThatIsBehindItsOwn) {
  struct Case {
    uint64_t last_index, last_term;
    bool granted;
  };
  // The own log ends with index 2 of term 4.
  for (const Case& c : std::vector<Case>{{2, 4, true},
                                         {3, 4, true},
                                         {1, 5, true},
                                         {1, 4, false},
                                         {99, 3, false},
                                         {0, 0, false}}) {
    LoneConsensus lone = Voter1();
    EXPECT_EQ(Grants(lone, 2, Asking(6, c.last_index, c.last_term)), c.granted);
    EXPECT_EQ(Grants(lone, 2, Standing(6, c.last_index, c.last_term)),
              c.granted);
    EXPECT_EQ(lone.machine().term(), Term(6)) << "the term is taken over";
  }
}

// Rule 5 (etcd #10864): its log may lag behind the change that made it a voter.
TEST(ElectionTest, VotesThoughItTakesItselfForALearner) {
  LoneConsensus lone;
  lone.Restore(5, Voting({2, 3, 4}), {});
  EXPECT_TRUE(Grants(lone, 9, Asking(6, 7, 5)));
  EXPECT_TRUE(Grants(lone, 9, Standing(6, 7, 5)));
}

TEST(ElectionTest, ANewcomerWithoutALogVotes) {
  LoneConsensus lone;
  EXPECT_TRUE(Grants(lone, 2, Standing(1, 0, 0)));
}

// --- A node that hears a leader grants no votes (rule 8) --------------------

TEST(ElectionTest, RefusesEverybodyWhileItHearsALeader) {
  LoneConsensus lone = Voter1();
  lone.Receive(2, Heartbeat(5));
  lone.Ignore();
  lone.Pass(kPatience - absl::Nanoseconds(1));
  EXPECT_FALSE(Grants(lone, 3, Asking(6)));
  EXPECT_FALSE(Grants(lone, 3, Standing(6)));
  EXPECT_EQ(lone.machine().term(), Term(5)) << "nor does it leave its leader";
  EXPECT_FALSE(Grants(lone, 3, Standing(5))) << "nor in the leader's own term";
  lone.Pass(absl::Nanoseconds(1));
  EXPECT_TRUE(Grants(lone, 3, Asking(6)));
  EXPECT_TRUE(Grants(lone, 3, Standing(6)));
}

TEST(ElectionTest, ALeaderDoesNotGiveWayToWhoeverStands) {
  LoneConsensus lone;
  lone.Lead({1, 2, 3});
  EXPECT_FALSE(Grants(lone, 2, Asking(9, 99, 9)));
  EXPECT_FALSE(Grants(lone, 2, Standing(9, 99, 9)));
  EXPECT_TRUE(lone.machine().leads());
}

TEST(ElectionTest, ATransferIsHelpedThoughALeaderIsHeard) {
  LoneConsensus lone = Voter1();
  lone.Receive(2, Heartbeat(5));
  lone.Ignore();
  VoteRequest request = Standing(6);
  request.is_transfer = true;
  EXPECT_TRUE(Grants(lone, 3, request));
}

// etcd #8525: a candidate that is behind would ask for the same term for ever.
TEST(ElectionTest, ARefusalTellsACandidateThatItsTermIsOver) {
  LoneConsensus lone = Voter1();
  lone.Receive(2, Asking(3));
  EXPECT_EQ(lone.Take<VoteReply>(2), PreVote(5, false));

  LoneConsensus behind = Voter1();
  behind.PassToDeadline();
  behind.Receive(2, PreVote(9, false));
  EXPECT_EQ(behind.machine().term(), Term(9));
  EXPECT_EQ(behind.machine().role(), Role::kFollower);
}

// --- Leaders ----------------------------------------------------------------

// Rule 8: a leader of the past is told so, or it would call in vain for ever
// while those whom it reaches stay with it.
TEST(ElectionTest, AnswersALeaderOfThePastWithItsTerm) {
  LoneConsensus lone = Voter1();
  lone.Receive(2, Heartbeat(4));
  const std::optional<AppendReply> reply = lone.Take<AppendReply>(2);
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->term, Term(5));
  EXPECT_FALSE(reply->accepted);
  EXPECT_TRUE(lone.machine().leader().IsNone()) << "and not followed";
  lone.Receive(2, SnapshotChunk{.term = Term(4), .index = LogIndex(9)});
  const std::optional<SnapshotReply> chunk = lone.Take<SnapshotReply>(2);
  ASSERT_TRUE(chunk.has_value());
  EXPECT_EQ(chunk->term, Term(5));
}

TEST(ElectionTest, ALeaderThatHearsOfAHigherTermStepsDown) {
  const std::vector<ConsensusMessage> news = {
      AppendReply{.term = Term(7)}, SnapshotReply{.term = Term(7)},
      VoteReply{.term = Term(7)}, Append{.term = Term(7)}};
  for (const ConsensusMessage& message : news) {
    LoneConsensus lone;
    lone.Lead({1, 2, 3});
    lone.Receive(2, message);
    EXPECT_EQ(lone.machine().role(), Role::kFollower);
    EXPECT_EQ(lone.machine().term(), Term(7));
    EXPECT_NE(lone.machine().NextDeadline(), SlowInstant::Never());
  }
}

TEST(ElectionTest, ALeaderWithoutAMajorityStepsDown) {
  LoneConsensus lone;
  lone.Lead({1, 2, 3});
  for (absl::Duration t; t < 2 * kPatience; t += absl::Milliseconds(50)) {
    lone.Pass(absl::Milliseconds(50));
  }
  EXPECT_EQ(lone.machine().role(), Role::kFollower);
  EXPECT_TRUE(lone.machine().leader().IsNone());
  EXPECT_EQ(lone.machine().term(), Term(1)) << "the term does not change";
}

TEST(ElectionTest, ALeaderStaysWhileAMajorityAnswers) {
  LoneConsensus lone;
  lone.Lead({1, 2, 3});
  for (int i = 0; i < 100; ++i) {
    lone.Pass(absl::Milliseconds(50));
    lone.Acknowledge(3, LogIndex());
  }
  EXPECT_TRUE(lone.machine().leads());
}

TEST(ElectionTest, ALeaderWithoutAMajorityOfEitherListStepsDown) {
  LoneConsensus lone;
  lone.Lead({1, 2, 3});
  lone.AcknowledgeAll({2, 3});
  lone.machine().ChangeVoters(lone.now(), VotersOf({1, 4, 5}));
  for (int i = 0; i < 12; ++i) {
    lone.Pass(absl::Milliseconds(50));
    lone.Acknowledge(2, LogIndex());
    lone.Acknowledge(3, LogIndex());
  }
  EXPECT_FALSE(lone.machine().leads());
}

// Rule 20: what should have kept the timer from firing may wait in a socket.
TEST(ElectionTest, AfterAStallItGivesWhatWaitsAChance) {
  LoneConsensus lone = Voter1();
  const SlowInstant due = lone.machine().NextDeadline();
  const absl::Duration late = absl::Seconds(3);
  lone.machine().NoteStall(due + late, late);
  EXPECT_EQ(lone.machine().NextDeadline(), due + late + kPatience);

  LoneConsensus leader;
  leader.Lead({1, 2, 3});
  leader.machine().NoteStall(leader.now() + late, late);
  leader.Pass(late);
  EXPECT_TRUE(leader.machine().leads());
  leader.Acknowledge(2, LogIndex());
  leader.Pass(kPatience);
  EXPECT_FALSE(leader.machine().leads()) << "once is enough";
}

// --- Transfer ---------------------------------------------------------------

TEST(ElectionTest, StandsAtOnceIfItsLeaderAsksIt) {
  LoneConsensus lone = Voter1();
  lone.Receive(2, Heartbeat(5));
  lone.Ignore();
  lone.Receive(2, TimeoutNow{.term = Term(5)});
  EXPECT_EQ(lone.machine().role(), Role::kCandidate) << "without a pre-vote";
  lone.SaveAll();
  VoteRequest expected = Standing(6);
  expected.is_transfer = true;
  EXPECT_EQ(lone.Take<VoteRequest>(3), expected);
}

TEST(ElectionTest, IgnoresATransferThatIsNotForIt) {
  LoneConsensus lone = Voter1();
  lone.Receive(2, TimeoutNow{.term = Term(4)});
  lone.Receive(2, TimeoutNow{.term = Term(6)});
  EXPECT_EQ(lone.machine().role(), Role::kFollower);

  LoneConsensus learner;
  learner.Restore(5, Voting({2, 3, 4}), {});
  learner.Receive(2, TimeoutNow{.term = Term(5)});
  EXPECT_EQ(learner.machine().role(), Role::kFollower);
}

// --- Restarts ---------------------------------------------------------------

// Rule 10.
TEST(ElectionTest, ARestoredTermIsNotBehindTheLog) {
  LoneConsensus lone;
  lone.Restore(3, Voting({1, 2, 3}), {CommandEntry(6, "a")}, /*vote=*/2);
  EXPECT_EQ(lone.machine().term(), Term(6));
  EXPECT_TRUE(lone.machine().vote().IsNone()) << "that vote was of term 3";
}

}  // namespace
}  // namespace cachalot
