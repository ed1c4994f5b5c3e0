#ifndef TOOLS_BENCHMARK_HELD_WORKLOAD_H_
#define TOOLS_BENCHMARK_HELD_WORKLOAD_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace cachalot::tools {

struct HeldFigures {
  int held = 0;                  // locks that were held at the end
  uint64_t lost = 0;             // of those that were taken
  absl::Duration taking;         // until all were held
  absl::Duration longest_stall;  // of any member's thread, from ready to ready
  absl::Duration holders_stall;  // the same of the member that holds them
};

// Takes `locks` locks in one of three members that run in this process, holds
// them for `duration`, looks at each again, and gives all up at once. `renews`:
// with leases of 30 s that keep themselves renewed, else of an hour.
absl::StatusOr<HeldFigures> MeasureHeld(int locks, absl::Duration duration,
                                        bool renews);

}  // namespace cachalot::tools

#endif  // TOOLS_BENCHMARK_HELD_WORKLOAD_H_
