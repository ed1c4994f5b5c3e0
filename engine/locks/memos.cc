#include "engine/locks/memos.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "engine/check.h"
#include "engine/limits.h"

namespace cachalot {

Sequence Memos::end() const {
  return Sequence(first_.value() + kept_.size() - forgotten_);
}

bool Memos::HasRoomFor(Sequence sequence) const {
  // end() must be above `sequence`.
  if (sequence == Sequence(UINT64_MAX)) return false;
  return !IsForgotten(sequence) &&
         sequence.value() - first_.value() < limits::kRequestsPerSessionMax;
}

const Memo& Memos::Find(Sequence sequence) const {
  static const Memo unseen;
  if (IsForgotten(sequence)) {
    const auto waiting = waiting_below_.find(sequence);
    return waiting == waiting_below_.end() ? unseen : waiting->second;
  }
  if (sequence >= end()) return unseen;
  return kept_[forgotten_ + (sequence.value() - first_.value())];
}

void Memos::Put(Sequence sequence, Memo memo) {
  if (std::holds_alternative<Waiting>(memo)) ++waiting_;
  if (sequence == end() && HasRoomFor(sequence)) {
    kept_.push_back(std::move(memo));  // the usual case
    return;
  }
  if (std::holds_alternative<Waiting>(Find(sequence))) --waiting_;
  if (IsForgotten(sequence)) {
    if (std::holds_alternative<Waiting>(memo)) {
      waiting_below_[sequence] = std::move(memo);
    } else {
      waiting_below_.erase(sequence);
    }
    return;
  }
  CHECK(HasRoomFor(sequence)) << sequence << " from " << first_;
  const size_t place = forgotten_ + (sequence.value() - first_.value());
  if (place >= kept_.size()) kept_.resize(place + 1);
  kept_[place] = std::move(memo);
}

void Memos::ForgetBelow(Sequence first) {
  if (first <= first_) return;
  const Sequence kept_end = std::min(first, end());
  for (Sequence next = first_; next < kept_end; next = next.Next()) {
    const Memo& memo = Find(next);
    if (std::holds_alternative<Waiting>(memo)) {
      waiting_below_.emplace_hint(waiting_below_.end(), next, memo);
    }
  }
  if (first >= end()) {
    kept_.clear();
    forgotten_ = 0;
  } else {
    forgotten_ += first.value() - first_.value();
  }
  first_ = first;
  // Erased only when half of it is forgotten: on average each memo is moved
  // once at most.
  if (forgotten_ * 2 >= kept_.size()) {
    kept_.erase(kept_.begin(),
                kept_.begin() + static_cast<ptrdiff_t>(forgotten_));
    forgotten_ = 0;
  }
}

}  // namespace cachalot
