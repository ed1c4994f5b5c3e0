#ifndef TOOLS_CLIENT_COMMANDS_H_
#define TOOLS_CLIENT_COMMANDS_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "tools/exit_codes.h"

namespace cachalot::tools {

// The commands that talk to a running agent. Each prints its answer on stdout,
// in words or as one line of JSON, and what went wrong on stderr.

// Which agent, and how to answer.
struct ClientOptions {
  std::string socket;  // empty: DefaultLocalSocketPath(port)
  uint16_t port = 7946;
  bool json = false;
  // How long the agent may take, on top of what is asked of it.
  absl::Duration timeout = absl::Seconds(10);
};

struct LockArguments {
  std::string key;
  absl::Duration ttl = absl::Seconds(30);
  absl::Duration wait;  // zero: try
  std::string owner;
  std::string token;  // of renew and release; empty: whatever `owner` holds
};

struct ListArguments {
  std::string prefix;
  bool local = false;  // what the agent knows, without asking the leader
};

// Ctrl+C leaves the queue.
ExitCode Acquire(const ClientOptions& options, const LockArguments& arguments);
ExitCode Renew(const ClientOptions& options, const LockArguments& arguments);
ExitCode Release(const ClientOptions& options, const LockArguments& arguments);
ExitCode ListLocks(const ClientOptions& options,
                   const ListArguments& arguments);
ExitCode ListMembers(const ClientOptions& options,
                     const ListArguments& arguments);
ExitCode ShowStatus(const ClientOptions& options);
ExitCode Leave(const ClientOptions& options);

}  // namespace cachalot::tools

#endif  // TOOLS_CLIENT_COMMANDS_H_
