#include "sim/world/clock.h"

#include "engine/instant.h"
#include "gtest/gtest.h"
#include "sim/world/chance.h"
#include "sim/world/choices.h"
#include "sim/world/instant.h"

namespace cachalot::sim {
namespace {

constexpr int64_t kSecond = 1000000000;

RealInstant At(int64_t nanoseconds) {
  return RealInstant::FromNanoseconds(nanoseconds);
}

TEST(ClockTest, RunsAtItsRateFromItsOffset) {
  const Clock clock(500, 1000);
  EXPECT_EQ(clock.At(At(0)), 500);
  EXPECT_EQ(clock.At(At(kSecond)), 500 + kSecond + kSecond / 1000);
}

TEST(ClockTest, RoundsReadingsDown) {
  const Clock clock(0, -500000);
  EXPECT_EQ(clock.At(At(3)), 1);
}

TEST(ClockTest, DoesNotOverflowWithinYears) {
  const int64_t year = int64_t{365} * 24 * 3600 * kSecond;
  EXPECT_EQ(Clock(0, 1000).At(At(year)), year + year / 1000);
}

TEST(ClockTest, FindsTheFirstInstantOfAReading) {
  ChoiceSource choices(1);
  Chance chance(&choices, "clocks");
  for (int i = 0; i < 20000; ++i) {
    Clock clock(chance.Between(int64_t{0}, 100 * kSecond),
                chance.Between(int64_t{-900000}, int64_t{900000}));
    if (chance.Happens(Rate::Percent(50))) {
      clock.SetRate(At(chance.Between(int64_t{0}, 10 * kSecond)),
                    chance.Between(int64_t{-900000}, int64_t{900000}));
    }
    const int64_t base = clock.At(At(10 * kSecond));
    const int64_t wanted = base + chance.Between(int64_t{1}, 100 * kSecond);
    const RealInstant when = clock.When(wanted);
    EXPECT_GE(clock.At(when), wanted);
    EXPECT_LT(clock.At(At(when.nanoseconds() - 1)), wanted);
  }
}

TEST(ClockTest, ReadingsDoNotJumpWhenTheRateChanges) {
  Clock clock(0, 0);
  clock.SetRate(At(kSecond), 100000);
  EXPECT_EQ(clock.At(At(kSecond)), kSecond);
  EXPECT_EQ(clock.At(At(2 * kSecond)), 2 * kSecond + kSecond / 10);
}

TEST(ClockTest, AStoppedClockNeverReachesALaterReading) {
  const Clock clock(0, -1000000);
  EXPECT_EQ(clock.When(1), RealInstant::Never());
  EXPECT_EQ(clock.At(At(kSecond)), 0);
}

TEST(ClockPairTest, IsDueWhenTheFirstClockIs) {
  const ClockPair clocks = {Clock(0, 0), Clock(0, 1000000)};
  const Deadline deadline = {SlowInstant::FromNanoseconds(100),
                             FastInstant::FromNanoseconds(100)};
  EXPECT_EQ(clocks.When(deadline), At(50));
  EXPECT_EQ(clocks.When(Deadline{SlowInstant::FromNanoseconds(100),
                                 FastInstant::Never()}),
            At(100));
  EXPECT_EQ(clocks.When(Deadline{}), RealInstant::Never());
}

TEST(ClockPairTest, ADeadlineIsDueExactlyWhenItSays) {
  const ClockPair clocks = {Clock(7, -333), Clock(9, 777)};
  const Deadline deadline = {SlowInstant::FromNanoseconds(1000000007),
                             FastInstant::FromNanoseconds(2000000000)};
  const RealInstant when = clocks.When(deadline);
  EXPECT_TRUE(deadline.IsDue(clocks.At(when)));
  EXPECT_FALSE(deadline.IsDue(clocks.At(At(when.nanoseconds() - 1))));
}

}  // namespace
}  // namespace cachalot::sim
