#ifndef ENGINE_LOCKS_LOCK_TABLE_H_
#define ENGINE_LOCKS_LOCK_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "engine/cluster_time.h"
#include "engine/command.h"
#include "engine/ids.h"
#include "engine/locks/closed_sessions.h"
#include "engine/locks/lock.h"
#include "engine/locks/memos.h"
#include "engine/locks/sessions.h"
#include "engine/locks/slots.h"
#include "engine/locks/token_counter.h"
#include "engine/request.h"

namespace cachalot {

// Who holds what and who waits: the replicated state machine. A function of
// the log alone, the same on every node. It sees no clock but the entries'
// cluster time, no random number, and not even which node it is on.
//
// The rules:
//  - A lock has one holder, or is not in the table. Each grant belongs to one
//    Acquire and has a token above all before it. Waiters are served in the
//    order of their arrival, in the same entry in which the lock came free.
//  - A lock ends with its release, its deadline or its session. Deadlines take
//    effect by an Expire command alone, and one that is late does no harm.
//  - Each request takes effect once. A retry gets the same answer and changes
//    nothing. The answer is forgotten when the session moves first_outstanding
//    past the request, which can then no longer take effect. A request that
//    waits is remembered for as long as it waits.
//  - No session opens, and so nothing is granted, before the quarantine is over
//    that the first command of the log names.
//  - A session that is over does not come back. Its locks and its places in
//    queues end with it.
//  - A lock that is revoked stays with its holder until the holder releases it,
//    or its deadline or session ends as usual: the holder may believe in it
//    until it is told. But it can no longer be renewed. The holder's node is
//    told with the Revoke, with each KeepAlive and with each Renew of the lock.
//    So nobody else is granted the lock while its holder believes in it. A
//    holder that can be reached releases it within a round trip; one that
//    cannot be reached keeps it until the end of the lease that it had. The
//    first reason stays.
//
// Each Reply carries the index of the entry that caused it, also if it repeats
// an earlier answer; `granted_at` then says which entry made the grant.
//
// A copyable value. Requests beyond the limits of engine/limits.h are refused.
class LockTable {
 public:
  // How many answers of decided requests a KeepAlive repeats, the oldest first:
  // so the loss of a reply is repaired without a retry.
  static constexpr size_t kRepeatedPerKeepAlive = 256;

  LockTable() = default;  // empty

  // Applies the commands of one entry, in order. Returns the replies to the
  // sessions concerned, in order; only the leader sends them.
  // REQUIRES: index rises, time does not fall, from call to call.
  std::vector<Reply> Apply(LogIndex index, ClusterTime time,
                           absl::Span<const LockCommand> commands);
  // The same, without making the replies: for nodes that do not lead.
  void ApplyWithoutReplies(LogIndex index, ClusterTime time,
                           absl::Span<const LockCommand> commands);

  // The earliest deadline of a session or lock; nothing if there is none.
  std::optional<ClusterTime> NextDeadline() const;
  // The sessions and locks that are due at `time`, earliest first, at most
  // `limit` of each: for the leader to propose.
  Expire Due(ClusterTime time, size_t limit) const;

  // One page of locks, ordered by key; sets `*more`.
  std::vector<LockInfo> List(const ListLocksRequest& request, ClusterTime time,
                             bool* more) const;
  std::optional<LockInfo> Find(absl::string_view key, ClusterTime time) const;
  // One page of those who wait for a lock, the first to be served first; sets
  // `*more`.
  std::vector<WaiterInfo> ListWaiters(const ListWaitersRequest& request,
                                      bool* more) const;
  // No grant has had a higher one.
  FencingToken last_token() const { return tokens_.last(); }
  // The last entry that was applied, and its time. Whoever decodes a table
  // compares them with those of its snapshot.
  LogIndex applied() const { return applied_; }
  ClusterTime time() const { return time_; }
  size_t session_count() const { return sessions_.size(); }
  size_t lock_count() const { return locks_.size(); }

  // The whole table as bytes, the same for equal tables; and back. A decoded
  // table behaves exactly as the encoded one.
  //
  // Errors: InvalidArgument (not an encoded table, or a table that no log can
  // produce).
  std::string Encode() const;
  static absl::StatusOr<LockTable> Decode(absl::string_view bytes);

