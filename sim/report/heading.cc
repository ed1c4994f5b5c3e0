#include "sim/report/heading.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "sim/world/host.h"

namespace cachalot::sim {

Heading HeadingOf(const Plan& plan, const RunResult& result) {
  Heading heading;
  heading.title =
      plan.seed == 0 ? "A choice log" : absl::StrCat("Seed ", plan.seed);
  heading.plan = plan.Describe();
  if (result.violation.has_value()) {
    const Violation& violation = *result.violation;
    heading.verdict = RunVerdict::kFailed;
    heading.sentence =
        absl::StrCat(HostName(violation.host), ": ", violation.sentence);
    // The world counts from 1.
    if (violation.step > 0) {
      heading.failed_step = static_cast<size_t>(violation.step - 1);
    }
  } else if (!result.excuse.empty()) {
    heading.verdict = RunVerdict::kExcused;
    heading.sentence = result.excuse;
  }
  heading.figures = {
      {"simulated", absl::FormatDuration(
                        absl::Trunc(result.simulated, absl::Milliseconds(1)))},
      {"machines", absl::StrCat(plan.hosts.size())},
      {"events", absl::StrCat(result.steps)},
      {"entries", absl::StrCat(result.committed)},
      {"operations", absl::StrCat(result.history.size())},
      {"grants", absl::StrCat(result.grants)},
      {"hash", absl::StrFormat("%016x", result.hash)},
  };
  return heading;
}

}  // namespace cachalot::sim
