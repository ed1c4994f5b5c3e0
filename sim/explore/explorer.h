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
  // States of the next layer, in memory: about a kilobyte each.
  uint64_t layer_max = 2000000;
  // Cached turns: about ten kilobytes each.
  size_t turns_max = 100000;
  // One state in so many is healed and must make progress; 0: none.
  uint64_t progress_every = 0;
};

// A broken property, and what led to it.
struct BadPath {
  std::string sentence;
  Path path;
};

struct ExploreResult {
  uint64_t states = 0;       // distinct states, including the first
  uint64_t transitions = 0;  // choices taken
  uint64_t duplicates = 0;   // transitions that led to a known state
  // All states within so many choices were explored.
  uint64_t depth = 0;
  bool fixpoint = false;  // all reachable states were explored
  uint64_t progress_checks = 0;
  uint64_t turns_taken = 0;
  uint64_t turns_found = 0;
  // Depends on every state, in the order of discovery.
  uint64_t hash = 0;
  std::optional<BadPath> violation;  // with a shortest path
};

// Explores all executions of a small world, breadth-first, over copies of the
// world. Each state is explored once. So a violation is found with a shortest
// path.
//
// States are compared by 64-bit hashes. The probability that two of n states
// share a hash, so that one is not explored, is n^2 / 2^65: one in 37 million
// for a million states.
//
// Ends when there is no new state (a fixpoint: every state within the budget
// was explored), at the first violation, or at a limit.
class Explorer {
 public:
  explicit Explorer(ExploreOptions options)
      : options_(options), turns_(options.turns_max) {}

  ExploreResult Run(const SmallWorld& world);

  // The path including the current transition, for when it fails a CHECK.
  Path CurrentPath() const;

 private:
  static constexpr uint32_t kNoParent = UINT32_MAX;

  // How a state was first reached.
  struct Edge {
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
  std::vector<Edge> edges_;              // by the states' numbers
  Edge current_;
};

}  // namespace cachalot::sim

#endif  // SIM_EXPLORE_EXPLORER_H_
