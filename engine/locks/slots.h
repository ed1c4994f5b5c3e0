#ifndef ENGINE_LOCKS_SLOTS_H_
#define ENGINE_LOCKS_SLOTS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

namespace cachalot {

// Places in the lock table's pools: how its parts point at each other, so that
// a copy of the table is a table. Slots are used again and differ between
// equal tables; nothing that the table says or decides may depend on them.
enum class LockSlot : uint32_t {};
enum class SessionSlot : uint32_t {};

// Values that stay where they are from Add to Remove.
template <typename Slot, typename Value>
class SlotPool {
 public:
  Slot Add(Value value) {
    if (free_.empty()) {
      values_.push_back(std::move(value));
      return static_cast<Slot>(values_.size() - 1);
    }
    const Slot slot = free_.back();
    free_.pop_back();
    (*this)[slot] = std::move(value);
    return slot;
  }

  // REQUIRES: `slot` came from Add and was not removed since. So do the rest.
  void Remove(Slot slot) {
    (*this)[slot] = Value();
    free_.push_back(slot);
  }

  Value& operator[](Slot slot) { return values_[static_cast<size_t>(slot)]; }
  const Value& operator[](Slot slot) const {
    return values_[static_cast<size_t>(slot)];
  }

 private:
  std::deque<Value> values_;  // grows without a copy of what it has
  std::vector<Slot> free_;
};

}  // namespace cachalot

#endif  // ENGINE_LOCKS_SLOTS_H_
