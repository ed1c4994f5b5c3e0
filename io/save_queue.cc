#include "io/save_queue.h"

#include "engine/check.h"

namespace cachalot {

void SaveQueue::Add(FastInstant now, SaveId save, bool waits) {
  CHECK(last_ < save);
  last_ = save;
  if (waits) waiting_.push_back({save, now});
}

void SaveQueue::Complete(SaveId save) {
  CHECK(save <= last_);
  while (!waiting_.empty() && waiting_.front().save <= save) {
    waiting_.pop_front();
  }
}

// The one before the first that waits.
SaveId SaveQueue::Done() const {
  return waiting_.empty() ? last_ : waiting_.front().save.Previous();
}

bool SaveQueue::has_done() const { return taken_ < Done(); }

std::optional<SaveId> SaveQueue::Take() {
  if (!has_done()) return std::nullopt;
  taken_ = Done();
  return taken_;
}

std::optional<FastInstant> SaveQueue::waiting_since() const {
  if (waiting_.empty()) return std::nullopt;
  return waiting_.front().since;
}

}  // namespace cachalot
