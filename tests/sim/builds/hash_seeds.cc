// hash_seeds FIRST LAST: runs these seeds and prints one line for each,
// "SEED HASH STEPS". hash_seeds SEED: prints the trace of that run.

#include <cstdint>
#include <iostream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "sim/run/runner.h"
#include "sim/world/trace.h"

namespace cachalot::sim {
namespace {

// Short, because some of the builds are slow; most kinds of faults occur by
// then.
RunOptions Short(Trace trace = Trace()) {
  return {.harm_max = absl::Seconds(5), .trace = trace};
}

void HashSeeds(uint64_t first, uint64_t last) {
  for (uint64_t seed = first; seed <= last; ++seed) {
    const RunResult result = RunSeed(seed, Short());
    std::cout << absl::StrFormat("%d %016x %d\n", seed, result.hash,
                                 result.steps);
  }
}

int Main(int argc, char** argv) {
  uint64_t first = 0;
  uint64_t last = 0;
  if (argc == 2 && absl::SimpleAtoi(argv[1], &first)) {
    RunSeed(first, Short(Trace(&std::cout)));
    return 0;
  }
  if (argc == 3 && absl::SimpleAtoi(argv[1], &first) &&
      absl::SimpleAtoi(argv[2], &last)) {
    HashSeeds(first, last);
    return 0;
  }
  std::cerr << "usage: hash_seeds FIRST LAST | hash_seeds SEED\n";
  return 2;
}

}  // namespace
}  // namespace cachalot::sim

int main(int argc, char** argv) { return cachalot::sim::Main(argc, argv); }
