#ifndef SIM_WORLD_INSTANT_H_
#define SIM_WORLD_INSTANT_H_

#include "engine/instant.h"

namespace cachalot::sim {

// The time of the simulated world, in nanoseconds since it began; proofs call
// it real time. Nodes never see it: each machine has its own clocks (clock.h).
using RealInstant = BasicInstant<struct RealClock>;

}  // namespace cachalot::sim

#endif  // SIM_WORLD_INSTANT_H_
