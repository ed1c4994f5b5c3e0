#ifndef TESTS_FUZZ_BRIEF_RUN_H_
#define TESTS_FUZZ_BRIEF_RUN_H_

#include "sim/run/runner.h"
#include "sim/world/choices.h"

namespace cachalot::sim {

// A whole run of the simulator that `choices` decide, with every judge, but
// with three seconds of faults at most: a fuzzer wants many runs. The same run
// is simulate --choices=FILE --harm=3s.
RunResult RunBriefly(ChoiceSource* choices);

}  // namespace cachalot::sim

#endif  // TESTS_FUZZ_BRIEF_RUN_H_
