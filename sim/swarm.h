#ifndef SIM_SWARM_H_
#define SIM_SWARM_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "sim/judge.h"
#include "sim/nemesis.h"
#include "sim/network.h"
#include "sim/trace.h"
#include "sim/workload.h"
#include "sim/world.h"

namespace cachalot::sim {

// All that a run is made of, drawn from its seed. Every option that may vary
// varies, and whole families of faults are left out at random: a fault that is
// always there hides the bugs that need its absence (swarm testing, Groce et
// al. 2012).
struct Plan {
  uint64_t seed = 0;
  WorldOptions world;
  std::vector<HostOptions> hosts;  // the first founds, or all together
  NemesisOptions nemesis;
  WorkloadOptions workload;
  JudgeOptions judge;
  absl::Duration quiet;  // before the first fault
  absl::Duration harm;   // with faults
  // When all is mended, new locks must be taken everywhere within this.
  absl::Duration recovery = absl::Seconds(90);

  static Plan Draw(uint64_t seed);
  // One line for a person.
  std::string Describe() const;
};

struct RunResult {
  uint64_t seed = 0;
  std::optional<Violation> violation;  // the first
  // Why no progress could be asked for; empty if it was.
  std::string excuse;
  uint64_t steps = 0;
  absl::Duration simulated;
  uint64_t hash = 0;
  uint64_t grants = 0;
  uint64_t operations = 0;
  uint64_t committed = 0;
  NetworkCounters network;
  std::array<uint64_t, kFaultCount> faults{};

  bool failed() const { return violation.has_value(); }
};

// Runs the plan: a phase of safety under every fault that was drawn, and then a
// healed world that must make progress. Stops at the first violation.
RunResult RunPlan(const Plan& plan, Trace trace = Trace());

}  // namespace cachalot::sim

#endif  // SIM_SWARM_H_
