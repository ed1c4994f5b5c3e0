#include "tools/cli/agent_cluster.h"

#include <stdlib.h>

#include <filesystem>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "engine/address.h"
#include "engine/check.h"
#include "io/socket.h"
#include "io/wait_deadline.h"
#include "tools/base/interrupt.h"
#include "tools/base/words.h"

namespace cachalot::tools {

namespace {

namespace fs = std::filesystem;

// Above what services are given (IANA's user ports are sparse there) and below
// Linux's ip_local_port_range, 32768 and up.
constexpr int kPortMin = 20000;
constexpr int kPortMax = 32000;

constexpr absl::Duration PollInterval() { return absl::Milliseconds(50); }

}  // namespace

absl::Status Eventually(absl::string_view what, absl::Duration timeout,
                        absl::FunctionRef<bool()> is_so) {
  const WaitDeadline deadline = WaitDeadline::After(timeout);
  while (!deadline.has_passed()) {
    if (is_so()) return absl::OkStatus();
    if (!Pause(PollInterval())) {
      return absl::CancelledError("interrupted");
    }
  }
  return absl::DeadlineExceededError(
      absl::StrCat("waited ", Words(timeout), " for ", what));
}

absl::StatusOr<std::string> FindCachalot() {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  for (const fs::path& candidate :
       {self.parent_path() / "cachalot", fs::path("tools/cachalot")}) {
    if (fs::is_regular_file(candidate, error)) return candidate.string();
  }
  return absl::NotFoundError(
      absl::StrCat("there is no cachalot beside ", self.string(),
                   "; build it with tools/bazel build //tools:cachalot"));
}

absl::StatusOr<std::vector<int>> FreePorts(int count) {
  // Processes that start together begin at different places. Their numbers do
  // not tell them apart: in Bazel's sandboxes they are often the same.
  const int start =
      kPortMin + static_cast<int>(std::random_device()() %
                                  static_cast<unsigned>(kPortMax - kPortMin));
  std::vector<BoundSockets> held;  // so that none is found twice
  std::vector<int> ports;
  for (int i = 0; i < kPortMax - kPortMin && std::ssize(ports) < count; ++i) {
    const int port = kPortMin + (start - kPortMin + i) % (kPortMax - kPortMin);
    absl::StatusOr<BoundSockets> sockets =
        BindSockets(Address::V4(127, 0, 0, 1, static_cast<uint16_t>(port)));
    if (!sockets.ok()) continue;
    held.push_back(*std::move(sockets));
    ports.push_back(port);
  }
  if (std::ssize(ports) < count) {
    return absl::InternalError("no free ports on 127.0.0.1");
  }
  return ports;
}

absl::StatusOr<AgentCluster> AgentCluster::Create(Options options) {
  AgentCluster cluster;
  cluster.options_ = options;
  absl::StatusOr<std::string> program = FindCachalot();
  if (!program.ok()) return program.status();
  cluster.program_ = *std::move(program);

  // Not under TEST_TMPDIR: a socket's path has at most 107 bytes (unix(7)).
  std::string folder = "/tmp/cachalot-XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) {
    return absl::ErrnoToStatus(errno, folder);
  }
  cluster.folder_ = folder;

  const absl::StatusOr<std::vector<int>> ports = FreePorts(options.size);
  if (!ports.ok()) return ports.status();
  for (int i = 0; i < options.size; ++i) {
    const size_t index = static_cast<size_t>(i);
    Agent agent;
    agent.address = absl::StrCat("127.0.0.1:", (*ports)[index]);
    agent.socket = absl::StrCat(folder, "/", NameOf(i), ".sock");
    cluster.agents_.push_back(std::move(agent));
  }
  return cluster;
}

AgentCluster::~AgentCluster() {
  agents_.clear();  // they may still write into the folder
  std::error_code ignored;
  if (!folder_.empty()) fs::remove_all(folder_, ignored);
}

std::string AgentCluster::NameOf(int agent) {
  return absl::StrCat("n", agent + 1);
}

const std::string& AgentCluster::AddressOf(int agent) const {
  return agents_[static_cast<size_t>(agent)].address;
}

