#ifndef TESTS_IO_JUDGE_RUN_H_
#define TESTS_IO_JUDGE_RUN_H_

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>

#include "tests/io/judge/judge.h"

namespace cachalot::io_judge {

struct Verdict {
  std::optional<std::string> complaint;
  JudgeCounters counters;
  // Depends on all that happened: one seed, one hash.
  uint64_t hash = 0;
};

// Runs what the seed draws: up to three machines with a process each, an
// embedder and a few local programs around each process, and a nemesis. First
// they do as chance has it; then the network is healed and everybody falls
// silent; then all is given up, and closed. Everything is judged.
//
// `log`, which may be null, is told the story.
Verdict RunSeed(uint64_t seed, std::ostream* log = nullptr);

}  // namespace cachalot::io_judge

#endif  // TESTS_IO_JUDGE_RUN_H_
