#ifndef TOOLS_CLI_LOCK_COMMANDS_H_
#define TOOLS_CLI_LOCK_COMMANDS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engine/ids.h"
#include "engine/request.h"
#include "io/local/client.h"
#include "io/local/protocol.h"
#include "io/wait_deadline.h"
#include "tools/base/exit_codes.h"
#include "tools/cli/ask.h"

namespace cachalot::tools {

// The commands that take, renew and release one lock. Each prints its answer on
// stdout, in words or as one line of JSON, and what went wrong on stderr.

struct LockArguments {
  std::string key;
  absl::Duration ttl = absl::Seconds(30);
  absl::Duration wait;       // zero: try
  std::string owner;         // empty: $CACHALOT_OWNER
  std::string token;         // of renew and release; empty: see Renew()
  bool print_token = false;  // on success print the token and nothing else
};

struct RevokeArguments {
  std::string key;
  std::string token;   // empty: whoever holds it
  std::string reason;  // told to the holder
};

// Takes the lock and leaves it to the agent, until it is released or its lease
// ends. Until the answer is written, the lock hangs on this process: whatever
// ends it, a lock that nobody was told of is given back. Ctrl+C leaves the
// queue.
ExitCode Acquire(const ClientOptions& options, const LockArguments& arguments);
// Both need `token`, or an `owner` under which the lock was taken at this
// agent. With neither, $CACHALOT_TOKEN counts, unless $CACHALOT_KEY says that
// it is another lock's, then $CACHALOT_OWNER.
ExitCode Renew(const ClientOptions& options, const LockArguments& arguments);
ExitCode Release(const ClientOptions& options, const LockArguments& arguments);
// `release --force`: takes the lock from its holder, which is told why.
ExitCode Revoke(const ClientOptions& options, const RevokeArguments& arguments);

// --- Parts that `run` and `lock --hold` share --------------------------------

// Asks for the lock, which hangs on `client`'s connection. The answer; without
// one, or interrupted, why nothing was taken.
Answer TakeLock(const ClientOptions& options, LocalClient& client,
                LocalRequest request, const WaitDeadline& deadline);
// For a lock that lasts as long as its connection and is kept renewed.
LocalRequest HoldRequest(const LockArguments& arguments);
// Prints that the lock was not taken, and says how `run` ends then.
ExitCode RefuseHold(const ClientOptions& options,
                    const LockArguments& arguments, const Answer& answer);
// The same for one that was granted and of which StartBeliefWatch() says `why`.
ExitCode RefuseUnwatched(const ClientOptions& options,
                         const LockArguments& arguments,
                         const absl::Status& why);
// Writes "DONE KEY, token TOKEN", or its form for machines.
absl::Status WriteDone(const ClientOptions& options, absl::string_view done,
                       const LockArguments& arguments,
                       const FencingToken& token);

}  // namespace cachalot::tools

#endif  // TOOLS_CLI_LOCK_COMMANDS_H_
