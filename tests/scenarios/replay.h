#ifndef TESTS_SCENARIOS_REPLAY_H_
#define TESTS_SCENARIOS_REPLAY_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "sim/run/plan.h"
#include "sim/world/choices.h"

namespace cachalot::sim {

struct ReplayOptions {
  // Heal the world after this at the latest, as when the log was found.
  absl::Duration harm_max = absl::InfiniteDuration();
  // What is done to the plan that the log has, by a test of ourselves.
  std::function<void(Plan&)> change = [](Plan&) {};
};

// Runs the log as `simulate --choices` does, under the same judges, in a
// process of its own, and returns one line: how the run ended and its hash.
//
// Errors: FailedPrecondition (a property is broken, or the process died).
absl::StatusOr<std::string> Replay(
    const ChoiceLog& log, const ReplayOptions& options = ReplayOptions());

}  // namespace cachalot::sim

#endif  // TESTS_SCENARIOS_REPLAY_H_
