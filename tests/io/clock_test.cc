#include "io/clock.h"

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace cachalot {
namespace {

constexpr ClockReadings kStart = {
    .monotonic = 1000, .monotonic_raw = 500, .boottime = 2000};

// What each clock advanced since kStart.
ClockReadings After(int64_t monotonic, int64_t raw, int64_t boottime) {
  return {.monotonic = kStart.monotonic + monotonic,
          .monotonic_raw = kStart.monotonic_raw + raw,
          .boottime = kStart.boottime + boottime};
}

int64_t Slow(const Now& now) { return now.slow.nanoseconds(); }
int64_t Fast(const Now& now) { return now.fast.nanoseconds(); }

TEST(ClockPairTest, AdvancesWithClocksThatAgree) {
  ClockPair pair(kStart);
  const Now before = pair.Advance(kStart);
  const Now now = pair.Advance(After(100, 100, 100));
  EXPECT_EQ(Slow(now) - Slow(before), 100);
  EXPECT_EQ(Fast(now) - Fast(before), 100);
}

TEST(ClockPairTest, SlewingUpMakesOnlyTheFastClockFaster) {
  ClockPair pair(kStart);
  const Now before = pair.Advance(kStart);
  const Now now = pair.Advance(After(108, 100, 108));
  EXPECT_EQ(Slow(now) - Slow(before), 100);
  EXPECT_EQ(Fast(now) - Fast(before), 108);
}

TEST(ClockPairTest, SlewingDownMakesOnlyTheSlowClockSlower) {
  ClockPair pair(kStart);
  const Now before = pair.Advance(kStart);
  const Now now = pair.Advance(After(92, 100, 92));
  EXPECT_EQ(Slow(now) - Slow(before), 92);
  EXPECT_EQ(Fast(now) - Fast(before), 100);
}

TEST(ClockPairTest, SuspensionCountsForTheFastClockAlone) {
  ClockPair pair(kStart);
  const Now before = pair.Advance(kStart);
  const Now now = pair.Advance(After(10, 10, 100'010));
  EXPECT_EQ(Slow(now) - Slow(before), 10);
  EXPECT_EQ(Fast(now) - Fast(before), 100'010);
}

TEST(ClockPairTest, TakesTheSafeSideOfEachInterval) {
  ClockPair pair(kStart);
  const Now before = pair.Advance(kStart);
  static_cast<void>(pair.Advance(After(90, 100, 90)));
  // Slewed back: over both intervals the clocks agree.
  const Now now = pair.Advance(After(200, 200, 200));
  EXPECT_EQ(Slow(now) - Slow(before), 190);
  EXPECT_EQ(Fast(now) - Fast(before), 210);
}

TEST(ClockPairTest, NeverFalls) {
  ClockPair pair(kStart);
  const Now before = pair.Advance(After(50, 50, 50));
  const Now now = pair.Advance(After(40, 60, 30));
  EXPECT_EQ(Slow(now), Slow(before));
  const Now later = pair.Advance(After(30, 50, 20));
  EXPECT_EQ(Fast(later), Fast(now));
}

TEST(ClockTest, RisesFromReadToRead) {
  Clock clock;
  Now last = clock.Read();
  for (int i = 0; i < 1000; ++i) {
    const Now now = clock.Read();
    ASSERT_GE(now.slow, last.slow);
    ASSERT_GT(now.fast, last.fast);
    last = now;
  }
}

}  // namespace
}  // namespace cachalot
