#include "sim/world/disk.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace cachalot::sim {

Disk::Disk(Delay delay, Chance chance) : delay_(delay), chance_(chance) {}

RealInstant Disk::Save(RealInstant now, SaveState order) {
  ++saves_;
  chance_.BeginItem();
  RealInstant done = now + chance_.Draw(delay_);
  if (!open_.empty()) done = std::max(done, open_.back().done);
  open_.push_back({done, std::move(order)});
  return done;
}

std::optional<SaveId> Disk::FinishDue(RealInstant now) {
  std::optional<SaveId> last;
  while (!open_.empty() && open_.front().done <= now && !open_.front().fails) {
    contents_.Apply(open_.front().save.change);
    last = open_.front().save.save;
    open_.pop_front();
  }
  return last;
}

size_t Disk::Crash() {
  chance_.BeginItem();
  // The minimal choice: all of them were done.
  const uint64_t given = open_.size();
  const uint64_t reached = given - chance_.Below(given + 1);
  uint64_t done = 0;
  while (done < reached && !open_.front().fails) {
    contents_.Apply(open_.front().save.change);
    open_.pop_front();
    ++done;
  }
  open_.clear();
  return static_cast<size_t>(given - done);
}

void Disk::FailLast() {
  if (!open_.empty()) open_.back().fails = true;
}

bool Disk::HasFailed(RealInstant now) const {
  return !open_.empty() && open_.front().fails && open_.front().done <= now;
}

void Disk::Wipe() {
  open_.clear();
  contents_ = SavedState();
}

void Disk::ForgetLog() {
  open_.clear();
  contents_ = SavedState{.memory = std::move(contents_.memory)};
}

std::optional<SavedState> Disk::Kept() const {
  if (contents_.identity.node.IsNone()) return std::nullopt;
  return contents_;
}

}  // namespace cachalot::sim
