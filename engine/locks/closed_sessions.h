#ifndef ENGINE_LOCKS_CLOSED_SESSIONS_H_
#define ENGINE_LOCKS_CLOSED_SESSIONS_H_

#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/time/time.h"
#include "engine/cluster_time.h"
#include "engine/ids.h"

namespace cachalot {

// Which sessions are over, so that a delayed OpenSession does not open one
// again. Keeps the highest closed number of each node: a node numbers its
// sessions upwards and does not return to a lower one.
//
// Nodes come and go under new ids, so old records are dropped: no message of a
// process is delayed for longer than Memory().
class ClosedSessions {
 public:
  struct Closed {
    uint64_t number = 0;
    ClusterTime time;  // when that session was closed
  };
  using ByNode = absl::btree_map<NodeId, Closed>;

  static constexpr absl::Duration Memory() { return absl::Hours(48); }

  // Whether `session` or a later one of its node was closed.
  bool Contains(const SessionId& session) const;
  // Also drops what is older than Memory() at `time`, and the oldest beyond
  // limits::kSessionsMax nodes.
  void Add(const SessionId& session, ClusterTime time);

  const ByNode& by_node() const { return by_node_; }

 private:
  void ForgetOldest();

  // At most limits::kSessionsMax. Within one node the number rises.
  ByNode by_node_;
  // The same records, the oldest first.
  absl::btree_set<std::pair<ClusterTime, NodeId>> by_age_;
};

}  // namespace cachalot

#endif  // ENGINE_LOCKS_CLOSED_SESSIONS_H_
