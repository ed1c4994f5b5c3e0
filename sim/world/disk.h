#ifndef SIM_WORLD_DISK_H_
#define SIM_WORLD_DISK_H_

#include <deque>
#include <optional>

#include "engine/action.h"
#include "engine/ids.h"
#include "engine/saved_state.h"
#include "sim/world/chance.h"
#include "sim/world/instant.h"

namespace cachalot::sim {

// What one machine keeps while its processes come and go. Orders to save take
// their time and are done in the order in which they were given; a crash keeps
// what was done and a chance prefix of what was not: the bytes may have
// reached the disk though nobody was told.
class Disk {
 public:
  Disk(Delay delay, Chance chance);

  // Returns when it will be done.
  RealInstant Save(RealInstant now, SaveState order);

  // Does all orders that are due and returns the last of them; nothing if none
  // is due.
  std::optional<SaveId> FinishDue(RealInstant now);

  // The process is gone, its orders with it; the first of them may have been
  // done all the same. Returns how many were lost. One that was in the midst is
  // not done: what is torn is not taken for whole.
  size_t Crash();
  // The order that was given last will not be done; that is found out when it
  // is due.
  void FailLast();
  bool HasFailed(RealInstant now) const;
  // The machine is replaced: nothing is kept.
  void Wipe();

  // What a process that starts now would find; nothing if no identity was
  // ever kept.
  std::optional<SavedState> Kept() const;
  const SavedState& contents() const { return contents_; }
  // How many orders were ever given.
  uint64_t saves() const { return saves_; }
  // The orders given and not yet done.
  size_t orders_open() const { return open_.size(); }

  void set_delay(Delay delay) { delay_ = delay; }

 private:
  struct Order {
    RealInstant done;
    SaveState save;
    bool fails = false;
  };

  Delay delay_;
  Chance chance_;
  uint64_t saves_ = 0;
  std::deque<Order> open_;
  SavedState contents_;
};

}  // namespace cachalot::sim

#endif  // SIM_WORLD_DISK_H_
