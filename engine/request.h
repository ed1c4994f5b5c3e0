#ifndef ENGINE_REQUEST_H_
#define ENGINE_REQUEST_H_

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/member.h"

namespace cachalot {

// What a caller asks of its own node, and what it is told.

// Takes `key` for `ttl`, or waits for it in the order of arrival.
struct AcquireRequest {
  std::string key;     // 1..limits::kKeyBytesMax bytes, any bytes
  absl::Duration ttl;  // limits::TtlMin()..limits::TtlMax()
  // How long to wait in the queue; zero: refused at once if it is held. The
  // answer comes no later than this (measured on the node's fast clock).
  absl::Duration wait;
  std::string owner;  // a label of the caller's, shown to others; may be empty
  // What happens when the lock is revoked. True: the holder is told
  // (Belief::kSuspect with LossReason::kRevoked) and keeps the lock until it
  // releases it, or until the lease ends, which cannot be renewed any more.
  // False: belief ends at once, and this node gives the lock back.
  bool releases_itself = false;
};

// Extends the lease that `token` names to `ttl` from now. Never shortens it.
struct RenewRequest {
  std::string key;
  FencingToken token;
  absl::Duration ttl;
};

// Gives up the lock that `token` names. Belief in it ends before the release
// is sent.
struct ReleaseRequest {
  std::string key;
  FencingToken token;
};

// Takes a lock from whoever holds it. Its holder is told, stops believing in
// it and releases it (see AcquireRequest::releases_itself); nobody else is
// granted it before that. A holder that cannot be reached keeps it until its
// lease or its session ends, and cannot renew it. Answered at once with the
// holder.
struct RevokeRequest {
  std::string key;
  FencingToken token;  // only this grant; none: whoever holds it
  std::string reason;  // told to the holder; 1..limits::kReasonBytesMax bytes
};

// Lists locks in the order of their keys.
struct ListLocksRequest {
  std::string prefix;  // only keys that begin with it
  std::string after;   // only keys after it; to read on
  uint32_t limit = 0;  // at most so many; 0 or above the maximum: the maximum

  friend bool operator==(const ListLocksRequest&,
                         const ListLocksRequest&) = default;
};

// Lists who waits for one lock: the first is served first. The queue may change
// between two pages.
struct ListWaitersRequest {
  std::string key;
  uint32_t skip = 0;   // so many at the head of the queue are left out
  uint32_t limit = 0;  // at most so many; 0 or above the maximum: the maximum

  friend bool operator==(const ListWaitersRequest&,
                         const ListWaitersRequest&) = default;
};

// The leader's view of the members and the agreed voters.
struct ListMembersRequest {
  friend bool operator==(const ListMembersRequest&,
                         const ListMembersRequest&) = default;
};

using Request =
    std::variant<AcquireRequest, RenewRequest, ReleaseRequest, ListLocksRequest,
                 ListMembersRequest, RevokeRequest, ListWaitersRequest>;

enum class Outcome : uint8_t {
  kOk,
  // Refused: nothing was changed, and nobody will change it later.
  kHeld,       // a try found the lock held; Answer::holder says by whom
  kTimedOut,   // the wait ended first; the lock is not held by this caller
  kNotHeld,    // renew, release or revoke of what this token does not hold
  kWithdrawn,  // the caller took the request back
  kInvalid,    // the request breaks a limit; Answer::text says which
  kBusy,       // a limit was reached; Answer::text says which
  // No leader answered in time. Nothing is held: should an AcquireRequest have
  // arrived all the same, it is undone.
  kUnavailable,
  kLeaving,  // this node is leaving or has left
  // Unknown: it may have taken effect, or may still do so.
  kUnknown,
};

const char* OutcomeName(Outcome outcome);
std::ostream& operator<<(std::ostream& out, Outcome outcome);

// One lock as the replicated table shows it.
struct LockInfo {
  std::string key;
  FencingToken token;
  SessionId holder;
  std::string holder_name;  // the member's name
  std::string owner;        // the label given with the request
  // What is left of the leases, by cluster time when the table was read.
  // Negative: over, and about to be expired. The holder renews the lock's own
  // lease. The holder's node renews the session's, which all its locks share,
  // as long as it lives and reaches the leader. The lock is free when the first
  // of the two ends.
  absl::Duration remaining;  // min(lease_remaining, session_remaining)
  absl::Duration lease_remaining;
  absl::Duration session_remaining;
  uint32_t waiters = 0;
  // Why it was revoked, if its holder has not released it yet. Empty: it was
  // not revoked.
  std::string revoke_reason;

  friend bool operator==(const LockInfo&, const LockInfo&) = default;
};

// One who waits for a lock.
struct WaiterInfo {
  SessionId session;
  std::string name;   // the member's
  std::string owner;  // the label given with the request

  friend bool operator==(const WaiterInfo&, const WaiterInfo&) = default;
};

struct Answer {
  Outcome outcome = Outcome::kUnknown;
  FencingToken token;  // of a grant; of the holder with kHeld
  // Of a grant or a renewal: until when the lock's own lease may be believed in
  // (AnnounceSession has the other limit). On this node's fast clock.
  FastInstant lease_end;
  // With kHeld: who holds the lock. With kTimedOut, if known: who held it when
  // the leader was last asked, shortly before the wait ended. Of RevokeRequest:
  // the holder from whom it was taken. Of ListWaitersRequest: the holder;
  // nothing if the lock is free.
  std::optional<LockInfo> holder;
  std::vector<LockInfo> locks;      // of ListLocksRequest
  std::vector<WaiterInfo> waiters;  // of ListWaitersRequest
  bool more = false;                // locks, waiters: more come after the last
  std::vector<MemberInfo> members;  // of ListMembersRequest
  std::string text;  // what was wrong, for a person; may be empty
};

// How sure this node is of a lock it was granted (engine/client/README.md).
enum class Belief : uint8_t {
  kHeld,     // nobody else can hold it
  kSuspect,  // still ours, but the lease is running out: start nothing new
  kLost,     // final for this grant
};

const char* BeliefName(Belief belief);
std::ostream& operator<<(std::ostream& out, Belief belief);

enum class LossReason : uint8_t {
  kNone,
  kReleased,  // by its holder
  kExpired,   // the lease ran out on this node's clock
  // The cluster has ended the grant, so another may hold the lock; or an
  // administrator took it: NotifyHolder::text is then the reason that was
  // given.
  kRevoked,
  kWithdrawn,  // granted after its caller had gone
  kLeft,       // this node left the cluster
  kDissolved,  // this node gave up its cluster for another one
  kClosed,     // this process closed its node without leaving
};

const char* LossReasonName(LossReason reason);
std::ostream& operator<<(std::ostream& out, LossReason reason);

}  // namespace cachalot

#endif  // ENGINE_REQUEST_H_
