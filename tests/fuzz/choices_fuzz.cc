// Coverage-guided fuzzing of the simulator: the input is the text of a choice
// log (sim/world/choices.h), and the run of this log must break no property.
//
// libFuzzer's mutations of bytes would rarely give a valid log, so the custom
// mutator here removes, changes and adds choices.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/check.h"
#include "engine/random.h"
#include "sim/run/runner.h"
#include "sim/world/choices.h"
#include "tests/fuzz/brief_run.h"

namespace cachalot::sim {
namespace {

absl::string_view TextOf(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// 0, a slightly larger value, a small value, or any value.
uint64_t DrawValue(Random& random, uint64_t value) {
  switch (random.Below(4)) {
    case 0:
      return 0;
    case 1:
      return value + 1;
    case 2:
      return random.Below(8);
    default:
      return random.Below(uint64_t{1} << random.Below(40));
  }
}

// REQUIRES: not empty.
void MutateOnce(Random& random, ChoiceLog& log) {
  const auto chosen =
      std::next(log.choices().begin(),
                static_cast<ptrdiff_t>(random.Below(log.choices().size())));
  ChoicePlace place = chosen->first;
  const uint64_t value = chosen->second;
  switch (random.Below(4)) {
    case 0:  // later in the same stream
      place.index += 1 + random.Below(64);
      break;
    case 1:  // in a stream beside it
      place.number = random.Chance(1, 2) ? place.number + 1
                                         : random.Below(place.number + 1);
      break;
    default:
      break;
  }
  log.Set(place, DrawValue(random, value));
}

ChoiceLog Mutated(ChoiceLog log, uint64_t seed) {
  Random random(seed, "choices");
  if (log.choices().empty()) log.Set({.stream = "plan"}, 1);
  for (uint64_t i = random.Between(uint64_t{1}, uint64_t{8});
       i > 0 && !log.choices().empty(); --i) {
    MutateOnce(random, log);
  }
  return log;
}

// The whole lines that fit into `size`.
std::string CutToLines(std::string text, size_t size) {
  if (text.size() <= size) return text;
  const size_t end = text.rfind('\n', size);
  text.resize(end == std::string::npos || end >= size ? 0 : end + 1);
  return text;
}

}  // namespace
}  // namespace cachalot::sim

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using cachalot::sim::ChoiceLog;
  const absl::StatusOr<ChoiceLog> log =
      ChoiceLog::Parse(cachalot::sim::TextOf(data, size));
  if (!log.ok()) return 0;
  cachalot::sim::ChoiceSource choices(*log);
  const cachalot::sim::RunResult result = cachalot::sim::RunBriefly(&choices);
  CHECK(!result.failed()) << result.violation->sentence;
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size,
                                          size_t size_max, unsigned int seed) {
  using cachalot::sim::ChoiceLog;
  absl::StatusOr<ChoiceLog> log =
      ChoiceLog::Parse(cachalot::sim::TextOf(data, size));
  const ChoiceLog mutated =
      cachalot::sim::Mutated(log.ok() ? *std::move(log) : ChoiceLog(), seed);
  const std::string text =
      cachalot::sim::CutToLines(mutated.ToText(), size_max);
  std::memcpy(data, text.data(), text.size());
  return text.size();
}
