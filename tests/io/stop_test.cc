#include <chrono>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "engine/ids.h"
#include "engine/request.h"
#include "gtest/gtest.h"
#include "io/coordinator.h"
#include "io/held_lock.h"
#include "io/time_span.h"
#include "tests/io/members.h"

// Stop tokens, std::chrono, and functions that run under a lock.

namespace cachalot {
namespace {

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""min;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

// --- Durations
// ------------------------------------------------------------------

TEST(TimeSpanTest, TakesEitherLibrarysDurations) {
  const auto of = [](TimeSpan span) -> absl::Duration { return span; };
  EXPECT_EQ(of(absl::Seconds(2)), absl::Seconds(2));
  EXPECT_EQ(of(2s), absl::Seconds(2));
  EXPECT_EQ(of(1500ms), absl::Milliseconds(1500));
  EXPECT_EQ(of(24h), absl::Hours(24));
  EXPECT_EQ(of(-3ms), absl::Milliseconds(-3));
  EXPECT_EQ(of(std::chrono::nanoseconds(7)), absl::Nanoseconds(7));
  EXPECT_EQ(of(std::chrono::duration<double>(0.25)), absl::Milliseconds(250));
  EXPECT_EQ(of(std::chrono::duration<int, std::ratio<86400>>(2)),
            absl::Hours(48));
  EXPECT_EQ(of(std::chrono::hours::max()), absl::InfiniteDuration());
}

TEST(TimeSpanTest, TheApiTakesChrono) {
  const auto member = StartFounder();
  EXPECT_TRUE(member->Connect(30s).ok());
  LockOptions options = OwnedBy("me");
  options.wait = 10s;
  HeldLock lock = member->Lock("key", 1h, options).value();
  EXPECT_GT(lock.lease_remaining_chrono(), 59min);
  EXPECT_GT(lock.remaining_chrono(), 0s);
  EXPECT_TRUE(lock.Renew(2h).ok());
  EXPECT_TRUE(member->Renew("key", 3h, "me").ok());
  EXPECT_TRUE(member->Renew("key", 4h, lock.token()).ok());
  EXPECT_FALSE(member->TryLock("key", 5ms).ok());
}

// --- Cancelling
// --------------------------------------------------------------------

TEST(StopTest, AStopTokenEndsAWaitForALock) {
  const auto member = StartFounder();
  HeldLock held = member->Lock("key", LongTtl()).value();
  std::stop_source source;
  LockOptions options;
  options.stop = source.get_token();
  absl::Status status;
  std::thread waiter(
      [&] { status = member->Lock("key", LongTtl(), options).status(); });
  // Stopped once it is in the queue.
  while (member->GetLocks("key")->at(0).waiters == 0) std::this_thread::yield();
  source.request_stop();
  waiter.join();
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
  // It is out of the queue.
  while (member->GetLocks("key")->at(0).waiters != 0) std::this_thread::yield();
  EXPECT_TRUE(held.Release().ok());
  EXPECT_TRUE(member->TryLock("key", LongTtl()).ok());
}

TEST(StopTest, NothingIsAskedWhenItIsStoppedBefore) {
  const auto member = StartFounder();
  std::stop_source source;
  source.request_stop();
  LockOptions options;
  options.stop = source.get_token();
  EXPECT_TRUE(
      absl::IsCancelled(member->Lock("key", LongTtl(), options).status()));
  EXPECT_TRUE(
      absl::IsCancelled(member->TryLock("key", LongTtl(), options).status()));
  EXPECT_TRUE(member->GetLocks()->empty());
}

// Stopped at any moment of its way: the lock is either had or given back.
TEST(StopTest, AGrantThatCrossesTheCancellationIsGivenBack) {
  const auto member = StartFounder();
  for (int i = 0; i < 100; ++i) {
    std::stop_source source;
    LockOptions options;
    options.stop = source.get_token();
    std::thread stopper([&source, i] {
      for (int spin = 0; spin < i; ++spin) std::this_thread::yield();
      source.request_stop();
    });
    absl::StatusOr<HeldLock> lock = member->Lock("key", LongTtl(), options);
    stopper.join();
    if (lock.ok()) {
      EXPECT_TRUE(lock->Release().ok());
    } else {
      EXPECT_TRUE(absl::IsCancelled(lock.status())) << lock.status();
    }
    // Waits for the one that was given back.
    LockOptions next;
    next.wait = LongWait();
    EXPECT_TRUE(member->Lock("key", LongTtl(), next).ok());
  }
}

TEST(StopTest, AStopTokenEndsConnect) {
  const auto member = Coordinator::Create(Member({"127.0.0.1:1"})).value();
  std::stop_source source;
  absl::Status status;
  std::thread waiter([&] {
    status = member->Connect(absl::InfiniteDuration(), source.get_token());
  });
  source.request_stop();
  waiter.join();
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
}

// --- A lock's own token
// -----------------------------------------------------------

TEST(StopTest, ItsTokenTripsWhenTheLockIsLost) {
  const auto member = StartFounder();
  HeldLock lock = member->Lock("key", LongTtl()).value();
  const std::stop_token token = lock.stop_token();
  absl::Notification has_tripped;
  const std::stop_callback on_stop(token, [&] { has_tripped.Notify(); });
  EXPECT_FALSE(token.stop_requested());
  EXPECT_TRUE(member->Release("key", lock.token()).ok());
  EXPECT_TRUE(has_tripped.WaitForNotificationWithTimeout(LongWait()));
  EXPECT_TRUE(lock.stop_token().stop_requested());
}

TEST(StopTest, ItsTokenTripsWhileTheLockIsStillHeld) {
  const auto member = StartFounder();
  HeldLock lock = member->Lock("key", absl::Seconds(3)).value();
  absl::Notification has_tripped;
  Belief belief = Belief::kLost;
  const std::stop_callback on_stop(lock.stop_token(), [&] {
    belief = lock.state();
    has_tripped.Notify();
  });
  EXPECT_TRUE(has_tripped.WaitForNotificationWithTimeout(LongWait()));
  EXPECT_EQ(belief, Belief::kSuspect);
}

TEST(StopTest, ItsTokenTripsWhenItIsReleasedOrItsMemberIsGone) {
  auto member = StartFounder();
  HeldLock released = member->Lock("released", LongTtl()).value();
  const std::stop_token first = released.stop_token();
  EXPECT_TRUE(released.Release().ok());
  EXPECT_TRUE(first.stop_requested());
  const HeldLock left = member->Lock("left", LongTtl()).value();
  const std::stop_token second = left.stop_token();
  EXPECT_FALSE(second.stop_requested());
  member.reset();
  EXPECT_TRUE(second.stop_requested());
}

// --- RunUnderLock
// --------------------------------------------------------------------

TEST(RunUnderLockTest, RunsWhileItHoldsTheLock) {
  const auto member = StartFounder();
  const absl::StatusOr<int> seven =
      member->RunUnderLock("key", {}, [&](HeldLock& lock) {
        EXPECT_EQ(lock.state(), Belief::kHeld);
        EXPECT_FALSE(member->TryLock("key", LongTtl()).ok());
        return 7;
      });
  ASSERT_TRUE(seven.ok()) << seven.status();
  EXPECT_EQ(*seven, 7);
  EXPECT_TRUE(member->TryLock("key", LongTtl()).ok());
}

TEST(RunUnderLockTest, ReturnsWhateverItsFunctionDoes) {
  const auto member = StartFounder();
  bool has_run = false;
  const absl::Status nothing =
      member->RunUnderLock("key", {}, [&] { has_run = true; });
  EXPECT_TRUE(nothing.ok()) << nothing;
  EXPECT_TRUE(has_run);
  const absl::Status error = member->RunUnderLock(
      "key", 10s, {}, [](std::stop_token) { return absl::DataLossError("x"); });
  EXPECT_TRUE(absl::IsDataLoss(error)) << error;
  const absl::StatusOr<std::string> text = member->RunUnderLock(
      "key", {}, [](std::stop_token stop) -> absl::StatusOr<std::string> {
        return stop.stop_requested() ? "stopped" : "running";
      });
  EXPECT_EQ(text.value(), "running");
}

TEST(RunUnderLockTest, DoesNotRunWithoutTheLock) {
  const auto member = StartFounder();
  const HeldLock held = member->Lock("key", LongTtl()).value();
  LockOptions options;
  options.wait = absl::ZeroDuration();
  const absl::Status status = member->RunUnderLock(
      "key", options, [] { ADD_FAILURE() << "without the lock"; });
  EXPECT_TRUE(absl::IsAlreadyExists(status)) << status;
}

TEST(RunUnderLockTest, GivesTheLockUpWhenItsFunctionThrows) {
  const auto member = StartFounder();
  EXPECT_THROW(static_cast<void>(member->RunUnderLock(
                   "key", {}, [] { throw std::runtime_error("x"); })),
               std::runtime_error);
  EXPECT_TRUE(member->Lock("key", LongTtl()).ok());
}

TEST(RunUnderLockTest, ItsFunctionHearsOfALoss) {
  const auto member = StartFounder();
  const absl::StatusOr<LossReason> reason =
      member->RunUnderLock("key", OwnedBy("me"), [&](HeldLock& lock) {
        absl::Notification is_lost;
        const std::stop_callback on_stop(lock.stop_token(),
                                         [&] { is_lost.Notify(); });
        EXPECT_TRUE(member->Release("key", "me").ok());
        EXPECT_TRUE(is_lost.WaitForNotificationWithTimeout(LongWait()));
        return lock.loss_reason();
      });
  EXPECT_EQ(reason.value(), LossReason::kReleased);
}

}  // namespace
}  // namespace cachalot
