#include "tests/fuzz/brief_run.h"

#include "absl/time/time.h"

namespace cachalot::sim {

RunResult RunBriefly(ChoiceSource* choices) {
  return RunChoices(choices, {.harm_max = absl::Seconds(3)});
}

}  // namespace cachalot::sim
