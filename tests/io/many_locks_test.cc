#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "engine/ids.h"
#include "engine/request.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "io/coordinator.h"
#include "io/held_lock.h"
#include "tests/io/members.h"

// Limits on what callers may have open, and locks that renew themselves.

namespace cachalot {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

void ExpectExhausted(const absl::Status& status, const char* text) {
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(text));
}

TEST(LimitsTest, AnOwnerHasItsShareOfLocks) {
  CoordinatorOptions options = Founder();
  options.limits.locks_per_owner_max = 2;
  const auto member = StartFounder(std::move(options));
  std::vector<HeldLock> locks;
  for (const char* key : {"a", "b"}) {
    locks.push_back(member->Lock(key, LongTtl(), OwnedBy("one")).value());
  }
  ExpectExhausted(member->TryLock("c", LongTtl(), OwnedBy("one")).status(),
                  "owner \"one\"");
  EXPECT_TRUE(member->TryLock("c", LongTtl(), OwnedBy("two")).ok());
  // What is refused or lost does not count.
  EXPECT_FALSE(member->TryLock("a", LongTtl(), OwnedBy("two")).ok());
  EXPECT_TRUE(locks[0].Release().ok());
  EXPECT_TRUE(member->TryLock("c", LongTtl(), OwnedBy("one")).ok());
}

TEST(LimitsTest, WaitersDoNotKeepTheHolderFromReleasing) {
  CoordinatorOptions options = Founder();
  options.limits.acquires_max = 10;
  const auto member = StartFounder(std::move(options));
  std::optional<HeldLock> lock = member->Lock("key", LongTtl()).value();
  std::atomic<int> pending{10};
  absl::Notification are_done;
  for (int i = 0; i < 10; ++i) {
    member->LockAsync("key", LongTtl(), {}, [&](absl::StatusOr<HeldLock> next) {
      EXPECT_TRUE(next.ok()) << next.status();
      if (--pending == 0) are_done.Notify();
    });
  }
  ExpectExhausted(member->Lock("other", LongTtl()).status(), "more than 10");
  EXPECT_TRUE(lock->Renew(LongTtl()).ok());
  EXPECT_TRUE(lock->Release().ok());
  EXPECT_TRUE(are_done.WaitForNotificationWithTimeout(LongWait()));
}

TEST(LimitsTest, CallersDoNotOutrunTheMembersThread) {
  CoordinatorOptions options = Founder();
  options.limits.posted_calls_max = 100;
  const auto member = StartFounder(std::move(options));
  const HeldLock held = member->Lock("held", LongTtl()).value();
  // The thread is busy.
  absl::Notification has_begun;
  absl::Notification may_end;
  member->GetMembersAsync([&](const auto&) {
    has_begun.Notify();
    may_end.WaitForNotification();
  });
  has_begun.WaitForNotification();
  std::atomic<int> refused{0};
  std::atomic<int> answered{0};
  for (int i = 0; i < 150; ++i) {
    member->GetMembersAsync([&](const auto& members) {
      ++answered;
      if (members.ok()) return;
      ++refused;
      ExpectExhausted(members.status(), "more than 100");
    });
  }
  EXPECT_EQ(refused.load(), 50);
  may_end.Notify();
  while (answered.load() < 150) std::this_thread::yield();
  EXPECT_EQ(refused.load(), 50);
  EXPECT_TRUE(member->GetMembers().ok());
}

// More releases at a time than the engine takes: none may be lost.
TEST(LimitsTest, ManyLocksDroppedAtOnceAreAllReleased) {
  constexpr int kLocks = 2000;
  const auto member = StartFounder();
  std::vector<std::optional<HeldLock>> locks(kLocks);
  std::atomic<int> pending{kLocks};
  absl::Notification are_taken;
  for (size_t i = 0; i < kLocks; ++i) {
    member->LockAsync(absl::StrCat("key", i), LongTtl(), {},
                      [&, i](absl::StatusOr<HeldLock> lock) {
                        EXPECT_TRUE(lock.ok()) << lock.status();
                        if (lock.ok()) locks[i] = *std::move(lock);
                        if (--pending == 0) are_taken.Notify();
                      });
  }
  ASSERT_TRUE(are_taken.WaitForNotificationWithTimeout(LongWait()));
  EXPECT_EQ(member->GetLocks()->size(), size_t{kLocks});
  locks.clear();
  while (!member->GetLocks()->empty()) std::this_thread::yield();
}

