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

// Drives one node honestly, whatever its peers may be: clocks do not fall,
// saves are done in order, requests have names of their own. After each step it
// CHECKs the node's invariants and what engine/action.h promises of it:
//
//  - the deadline is later than now;
//  - saves are numbered without gaps, and a node starts from what was kept;
//  - each request is answered once at most, each grant lost once at most;
//  - datagrams and frames are within the limits, and decode;
//  - after the step of LeaveCompleted nothing is ordered but answers.
class ContractDriver {
 public:
  struct Sent {
    Address to;
    std::string bytes;
    bool is_frame = false;
  };

  // `options` are valid.
  explicit ContractDriver(NodeOptions options);

  const Node& node() const { return *node_; }
  const Now& now() const { return now_; }

  // The clocks go on; the node is not told.
  void PassTime(absl::Duration slow, absl::Duration fast);
  // ... until the node wants to be stepped, if it does within a day.
  void PassTimeToDeadline();

  void Step(const Event& event);
  // Names the request.
  void Submit(Request request);
  // Of a request that was submitted: any, or none if there was none.
  void Withdraw(uint64_t choice);
  // Tells the node that the first `count` of its open saves are done.
  void FinishSaves(size_t count);
  size_t open_saves() const { return open_saves_.size(); }

  // The process ends, of its open saves the first `kept` reached the disk, and
  // another starts with that.
  void Restart(size_t kept);

  // From here on a copy of the node takes each step as well, and has to come
  // to the same.
  void BeginTwin() { twin_ = *node_; }

  // What was sent since the last call.
  std::vector<Sent> TakeSent();
  // The tokens that were granted to this node's callers, newest last.
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
  bool leaves_ = false;    // LeaveCompleted was among the actions,
  bool has_left_ = false;  // and of a step before this one

  AnnounceSession session_;

  SavedState disk_;
  SaveId last_save_;
  std::deque<SaveState> open_saves_;

  uint64_t last_request_ = 0;
  absl::btree_set<RequestId> open_requests_;
  // Answered with a lock that was not lost since.
  absl::btree_set<RequestId> holding_;
  absl::btree_map<RequestId, std::string> acquiring_;  // the keys
  std::vector<std::pair<std::string, FencingToken>> granted_;
  std::vector<Sent> sent_;
};

}  // namespace cachalot

#endif  // TESTS_FUZZ_CONTRACT_DRIVER_H_
