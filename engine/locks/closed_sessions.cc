#include "engine/locks/closed_sessions.h"

#include "engine/limits.h"

namespace cachalot {

bool ClosedSessions::Contains(const SessionId& session) const {
  const auto found = by_node_.find(session.node);
  return found != by_node_.end() && session.number <= found->second.number;
}

void ClosedSessions::Add(const SessionId& session, ClusterTime time) {
  if (session.IsNone() || Contains(session)) return;
  Closed& closed = by_node_[session.node];
  by_age_.erase({closed.time, session.node});
  closed = {session.number, time};
  by_age_.emplace(time, session.node);
  while (by_age_.size() > limits::kSessionsMax ||
         by_age_.begin()->first + Memory() < time) {
    ForgetOldest();
  }
}

void ClosedSessions::ForgetOldest() {
  by_node_.erase(by_age_.begin()->second);
  by_age_.erase(by_age_.begin());
}

}  // namespace cachalot