// --- Two times
// ----------------------------------------------------------------

TEST(TwoTimesTest, TheLeaseIsShownApartFromTheSession) {
  const auto member = StartFounder();
  const HeldLock lock = member->Lock("key", absl::Hours(1)).value();
  EXPECT_GT(lock.lease_remaining(), absl::Minutes(59));
  EXPECT_LE(lock.remaining(), absl::Seconds(10));
  EXPECT_GT(lock.remaining(), absl::ZeroDuration());
  HeldLock released = member->Lock("other", absl::Hours(1)).value();
  EXPECT_TRUE(released.Release().ok());
  EXPECT_EQ(released.lease_remaining(), absl::ZeroDuration());
}

// --- Renewal
// ------------------------------------------------------------------

LockOptions Renewed(Changes& changes) {
  LockOptions options;
  options.renew = true;
  options.on_change = changes.callback();
  return options;
}

// Waits until `count` leases of `ttl` have gone by, as another lock sees it.
void AwaitLeases(Coordinator& member, absl::Duration ttl, int count) {
  for (int i = 0; i < count; ++i) {
    Changes changes;
    LockOptions options;
    options.on_change = changes.callback();
    const HeldLock clock =
        member.Lock(absl::StrCat("clock", i), ttl, options).value();
    EXPECT_THAT(changes.AwaitLosses(), ElementsAre(LossReason::kExpired));
  }
}

TEST(RenewTest, ARenewedLockOutlivesItsLease) {
  constexpr absl::Duration kTtl = absl::Seconds(1);
  const auto member = StartFounder();
  Changes changes;
  {
    const HeldLock lock = member->Lock("key", kTtl, Renewed(changes)).value();
    AwaitLeases(*member, kTtl, 2);
    EXPECT_EQ(lock.state(), Belief::kHeld);
    EXPECT_TRUE(
        absl::IsAlreadyExists(member->TryLock("key", LongTtl()).status()));
  }
  EXPECT_THAT(changes.all(), IsEmpty());
  EXPECT_TRUE(member->Lock("key", LongTtl()).ok());
}

TEST(RenewTest, AReleasedLockIsRenewedNoMore) {
  constexpr absl::Duration kTtl = absl::Milliseconds(300);
  const auto member = StartFounder();
  Changes changes;
  HeldLock lock = member->Lock("key", kTtl, Renewed(changes)).value();
  EXPECT_TRUE(member->Release("key", lock.token()).ok());
  EXPECT_THAT(changes.AwaitLosses(), ElementsAre(LossReason::kReleased));
  EXPECT_TRUE(member->TryLock("key", LongTtl()).ok());
}

TEST(RenewTest, ARenewedLockEndsAtItsMaxHold) {
  const auto member = StartFounder();
  Changes changes;
  LockOptions options = Renewed(changes);
  options.max_hold = absl::Milliseconds(700);
  const HeldLock lock =
      member->Lock("key", absl::Milliseconds(300), options).value();
  const FencingToken token = lock.token();
  const absl::StatusOr<HeldLock> next = member->Lock("key", LongTtl());
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_GT(next->token(), token);
  EXPECT_THAT(changes.AwaitLosses(), ElementsAre(LossReason::kExpired));
}

TEST(RenewTest, AMaxHoldBelowTheLeaseIsRefused) {
  const auto member = StartFounder();
  LockOptions options;
  options.renew = true;
  options.max_hold = absl::Seconds(1);
  const absl::Status status =
      member->Lock("key", absl::Seconds(2), options).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("max_hold"));
}

}  // namespace
}  // namespace cachalot
