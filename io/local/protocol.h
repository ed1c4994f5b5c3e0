#ifndef IO_LOCAL_PROTOCOL_H_
#define IO_LOCAL_PROTOCOL_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engine/ids.h"
#include "engine/request.h"
#include "io/agent_status.h"

namespace cachalot {

enum class LocalOperation : uint8_t {
  kAcquire,
  kRenew,
  kRelease,
  kWithdraw,
  kListLocks,
  kListMembers,
  kStatus,
  kLeave,
  // Of a lock that was taken at this agent's local socket, named by its key and
  // token; kNotHeld if it is lost.
  kKeep,       // of this connection: it is not released when that ends
  kCheck,      // for how long it may be believed in: LocalReply::belief
  kAwaitLoss,  // answered with kNotHeld when it is lost: LocalReply::loss
  kRevoke,
  kListWaiters,
  // Of a lock that was taken with LocalRequest::releases_itself. Answered with
  // kOk when the program must release it: LocalReply::loss says why, and
  // `belief` for how long it has the lock yet. With kNotHeld when it is lost.
  kAwaitRevocation,
};

// What a program asks of the agent on its machine.
struct LocalRequest {
  // Chosen by the program, for its reply. Not used twice at a time on one
  // connection; one that is gets kInvalid.
  uint64_t id = 0;
  LocalOperation operation = LocalOperation::kStatus;

  // kAcquire, kRenew, kRelease, kRevoke, kListWaiters. Renew and release name
  // the lock by its token; without one, the lock must have been taken through
  // this agent under the same `owner`.
  std::string key;
  std::string owner;
  // Of kRevoke: only this grant; none: whoever holds the lock.
  FencingToken token;
  std::string reason;   // kRevoke
  absl::Duration ttl;   // kAcquire, kRenew
  absl::Duration wait;  // kAcquire
  // kAcquire: the lock, or the place in the queue, is given up when the
  // connection ends. Otherwise the agent keeps it until it is released, or its
  // lease ends.
  bool release_on_disconnect = false;
  // kAcquire, with release_on_disconnect: the agent renews the lease for as
  // long as the connection lasts, from when a kCheck, kAwaitLoss or
  // kAwaitRevocation names the token. Before that the program may not have read
  // that it has the lock: if it is stopped, the lease ends.
  bool keep_renewed = false;
  // kAcquire: the program has something to end before it gives the lock back.
  // It awaits kAwaitRevocation, and then has until the lock's lease ends, or
  // the agent leaves; otherwise a lock that is revoked is lost at once.
  bool releases_itself = false;

  uint64_t withdrawn = 0;  // kWithdraw: the kAcquire of this connection
  ListLocksRequest list;   // kListLocks: one page; `limit` of kListWaiters too
  uint32_t skip = 0;       // kListWaiters: so many at the head of the queue
  // kListLocks, kListMembers: as this node has it, perhaps out of date, instead
  // of what the leader has.
  bool is_local = false;
};

// Exactly one for each request, in any order.
struct LocalReply {
  uint64_t id = 0;
  Answer answer;
  std::optional<AgentStatus> status;  // of kStatus
  // Of kCheck and kAwaitRevocation: for so long nobody else can hold the lock,
  // as the agent saw it when it answered. A program that counts this from
  // before it asked errs to the safe side, however long question and answer
  // take.
  absl::Duration belief;
  // Of kKeep, kCheck, kAwaitLoss and kAwaitRevocation; Answer::text has it in
  // words.
  LossReason loss = LossReason::kNone;
};

// The longest message either way.
inline constexpr size_t kLocalFrameBytesMax = size_t{4} << 20;

std::string EncodeLocal(const LocalRequest& request);
std::string EncodeLocal(const LocalReply& reply);
// Hands the bytes to `take` instead, for as long as that runs.
void EncodeLocal(const LocalReply& reply,
                 absl::FunctionRef<void(absl::string_view)> take);

// Errors: InvalidArgument (not such a message, or beyond a limit). `bytes`
// must be aligned to eight.
absl::StatusOr<LocalRequest> DecodeLocalRequest(absl::string_view bytes);
absl::StatusOr<LocalReply> DecodeLocalReply(absl::string_view bytes);

}  // namespace cachalot

#endif  // IO_LOCAL_PROTOCOL_H_
