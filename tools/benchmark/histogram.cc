#include "tools/benchmark/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "engine/check.h"

namespace cachalot::tools {

namespace {

constexpr size_t kSubBits = 7;
constexpr uint64_t kSubBuckets = uint64_t{1} << kSubBits;
// Values below kSubBuckets have a bucket each; above, each power of two has
// kSubBuckets of them.
constexpr size_t kBuckets = (64 - kSubBits + 1) * kSubBuckets;

}  // namespace

Histogram::Histogram() : counts_(kBuckets) {}

size_t Histogram::BucketOf(uint64_t nanoseconds) {
  if (nanoseconds < kSubBuckets) return nanoseconds;
  const size_t shift =
      static_cast<size_t>(std::bit_width(nanoseconds)) - (kSubBits + 1);
  // The shifted value lies in [kSubBuckets, 2 * kSubBuckets).
  return shift * kSubBuckets + (nanoseconds >> shift);
}

uint64_t Histogram::UpperEdge(size_t bucket) {
  if (bucket < 2 * kSubBuckets) return bucket;
  const size_t shift = bucket / kSubBuckets - 1;
  const uint64_t leading = bucket - shift * kSubBuckets;
  return (leading << shift) | ((uint64_t{1} << shift) - 1);
}

void Histogram::Record(absl::Duration duration) {
  const uint64_t nanoseconds = static_cast<uint64_t>(
      std::max<int64_t>(0, absl::ToInt64Nanoseconds(duration)));
  ++counts_[BucketOf(nanoseconds)];
  ++count_;
  sum_ += nanoseconds;
  max_ = std::max(max_, nanoseconds);
}

void Histogram::Merge(const Histogram& other) {
  for (size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  max_ = std::max(max_, other.max_);
}

absl::Duration Histogram::Mean() const {
  return absl::Nanoseconds(count_ == 0 ? 0 : sum_ / count_);
}

absl::Duration Histogram::Quantile(double fraction) const {
  CHECK(fraction > 0) << fraction;
  CHECK(fraction <= 1) << fraction;
  const auto rank =
      static_cast<uint64_t>(std::ceil(fraction * static_cast<double>(count_)));
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < kBuckets; ++bucket) {
    seen += counts_[bucket];
    if (seen >= rank && seen > 0) {
      return absl::Nanoseconds(std::min(UpperEdge(bucket), max_));
    }
  }
  return absl::ZeroDuration();
}

}  // namespace cachalot::tools
