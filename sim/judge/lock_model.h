#ifndef SIM_JUDGE_LOCK_MODEL_H_
#define SIM_JUDGE_LOCK_MODEL_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "engine/cluster_time.h"
#include "engine/command.h"
#include "engine/ids.h"
#include "engine/locks/lock_table.h"
#include "engine/request.h"
#include "sim/judge/complaint.h"

namespace cachalot::sim {

// The rules of the lock table (engine/locks/lock_table.h) written a second
// time, to be read: plain maps, no slots, no indexes, no bytes, nothing shared
// with the engine but the commands and their limits. A mistake in LockTable is
// the same on every node, so that all tables agree and all are wrong; beside
// this model it shows in the first reply that differs.
//
// The judge applies each committed entry to it; the property tests of the lock
// table apply random entries to both.
class LockModel {
 public:
  // A lease that an entry gave or prolonged, for `ttl` from that entry.
  struct Lease {
    SessionId session;
    FencingToken token;  // none: the lease of the session itself
    absl::Duration ttl;
  };

  enum class End : uint8_t { kReleased, kExpired, kWithdrawn, kSessionOver };

  // A grant that an entry ended.
  struct Ended {
    SessionId session;
    std::string key;
    FencingToken token;
    End how = End::kReleased;
  };

  // The effects of one entry, in order.
  struct Effects {
    std::vector<Reply> replies;
    std::vector<Lease> leases;
    std::vector<Ended> ended;
    uint64_t sessions_opened = 0;
    uint64_t sessions_closed = 0;
    uint64_t sessions_expired = 0;
    uint64_t queued = 0;
    uint64_t granted = 0;
    uint64_t granted_after_wait = 0;
  };

  // What a session owns.
  struct Holdings {
    SessionId session;
    std::vector<FencingToken> held;
    size_t waiting = 0;  // places in queues
  };

  // REQUIRES: index rises, time does not fall, from call to call.
  const Effects& Apply(LogIndex index, ClusterTime time,
                       absl::Span<const LockCommand> commands);

  // The grant that holds `key`; none if it is free.
  FencingToken HolderOf(absl::string_view key) const;
  // Why the holder's grant was revoked; empty: it was not, or the lock is free.
  std::string RevokeReasonOf(absl::string_view key) const;
  bool HasSession(const SessionId& session) const {
    return sessions_.contains(session);
  }

  // As LockTable's functions of the same names.
  std::optional<ClusterTime> NextDeadline() const;
  Expire Due(ClusterTime time, size_t limit) const;
  std::vector<LockInfo> List(const ListLocksRequest& request, ClusterTime time,
                             bool* more) const;
  std::vector<WaiterInfo> ListWaiters(const ListWaitersRequest& request,
                                      bool* more) const;

  // Whether `table` has the same sessions, locks, queues and deadlines.
  Complaint Compare(const LockTable& table) const;
  // What each open session owns.
  std::vector<Holdings> sessions() const;

 private:
  // Of a session that holds a lock, or waits for it.
  struct Claim {
    SessionId session;
    Sequence acquire;
    absl::Duration ttl;
    std::string owner;
  };

  struct Lock {
    Claim holder;
    FencingToken token;
    LogIndex granted_at;
    ClusterTime deadline;
    std::string revoke_reason;  // of the holder's grant; empty: not revoked
    std::deque<Claim> queue;
  };

  struct Session {
    std::string name;
    absl::Duration ttl;
    uint64_t renewal = 0;
    ClusterTime deadline;
    bool had_grace = false;
    std::map<FencingToken, std::string> held;  // the keys, by grant
    // Requests below it are forgotten, except those that wait.
    Sequence first = Sequence(1);
    std::map<Sequence, Reply> decided;
    std::map<Sequence, std::string> waiting;  // the keys
  };

  // The highest session of a node that is over, and when it was closed.
  struct Closed {
    uint64_t number = 0;
    ClusterTime time;
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

  // The session, if the request is new. Otherwise replies to it, if a reply is
  // due, and returns null.
  template <typename Command>
  Session* Admit(const Command& command);
  void AnswerForgotten(const Acquire& command);
  static void Forget(Session& session, Sequence first);
  void EndSession(const SessionId& id);

  void Grant(const std::string& key, Claim claim);
  // Ends the grant and gives the lock to the first who waits.
  void PassOn(const std::string& key, End how);
  static void LeaveQueue(Lock& lock, const SessionId& id, Sequence acquire);
  static bool IsOf(const Claim& claim, const SessionId& id, Sequence acquire);

  Session* Find(const SessionId& id);
  // The lock of `key`, if `token` is the session's grant of it.
  Lock* FindHeld(const SessionId& id, const std::string& key,
                 const FencingToken& token);
  bool IsClosed(const SessionId& id) const;
  void Close(const SessionId& id);
  void RaiseTokens(FencingToken floor);

  Reply MakeReply(Reply::Kind kind, const SessionId& session) const;
  // Sets the fields of `reply` that say who holds `lock`.
  void ShowHolder(const Lock& lock, Reply& reply) const;
  void Tell(Reply reply) { effects_.replies.push_back(std::move(reply)); }
  void TellQueued(const SessionId& session, Sequence sequence,
                  const Lock& lock);
  void TellRevoked(const std::string& key, const Lock& lock);
  void Answer(const SessionId& session, Sequence sequence, Outcome outcome,
              Limit limit = Limit::kNone);
  // Answers, and remembers the answer for retries.
  void Decide(const SessionId& session, Sequence sequence, Outcome outcome,
              const FencingToken& token = {});
  void Decide(Reply answer);
  void Refuse(const SessionId& session, Sequence sequence, Limit limit);
  void Repeat(Reply answer);

  bool HasQueue(const LockTable& table, const std::string& key) const;
  LockInfo InfoOf(const std::string& key, const Lock& lock,
                  ClusterTime time) const;

  FencingToken last_token_;
  std::map<SessionId, Session> sessions_;
  std::map<std::string, Lock, std::less<>> locks_;
  std::map<NodeId, Closed> closed_;

  // The entry at hand.
  LogIndex index_;
  ClusterTime time_;
  ClusterTime opens_at_;  // no session opens before
  Effects effects_;
};

// Both must give the sessions the same replies, in the same order.
Complaint CheckReplies(LogIndex index, const std::vector<Reply>& model,
                       const std::vector<Reply>& table);

}  // namespace cachalot::sim

#endif  // SIM_JUDGE_LOCK_MODEL_H_
