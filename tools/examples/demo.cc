// Three real processes share one table of locks, and lose none of it.
//
// Starts three agents on loopback and does with the command line what a person
// would: takes a lock, waits for it, kills who holds it, kills the leader. Each
// step is checked by what the agents then say; the program ends with 0 only if
// every one was observed.

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "engine/ids.h"
#include "nlohmann/json.hpp"
#include "tools/base/child_process.h"
#include "tools/base/exit_codes.h"
#include "tools/base/interrupt.h"
#include "tools/base/words.h"
#include "tools/cli/agent_cluster.h"

namespace cachalot::tools {
namespace {

using nlohmann::json;
using Reply = AgentCluster::Reply;

// The leases of the dead end after this: long enough to be seen, short enough
// to be waited for.
constexpr absl::Duration SessionTtl() { return absl::Seconds(4); }
// No step takes longer on a healthy machine by far.
constexpr absl::Duration StepTimeout() { return absl::Seconds(20); }
// What clocks may differ by while a lease of a few seconds runs
// (LeaseOptions::rate_bound_ppm), and what printing a time cuts off.
constexpr absl::Duration ClockTolerance() { return absl::Milliseconds(20); }
// From the end of a dead holder's lease to the next grant: the leader looks at
// its deadlines, and commits.
constexpr absl::Duration HandOverMax() { return absl::Seconds(2); }

bool Succeeded(const Reply& reply) {
  return reply.exit_status.value == static_cast<int>(ExitCode::kOk);
}

FencingToken TokenOf(const json& body) {
  if (!body.is_object()) return {};
  return FencingToken::Parse(body.value("token", "")).value_or(FencingToken());
}

// A step that was not observed: what came instead.
absl::Status NotObserved(absl::string_view what, const Reply& reply) {
  return absl::InternalError(absl::StrCat(
      what, ", but the answer was (exit code ", reply.exit_status.value,
      "): ", reply.text.empty() ? "nothing" : reply.text));
}

class Demo {
 public:
  explicit Demo(AgentCluster cluster)
      : cluster_(std::move(cluster)), start_(absl::Now()) {}

