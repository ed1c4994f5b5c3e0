#ifndef SIM_AGENDA_H_
#define SIM_AGENDA_H_

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "engine/check.h"
#include "sim/instant.h"

namespace cachalot::sim {

// What is going to happen, earliest first. Of what happens at one instant the
// first to be added comes first: ties are broken by a sequence number, never
// by chance or by address. A value: a copy goes on by itself.
template <typename Item>
class Agenda {
 public:
  void Add(RealInstant at, Item item) {
    heap_.push_back({at, next_sequence_++, Keep(std::move(item))});
    std::push_heap(heap_.begin(), heap_.end(), Later);
  }

  bool empty() const { return heap_.empty(); }
  size_t size() const { return heap_.size(); }

  // Never() if nothing is planned.
  RealInstant NextDue() const {
    return heap_.empty() ? RealInstant::Never() : heap_.front().at;
  }

  // REQUIRES: not empty.
  Item TakeNext() {
    CHECK(!heap_.empty());
    std::pop_heap(heap_.begin(), heap_.end(), Later);
    const size_t place = heap_.back().place;
    heap_.pop_back();
    free_.push_back(place);
    return std::move(items_[place]);
  }

 private:
  // The heap is shuffled a lot: it has places of items, not the items.
  struct Planned {
    RealInstant at;
    uint64_t sequence;
    size_t place;  // in items_
  };

  static bool Later(const Planned& a, const Planned& b) {
    if (a.at != b.at) return a.at > b.at;
    return a.sequence > b.sequence;
  }

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

  std::vector<Planned> heap_;
  std::vector<Item> items_;
  std::vector<size_t> free_;  // places of items_ that are not in use
  uint64_t next_sequence_ = 0;
};

}  // namespace cachalot::sim

#endif  // SIM_AGENDA_H_
