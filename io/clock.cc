#include "io/clock.h"

#include <time.h>

#include <algorithm>

#include "engine/check.h"

namespace cachalot {
namespace {

int64_t ReadNanoseconds(clockid_t clock) {
  timespec time;
  CHECK(clock_gettime(clock, &time) == 0);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

ClockReadings ReadKernel() {
  return {.monotonic = ReadNanoseconds(CLOCK_MONOTONIC),
          .monotonic_raw = ReadNanoseconds(CLOCK_MONOTONIC_RAW),
          .boottime = ReadNanoseconds(CLOCK_BOOTTIME)};
}

}  // namespace

ClockPair::ClockPair(const ClockReadings& start)
    : anchor_(start),
      slow_at_anchor_(start.monotonic),
      fast_at_anchor_(start.boottime),
      slow_(slow_at_anchor_),
      fast_(fast_at_anchor_) {}

Now ClockPair::Advance(const ClockReadings& readings) {
  const int64_t monotonic = readings.monotonic - anchor_.monotonic;
  const int64_t raw = readings.monotonic_raw - anchor_.monotonic_raw;
  const int64_t boottime = readings.boottime - anchor_.boottime;
  slow_ = std::max(slow_, slow_at_anchor_ + std::min(monotonic, raw));
  fast_ = std::max(fast_, fast_at_anchor_ + std::max(boottime, raw));
  if (std::max({monotonic, raw, boottime}) >= kInterval) {
    anchor_ = readings;
    slow_at_anchor_ = slow_;
    fast_at_anchor_ = fast_;
  }
  return {.slow = SlowInstant::FromNanoseconds(slow_),
          .fast = FastInstant::FromNanoseconds(fast_)};
}

Clock::Clock() : pair_(ReadKernel()) {}

Now Clock::Read() {
  // Read under the lock: a reading older than the one before would count its
  // interval twice.
  const absl::MutexLock lock(&mutex_);
  return pair_.Advance(ReadKernel());
}

}  // namespace cachalot
