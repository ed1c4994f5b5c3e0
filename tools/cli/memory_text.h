#ifndef TOOLS_CLI_MEMORY_TEXT_H_
#define TOOLS_CLI_MEMORY_TEXT_H_

#include <string>

#include "io/agent_status.h"

namespace cachalot::tools {

// What `status` says of what an agent remembers: "/var/lib/...: of cluster
// 12345678". Escaped.
std::string MemoryInWords(const AgentStatus& status);

// What a person can do, and where the agent looks, while it has no cluster or
// its cluster grants nothing yet. Empty: nothing is to be done. Escaped.
std::string WhatToDo(const AgentStatus& status);

}  // namespace cachalot::tools

#endif  // TOOLS_CLI_MEMORY_TEXT_H_
