#include "engine/cluster_time.h"

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace cachalot {
namespace {

TEST(ClusterTimeTest, AddsAndSubtractsDurations) {
  const ClusterTime time(1000);
  EXPECT_EQ(time + absl::Nanoseconds(5), ClusterTime(1005));
  EXPECT_EQ(time + -absl::Nanoseconds(5), ClusterTime(995));
  EXPECT_EQ(ClusterTime(1005) - time, absl::Nanoseconds(5));
  EXPECT_EQ(time - ClusterTime(1005), -absl::Nanoseconds(5));
}

TEST(ClusterTimeTest, StopsAtBothEnds) {
  EXPECT_EQ(ClusterTime(3) + -absl::Seconds(1), ClusterTime());
  EXPECT_EQ(ClusterTime(UINT64_MAX - 3) + absl::Seconds(1),
            ClusterTime(UINT64_MAX));
  EXPECT_EQ(ClusterTime(3) + -absl::InfiniteDuration(), ClusterTime());
}

TEST(ClusterTimeTest, IsOrdered) {
  EXPECT_LT(ClusterTime(1), ClusterTime(2));
  EXPECT_EQ(ClusterTime(), ClusterTime(0));
}

}  // namespace
}  // namespace cachalot
