#ifndef SIM_RUN_RUNNER_H_
#define SIM_RUN_RUNNER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "sim/clients/history.h"
#include "sim/clients/resource.h"
#include "sim/judge/judge.h"
#include "sim/run/plan.h"
#include "sim/world/choices.h"
#include "sim/world/fault.h"
#include "sim/world/network.h"
#include "sim/world/trace.h"
#include "sim/world/world.h"

namespace cachalot::sim {

struct RunResult {
  uint64_t seed = 0;
  std::optional<Violation> violation;  // the first
  // Why the healed world was not required to make progress; empty if it was.
  std::string excuse;
  // Why the run tested too little to count; empty if it tested enough.
  std::string vacuity;
  uint64_t steps = 0;
  absl::Duration simulated;
  uint64_t hash = 0;
  uint64_t grants = 0;
  History history;  // of all clients
  ResourceCounters resources;
  uint64_t committed = 0;
  NetworkCounters network;
  FaultCounts faults;
  ChoiceLog choices;  // if they were recorded

  bool failed() const { return violation.has_value(); }
};

struct RunOptions {
  // Heal the world after this time at the latest.
  absl::Duration harm_max = absl::InfiniteDuration();
  // Require progress of the healed world within this time at the latest.
  absl::Duration recovery_max = absl::InfiniteDuration();
  // Keep the log of the choices that were made.
  bool records = false;
  // For a seed: streams whose choices are all 0 (ChoiceSource::Suppress).
  std::vector<std::string> suppressed_streams;
  Trace trace = Trace();
  // Watchers besides the judges. Not owned.
  std::vector<Watcher*> watchers;
};

// Runs the plan: first a phase with faults, in which the cluster must be safe,
// and then a healed world, in which it must also make progress. Stops at the
// first violation. `choices` is the source that the plan was drawn from.
RunResult RunPlan(const Plan& plan, ChoiceSource* choices,
                  const RunOptions& options = RunOptions());

// Draws a plan and runs it: from a source, from a seed, or from a log.
RunResult RunChoices(ChoiceSource* choices,
                     const RunOptions& options = RunOptions());
RunResult RunSeed(uint64_t seed, const RunOptions& options = RunOptions());
RunResult RunLog(const ChoiceLog& log,
                 const RunOptions& options = RunOptions());

}  // namespace cachalot::sim

#endif  // SIM_RUN_RUNNER_H_
