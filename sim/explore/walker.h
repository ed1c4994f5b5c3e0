#ifndef SIM_EXPLORE_WALKER_H_
#define SIM_EXPLORE_WALKER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "engine/random.h"
#include "sim/explore/choice.h"
#include "sim/explore/explorer.h"
#include "sim/explore/small_world.h"
#include "sim/explore/turn_cache.h"

namespace cachalot::sim {

struct WalkOptions {
  uint64_t seed = 1;
  uint64_t schedules = 10000;
  // Choices in each schedule.
  uint64_t length = 200;
  // 0: each choice is drawn evenly. Otherwise by priorities, with depth - 1
  // changes of priority.
  uint64_t depth = 3;
  // One schedule in so many must make progress after its end; 0: none.
  uint64_t progress_every = 64;
};

struct WalkResult {
  uint64_t schedules = 0;
  uint64_t steps = 0;
  uint64_t progress_checks = 0;
  uint64_t hash = 0;  // of all that was chosen
  std::optional<BadPath> violation;
};

// Takes many random walks through one small world, to reach deeper states than
// the explorer can.
//
// By priorities (PCT: Burckhardt et al., ASPLOS 2010): each link, machine and
// client gets a random priority, and the possible choice of the highest
// priority is taken. At depth - 1 random points of the schedule the highest
// priority becomes the lowest. If a bug needs `depth` events in a certain
// order, the probability that a schedule finds it does not fall exponentially
// with the length of the schedule, as it does with even draws.
//
// Two things differ from the paper. There is always another deadline, so a
// machine's priority to wake is drawn again each time; otherwise time would
// pass for ever and no packet would arrive. And faults have their own random
// points.
class Walker {
 public:
  explicit Walker(WalkOptions options) : options_(options) {}

  WalkResult Run(const SmallWorld& world);

  // The walk that is being made.
  const Path& path() const { return path_; }

 private:
  // Sources of choices: links, once for streams and once for datagrams; and the
  // wakes, saves and clients of machines.
  static constexpr size_t kSources = 512;

  struct Schedule {
    explicit Schedule(const WalkOptions& options, uint64_t number,
                      const Budget& budget);

    Random random;
    std::array<uint64_t, kSources> priorities;
    uint64_t lowest;                // falls with each change
    std::vector<uint64_t> changes;  // at these steps, ascending
    std::vector<std::pair<uint64_t, Bounded>> faults;
  };

  void Walk(SmallWorld world, Schedule& schedule, bool must_progress);
  Choice Draw(const SmallWorld& world, Schedule& schedule) const;
  Choice DrawEvenly(const SmallWorld& world, Schedule& schedule) const;
  Choice DrawHighest(const SmallWorld& world, Schedule& schedule) const;
  static size_t SourceOf(const SmallWorld& world, const Choice& choice);

  WalkOptions options_;
  // No cache: walks diverge soon, so turns rarely repeat.
  TurnCache turns_ = TurnCache(/*turns_max=*/0);
  WalkResult result_;
  Path path_;
};

}  // namespace cachalot::sim

#endif  // SIM_EXPLORE_WALKER_H_
