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
  kLock,  // a try that waits
  kRenew,
  kRelease,
  kList,      // reads who holds the key; the token is the holder's, or none
  kWithdraw,  // takes back the client's open try or lock
  kRevoke,    // by an administrator: the holder is told to give the lock back
  kLost,      // not asked for: the client is told that its belief is over
};

const char* OperationName(OperationKind kind);

// One thing that a client did, or was told, as it saw it itself: all that an
// outsider can judge a lock service by.
struct Operation {
  // Never used again when its process is gone: what is left open by a client
  // that died may happen at any time after, but not to its successor.
  std::string client;
  OperationKind kind = OperationKind::kTry;
  std::string key;
  // Of kLost: when, as the client's node knew it, its lease came to an end.
  // Nobody expires the lock before, even if the client dies. Never() if its
  // clock stood still.
  RealInstant called;
  // Never(): there was no answer.
  RealInstant returned = RealInstant::Never();
  Outcome outcome = Outcome::kUnknown;  // of all but kLost
  // Of kLost; kNone: it died. kReleased: it gave back what an administrator
  // took from it.
  LossReason loss = LossReason::kNone;
  // Of a grant; of the holder, with Outcome::kHeld, kList and kRevoke; what is
  // named in
  // kRenew, kRelease and kLost.
  FencingToken token;

  bool IsAcquire() const {
    return kind == OperationKind::kTry || kind == OperationKind::kLock;
  }
  bool Grants() const { return IsAcquire() && outcome == Outcome::kOk; }
  // Whether it says nothing without a token.
  bool NeedsToken() const;

  friend bool operator==(const Operation&, const Operation&) = default;
};

// "n2.1/0's lock of key-1 [12ms, 15ms] -> ok 1.7.0".
std::ostream& operator<<(std::ostream& out, const Operation& operation);

// In the order of their calls, but for kLost.
using History = std::vector<Operation>;

// How many came to what: "held 40, ok 312, unknown 3". Losses apart, by reason:
// "lost expired 2".
std::string CountResults(const History& history);

// For checkers of other makes: a JSON object in each line, with exactly
//
//   client     text
//   op         try, lock, renew, release, list, withdraw, revoke or lost
//   key        text
//   call_ns    nanoseconds of real time since the run began; of lost, null if
//              the lease would never have ended
//   return_ns  the same; null if there was no answer
//   result     ok, or why not (OutcomeName); of lost, the reason
//              (LossReasonName); unknown: it may have happened, or may yet
//   token      "epoch.index.sequence", to be compared as numbers; "": none
//
// REQUIRES: client and key are UTF-8.
std::string ToJsonLines(const History& history);

// Reads them back, whoever wrote them. Empty lines are skipped.
//
// Errors: InvalidArgument (names the line, from 1, and what is wrong with it).
absl::StatusOr<History> ReadHistory(absl::string_view text);

}  // namespace cachalot::sim

#endif  // SIM_CLIENTS_HISTORY_H_
