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

// What one machine keeps across restarts of its process. Saves take time and
// finish in the order in which they were ordered. A crash keeps the finished
// saves and a random prefix of the open ones, because their bytes may have
// reached the disk although nobody was told.
class Disk {
 public:
  Disk(Delay delay, Chance chance);

  // Returns when it will be done.
  RealInstant Save(RealInstant now, SaveState order);

  // Finishes all saves that are due and returns the last of them; nothing if
  // none is due.
  std::optional<SaveId> FinishDue(RealInstant now);

  // The process is gone. Keeps a random prefix of the open saves and drops the
  // rest; a save is kept whole or not at all. Returns how many were dropped.
  size_t Crash();
  // Makes the save that was ordered last fail when it is due.
  void FailLast();
  bool HasFailed(RealInstant now) const;
  // The machine is replaced: nothing is kept.
  void Wipe();
  // Everything is gone but the memory.
  void ForgetLog();
  // Written and saved before anything else happens, as a driver does when it
  // starts.
  void Remember(const Memory& memory) { contents_.memory = memory; }

  // What a process that starts now would find; nothing if no identity was
  // saved.
  std::optional<SavedState> Kept() const;
  const SavedState& contents() const { return contents_; }
  // How many saves were ever ordered.
  uint64_t saves() const { return saves_; }
  // Saves that were ordered and have not finished.
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
