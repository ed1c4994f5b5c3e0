#include "tests/scenarios/replay.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "tools/simulator/campaign.h"
#include "tools/simulator/isolated.h"

namespace cachalot::sim {
namespace {

// The child's result begins with this if the run breaks a property.
constexpr absl::string_view kBroken = "broken: ";

RunResult Run(const ChoiceLog& log, const ReplayOptions& options) {
  ChoiceSource choices(log);
  Plan plan = Plan::Draw(&choices);
  plan.harm = std::min(plan.harm, options.harm_max);
  options.change(plan);
  return RunPlan(plan, &choices);
}

std::string EndingOf(const RunResult& result) {
  if (!result.excuse.empty()) return absl::StrCat("excused: ", result.excuse);
  return !result.vacuity.empty() ? "passed, vacuous" : "passed";
}

std::string Describe(const RunResult& result) {
  if (result.failed()) {
    return absl::StrCat(kBroken, tools::Reason(*result.violation));
  }
  return absl::StrFormat("%s; %d events, %d grants, %s, hash %016x\n",
                         EndingOf(result), result.steps, result.grants,
                         absl::FormatDuration(result.simulated), result.hash);
}

absl::Status Broken(absl::string_view how, const ReplayOptions& options) {
  const std::string harm =
      options.harm_max == absl::InfiniteDuration()
          ? ""
          : absl::StrCat(" --harm=", absl::FormatDuration(options.harm_max));
  return absl::FailedPreconditionError(absl::StrCat(
      "this log breaks a property again: ", how,
      "\nto see the trace: sed -n 's/^choose //p' SCENARIO > /tmp/choices; "
      "tools/bazel run -c opt //tools:simulate -- --choices=/tmp/choices",
      harm, " --trace"));
}

}  // namespace

absl::StatusOr<std::string> Replay(const ChoiceLog& log,
                                   const ReplayOptions& options) {
  const tools::Isolated run =
      tools::RunIsolated([&] { return Describe(Run(log, options)); });
  if (run.died) return Broken(run.errors, options);
  absl::string_view result = run.result;
  if (absl::ConsumePrefix(&result, kBroken)) return Broken(result, options);
  return run.result;
}

}  // namespace cachalot::sim
