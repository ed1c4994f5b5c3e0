#include "engine/membership/relays.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
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

std::optional<Relays::Relay> Relays::TakeAnswered(NodeId from,
                                                  uint64_t number) {
  const auto found = relays_.find(number);
  if (found == relays_.end()) return std::nullopt;
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

void Relays::AppendState(std::string& text) const {
  for (const auto& [number, relay] : relays_) {
    absl::StrAppend(&text, number, ",", relay.asker.ToString(), ",",
                    relay.asker_address.ToString(), ",", relay.asker_number,
                    ",", relay.target.ToString(), ",",
                    relay.nack_at.nanoseconds(), ",", relay.end.nanoseconds(),
                    ",", relay.nacked, ";");
  }
}

}  // namespace cachalot