  // Slow; for tests and the simulator.
  void CheckInvariants() const;
  // Of everything that Encode() writes.
  uint64_t Fingerprint() const;

 private:
  // lock_table_codec.cc.
  class Encoder;
  class Decoder;
  // lock_table_fingerprint.cc.
  class Hasher;

  // The entry that is being applied.
  struct Turn {
    LogIndex index;
    ClusterTime time;
    std::vector<Reply>* replies;  // null: nobody is to be told

    // A reply, to be filled in before the next one; null if nobody is to be
    // told.
    Reply* Tell(Reply::Kind kind, const SessionId& session);
    // Tells the outcome of the request `sequence`.
    void Answer(const SessionId& session, Sequence sequence,
                const Decided& decided);
  };

  void Apply(absl::Span<const LockCommand> commands, Turn& turn);

  void Do(const OpenSession& command, Turn& turn);
  void Do(const KeepAlive& command, Turn& turn);
  void Do(const CloseSession& command, Turn& turn);
  void Do(const Acquire& command, Turn& turn);
  void Do(const Renew& command, Turn& turn);
  void Do(const Release& command, Turn& turn);
  void Do(const Withdraw& command, Turn& turn);
  void Do(const Expire& command, Turn& turn);
  void Do(const BeginTerm& command, Turn& turn);
  void Do(const Revoke& command, Turn& turn);

  void ExpireSession(const Expire::OfSession& part, Turn& turn);
  void ExpireLock(const Expire::OfLock& part, Turn& turn);

  // Makes requests exactly-once. The session for which the request is to be
  // carried out now; nothing if there is none or a reply was all it needed.
  template <typename Command>
  std::optional<SessionSlot> Admit(const Command& command, Turn& turn);
  // Answers an Acquire whose memo was forgotten.
  void RepeatForgotten(SessionSlot session, const Acquire& command, Turn& turn);
  // No session waits for the answer to another forgotten request.
  template <typename Command>
  void RepeatForgotten(SessionSlot, const Command&, Turn&) {}
  // The lock of `key` if `token` holds it for `session`.
  std::optional<LockSlot> FindHeld(SessionSlot session, absl::string_view key,
                                   FencingToken token) const;

  // Takes the session's requests out of the queues they wait in.
  void LeaveQueues(SessionSlot session);
  // Ends the session. The caller adds the reply that tells its node.
  void End(SessionSlot session, Turn& turn);
  void Grant(LockSlot lock, Claim&& claim, Turn& turn);
  // Takes the lock from its holder and grants it to the first who waits.
  void PassOn(LockSlot lock, Turn& turn);
  // Remembers the outcome of the request and replies with it.
  void Decide(SessionSlot session, Sequence sequence, Decided&& decided,
              Turn& turn);
  void RepeatDecided(SessionSlot session, Turn& turn) const;

  void TellQueued(const SessionId& session, Sequence sequence, LockSlot lock,
                  Turn& turn) const;

  // Tells the holder that it must release the lock. REQUIRES: it is revoked.
  void TellRevoked(LockSlot lock, Turn& turn) const;

  HolderSeen SeeHolder(LockSlot lock, ClusterTime time) const;
  LockInfo Describe(LockSlot lock, ClusterTime time) const;

  // Whether the parts agree with each other; if not, says where.
  absl::Status Audit() const;
  absl::Status AuditSession(SessionSlot slot) const;
  absl::Status AuditLock(LockSlot slot) const;

  TokenCounter tokens_;
  // The end of the quarantine (BeginTerm): no session opens before. Set by the
  // first command of the log.
  ClusterTime opens_at_;
  // The last entry that was applied, and its cluster time. Neither falls.
  LogIndex applied_;
  ClusterTime time_;
  Sessions sessions_;
  // Which sessions are over: they are not opened again.
  ClosedSessions closed_;
  Locks locks_;
};

}  // namespace cachalot

#endif  // ENGINE_LOCKS_LOCK_TABLE_H_
