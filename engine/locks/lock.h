#ifndef ENGINE_LOCKS_LOCK_H_
#define ENGINE_LOCKS_LOCK_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engine/cluster_time.h"
#include "engine/ids.h"
#include "engine/locks/slots.h"
#include "engine/strong_id.h"

namespace cachalot {

// A place in a queue: lower is served first.
using Ticket = StrongId<struct TicketKind>;

// An Acquire that takes a lock or waits for it.
struct Claim {
  SessionSlot session{};
  Sequence acquire;    // its number in that session
  absl::Duration ttl;  // of the lease, from the grant on
  std::string owner;   // the label given with the request; may be empty
};

// One lock: who holds it and who waits.
struct Lock {
  std::string key;
  // The token of the present grant, above that of every earlier grant of the
  // cluster. None while the lock is free, which is the case only while an entry
  // is being applied.
  FencingToken token;
  LogIndex granted_at;  // the entry that made the grant
  Claim holder;
  // From this cluster time on an Expire that names `token` ends the grant. Set
  // by the grant to its time + ttl; a Renew moves it, never to an earlier time.
  ClusterTime deadline;
  // Why the grant is revoked, so that it can no longer be renewed. Empty: it is
  // not revoked. Set once for each grant: the first reason stays.
  std::string revoke_reason;
  // Who waits; the lowest ticket is served first. At most
  // limits::kWaitersPerLockMax.
  absl::btree_map<Ticket, Claim> queue;
};

// All locks that are held, found by key and by deadline.
class Locks {
 public:
  // In the order of the keys. The keys are borrowed from the locks.
  using ByKey = absl::btree_map<absl::string_view, LockSlot>;

  Locks() = default;
  Locks(const Locks& other);
  Locks(Locks&&) = default;
  Locks& operator=(const Locks& other) { return *this = Locks(other); }
  Locks& operator=(Locks&&) = default;

  size_t size() const { return by_key_.size(); }
  const ByKey& by_key() const { return by_key_; }
  const Lock& operator[](LockSlot slot) const { return locks_[slot]; }
  std::optional<LockSlot> Find(absl::string_view key) const;

  // The lock of `key`; a new, free one if there is none.
  LockSlot FindOrAdd(absl::string_view key);
  // REQUIRES: nobody waits.
  void Remove(LockSlot slot);

  // Makes `claim` the holder, in place of whoever held the lock.
  void Grant(LockSlot slot, FencingToken token, LogIndex granted_at,
             Claim&& claim, ClusterTime deadline);
  // Moves the deadline, never to an earlier time.
  void Extend(LockSlot slot, ClusterTime deadline);
  void Revoke(LockSlot slot, std::string reason) {
    locks_[slot].revoke_reason = std::move(reason);
  }

  // To the end of the queue.
  Ticket Enqueue(LockSlot slot, Claim claim);
  // REQUIRES: `ticket` is in the queue.
  void Dequeue(LockSlot slot, Ticket ticket);
  // Takes the first out of the queue; nothing if nobody waits.
  std::optional<Claim> TakeFirst(LockSlot slot);

  std::optional<ClusterTime> NextDeadline() const;
  // At most `limit` locks whose deadlines `time` has reached, earliest first.
  std::vector<LockSlot> Due(ClusterTime time, size_t limit) const;

  // Whether the indexes agree with the locks; if not, says where.
  absl::Status Audit() const;

 private:
  // Ordered by time; the token breaks ties in the same way on every node.
  struct Deadline {
    ClusterTime time;
    FencingToken token;
    LockSlot slot{};

    friend auto operator<=>(const Deadline&, const Deadline&) = default;
  };

  Deadline DeadlineOf(LockSlot slot) const;

  SlotPool<LockSlot, Lock> locks_;
  ByKey by_key_;
  // One for each lock that is held.
  absl::btree_set<Deadline> deadlines_;
  // The last ticket of any lock; rises. It differs between equal tables, so
  // nothing that the table says or decides may depend on it.
  Ticket last_ticket_;
};

}  // namespace cachalot

#endif  // ENGINE_LOCKS_LOCK_H_
