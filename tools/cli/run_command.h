#ifndef TOOLS_CLI_RUN_COMMAND_H_
#define TOOLS_CLI_RUN_COMMAND_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tools/cli/ask.h"
#include "tools/cli/lock_commands.h"
#include "tools/cli/watchdog.h"

namespace cachalot::tools {

// `cachalot run KEY -- COMMAND`: runs a command while it holds a lock.
struct RunArguments {
  LockArguments lock = {.ttl = absl::Seconds(15), .wait = absl::Seconds(30)};
  OnLost on_lost = OnLost::kTerminate;
  absl::Duration grace = absl::Seconds(5);
  std::vector<std::string> command;
};

// The command's exit code, or one of RunExitCodesHelp().
//
// The command runs in a process group of its own, and gets the terminal if we
// have it, the signals that we get, and the signal dispositions that we were
// started with. It dies with this process. It and all that it starts inherit
// the connection on which the lock hangs, so that the lock is free as soon as
// the last of them is gone, and not before; the agent renews it until then. A
// Watchdog ends the command before belief ends.
int Run(const ClientOptions& options, const RunArguments& arguments);

}  // namespace cachalot::tools

#endif  // TOOLS_CLI_RUN_COMMAND_H_
