#ifndef TESTS_FUZZ_BRIEF_RUN_H_
#define TESTS_FUZZ_BRIEF_RUN_H_

#include "sim/run/runner.h"
#include "sim/world/choices.h"

namespace cachalot::sim {

// Runs the simulator with these choices, under all judges, but with at most
// three seconds of faults, because a fuzzer needs many runs. The same run is
// `simulate --choices=FILE --harm=3s`.
RunResult RunBriefly(ChoiceSource* choices);

}  // namespace cachalot::sim

#endif  // TESTS_FUZZ_BRIEF_RUN_H_
