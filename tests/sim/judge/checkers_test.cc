#include "sim/judge/checkers.h"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "engine/cluster_time.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/member.h"
#include "engine/request.h"
#include "engine/saved_state.h"
#include "engine/shared_bytes.h"
#include "engine/wire/message.h"
#include "gtest/gtest.h"
#include "sim/world/instant.h"

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

FencingToken Token(uint64_t index) { return FencingToken(index); }

TEST(OneLeaderPerTermTest, RefusesASecondLeader) {
  OneLeaderPerTerm checker;
  EXPECT_FALSE(checker.ObserveLeader(Term(1), kN1));
  EXPECT_FALSE(checker.ObserveLeader(Term(1), kN1));
  EXPECT_FALSE(checker.ObserveLeader(Term(2), kN2));
  EXPECT_TRUE(checker.ObserveLeader(Term(1), kN2));
}

TEST(CommittedLogTest, RefusesAnotherEntryAtAnIndex) {
  CommittedLog checker;
  bool is_first = false;
  const Entry entry = MakeEntry(1, absl::ZeroDuration(), "a");
  EXPECT_FALSE(checker.ObserveCommit(LogIndex(1), entry, Term(1), &is_first));
  EXPECT_TRUE(is_first);
  EXPECT_FALSE(checker.ObserveCommit(LogIndex(1), entry, Term(1), &is_first));
  EXPECT_FALSE(is_first);
  for (const Entry& other : {MakeEntry(1, absl::ZeroDuration(), "b"),
                             MakeEntry(2, absl::ZeroDuration(), "a"),
                             MakeEntry(1, absl::Nanoseconds(1), "a")}) {
    EXPECT_TRUE(checker.ObserveCommit(LogIndex(1), other, Term(1), &is_first));
  }
}

TEST(CommittedLogTest, RefusesASnapshotThatIsNotOfTheLog) {
  CommittedLog checker;
  bool is_first = false;
  checker.ObserveCommit(LogIndex(1), MakeEntry(2, absl::Seconds(3), "a"),
                        Term(2), &is_first);
  const ClusterTime time = ClusterTime() + absl::Seconds(3);
  EXPECT_FALSE(checker.CheckSnapshot(LogIndex(1), Term(2), time));
  EXPECT_TRUE(checker.CheckSnapshot(LogIndex(1), Term(1), time));
  EXPECT_TRUE(checker.CheckSnapshot(LogIndex(1), Term(2), ClusterTime()));
  EXPECT_TRUE(checker.CheckSnapshot(LogIndex(2), Term(2), time));
}

TEST(CommittedLogTest, RefusesAGap) {
  CommittedLog checker;
  bool is_first = false;
  EXPECT_TRUE(checker.ObserveCommit(LogIndex(2),
                                    MakeEntry(1, absl::ZeroDuration(), "a"),
                                    Term(1), &is_first));
}

TEST(CommittedLogTest, RefusesALeaderThatLacksWhatWasCommittedBefore) {
  CommittedLog checker;
  bool is_first = false;
  const Entry first = MakeEntry(1, absl::ZeroDuration(), "a");
  const Entry second = MakeEntry(3, absl::ZeroDuration(), "b");
  EXPECT_FALSE(checker.ObserveCommit(LogIndex(1), first, Term(1), &is_first));
  EXPECT_FALSE(checker.ObserveCommit(LogIndex(2), second, Term(3), &is_first));
  EXPECT_EQ(checker.LastBefore(Term(1)), LogIndex());
  // The votes of term 2 may have been counted late: its leader owes nothing of
  // term 3.
  EXPECT_EQ(checker.LastBefore(Term(2)), LogIndex(1));
  EXPECT_EQ(checker.LastBefore(Term(3)), LogIndex(1));
  EXPECT_EQ(checker.LastBefore(Term(4)), LogIndex(2));
  EXPECT_FALSE(checker.CheckLeaderHas(Term(4), LogIndex(2), &second));
  EXPECT_TRUE(checker.CheckLeaderHas(Term(4), LogIndex(2), &first));
  EXPECT_TRUE(checker.CheckLeaderHas(Term(4), LogIndex(2), nullptr));
}

