#include "io/clock.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <utility>
#include <vector>

#include "engine/random.h"
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
  constexpr int64_t kTen = ClockPair::kInterval;
  ClockPair pair(kStart);
  const Now before = pair.Advance(kStart);
  static_cast<void>(pair.Advance(After(kTen - 10, kTen, kTen - 10)));
  // Slewed back: over both intervals the clocks agree.
  const Now now = pair.Advance(After(2 * kTen, 2 * kTen, 2 * kTen));
  EXPECT_EQ(Slow(now) - Slow(before), 2 * kTen - 10);
  EXPECT_EQ(Fast(now) - Fast(before), 2 * kTen + 10);
}

// 100,000 readings within 14 ms, in each of which the reads of the three clocks
// are up to 100 ns apart, in either direction.
TEST(ClockPairTest, DoesNotBendWithTheRateOfReading) {
  ClockPair pair(kStart);
  const Now before = pair.Advance(kStart);
  Now now = before;
  constexpr int64_t kStep = 140;
  constexpr int64_t kCount = 100'000;
  for (int64_t i = 1; i < kCount; ++i) {
    const int64_t time = i * kStep;
    const Now last = now;
    now = pair.Advance(
        After(time, time + 50 - i * 7919 % 101, time + 50 - i * 104729 % 101));
    ASSERT_GE(now.slow, last.slow);
    ASSERT_GE(now.fast, last.fast);
  }
  now = pair.Advance(After(kCount * kStep, kCount * kStep, kCount * kStep));
  EXPECT_LE(std::abs(Slow(now) - Slow(before) - kCount * kStep), 200);
  EXPECT_LE(std::abs(Fast(now) - Fast(before) - kCount * kStep), 200);
}

TEST(ClockPairTest, SaysTheSameHoweverOftenItIsRead) {
  // Slewed by 500 parts per million, up and down in turn, for 10 s.
  const auto at = [](int64_t time) {
    constexpr int64_t kPeriod = 100'000'000;
    const int64_t phase = time % kPeriod;
    const int64_t gained = std::min(phase, kPeriod - phase) / 2000;
    return After(time + gained, time, time + gained);
  };
  ClockPair often(kStart);
  ClockPair seldom(kStart);
  Now last_often;
  Now last_seldom;
  for (int64_t time = 0; time <= 10'000'000'000; time += 100'000) {
    last_often = often.Advance(at(time));
    if (time % ClockPair::kInterval == 0)
      last_seldom = seldom.Advance(at(time));
  }
  EXPECT_EQ(Slow(last_often), Slow(last_seldom));
  EXPECT_EQ(Fast(last_often), Fast(last_seldom));
}

// The bound that the header states, over all pairs of readings and random
// rates.
TEST(ClockPairTest, ErrsToTheUnsafeSideByALeadWithinOneIntervalAtMost) {
  Random random(1, "clock");
  constexpr int64_t kPpmMax = 1000;
  ClockReadings readings = kStart;
  ClockPair pair(readings);
  std::vector<std::pair<ClockReadings, Now>> seen;
  for (int i = 0; i < 400; ++i) {
    const auto step = static_cast<int64_t>(
        random.Between(1, static_cast<uint64_t>(ClockPair::kInterval)));
    const auto slewed =
        step +
        step *
            (static_cast<int64_t>(random.Between(0, 2 * kPpmMax)) - kPpmMax) /
            1'000'000;
    readings.monotonic += slewed;
    readings.boottime += slewed;
    readings.monotonic_raw += step;
    seen.emplace_back(readings, pair.Advance(readings));
  }
  // A lead is gained until the first reading beyond the interval.
  constexpr int64_t kLeadMax = ClockPair::kInterval / 1'000'000 * kPpmMax;
  for (size_t i = 0; i < seen.size(); ++i) {
    for (size_t j = i + 1; j < seen.size(); ++j) {
      const auto& [from, now_then] = seen[i];
      const auto& [to, now_later] = seen[j];
      const int64_t monotonic = to.monotonic - from.monotonic;
      const int64_t raw = to.monotonic_raw - from.monotonic_raw;
      const int64_t boottime = to.boottime - from.boottime;
      ASSERT_LE(Slow(now_later) - Slow(now_then),
                std::min(monotonic, raw) + kLeadMax);
      ASSERT_GE(Fast(now_later) - Fast(now_then),
                std::max(boottime, raw) - kLeadMax);
    }
  }
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
