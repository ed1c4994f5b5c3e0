#ifndef SIM_WORLD_CLOCK_H_
#define SIM_WORLD_CLOCK_H_

#include <cstdint>

#include "engine/instant.h"
#include "sim/world/instant.h"

namespace cachalot::sim {

// One oscillator: local time as a line over real time, that may be bent at any
// instant. Integers only; readings are rounded down and never fall.
class Clock {
 public:
  // Reads `offset` nanoseconds when the world begins, and then runs at
  // 1 + rate_ppm / 10^6 times real time. REQUIRES: rate_ppm >= -10^6.
  Clock(int64_t offset, int64_t rate_ppm);

  // REQUIRES: `at` is no earlier than the last SetRate().
  int64_t At(RealInstant at) const;
  // The first instant at which the clock has reached `local`; the last
  // SetRate() if it had already, and Never() if the clock stands still.
  RealInstant When(int64_t local) const;

  void SetRate(RealInstant from, int64_t rate_ppm);
  // REQUIRES: by >= 0.
  void Jump(RealInstant at, int64_t by);
  int64_t rate_ppm() const { return rate_ppm_; }

 private:
  RealInstant since_;  // from here on the line is straight,
  int64_t base_ = 0;   // and begins with this reading
  int64_t rate_ppm_ = 0;
};

// What one machine's clocks show its node (engine/instant.h).
struct ClockPair {
  Clock slow;
  Clock fast;

  Now At(RealInstant at) const;
  // The first instant at which `deadline` is due; Never() if it never is.
  RealInstant When(const Deadline& deadline) const;
};

}  // namespace cachalot::sim

#endif  // SIM_WORLD_CLOCK_H_