TEST(EqualTablesTest, RefusesTablesThatDiffer) {
  EqualTables checker;
  EXPECT_FALSE(checker.ObserveTable(LogIndex(8), 111));
  EXPECT_FALSE(checker.ObserveTable(LogIndex(8), 111));
  EXPECT_FALSE(checker.ObserveTable(LogIndex(16), 222));
  EXPECT_TRUE(checker.ObserveTable(LogIndex(8), 222));
}

TEST(TokensRiseTest, RefusesALowerToken) {
  TokensRise checker(/*clocks_in_bound=*/true);
  EXPECT_FALSE(checker.ObserveGrant("a", Token(5), At(1), At(1)));
  EXPECT_FALSE(checker.ObserveGrant("b", Token(3), At(2), At(2)));
  EXPECT_TRUE(checker.ObserveGrant("a", Token(4), At(3), At(3)));
}

TEST(TokensRiseTest, WhoeverWasHeldUpMayTellWhatHasLongEnded) {
  TokensRise checker(/*clocks_in_bound=*/true);
  EXPECT_FALSE(checker.ObserveGrant("a", Token(5), At(3), At(3)));
  EXPECT_FALSE(checker.ObserveGrant("a", Token(4), At(2), At(4)));
  EXPECT_TRUE(checker.ObserveGrant("a", Token(3), At(4), At(4)));
}

TEST(TokensRiseTest, ClocksBeyondTheBoundExcuseTheOrderAlone) {
  TokensRise checker(/*clocks_in_bound=*/false);
  EXPECT_FALSE(checker.ObserveGrant("a", Token(5), At(1), At(1)));
  EXPECT_FALSE(checker.ObserveGrant("a", Token(4), At(2), At(2)));
  EXPECT_TRUE(checker.ObserveGrant("a", Token(4), At(3), At(3)));
}

TEST(TokensRiseTest, RefusesATokenThatWasGrantedBefore) {
  TokensRise checker(/*clocks_in_bound=*/true);
  EXPECT_FALSE(checker.ObserveGrant("a", Token(5), At(1), At(1)));
  EXPECT_TRUE(checker.ObserveGrant("b", Token(5), At(2), At(2)));
}

TEST(TokensRiseTest, RefusesAGrantWithoutToken) {
  TokensRise checker(/*clocks_in_bound=*/true);
  EXPECT_TRUE(checker.ObserveGrant("a", FencingToken(), At(1), At(1)));
}

class ReadsAreRecentTest : public testing::Test {
 protected:
  ReadsAreRecentTest() {
    for (const uint64_t index : {5u, 7u, 9u}) {
      reads_.ObserveGrant(Token(index), LogIndex(index));
    }
    reads_.ObserveEnd(Token(5), LogIndex(8));
  }

  static LockInfo Held(std::string key, uint64_t index) {
    return {.key = std::move(key), .token = Token(index)};
  }

  ReadsAreRecent reads_;
};

TEST_F(ReadsAreRecentTest, RefusesALockThatHadEnded) {
  const Answer answer = {.locks = {Held("a", 5)}};
  EXPECT_FALSE(reads_.CheckAnswer(LogIndex(7), answer, {}));
  EXPECT_TRUE(reads_.CheckAnswer(LogIndex(8), answer, {}));
}

TEST_F(ReadsAreRecentTest, RefusesToMissWhatIsHeldSince) {
  EXPECT_FALSE(reads_.CheckAnswer(LogIndex(8), Answer(), {Held("a", 9)}));
  EXPECT_TRUE(reads_.CheckAnswer(LogIndex(9), Answer(), {Held("a", 9)}));
  EXPECT_FALSE(reads_.CheckAnswer(LogIndex(9), {.locks = {Held("a", 9)}},
                                  {Held("a", 9)}));
}

TEST_F(ReadsAreRecentTest, WhatWasCutOffMayBeAnything) {
  const Answer answer = {.locks = {Held("b", 7)}, .more = true};
  EXPECT_FALSE(reads_.CheckAnswer(LogIndex(9), answer, {Held("c", 9)}));
  EXPECT_TRUE(reads_.CheckAnswer(LogIndex(9), answer, {Held("a", 9)}));
}

TEST(OneBirthTest, RefusesASecondCluster) {
  OneBirth birth;
  EXPECT_FALSE(birth.ObserveBirth({1, 1}));
  EXPECT_FALSE(birth.ObserveBirth({1, 1}));
  EXPECT_TRUE(birth.ObserveBirth({2, 2}));
}

