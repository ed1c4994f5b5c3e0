#ifndef SIM_WORLD_AGENDA_H_
#define SIM_WORLD_AGENDA_H_

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "engine/check.h"
#include "sim/world/instant.h"

namespace cachalot::sim {

// What is going to happen, earliest first. Of what happens at one instant the
// first to be added comes first: never chance or an address decides. A value: a
// copy goes on by itself.
//
// What is added is mostly due before most of the rest, and so finds its place
// near the end of a sorted list: cheaper than a heap.
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

  // Never() if nothing is planned.
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
  // These are moved about: they have places of items, not the items.
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

  std::vector<Planned> planned_;  // the next is the last
  std::vector<Item> items_;
  std::vector<size_t> free_;  // places of items_ that are not in use
};

}  // namespace cachalot::sim

#endif  // SIM_WORLD_AGENDA_H_
