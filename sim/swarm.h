#ifndef SIM_SWARM_H_
#define SIM_SWARM_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "sim/choices.h"
#include "sim/fault.h"
#include "sim/history.h"
#include "sim/judge.h"
#include "sim/nemesis.h"
#include "sim/network.h"
#include "sim/resource.h"
#include "sim/trace.h"
#include "sim/workload.h"
#include "sim/world.h"

namespace cachalot::sim {

// All that a run is made of, drawn by chance. Every option that may vary
// varies, and whole families of faults are left out at random: a fault that is
// always there hides the bugs that need its absence (swarm testing, Groce et
// al. 2012).
struct Plan {
  uint64_t seed = 0;  // 0 if it is from a choice log
  WorldOptions world;
  std::vector<HostOptions> hosts;  // the first founds, or all together
  std::vector<HostId> latecomers;  // that are not started with the others
  NemesisOptions nemesis;
  WorkloadOptions workload;
  JudgeOptions judge;
  // The founder founds again whenever it starts and hears of no cluster: there
  // may be several, which become one when they meet.
  bool founds_again = false;
  absl::Duration quiet;  // before the first fault
  absl::Duration harm;   // with faults
  // A small world of which machines leave, and come back, but never die: a
  // cluster that is lost was lost by leaving.
  bool only_leaves = false;
  // When all is mended, new locks must be taken everywhere within this.
  absl::Duration recovery = absl::Seconds(90);
  // Then this one dies for good, if the others can do without, and they must
  // go on and forget it within as long again.
  std::optional<HostId> mortal;
  // In the end the machines leave, some in turn and some at once, and those
  // that are left go on; then these leave, too.
  bool ends_by_leaving = false;

  static Plan Draw(ChoiceSource* choices);
  // One line for a person.
  std::string Describe() const;
};

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
  // Of a seed: streams (choices.h) of which every choice is the dullest.
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

#endif  // SIM_SWARM_H_
