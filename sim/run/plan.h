#ifndef SIM_RUN_PLAN_H_
#define SIM_RUN_PLAN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "sim/clients/workload.h"
#include "sim/judge/judge.h"
#include "sim/run/nemesis.h"
#include "sim/world/choices.h"
#include "sim/world/host.h"
#include "sim/world/world.h"

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

}  // namespace cachalot::sim

#endif  // SIM_RUN_PLAN_H_
