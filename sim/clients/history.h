#ifndef SIM_CLIENTS_HISTORY_H_
#define SIM_CLIENTS_HISTORY_H_

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/ids.h"
#include "engine/request.h"
#include "sim/world/instant.h"

namespace cachalot::sim {

enum class OperationKind : uint8_t {
  kTry,
  kLock,  // an acquire that waits; kTry does not
  kRenew,
  kRelease,
  kList,      // asks who holds the key; the token is the holder's, or none
  kWithdraw,  // cancels the client's open try or lock
  kRevoke,    // an administrator tells the holder to give the lock back
  kLost,      // not a request: the client is told that it has lost the lock
};

const char* OperationName(OperationKind kind);

// One operation of a client, or one loss that it was told of, as the client saw
// it. The histories of all clients are all that a black-box checker needs.
struct Operation {
  // Unique to one process: an open operation of a client that died may take
  // effect at any later time, but never for a client of the next process.
  std::string client;
  OperationKind kind = OperationKind::kTry;
  std::string key;
  // For kLost: when the client's lease ended, as its node knew it. The cluster
  // must not expire the lock before, even if the client dies. Never() if its
  // clock stood still.
  RealInstant called;
  // Never(): there was no answer.
  RealInstant returned = RealInstant::Never();
  Outcome outcome = Outcome::kUnknown;  // for all kinds but kLost
  // For kLost. kNone: the client died. kReleased: it gave back a lock that an
  // administrator had revoked.
  LossReason loss = LossReason::kNone;
  // For a grant, its token. With Outcome::kHeld, kList and kRevoke, the
  // holder's. For kRenew, kRelease and kLost, the token that the client named.
  FencingToken token;

  bool IsAcquire() const {
    return kind == OperationKind::kTry || kind == OperationKind::kLock;
  }
  bool Grants() const { return IsAcquire() && outcome == Outcome::kOk; }
  // Whether the operation is meaningless without a token.
  bool NeedsToken() const;

  friend bool operator==(const Operation&, const Operation&) = default;
};

// "n2.1/0's lock of key-1 [12ms, 15ms] -> ok 1.7.0".
std::ostream& operator<<(std::ostream& out, const Operation& operation);

// In the order of their calls, except for kLost.
using History = std::vector<Operation>;

// Counts operations by result: "held 40, ok 312, unknown 3". Losses are counted
// by reason: "lost expired 2".
std::string CountResults(const History& history);

// For other checkers: one JSON object in each line, with exactly these fields:
//
//   client     text
//   op         try, lock, renew, release, list, withdraw, revoke or lost
//   key        text
//   call_ns    nanoseconds of real time since the run began; for lost, null if
//              the lease would never have ended
//   return_ns  the same; null if there was no answer
//   result     the outcome (OutcomeName); for lost, the reason
//   (LossReasonName);
//              unknown: the operation may have taken effect, or may still do so
//   token      a number, as text, to be compared as a number; "": none
//
// REQUIRES: client and key are UTF-8.
std::string ToJsonLines(const History& history);

// Parses that format. Empty lines are skipped.
//
// Errors: InvalidArgument (names the line, from 1, and what is wrong with it).
absl::StatusOr<History> ReadHistory(absl::string_view text);

}  // namespace cachalot::sim

#endif  // SIM_CLIENTS_HISTORY_H_
