#ifndef SIM_WORLD_AGENDA_H_
#define SIM_WORLD_AGENDA_H_

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "engine/check.h"
#include "sim/world/instant.h"

namespace cachalot::sim {

// A queue of future items, ordered by time. Items that are due at the same
// instant come out in the order in which they were added, so the order never
// depends on chance or on an address. A value: a copy is independent.
//
// A sorted list is cheaper than a heap here: most new items are due before most
// of the queued ones, so they are inserted near the end of the list.
template <typename Item>
class Agenda {
 public:
  void Add(RealInstant at, Item item) {
    const auto place = std::lower_bound(
        planned_.begin(), planned_.end(), at,
        [](const Planned& planned, RealInstant t) { return planned.at > t; });
    planned_.insert(place, {at, Keep(std::move(item))});
  }

  bool empty() const { return planned_.empty(); }
  size_t size() const { return planned_.size(); }

  // Never() if the agenda is empty.
  RealInstant NextDue() const {
    return planned_.empty() ? RealInstant::Never() : planned_.back().at;
  }

  // REQUIRES: not empty.
  Item TakeNext() {
    CHECK(!planned_.empty());
    const size_t place = planned_.back().place;
    planned_.pop_back();
    free_.push_back(place);
    return std::move(items_[place]);
  }

 private:
  // Sorting moves these, so they hold an index and not the item itself.
  struct Planned {
    RealInstant at;
    size_t place;  // in items_
  };

  size_t Keep(Item item) {
    if (free_.empty()) {
      items_.push_back(std::move(item));
      return items_.size() - 1;
    }
    const size_t place = free_.back();
    free_.pop_back();
    items_[place] = std::move(item);
    return place;
  }

  std::vector<Planned> planned_;  // latest first
  std::vector<Item> items_;
  std::vector<size_t> free_;  // unused places in items_
};

}  // namespace cachalot::sim

#endif  // SIM_WORLD_AGENDA_H_
