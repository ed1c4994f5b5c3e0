#include "tests/io/judge/virtual_time.h"

#include <algorithm>
#include <optional>
#include <variant>

namespace cachalot::io_judge {

void VirtualTime::Listen(const Address& address, Receiver receiver) {
  receivers_[address] = std::move(receiver);
  network_.Open(address);
}

void VirtualTime::StopListening(const Address& address, bool in_order) {
  receivers_.erase(address);
  if (in_order) {
    network_.Exit(now_, address);
  } else {
    network_.Crash(now_, address);
  }
}

void VirtualTime::RunUntil(RealInstant end,
                           const std::function<bool()>& is_over) {
  while (!is_over()) {
    const RealInstant due = std::min(agenda_.NextDue(), network_.NextDue());
    if (due > end) break;
    now_ = std::max(now_, due);
    HappenNext();
  }
  now_ = std::max(now_, end);
}

void VirtualTime::HappenNext() {
  if (agenda_.NextDue() <= now_ && agenda_.NextDue() <= network_.NextDue()) {
    Task task = agenda_.TakeNext();
    task();
    return;
  }
  std::optional<sim::Network::Arrival> arrival = network_.RunNext(now_);
  if (!arrival.has_value()) return;
  const auto receiver = receivers_.find(arrival->to);
  if (receiver == receivers_.end()) return;
  std::visit([&](auto&& what) { receiver->second(Event(std::move(what))); },
             std::move(arrival->what));
}

}  // namespace cachalot::io_judge
