#include "engine/membership/gossip.h"

#include "absl/algorithm/container.h"
#include "engine/wire/codec.h"

namespace cachalot {

size_t EncodedSizeMax(const std::vector<MemberFact>& facts) {
  size_t bytes = 0;
  for (const MemberFact& fact : facts) bytes += EncodedSizeMax(fact);
  return bytes;
}

void GossipQueue::Put(const MemberFact& fact) {
  Drop(fact.id);
  const Place place = {
      .urgency = Urgency(fact), .sends = 0, .age = next_age_--};
  queue_.emplace(place, fact);
  places_.emplace(fact.id, place);
}

void GossipQueue::Drop(NodeId member) {
  const auto found = places_.find(member);
  if (found == places_.end()) return;
  queue_.erase(found->second);
  places_.erase(found);
}

void GossipQueue::Take(NodeId receiver, int sends_max, size_t bytes_max,
                       std::vector<MemberFact>& facts) {
  size_t bytes = EncodedSizeMax(facts);
  std::vector<Place> taken;
  for (const auto& [place, fact] : queue_) {
    if (fact.id == receiver && fact.state == MemberState::kAlive) continue;
    const auto is_same_member = [&fact = fact](const MemberFact& other) {
      return other.id == fact.id;
    };
    if (absl::c_any_of(facts, is_same_member)) continue;
    bytes += EncodedSizeMax(fact);
    if (bytes > bytes_max) break;
    facts.push_back(fact);
    taken.push_back(place);
  }
  for (Place place : taken) {
    auto node = queue_.extract(place);
    if (++place.sends >= sends_max) {
      places_.erase(node.mapped().id);
      continue;
    }
    places_[node.mapped().id] = place;
    node.key() = place;
    queue_.insert(std::move(node));
  }
}

const MemberFact* GossipQueue::Find(NodeId member) const {
  const auto found = places_.find(member);
  return found == places_.end() ? nullptr : &queue_.find(found->second)->second;
}

int GossipQueue::Urgency(const MemberFact& fact) const {
  if (fact.id == self_) return 0;
  return fact.state == MemberState::kAlive ? 2 : 1;
}

void GossipQueue::AddTo(Fingerprint& hash) const {
  for (const auto& [place, fact] : queue_) {
    hash.Add(static_cast<uint64_t>(place.urgency));
    hash.Add(static_cast<uint64_t>(place.sends)).Add(place.age);
    hash.Add(fact.id).Add(fact.incarnation);
    hash.Add(static_cast<uint64_t>(fact.state));
  }
}

}  // namespace cachalot
