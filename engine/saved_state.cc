#include "engine/saved_state.h"

#include <algorithm>
#include <utility>

#include "engine/check.h"

namespace cachalot {
namespace {

bool Lists(const std::vector<Voter>& voters, NodeId id) {
  return std::any_of(voters.begin(), voters.end(),
                     [id](const Voter& voter) { return voter.id == id; });
}

void Print(std::ostream& out, const std::vector<Voter>& voters) {
  out << "{";
  const char* separator = "";
  for (const Voter& voter : voters) {
    out << separator << voter.id;
    separator = " ";
  }
  out << "}";
}

}  // namespace

bool Configuration::Contains(NodeId id) const {
  return Lists(voters, id) || Lists(outgoing, id);
}

std::ostream& operator<<(std::ostream& out, const Configuration& config) {
  if (config.IsJoint()) {
    Print(out, config.outgoing);
    out << "->";
  }
  Print(out, config.voters);
  return out;
}

void SavedState::Apply(const StateChange& change) {
  if (change.identity.has_value()) {
    *this = SavedState{.memory = std::move(memory)};
    identity = *change.identity;
  }
  if (change.snapshot.has_value()) {
    snapshot = change.snapshot;
    const LogIndex next = snapshot->index.Next();
    if (first < next) {
      const uint64_t covered = next.value() - first.value();
      const auto end =
          entries.begin() +
          static_cast<ptrdiff_t>(std::min<uint64_t>(covered, entries.size()));
      entries.erase(entries.begin(), end);
      first = next;
    }
    if (change.drops_log) {
      entries.clear();
      first = next;
    }
  }
  if (!change.entries.empty()) {
    CHECK(change.first >= first);
    const uint64_t kept = change.first.value() - first.value();
    CHECK(kept <= entries.size()) << "a gap before " << change.first;
    entries.resize(static_cast<size_t>(kept));
    entries.insert(entries.end(), change.entries.begin(), change.entries.end());
  }
  if (change.term.has_value()) {
    term = *change.term;
    vote = change.vote;
  }
  if (change.memory.has_value()) memory = change.memory;
}

}  // namespace cachalot
