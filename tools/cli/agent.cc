#include "tools/cli/agent.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "io/coordinator.h"
#include "io/local/path.h"
#include "io/log.h"
#include "io/socket.h"
#include "io/wait_deadline.h"
#include "tools/base/interrupt.h"
#include "tools/cli/flag_names.h"

namespace cachalot::tools {

namespace {

constexpr char kProgram[] = "cachalot agent";

// How long the last lines may take, should nobody read them.
constexpr absl::Duration LogPatience() { return absl::Seconds(1); }

// Tells the thread that waits for signals that the node has left.
class LeftSignal {
 public:
  LeftSignal() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  bool is_open() const { return fd_.is_open(); }
  void Raise() {
    const uint64_t one = 1;
    // It fails only if it was raised before, often.
    [[maybe_unused]] const ssize_t ignored =
        write(fd_.get(), &one, sizeof(one));
  }
  // False if an interrupt came first.
  bool Wait() const {
    return WaitUntilReadable(fd_.get(), WaitDeadline::Never());
  }

 private:
  const FileDescriptor fd_;
};

// Where programs on this machine will look for the agent.
absl::StatusOr<std::string> SocketPath(const AgentOptions& options) {
  if (!options.socket.empty()) return options.socket;
  // What is no port is for the library to refuse.
  uint32_t port = 0;
  const size_t colon = options.bind.rfind(':');
  const bool is_number =
      colon != std::string::npos &&
      absl::SimpleAtoi(options.bind.substr(colon + 1), &port);
  if (is_number && port == 0) {
    return absl::InvalidArgumentError(
        "with port 0 in --bind nobody can tell where the local socket is: "
        "give --socket PATH");
  }
  return LocalSocketPlaces::OfThisUser().Prepare(static_cast<uint16_t>(port));
}

absl::Status CheckSocketMode(const AgentOptions& options) {
  if (options.socket_mode.empty() ||
      (options.socket_mode == "0660") == !options.socket_group.empty()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      "--socket-mode 0660 and --socket-group GROUP go together: the group's "
      "members may use the local socket");
}

// What the library would refuse too, in the words of the command line.
absl::Status RequireSeeds(const AgentOptions& options) {
  const bool is_own_seed =
      options.join.size() == 1 && options.join[0] == options.bind;
  const bool founds = options.founders.empty() ||
                      absl::c_linear_search(options.founders, options.name);
  if (is_own_seed && !founds) {
    return absl::InvalidArgumentError(
        "--founders does not have this agent's --name, and --join names nobody "
        "but this agent: name another member");
  }
  if (!options.join.empty() || options.bootstrap || !options.founders.empty()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "name a member of the cluster with --join HOST:PORT; to found one, name "
      "this agent itself: --join ",
      options.bind));
}

CoordinatorOptions ToCoordinatorOptions(const AgentOptions& options,
                                        const std::string& socket) {
  CoordinatorOptions result;
  result.bind = options.bind;
  result.advertise = options.advertise;
  result.seeds = options.join;
  result.name = options.name;
  result.cluster = options.cluster;
  result.founders = options.founders;
  result.bootstrap = options.bootstrap;
  result.local_socket = socket;
  result.local_socket_group = options.socket_group;
  result.birth_delay = options.birth_delay;
  result.membership = options.membership;
  result.consensus = options.consensus;
  result.lease = options.lease;
  result.log_level = options.log_level;
  return result;
}

absl::StatusOr<std::unique_ptr<Logger>> OpenLog(const AgentOptions& options) {
  return Logger::Create(
      options.log_level,
      [output = std::make_shared<LogOutput>(STDOUT_FILENO, options.log_format,
                                            absl::LocalTimeZone())](
          const LogRecord& record) { output->Write(record); });
}

// Runs a member until it has left.
absl::Status RunMember(CoordinatorOptions options) {
  LeftSignal left;  // outlives the coordinator, which raises it
  if (!left.is_open()) return absl::ResourceExhaustedError("eventfd");
  options.on_left = [&left] { left.Raise(); };
  const absl::StatusOr<std::unique_ptr<Coordinator>> coordinator =
      Coordinator::Create(std::move(options));
  if (!coordinator.ok()) return coordinator.status();
  const bool has_left = left.Wait();
  LetNextInterruptEndTheProcess();
  return has_left ? absl::OkStatus() : (*coordinator)->Leave();
}

}  // namespace

ExitCode RunAgent(const AgentOptions& options) {
  if (absl::Status status = RequireSeeds(options); !status.ok()) {
    return Fail(kProgram, status);
  }
  if (absl::Status status = CheckSocketMode(options); !status.ok()) {
    return Fail(kProgram, status);
  }
  const absl::StatusOr<std::string> socket = SocketPath(options);
  if (!socket.ok()) return Fail(kProgram, socket.status());
  // A reader of the log that goes away must not end us.
  signal(SIGPIPE, SIG_IGN);
  CatchInterrupts(HangUp::kInterruptsAtTerminal);
  const absl::StatusOr<std::unique_ptr<Logger>> log = OpenLog(options);
  if (!log.ok()) return Fail(kProgram, log.status());
  CoordinatorOptions coordinator = ToCoordinatorOptions(options, *socket);
  coordinator.log = [&log](const LogRecord& record) { (*log)->Write(record); };
  const absl::Status status = RunMember(std::move(coordinator));
  (*log)->Stop(LogPatience());
  if (status.ok()) return ExitCode::kOk;
  return Fail(kProgram,
              absl::Status(status.code(), NameFlags(status.message())));
}

}  // namespace cachalot::tools
