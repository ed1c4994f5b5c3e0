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

// A run that broke a property, or died of a CHECK, in a process of its own.
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

// The smallest log found that breaks the same property. Looks first for seeds
// that break it in a duller world, with an even network and the plainest plan:
// what is not in a log need not be cut out of it. `say` is told of progress.
Shrunk ShrinkFailure(const Failure& failure, const sim::RunOptions& options,
                     const std::function<void(absl::string_view)>& say);

// A scenario for tests/scenarios/ that replays the log, with that much harm.
std::string ToScenario(const Shrunk& shrunk, absl::string_view origin,
                       absl::Duration harm_max);

}  // namespace cachalot::tools

#endif  // TOOLS_SIMULATOR_SHRINKING_H_
