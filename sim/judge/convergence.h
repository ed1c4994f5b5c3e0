#ifndef SIM_JUDGE_CONVERGENCE_H_
#define SIM_JUDGE_CONVERGENCE_H_

#include <string>

#include "sim/judge/lock_model.h"
#include "sim/world/world.h"

namespace cachalot::sim {

// What a world that was healed comes to after a while. Each tells what is
// amiss, for a person; empty if nothing is.

// All running processes see each other alive, under the names, addresses and
// incarnations that they have now, and nobody else.
std::string WhoDisagrees(const World& world);

// Each session of the table is that of a running process, which believes in
// the locks that it holds and has asked for those that it waits for.
std::string WhatIsLeftBehind(const World& world, const LockModel& table);

}  // namespace cachalot::sim

#endif  // SIM_JUDGE_CONVERGENCE_H_
