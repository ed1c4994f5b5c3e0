#ifndef ENGINE_COMMAND_H_
#define ENGINE_COMMAND_H_

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "engine/cluster_time.h"
#include "engine/ids.h"
#include "engine/request.h"

namespace cachalot {

// Commands to the replicated lock table. Whether one takes effect depends on
// the table alone, and so on the order of the log; never on who proposed it or
// how often it was proposed.

// Idempotent: an open session stays as it is.
struct OpenSession {
  SessionId session;
  absl::Duration ttl;
  std::string name;  // the member's, for people
  // At least the highest token that the opener has seen in any cluster: tokens
  // granted from here on are above it.
  FencingToken token_floor;

  friend bool operator==(const OpenSession&, const OpenSession&) = default;
};

// Effective if `renewal` is above the session's last.
struct KeepAlive {
  SessionId session;
  uint64_t renewal = 0;
  Sequence first_outstanding;  // see Acquire

  friend bool operator==(const KeepAlive&, const KeepAlive&) = default;
};

// Releases all that the session owns.
struct CloseSession {
  SessionId session;

  friend bool operator==(const CloseSession&, const CloseSession&) = default;
};

// Takes the lock, or queues for it if `waits`.
struct Acquire {
  SessionId session;
  Sequence sequence;
  // The session's first request whose outcome it does not know. Requests below
  // it are not sent again, except an Acquire that the session knows to wait. So
  // the table may forget what it answered them.
  Sequence first_outstanding;
  std::string key;
  absl::Duration ttl;
  bool waits = false;
  std::string owner;

  friend bool operator==(const Acquire&, const Acquire&) = default;
};

// Effective if `token` holds `key` for this session. Never shortens a lease.
struct Renew {
  SessionId session;
  Sequence sequence;
  Sequence first_outstanding;
  std::string key;
  FencingToken token;
  absl::Duration ttl;

  friend bool operator==(const Renew&, const Renew&) = default;
};

// Effective if `token` holds `key` for this session.
struct Release {
  SessionId session;
  Sequence sequence;
  Sequence first_outstanding;
  std::string key;
  FencingToken token;

  friend bool operator==(const Release&, const Release&) = default;
};

// Takes back the Acquire numbered `acquire`: it leaves the queue if it waits,
// its lock is released if it was granted, and it is never granted if it has not
// arrived yet.
struct Withdraw {
  SessionId session;
  Sequence sequence;
  Sequence first_outstanding;
  std::string key;  // the Acquire's
  Sequence acquire;

  friend bool operator==(const Withdraw&, const Withdraw&) = default;
};

// Conditional, so that duplicates, delays and former leaders do no harm. Each
// part takes effect if the entry's cluster time has reached the deadline and,
// of a session, the last renewal is still `renewal`; of a lock, the grant is
// still `token`.
struct Expire {
  struct OfSession {
    SessionId session;
    uint64_t renewal = 0;

    friend bool operator==(const OfSession&, const OfSession&) = default;
  };
  struct OfLock {
    std::string key;
    FencingToken token;

    friend bool operator==(const OfLock&, const OfLock&) = default;
  };
  std::vector<OfSession> sessions;
  std::vector<OfLock> locks;

  bool empty() const { return sessions.empty() && locks.empty(); }
  friend bool operator==(const Expire&, const Expire&) = default;
};

// The first command of each term. Sessions that have had no grace since their
// last renewal get `grace` from here: their keep-alives may have been lost with
// the former leader. Locks' own deadlines are not touched.
struct BeginTerm {
  absl::Duration grace;
  // Where the tokens of the leader's cluster begin: all are above it.
  FencingToken token_base;
  // In the first command of the first term: for how long no session may open,
  // because holders of an earlier cluster may still believe in their locks. In
  // later terms it has no effect. [0, limits::TtlMax()]
  absl::Duration quarantine;

  friend bool operator==(const BeginTerm&, const BeginTerm&) = default;
};

// An administrator takes the lock from whoever holds it, whose grant is `token`
// if that is given. Nobody is granted it by this: see LockTable.
struct Revoke {
  SessionId session;  // the administrator's
  Sequence sequence;
  Sequence first_outstanding;
  std::string key;
  FencingToken token;  // none: whatever grant holds it
  std::string reason;

  friend bool operator==(const Revoke&, const Revoke&) = default;
};

using LockCommand =
    std::variant<OpenSession, KeepAlive, CloseSession, Acquire, Renew, Release,
                 Withdraw, Expire, BeginTerm, Revoke>;

// The limit (engine/limits.h) for which a request was told kBusy.
enum class Limit : uint8_t {
  kNone,
  kSessions,
  kSessionsPerNode,
  kLocks,
  kLocksPerSession,
  kWaitersPerLock,
  kWaitersPerSession,
  kRequestsPerSession,
};

// What the leader tells a session's node: the result of one of its commands, or
// what happened to one of its locks.
struct Reply {
  enum class Kind : uint8_t {
    kOpened,       // OpenSession
    kKept,         // KeepAlive; `renewal` says which
    kClosed,       // CloseSession
    kAnswered,     // the request `sequence` is decided: `outcome`
    kQueued,       // the Acquire `sequence` waits
    kSessionGone,  // there is no such session (any more)
    kRevoked,      // `token` of `key` was taken from the session
    kMustRelease,  // `token` of `key` is revoked, because of `text`: to be
                   // released by the session
    kQuarantined,  // no session may open yet; `session_remaining`: for how long
  };
  Kind kind = Kind::kAnswered;
  SessionId session;
  Sequence sequence;
  uint64_t renewal = 0;
  Outcome outcome = Outcome::kOk;
  // The grant; with a holder, the holder's; with kOpened and kKept, the last of
  // the whole table.
  FencingToken token;
  // The log entry that caused this reply.
  LogIndex index;
  // Of an Acquire that was granted: the entry that granted it, also where the
  // answer is repeated. A send that was answered at a lower index came before
  // the grant.
  LogIndex granted_at;
  std::string key;  // with kRevoked and kMustRelease
  // With kHeld, with kQueued, and of a Revoke: who holds the lock, and what is
  // left of the two leases. With kQuarantined, what is left of the quarantine.
  absl::Duration lease_remaining;
  absl::Duration session_remaining;
  SessionId holder;
  std::string holder_name;
  std::string owner;
  Limit limit = Limit::kNone;  // with kBusy
  std::string text;            // with kMustRelease

  friend bool operator==(const Reply&, const Reply&) = default;
};

// "opened", "must release". For people.
const char* ReplyKindName(Reply::Kind kind);

}  // namespace cachalot

#endif  // ENGINE_COMMAND_H_
