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
  // Heal the world after this time at the latest; as in the run that wrote the
  // log.
  absl::Duration harm_max = absl::InfiniteDuration();
  // Changes the plan of the log; for the tests of Replay().
  std::function<void(Plan&)> change = [](Plan&) {};
};

// Runs the log as `simulate --choices` does, under the same judges, in a child
// process. Returns one line: how the run ended, and its hash.
//
// Errors: FailedPrecondition (a property is broken, or the child died).
absl::StatusOr<std::string> Replay(
    const ChoiceLog& log, const ReplayOptions& options = ReplayOptions());

}  // namespace cachalot::sim

#endif  // TESTS_SCENARIOS_REPLAY_H_