TEST(CheckReadIndexTest, AReadSeesAllThatWasCommittedWhenItWasAsked) {
  EXPECT_FALSE(CheckReadIndex(LogIndex(7), LogIndex(7)));
  EXPECT_FALSE(CheckReadIndex(LogIndex(7), LogIndex(8)));
  EXPECT_TRUE(CheckReadIndex(LogIndex(7), LogIndex(6)));
}

TEST(NewsSupersedesTest, RefusesWhoComesBackInTheSameIncarnation) {
  NewsSupersedes news;
  EXPECT_FALSE(news.ObserveMember({1, 1}, 1, MemberState::kAlive));
  EXPECT_FALSE(news.ObserveMember({1, 1}, 1, MemberState::kFailed));
  EXPECT_FALSE(news.ObserveMember({2, 2}, 1, MemberState::kAlive));
  EXPECT_FALSE(news.ObserveMember({1, 1}, 2, MemberState::kAlive));
  EXPECT_FALSE(news.ObserveMember({1, 1}, 2, MemberState::kFailed));
  EXPECT_TRUE(news.ObserveMember({1, 1}, 2, MemberState::kAlive));
}

TEST(NewsSupersedesTest, RefusesALowerIncarnation) {
  NewsSupersedes news;
  EXPECT_FALSE(news.ObserveMember({1, 1}, 2, MemberState::kAlive));
  EXPECT_TRUE(news.ObserveMember({1, 1}, 1, MemberState::kFailed));
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
  checker.ObserveStamp(LogIndex(1), Term(1), At(0));
  checker.ObserveStamp(LogIndex(2), Term(1), At(10));
  checker.ObserveStamp(LogIndex(3), Term(1), At(20));
  EXPECT_FALSE(checker.ObserveCommit(LogIndex(1),
                                     MakeEntry(1, absl::ZeroDuration(), "")));
  // A thousandth of ten seconds is ten milliseconds.
  EXPECT_FALSE(checker.ObserveCommit(
      LogIndex(2), MakeEntry(1, absl::Milliseconds(10010), "")));
  EXPECT_TRUE(checker.ObserveCommit(
      LogIndex(3), MakeEntry(1, absl::Milliseconds(20021), "")));
}

TEST(ClusterTimeIsSlowTest, RefusesWhoeverTakesItToBeLater) {
  ClusterTimeIsSlow checker(1000);
  checker.ObserveStamp(LogIndex(1), Term(1), At(5));
  EXPECT_FALSE(
      checker.ObserveCommit(LogIndex(1), MakeEntry(1, absl::Seconds(2), "")));
  const ClusterTime begin;
  EXPECT_FALSE(checker.CheckReading(LogIndex(1),
                                    begin + absl::Milliseconds(12010), At(15)));
  EXPECT_TRUE(checker.CheckReading(LogIndex(1),
                                   begin + absl::Milliseconds(12011), At(15)));
  EXPECT_FALSE(
      checker.CheckReading(LogIndex(1), begin + absl::Seconds(1), At(15)));
  EXPECT_FALSE(
      checker.CheckReading(LogIndex(2), begin + absl::Seconds(99), At(15)))
      << "compared when it is committed";
  // Of an instant before the stamp nothing follows.
  EXPECT_FALSE(
      checker.CheckReading(LogIndex(1), begin + absl::Seconds(3), At(4)));
}

TEST(ClusterTimeIsSlowTest, RefusesTimeThatFalls) {
  ClusterTimeIsSlow checker(1000);
  checker.ObserveStamp(LogIndex(1), Term(1), At(0));
  checker.ObserveStamp(LogIndex(2), Term(2), At(1));
  EXPECT_FALSE(
      checker.ObserveCommit(LogIndex(1), MakeEntry(1, absl::Seconds(5), "")));
  EXPECT_TRUE(
      checker.ObserveCommit(LogIndex(2), MakeEntry(2, absl::Seconds(4), "")));
}

