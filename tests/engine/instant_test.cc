#include "engine/instant.h"

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace cachalot {
namespace {

SlowInstant Slow(int64_t ns) { return SlowInstant::FromNanoseconds(ns); }
FastInstant Fast(int64_t ns) { return FastInstant::FromNanoseconds(ns); }

TEST(InstantTest, AddsAndSubtractsDurations) {
  EXPECT_EQ(Slow(10) + absl::Nanoseconds(5), Slow(15));
  EXPECT_EQ(Slow(10) - absl::Nanoseconds(15), Slow(-5));
  EXPECT_EQ(Slow(10) - Slow(3), absl::Nanoseconds(7));
}

TEST(InstantTest, RoundsWhatIsLeftOfANanosecondDown) {
  const absl::Duration quarter = absl::Nanoseconds(10) / 4;
  EXPECT_EQ(Slow(10) + quarter, Slow(12));
  EXPECT_EQ(Slow(10) - quarter, Slow(7));
}

TEST(InstantTest, CountsFromBelowZero) {
  EXPECT_EQ(Slow(-10) + absl::Nanoseconds(15), Slow(5));
  EXPECT_EQ(Slow(5) - Slow(-10), absl::Nanoseconds(15));
  EXPECT_EQ(Slow(INT64_MAX - 1) - Slow(-10),
            absl::Nanoseconds(INT64_MAX) + absl::Nanoseconds(9));
}

TEST(InstantTest, NeverStaysNever) {
  EXPECT_EQ(Slow(10) + absl::InfiniteDuration(), SlowInstant::Never());
  EXPECT_EQ(Slow(INT64_MAX - 10) + absl::Nanoseconds(11), SlowInstant::Never());
  EXPECT_EQ(SlowInstant::Never() - absl::Hours(1), SlowInstant::Never());
  EXPECT_LT(Slow(INT64_MAX - 1), SlowInstant::Never());
}

TEST(DeadlineTest, IsDueWhenEitherClockGetsThere) {
  const Deadline deadline{.slow = Slow(10), .fast = Fast(20)};
  EXPECT_FALSE(deadline.IsDue({.slow = Slow(9), .fast = Fast(19)}));
  EXPECT_TRUE(deadline.IsDue({.slow = Slow(10), .fast = Fast(19)}));
  EXPECT_TRUE(deadline.IsDue({.slow = Slow(9), .fast = Fast(20)}));
}

TEST(DeadlineTest, TellsHowLongItIs) {
  const Deadline deadline{.slow = Slow(10), .fast = Fast(20)};
  EXPECT_EQ(deadline.Until({.slow = Slow(3), .fast = Fast(3)}),
            absl::Nanoseconds(7));
  EXPECT_EQ(deadline.Until({.slow = Slow(3), .fast = Fast(18)}),
            absl::Nanoseconds(2));
  EXPECT_EQ(deadline.Until({.slow = Slow(30), .fast = Fast(3)}),
            absl::ZeroDuration());
  EXPECT_EQ(Deadline().Until({}), absl::InfiniteDuration());
}

}  // namespace
}  // namespace cachalot
