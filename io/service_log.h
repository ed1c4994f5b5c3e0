#ifndef IO_SERVICE_LOG_H_
#define IO_SERVICE_LOG_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engine/ids.h"
#include "engine/request.h"
#include "io/agent_status.h"
#include "io/log.h"

namespace cachalot {

// What a LockService writes to the log about itself and its locks. `log` may be
// null.

void LogStarted(Logger* log, const AgentStatus& status,
                absl::string_view local_socket);
void LogStanding(Logger* log, const Standing& standing);
void LogLeaving(Logger* log);
void LogLeft(Logger* log);

void LogWaiting(Logger* log, const AcquireRequest& request);
// The answer to an AcquireRequest: granted, or refused and why.
void LogAcquired(Logger* log, absl::string_view key, absl::string_view owner,
                 const Answer& answer);
void LogRenewed(Logger* log, absl::string_view key, FencingToken token,
                absl::Duration ttl, const Answer& answer);
// `reason` is kNone unless `belief` is kLost; `words` are those of whoever took
// the lock, or empty.
void LogBelief(Logger* log, absl::string_view key, absl::string_view owner,
               FencingToken token, Belief belief, LossReason reason,
               absl::string_view words = {});

}  // namespace cachalot

#endif  // IO_SERVICE_LOG_H_
