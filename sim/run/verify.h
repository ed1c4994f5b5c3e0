#ifndef SIM_RUN_VERIFY_H_
#define SIM_RUN_VERIFY_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/action.h"
#include "engine/event.h"
#include "sim/world/describe.h"
#include "sim/world/host.h"
#include "sim/world/world.h"

namespace cachalot::sim {

// Where a run was after so many steps. The hash depends on every step before
// it: once two runs differ, they differ for ever.
struct Checkpoint {
  uint64_t step = 0;
  uint64_t hash = 0;
  std::string line;  // what the step was, if it was asked for

  friend bool operator==(const Checkpoint&, const Checkpoint&) = default;
};

// At which steps to take checkpoints: at every `every`-th from `first` to
// `last`, and what the steps were.
struct CheckpointOptions {
  uint64_t first = 1;
  uint64_t last = UINT64_MAX;
  uint64_t every = 1024;
  bool with_lines = false;
};

// Takes them.
class CheckpointTaker : public Watcher {
 public:
  explicit CheckpointTaker(CheckpointOptions options) : options_(options) {}

  void Stepped(const World& world, HostId host, const Event& event,
               const Actions& actions) override;

  const std::vector<Checkpoint>& checkpoints() const { return checkpoints_; }

 private:
  CheckpointOptions options_;
  std::vector<Checkpoint> checkpoints_;
};

// The first step at which two runs of one seed were not one run.
struct Difference {
  uint64_t step = 0;
  // What the step was in each; empty if the run was over by then.
  std::string first;
  std::string second;
};

// Runs the seed once more and returns the checkpoints that were asked for, and
// at their end one of the run's last step.
using Rerun =
    std::function<std::vector<Checkpoint>(const CheckpointOptions& options)>;

// Compares two runs, coarsely at first, and then finer where they part.
// Nothing if they are equal from end to end.
std::optional<Difference> FindDifference(const Rerun& first,
                                         const Rerun& second);

}  // namespace cachalot::sim

#endif  // SIM_RUN_VERIFY_H_
