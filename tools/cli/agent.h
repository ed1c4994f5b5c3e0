#ifndef TOOLS_CLI_AGENT_H_
#define TOOLS_CLI_AGENT_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "engine/options.h"
#include "io/coordinator.h"
#include "io/log_event.h"
#include "tools/base/exit_codes.h"
#include "tools/cli/log_output.h"

namespace cachalot::tools {

// `cachalot agent`: a member of a cluster as a process of its own, for programs
// that do not link the library.
struct AgentOptions {
  std::string bind;
  std::vector<std::string> join;
  std::string advertise;  // empty: see CoordinatorOptions
  std::string name;
  std::string cluster = kDefaultCluster;
  std::vector<std::string> founders;
  bool bootstrap = false;
  // Unset: StatePlaces::DirectoryOf(), if it can be made. Empty: none.
  std::optional<std::string> state_dir;
  bool force_bootstrap = false;
  absl::Duration birth_delay = CoordinatorOptions().birth_delay;
  MembershipOptions membership;
  ConsensusOptions consensus;
  LeaseOptions lease;
  std::string socket;        // empty: LocalSocketPlaces::Prepare() of the port
  std::string socket_group;  // empty: none
  std::string socket_mode;   // "0600", "0660"; empty: as the group has it
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kText;
};

// Runs until Ctrl+C, SIGTERM or `cachalot leave`, then leaves the cluster; a
// second signal ends it at once. SIGHUP ends it only at a terminal; signals
// that were ignored when it was started stay ignored. Writes a line to standard
// output for whatever an operator asks about (tools/README.md); whoever reads
// it, or does not, cannot stop the agent.
ExitCode RunAgent(const AgentOptions& options);

}  // namespace cachalot::tools

#endif  // TOOLS_CLI_AGENT_H_