const std::string& AgentCluster::SocketOf(int agent) const {
  return agents_[static_cast<size_t>(agent)].socket;
}

ChildProcess& AgentCluster::ProcessOf(int agent) {
  std::optional<ChildProcess>& process =
      agents_[static_cast<size_t>(agent)].process;
  CHECK(process.has_value()) << NameOf(agent) << " was not started";
  return *process;
}

absl::Status AgentCluster::Start(int agent, std::vector<std::string> flags,
                                 std::vector<std::string> join) {
  std::vector<std::string> names;
  for (int i = 0; i < size(); ++i) names.push_back(NameOf(i));
  std::vector<std::string> arguments = {
      program_,        "agent",
      "--bind",        AddressOf(agent),
      "--name",        NameOf(agent),
      "--socket",      SocketOf(agent),
      "--session-ttl", absl::FormatDuration(options_.session_ttl),
      "--state-dir",   absl::StrCat(folder_, "/", NameOf(agent), ".state"),
      "--founders",    absl::StrJoin(names, ","),
      "--join"};
  if (join.empty()) {
    for (const Agent& each : agents_) join.push_back(each.address);
  }
  arguments.insert(arguments.end(), join.begin(), join.end());
  arguments.insert(arguments.end(), flags.begin(), flags.end());

  absl::StatusOr<ChildProcess> process =
      ChildProcess::Start(std::move(arguments));
  if (!process.ok()) return process.status();
  agents_[static_cast<size_t>(agent)].process = *std::move(process);
  return absl::OkStatus();
}

absl::Status AgentCluster::StartAll() {
  for (int i = 0; i < size(); ++i) {
    if (absl::Status status = Start(i); !status.ok()) return status;
  }
  return absl::OkStatus();
}

bool AgentCluster::AllVote(int agent) const {
  const Reply reply = Ask(agent, {"members"});
  if (!reply.exit_status.ok()) return false;
  int voters = 0;
  int leaders = 0;
  for (const nlohmann::json& member : reply.body["members"]) {
    if (member.value("state", "") != "alive") continue;
    const std::string role = member.value("role", "");
    if (role == "leader") ++leaders;
    if (role == "leader" || role == "voter") ++voters;
  }
  return voters == size() && leaders == 1;
}

absl::Status AgentCluster::AwaitVoters(int agent, absl::Duration timeout) {
  const absl::Status status =
      Eventually("all agents to vote", timeout, [&] { return AllVote(agent); });
  if (status.ok()) return status;
  std::string text(status.message());
  absl::StrAppend(&text, "; ", NameOf(agent), " printed:\n");
  while (const auto line = ProcessOf(agent).ReadLine(absl::Now())) {
    absl::StrAppend(&text, *line, "\n");
  }
  return absl::Status(status.code(), text);
}

void AgentCluster::Kill(int agent) { ProcessOf(agent).Kill(); }

std::vector<std::string> AgentCluster::CommandLine(
    int agent, std::vector<std::string> command) const {
  command.insert(command.begin(), program_);
  command.insert(command.end(), {"--json", "--agent", SocketOf(agent)});
  return command;
}

AgentCluster::Reply AgentCluster::Ask(int agent,
                                      std::vector<std::string> command,
                                      absl::Duration timeout) const {
  absl::StatusOr<ChildProcess> child = Begin(agent, std::move(command));
  if (!child.ok()) {
    return {.exit_status = {127},
            .body = nullptr,
            .text = child.status().ToString()};
  }
  return Finish(*child, absl::Now() + timeout);
}

absl::StatusOr<ChildProcess> AgentCluster::Begin(
    int agent, std::vector<std::string> command) const {
  return ChildProcess::Start(CommandLine(agent, std::move(command)));
}

AgentCluster::Reply AgentCluster::Finish(ChildProcess& command,
                                         absl::Time deadline) {
  CommandResult result = command.Finish(deadline);
  nlohmann::json body = nlohmann::json::parse(result.output, nullptr,
                                              /*allow_exceptions=*/false);
  if (body.is_discarded()) body = nullptr;
  return {.exit_status = result.exit_status,
          .body = std::move(body),
          .text = std::move(result.output)};
}

}  // namespace cachalot::tools
