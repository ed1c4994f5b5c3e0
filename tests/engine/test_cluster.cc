#include "tests/engine/test_cluster.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/check.h"
#include "engine/overloaded.h"
#include "gtest/gtest.h"

namespace cachalot {
namespace {

constexpr uint64_t kCheckEvery = 16;

}  // namespace

void TestCluster::Start(int node, std::vector<int> seeds,
                        const std::function<void(NodeOptions&)>& edit) {
  NodeOptions options;
  options.seed = seed_ * 1000 + ++starts_;
  options.name = absl::StrCat("n", node);
  options.address = AddressOf(node);
  options.token_base = 100 + starts_;
  for (const int seed : seeds) {
    if (seed == node) {
      options.bootstrap = true;
    } else {
      options.seeds.push_back(AddressOf(seed));
    }
  }
  if (edit) edit(options);
  absl::StatusOr<Node> made = Node::Create(std::move(options), NowAt());
  CHECK(made.ok()) << made.status();
  nodes_[node] = {.node = *std::move(made), .process = starts_};
}

void TestCluster::Deliver(int node, const Event& event) {
  const auto found = nodes_.find(node);
  if (found == nodes_.end()) return;
  Node& target = *found->second.node;
  Perform(node, target.Step(NowAt(), event));
  Perform(node, target.Step(NowAt(), TurnEnded()));
  // Not always: it costs more than the step.
  if (++deliveries_ % kCheckEvery == 0) target.CheckInvariants();
}

void TestCluster::Perform(int node, Actions actions) {
  const auto send = [&](const Address& to, const std::string& bytes,
                        Event event) {
    if (filter && !filter(node, to, bytes)) return;
    const int peer = to.ip[15];
    if (cut_off_.contains(node) || cut_off_.contains(peer)) return;
    agenda_.Add(now_ + absl::Milliseconds(1),
                {.node = peer, .event = std::move(event)});
  };
  for (Action& action : actions) {
    std::visit(
        Overloaded{
            [&](SendDatagram& a) {
              send(a.to, a.bytes,
                   DatagramReceived{.from = AddressOf(node), .bytes = a.bytes});
            },
            [&](SendFrame& a) {
              send(a.to, a.bytes,
                   FrameReceived{.from = AddressOf(node), .bytes = a.bytes});
            },
            [&](AnswerFrame& a) {
              send(a.to, a.bytes,
                   FrameReceived{.from = AddressOf(node), .bytes = a.bytes});
            },
            [&](SaveState& a) {
              if (a.change.memory.has_value()) {
                memories_[node] = *a.change.memory;
              }
              agenda_.Add(now_, {.node = node,
                                 .process = nodes_.at(node).process,
                                 .event = StateSaved{a.save}});
            },
            [&](AnswerRequest& a) {
              const bool is_first =
                  answers_.emplace(a.request, std::move(a.answer)).second;
              CHECK(is_first) << "answered twice";
            },
            [&](NotifyHolder& a) { notices_.emplace_back(node, a); },
            [&](AnnounceStanding&) {},
            [&](LeaveCompleted&) { left_.insert(node); },
            [&](AnnounceSession&) {}},
        action);
  }
}

void TestCluster::Run(absl::Duration time) {
  RunUntil([] { return false; }, time);
}

bool TestCluster::RunUntil(const std::function<bool()>& condition,
                           absl::Duration time) {
  const sim::RealInstant end = now_ + time;
  while (!condition()) {
    // A message or a node's deadline, whichever is first.
    sim::RealInstant next = end;
    int due = 0;
    for (const auto& [number, running] : nodes_) {
      const sim::RealInstant at =
          now_ + std::max(running.node->NextDeadline().Until(NowAt()),
                          absl::Nanoseconds(0));
      if (at < next) {
        next = at;
        due = number;
      }
    }
    if (!agenda_.empty() && agenda_.NextDue() <= next) {
      now_ = std::max(now_, agenda_.NextDue());
      const Due arrived = agenda_.TakeNext();
      const auto running = nodes_.find(arrived.node);
      const bool is_gone =
          arrived.process != 0 && (running == nodes_.end() ||
                                   running->second.process != arrived.process);
      if (!is_gone) Deliver(arrived.node, arrived.event);
      continue;
    }
    if (due == 0) {
      now_ = end;
      return condition();
    }
    now_ = next;
    Deliver(due, TimeAdvanced());
  }
  return true;
}

int TestCluster::Leader() const {
  int leader = 0;
  Term highest;
  for (const auto& [number, running] : nodes_) {
    const Consensus& consensus = running.node->consensus();
    if (consensus.leads() && consensus.term() > highest) {
      highest = consensus.term();
      leader = number;
    }
  }
  return leader;
}

const Memory* TestCluster::FindMemory(int node) const {
  const auto found = memories_.find(node);
  return found == memories_.end() ? nullptr : &found->second;
}

RequestId TestCluster::Submit(int node, Request request) {
  const RequestId id(++last_request_);
  Deliver(node, RequestSubmitted{.request = id, .body = std::move(request)});
  return id;
}

std::optional<Answer> TestCluster::AnswerTo(RequestId request) const {
  const auto found = answers_.find(request);
  if (found == answers_.end()) return std::nullopt;
  return found->second;
}

Answer TestCluster::Ask(int node, Request request) {
  const RequestId id = Submit(node, std::move(request));
  const bool answered = RunUntil([&] { return answers_.contains(id); });
  CHECK(answered) << "no answer";
  return answers_.at(id);
}

AcquireRequest Try(std::string key, absl::Duration ttl) {
  return {.key = std::move(key), .ttl = ttl};
}

AcquireRequest Wait(std::string key, absl::Duration wait, absl::Duration ttl) {
  return {.key = std::move(key), .ttl = ttl, .wait = wait};
}

bool AllVote(TestCluster& cluster, const std::vector<int>& nodes) {
  for (const int i : nodes) {
    const Consensus& consensus = cluster.node(i).consensus();
    if (consensus.configuration().voters.size() != nodes.size()) return false;
    if (!consensus.configuration_settled()) return false;
    if (!consensus.IsVoter(cluster.node(i).id())) return false;
    if (!cluster.node(i).client().has_session()) return false;
  }
  return cluster.Leader() != 0;
}

void StartThree(TestCluster& cluster) {
  cluster.Start(1, {1});
  cluster.Start(2, {1});
  cluster.Start(3, {1});
  ASSERT_TRUE(cluster.RunUntil([&] { return AllVote(cluster, {1, 2, 3}); }));
}

}  // namespace cachalot
