#include "engine/consensus/voters.h"

#include <algorithm>

#include "engine/consensus/quorum.h"

namespace cachalot {
namespace {

using State = VoterHealth::State;

size_t LargestOddUpTo(size_t n) { return n % 2 == 1 || n == 0 ? n : n - 1; }

// How many of `alive` voters out of `all` may still be lost.
size_t LossesSurvived(size_t alive, size_t all) {
  const size_t needed = MajorityOf(all);
  return alive < needed ? 0 : alive - needed;
}

}  // namespace

std::optional<std::vector<Voter>> ChooseVoters(
    const std::vector<Voter>& present, const std::vector<VoterHealth>& health,
    int voters_max) {
  std::vector<Voter> chosen;  // in the order of preference
  size_t staying = 0;
  bool someone_leaves = false;
  const auto votes = [&present](const VoterHealth& h) {
    return std::any_of(present.begin(), present.end(),
                       [&h](const Voter& v) { return v.id == h.voter.id; });
  };
  for (const VoterHealth& h : health) {
    if (!votes(h) || h.state == State::kCrashed) continue;
    if (h.state == State::kLeaving) {
      someone_leaves = true;
    } else {
      chosen.insert(h.is_leader ? chosen.begin() : chosen.end(), h.voter);
      ++staying;
    }
  }
  for (const VoterHealth& h : health) {
    if (!votes(h) && h.state == State::kReady) chosen.push_back(h.voter);
  }
  const size_t count =
      LargestOddUpTo(std::min(chosen.size(), static_cast<size_t>(voters_max)));
  if (count == 0) return std::nullopt;
  chosen.resize(count);
  std::sort(chosen.begin(), chosen.end());
  if (chosen == present) return std::nullopt;
  if (someone_leaves) return chosen;
  // Nobody leaves: change the voters only if the new ones survive more losses.
  const size_t before = LossesSurvived(staying, present.size());
  const size_t after = LossesSurvived(count, count);
  if (after > before) return chosen;
  return std::nullopt;
}

}  // namespace cachalot
