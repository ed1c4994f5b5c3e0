#ifndef SIM_EXPLORE_EXPLORER_H_
#define SIM_EXPLORE_EXPLORER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "sim/explore/choice.h"
#include "sim/explore/small_world.h"
#include "sim/explore/turn_cache.h"

namespace cachalot::sim {

struct ExploreOptions {
  uint64_t states_max = 1000000;
  uint64_t depth_max = 1000;
  // Of the layer that is being explored, in memory: a kilobyte or so each.
  uint64_t layer_max = 2000000;
  // Turns that are remembered: some ten kilobytes each.
  size_t turns_max = 100000;
  // One state in so many is healed, and must then make progress; 0: none.
  uint64_t progress_every = 0;
};

// A broken property, and what led to it.
struct BadPath {
  std::string sentence;
  Path path;
};

struct ExploreResult {
  uint64_t states = 0;       // different ones, the first included
  uint64_t transitions = 0;  // choices taken
  uint64_t duplicates = 0;   // that led to a state which was known
  // All states that so many choices lead to are known.
  uint64_t depth = 0;
  bool fixpoint = false;  // and so are all others
  uint64_t progress_checks = 0;
  uint64_t turns_taken = 0;
  uint64_t turns_found = 0;
  // Depends on every state, in the order of their discovery.
  uint64_t hash = 0;
  std::optional<BadPath> violation;  // by a shortest path
};

// Tries everything that can happen, the nearest first: breadth-first over
// copies of one world, where a state that was reached before, on whatever way,
// is not gone into again. What breaks a property is therefore found by a path
// than which none is shorter.
//
// States are told apart by 64-bit hashes. That two of n different states get
// the same one, and one of them goes unexplored, has odds of n^2 / 2^65: one in
// 37 millions for a million states.
//
// It ends when there is nothing new (a fixpoint: every world within the budget
// was seen), at the first violation, or at a limit.
class Explorer {
 public:
  explicit Explorer(ExploreOptions options)
      : options_(options), turns_(options.turns_max) {}

  ExploreResult Run(const SmallWorld& world);

  // What led to the transition that is being made: for when it ends in a CHECK.
  Path CurrentPath() const;

 private:
  static constexpr uint32_t kNoParent = UINT32_MAX;

  // How a state was first reached.
  struct Step {
    uint32_t parent = kNoParent;
    Choice choice;
  };
  struct State {
    uint32_t number;
    SmallWorld world;
  };

  bool HasRoom() const;
  void Expand(const State& state, std::vector<State>& next);
  void Reach(SmallWorld world, std::vector<State>& next);
  void CheckSome(const SmallWorld& world, uint64_t fingerprint);
  Path PathTo(uint32_t number) const;

  ExploreOptions options_;
  TurnCache turns_;
  ExploreResult result_;
  absl::flat_hash_set<uint64_t> known_;  // looked up, never walked
  std::vector<Step> steps_;              // by the states' numbers
  Step current_;
};

}  // namespace cachalot::sim

#endif  // SIM_EXPLORE_EXPLORER_H_
