#include "engine/locks/lock.h"

#include <algorithm>

#include "engine/check.h"

namespace cachalot {

Locks::Locks(const Locks& other)
    : locks_(other.locks_),
      deadlines_(other.deadlines_),
      last_ticket_(other.last_ticket_) {
  for (const auto& [key, slot] : other.by_key_) {
    by_key_.emplace_hint(by_key_.end(), locks_[slot].key, slot);
  }
}

std::optional<LockSlot> Locks::Find(absl::string_view key) const {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return std::nullopt;
  return found->second;
}

LockSlot Locks::FindOrAdd(absl::string_view key) {
  const auto place = by_key_.lower_bound(key);
  if (place != by_key_.end() && place->first == key) return place->second;
  const LockSlot slot = locks_.Add();
  Lock& lock = locks_[slot];
  lock.key.assign(key.data(), key.size());
  by_key_.emplace_hint(place, lock.key, slot);
  return slot;
}

void Locks::Remove(LockSlot slot) {
  CHECK(locks_[slot].queue.empty()) << "waiters behind a free lock";
  deadlines_.erase(DeadlineOf(slot));
  by_key_.erase(locks_[slot].key);
  locks_.Remove(slot);
}

void Locks::Grant(LockSlot slot, FencingToken token, LogIndex granted_at,
                  Claim&& claim, ClusterTime deadline) {
  Lock& lock = locks_[slot];
  CHECK(token > lock.token) << token << " after " << lock.token;
  if (!lock.token.IsNone()) deadlines_.erase(DeadlineOf(slot));
  lock.token = token;
  lock.granted_at = granted_at;
  lock.holder = std::move(claim);
  lock.deadline = deadline;
  lock.revoke_reason.clear();
  // Most often the latest of all.
  deadlines_.insert(deadlines_.end(), DeadlineOf(slot));
}

void Locks::Extend(LockSlot slot, ClusterTime deadline) {
  Lock& lock = locks_[slot];
  if (deadline <= lock.deadline) return;
  deadlines_.erase(DeadlineOf(slot));
  lock.deadline = deadline;
  deadlines_.insert(DeadlineOf(slot));
}

Ticket Locks::Enqueue(LockSlot slot, Claim claim) {
  auto& queue = locks_[slot].queue;
  last_ticket_ = last_ticket_.Next();
  queue.emplace_hint(queue.end(), last_ticket_, std::move(claim));
  return last_ticket_;
}

void Locks::Dequeue(LockSlot slot, Ticket ticket) {
  const size_t erased = locks_[slot].queue.erase(ticket);
  CHECK(erased == 1) << "no ticket " << ticket;
}

std::optional<Claim> Locks::TakeFirst(LockSlot slot) {
  auto& queue = locks_[slot].queue;
  if (queue.empty()) return std::nullopt;
  std::optional<Claim> first = std::move(queue.begin()->second);
  queue.erase(queue.begin());
  return first;
}

std::optional<ClusterTime> Locks::NextDeadline() const {
  if (deadlines_.empty()) return std::nullopt;
  return deadlines_.begin()->time;
}

std::vector<LockSlot> Locks::Due(ClusterTime time, size_t limit) const {
  std::vector<LockSlot> due;
  for (const Deadline& deadline : deadlines_) {
    if (deadline.time > time || due.size() == limit) break;
    due.push_back(deadline.slot);
  }
  return due;
}

absl::Status Locks::Audit() const {
  if (deadlines_.size() != by_key_.size()) {
    return absl::InternalError("not as many deadlines as locks");
  }
  std::vector<FencingToken> tokens;
  for (const auto& [key, slot] : by_key_) {
    const Lock& lock = locks_[slot];
    if (lock.key != key) return absl::InternalError("a lock under another key");
    if (lock.token.IsNone()) return absl::InternalError("a free lock");
    if (!deadlines_.contains(DeadlineOf(slot))) {
      return absl::InternalError("a lock without its deadline");
    }
    tokens.push_back(lock.token);
  }
  std::sort(tokens.begin(), tokens.end());
  if (std::adjacent_find(tokens.begin(), tokens.end()) != tokens.end()) {
    return absl::InternalError("a token twice");
  }
  return absl::OkStatus();
}

Locks::Deadline Locks::DeadlineOf(LockSlot slot) const {
  return {locks_[slot].deadline, locks_[slot].token, slot};
}

}  // namespace cachalot
