#ifndef SIM_HEADING_H_
#define SIM_HEADING_H_

#include "sim/plan.h"
#include "sim/record.h"
#include "sim/swarm.h"

namespace cachalot::sim {

// What to say first of a run of `plan` that came to `result`.
Heading HeadingOf(const Plan& plan, const RunResult& result);

}  // namespace cachalot::sim

#endif  // SIM_HEADING_H_
