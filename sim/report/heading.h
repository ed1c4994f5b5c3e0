#ifndef SIM_REPORT_HEADING_H_
#define SIM_REPORT_HEADING_H_

#include "sim/report/record.h"
#include "sim/run/plan.h"
#include "sim/run/runner.h"

namespace cachalot::sim {

// What to say first of a run of `plan` that came to `result`.
Heading HeadingOf(const Plan& plan, const RunResult& result);

}  // namespace cachalot::sim

#endif  // SIM_REPORT_HEADING_H_
