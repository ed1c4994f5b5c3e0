#include "sim/checkers.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "engine/cluster_time.h"
#include "engine/ids.h"
#include "engine/locks/command.h"
#include "engine/request.h"
#include "engine/saved_state.h"
#include "engine/shared_bytes.h"
#include "engine/wire/message.h"
#include "gtest/gtest.h"
#include "sim/instant.h"

// Each checker accepts a history that is right and refuses one that is not: a
// checker that cannot fail proves nothing.

namespace cachalot::sim {
namespace {

constexpr NodeId kN1{1, 1};
constexpr NodeId kN2{2, 2};
constexpr NodeId kN3{3, 3};

RealInstant At(int64_t seconds) {
  return RealInstant() + absl::Seconds(seconds);
}

Entry MakeEntry(uint64_t term, absl::Duration time, std::string payload) {
  return Entry{.term = Term(term),
               .time = ClusterTime() + time,
               .payload = SharedBytes(std::move(payload))};
}

FencingToken Token(uint64_t index) {
  return FencingToken{.epoch = Epoch(1), .index = LogIndex(index)};
}

TEST(OneLeaderPerTermTest, RefusesASecondLeader) {
  OneLeaderPerTerm checker;
  EXPECT_FALSE(checker.Leads(Term(1), kN1));
  EXPECT_FALSE(checker.Leads(Term(1), kN1));
  EXPECT_FALSE(checker.Leads(Term(2), kN2));
  EXPECT_TRUE(checker.Leads(Term(1), kN2));
}

TEST(CommittedLogTest, RefusesAnotherEntryAtAnIndex) {
  CommittedLog checker;
  bool is_first = false;
  const Entry entry = MakeEntry(1, absl::ZeroDuration(), "a");
  EXPECT_FALSE(checker.Commits(LogIndex(1), entry, &is_first));
  EXPECT_TRUE(is_first);
  EXPECT_FALSE(checker.Commits(LogIndex(1), entry, &is_first));
  EXPECT_FALSE(is_first);
  EXPECT_TRUE(checker.Commits(
      LogIndex(1), MakeEntry(1, absl::ZeroDuration(), "b"), &is_first));
  EXPECT_TRUE(checker.Commits(
      LogIndex(1), MakeEntry(2, absl::ZeroDuration(), "a"), &is_first));
}

TEST(CommittedLogTest, RefusesAGap) {
  CommittedLog checker;
  bool is_first = false;
  EXPECT_TRUE(checker.Commits(
      LogIndex(2), MakeEntry(1, absl::ZeroDuration(), "a"), &is_first));
}

TEST(EqualTablesTest, RefusesTablesThatDiffer) {
  EqualTables checker;
  EXPECT_FALSE(checker.Has(LogIndex(8), 111));
  EXPECT_FALSE(checker.Has(LogIndex(8), 111));
  EXPECT_FALSE(checker.Has(LogIndex(16), 222));
  EXPECT_TRUE(checker.Has(LogIndex(8), 222));
}

TEST(TokensRiseTest, RefusesALowerToken) {
  TokensRise checker;
  EXPECT_FALSE(checker.Granted("a", Token(5)));
  EXPECT_FALSE(checker.Granted("b", Token(3)));
  EXPECT_TRUE(checker.Granted("a", Token(4)));
}

TEST(TokensRiseTest, RefusesATokenThatWasGrantedBefore) {
  TokensRise checker;
  EXPECT_FALSE(checker.Granted("a", Token(5)));
  EXPECT_TRUE(checker.Granted("b", Token(5)));
}

TEST(TokensRiseTest, RefusesAGrantWithoutToken) {
  TokensRise checker;
  EXPECT_TRUE(checker.Granted("a", FencingToken()));
}

TEST(SoleBeliefTest, RefusesTwoBeliefsAtOneInstant) {
  const BeliefSpan first = {"n1", Token(1), At(10)};
  const BeliefSpan second = {"n2", Token(2), At(20)};
  EXPECT_FALSE(CheckSoleBelief("a", At(10), {first, second}));
  EXPECT_TRUE(
      CheckSoleBelief("a", At(10) - absl::Nanoseconds(1), {first, second}));
  EXPECT_FALSE(CheckSoleBelief("a", At(5), {first}));
}

TEST(ClusterTimeIsSlowTest, RefusesTimeThatRunsFast) {
  ClusterTimeIsSlow checker(1000);
  checker.Stamped(LogIndex(1), Term(1), At(0));
  checker.Stamped(LogIndex(2), Term(1), At(10));
  checker.Stamped(LogIndex(3), Term(1), At(20));
  EXPECT_FALSE(
      checker.Committed(LogIndex(1), MakeEntry(1, absl::ZeroDuration(), "")));
  // A thousandth of ten seconds is ten milliseconds.
  EXPECT_FALSE(checker.Committed(LogIndex(2),
                                 MakeEntry(1, absl::Milliseconds(10010), "")));
  EXPECT_TRUE(checker.Committed(LogIndex(3),
                                MakeEntry(1, absl::Milliseconds(20021), "")));
}

TEST(ClusterTimeIsSlowTest, RefusesTimeThatFalls) {
  ClusterTimeIsSlow checker(1000);
  checker.Stamped(LogIndex(1), Term(1), At(0));
  checker.Stamped(LogIndex(2), Term(2), At(1));
  EXPECT_FALSE(
      checker.Committed(LogIndex(1), MakeEntry(1, absl::Seconds(5), "")));
  EXPECT_TRUE(
      checker.Committed(LogIndex(2), MakeEntry(2, absl::Seconds(4), "")));
}

TEST(ClusterTimeIsSlowTest, RefusesAnEntryThatNobodyAppended) {
  ClusterTimeIsSlow checker(1000);
  EXPECT_TRUE(
      checker.Committed(LogIndex(1), MakeEntry(1, absl::ZeroDuration(), "")));
}

StateChange Vote(uint64_t term, NodeId vote) {
  StateChange change;
  change.term = Term(term);
  change.vote = vote;
  return change;
}

StateChange Entries(uint64_t first, std::vector<uint64_t> terms) {
  StateChange change;
  change.first = LogIndex(first);
  for (const uint64_t term : terms) {
    change.entries.push_back(MakeEntry(term, absl::ZeroDuration(), ""));
  }
  return change;
}

TEST(SavedLogTest, KnowsWhatIsOnTheDisk) {
  SavedLog saved;
  saved.Apply(Entries(1, {1, 1, 1}));
  EXPECT_TRUE(saved.Has(LogIndex(3), Term(1)));
  EXPECT_FALSE(saved.Has(LogIndex(4), Term(1)));
  saved.Apply(Entries(2, {2}));
  EXPECT_EQ(saved.last(), LogIndex(2));
  EXPECT_FALSE(saved.Has(LogIndex(2), Term(1)));
  EXPECT_TRUE(saved.Has(LogIndex(2), Term(2)));
}

TEST(SavedLogTest, ASnapshotCoversWhatItReplaces) {
  SavedLog saved;
  saved.Apply(Entries(1, {1, 1, 1}));
  StateChange change;
  change.snapshot.emplace();
  change.snapshot->index = LogIndex(2);
  saved.Apply(change);
  EXPECT_TRUE(saved.Has(LogIndex(1), Term(1)));
  EXPECT_TRUE(saved.Has(LogIndex(3), Term(1)));
  EXPECT_EQ(saved.last(), LogIndex(3));
}

TEST(VotePromiseTest, RefusesAVoteThatIsNotSaved) {
  SavedLog saved;
  const VoteReply reply = {.term = Term(2), .granted = true};
  EXPECT_TRUE(CheckVotePromise(saved, kN2, reply));
  saved.Apply(Vote(2, kN3));
  EXPECT_TRUE(CheckVotePromise(saved, kN2, reply)) << "voted for another";
  saved.Apply(Vote(2, kN2));
  EXPECT_FALSE(CheckVotePromise(saved, kN2, reply));
}

TEST(VotePromiseTest, AsksNothingOfRefusalsAndPreVotes) {
  EXPECT_FALSE(
      CheckVotePromise(SavedLog(), kN2, {.term = Term(2), .granted = false}));
  EXPECT_FALSE(CheckVotePromise(
      SavedLog(), kN2,
      {.term = Term(2), .granted = true, .is_pre_vote = true}));
}

TEST(AppendPromiseTest, RefusesEntriesThatAreNotSaved) {
  SavedLog saved;
  saved.Apply(Vote(1, kN1));
  saved.Apply(Entries(1, {1, 1}));
  AppendReply reply = {.term = Term(1), .accepted = true, .index = LogIndex(2)};
  EXPECT_FALSE(CheckAppendPromise(saved, reply));
  reply.index = LogIndex(3);
  EXPECT_TRUE(CheckAppendPromise(saved, reply));
}

TEST(AppendPromiseTest, RefusesATermThatIsNotSaved) {
  SavedLog saved;
  saved.Apply(Entries(1, {1, 1}));
  EXPECT_TRUE(CheckAppendPromise(
      saved, {.term = Term(1), .accepted = true, .index = LogIndex(2)}));
}

TEST(CommitQuorumTest, RefusesWhatAMinorityHasSaved) {
  const Configuration configuration = {
      .voters = {{.id = kN1}, {.id = kN2}, {.id = kN3}}};
  std::map<NodeId, SavedLog> saved;
  saved[kN1].Apply(Entries(1, {1}));
  EXPECT_TRUE(CheckCommitQuorum(configuration, LogIndex(1), Term(1), saved));
  saved[kN2].Apply(Entries(1, {2}));
  EXPECT_TRUE(CheckCommitQuorum(configuration, LogIndex(1), Term(1), saved))
      << "another entry is there";
  saved[kN3].Apply(Entries(1, {1}));
  EXPECT_FALSE(CheckCommitQuorum(configuration, LogIndex(1), Term(1), saved));
}

TEST(CommitQuorumTest, AsksBothListsWhileTheChangeIsJoint) {
  const Configuration configuration = {
      .voters = {{.id = kN1}},
      .outgoing = {{.id = kN2}},
  };
  std::map<NodeId, SavedLog> saved;
  saved[kN1].Apply(Entries(1, {1}));
  EXPECT_TRUE(CheckCommitQuorum(configuration, LogIndex(1), Term(1), saved));
  saved[kN2].Apply(Entries(1, {1}));
  EXPECT_FALSE(CheckCommitQuorum(configuration, LogIndex(1), Term(1), saved));
}

// One request of each of three sessions for one key.
class FirstComeFirstServedTest : public testing::Test {
 protected:
  static SessionId Session(uint64_t number) { return {kN1, number}; }

