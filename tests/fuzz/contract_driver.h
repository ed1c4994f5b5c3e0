#ifndef TESTS_FUZZ_CONTRACT_DRIVER_H_
#define TESTS_FUZZ_CONTRACT_DRIVER_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/time/time.h"
#include "engine/action.h"
#include "engine/address.h"
#include "engine/event.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/node.h"
#include "engine/options.h"
#include "engine/request.h"
#include "engine/saved_state.h"

namespace cachalot {

// A correct driver for one node among arbitrary peers: clocks never go back,
// saves finish in order, and request ids are unique. After each step it CHECKs
// the node's invariants and the guarantees of engine/action.h:
//
//  - the deadline is later than now;
//  - saves are numbered without gaps, and a node starts from the saved state;
//  - each request is answered at most once, each grant lost at most once;
//  - datagrams and frames are within the limits, and decode;
//  - after the step with LeaveCompleted the only actions are answers.
class ContractDriver {
 public:
  struct Sent {
    Address to;
    std::string bytes;
    bool is_frame = false;
  };

  // REQUIRES: `options` are valid.
  explicit ContractDriver(NodeOptions options);

  const Node& node() const { return *node_; }
  const Now& now() const { return now_; }

  // Advances the clocks; the node is not stepped.
  void PassTime(absl::Duration slow, absl::Duration fast);
  // Advances the clocks to the node's next deadline, if that is within a day.
  void PassTimeToDeadline();

  void Step(const Event& event);
  // Submits the request with a new id.
  void Submit(Request request);
  // Withdraws one of the requests submitted so far, if any; `choice` says
  // which.
  void Withdraw(uint64_t choice);
  // Tells the node that the first `count` of its open saves are done.
  void FinishSaves(size_t count);
  size_t open_saves() const { return open_saves_.size(); }

  // The process crashes, the first `kept` of its open saves reach the disk, and
  // a new process starts with that disk. Does nothing if the node has left.
  void Restart(size_t kept);

  // From now on a copy of the node takes each step too. It must reach the same
  // state: copies of a node are independent, and steps are deterministic.
  void BeginTwin() { twin_ = *node_; }

  // What was sent since the last call.
  std::vector<Sent> TakeSent();
  // The keys and tokens that were granted to this node's callers, newest last.
  const std::vector<std::pair<std::string, FencingToken>>& granted() const {
    return granted_;
  }

 private:
  void Check(const Action& action);
  void Check(const SendDatagram& action);
  void Check(const SendFrame& action);
  void Check(const AnswerFrame& action);
  void Check(const SaveState& action);
  void Check(const AnswerRequest& action);
  void Check(const NotifyHolder& action);
  void Check(const AnnounceStanding&);
  void Check(const LeaveCompleted&);
  void Check(const AnnounceSession& action);
  void CheckBytes(const std::string& bytes, size_t size_max) const;
  void StepTwin(const Event& event, const Actions& actions);

  NodeOptions options_;
  Now now_;
  std::optional<Node> node_;
  std::optional<Node> twin_;
  bool leave_completed_ = false;  // a step returned LeaveCompleted
  bool has_left_ = false;         // an earlier step did

  AnnounceSession session_;

  SavedState disk_;
  SaveId last_save_;
  std::deque<SaveState> open_saves_;

  uint64_t last_request_ = 0;
  absl::btree_set<RequestId> open_requests_;
  // Requests whose grants were not lost since.
  absl::btree_set<RequestId> holding_;
  absl::btree_map<RequestId, std::string> acquiring_;  // requested keys
  std::vector<std::pair<std::string, FencingToken>> granted_;
  std::vector<Sent> sent_;
};

}  // namespace cachalot

#endif  // TESTS_FUZZ_CONTRACT_DRIVER_H_
