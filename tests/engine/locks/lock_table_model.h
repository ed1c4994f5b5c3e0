#ifndef TESTS_ENGINE_LOCKS_LOCK_TABLE_MODEL_H_
#define TESTS_ENGINE_LOCKS_LOCK_TABLE_MODEL_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "engine/cluster_time.h"
#include "engine/command.h"
#include "engine/ids.h"
#include "engine/request.h"

namespace cachalot {

// What LockTable is to do, said as simply as it can be: plain lists, walked
// from the front each time. Sizes are not limited.
class LockTableModel {
 public:
  explicit LockTableModel(Epoch epoch) : epoch_(epoch) {}

  std::vector<Reply> Apply(LogIndex index, ClusterTime time,
                           absl::Span<const LockCommand> commands);
  std::optional<ClusterTime> NextDeadline() const;
  Expire Due(ClusterTime time, size_t limit) const;
  std::vector<LockInfo> List(const ListLocksRequest& request, ClusterTime time,
                             bool* more) const;
  std::vector<WaiterInfo> ListWaiters(const ListWaitersRequest& request,
                                      bool* more) const;
  Epoch epoch() const { return epoch_; }
  size_t session_count() const { return sessions_.size(); }
  size_t lock_count() const { return locks_.size(); }

 private:
  struct Session {
    SessionId id;
    std::string name;
    absl::Duration ttl;
    uint64_t renewal = 0;
    ClusterTime deadline;
    bool grace_used = false;
    Sequence first_outstanding = Sequence(1);
    std::vector<Reply> decided;  // in any order
  };
  struct Closed {
    SessionId id;
    ClusterTime time;
  };
  struct Lock {
    Acquire acquire;
    FencingToken token;
    ClusterTime deadline;
    std::string revoke_reason;
  };

  void Do(const OpenSession& command);
  void Do(const KeepAlive& command);
  void Do(const CloseSession& command);
  void Do(const Acquire& command);
  void Do(const Renew& command);
  void Do(const Release& command);
  void Do(const Withdraw& command);
  void Do(const Expire& command);
  void Do(const BeginTerm& command);
  void Do(const Revoke& command);

  // Whether the request is to be carried out; replies if it is not.
  template <typename Command>
  bool Admit(const Command& command);
  void Decide(const SessionId& session, Sequence sequence, Reply reply);
  void Decide(const SessionId& session, Sequence sequence, Outcome outcome);
  void SayMustRelease(const Lock& lock);
  void Say(Reply::Kind kind, const SessionId& session);
  void Remember(const SessionId& session);
  bool WasClosed(const SessionId& session) const;
  void MoveFirst(Session& session, Sequence first);
  void Leave(const SessionId& session, Sequence sequence);
  void EndSession(const SessionId& id);
  void Grant(const Acquire& acquire);
  void Free(const std::string& key);

  Session* FindSession(const SessionId& id);
  const Session* FindSession(const SessionId& id) const;
  Lock* FindLock(const std::string& key);
  const Reply* FindDecided(const SessionId& id, Sequence sequence) const;
  bool IsWaiting(const SessionId& id, Sequence sequence) const;
  LockInfo Describe(const Lock& lock, ClusterTime time) const;
  void Show(const std::string& key, Reply& reply);

  Epoch epoch_;
  LogIndex index_;
  ClusterTime time_;
  uint32_t grants_ = 0;
  std::vector<Reply> replies_;
  std::vector<Session> sessions_;
  std::vector<Closed> closed_;
  std::vector<Lock> locks_;
  std::vector<Acquire> waiting_;  // for whatever lock, in order of arrival
};

}  // namespace cachalot

#endif  // TESTS_ENGINE_LOCKS_LOCK_TABLE_MODEL_H_
