#ifndef TOOLS_CLI_CLIENT_COMMANDS_H_
#define TOOLS_CLI_CLIENT_COMMANDS_H_

#include <string>

#include "tools/base/exit_codes.h"
#include "tools/cli/ask.h"

namespace cachalot::tools {

// The commands that ask a running agent about the cluster, or to leave it. Each
// prints its answer on stdout, in words or as one line of JSON, and what went
// wrong on stderr.

struct ListArguments {
  std::string prefix;
  std::string waiters;  // locks: the queue of this key instead, if not empty
  bool local = false;   // what the agent knows, without asking the leader
  bool all = false;     // members: also those who failed or left
};

ExitCode ListLocks(const ClientOptions& options,
                   const ListArguments& arguments);
ExitCode ListMembers(const ClientOptions& options,
                     const ListArguments& arguments);
ExitCode ShowStatus(const ClientOptions& options);
ExitCode Leave(const ClientOptions& options);

}  // namespace cachalot::tools

#endif  // TOOLS_CLI_CLIENT_COMMANDS_H_
