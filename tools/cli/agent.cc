#include "tools/cli/agent.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
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
#include "io/state_dir.h"
#include "io/wait_deadline.h"
#include "tools/base/interrupt.h"
#include "tools/cli/flag_names.h"
#include "tools/cli/state_place.h"

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

// Nothing if there is none: that is for the library to refuse.
std::optional<uint16_t> PortOf(const std::string& bind) {
  uint32_t port = 0;
  const size_t colon = bind.rfind(':');
  const bool is_port = colon != std::string::npos &&
                       absl::SimpleAtoi(bind.substr(colon + 1), &port) &&
                       port <= 65535;
  if (!is_port) return std::nullopt;
  return static_cast<uint16_t>(port);
}

// Where the agent keeps what it remembers; empty: nowhere. A place that nobody
// named but this program is not worth refusing to start for.
std::string StateDirectory(const AgentOptions& options) {
  if (options.state_dir.has_value()) return *options.state_dir;
  const std::string place = StatePlaces::OfThisUser().DirectoryOf(
      options.cluster, options.name, PortOf(options.bind).value_or(0));
  if (place.empty()) return "";
  const absl::Status made = StateDir::MakeDirectory(place);
  if (made.ok()) return place;
  std::fputs(absl::StrCat(kProgram, ": remembers nothing after its end: ",
                          made.message(), " (--state-dir)\n")
                 .c_str(),
             stderr);
  return "";
}

// Where programs on this machine will look for the agent.
absl::StatusOr<std::string> SocketPath(const AgentOptions& options) {
  if (!options.socket.empty()) return options.socket;
  const std::optional<uint16_t> port = PortOf(options.bind);
  if (port == 0) {
    return absl::InvalidArgumentError(
        "with port 0 in --bind nobody can tell where the local socket is: "
        "give --socket PATH");
  }
  return LocalSocketPlaces::OfThisUser().Prepare(port.value_or(0));
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
  if (!options.join.empty() || options.bootstrap || options.force_bootstrap ||
      !options.founders.empty()) {
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
  result.state_dir = StateDirectory(options);
  result.force_bootstrap = options.force_bootstrap;
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

// A memory that cannot be used is for a person to look at, like a wrong option.
absl::Status AsInvalid(const absl::Status& status) {
  const bool is_about_memory = absl::IsDataLoss(status) ||
                               absl::IsUnimplemented(status) ||
                               absl::IsFailedPrecondition(status);
  if (!is_about_memory) return status;
  return absl::InvalidArgumentError(status.message());
}

// Runs a member until it has left.
absl::Status RunMember(CoordinatorOptions options) {
  LeftSignal left;  // outlives the coordinator, which raises it
  if (!left.is_open()) return absl::ResourceExhaustedError("eventfd");
  options.on_left = [&left] { left.Raise(); };
  const absl::StatusOr<std::unique_ptr<Coordinator>> coordinator =
      Coordinator::Create(std::move(options));
  if (!coordinator.ok()) return AsInvalid(coordinator.status());
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
