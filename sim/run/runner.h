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
  // Why no progress could be asked for; empty if it was.
  std::string excuse;
  // Why the judges had too little to judge; empty if they had enough.
  std::string vacuity;
  uint64_t steps = 0;
  absl::Duration simulated;
  uint64_t hash = 0;
  uint64_t grants = 0;
  History history;  // of all clients
  ResourceCounters resources;
  uint64_t committed = 0;
  NetworkCounters network;
  FaultLedger faults;
  ChoiceLog choices;  // if they were recorded

  bool failed() const { return violation.has_value(); }
};

struct RunOptions {
  // Heal the world after this at the latest.
  absl::Duration harm_max = absl::InfiniteDuration();
  // Expect progress of the healed world after this at the latest.
  absl::Duration recovery_max = absl::InfiniteDuration();
  // Keep the log of the choices that were made.
  bool records = false;
  // Of a seed: streams (world/choices.h) of which every choice is the dullest.
  std::vector<std::string> dull_streams;
  Trace trace = Trace();
  // Who looks on besides the judges. Not owned.
  std::vector<Watcher*> watchers;
};

// Runs the plan: a phase of safety under every fault that is chosen, and then a
// healed world that must make progress. Stops at the first violation. `choices`
// is where the plan was drawn from.
RunResult RunPlan(const Plan& plan, ChoiceSource* choices,
                  const RunOptions& options = RunOptions());

// All in one: draws a plan and runs it. What the seed gives, what the log has.
RunResult RunChoices(ChoiceSource* choices,
                     const RunOptions& options = RunOptions());
RunResult RunSeed(uint64_t seed, const RunOptions& options = RunOptions());
RunResult RunLog(const ChoiceLog& log,
                 const RunOptions& options = RunOptions());

}  // namespace cachalot::sim

#endif  // SIM_RUN_RUNNER_H_
