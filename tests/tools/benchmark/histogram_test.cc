#include "tools/benchmark/histogram.h"

#include "gtest/gtest.h"

namespace cachalot::tools {
namespace {

TEST(HistogramTest, AnswersZeroForNothing) {
  const Histogram empty;
  EXPECT_EQ(empty.count(), 0);
  EXPECT_EQ(empty.Mean(), absl::ZeroDuration());
  EXPECT_EQ(empty.Quantile(0.5), absl::ZeroDuration());
}

TEST(HistogramTest, SmallValuesAreExact) {
  Histogram histogram;
  for (int i = 1; i <= 100; ++i) histogram.Record(absl::Nanoseconds(i));
  EXPECT_EQ(histogram.Quantile(0.5), absl::Nanoseconds(50));
  EXPECT_EQ(histogram.Quantile(0.99), absl::Nanoseconds(99));
  EXPECT_EQ(histogram.Quantile(1), absl::Nanoseconds(100));
}

TEST(HistogramTest, LargeValuesAreWithinOnePercentAndNeverTooLow) {
  for (int64_t microseconds = 1; microseconds < 100'000'000;
       microseconds = microseconds * 5 / 4 + 1) {
    Histogram histogram;
    const absl::Duration value = absl::Microseconds(microseconds);
    histogram.Record(value);
    histogram.Record(value * 3);  // so that the maximum does not cap it
    EXPECT_GE(histogram.Quantile(0.5), value);
    EXPECT_LE(histogram.Quantile(0.5), value * 1.008);
  }
}

TEST(HistogramTest, TheMeanAndTheMaximumAreExact) {
  Histogram histogram;
  histogram.Record(absl::Microseconds(1001));
  histogram.Record(absl::Microseconds(2003));
  EXPECT_EQ(histogram.Mean(), absl::Microseconds(1502));
  EXPECT_EQ(histogram.Max(), absl::Microseconds(2003));
}

TEST(HistogramTest, MergingIsRecordingBoth) {
  Histogram slow;
  Histogram fast;
  for (int i = 0; i < 99; ++i) fast.Record(absl::Nanoseconds(10));
  slow.Record(absl::Nanoseconds(100));
  fast.Merge(slow);
  EXPECT_EQ(fast.count(), 100);
  EXPECT_EQ(fast.Quantile(0.99), absl::Nanoseconds(10));
  EXPECT_EQ(fast.Quantile(1), absl::Nanoseconds(100));
}

TEST(HistogramTest, TakesTheLongestAndTheNegative) {
  Histogram histogram;
  histogram.Record(absl::InfiniteDuration());
  EXPECT_GT(histogram.Quantile(0.5), absl::Hours(24 * 365 * 290));
  histogram.Record(-absl::Seconds(1));
  EXPECT_EQ(histogram.Quantile(0.5), absl::ZeroDuration());
}

}  // namespace
}  // namespace cachalot::tools
