#include "sim/chance.h"

#include "engine/check.h"

namespace cachalot::sim {

Chance::Chance(uint64_t seed, absl::string_view name, uint64_t number)
    : random_(seed, name, number) {}

bool Chance::Happens(Rate rate) {
  if (rate == Rate::Never()) return false;
  return 1000000 - Below(1000000) <= rate.ppm;
}

uint64_t Chance::Below(uint64_t bound) { return random_.Below(bound); }

uint64_t Chance::Between(uint64_t low, uint64_t high) {
  return random_.Between(low, high);
}

int64_t Chance::Between(int64_t low, int64_t high) {
  CHECK(low <= high);
  const uint64_t width =
      static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
  return low + static_cast<int64_t>(Between(uint64_t{0}, width));
}

absl::Duration Chance::Between(absl::Duration low, absl::Duration high) {
  return random_.Between(low, high);
}

absl::Duration Chance::Draw(const Delay& delay) {
  if (Happens(delay.tail) && delay.tail_max > delay.max) {
    return Between(delay.max, delay.tail_max);
  }
  return Between(delay.min, delay.max);
}

uint64_t Chance::Seed() { return random_.Next(); }

}  // namespace cachalot::sim
