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

// Makes a node's two clocks of the kernel's three (locks.md 3.2).
//
// With each reading, the slow clock advances by the smaller of what the two
// monotonic clocks advanced, so that slewing cannot make it run fast; the fast
// clock by the larger of what boottime and monotonic_raw advanced, so that
// neither slewing nor suspension can make it run slow. What is lost between
// the reads of one reading errs to the safe side in both.
class ClockPair {
 public:
  explicit ClockPair(const ClockReadings& start);

  // Neither part ever falls, whatever `readings` say.
  Now Advance(const ClockReadings& readings);

 private:
  ClockReadings last_;
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
