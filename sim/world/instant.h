#ifndef SIM_WORLD_INSTANT_H_
#define SIM_WORLD_INSTANT_H_

#include "engine/instant.h"

namespace cachalot::sim {

// The time of the simulated world, in nanoseconds since it began: what proofs
// call real time. Nodes never see it; each has clocks of its own (clock.h).
using RealInstant = BasicInstant<struct RealClock>;

}  // namespace cachalot::sim

#endif  // SIM_WORLD_INSTANT_H_
