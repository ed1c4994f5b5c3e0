#ifndef TOOLS_CLI_AGENT_FLAGS_H_
#define TOOLS_CLI_AGENT_FLAGS_H_

#include "CLI/CLI.hpp"
#include "tools/cli/agent.h"

namespace cachalot::tools {

// Adds the flags of `cachalot agent` that say how the protocol runs and what
// the log tells. The library checks their ranges.
void AddProtocolFlags(CLI::App& command, AgentOptions& options);
void AddLogFlags(CLI::App& command, AgentOptions& options);

}  // namespace cachalot::tools

#endif  // TOOLS_CLI_AGENT_FLAGS_H_
