#ifndef SIM_JUDGE_CONVERGENCE_H_
#define SIM_JUDGE_CONVERGENCE_H_

#include <string>

#include "sim/judge/lock_model.h"
#include "sim/world/world.h"

namespace cachalot::sim {

// What must hold some time after a world was healed. Each function describes,
// for people, the first thing that does not; empty if all does.

// All running processes see each other alive, under their present ids,
// addresses and incarnations, and see nobody else alive.
std::string FindDisagreement(const World& world);

// Each session of the table belongs to a running process, which believes in the
// locks that it holds and has a request for each lock that it waits for.
std::string FindLeftover(const World& world, const LockModel& table);

}  // namespace cachalot::sim

#endif  // SIM_JUDGE_CONVERGENCE_H_
