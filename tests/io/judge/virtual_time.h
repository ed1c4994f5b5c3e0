#ifndef TESTS_IO_JUDGE_VIRTUAL_TIME_H_
#define TESTS_IO_JUDGE_VIRTUAL_TIME_H_

#include <functional>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "engine/address.h"
#include "engine/event.h"
#include "sim/world/agenda.h"
#include "sim/world/choices.h"
#include "sim/world/instant.h"
#include "sim/world/network.h"

namespace cachalot::io_judge {

using sim::RealInstant;

// Real time as the test pretends it, and the simulator's network: whatever is
// planned happens in the order of time, and of one instant in the order of
// planning. One thread.
class VirtualTime {
 public:
  using Task = absl::AnyInvocable<void()>;
  using Receiver = std::function<void(Event)>;

  // `choices` is not owned and outlives this.
  VirtualTime(sim::NetworkOptions network, sim::ChoiceSource* choices)
      : network_(network, choices) {}

  RealInstant now() const { return now_; }
  void At(RealInstant at, Task task) {
    agenda_.Add(at < now_ ? now_ : at, std::move(task));
  }
  void After(absl::Duration delay, Task task) {
    At(now_ + delay, std::move(task));
  }

  // Lets everything happen that is due by `end`, until `is_over` says so.
  void RunUntil(RealInstant end, const std::function<bool()>& is_over);

  // `receiver` gets what arrives at `address` until it is taken away.
  void Listen(const Address& address, Receiver receiver);
  // The process ends: in order, or killed, which loses what it has just sent.
  void StopListening(const Address& address, bool in_order);

  sim::Network& network() { return network_; }

 private:
  void HappenNext();

  RealInstant now_;
  sim::Agenda<Task> agenda_;
  sim::Network network_;
  absl::btree_map<Address, Receiver> receivers_;
};

}  // namespace cachalot::io_judge

#endif  // TESTS_IO_JUDGE_VIRTUAL_TIME_H_
