#include "tools/base/wall_wait.h"

#include <algorithm>
#include <map>

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace cachalot::tools {
namespace {

const absl::Time kNoon = absl::FromUnixSeconds(1764331200);

// A clock that somebody sets: after so long in real time it jumps by so much.
class ScriptedClock : public WallClock {
 public:
  void JumpAt(absl::Duration when, absl::Duration by) { jumps_[when] = by; }
  void InterruptAt(absl::Duration when) { interrupt_at_ = when; }

  absl::Time Now() override {
    absl::Time now = kNoon + waited_;
    for (const auto& [when, by] : jumps_) {
      if (when <= waited_) now += by;
    }
    return now;
  }
  bool Pause(absl::Duration duration) override {
    EXPECT_GT(duration, absl::ZeroDuration());
    const absl::Duration end = waited_ + duration;
    waited_ = std::min(end, interrupt_at_);
    return end <= interrupt_at_;
  }
  // In real time.
  absl::Duration waited() const { return waited_; }

 private:
  absl::Duration waited_;
  std::map<absl::Duration, absl::Duration> jumps_;
  absl::Duration interrupt_at_ = absl::InfiniteDuration();
};

TEST(WallWaitTest, WaitsUntilTheTimeIsReached) {
  ScriptedClock clock;
  EXPECT_TRUE(WaitForTimeOfDay(kNoon + absl::Milliseconds(90500), clock));
  EXPECT_EQ(clock.waited(), absl::Milliseconds(90500));
}

TEST(WallWaitTest, ATimeThatHasPassedIsNotWaitedFor) {
  ScriptedClock clock;
  EXPECT_TRUE(WaitForTimeOfDay(kNoon - absl::Hours(1), clock));
  EXPECT_TRUE(WaitForTimeOfDay(kNoon, clock));
  EXPECT_EQ(clock.waited(), absl::ZeroDuration());
}

TEST(WallWaitTest, AClockSetForwardPastTheTimeEndsTheWaitWithinASecond) {
  ScriptedClock clock;
  clock.JumpAt(absl::Milliseconds(10300), absl::Hours(2));
  EXPECT_TRUE(WaitForTimeOfDay(kNoon + absl::Hours(1), clock));
  EXPECT_GE(clock.waited(), absl::Milliseconds(10300));
  EXPECT_LE(clock.waited(), absl::Milliseconds(11300));
}

TEST(WallWaitTest, AClockSetBackProlongsTheWait) {
  ScriptedClock clock;
  clock.JumpAt(absl::Seconds(10), -absl::Hours(1));
  EXPECT_TRUE(WaitForTimeOfDay(kNoon + absl::Seconds(30), clock));
  EXPECT_EQ(clock.waited(), absl::Hours(1) + absl::Seconds(30));
}

TEST(WallWaitTest, AnInterruptEndsItAtOnce) {
  ScriptedClock clock;
  clock.InterruptAt(absl::Milliseconds(2500));
  EXPECT_FALSE(WaitForTimeOfDay(absl::InfiniteFuture(), clock));
  EXPECT_EQ(clock.waited(), absl::Milliseconds(2500));
}

}  // namespace
}  // namespace cachalot::tools
