#ifndef TOOLS_CLI_ASK_H_
#define TOOLS_CLI_ASK_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engine/ids.h"
#include "engine/request.h"
#include "io/local/client.h"
#include "io/local/protocol.h"
#include "io/wait_deadline.h"
#include "tools/base/exit_codes.h"
#include "tools/base/json_text.h"

namespace cachalot::tools {

// What all commands share that talk to a running agent: which one, how it is
// asked, and how its answer is printed.

struct ClientOptions {
  std::string socket;  // empty: see `port`
  // Of an agent that listens where it does by default. Unset: see
  // $CACHALOT_AGENT, else kDefaultPort.
  std::optional<uint16_t> port;
  std::string agent_user;  // whose agent is trusted, besides root's and ours
  bool json = false;
  // How long the agent may take, on top of what is asked of it.
  absl::Duration timeout = absl::Seconds(10);
};

inline constexpr uint16_t kDefaultPort = 7946;
inline constexpr char kProgram[] = "cachalot";

// Writes one line to standard output. Text that may hold any bytes (keys,
// owners, names) is to be added with AddText().
absl::Status WriteJson(const Json& body,
                       const WaitDeadline& deadline = WaitDeadline::Never());
// Writes "PROGRAM: TEXT" to standard error.
void Complain(absl::string_view text);
// How a command ends that has nothing to do but write its answer.
ExitCode Finish(const absl::Status& written);

void AddToken(Json& body, const FencingToken& token);
// The lock's lease, its session's, and the earlier end of the two.
void AddTimesLeft(Json& body, const LockInfo& lock);
// Empty if it is not set.
std::string Environment(const char* name);

ExitCode ExitCodeOf(Outcome outcome);

// Errors: those of LocalClient::Connect(), with Cancelled on an interrupt.
absl::StatusOr<std::unique_ptr<LocalClient>> ConnectToAgent(
    const ClientOptions& options, const WaitDeadline& deadline);

// The reply to `id`; nothing if it has not come by `deadline` or an interrupt
// came first.
// Errors: Unknown (the agent went away).
absl::StatusOr<std::optional<LocalReply>> Await(LocalClient& client,
                                                uint64_t id,
                                                const WaitDeadline& deadline);

// Asks on a connection of its own, and prints what was refused. The reply if it
// was not.
struct Asked {
  std::optional<LocalReply> reply;
  ExitCode exit_code = ExitCode::kOk;
};
Asked AskOrRefuse(const ClientOptions& options, LocalRequest request,
                  absl::string_view doing);

// Prints that the request was not granted, for people or for machines.
ExitCode Refuse(const ClientOptions& options, absl::string_view doing,
                const Answer& answer);

// What came instead of an answer, as an answer.
Answer NoAnswer(const absl::Status& status);

}  // namespace cachalot::tools

#endif  // TOOLS_CLI_ASK_H_
