#include "io/flap_filter.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace cachalot {

std::optional<FlapFilter::News> FlapFilter::Admit(FastInstant now,
                                                  const MemberChanged& change) {
  auto found = entries_.find(change.address);
  if (found == entries_.end()) {
    if (entries_.size() >= options_.addresses_max) return News{change};
    found = entries_.try_emplace(change.address).first;
  }
  Entry& entry = found->second;
  if (!Spend(now, entry)) {
    entry.latest = change;
    ++entry.held_back;
    return std::nullopt;
  }
  entry.latest.reset();
  return News{.change = change, .held_back = std::exchange(entry.held_back, 0)};
}

std::vector<FlapFilter::News> FlapFilter::TakeDue(FastInstant now) {
  std::vector<News> due;
  for (auto it = entries_.begin(); it != entries_.end();) {
    Entry& entry = it->second;
    if (entry.latest.has_value() && Spend(now, entry)) {
      // It is told itself.
      due.push_back({.change = *std::exchange(entry.latest, std::nullopt),
                     .held_back = std::exchange(entry.held_back, 0) - 1});
    }
    const bool is_quiet = !entry.latest.has_value() && entry.spent_until <= now;
    it = is_quiet ? entries_.erase(it) : std::next(it);
  }
  return due;
}

bool FlapFilter::Spend(FastInstant now, Entry& entry) const {
  const FastInstant spent =
      std::max(entry.spent_until, now) + options_.interval;
  if (spent - now > options_.burst * options_.interval) return false;
  entry.spent_until = spent;
  return true;
}

}  // namespace cachalot
