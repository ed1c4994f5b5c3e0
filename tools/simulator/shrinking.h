#ifndef TOOLS_SIMULATOR_SHRINKING_H_
#define TOOLS_SIMULATOR_SHRINKING_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "sim/run/runner.h"
#include "sim/world/choices.h"

namespace cachalot::tools {

// A run that broke a property or failed a CHECK.
struct Failure {
  std::string sentence;
  sim::ChoiceLog choices;
};

// Nothing if the run passed or was excused.
std::optional<Failure> FailureOfSeed(uint64_t seed,
                                     const sim::RunOptions& options);
std::optional<Failure> FailureOfLog(const sim::ChoiceLog& log,
                                    const sim::RunOptions& options);

struct Shrunk {
  Failure failure;
  uint64_t choices_before = 0;
  uint64_t runs = 0;
};

// Finds a small log that breaks the same property. First looks for seeds that
// break it in simpler worlds, with constant network delays and a minimal plan,
// because their logs are shorter from the start. Reports progress to `say`.
Shrunk ShrinkFailure(const Failure& failure, const sim::RunOptions& options,
                     const std::function<void(absl::string_view)>& say);

// A scenario for tests/scenarios/ that replays the log, with at most `harm_max`
// of faults.
std::string ToScenario(const Shrunk& shrunk, absl::string_view origin,
                       absl::Duration harm_max);

}  // namespace cachalot::tools

#endif  // TOOLS_SIMULATOR_SHRINKING_H_
