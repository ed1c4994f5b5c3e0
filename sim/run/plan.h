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

// All options of a run, drawn at random. Whole families of faults are left out
// at random, because a fault that is always present hides the bugs that need
// its absence (swarm testing, Groce et al. 2012).
struct Plan {
  uint64_t seed = 0;  // 0 if it is from a choice log
  WorldOptions world;
  std::vector<HostOptions> hosts;  // the first founds, or all found together
  std::vector<HostId> latecomers;  // not started at the beginning
  NemesisOptions nemesis;
  WorkloadOptions workload;
  JudgeOptions judge;
  // The founder founds a cluster each time it starts and finds none. So there
  // may be several clusters, which merge when they meet.
  bool founds_again = false;
  absl::Duration quiet;  // time before the first fault
  absl::Duration harm;   // time with faults
  // A small world whose machines leave and come back but never crash: if a
  // cluster is lost, leaving lost it.
  bool only_leaves = false;
  // After the world is healed, every machine must get a lock within this time.
  absl::Duration recovery = absl::Seconds(90);
  // Then this machine, if any, is killed for good, provided that the others
  // keep a majority. They must make progress and remove it within `recovery`.
  std::optional<HostId> victim;
  // At the end machines leave, one or several at a time, and the others must
  // make progress each time; finally the last ones leave together.
  bool ends_by_leaving = false;

  static Plan Draw(ChoiceSource* choices);
  // The plan in one line, for a person.
  std::string Describe() const;
};

}  // namespace cachalot::sim

#endif  // SIM_RUN_PLAN_H_
