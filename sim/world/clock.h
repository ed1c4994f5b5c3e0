#ifndef SIM_WORLD_CLOCK_H_
#define SIM_WORLD_CLOCK_H_

#include <cstdint>

#include "engine/instant.h"
#include "sim/world/instant.h"

namespace cachalot::sim {

// One oscillator: local time as a piecewise linear function of real time.
// Integers only; readings are rounded down and never decrease.
class Clock {
 public:
  // Reads `offset` nanoseconds when the world begins and runs at
  // 1 + rate_ppm / 10^6 times real time. REQUIRES: rate_ppm >= -10^6.
  Clock(int64_t offset, int64_t rate_ppm);

  // REQUIRES: `at` is no earlier than the last SetRate().
  int64_t At(RealInstant at) const;
  // The first instant at which the clock reads `local` or more: the last
  // SetRate() if it did already then, Never() if the clock stands still.
  RealInstant When(int64_t local) const;

  void SetRate(RealInstant from, int64_t rate_ppm);
  // REQUIRES: by >= 0.
  void Jump(RealInstant at, int64_t by);
  int64_t rate_ppm() const { return rate_ppm_; }

 private:
  RealInstant since_;  // the rate has been constant since then,
  int64_t base_ = 0;   // when the clock read this
  int64_t rate_ppm_ = 0;
};

// The two clocks that one machine's node reads (engine/instant.h).
struct ClockPair {
  Clock slow;
  Clock fast;

  Now At(RealInstant at) const;
  // The first instant at which `deadline` is due; Never() if it never is.
  RealInstant When(const Deadline& deadline) const;
};

}  // namespace cachalot::sim

#endif  // SIM_WORLD_CLOCK_H_
