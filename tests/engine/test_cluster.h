#ifndef TESTS_ENGINE_TEST_CLUSTER_H_
#define TESTS_ENGINE_TEST_CLUSTER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "engine/node.h"
#include "sim/world/agenda.h"
#include "sim/world/instant.h"

namespace cachalot {

// A few nodes on a network that delays everything by one millisecond and loses
// nothing, except to and from nodes that are cut off. For tests of what single
// nodes do, without faults or judge: those are the simulator's. Nodes are
// numbered from 1.
class TestCluster {
 public:
  explicit TestCluster(uint64_t seed = 1) : seed_(seed) {}

  static Address AddressOf(int node) {
    return Address::V4(10, 0, 0, static_cast<uint8_t>(node), 7946);
  }
  static FastInstant Fast(absl::Duration at) {
    return FastInstant() + absl::Hours(1) + at;
  }

  // `edit` may change the options before the node is made.
  void Start(int node, std::vector<int> seeds,
             const std::function<void(NodeOptions&)>& edit = {});
  // The process ends at once.
  void Kill(int node) { nodes_.erase(node); }
  void CutOff(int node) { cut_off_.insert(node); }
  void Reconnect(int node) { cut_off_.erase(node); }

  void Run(absl::Duration time);
  // Runs until `condition` holds, for `time` at most. True if it holds.
  bool RunUntil(const std::function<bool()>& condition,
                absl::Duration time = absl::Seconds(30));

  Node& node(int number) { return *nodes_.at(number).node; }
  bool has(int number) const { return nodes_.contains(number); }
  // The node that leads the highest term; 0 if none does.
  int Leader() const;
  absl::Duration now() const { return now_ - sim::RealInstant(); }
  Now NowAt() const {
    return {.slow = SlowInstant() + absl::Hours(2) + now(),
            .fast = Fast(now())};
  }

  RequestId Submit(int node, Request request);
  // The answer, once there is one.
  std::optional<Answer> AnswerTo(RequestId request) const;
  // Submits and runs until it is answered.
  Answer Ask(int node, Request request);
  const std::vector<std::pair<int, NotifyHolder>>& notices() const {
    return notices_;
  }
  void Deliver(int node, const Event& event);
  bool has_left(int node) const { return left_.contains(node); }
  // What the processes of `node` had saved last, if they keep a memory.
  const Memory* FindMemory(int node) const;

  // Called with each message on its way; false loses it.
  std::function<bool(int from, const Address& to, const std::string& bytes)>
      filter;

 private:
  struct Running {
    std::optional<Node> node;
    uint64_t process = 0;
  };
  // What arrives at a node; if `process` is set, only at that process.
  struct Due {
    int node = 0;
    uint64_t process = 0;
    Event event;
  };

  void Perform(int node, Actions actions);

  uint64_t seed_;
  sim::RealInstant now_;
  uint64_t starts_ = 0;
  uint64_t deliveries_ = 0;
  uint64_t last_request_ = 0;
  std::map<int, Running> nodes_;
  std::set<int> cut_off_;
  std::set<int> left_;
  std::map<int, Memory> memories_;
  sim::Agenda<Due> agenda_;
  std::map<RequestId, Answer> answers_;
  std::vector<std::pair<int, NotifyHolder>> notices_;
};

// Asks for a lock at once, or waits for it.
AcquireRequest Try(std::string key, absl::Duration ttl = absl::Seconds(30));
AcquireRequest Wait(std::string key, absl::Duration wait,
                    absl::Duration ttl = absl::Seconds(30));

// Whether `nodes`, and nobody else, are the voters, settled and with sessions.
bool AllVote(TestCluster& cluster, const std::vector<int>& nodes);
// Nodes 1 to 3, until all vote.
void StartThree(TestCluster& cluster);

}  // namespace cachalot

#endif  // TESTS_ENGINE_TEST_CLUSTER_H_
