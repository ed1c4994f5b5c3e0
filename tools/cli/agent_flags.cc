#include "tools/cli/agent_flags.h"

#include <string>

#include "io/log_event.h"
#include "tools/base/flags.h"
#include "tools/cli/log_output.h"

namespace cachalot::tools {

// Each flag is in the list of flag_names.cc too.
void AddProtocolFlags(CLI::App& command, AgentOptions& options) {
  LeaseOptions& lease = options.lease;
  ConsensusOptions& consensus = options.consensus;
  MembershipOptions& membership = options.membership;

  const std::string leases = "Leases";
  AddDuration(command, "--session-ttl", lease.session_ttl,
              "locks of an agent that dies are free after this")
      ->group(leases);
  AddDuration(command, "--request-timeout", lease.request_timeout,
              "a renewal, release or list without an answer ends after this")
      ->group(leases);
  AddDuration(command, "--leave-timeout", lease.leave_timeout,
              "leaving takes no longer than this")
      ->group(leases);
  command
      .add_option("--clock-error", lease.rate_bound_ppm,
                  "no clock is faster or slower than this, in parts per "
                  "million; the same in all members [1000]")
      ->type_name("PPM")
      ->group(leases);

  const std::string elections = "Elections and voters";
  AddDuration(command, "--heartbeat", consensus.heartbeat_interval,
              "the leader speaks to each follower at least this often")
      ->group(elections);
  AddDuration(command, "--election-timeout", consensus.election_timeout,
              "a voter that hears no leader for one to two times this asks for "
              "votes; at least three heartbeats")
      ->group(elections);
  command
      .add_option("--voters", consensus.voters_max,
                  "at most so many members vote, an odd number: 5 survive two "
                  "deaths at once, 3 one [5]")
      ->type_name("N")
      ->group(elections);
  AddDuration(command, "--promote-after", consensus.promote_after,
              "a member must have kept up for so long before it votes")
      ->group(elections);
  AddDuration(command, "--replace-voter-after", consensus.replace_voter_after,
              "a voter that failed is replaced after this")
      ->group(elections);
  AddDuration(command, "--birth-delay", options.birth_delay,
              "a founder listens for other clusters for so long")
      ->group(elections);

  const std::string failures = "Finding the dead";
  AddDuration(command, "--probe-interval", membership.probe_interval,
              "one member is probed each interval")
      ->group(failures);
  AddDuration(command, "--probe-timeout", membership.probe_timeout,
              "a probed member has so long to answer before others probe it; "
              "less than half of the interval")
      ->group(failures);
  AddDuration(command, "--pause-tolerance", membership.pause_tolerance,
              "a member may be silent for so long without being called failed")
      ->group(failures);
  AddDuration(command, "--forget-after", membership.reap_after,
              "failed and left members are remembered for so long")
      ->group(failures);
}

void AddLogFlags(CLI::App& command, AgentOptions& options) {
  const std::string log = "Log, on standard output";
  AddChoice<LogLevel>(
      command, "--log-level", options.log_level,
      {{"debug", LogLevel::kDebug},
       {"info", LogLevel::kInfo},
       {"warning", LogLevel::kWarning},
       {"error", LogLevel::kError}},
      "how much is told: debug (also grants, waits and decisions), info, "
      "warning or error [info]")
      .group(log);
  AddChoice<LogFormat>(command, "--log-format", options.log_format,
                       {{"text", LogFormat::kText}, {"json", LogFormat::kJson}},
                       "text, or json: one object a line [text]")
      .group(log);
}

}  // namespace cachalot::tools
