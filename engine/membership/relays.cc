#include "engine/membership/relays.h"

#include <algorithm>

#include "engine/check.h"

namespace cachalot {

bool Relays::Add(SlowInstant now, uint64_t number, const Relay& relay) {
  CHECK(now < relay.nack_at);
  CHECK(relay.nack_at <= relay.end);
  Forget(now);
  if (relays_.size() >= kMax) return false;
  const bool is_new = relays_.emplace(number, relay).second;
  CHECK(is_new) << number;
  return true;
}

std::optional<Relays::Relay> Relays::TakeAnswered(SlowInstant now, NodeId from,
                                                  uint64_t number) {
  const auto found = relays_.find(number);
  if (found == relays_.end() || found->second.end <= now) return std::nullopt;
  if (found->second.target != from) return std::nullopt;
  const Relay relay = found->second;
  relays_.erase(found);
  return relay;
}

std::vector<Relays::Relay> Relays::TakeOverdue(SlowInstant now) {
  std::vector<Relay> overdue;
  for (auto& [number, relay] : relays_) {
    if (relay.nacked || now < relay.nack_at) continue;
    relay.nacked = true;
    overdue.push_back(relay);
  }
  Forget(now);
  return overdue;
}

SlowInstant Relays::NextDeadline() const {
  SlowInstant earliest = SlowInstant::Never();
  for (const auto& [number, relay] : relays_) {
    if (!relay.nacked) earliest = std::min(earliest, relay.nack_at);
  }
  return earliest;
}

void Relays::Forget(SlowInstant now) {
  for (auto relay = relays_.begin(); relay != relays_.end();) {
    relay = relay->second.end <= now ? relays_.erase(relay) : ++relay;
  }
}

void Relays::AddTo(Fingerprint& hash) const {
  for (const auto& [number, relay] : relays_) {
    hash.Add(number).Add(relay.asker).Add(relay.asker_address.ToString());
    hash.Add(relay.asker_number).Add(relay.target);
    hash.Add(relay.nack_at).Add(relay.end).Add(uint64_t{relay.nacked});
  }
}

}  // namespace cachalot
