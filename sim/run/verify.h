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

// The state of a run after `step` steps. The hash depends on every step before:
// once two runs differ, all later hashes differ.
struct Checkpoint {
  uint64_t step = 0;
  uint64_t hash = 0;
  std::string line;  // describes the step, if asked for

  friend bool operator==(const Checkpoint&, const Checkpoint&) = default;
};

// Which checkpoints to take: one at each `every`-th step from `first` to
// `last`.
struct CheckpointOptions {
  uint64_t first = 1;
  uint64_t last = UINT64_MAX;
  uint64_t every = 1024;
  bool with_lines = false;
};

// Takes checkpoints while a world runs.
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

// The first step at which two runs of one seed differ.
struct Difference {
  uint64_t step = 0;
  // The step in each run; empty if the run had ended before.
  std::string first;
  std::string second;
};

// Runs the seed again. Returns the requested checkpoints, followed by one of
// the run's last step.
using Rerun =
    std::function<std::vector<Checkpoint>(const CheckpointOptions& options)>;

// Compares two runs: first a few checkpoints, then each step where they differ.
// Nothing if the runs are equal.
std::optional<Difference> FindDifference(const Rerun& first,
                                         const Rerun& second);

}  // namespace cachalot::sim

#endif  // SIM_RUN_VERIFY_H_
