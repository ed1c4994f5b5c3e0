#ifndef ENGINE_LOCKS_SLOTS_H_
#define ENGINE_LOCKS_SLOTS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

namespace cachalot {

// Indexes into the lock table's pools. The parts of the table refer to each
// other by them, not by pointers, so that a copy of the table is valid. Slots
// are reused and differ between equal tables; nothing that the table says or
// decides may depend on them.
enum class LockSlot : uint32_t {};
enum class SessionSlot : uint32_t {};

// A pool whose values keep their slot and address from Add to Remove.
template <typename Slot, typename Value>
class SlotPool {
 public:
  // A new value, to be filled in at its place.
  Slot Add() {
    if (free_.empty()) {
      values_.emplace_back();
      return static_cast<Slot>(values_.size() - 1);
    }
    const Slot slot = free_.back();
    free_.pop_back();
    return slot;
  }

  // REQUIRES: `slot` came from Add and was not removed since. So do the rest.
  void Remove(Slot slot) {
    Value& value = (*this)[slot];
    std::destroy_at(&value);
    std::construct_at(&value);
    free_.push_back(slot);
  }

  Value& operator[](Slot slot) { return values_[static_cast<size_t>(slot)]; }
  const Value& operator[](Slot slot) const {
    return values_[static_cast<size_t>(slot)];
  }

 private:
  std::deque<Value> values_;  // grows without moving its elements
  std::vector<Slot> free_;    // removed, as new, and used again by Add
};

}  // namespace cachalot

#endif  // ENGINE_LOCKS_SLOTS_H_
