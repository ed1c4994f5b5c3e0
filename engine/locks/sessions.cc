#include "engine/locks/sessions.h"

#include <algorithm>

#include "engine/check.h"

namespace cachalot {

std::optional<SessionSlot> Sessions::Find(const SessionId& id) const {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return std::nullopt;
  return found->second;
}

size_t Sessions::CountOf(NodeId node, size_t limit) const {
  size_t count = 0;
  for (auto it = by_id_.lower_bound(SessionId{node, 0});
       it != by_id_.end() && it->first.node == node && count < limit; ++it) {
    ++count;
  }
  return count;
}

SessionSlot Sessions::Add(Session session) {
  const SessionId id = session.id;
  const ClusterTime deadline = session.deadline;
  const SessionSlot slot = sessions_.Add();
  sessions_[slot] = std::move(session);
  const bool added = by_id_.emplace(id, slot).second;
  CHECK(added) << id << " is open already";
  deadlines_.emplace(deadline, id);
  return slot;
}

void Sessions::Remove(SessionSlot slot) {
  const Session& session = sessions_[slot];
  CHECK(session.held.empty()) << session.id << " still holds locks";
  deadlines_.erase({session.deadline, session.id});
  by_id_.erase(session.id);
  sessions_.Remove(slot);
}

void Sessions::Renew(SessionSlot slot, uint64_t renewal, ClusterTime time) {
  Session& session = sessions_[slot];
  if (renewal <= session.renewal) return;
  session.renewal = renewal;
  session.grace_used = false;
  Extend(slot, time + session.ttl);
}

void Sessions::GiveGrace(ClusterTime time, absl::Duration grace) {
  for (const auto& [id, slot] : by_id_) {
    Session& session = sessions_[slot];
    if (session.grace_used) continue;
    session.grace_used = true;
    Extend(slot, time + std::min(session.ttl, grace));
  }
}

std::optional<ClusterTime> Sessions::NextDeadline() const {
  if (deadlines_.empty()) return std::nullopt;
  return deadlines_.begin()->first;
}

std::vector<SessionSlot> Sessions::Due(ClusterTime time, size_t limit) const {
  std::vector<SessionSlot> due;
  for (const auto& [deadline, id] : deadlines_) {
    if (deadline > time || due.size() == limit) break;
    due.push_back(by_id_.at(id));
  }
  return due;
}

absl::Status Sessions::Audit() const {
  if (deadlines_.size() != by_id_.size()) {
    return absl::InternalError("not as many deadlines as sessions");
  }
  for (const auto& [id, slot] : by_id_) {
    const Session& session = sessions_[slot];
    if (session.id != id)
      return absl::InternalError("a session under another id");
    if (!deadlines_.contains({session.deadline, id})) {
      return absl::InternalError("a session without its deadline");
    }
  }
  return absl::OkStatus();
}

void Sessions::Extend(SessionSlot slot, ClusterTime deadline) {
  Session& session = sessions_[slot];
  if (deadline <= session.deadline) return;
  deadlines_.erase({session.deadline, session.id});
  session.deadline = deadline;
  deadlines_.emplace(deadline, session.id);
}

}  // namespace cachalot
