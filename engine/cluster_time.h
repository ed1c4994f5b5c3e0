#ifndef ENGINE_CLUSTER_TIME_H_
#define ENGINE_CLUSTER_TIME_H_

#include <algorithm>
#include <compare>
#include <cstdint>
#include <ostream>

#include "absl/time/time.h"

namespace cachalot {

// The time that the log keeps: each entry carries one, stamped by the leader
// that made it and chained from the entry before (LogCabin's cluster clock).
// Zero at the cluster's birth. Between two entries it advances no more than
// (1 + rate bound) times the real time between their stampings, whoever the
// leaders were; it may advance less. Leases are counted in it.
class ClusterTime {
 public:
  constexpr ClusterTime() = default;
  constexpr explicit ClusterTime(uint64_t nanoseconds)
      : nanoseconds_(nanoseconds) {}

  constexpr uint64_t nanoseconds() const { return nanoseconds_; }

  friend constexpr auto operator<=>(ClusterTime, ClusterTime) = default;
  // Saturates: it does not wrap, and does not fall below zero.
  friend ClusterTime operator+(ClusterTime time, absl::Duration d) {
    const int64_t step = absl::ToInt64Nanoseconds(d);
    if (step < 0) {
      const uint64_t back = uint64_t{0} - static_cast<uint64_t>(step);
      return ClusterTime(time.nanoseconds_ - std::min(back, time.nanoseconds_));
    }
    const uint64_t sum = time.nanoseconds_ + static_cast<uint64_t>(step);
    return ClusterTime(sum < time.nanoseconds_ ? UINT64_MAX : sum);
  }
  friend absl::Duration operator-(ClusterTime a, ClusterTime b) {
    return a < b ? -absl::Nanoseconds(
                       static_cast<int64_t>(b.nanoseconds_ - a.nanoseconds_))
                 : absl::Nanoseconds(
                       static_cast<int64_t>(a.nanoseconds_ - b.nanoseconds_));
  }
  friend std::ostream& operator<<(std::ostream& out, ClusterTime time) {
    return out << absl::Nanoseconds(static_cast<int64_t>(time.nanoseconds_));
  }

 private:
  uint64_t nanoseconds_ = 0;
};

}  // namespace cachalot

#endif  // ENGINE_CLUSTER_TIME_H_
