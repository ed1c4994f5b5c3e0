#ifndef IO_CLOCK_H_
#define IO_CLOCK_H_

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "engine/instant.h"

namespace cachalot {

// What the kernel's three monotonic clocks say at one moment, in nanoseconds.
struct ClockReadings {
  int64_t monotonic = 0;      // slewed by NTP; stops in suspend
  int64_t monotonic_raw = 0;  // not slewed; stops in suspend
  int64_t boottime = 0;       // slewed by NTP; counts suspend
};

// Makes a node's two clocks of the kernel's three (engine/client/README.md,
// "Two clocks").
//
// Time is counted in intervals of kInterval or more, each from an anchor: one
// reading of all three clocks. Within an interval the slow clock has advanced
// by the smaller of what the two monotonic clocks have advanced since the
// anchor, so that slewing cannot make it run fast; the fast clock by the larger
// of what boottime and monotonic_raw have, so that neither slewing nor
// suspension can make it run slow. At the first reading beyond kInterval both
// keep what they have and that reading is the next anchor: a clock that fell
// behind in one interval is not caught up with in the next.
//
// How often the clocks are read between anchors makes no difference. Were each
// reading an anchor, the nanoseconds that pass between the reads of one reading
// would be lost with each of them: 8 % of the time at 7 million a second. Now
// they are lost once an interval, less than ten parts per million.
//
// The bound. Between any two readings the slow clock advances by no more than
// either monotonic clock, plus the lead that the other one had gained since the
// anchor at the first of the two; the fast clock by no less than either of its
// clocks, minus such a lead. A lead lasts until the next anchor, so it is what
// two clocks can differ by within kInterval, at most 10 us at a difference of
// 1000 parts per million (LeaseOptions::rate_bound_ppm). It does not add up
// over intervals, and LeaseOptions::slack, 2 ms, is there for more than that.
class ClockPair {
 public:
  static constexpr int64_t kInterval = 10'000'000;  // nanoseconds

  explicit ClockPair(const ClockReadings& start);

  // Neither part ever falls, whatever `readings` say.
  Now Advance(const ClockReadings& readings);

 private:
  ClockReadings anchor_;
  // At the anchor.
  int64_t slow_at_anchor_;
  int64_t fast_at_anchor_;
  // At the last reading.
  int64_t slow_;
  int64_t fast_;
};

// The clocks of this machine. Thread-safe.
class Clock {
 public:
  Clock();
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;

  // Not before the reads of any call that has returned.
  Now Read() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Mutex mutex_;
  ClockPair pair_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cachalot

#endif  // IO_CLOCK_H_
