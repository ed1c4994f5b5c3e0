#ifndef TOOLS_CLI_HOLD_LOCK_H_
#define TOOLS_CLI_HOLD_LOCK_H_

#include "tools/base/exit_codes.h"
#include "tools/cli/ask.h"
#include "tools/cli/lock_commands.h"

namespace cachalot::tools {

// `cachalot lock --hold KEY`: takes the lock, says so, and holds it, renewed,
// until standard input ends, an interrupt comes or the process ends. Input that
// never was a pipe, a socket or a terminal, such as /dev/null or a file, ends
// nothing.
//
// kOk: it was held to the end. kLost: it was not. Otherwise as for `run`.
ExitCode Hold(const ClientOptions& options, const LockArguments& arguments);

}  // namespace cachalot::tools

#endif  // TOOLS_CLI_HOLD_LOCK_H_
