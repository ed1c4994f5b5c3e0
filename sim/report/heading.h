#ifndef SIM_REPORT_HEADING_H_
#define SIM_REPORT_HEADING_H_

#include "sim/report/record.h"
#include "sim/run/plan.h"
#include "sim/run/runner.h"

namespace cachalot::sim {

// The heading of the run of `plan` that had this result.
Heading HeadingOf(const Plan& plan, const RunResult& result);

}  // namespace cachalot::sim

#endif  // SIM_REPORT_HEADING_H_
