#include "tools/agent.h"

#include <signal.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "engine/ids.h"
#include "engine/request.h"
#include "io/coordinator.h"
#include "io/local/path.h"
#include "tools/interrupt.h"
#include "tools/words.h"

namespace cachalot::tools {

namespace {

constexpr char kProgram[] = "cachalot agent";

// How soon a person reads of a change in the membership. Costs the node
// nothing that can be measured.
constexpr absl::Duration WatchInterval() { return absl::Milliseconds(250); }

// The node's own changes of standing, on their way from the driver's thread,
// which must not wait for a terminal, to the one that prints.
class StandingNews {
 public:
  void Add(const Standing& standing) ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::MutexLock lock(&mutex_);
    news_.emplace_back(absl::Now(), Describe(standing));
  }

  void Print() ABSL_LOCKS_EXCLUDED(mutex_) {
    std::vector<std::pair<absl::Time, std::string>> news;
    {
      const absl::MutexLock lock(&mutex_);
      news.swap(news_);
    }
    for (const auto& [time, what] : news) Say(what, time);
  }

 private:
  absl::Mutex mutex_;
  std::vector<std::pair<absl::Time, std::string>> news_ ABSL_GUARDED_BY(mutex_);
};

// Says what has changed among the members since the last look.
class MemberWatch {
 public:
  void Look(Coordinator& coordinator) {
    const absl::StatusOr<std::vector<MemberInfo>> members =
        coordinator.GetMembersLocal();
    if (!members.ok()) return;
    absl::btree_map<NodeId, MemberInfo> now;
    for (const MemberInfo& member : *members) {
      now[member.id] = member;
      const auto before = seen_.find(member.id);
      SayChange(before == seen_.end() ? nullptr : &before->second, member);
    }
    for (const auto& [id, member] : seen_) {
      if (!now.contains(id)) Say(absl::StrCat(member.name, " is forgotten"));
    }
    seen_ = std::move(now);
  }

 private:
  static void SayChange(const MemberInfo* before, const MemberInfo& member) {
    if (before == nullptr) {
      Say(absl::StrCat(member.name, " (", member.id.ToShortString(), ") at ",
                       member.address.ToString(), ": ",
                       MemberStateName(member.state), ", ",
                       MemberRoleName(member.role)));
      return;
    }
    if (before->state != member.state) {
      Say(absl::StrCat(member.name, " is ", MemberStateName(member.state)));
    }
    if (before->role != member.role) {
      Say(absl::StrCat(member.name, " is now ", MemberRoleName(member.role)));
    }
  }

  absl::btree_map<NodeId, MemberInfo> seen_;
};

// Returns when the node has left, being told to over the local socket, or when
// it is to leave.
void Watch(Coordinator& coordinator, StandingNews& standing,
           const std::atomic<bool>& has_left) {
  MemberWatch members;
  while (!has_left) {
    standing.Print();
    members.Look(coordinator);
    if (!Pause(WatchInterval())) return;
  }
}

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
  if (!options.join.empty() || options.bootstrap_expect.value_or(0) > 0) {
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
  result.bootstrap_expect = options.bootstrap_expect;
  result.local_socket = socket;
  result.local_socket_group = options.socket_group;
  result.lease.session_ttl = options.session_ttl;
  return result;
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
  // A reader of our log that goes away must not end us.
  signal(SIGPIPE, SIG_IGN);
  CatchInterrupts(HangUp::kInterruptsAtTerminal);
  // Both outlive the coordinator, which tells them.
  StandingNews standing;
  std::atomic<bool> has_left = false;
  CoordinatorOptions coordinator_options =
      ToCoordinatorOptions(options, *socket);
  coordinator_options.on_standing = [&](const Standing& news) {
    standing.Add(news);
  };
  coordinator_options.on_left = [&] { has_left = true; };
  absl::StatusOr<std::unique_ptr<Coordinator>> created =
      Coordinator::Create(std::move(coordinator_options));
  if (!created.ok()) return Fail(kProgram, created.status());
  Coordinator& coordinator = **created;
  Say(absl::StrCat(coordinator.name(), " listens on ",
                   coordinator.address().ToString(), " and ", *socket));

  Watch(coordinator, standing, has_left);

  LetNextInterruptEndTheProcess();
  if (!has_left) {
    Say("leaving");
    const absl::Status status = coordinator.Leave();
    if (!status.ok()) return Fail(kProgram, status);
  }
  Say("left");
  return ExitCode::kOk;
}

}  // namespace cachalot::tools
