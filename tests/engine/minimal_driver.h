#ifndef TESTS_ENGINE_MINIMAL_DRIVER_H_
#define TESTS_ENGINE_MINIMAL_DRIVER_H_

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <utility>
#include <variant>
#include <vector>

#include "engine/action.h"
#include "engine/event.h"
#include "engine/node.h"

namespace cachalot {

// The smallest driver: nodes that are one call apart, saves that take no time,
// and a clock that jumps to whatever is due next. Of the engine it includes the
// door and what goes through it; of a node it calls Step() and NextDeadline().
class MinimalDriver {
 public:
  void Start(const NodeOptions& options) {
    nodes_.emplace(options.address, Node::Create(options, now).value());
  }
  void Hand(const Address& to, Event event) {
    events_.emplace_back(to, std::move(event));
  }
  // False if `condition` does not hold within so many events.
  bool RunUntil(const std::function<bool()>& condition, int events = 100000) {
    for (; !condition() && events > 0; --events) TakeOne();
    return events > 0;
  }

  Now now;
  // What the nodes told their callers.
  std::map<RequestId, Answer> answers;
  std::map<Address, AnnounceSession> sessions;
  std::vector<NotifyHolder> notices;

 private:
  void TakeOne() {
    absl::Duration wait = absl::InfiniteDuration();
    for (auto& [address, node] : nodes_) {
      wait = std::min(wait, node.NextDeadline().Until(now));
      if (node.NextDeadline().IsDue(now)) Hand(address, TimeAdvanced());
    }
    if (events_.empty()) {
      now = {.slow = now.slow + wait, .fast = now.fast + wait};
      return;
    }
    const auto [address, event] = std::move(events_.front());
    events_.pop_front();
    Step(address, event);
    Step(address, TurnEnded());
  }

  void Step(const Address& self, const Event& event) {
    for (Action& action : nodes_.at(self).Step(now, event)) {
      std::visit([&](auto& order) { Do(self, order); }, action);
    }
  }
  void Do(const Address& self, SendDatagram& send) {
    if (nodes_.contains(send.to)) {
      Hand(send.to, DatagramReceived{self, std::move(send.bytes)});
    }
  }
  void Do(const Address& self, SendFrame& send) {
    if (nodes_.contains(send.to)) {
      Hand(send.to, FrameReceived{self, std::move(send.bytes)});
    }
  }
  void Do(const Address& self, AnswerFrame& answer) {
    Hand(answer.to, FrameReceived{self, std::move(answer.bytes)});
  }
  void Do(const Address& self, SaveState& order) {
    Hand(self, StateSaved{order.save});
  }
  void Do(const Address&, AnswerRequest& answer) {
    answers[answer.request] = std::move(answer.answer);
  }
  void Do(const Address&, NotifyHolder& notice) { notices.push_back(notice); }
  void Do(const Address& self, AnnounceSession& session) {
    sessions[self] = session;
  }
  void Do(const Address&, AnnounceStanding&) {}
  void Do(const Address&, LeaveCompleted&) {}

  std::map<Address, Node> nodes_;
  std::deque<std::pair<Address, Event>> events_;
};

}  // namespace cachalot

#endif  // TESTS_ENGINE_MINIMAL_DRIVER_H_
