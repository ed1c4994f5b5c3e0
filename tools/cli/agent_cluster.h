#ifndef TOOLS_CLI_AGENT_CLUSTER_H_
#define TOOLS_CLI_AGENT_CLUSTER_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "nlohmann/json.hpp"
#include "tools/base/child_process.h"

namespace cachalot::tools {

// Real `cachalot agent` processes on loopback, named n1, n2, ..., and the
// command line that talks to them: what the demo, the bench and the end-to-end
// tests stand on. Everything is gone when this is destroyed.
class AgentCluster {
 public:
  struct Options {
    int size = 3;
    absl::Duration session_ttl = absl::Seconds(10);
  };

  // Chooses ports and a folder for the agents' sockets; starts nobody.
  //
  // Errors: NotFound (no `cachalot` beside this program), Internal.
  static absl::StatusOr<AgentCluster> Create(Options options);

  AgentCluster(AgentCluster&&) = default;
  AgentCluster& operator=(AgentCluster&&) = delete;
  ~AgentCluster();

  int size() const { return static_cast<int>(agents_.size()); }
  // Agents are numbered from 0, and named from n1.
  static std::string NameOf(int agent);
  const std::string& AddressOf(int agent) const;
  const std::string& SocketOf(int agent) const;
  // CHECKs that it was started.
  ChildProcess& ProcessOf(int agent);

  // Starts an agent, or starts it anew: it remembers its cluster. With `flags`
  // besides. `join`: where it looks; empty: at all of them.
  absl::Status Start(int agent, std::vector<std::string> flags = {},
                     std::vector<std::string> join = {});
  absl::Status StartAll();
  // Waits until, as `agent` is told by the leader, all are alive and vote.
  // Errors: DeadlineExceeded, Cancelled (interrupted); what the agent printed
  // is in the text.
  absl::Status AwaitVoters(int agent, absl::Duration timeout);
  // SIGKILL: it can say goodbye to nobody.
  void Kill(int agent);

  // What a command printed and how it ended.
  struct Reply {
    ExitStatus exit_status;
    nlohmann::json body;  // of --json; null if it was not JSON
    std::string text;     // as it was printed
  };
  // Runs `cachalot COMMAND... --json` against an agent.
  Reply Ask(int agent, std::vector<std::string> command,
            absl::Duration timeout = absl::Seconds(10)) const;
  // The same, left running; Finish() waits for it.
  absl::StatusOr<ChildProcess> Begin(int agent,
                                     std::vector<std::string> command) const;
  static Reply Finish(ChildProcess& command, absl::Time deadline);

 private:
  struct Agent {
    std::string address;
    std::string socket;
    std::optional<ChildProcess> process;
  };

  AgentCluster() = default;
  bool AllVote(int agent) const;
  std::vector<std::string> CommandLine(int agent,
                                       std::vector<std::string> command) const;

  Options options_;
  std::string program_;
  std::string folder_;
  std::vector<Agent> agents_;
};

// Looks again and again until `is_so`.
//
// Errors: DeadlineExceeded (names `what`), Cancelled (Interrupted()).
absl::Status Eventually(absl::string_view what, absl::Duration timeout,
                        absl::FunctionRef<bool()> is_so);

// The `cachalot` that was built with this program: beside it, or in the
// runfiles of a test. NotFound if it is in neither place.
absl::StatusOr<std::string> FindCachalot();

// So many ports of 127.0.0.1 that are free for datagrams and for streams. They
// lie below the range from which the kernel takes ports of outgoing
// connections, so that an agent which is down for a while finds its own free.
absl::StatusOr<std::vector<int>> FreePorts(int count);

}  // namespace cachalot::tools

#endif  // TOOLS_CLI_AGENT_CLUSTER_H_
