#include "sim/disk.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace cachalot::sim {

Disk::Disk(Delay delay, Chance chance) : delay_(delay), chance_(chance) {}

RealInstant Disk::Save(RealInstant now, SaveState order) {
  chance_.BeginItem();
  RealInstant done = now + chance_.Draw(delay_);
  if (!open_.empty()) done = std::max(done, open_.back().done);
  open_.push_back({done, std::move(order)});
  return done;
}

std::optional<SaveId> Disk::FinishDue(RealInstant now) {
  std::optional<SaveId> last;
  while (!open_.empty() && open_.front().done <= now) {
    contents_.Apply(open_.front().save.change);
    last = open_.front().save.save;
    open_.pop_front();
  }
  return last;
}

void Disk::Crash() {
  chance_.BeginItem();
  // The dullest is that all of them were done.
  const uint64_t reached = open_.size() - chance_.Below(open_.size() + 1);
  for (uint64_t i = 0; i < reached; ++i) {
    contents_.Apply(open_[static_cast<size_t>(i)].save.change);
  }
  open_.clear();
}

void Disk::Wipe() {
  open_.clear();
  contents_ = SavedState();
}

std::optional<SavedState> Disk::Kept() const {
  if (contents_.identity.node.IsNone()) return std::nullopt;
  return contents_;
}

}  // namespace cachalot::sim
