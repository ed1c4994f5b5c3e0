#include "sim/explore/judge_memory.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "engine/fingerprint.h"

namespace cachalot::sim {
namespace {

// Notes `value` at `index`. False if another value was noted there before.
bool Agrees(std::vector<uint64_t>& noted, LogIndex index, uint64_t value) {
  const auto position = static_cast<size_t>(index.value());
  if (noted.size() <= position) noted.resize(position + 1);
  if (noted[position] == 0) noted[position] = value;
  return noted[position] == value;
}

}  // namespace

JudgeMemory::Cluster& JudgeMemory::At(ClusterId id) {
  const auto place = std::lower_bound(
      clusters_.begin(), clusters_.end(), id,
      [](const Cluster& cluster, ClusterId id) { return cluster.id < id; });
  if (place != clusters_.end() && place->id == id) return *place;
  return *clusters_.insert(place, Cluster{.id = id});
}

Complaint JudgeMemory::ObserveLeader(ClusterId cluster, Term term,
                                     NodeId leader) {
  auto& leaders = At(cluster).leaders;
  const std::pair<Term, NodeId> entry(term, leader);
  const auto place = std::lower_bound(leaders.begin(), leaders.end(),
                                      std::make_pair(term, NodeId()));
  if (place == leaders.end() || place->first != term) {
    leaders.insert(place, entry);
    return std::nullopt;
  }
  if (place->second == leader) return std::nullopt;
  return absl::StrCat("two leaders in term ", term.value(), ": ",
                      place->second.ToShortString(), " and ",
                      leader.ToShortString());
}

Complaint JudgeMemory::ObserveCommit(ClusterId cluster, LogIndex index,
                                     uint64_t entry) {
  if (Agrees(At(cluster).entries, index, entry)) return std::nullopt;
  return absl::StrCat("two different entries were committed at index ",
                      index.value());
}

Complaint JudgeMemory::ObserveTable(ClusterId cluster, LogIndex applied,
                                    uint64_t table) {
  if (Agrees(At(cluster).tables, applied, table)) return std::nullopt;
  return absl::StrCat("two lock tables differ after entry ", applied.value());
}

Complaint JudgeMemory::ObserveGrant(absl::string_view key,
                                    const FencingToken& token) {
  if (token <= last_token_) {
    return absl::StrCat(key, " was granted with token ", token.ToString(),
                        " after it had been granted with ",
                        last_token_.ToString());
  }
  last_token_ = token;
  return std::nullopt;
}

uint64_t JudgeMemory::fingerprint() const {
  Fingerprint hash;
  hash.Add(last_token_);
  for (const Cluster& cluster : clusters_) {
    hash.Add(cluster.id).Add(uint64_t{cluster.leaders.size()});
    for (const auto& [term, leader] : cluster.leaders) {
      hash.Add(term).Add(leader);
    }
    hash.Add(uint64_t{cluster.entries.size()});
    for (const uint64_t entry : cluster.entries) hash.Add(entry);
    for (const uint64_t table : cluster.tables) hash.Add(table);
  }
  return hash.value();
}

}  // namespace cachalot::sim
