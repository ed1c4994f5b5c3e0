#include "tests/fuzz/brief_run.h"

#include <algorithm>

#include "absl/time/time.h"

namespace cachalot::sim {

RunResult RunBriefly(ChoiceSource* choices) {
  Plan plan = Plan::Draw(choices);
  plan.quiet = std::min(plan.quiet, absl::Seconds(1));
  plan.harm = std::min(plan.harm, absl::Seconds(3));
  return RunPlan(plan, choices);
}

}  // namespace cachalot::sim
