#ifndef SIM_RUN_SHRINK_H_
#define SIM_RUN_SHRINK_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "sim/world/choices.h"

namespace cachalot::sim {

// The kind of a violation: the first words of its sentence, without those that
// contain a digit (names of machines and times). Two runs whose violations have
// the same kind broke the same property.
std::string KindOf(absl::string_view sentence);

struct ShrinkOptions {
  uint64_t tries_max = 2000;
};

struct ShrinkResult {
  ChoiceLog log;
  uint64_t tries = 0;
};

// Runs a log. If the run still breaks the property, returns the choices that it
// used; the others have no effect.
using StillFails =
    std::function<std::optional<ChoiceLog>(const ChoiceLog& log)>;

// Makes a log smaller while it still fails. Removes all streams of one name,
// single streams, items and single choices, larger parts first (delta
// debugging, Zeller and Hildebrandt 2002), and then lowers the values that are
// left. REQUIRES: `log` fails.
ShrinkResult Shrink(ChoiceLog log, const StillFails& still_fails,
                    ShrinkOptions options = ShrinkOptions());

}  // namespace cachalot::sim

#endif  // SIM_RUN_SHRINK_H_
