#ifndef ENGINE_LOCKS_SESSIONS_H_
#define ENGINE_LOCKS_SESSIONS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "engine/cluster_time.h"
#include "engine/ids.h"
#include "engine/locks/memos.h"
#include "engine/locks/slots.h"

namespace cachalot {

// One open session: a node with its leases, locks and remembered requests.
struct Session {
  SessionId id;
  std::string name;  // the member's
  // How long it lasts without a KeepAlive. TtlMin..TtlMax; does not change.
  absl::Duration ttl;
  // The number of the last KeepAlive that took effect; 0 at first. Rises.
  uint64_t renewal = 0;
  // From this cluster time on an Expire that names `renewal` ends the session.
  // The opening and each effective KeepAlive set it to their time + ttl, and
  // BeginTerm may extend it. Never moves to an earlier time.
  ClusterTime deadline;
  // A new leader has extended the deadline since that KeepAlive (BeginTerm).
  bool grace_used = false;
  // What it holds, in the order of the grants. At most
  // limits::kLocksPerSessionMax unless queues grant it more.
  absl::btree_map<FencingToken, LockSlot> held;
  // Those of them that an administrator has revoked.
  absl::btree_set<FencingToken> revoked;
  Memos memos;
};

// All open sessions, found by id and by deadline.
class Sessions {
 public:
  using ById = absl::btree_map<SessionId, SessionSlot>;

  size_t size() const { return by_id_.size(); }
  const ById& by_id() const { return by_id_; }
  std::optional<SessionSlot> Find(const SessionId& id) const;

  const Session& operator[](SessionSlot slot) const { return sessions_[slot]; }
  Memos& memos(SessionSlot slot) { return sessions_[slot].memos; }
  absl::btree_map<FencingToken, LockSlot>& held(SessionSlot slot) {
    return sessions_[slot].held;
  }

  absl::btree_set<FencingToken>& revoked(SessionSlot slot) {
    return sessions_[slot].revoked;
  }
  // How many of `node` are open; counts no further than `limit`.
  size_t CountOf(NodeId node, size_t limit) const;

  // REQUIRES: no session has its id.
  SessionSlot Add(Session session);
  // REQUIRES: it holds nothing.
  void Remove(SessionSlot slot);

  // Renews the session at `time`. Without effect unless `renewal` is above the
  // last one.
  void Renew(SessionSlot slot, uint64_t renewal, ClusterTime time);
  // See BeginTerm. To extend a deadline is always safe
  // (engine/client/README.md, lemma 2); once per renewal, so that frequent
  // changes of the leader do not keep the sessions of the dead alive.
  void GiveGrace(ClusterTime time, absl::Duration grace);

  std::optional<ClusterTime> NextDeadline() const;
  // At most `limit` sessions whose deadlines `time` has reached, earliest
  // first.
  std::vector<SessionSlot> Due(ClusterTime time, size_t limit) const;

  // Whether the indexes agree with the sessions; if not, says where.
  absl::Status Audit() const;

 private:
  void Extend(SessionSlot slot, ClusterTime deadline);

  SlotPool<SessionSlot, Session> sessions_;
  ById by_id_;
  absl::btree_set<std::pair<ClusterTime, SessionId>> deadlines_;
};

}  // namespace cachalot

#endif  // ENGINE_LOCKS_SESSIONS_H_
