#include "engine/locks/token_counter.h"

#include <algorithm>

#include "engine/limits.h"

namespace cachalot {

void TokenCounter::RaiseAbove(FencingToken floor) {
  if (floor.number() > limits::kTokenFloorMax) return;
  if (last_.IsNone()) {
    last_ = floor;
  } else if (floor > last_) {
    const uint64_t steps = (floor.number() - last_.number()) / kStep;
    last_ = FencingToken(last_.number() + steps * kStep);
  }
}

uint64_t TokenCounter::BaseAt(int64_t wall_ns, uint64_t chance) {
  constexpr auto kFirst = static_cast<int64_t>(kStep);
  constexpr auto kLast = static_cast<int64_t>(limits::kTokenFloorMax - kStep);
  const auto time =
      static_cast<uint64_t>(std::clamp<int64_t>(wall_ns, kFirst, kLast));
  return time / kStep * kStep + chance % kStep;
}

}  // namespace cachalot
