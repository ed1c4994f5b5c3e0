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
#include "engine/locks/lock_table.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/locks/lock_table_fixture.h"

namespace cachalot {
namespace {

using testing::ElementsAre;
using testing::Field;

// --- Revoking ---------------------------------------------------------------

TEST_F(LockTableTest, ARevokedLockStaysWithItsHolderWhoIsToldWhy) {
  Acquire acquire = Try(kAlice, 1, "key");
  acquire.owner = "backup";
  Apply({acquire, Wait(kCarol, 1, "key")});
  const FencingToken token = Token();
  const std::vector<Reply> replies =
      Apply({TakeAway(kBob, 1, "key", "it hangs")});
  ASSERT_THAT(replies,
              ElementsAre(Grants(kBob, 1, token),
                          MustRelease(kAlice, "key", token, "it hangs")));
  EXPECT_EQ(replies[0].holder, kAlice);
  EXPECT_EQ(replies[0].holder_name, "alice");
  EXPECT_EQ(replies[0].owner, "backup");
  EXPECT_EQ(replies[0].lease_remaining, absl::Seconds(60));
  EXPECT_EQ(replies[0].session_remaining, absl::Seconds(10));
  EXPECT_EQ(Find("key").token, token);
  EXPECT_EQ(Find("key").revoke_reason, "it hangs");
  EXPECT_THAT(
      Apply({Free(kAlice, 2, "key", token)}),
      ElementsAre(Answers(kAlice, 2, Outcome::kOk), GrantsNow(kCarol, 1)));
  EXPECT_EQ(Find("key").revoke_reason, "") << "the next holder may keep it";
}

TEST_F(LockTableTest, ARevokedLockIsNotRenewedAndItsHolderIsToldWhyEachTime) {
  Apply({WithTtl(Try(kAlice, 1, "key"), absl::Seconds(4))});
  const FencingToken token = Token();
  Apply({TakeAway(kBob, 1, "key", "it hangs")});
  const Renew renew = Extend(kAlice, 2, "key", token, absl::Hours(1));
  for (int i = 0; i < 2; ++i) {  // the second is a retry
    EXPECT_THAT(Apply({renew}),
                ElementsAre(MustRelease(kAlice, "key", token, "it hangs"),
                            Answers(kAlice, 2, Outcome::kNotHeld)));
  }
  EXPECT_EQ(Find("key").lease_remaining, absl::Seconds(4));
  Advance(absl::Seconds(4));
  EXPECT_THAT(Apply({Expire{.locks = {{"key", token}}}}),
              ElementsAre(Says(Kind::kRevoked, kAlice)));
  EXPECT_EQ(HolderOf("key"), SessionId());
}

TEST_F(LockTableTest, AKeepAliveTellsOfRevokedLocksUntilTheyAreReleased) {
  Apply({Try(kAlice, 1, "a"), Try(kAlice, 2, "b"), Try(kAlice, 3, "c")});
  const FencingToken a = Token(0), c = Token(2);
  Apply({TakeAway(kBob, 1, "c", "first"), TakeAway(kBob, 2, "a", "second")});
  const auto keep_alive = [](uint64_t renewal) {
    return KeepAlive{.session = kAlice,
                     .renewal = renewal,
                     .first_outstanding = Sequence(4)};
  };
  EXPECT_THAT(
      Apply({keep_alive(1)}),
      ElementsAre(Keeps(kAlice, 1), MustRelease(kAlice, "a", a, "second"),
                  MustRelease(kAlice, "c", c, "first")));
  Apply({Free(kAlice, 4, "a", a)});
  KeepAlive after = keep_alive(2);
  after.first_outstanding = Sequence(5);
  EXPECT_THAT(
      Apply({after}),
      ElementsAre(Keeps(kAlice, 2), MustRelease(kAlice, "c", c, "first")));
  EXPECT_EQ(Find("b").revoke_reason, "");
}

TEST_F(LockTableTest, TheFirstReasonStandsAndEachRevokeIsToldAgain) {
  Apply({Try(kAlice, 1, "key")});
  const FencingToken token = Token();
  Apply({TakeAway(kBob, 1, "key", "first")});
  EXPECT_THAT(Apply({TakeAway(kCarol, 1, "key", "second")}),
              ElementsAre(Grants(kCarol, 1, token),
                          MustRelease(kAlice, "key", token, "first")));
}

TEST_F(LockTableTest, ARevokeTakesEffectOnceHoweverOftenItArrives) {
  Apply({Try(kAlice, 1, "key"), Wait(kCarol, 1, "key")});
  const FencingToken token = Token();
  const Revoke revoke = TakeAway(kBob, 1, "key", "it hangs");
  const std::vector<Reply> first = Apply({revoke});
  Apply({Free(kAlice, 2, "key", token)});
  EXPECT_EQ(HolderOf("key"), kCarol);
  const std::vector<Reply> again = Apply({revoke});
  ASSERT_THAT(again, ElementsAre(Grants(kBob, 1, token)));
  EXPECT_EQ(again[0].holder, kAlice) << "as it was told";
  EXPECT_EQ(again[0].lease_remaining, first[0].lease_remaining);
  EXPECT_EQ(Find("key").revoke_reason, "");
}

TEST_F(LockTableTest, ARevokeOfWhatIsNotHeldSoIsRefused) {
  Apply({Try(kAlice, 1, "key")});
  const FencingToken token = Token();
  const FencingToken other(token.number() + 1);
  EXPECT_THAT(Apply({TakeAway(kBob, 1, "free", "why"),
                     TakeAway(kBob, 2, "key", "why", other),
                     TakeAway(kBob, 3, "free", "why", token)}),
              ElementsAre(Answers(kBob, 1, Outcome::kNotHeld),
                          Answers(kBob, 2, Outcome::kNotHeld),
                          Answers(kBob, 3, Outcome::kNotHeld)));
  EXPECT_EQ(Find("key").revoke_reason, "");
  EXPECT_THAT(Apply({TakeAway(kBob, 4, "key", "why", token)}),
              ElementsAre(Grants(kBob, 4, token),
                          MustRelease(kAlice, "key", token, "why")));
}

TEST_F(LockTableTest, ARevokeWithoutAReasonOrWithTooLongAOneIsInvalid) {
  Apply({Try(kAlice, 1, "key")});
  const std::string longest(limits::kReasonBytesMax, 'x');
  EXPECT_THAT(Apply({TakeAway(kBob, 1, "key", ""),
                     TakeAway(kBob, 2, "key", longest + "x"),
                     TakeAway(kBob, 3, "", "why")}),
              ElementsAre(Answers(kBob, 1, Outcome::kInvalid),
                          Answers(kBob, 2, Outcome::kInvalid),
                          Answers(kBob, 3, Outcome::kInvalid)));
  EXPECT_EQ(Find("key").revoke_reason, "");
  Apply({TakeAway(kBob, 4, "key", longest)});
  EXPECT_EQ(Find("key").revoke_reason, longest);
}

TEST_F(LockTableTest, ARevokedLockEndsWithItsSession) {
  Apply({Try(kAlice, 1, "key"), Wait(kCarol, 1, "key")});
  Apply({TakeAway(kBob, 1, "key", "it hangs")});
  Advance(absl::Seconds(10));
  EXPECT_THAT(
      Apply({Expire{.sessions = {{kAlice, 0}}}}),
      ElementsAre(Says(Kind::kSessionGone, kAlice), GrantsNow(kCarol, 1)));
  EXPECT_EQ(Find("key").revoke_reason, "");
}

TEST_F(LockTableTest, ARevocationSurvivesBytes) {
  Apply({Try(kAlice, 1, "key"), Wait(kCarol, 1, "key")});
  const FencingToken token = Token();
  const Revoke revoke = TakeAway(kBob, 1, "key", "it hangs");
  Apply({revoke});
  absl::StatusOr<LockTable> decoded = LockTable::Decode(table_.Encode());
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->Fingerprint(), table_.Fingerprint());
  table_ = *std::move(decoded);
  EXPECT_EQ(Find("key").revoke_reason, "it hangs");
  const std::vector<Reply> again = Apply({revoke});
  ASSERT_THAT(again, ElementsAre(Grants(kBob, 1, token)));
  EXPECT_EQ(again[0].holder_name, "alice");
  EXPECT_THAT(Apply({Extend(kAlice, 2, "key", token, absl::Hours(1))}),
              ElementsAre(MustRelease(kAlice, "key", token, "it hangs"),
                          Answers(kAlice, 2, Outcome::kNotHeld)));
}

// --- Limits -----------------------------------------------------------------

TEST_F(LockTableTest, ASessionHoldsNoMoreThanItsShare) {
  constexpr uint64_t kBatch = 8192;
  uint64_t sequence = 0;
  while (sequence < limits::kLocksPerSessionMax) {
    std::vector<LockCommand> batch;
    const Sequence first(sequence + 1);
    for (uint64_t i = 0; i < kBatch; ++i) {
      ++sequence;
      Acquire acquire = Try(kAlice, sequence, absl::StrCat(sequence));
      acquire.first_outstanding = first;
      batch.push_back(std::move(acquire));
    }
    Apply(std::move(batch));
  }
  ASSERT_EQ(table_.lock_count(), limits::kLocksPerSessionMax);
  Acquire one_more = Try(kAlice, sequence + 1, "one more");
  Acquire wait = Wait(kAlice, sequence + 2, "1");
  one_more.first_outstanding = wait.first_outstanding = Sequence(sequence + 1);
  EXPECT_THAT(Apply({one_more, wait}),
              ElementsAre(Hits(kAlice, sequence + 1, Limit::kLocksPerSession),
                          Hits(kAlice, sequence + 2, Limit::kLocksPerSession)));
  EXPECT_THAT(Apply({one_more}),
              ElementsAre(Hits(kAlice, sequence + 1, Limit::kLocksPerSession)))
      << "a retry is told the same";
  EXPECT_THAT(Apply({Try(kBob, 1, "one more")}),
              ElementsAre(GrantsNow(kBob, 1)));
}

TEST_F(LockTableTest, ASessionWaitsNoMoreOftenThanItsShare) {
  Apply({Try(kBob, 1, "key")});
  uint64_t sequence = 0;
  while (sequence < limits::kWaitersPerSessionMax) {
    std::vector<LockCommand> batch;
    for (uint64_t i = 0; i < 4096; ++i) {
      ++sequence;
      Acquire acquire = Wait(kAlice, sequence, "key");
      acquire.first_outstanding = Sequence(sequence);  // it is known to wait
      batch.push_back(std::move(acquire));
    }
    Apply(std::move(batch));
  }
  Acquire one_more = Wait(kAlice, sequence + 1, "key");
  one_more.first_outstanding = Sequence(sequence + 1);
  EXPECT_THAT(Apply({one_more}), ElementsAre(Hits(kAlice, sequence + 1,
                                                  Limit::kWaitersPerSession)));
  EXPECT_THAT(Apply({Wait(kCarol, 1, "key")}), ElementsAre(Queues(kCarol, 1)));
  Apply({TakeBack(kAlice, sequence + 2, "key", 1)});
  one_more.sequence = Sequence(sequence + 3);
  EXPECT_THAT(Apply({one_more}), ElementsAre(Queues(kAlice, sequence + 3)));
}

TEST_F(LockTableTest, ANodeOpensNoMoreSessionsThanItsShare) {
  const auto open = [](uint64_t number) {
    return OpenSession{.session = {kAlice.node, number},
                       .ttl = absl::Seconds(10)};
  };
  for (uint64_t i = 2; i <= limits::kSessionsPerNodeMax; ++i) {
    EXPECT_THAT(Apply({open(i)}),
                ElementsAre(Field(&Reply::kind, Kind::kOpened)));
  }
  const uint64_t next = limits::kSessionsPerNodeMax + 1;
  EXPECT_THAT(Apply({open(next)}), ElementsAre(Hits({kAlice.node, next}, 0,
                                                    Limit::kSessionsPerNode)));
  EXPECT_THAT(Apply({open(1)}), ElementsAre(Says(Kind::kOpened, kAlice)))
      << "one that is open stays so";
  Apply({CloseSession{kAlice}});
  EXPECT_THAT(Apply({open(next)}),
              ElementsAre(Field(&Reply::kind, Kind::kOpened)));
}

}  // namespace
}  // namespace cachalot