  static LockCommand Ask(uint64_t session) {
    return Acquire{.session = Session(session),
                   .sequence = Sequence(1),
                   .key = "a",
                   .waits = true};
  }

  static Reply Say(uint64_t session, Reply::Kind kind,
                   Outcome outcome = Outcome::kOk) {
    Reply reply;
    reply.kind = kind;
    reply.session = Session(session);
    reply.sequence = Sequence(1);
    reply.outcome = outcome;
    return reply;
  }

  void SetUp() override {
    EXPECT_FALSE(checker_.Applied({Ask(1)}, {Say(1, Reply::Kind::kAnswered)}));
    EXPECT_FALSE(checker_.Applied({Ask(2)}, {Say(2, Reply::Kind::kQueued)}));
    EXPECT_FALSE(checker_.Applied({Ask(3)}, {Say(3, Reply::Kind::kQueued)}));
  }

  FirstComeFirstServed checker_;
};

TEST_F(FirstComeFirstServedTest, AcceptsTheOrderOfTheLog) {
  EXPECT_FALSE(checker_.Applied({}, {Say(2, Reply::Kind::kAnswered)}));
  EXPECT_FALSE(checker_.Applied({}, {Say(3, Reply::Kind::kAnswered)}));
}

TEST_F(FirstComeFirstServedTest, RefusesWhoIsGrantedPastAnother) {
  EXPECT_TRUE(checker_.Applied({}, {Say(3, Reply::Kind::kAnswered)}));
}

TEST_F(FirstComeFirstServedTest, NobodyIsPassedOverWhoHasGone) {
  EXPECT_FALSE(checker_.Applied(
      {}, {Say(3, Reply::Kind::kAnswered), Say(2, Reply::Kind::kSessionGone)}));
}

TEST_F(FirstComeFirstServedTest, WhoWithdrewIsNotWaitedFor) {
  const Withdraw withdraw = {.session = Session(2),
                             .sequence = Sequence(2),
                             .key = "a",
                             .acquire = Sequence(1)};
  EXPECT_FALSE(checker_.Applied({withdraw}, {}));
  EXPECT_FALSE(checker_.Applied({}, {Say(3, Reply::Kind::kAnswered)}));
}

TEST_F(FirstComeFirstServedTest, ARepeatedAnswerIsNotAGrant) {
  EXPECT_FALSE(checker_.Applied({Ask(1)}, {Say(1, Reply::Kind::kAnswered)}));
}

TEST(NeverFallsTest, RefusesAFall) {
  NeverFalls checker("the term");
  EXPECT_FALSE(checker.Is(kN1, 3));
  EXPECT_FALSE(checker.Is(kN2, 1));
  EXPECT_FALSE(checker.Is(kN1, 3));
  EXPECT_TRUE(checker.Is(kN1, 2));
}

TEST(AnsweredOnceTest, RefusesASecondAnswer) {
  AnsweredOnce checker;
  checker.Asked(RequestId(1));
  EXPECT_FALSE(checker.Answered(RequestId(1)));
  EXPECT_TRUE(checker.Answered(RequestId(1)));
  EXPECT_TRUE(checker.Answered(RequestId(2)));
}

}  // namespace
}  // namespace cachalot::sim