TEST(ClusterTimeIsSlowTest, WithoutABoundTimeMayRunFastButNotFall) {
  ClusterTimeIsSlow checker(std::nullopt);
  for (uint64_t i = 1; i <= 3; ++i) {
    checker.ObserveStamp(LogIndex(i), Term(1), At(static_cast<int64_t>(i)));
  }
  EXPECT_FALSE(
      checker.ObserveCommit(LogIndex(1), MakeEntry(1, absl::Seconds(1), "")));
  EXPECT_FALSE(
      checker.ObserveCommit(LogIndex(2), MakeEntry(1, absl::Seconds(90), "")));
  EXPECT_EQ(checker.last_stamped(), At(2));
  EXPECT_TRUE(
      checker.ObserveCommit(LogIndex(3), MakeEntry(1, absl::Seconds(89), "")));
}

TEST(ClusterTimeIsSlowTest, RefusesAnEntryThatNobodyAppended) {
  ClusterTimeIsSlow checker(1000);
  EXPECT_TRUE(checker.ObserveCommit(LogIndex(1),
                                    MakeEntry(1, absl::ZeroDuration(), "")));
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

TEST(AppendPromiseTest, RefusesWhatIsSavedAsAnotherEntry) {
  SavedLog saved;
  saved.Apply(Vote(2, kN1));
  saved.Apply(Entries(1, {1, 1}));
  const AppendReply reply = {
      .term = Term(2), .accepted = true, .index = LogIndex(2)};
  EXPECT_TRUE(CheckAppendPromise(saved, reply, Term(2)));
  saved.Apply(Entries(2, {2}));
  EXPECT_FALSE(CheckAppendPromise(saved, reply, Term(2)));
}

TEST(SnapshotPromiseTest, RefusesASnapshotThatIsNotSaved) {
  SavedLog saved;
  const SnapshotReply reply = {
      .term = Term(1), .index = LogIndex(5), .received = 10};
  saved.Apply(Vote(1, kN1));
  EXPECT_TRUE(CheckSnapshotPromise(saved, reply));
  StateChange change;
  change.snapshot.emplace();
  change.snapshot->index = LogIndex(5);
  change.drops_log = true;
  saved.Apply(change);
  EXPECT_FALSE(CheckSnapshotPromise(saved, reply));
}

TEST(SnapshotPromiseTest, RefusesATermThatIsNotSaved) {
  SavedLog saved;
  saved.Apply(Entries(1, {1, 1}));
  EXPECT_TRUE(CheckSnapshotPromise(
      saved, {.term = Term(1), .index = LogIndex(2), .received = 10}));
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

TEST(CommitQuorumTest, ALearnerIsNotCounted) {
  const Configuration configuration = {.voters = {{.id = kN1}, {.id = kN2}}};
  std::map<NodeId, SavedLog> saved;
  saved[kN1].Apply(Entries(1, {1}));
  saved[kN3].Apply(Entries(1, {1}));
  EXPECT_TRUE(CheckCommitQuorum(configuration, LogIndex(1), Term(1), saved));
}

TEST(NeverFallsTest, RefusesAFall) {
  NeverFalls checker("the term");
  EXPECT_FALSE(checker.Observe(3));
  EXPECT_FALSE(checker.Observe(3));
  EXPECT_FALSE(checker.Observe(4));
  EXPECT_TRUE(checker.Observe(3));
}

TEST(AnsweredOnceTest, RefusesASecondAnswer) {
  AnsweredOnce checker;
  checker.ObserveRequest(RequestId(1), FastInstant::Never());
  EXPECT_FALSE(checker.ObserveAnswer(RequestId(1)));
  EXPECT_TRUE(checker.ObserveAnswer(RequestId(1)));
  EXPECT_TRUE(checker.ObserveAnswer(RequestId(2)));
}

TEST(AnsweredOnceTest, RefusesToLetACallerWaitForEver) {
  AnsweredOnce checker;
  const FastInstant patience_ends = FastInstant() + absl::Seconds(2);
  checker.ObserveRequest(RequestId(1), patience_ends);
  EXPECT_FALSE(checker.CheckDeadlines(patience_ends - absl::Nanoseconds(1)));
  EXPECT_TRUE(checker.CheckDeadlines(patience_ends));
  EXPECT_FALSE(checker.ObserveAnswer(RequestId(1)));
  EXPECT_FALSE(checker.CheckDeadlines(patience_ends));
}

}  // namespace
}  // namespace cachalot::sim
