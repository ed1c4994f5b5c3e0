#include "engine/membership/rota.h"

#include <cstddef>

#include "absl/algorithm/container.h"
#include "engine/check.h"

namespace cachalot {

void Rota::Add(NodeId id, Random& random) {
  const size_t place = static_cast<size_t>(random.Below(order_.size() + 1));
  order_.insert(order_.begin() + static_cast<std::ptrdiff_t>(place), id);
  if (place < next_) ++next_;
}

void Rota::Remove(NodeId id) {
  const auto found = absl::c_find(order_, id);
  CHECK(found != order_.end()) << id;
  if (static_cast<size_t>(found - order_.begin()) < next_) --next_;
  order_.erase(found);
}

std::optional<NodeId> Rota::Next(Random& random) {
  if (order_.empty()) return std::nullopt;
  if (next_ == order_.size()) {
    random.Shuffle(order_);
    next_ = 0;
  }
  return order_[next_++];
}

std::vector<NodeId> Rota::Sorted() const {
  std::vector<NodeId> sorted = order_;
  absl::c_sort(sorted);
  return sorted;
}

void Rota::AddTo(Fingerprint& hash) const {
  for (const NodeId& id : order_) hash.Add(id);
  hash.Add(uint64_t{next_});
}

}  // namespace cachalot
