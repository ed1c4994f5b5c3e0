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

// What the process that ran it says first, if it breaks a property.
constexpr absl::string_view kBroken = "broken: ";

RunResult Run(const ChoiceLog& log, const ReplayOptions& options) {
  ChoiceSource choices(log);
  Plan plan = Plan::Draw(&choices);
  plan.harm = std::min(plan.harm, options.harm_max);
  options.change(plan);
  return RunPlan(plan, &choices);
}

std::string EndOf(const RunResult& result) {
  if (!result.excuse.empty()) return absl::StrCat("excused: ", result.excuse);
  return !result.vacuity.empty() ? "passed, vacuous" : "passed";
}

std::string Tell(const RunResult& result) {
  if (result.failed()) {
    return absl::StrCat(kBroken, tools::Reason(*result.violation));
  }
  return absl::StrFormat("%s; %d events, %d grants, %s, hash %016x\n",
                         EndOf(result), result.steps, result.grants,
                         absl::FormatDuration(result.simulated), result.hash);
}

absl::Status Broken(absl::string_view how, const ReplayOptions& options) {
  const std::string harm =
      options.harm_max == absl::InfiniteDuration()
          ? ""
          : absl::StrCat(" --harm=", absl::FormatDuration(options.harm_max));
  return absl::FailedPreconditionError(absl::StrCat(
      "what these choices once broke is broken: ", how,
      "\nto look at it: sed -n 's/^choose //p' SCENARIO > /tmp/choices; "
      "tools/bazel run -c opt //tools:simulate -- --choices=/tmp/choices",
      harm, " --trace"));
}

}  // namespace

absl::StatusOr<std::string> Replay(const ChoiceLog& log,
                                   const ReplayOptions& options) {
  const tools::Isolated run =
      tools::RunIsolated([&] { return Tell(Run(log, options)); });
  if (run.died) return Broken(run.errors, options);
  absl::string_view told = run.result;
  if (absl::ConsumePrefix(&told, kBroken)) return Broken(told, options);
  return run.result;
}

}  // namespace cachalot::sim