  absl::Status Run() {
    using Step = absl::Status (Demo::*)();
    for (const Step step :
         {&Demo::StartThree, &Demo::FindEachOther, &Demo::TakeTheLock,
          &Demo::RefuseATry, &Demo::QueueAWaiter, &Demo::RenewTheLock,
          &Demo::HandOverOnRelease, &Demo::OutliveADeadHolder,
          &Demo::TakeBackTheDead, &Demo::OutliveADeadLeader,
          &Demo::TakeBackTheDead, &Demo::Leave}) {
      if (absl::Status status = (this->*step)(); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

 private:
  // --- The steps, in their order --------------------------------------------

  absl::Status StartThree() {
    std::vector<std::string> who;
    for (int i = 0; i < cluster_.size(); ++i) {
      if (absl::Status status = cluster_.Start(i); !status.ok()) return status;
      who.push_back(absl::StrCat(Name(i), " at ", cluster_.AddressOf(i)));
    }
    Tell("start", absl::StrJoin(who, ", "));
    return absl::OkStatus();
  }

  absl::Status FindEachOther() {
    for (int i = 0; i < cluster_.size(); ++i) {
      if (absl::Status status = AwaitThreeVoters(i); !status.ok()) {
        return status;
      }
    }
    absl::StatusOr<int> leader = FindLeader(0);
    if (!leader.ok()) return leader.status();
    leader_ = *leader;
    first_ = (leader_ + 1) % cluster_.size();
    second_ = (leader_ + 2) % cluster_.size();
    Tell("elect", absl::StrCat("all three know each other and vote; ",
                               Name(leader_), " leads"));
    return absl::OkStatus();
  }

  absl::Status TakeTheLock() {
    const Reply reply = Type(first_, {"lock", "demo", "--ttl", "1m"});
    token_ = TokenOf(reply.body);
    if (!Succeeded(reply) || token_.IsNone()) {
      return NotObserved("the lock is free and should be granted", reply);
    }
    Tell("",
         absl::StrCat(Name(first_), " holds demo, token ", token_.ToString()));
    return absl::OkStatus();
  }

  absl::Status RefuseATry() {
    const Reply reply = Type(second_, {"try", "demo"});
    const std::string holder =
        reply.body.is_object() && reply.body.contains("holder")
            ? reply.body["holder"].value("name", "")
            : "";
    if (reply.exit_status.value != static_cast<int>(ExitCode::kRefused) ||
        holder != Name(first_)) {
      return NotObserved(
          absl::StrCat("a try should be refused, naming ", Name(first_)),
          reply);
    }
    Tell("", absl::StrCat("refused: ", holder, " holds it"));
    return absl::OkStatus();
  }

  absl::Status QueueAWaiter() { return BeginToWait(second_); }

  absl::Status RenewTheLock() {
    const Reply reply = Type(
        first_, {"renew", "demo", "--ttl", "2m", "--token", token_.ToString()});
    if (!Succeeded(reply) || TokenOf(reply.body) != token_) {
      return NotObserved("the holder's renewal should keep its token", reply);
    }
    Tell("", "renewed, same token; the waiter waits on");
    return absl::OkStatus();
  }

  absl::Status HandOverOnRelease() {
    const absl::Time released_at = absl::Now();
    const Reply reply =
        Type(first_, {"release", "demo", "--token", token_.ToString()});
    if (!Succeeded(reply)) return NotObserved("it should be released", reply);
    absl::Status granted = AwaitWaiter(second_);
    if (!granted.ok()) return granted;
    Tell("", absl::StrFormat("released, and granted to %s %s later, token %s",
                             Name(second_), Words(absl::Now() - released_at),
                             token_.ToString()));
    return absl::OkStatus();
  }

  absl::Status OutliveADeadHolder() {
    if (absl::Status status = BeginToWait(first_); !status.ok()) return status;
    const absl::Time seen_at = absl::Now();
    const absl::StatusOr<json> lock = FindLock(leader_);
    if (!lock.ok()) return lock.status();
    const absl::Duration lease =
        absl::Milliseconds(lock->value("remaining_ms", int64_t{0}));
    Kill(second_, absl::StrCat("holds demo for another ", Words(lease)));

    if (absl::Status status = AwaitWaiter(first_); !status.ok()) return status;
    const absl::Duration waited = absl::Now() - seen_at;
    if (waited < lease - ClockTolerance()) {
      return absl::InternalError(absl::StrCat(
          "granted after ", absl::FormatDuration(waited),
          " although the lease had ", absl::FormatDuration(lease), " to run"));
    }
    if (waited > lease + SessionTtl() + HandOverMax()) {
      return absl::InternalError(
          absl::StrCat("granted only after ", absl::FormatDuration(waited),
                       "; the lease had ", absl::FormatDuration(lease)));
    }
    Tell("pass",
         absl::StrCat("its lease ended, not before: granted to ", Name(first_),
                      " after ", Words(waited), ", token ", token_.ToString()));
    return absl::OkStatus();
  }

  absl::Status OutliveADeadLeader() {
    if (absl::Status status = KeepHolderFromLeading(); !status.ok()) {
      return status;
    }
    const int old_leader = leader_;
    const absl::Time killed_at = absl::Now();
    Kill(old_leader, "leads");
    absl::Status status = Eventually("a new leader", [&] {
      const absl::StatusOr<int> leader = FindLeader(first_);
      if (!leader.ok() || *leader == old_leader) return false;
      leader_ = *leader;
      return true;
    });
    if (!status.ok()) return status;
    const absl::Duration without_leader = absl::Now() - killed_at;

    const absl::StatusOr<json> lock = FindLock(first_);
    if (!lock.ok()) return lock.status();
    const Reply renewal = Type(
        first_, {"renew", "demo", "--ttl", "1m", "--token", token_.ToString()});
    if (TokenOf(*lock) != token_ || !Succeeded(renewal) ||
        TokenOf(renewal.body) != token_) {
      return NotObserved("the held lock should survive its leader", renewal);
    }
    Tell("",
         absl::StrFormat("%s leads after %s; %s holds demo still, same token",
                         Name(leader_), Words(without_leader), Name(first_)));
    return absl::OkStatus();
  }

  // Starts whoever was killed last: a process that remembers nothing.
  absl::Status TakeBackTheDead() {
    const int node = killed_;
    if (absl::Status status = cluster_.Start(node); !status.ok()) return status;
    Tell("return", absl::StrCat(Name(node), " starts again, with nothing"));

    absl::Status status = Eventually("the lock table by snapshot", [&] {
      const Reply reply = cluster_.Ask(node, {"status"});
      return Succeeded(reply) && reply.body.value("snapshots_installed", 0) > 0;
    });
    if (!status.ok()) return status;
    status = Eventually("the lock in its copy", [&] {
      const Reply reply = cluster_.Ask(node, {"locks", "--local"});
      return Succeeded(reply) && !reply.body["locks"].empty() &&
             TokenOf(reply.body["locks"][0]) == token_;
    });
    if (!status.ok()) return status;
    Tell("", absl::StrCat(Name(node),
                          " has the lock table by snapshot, demo in it"));

    status = AwaitThreeVoters(leader_);
    if (!status.ok()) return status;
    Tell("", absl::StrCat(Name(node), " votes again"));
    return absl::OkStatus();
  }

  absl::Status Leave() {
    const Reply reply =
        Type(first_, {"release", "demo", "--token", token_.ToString()});
    if (!Succeeded(reply)) return NotObserved("it should be released", reply);
    for (const int node : {second_, first_}) {
      const Reply left = Type(node, {"leave"});
      if (!Succeeded(left)) return NotObserved("it should leave", left);
      const std::optional<ExitStatus> end =
          cluster_.ProcessOf(node).Wait(absl::Now() + StepTimeout());
      if (!end.has_value() || !end->ok()) {
        return absl::InternalError(
            absl::StrCat(Name(node), " left but did not end well"));
      }
    }
    Tell("end", "two have left and ended; the third is stopped");
    return absl::OkStatus();
  }

  // --- What they are made of -------------------------------------------------

  static std::string Name(int node) { return AgentCluster::NameOf(node); }

  // One line: the time since the start, a word for what was done, what was
  // seen.
  void Tell(absl::string_view step, absl::string_view seen) {
    std::fputs(
        absl::StrFormat("%8.2f s  %-7s %s\n",
                        absl::ToDoubleSeconds(absl::Now() - start_), step, seen)
            .c_str(),
        stdout);
    std::fflush(stdout);
  }

  // Does as a person would, and shows it.
  Reply Type(int node, std::vector<std::string> command) {
    Tell(command[0], absl::StrCat("on ", Name(node), "$ cachalot ",
                                  absl::StrJoin(command, " ")));
    return cluster_.Ask(node, std::move(command), StepTimeout());
  }

  void Kill(int node, absl::string_view while_it) {
    cluster_.Kill(node);
    killed_ = node;
    Tell("kill", absl::StrCat(Name(node), " is killed while it ", while_it));
  }

  absl::Status Eventually(absl::string_view what,
                          absl::FunctionRef<bool()> is_so) {
    return tools::Eventually(what, StepTimeout(), is_so);
  }

  absl::Status AwaitThreeVoters(int node) {
    return cluster_.AwaitVoters(node, StepTimeout());
  }

  // Who leads, as `node` is told by the leader itself.
  absl::StatusOr<int> FindLeader(int node) const {
    const Reply reply = cluster_.Ask(node, {"members"});
    if (Succeeded(reply)) {
      for (const json& member : reply.body["members"]) {
        if (member.value("role", "") != "leader") continue;
        for (int i = 0; i < cluster_.size(); ++i) {
          if (member.value("name", "") == Name(i)) return i;
        }
      }
    }
    return NotObserved("the members should name a leader", reply);
  }

  // The lock "demo", as the leader has it.
  absl::StatusOr<json> FindLock(int node) const {
    const Reply reply = cluster_.Ask(node, {"locks", "--prefix", "demo"});
    if (!Succeeded(reply) || reply.body["locks"].size() != 1) {
      return NotObserved("demo should be listed as held", reply);
    }
    return reply.body["locks"][0];
  }

  // On a slow machine there may have been an election that nobody asked for.
  // The leader is to be killed, the holder is not: somebody else takes the lock
  // if they have become one.
  absl::Status KeepHolderFromLeading() {
    const absl::StatusOr<int> leader = FindLeader(first_);
    if (!leader.ok()) return leader.status();
    leader_ = *leader;
    if (leader_ != first_) return absl::OkStatus();
    const Reply reply =
        Type(first_, {"release", "demo", "--token", token_.ToString()});
    if (!Succeeded(reply)) return NotObserved("it should be released", reply);
    std::swap(first_, second_);
    return TakeTheLock();
  }

  // Leaves a `cachalot lock demo` waiting, and sees it in the queue.
  absl::Status BeginToWait(int node) {
    const std::vector<std::string> command = {"lock", "demo",   "--ttl",
                                              "1m",   "--wait", "1m"};
    Tell("lock", absl::StrCat("on ", Name(node), "$ cachalot ",
                              absl::StrJoin(command, " "), " &"));
    absl::StatusOr<ChildProcess> waiter = cluster_.Begin(node, command);
    if (!waiter.ok()) return waiter.status();
    waiter_ = *std::move(waiter);
    absl::Status status = Eventually("the waiter in the queue", [&] {
      const absl::StatusOr<json> lock = FindLock(leader_);
      return lock.ok() && lock->value("waiters", 0) == 1;
    });
    if (status.ok()) Tell("", absl::StrCat(Name(node), " waits in the queue"));
    return status;
  }

  // The waiter has been granted the lock: the token must have risen.
  absl::Status AwaitWaiter(int node) {
    const Reply reply =
        AgentCluster::Finish(*waiter_, absl::Now() + StepTimeout());
    waiter_.reset();
    const FencingToken token = TokenOf(reply.body);
    if (!Succeeded(reply) || token <= token_) {
      return NotObserved(absl::StrCat(Name(node),
                                      " should be granted the lock with a "
                                      "token above ",
                                      token_.ToString()),
                         reply);
    }
    token_ = token;
    return absl::OkStatus();
  }

  AgentCluster cluster_;
  const absl::Time start_;
  int leader_ = 0;
  int first_ = 0;   // holds the lock first, and again at the end
  int second_ = 0;  // waits for it, and is killed with it
  int killed_ = 0;
  FencingToken token_;  // of the last grant that was seen
  std::optional<ChildProcess> waiter_;
};

int Main() {
  CatchInterrupts();
  absl::StatusOr<AgentCluster> cluster =
      AgentCluster::Create({.size = 3, .session_ttl = SessionTtl()});
  if (!cluster.ok()) return static_cast<int>(Fail("demo", cluster.status()));
  std::printf(
      "Three agents on loopback, each a process; a dead one's leases end "
      "after %s.\n\n",
      Words(SessionTtl()).c_str());
  Demo demo(*std::move(cluster));
  const absl::Status status = demo.Run();
  if (Interrupted()) {
    std::fputs("demo: interrupted\n", stderr);
    return 130;  // as a shell has it: 128 + SIGINT
  }
  if (!status.ok()) {
    std::fputs(
        absl::StrCat("demo: not observed: ", status.message(), "\n").c_str(),
        stderr);
    return 1;
  }
  std::fputs("\nEvery step was observed.\n", stdout);
  return 0;
}

}  // namespace
}  // namespace cachalot::tools

int main() { return cachalot::tools::Main(); }
