#include "sim/explore/explorer.h"

#include <algorithm>
#include <utility>

#include "engine/check.h"
#include "engine/fingerprint.h"
#include "sim/explore/beginning.h"
#include "sim/judge/complaint.h"

namespace cachalot::sim {

ExploreResult Explorer::Run(const SmallWorld& world) {
  CHECK(options_.states_max < kNoParent);
  std::vector<State> layer;
  Reach(world, layer);
  while (!layer.empty() && result_.depth < options_.depth_max) {
    std::vector<State> next;
    for (State& state : layer) {
      if (result_.violation.has_value() || !HasRoom()) break;
      if (next.size() >= options_.layer_max) break;
      const State taken = std::move(state);
      Expand(taken, next);
    }
    const bool is_whole = !result_.violation.has_value() && HasRoom() &&
                          next.size() < options_.layer_max;
    if (!is_whole) break;
    ++result_.depth;
    layer = std::move(next);
  }
  result_.fixpoint = layer.empty();
  result_.turns_taken = turns_.taken();
  result_.turns_found = turns_.found();
  return result_;
}

bool Explorer::HasRoom() const { return result_.states < options_.states_max; }

void Explorer::Expand(const State& state, std::vector<State>& next) {
  for (const Choice& choice : state.world.Choices()) {
    if (!HasRoom()) return;
    current_ = {state.number, choice};
    ++result_.transitions;
    SmallWorld world = state.world;
    Complaint complaint = world.Take(choice, turns_).complaint;
    if (complaint.has_value()) {
      result_.violation = BadPath{*std::move(complaint), CurrentPath()};
      return;
    }
    Reach(std::move(world), next);
    if (result_.violation.has_value()) return;
  }
}

void Explorer::Reach(SmallWorld world, std::vector<State>& next) {
  const uint64_t fingerprint = world.ComputeFingerprint();
  if (!known_.insert(fingerprint).second) {
    ++result_.duplicates;
    return;
  }
  ++result_.states;
  result_.hash = Fingerprint().Add(result_.hash).Add(fingerprint).value();
  CheckSome(world, fingerprint);
  const auto number = static_cast<uint32_t>(edges_.size());
  edges_.push_back(current_);
  next.push_back({number, std::move(world)});
}

// Selects states by their hash, so the selection does not depend on the order
// of exploration.
void Explorer::CheckSome(const SmallWorld& world, uint64_t fingerprint) {
  if (options_.progress_every == 0) return;
  if (fingerprint % options_.progress_every != 0) return;
  ++result_.progress_checks;
  Complaint complaint = CheckProgress(world, turns_);
  if (!complaint.has_value()) return;
  result_.violation = BadPath{*std::move(complaint), CurrentPath()};
}

Path Explorer::CurrentPath() const {
  Path path;
  if (edges_.empty()) return path;  // it has not begun
  path = PathTo(current_.parent);
  path.push_back(current_.choice);
  return path;
}

Path Explorer::PathTo(uint32_t number) const {
  Path path;
  while (edges_[number].parent != kNoParent) {
    path.push_back(edges_[number].choice);
    number = edges_[number].parent;
  }
  std::reverse(path.begin(), path.end());
  return path;
}

}  // namespace cachalot::sim
