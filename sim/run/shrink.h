#ifndef SIM_RUN_SHRINK_H_
#define SIM_RUN_SHRINK_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "sim/world/choices.h"

namespace cachalot::sim {

// What kind of violation a sentence tells of: its first words without those
// that hold a number, which name who and when. Two runs that differ in these
// alone broke one property.
std::string KindOf(absl::string_view sentence);

struct ShrinkOptions {
  uint64_t tries_max = 2000;
};

struct ShrinkResult {
  ChoiceLog log;
  uint64_t tries = 0;
};

// Runs a log. Returns the choices that were asked for, if the run still breaks
// the property; those that were not are of no use.
using StillFails =
    std::function<std::optional<ChoiceLog>(const ChoiceLog& log)>;

// Makes a log smaller for as long as it still fails: leaves out whole kinds of
// streams, whole streams, items and single choices, larger parts first (delta
// debugging, Zeller and Hildebrandt 2002), and then lowers what is left.
// REQUIRES: `log` fails.
ShrinkResult Shrink(ChoiceLog log, const StillFails& still_fails,
                    ShrinkOptions options = ShrinkOptions());

}  // namespace cachalot::sim

#endif  // SIM_RUN_SHRINK_H_
