#include "engine/locks/lock_table.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "engine/command.h"
#include "engine/ids.h"
#include "engine/limits.h"
#include "engine/locks/token_counter.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/locks/lock_table_fixture.h"

namespace cachalot {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;
using testing::SizeIs;

// --- Sessions ---------------------------------------------------------------

TEST_F(LockTableTest, OpeningAnOpenSessionAgainChangesNothing) {
  Advance(absl::Seconds(3));
  EXPECT_THAT(Apply(opening_), ElementsAre(Says(Kind::kOpened, kAlice),
                                           Says(Kind::kOpened, kBob),
                                           Says(Kind::kOpened, kCarol)));
  EXPECT_EQ(table_.session_count(), 3u);
  EXPECT_EQ(table_.NextDeadline(), ClusterTime() + absl::Seconds(10));
}

TEST_F(LockTableTest, AKeepAliveMovesTheDeadline) {
  Apply({CloseSession{kBob}, CloseSession{kCarol}});
  Advance(absl::Seconds(4));
  EXPECT_THAT(Apply({KeepAlive{.session = kAlice, .renewal = 1}}),
              ElementsAre(Keeps(kAlice, 1)));
  EXPECT_EQ(table_.NextDeadline(), time_ + absl::Seconds(10));
}

TEST_F(LockTableTest, AnOlderKeepAliveIsAcknowledgedAndMovesNothing) {
  Apply({CloseSession{kBob}, CloseSession{kCarol}});
  Apply({KeepAlive{.session = kAlice, .renewal = 2}});
  Advance(absl::Seconds(4));
  EXPECT_THAT(Apply({KeepAlive{.session = kAlice, .renewal = 1},
                     KeepAlive{.session = kAlice, .renewal = 2}}),
              ElementsAre(Keeps(kAlice, 1), Keeps(kAlice, 2)));
  EXPECT_EQ(table_.NextDeadline(), ClusterTime() + absl::Seconds(10));
}

TEST_F(LockTableTest, AKeepAliveOfNoSessionIsToldSo) {
  const SessionId nobody{NodeId{0, 9}, 1};
  EXPECT_THAT(Apply({KeepAlive{.session = nobody, .renewal = 1}}),
              ElementsAre(Says(Kind::kSessionGone, nobody)));
}

TEST_F(LockTableTest, AKeepAliveRepeatsWhatIsDecidedAndOutstanding) {
  Apply({Try(kAlice, 1, "a")});
  Apply({Try(kAlice, 2, "b")});
  const FencingToken second = Token();
  Apply({Wait(kBob, 1, "c"), Wait(kAlice, 3, "c"), Try(kAlice, 4, "d")});
  const FencingToken fourth = Token(1);
  EXPECT_THAT(
      Apply({KeepAlive{
          .session = kAlice, .renewal = 1, .first_outstanding = Sequence(2)}}),
      ElementsAre(Keeps(kAlice, 1), Grants(kAlice, 2, second),
                  Grants(kAlice, 4, fourth)));
}

TEST_F(LockTableTest, AKeepAliveRepeatsTheOldestAndNotTooMany) {
  const uint64_t count = LockTable::kRepeatedPerKeepAlive + 10;
  for (uint64_t i = 1; i <= count; ++i) {
    Apply({Try(kAlice, i, absl::StrCat("key", i))});
  }
  const std::vector<Reply> replies =
      Apply({KeepAlive{.session = kAlice, .renewal = 1}});
  ASSERT_THAT(replies, SizeIs(1 + LockTable::kRepeatedPerKeepAlive));
  EXPECT_EQ(replies[1].sequence, Sequence(1));
  EXPECT_EQ(replies.back().sequence,
            Sequence(LockTable::kRepeatedPerKeepAlive));
}

TEST_F(LockTableTest, AClosedSessionDoesNotComeBack) {
  EXPECT_THAT(Apply({CloseSession{kAlice}}),
              ElementsAre(Says(Kind::kClosed, kAlice)));
  EXPECT_THAT(Apply(opening_), ElementsAre(Says(Kind::kSessionGone, kAlice),
                                           Says(Kind::kOpened, kBob),
                                           Says(Kind::kOpened, kCarol)));
  EXPECT_EQ(table_.session_count(), 2u);
}

TEST_F(LockTableTest, ANodeThatClosedASessionMayOpenTheNext) {
  const SessionId next{kAlice.node, kAlice.number + 1};
  EXPECT_THAT(
      Apply({CloseSession{kAlice},
             OpenSession{.session = next, .ttl = absl::Seconds(1)}}),
      ElementsAre(Says(Kind::kClosed, kAlice), Says(Kind::kOpened, next)));
}

TEST_F(LockTableTest, AnExpiredSessionDoesNotComeBack) {
  Advance(absl::Seconds(10));
  Apply({Expire{.sessions = {{kAlice, 0}}}});
  EXPECT_THAT(Apply({opening_[0], KeepAlive{.session = kAlice, .renewal = 1}}),
              ElementsAre(Says(Kind::kSessionGone, kAlice),
                          Says(Kind::kSessionGone, kAlice)));
}

TEST_F(LockTableTest, ASessionClosedBeforeItWasOpenedIsNotOpened) {
  const SessionId next{kAlice.node, 2};
  Apply({CloseSession{next}});
  EXPECT_THAT(Apply({OpenSession{.session = next, .ttl = absl::Seconds(1)}}),
              ElementsAre(Says(Kind::kSessionGone, next)));
  EXPECT_EQ(table_.session_count(), 3u);
}

TEST_F(LockTableTest, ClosingTwiceIsClosed) {
  EXPECT_THAT(
      Apply({CloseSession{kAlice}, CloseSession{kAlice}}),
      ElementsAre(Says(Kind::kClosed, kAlice), Says(Kind::kClosed, kAlice)));
}

TEST_F(LockTableTest, ARequestOfNoSessionIsToldSo) {
  const SessionId nobody{NodeId{0, 9}, 1};
  EXPECT_THAT(Apply({Try(nobody, 1, "key")}),
              ElementsAre(Says(Kind::kSessionGone, nobody)));
  EXPECT_EQ(table_.lock_count(), 0u);
}

TEST_F(LockTableTest, ASessionBeyondTheLimitsIsRefused) {
  const SessionId next{kAlice.node, 2};
  const std::string long_name(limits::kNameBytesMax + 1, 'n');
  EXPECT_THAT(
      Apply({OpenSession{.session = next, .ttl = absl::Hours(25)},
             OpenSession{
                 .session = next, .ttl = absl::Seconds(1), .name = long_name}}),
      ElementsAre(Answers(next, 0, Outcome::kInvalid),
                  Answers(next, 0, Outcome::kInvalid)));
  EXPECT_EQ(table_.session_count(), 3u);
}

TEST_F(LockTableTest, OneSessionTooManyIsRefused) {
  std::vector<LockCommand> commands;
  for (uint64_t i = 4; i <= limits::kSessionsMax + 1; ++i) {
    commands.push_back(
        OpenSession{.session = {NodeId{0, i}, 1}, .ttl = absl::Seconds(10)});
  }
  const std::vector<Reply> replies = Apply(std::move(commands));
  EXPECT_EQ(replies[replies.size() - 2].kind, Kind::kOpened);
  EXPECT_THAT(replies.back(), Answers({NodeId{0, limits::kSessionsMax + 1}, 1},
                                      0, Outcome::kBusy));
}

// --- Tokens ------------------------------------------------------------------

TEST_F(LockTableTest, TokensRiseWithinAnEntryAndBetweenEntries) {
  EXPECT_THAT(Apply({Try(kAlice, 1, "a"), Try(kBob, 1, "b")}),
              ElementsAre(GrantsNow(kAlice, 1), GrantsNow(kBob, 1)));
  const FencingToken before = Token(1);
  EXPECT_THAT(Apply({Try(kAlice, 2, "c")}), ElementsAre(GrantsNow(kAlice, 2)));
  EXPECT_GT(Token(0), before);
}

// The first entry of a cluster says where its tokens begin.
TEST_F(LockTableTest, TokensBeginAboveTheBaseAndKeepItsLowerBits) {
  const FencingToken base(0x123456789abcdef);
  LockTable table;
  table.Apply(LogIndex(1), time_, {{BeginTerm{.token_base = base}}});
  EXPECT_EQ(table.last_token(), base);
  table.Apply(LogIndex(2), time_, opening_);
  table.Apply(LogIndex(3), time_, {{Try(kAlice, 1, "key")}});
  const FencingToken token = table.Find("key", time_)->token;
  EXPECT_GT(token, base);
  EXPECT_EQ(token.number() % TokenCounter::kStep, 0xcdefu);
}

TEST_F(LockTableTest, TokensRiseAboveOneSeenElsewhere) {
  Apply({Try(kAlice, 1, "before")});
  const FencingToken before = Token();
  uint64_t sequence = 1;
  for (const uint64_t above : {uint64_t{1}, TokenCounter::kStep - 1,
                               TokenCounter::kStep, uint64_t{1} << 50}) {
    const FencingToken elsewhere(table_.last_token().number() + above);
    Apply({OpenSession{.session = {kAlice.node, 2},
                       .ttl = absl::Seconds(1),
                       .token_floor = elsewhere}});
    Apply({Try(kAlice, ++sequence, absl::StrCat(above))});
    EXPECT_GT(Token(), elsewhere);
    EXPECT_EQ(Token().number() % TokenCounter::kStep,
              before.number() % TokenCounter::kStep);
  }
}

TEST_F(LockTableTest, ATermNeverLowersTheTokens) {
  Apply({Try(kAlice, 1, "key")});
  const FencingToken last = table_.last_token();
  Apply({BeginTerm{.token_base = FencingToken(1)}, BeginTerm{}});
  EXPECT_EQ(table_.last_token(), last);
}

TEST_F(LockTableTest, AnAbsurdFloorIsIgnored) {
  const FencingToken absurd(limits::kTokenFloorMax + 1);
  Apply({OpenSession{.session = {kAlice.node, 2},
                     .ttl = absl::Seconds(1),
                     .token_floor = absurd},
         BeginTerm{.token_base = FencingToken(FencingToken::kMax)}});
  EXPECT_LT(table_.last_token(), absurd);
}

// Half of all numbers are left above the highest floor.
TEST_F(LockTableTest, TokensGoOnAboveTheHighestFloor) {
  const FencingToken highest(limits::kTokenFloorMax);
  Apply({OpenSession{.session = {kAlice.node, 2},
                     .ttl = absl::Seconds(1),
                     .token_floor = highest}});
  Apply({Try(kAlice, 1, "key")});
  EXPECT_GT(Token(), highest);
  EXPECT_LE(Token().number(), highest.number() + TokenCounter::kStep);
}

// The holder needs it for its belief (engine/client/README.md, lemma 3).
TEST_F(LockTableTest, ARepeatedGrantSaysWhenItWasMade) {
  Apply({Try(kAlice, 1, "key")});
  const LogIndex granted_at = index_;
  const FencingToken token = Token();
  Apply({KeepAlive{.session = kBob, .renewal = 1}});
  EXPECT_THAT(Apply({Try(kAlice, 1, "key")}),
              ElementsAre(AllOf(Grants(kAlice, 1, token),
                                Field(&Reply::granted_at, granted_at),
                                Field(&Reply::index, index_.Next()))));
}

// --- Acquire ----------------------------------------------------------------

TEST_F(LockTableTest, GrantsAFreeLockToTheFirstWhoAsks) {
  EXPECT_THAT(Apply({Try(kAlice, 1, "key"), Wait(kBob, 1, "key")}),
              ElementsAre(GrantsNow(kAlice, 1), Queues(kBob, 1)));
  EXPECT_EQ(HolderOf("key"), kAlice);
  EXPECT_EQ(Find("key").waiters, 1u);
}

TEST_F(LockTableTest, ATryOfAHeldLockIsToldWhoHoldsIt) {
  Acquire acquire = WithTtl(Try(kAlice, 1, "key"), absl::Seconds(8));
  acquire.owner = "backup";
  Apply({acquire});
  const FencingToken token = Token();
  Advance(absl::Seconds(3));
  const std::vector<Reply> replies = Apply({Try(kBob, 1, "key")});
  ASSERT_THAT(replies, ElementsAre(Answers(kBob, 1, Outcome::kHeld)));
  EXPECT_EQ(replies[0].token, token);
  EXPECT_EQ(replies[0].holder, kAlice);
  EXPECT_EQ(replies[0].holder_name, "alice");
  EXPECT_EQ(replies[0].owner, "backup");
  EXPECT_EQ(replies[0].lease_remaining, absl::Seconds(5));
  EXPECT_EQ(replies[0].session_remaining, absl::Seconds(7));
}

TEST_F(LockTableTest, AWaiterIsToldWhoHoldsTheLockAtEachAsking) {
  Acquire acquire = WithTtl(Try(kAlice, 1, "key"), absl::Seconds(8));
  acquire.owner = "backup";
  Apply({acquire});
  const FencingToken first = Token();
  std::vector<Reply> replies = Apply({Wait(kBob, 1, "key")});
  ASSERT_THAT(replies, ElementsAre(Queues(kBob, 1)));
  EXPECT_EQ(replies[0].token, first);
  EXPECT_EQ(replies[0].holder, kAlice);
  EXPECT_EQ(replies[0].holder_name, "alice");
  EXPECT_EQ(replies[0].owner, "backup");
  EXPECT_EQ(replies[0].lease_remaining, absl::Seconds(8));
  Apply({Wait(kCarol, 1, "key"), Free(kAlice, 2, "key", first)});
  replies = Apply({Wait(kCarol, 1, "key")});
  ASSERT_THAT(replies, ElementsAre(Queues(kCarol, 1)));
  EXPECT_EQ(replies[0].holder, kBob);
}

TEST_F(LockTableTest, AHolderIsNotLetInTwice) {
  Apply({Try(kAlice, 1, "key")});
  EXPECT_THAT(
      Apply({Try(kAlice, 2, "key"), Wait(kAlice, 3, "key")}),
      ElementsAre(Answers(kAlice, 2, Outcome::kHeld), Queues(kAlice, 3)));
}

TEST_F(LockTableTest, WhatBreaksALimitIsInvalidForGood) {
  Acquire long_owner = Try(kAlice, 4, "key");
  long_owner.owner = std::string(limits::kOwnerBytesMax + 1, 'o');
  EXPECT_THAT(Apply({Try(kAlice, 1, ""),
                     Try(kAlice, 2, std::string(limits::kKeyBytesMax + 1, 'k')),
                     WithTtl(Try(kAlice, 3, "key"), absl::Milliseconds(99)),
                     long_owner}),
              ElementsAre(Answers(kAlice, 1, Outcome::kInvalid),
                          Answers(kAlice, 2, Outcome::kInvalid),
                          Answers(kAlice, 3, Outcome::kInvalid),
                          Answers(kAlice, 4, Outcome::kInvalid)));
  EXPECT_EQ(table_.lock_count(), 0u);
  EXPECT_THAT(Apply({Try(kAlice, 1, "")}),
              ElementsAre(Answers(kAlice, 1, Outcome::kInvalid)));
}

TEST_F(LockTableTest, AKeyMayBeAnyBytes) {
  const std::string key("\0\xff\n", 3);
  Apply({Try(kAlice, 1, key)});
  EXPECT_EQ(HolderOf(key), kAlice);
}

TEST_F(LockTableTest, AQueueThatIsFullRefuses) {
  Apply({Try(kAlice, 1, "key")});
  // One session has room for so many requests only.
  const uint64_t each = limits::kRequestsPerSessionMax - 1;
  const uint64_t sessions = limits::kWaitersPerLockMax / each + 1;
  uint64_t waiters = 0;
  for (uint64_t s = 2; s <= sessions + 1; ++s) {
    const SessionId session{kAlice.node, s};
    std::vector<LockCommand> commands = {
        OpenSession{.session = session, .ttl = absl::Seconds(60)}};
    for (uint64_t i = 1; i <= each; ++i) {
      if (waiters == limits::kWaitersPerLockMax) break;
      commands.push_back(Wait(session, i, "key"));
      ++waiters;
    }
    Apply(std::move(commands));
  }
  EXPECT_EQ(Find("key").waiters, limits::kWaitersPerLockMax);
  EXPECT_THAT(Apply({Wait(kBob, 1, "key")}),
              ElementsAre(Answers(kBob, 1, Outcome::kBusy)));
  EXPECT_THAT(Apply({Wait(kBob, 1, "key")}),
              ElementsAre(Answers(kBob, 1, Outcome::kBusy)));
}

// --- Exactly once -----------------------------------------------------------

TEST_F(LockTableTest, ARetryOfAGrantedRequestIsToldTheSame) {
  Apply({Try(kAlice, 1, "key")});
  const FencingToken token = Token();
  EXPECT_THAT(Apply({Try(kAlice, 1, "key")}),
              ElementsAre(Grants(kAlice, 1, token)));
}

TEST_F(LockTableTest, ARetryAfterTheLockHasGoneIsToldTheSameAndTakesNothing) {
  Apply({Try(kAlice, 1, "key")});
  const FencingToken token = Token();
  Apply({Free(kAlice, 2, "key", token)});
  EXPECT_THAT(Apply({Try(kAlice, 1, "key")}),
              ElementsAre(Grants(kAlice, 1, token)));
  EXPECT_EQ(table_.lock_count(), 0u);
}

TEST_F(LockTableTest, ARetryOfARefusedTryIsToldTheSame) {
  Apply({Try(kAlice, 1, "key")});
  const FencingToken token = Token();
  std::vector<Reply> first = Apply({Try(kBob, 1, "key")});
  Apply({Free(kAlice, 2, "key", token)});
  std::vector<Reply> again = Apply({Try(kBob, 1, "key")});
  ASSERT_THAT(again, SizeIs(1));
  EXPECT_EQ(again[0].index, index_);
  first[0].index = again[0].index;
  EXPECT_EQ(again, first);
  EXPECT_EQ(table_.lock_count(), 0u);
}

TEST_F(LockTableTest, ARetryOfAWaitingRequestKeepsItsPlace) {
  Apply({Try(kAlice, 1, "key"), Wait(kBob, 1, "key"), Wait(kCarol, 1, "key")});
  EXPECT_THAT(Apply({Wait(kBob, 1, "key")}), ElementsAre(Queues(kBob, 1)));
  EXPECT_EQ(Find("key").waiters, 2u);
}

TEST_F(LockTableTest, ARequestBelowTheFirstOutstandingDoesNothing) {
  Apply({Try(kAlice, 1, "other")});
  const FencingToken token = Token();
  Apply({KeepAlive{
      .session = kAlice, .renewal = 1, .first_outstanding = Sequence(4)}});
  EXPECT_THAT(Apply({Try(kAlice, 2, "key")}),
              ElementsAre(Answers(kAlice, 2, Outcome::kWithdrawn)));
  EXPECT_THAT(Apply({Free(kAlice, 3, "other", token)}), IsEmpty());
  EXPECT_EQ(table_.lock_count(), 1u);
}

TEST_F(LockTableTest, AForgottenRequestKeepsItsLock) {
  Apply({Try(kAlice, 1, "key")});
  const FencingToken token = Token();
  Apply({KeepAlive{
      .session = kAlice, .renewal = 1, .first_outstanding = Sequence(2)}});
  EXPECT_EQ(HolderOf("key"), kAlice);
  EXPECT_THAT(Apply({Free(kAlice, 2, "key", token)}),
              ElementsAre(Answers(kAlice, 2, Outcome::kOk)));
}

TEST_F(LockTableTest, ARequestThatWaitsKeepsItsPlaceHoweverOldItIs) {
  constexpr uint64_t kMuchLater = 10 * limits::kRequestsPerSessionMax;
  Apply({Try(kAlice, 1, "key"), Wait(kBob, 1, "key"), Wait(kCarol, 1, "key")});
  const FencingToken token = Token();
  Apply({KeepAlive{.session = kBob,
                   .renewal = 1,
                   .first_outstanding = Sequence(kMuchLater)}});
  EXPECT_THAT(Apply({Wait(kBob, 1, "key")}), ElementsAre(Queues(kBob, 1)));
  EXPECT_THAT(
      Apply({Free(kAlice, 2, "key", token)}),
      ElementsAre(Answers(kAlice, 2, Outcome::kOk), GrantsNow(kBob, 1)));
}

TEST_F(LockTableTest, AnOldRequestThatWasGrantedUnheardIsToldSoWhenItAsks) {
  Apply({Try(kAlice, 1, "key"), Wait(kBob, 1, "key")});
  const FencingToken token = Token();
  Apply({KeepAlive{
      .session = kBob, .renewal = 1, .first_outstanding = Sequence(2)}});
  Apply({Free(kAlice, 2, "key", token)});
  const FencingToken granted = Token();
  EXPECT_THAT(Apply({Wait(kBob, 1, "key")}),
              ElementsAre(Grants(kBob, 1, granted)));
  Apply({Free(kBob, 2, "key", granted)});
  EXPECT_THAT(Apply({Wait(kBob, 1, "key")}),
              ElementsAre(Answers(kBob, 1, Outcome::kWithdrawn)));
}

TEST_F(LockTableTest, AnOldRequestThatWaitsSurvivesBytesAndEndsWithItsSession) {
  Apply(
      {Try(kAlice, 1, "key"), Wait(kBob, 1, "key"),
       KeepAlive{
           .session = kBob, .renewal = 1, .first_outstanding = Sequence(100)}});
  absl::StatusOr<LockTable> decoded = LockTable::Decode(table_.Encode());
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  table_ = *std::move(decoded);
  EXPECT_THAT(Apply({Wait(kBob, 1, "key")}), ElementsAre(Queues(kBob, 1)));
  Apply({CloseSession{kBob}});
  EXPECT_EQ(Find("key").waiters, 0u);
}

TEST_F(LockTableTest, AnOldRequestThatWaitsCanBeWithdrawn) {
  Apply({Try(kAlice, 1, "key"), Wait(kBob, 1, "key")});
  Apply({KeepAlive{
      .session = kBob, .renewal = 1, .first_outstanding = Sequence(2)}});
  Apply({Withdraw{.session = kBob,
                  .sequence = Sequence(2),
                  .key = "key",
                  .acquire = Sequence(1)}});
  EXPECT_EQ(Find("key").waiters, 0u);
}

TEST_F(LockTableTest, ARequestTooFarAheadIsRefusedAndLeavesNoTrace) {
  const uint64_t ahead = 1 + limits::kRequestsPerSessionMax;
  EXPECT_THAT(Apply({Try(kAlice, ahead, "key")}),
              ElementsAre(Answers(kAlice, ahead, Outcome::kBusy)));
  Acquire again = Try(kAlice, ahead, "key");
  again.first_outstanding = Sequence(2);
  EXPECT_THAT(Apply({again}), ElementsAre(GrantsNow(kAlice, ahead)));
}

TEST_F(LockTableTest, TheHighestNumbersDoNoHarm) {
  Acquire last = Wait(kAlice, UINT64_MAX, "key");
  last.first_outstanding = Sequence(UINT64_MAX);
  EXPECT_THAT(Apply({Try(kBob, 1, "key"), last}),
              ElementsAre(GrantsNow(kBob, 1),
                          Answers(kAlice, UINT64_MAX, Outcome::kBusy)));
  EXPECT_THAT(Apply({CloseSession{kAlice}}),
              ElementsAre(Says(Kind::kClosed, kAlice)));
}

TEST_F(LockTableTest, RetriesOfRenewAndReleaseAreToldTheSame) {
  Apply({Try(kAlice, 1, "key")});
  const FencingToken token = Token();
  const Renew renew{.session = kAlice,
                    .sequence = Sequence(2),
                    .key = "key",
                    .token = token,
                    .ttl = absl::Seconds(5)};
  Apply({renew, Free(kAlice, 3, "key", token)});
  EXPECT_THAT(
      Apply({renew, Free(kAlice, 3, "key", token)}),
      ElementsAre(Grants(kAlice, 2, token), Answers(kAlice, 3, Outcome::kOk)));
}

// --- Renew and release ------------------------------------------------------

TEST_F(LockTableTest, ARenewalMovesTheLocksDeadlineAndNeverBack) {
  Apply({WithTtl(Try(kAlice, 1, "key"), absl::Seconds(2))});
  const FencingToken token = Token();
  Advance(absl::Seconds(1));
  Renew renew{.session = kAlice,
              .sequence = Sequence(2),
              .key = "key",
              .token = token,
              .ttl = absl::Seconds(5)};
  EXPECT_THAT(Apply({renew}), ElementsAre(Grants(kAlice, 2, token)));
  EXPECT_EQ(Find("key").remaining, absl::Seconds(5));
  renew.sequence = Sequence(3);
  renew.ttl = absl::Seconds(1);
  EXPECT_THAT(Apply({renew}), ElementsAre(Grants(kAlice, 3, token)));
  EXPECT_EQ(Find("key").remaining, absl::Seconds(5));
}

TEST_F(LockTableTest, RenewAndReleaseNeedTheTokenAndTheSession) {
  Apply({Try(kAlice, 1, "key")});
  const FencingToken token = Token();
  const FencingToken other(token.number() + 1);
  const auto renew = [](SessionId session, uint64_t sequence, std::string key,
                        FencingToken t) {
    return Renew{.session = session,
                 .sequence = Sequence(sequence),
                 .key = std::move(key),
                 .token = t,
                 .ttl = absl::Seconds(5)};
  };
  EXPECT_THAT(
      Apply({renew(kAlice, 2, "key", other), renew(kBob, 1, "key", token),
             renew(kAlice, 3, "no", token), Free(kAlice, 4, "key", other),
             Free(kBob, 2, "key", token), Free(kAlice, 5, "no", token)}),
      ElementsAre(Answers(kAlice, 2, Outcome::kNotHeld),
                  Answers(kBob, 1, Outcome::kNotHeld),
                  Answers(kAlice, 3, Outcome::kNotHeld),
                  Answers(kAlice, 4, Outcome::kNotHeld),
                  Answers(kBob, 2, Outcome::kNotHeld),
                  Answers(kAlice, 5, Outcome::kNotHeld)));
  EXPECT_EQ(HolderOf("key"), kAlice);
}

TEST_F(LockTableTest, AReleasePassesTheLockToTheFirstInTheQueue) {
  Apply({Try(kAlice, 1, "key"), Wait(kBob, 1, "key"), Wait(kCarol, 1, "key")});
  EXPECT_THAT(
      Apply({Free(kAlice, 2, "key", Find("key").token)}),
      ElementsAre(Answers(kAlice, 2, Outcome::kOk), GrantsNow(kBob, 1)));
  EXPECT_THAT(
      Apply({Free(kBob, 2, "key", Find("key").token)}),
      ElementsAre(Answers(kBob, 2, Outcome::kOk), GrantsNow(kCarol, 1)));
  EXPECT_THAT(Apply({Free(kCarol, 2, "key", Find("key").token)}),
              ElementsAre(Answers(kCarol, 2, Outcome::kOk)));
  EXPECT_EQ(table_.lock_count(), 0u);
}

TEST_F(LockTableTest, AWaitersLeaseBeginsWithItsGrant) {
  Apply(
      {Try(kAlice, 1, "key"), WithTtl(Wait(kBob, 1, "key"), absl::Seconds(2))});
  Advance(absl::Seconds(5));
  Apply({Free(kAlice, 2, "key", Find("key").token)});
  EXPECT_EQ(Find("key").remaining, absl::Seconds(2));
}

TEST_F(LockTableTest, AStaleReleaseDoesNotFreeTheNextHoldersLock) {
  Apply({Try(kAlice, 1, "key"), Wait(kAlice, 2, "key")});
  const FencingToken stale = Find("key").token;
  Apply({Free(kAlice, 3, "key", stale)});
  EXPECT_THAT(Apply({Free(kAlice, 4, "key", stale)}),
              ElementsAre(Answers(kAlice, 4, Outcome::kNotHeld)));
  EXPECT_EQ(HolderOf("key"), kAlice);
}

// --- Withdraw ---------------------------------------------------------------

TEST_F(LockTableTest, AWithdrawnWaiterLeavesTheQueue) {
  Apply({Try(kAlice, 1, "key"), Wait(kBob, 1, "key"), Wait(kCarol, 1, "key")});
  EXPECT_THAT(Apply({TakeBack(kBob, 2, "key", 1)}),
              ElementsAre(Answers(kBob, 1, Outcome::kWithdrawn),
                          Answers(kBob, 2, Outcome::kOk)));
  EXPECT_THAT(
      Apply({Free(kAlice, 2, "key", Find("key").token)}),
      ElementsAre(Answers(kAlice, 2, Outcome::kOk), GrantsNow(kCarol, 1)));
}

TEST_F(LockTableTest, AWithdrawnGrantIsPassedOn) {
  Apply({Try(kAlice, 1, "key"), Wait(kBob, 1, "key")});
  EXPECT_THAT(
      Apply({TakeBack(kAlice, 2, "key", 1)}),
      ElementsAre(Answers(kAlice, 2, Outcome::kOk), GrantsNow(kBob, 1)));
}

TEST_F(LockTableTest, AWithdrawnGrantIsPassedOnAlsoWhenItsMemoIsForgotten) {
  Apply({Try(kAlice, 1, "key")});
  Withdraw withdraw = TakeBack(kAlice, 2, "key", 1);
  withdraw.first_outstanding = Sequence(2);
  EXPECT_THAT(Apply({withdraw}), ElementsAre(Answers(kAlice, 2, Outcome::kOk)));
  EXPECT_EQ(table_.lock_count(), 0u);
}

TEST_F(LockTableTest, ARequestWithdrawnBeforeItArrivedIsNeverGranted) {
  EXPECT_THAT(Apply({TakeBack(kAlice, 2, "key", 1)}),
              ElementsAre(Answers(kAlice, 1, Outcome::kWithdrawn),
                          Answers(kAlice, 2, Outcome::kOk)));
  EXPECT_THAT(Apply({Try(kAlice, 1, "key")}),
              ElementsAre(Answers(kAlice, 1, Outcome::kWithdrawn)));
  EXPECT_EQ(table_.lock_count(), 0u);
}

TEST_F(LockTableTest, AWithdrawalTwiceTakesNothingMore) {
  Apply({Try(kAlice, 1, "key"), TakeBack(kAlice, 2, "key", 1),
         Try(kAlice, 3, "key")});
  EXPECT_THAT(
      Apply({TakeBack(kAlice, 2, "key", 1), TakeBack(kAlice, 4, "key", 1)}),
      ElementsAre(Answers(kAlice, 2, Outcome::kOk),
                  Answers(kAlice, 4, Outcome::kOk)));
  EXPECT_EQ(HolderOf("key"), kAlice);
}

TEST_F(LockTableTest, AWithdrawalOfWhatCannotBeAnAcquireIsInvalid) {
  const uint64_t ahead = 1 + limits::kRequestsPerSessionMax;
  EXPECT_THAT(
      Apply({TakeBack(kAlice, 1, "key", 1), TakeBack(kAlice, 2, "key", ahead)}),
      ElementsAre(Answers(kAlice, 1, Outcome::kInvalid),
                  Answers(kAlice, 2, Outcome::kInvalid)));
}

// --- Ends of sessions and locks ---------------------------------------------

TEST_F(LockTableTest, AClosedSessionsLocksArePassedOnInTheOrderOfTheirGrants) {
  Apply({Try(kAlice, 1, "z"), Try(kAlice, 2, "a"), Wait(kBob, 1, "a"),
         Wait(kBob, 2, "z")});
  EXPECT_THAT(Apply({CloseSession{kAlice}}),
              ElementsAre(Says(Kind::kClosed, kAlice), GrantsNow(kBob, 2),
                          GrantsNow(kBob, 1)));
}

TEST_F(LockTableTest, AClosedSessionIsNotGrantedWhatItGivesUp) {
  Apply({Try(kAlice, 1, "key"), Wait(kAlice, 2, "key"), Wait(kBob, 1, "key")});
  EXPECT_THAT(Apply({CloseSession{kAlice}}),
              ElementsAre(Says(Kind::kClosed, kAlice), GrantsNow(kBob, 1)));
}

TEST_F(LockTableTest, ASessionExpiresAtItsDeadlineAndNotBefore) {
  Apply({Try(kAlice, 1, "key"), Wait(kBob, 1, "key")});
  Advance(absl::Seconds(10) - absl::Nanoseconds(1));
  EXPECT_THAT(Apply({Expire{.sessions = {{kAlice, 0}}}}), IsEmpty());
  EXPECT_EQ(HolderOf("key"), kAlice);
  Advance(absl::Nanoseconds(1));
  EXPECT_THAT(
      Apply({Expire{.sessions = {{kAlice, 0}}}}),
      ElementsAre(Says(Kind::kSessionGone, kAlice), GrantsNow(kBob, 1)));
}

TEST_F(LockTableTest, ARenewedSessionIsNotExpiredByAnOldDecision) {
  Apply({KeepAlive{.session = kAlice, .renewal = 1}});
  Advance(absl::Seconds(20));
  EXPECT_THAT(Apply({Expire{.sessions = {{kAlice, 0}}}}), IsEmpty());
  EXPECT_THAT(Apply({Expire{.sessions = {{kAlice, 1}}}}),
              ElementsAre(Says(Kind::kSessionGone, kAlice)));
}

TEST_F(LockTableTest, ALockExpiresAtItsDeadlineAndNotBefore) {
  Apply(
      {WithTtl(Try(kAlice, 1, "key"), absl::Seconds(2)), Wait(kBob, 1, "key")});
  const FencingToken token = Token();
  const Expire expire{.locks = {{"key", token}}};
  Advance(absl::Seconds(2) - absl::Nanoseconds(1));
  EXPECT_THAT(Apply({expire}), IsEmpty());
  Advance(absl::Nanoseconds(1));
  EXPECT_THAT(Apply({expire}), ElementsAre(AllOf(Says(Kind::kRevoked, kAlice),
                                                 Field(&Reply::key, "key"),
                                                 Field(&Reply::token, token)),
                                           GrantsNow(kBob, 1)));
}

TEST_F(LockTableTest, AnExpiryMeantForAFormerGrantDoesNothing) {
  Apply({WithTtl(Try(kAlice, 1, "key"), absl::Seconds(2))});
  const FencingToken former = Token();
  Apply({Free(kAlice, 2, "key", former),
         WithTtl(Try(kBob, 1, "key"), absl::Seconds(2))});
  Advance(absl::Seconds(5));
  EXPECT_THAT(Apply({Expire{.locks = {{"key", former}}}}), IsEmpty());
  EXPECT_EQ(HolderOf("key"), kBob);
}

TEST_F(LockTableTest, EachPartOfAnExpiryStandsForItself) {
  Apply({Try(kAlice, 1, "a"), WithTtl(Try(kBob, 1, "b"), absl::Seconds(1)),
         KeepAlive{.session = kCarol, .renewal = 1}});
  const FencingToken token = Token(1);
  Advance(absl::Seconds(10));
  EXPECT_THAT(Apply({Expire{.sessions = {{kCarol, 0}, {kAlice, 0}},
                            .locks = {{"none", token}, {"b", token}}}}),
              ElementsAre(Says(Kind::kSessionGone, kAlice),
                          Says(Kind::kRevoked, kBob)));
}

TEST_F(LockTableTest, ANewTermGivesGraceOncePerRenewal) {
  Apply({CloseSession{kBob}, CloseSession{kCarol}});
  Advance(absl::Seconds(9));
  Apply({BeginTerm{.grace = absl::Seconds(3)}});
  EXPECT_EQ(table_.NextDeadline(), time_ + absl::Seconds(3));
  const std::optional<ClusterTime> once = table_.NextDeadline();
  Advance(absl::Seconds(1));
  Apply({BeginTerm{.grace = absl::Seconds(3)}});
  EXPECT_EQ(table_.NextDeadline(), once);

  Apply({KeepAlive{.session = kAlice, .renewal = 1}});
  Advance(absl::Seconds(9));
  Apply({BeginTerm{.grace = absl::Seconds(3)}});
  EXPECT_EQ(table_.NextDeadline(), time_ + absl::Seconds(3));
}

TEST_F(LockTableTest, GraceNeverShortensAndIsNoLongerThanTheTtl) {
  Apply({CloseSession{kBob}, CloseSession{kCarol}});
  Apply({BeginTerm{.grace = absl::Seconds(3)}});
  EXPECT_EQ(table_.NextDeadline(), ClusterTime() + absl::Seconds(10));
  Apply({KeepAlive{.session = kAlice, .renewal = 1}});
  Advance(absl::Seconds(5));
  Apply({BeginTerm{.grace = absl::Hours(1)}});
  EXPECT_EQ(table_.NextDeadline(), time_ + absl::Seconds(10));
}

TEST_F(LockTableTest, GraceDoesNotMoveALocksOwnDeadline) {
  Apply({WithTtl(Try(kAlice, 1, "key"), absl::Seconds(2))});
  Apply({BeginTerm{.grace = absl::Hours(1)}});
  EXPECT_EQ(table_.NextDeadline(), ClusterTime() + absl::Seconds(2));
}

// --- Looking ----------------------------------------------------------------

TEST_F(LockTableTest, WaitersAreListedInTheOrderInWhichTheyAreServed) {
  const auto names = [this](const ListWaitersRequest& request, bool* more) {
    std::vector<std::string> names;
    for (const WaiterInfo& waiter : table_.ListWaiters(request, more)) {
      names.push_back(absl::StrCat(waiter.name, "/", waiter.owner));
    }
    return names;
  };
  bool more = true;
  EXPECT_THAT(names({.key = "key"}, &more), IsEmpty());
  EXPECT_FALSE(more);
  Acquire second = Wait(kAlice, 2, "key");
  second.owner = "again";
  Apply({Try(kAlice, 1, "key"), Wait(kCarol, 1, "key"), second,
         Wait(kBob, 1, "key")});
  EXPECT_THAT(names({.key = "key"}, &more),
              ElementsAre("carol/", "alice/again", "bob/"));
  EXPECT_FALSE(more);
  EXPECT_THAT(names({.key = "key", .limit = 2}, &more),
              ElementsAre("carol/", "alice/again"));
  EXPECT_TRUE(more);
  EXPECT_THAT(names({.key = "key", .skip = 2, .limit = 2}, &more),
              ElementsAre("bob/"));
  EXPECT_FALSE(more);
  EXPECT_THAT(names({.key = "key", .skip = UINT32_MAX}, &more), IsEmpty());
  EXPECT_EQ(table_.ListWaiters({.key = "key"}, &more)[0].session, kCarol);
}

TEST_F(LockTableTest, TheNextDeadlineIsTheEarliestOfSessionsAndLocks) {
  EXPECT_EQ(LockTable().NextDeadline(), std::nullopt);
  EXPECT_EQ(table_.NextDeadline(), ClusterTime() + absl::Seconds(10));
  Apply({WithTtl(Try(kAlice, 1, "key"), absl::Seconds(4))});
  EXPECT_EQ(table_.NextDeadline(), ClusterTime() + absl::Seconds(4));
  Apply({Free(kAlice, 2, "key", Token())});
}

TEST_F(LockTableTest, WhatIsDueIsListedEarliestFirstUpToTheLimit) {
  Apply({WithTtl(Try(kAlice, 1, "late"), absl::Seconds(2)),
         WithTtl(Try(kAlice, 2, "early"), absl::Seconds(1)),
         WithTtl(Try(kAlice, 3, "later"), absl::Seconds(3))});
  const Expire due = table_.Due(ClusterTime() + absl::Seconds(2), 10);
  EXPECT_EQ(due, (Expire{.locks = {{"early", Token(1)}, {"late", Token(0)}}}));
  const Expire one = table_.Due(ClusterTime() + absl::Seconds(10), 1);
  EXPECT_EQ(
      one, (Expire{.sessions = {{kAlice, 0}}, .locks = {{"early", Token(1)}}}));
  EXPECT_TRUE(table_.Due(ClusterTime(), 10).empty());
}

TEST_F(LockTableTest, ListsAPageInTheOrderOfTheKeys) {
  Apply({Try(kAlice, 1, "b/2"), Try(kAlice, 2, "a/1"), Try(kAlice, 3, "b/1"),
         Try(kAlice, 4, "b/3"), Try(kAlice, 5, "c")});
  bool more = false;
  EXPECT_THAT(Keys({}, &more), ElementsAre("a/1", "b/1", "b/2", "b/3", "c"));
  EXPECT_FALSE(more);
  EXPECT_THAT(Keys({.prefix = "b/", .limit = 2}, &more),
              ElementsAre("b/1", "b/2"));
  EXPECT_TRUE(more);
  EXPECT_THAT(Keys({.prefix = "b/", .after = "b/2", .limit = 2}, &more),
              ElementsAre("b/3"));
  EXPECT_FALSE(more);
  EXPECT_THAT(Keys({.prefix = "b/", .after = "a"}, &more),
              ElementsAre("b/1", "b/2", "b/3"));
  EXPECT_THAT(Keys({.prefix = "b/", .after = "c"}, &more), IsEmpty());
}

TEST_F(LockTableTest, APageHasNoMoreThanTheMaximum) {
  for (uint64_t i = 1; i <= limits::kListLocksMax + 1; ++i) {
    Apply({Try(kAlice, i, absl::StrCat("key", i))});
  }
  bool more = false;
  EXPECT_THAT(Keys({}, &more), SizeIs(limits::kListLocksMax));
  EXPECT_TRUE(more);
}

TEST_F(LockTableTest, RemainingIsUntilTheEarlierOfTheTwoDeadlines) {
  Apply({Try(kAlice, 1, "long"),
         WithTtl(Try(kAlice, 2, "short"), absl::Seconds(4))});
  Advance(absl::Seconds(1));
  EXPECT_EQ(Find("long").remaining, absl::Seconds(9));
  EXPECT_EQ(Find("short").remaining, absl::Seconds(3));
  Advance(absl::Seconds(4));
  EXPECT_EQ(Find("short").remaining, -absl::Seconds(1));
  EXPECT_EQ(table_.Find("none", time_), std::nullopt);
}

// --- Bytes ------------------------------------------------------------------

TEST_F(LockTableTest, TheBytesHoldEverything) {
  Apply({Try(kAlice, 1, "key"), Wait(kCarol, 1, "key"), Wait(kBob, 1, "key"),
         Try(kBob, 2, "key"), TakeBack(kBob, 4, "key", 3)});
  Apply({CloseSession{{kAlice.node, 7}}, BeginTerm{.grace = absl::Seconds(1)}});
  absl::StatusOr<LockTable> decoded = LockTable::Decode(table_.Encode());
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->Fingerprint(), table_.Fingerprint());

  const FencingToken token = Find("key").token;
  const std::vector<LockCommand> rest = {
      Try(kBob, 2, "key"),            // refused as before
      Try(kBob, 3, "other"),          // withdrawn before it arrived
      Free(kAlice, 2, "key", token),  // and Carol is the first in the queue
      OpenSession{.session = {kAlice.node, 7}, .ttl = absl::Seconds(1)}};
  EXPECT_EQ(decoded->Apply(LogIndex(50), time_, rest),
            table_.Apply(LogIndex(50), time_, rest));
  EXPECT_EQ(HolderOf("key"), kCarol);
  EXPECT_EQ(decoded->Encode(), table_.Encode());
}

TEST_F(LockTableTest, TheFingerprintTellsTablesApart) {
  const uint64_t before = table_.Fingerprint();
  EXPECT_EQ(LockTable(table_).Fingerprint(), before);
  Apply({KeepAlive{.session = kAlice, .renewal = 1}});
  EXPECT_NE(table_.Fingerprint(), before);
}

}  // namespace
}  // namespace cachalot
