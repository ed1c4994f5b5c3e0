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
  // Choices in each.
  uint64_t length = 200;
  // 0: each choice is drawn evenly. Else by priorities, with one change less
  // than this.
  uint64_t depth = 3;
  // One schedule in so many must make progress at its end; 0: none.
  uint64_t progress_every = 64;
};

struct WalkResult {
  uint64_t schedules = 0;
  uint64_t steps = 0;
  uint64_t progress_checks = 0;
  uint64_t hash = 0;  // of all that was chosen
  std::optional<BadPath> violation;
};

// Many walks through one small world, each down a way of its own, for what lies
// deeper than the explorer can go.
//
// By priorities (PCT: Burckhardt et al., ASPLOS 2010): each link, machine and
// client has a priority that is drawn once, and what may happen to the highest
// happens. At depth - 1 points of the schedule, drawn too, the highest becomes
// the lowest. A bug that needs `depth` things to happen in one order is met by
// a schedule with a chance that does not fall exponentially with its length, as
// that of an even draw does. Ours differs in two ways. Deadlines never end, so
// a machine's priority to be woken is drawn anew each time: else time would
// pass for ever and nothing arrive. And faults happen at points of their own.
class Walker {
 public:
  explicit Walker(WalkOptions options) : options_(options) {}

  WalkResult Run(const SmallWorld& world);

  // The walk that is being made.
  const Path& path() const { return path_; }

 private:
  // Links for streams and for datagrams; wakes, saves and clients.
  static constexpr size_t kSources = 512;

  struct Schedule {
    explicit Schedule(const WalkOptions& options, uint64_t number,
                      const Budget& budget);

    Random random;
    std::array<uint64_t, kSources> priorities;
    uint64_t lowest;                // falls with each change
    std::vector<uint64_t> changes;  // steps, in order
    std::vector<std::pair<uint64_t, Bounded>> faults;
  };

  void Walk(SmallWorld world, Schedule& schedule, bool must_progress);
  Choice Draw(const SmallWorld& world, Schedule& schedule) const;
  Choice DrawEvenly(const SmallWorld& world, Schedule& schedule) const;
  Choice DrawHighest(const SmallWorld& world, Schedule& schedule) const;
  static size_t SourceOf(const SmallWorld& world, const Choice& choice);

  WalkOptions options_;
  // Walks part soon: few of their turns were taken before.
  TurnCache turns_ = TurnCache(/*turns_max=*/0);
  WalkResult result_;
  Path path_;
};

}  // namespace cachalot::sim

#endif  // SIM_EXPLORE_WALKER_H_
