#include "sim/world/chance.h"

#include <algorithm>

#include "absl/numeric/int128.h"
#include "engine/check.h"
#include "engine/random.h"

namespace cachalot::sim {
namespace {

constexpr uint64_t kGolden = 0x9e3779b97f4a7c15u;
// An hour in nanoseconds.
constexpr uint64_t kLongestFromLog = 3600u * 1000000000u;

// The output function of splitmix64 (Steele, Lea and Flood, 2014), which makes
// a good generator of a counter.
uint64_t Mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

// Maps `bits`, read as the fraction bits / 2^64, to [0, bound).
uint64_t Scale(uint64_t bits, uint64_t bound) {
  return absl::Uint128High64(absl::uint128(bits) * bound);
}

}  // namespace

Chance::Chance(ChoiceSource* source, absl::string_view name, uint64_t number)
    : source_(source),
      is_suppressed_(source->IsSuppressed(name)),
      key_(Mix(source->seed() + kGolden) ^ StableHash(name) ^
           Mix(number * kGolden + 1)) {
  if (source->replays() || source->records()) {
    stream_ = source->Open(name, number);
  }
}

uint64_t Chance::Bits() const { return Mix(key_ + (index_ + 1) * kGolden); }

uint64_t Chance::Scaled(uint64_t bound) const { return Scale(Bits(), bound); }

uint64_t Chance::Choose(uint64_t drawn, uint64_t max) {
  const uint64_t index = index_++;
  if (is_suppressed_) return 0;
  if (!source_->replays() && !source_->records()) return drawn;
  const uint64_t chosen = source_->replays()
                              ? std::min(source_->Listed(stream_, index), max)
                              : drawn;
  if (chosen != 0) source_->Record(stream_, index, chosen);
  return chosen;
}

bool Chance::Happens(Rate rate) {
  return Choose(Scaled(1000000) < rate.ppm ? 1 : 0, 1) != 0;
}

uint64_t Chance::Below(uint64_t bound) {
  CHECK(bound > 0);
  return Choose(Scaled(bound), bound - 1);
}

uint64_t Chance::Between(uint64_t low, uint64_t high) {
  CHECK(low <= high);
  if (low == 0 && high == UINT64_MAX) return Seed();
  return low + Below(high - low + 1);
}

int64_t Chance::Between(int64_t low, int64_t high) {
  CHECK(low <= high);
  const uint64_t width =
      static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
  return low + static_cast<int64_t>(Between(uint64_t{0}, width));
}

absl::Duration Chance::Between(absl::Duration low, absl::Duration high) {
  CHECK(low <= high);
  const int64_t width = absl::ToInt64Nanoseconds(high - low);
  return low + absl::Nanoseconds(static_cast<int64_t>(
                   Below(static_cast<uint64_t>(width) + 1)));
}

absl::Duration Chance::Draw(const Delay& delay) {
  CHECK(delay.min <= delay.max);
  const int64_t shortest = absl::ToInt64Nanoseconds(delay.min);
  const int64_t max = absl::ToInt64Nanoseconds(delay.max);
  const int64_t longest =
      std::max(max, absl::ToInt64Nanoseconds(delay.tail_max));
  const auto width = static_cast<uint64_t>(max - shortest);
  const auto width_max = static_cast<uint64_t>(longest - shortest);
  // The same bits decide whether it is from the tail, and how long it is.
  const uint64_t bits = Bits();
  uint64_t drawn = Scale(bits, width + 1);
  if (width_max > width && delay.tail != Rate::Never() &&
      Scale(Mix(bits), 1000000) < delay.tail.ppm) {
    drawn = width + Scale(bits, width_max - width + 1);
  }
  const uint64_t highest = std::max(width_max, kLongestFromLog);
  return absl::Nanoseconds(shortest +
                           static_cast<int64_t>(Choose(drawn, highest)));
}

int64_t Chance::Around0(int64_t low, int64_t high) {
  CHECK(low <= 0);
  CHECK(high >= 0);
  const auto above = static_cast<uint64_t>(high);
  const uint64_t below = uint64_t{0} - static_cast<uint64_t>(low);
  const uint64_t chosen = Below(above + below + 1);
  if (chosen <= above) return static_cast<int64_t>(chosen);
  return -static_cast<int64_t>(chosen - above);
}

uint64_t Chance::PickWeighted(const std::vector<uint64_t>& weights) {
  CHECK(!weights.empty());
  uint64_t total = 0;
  for (const uint64_t weight : weights) total += weight;
  uint64_t drawn = 0;
  if (total > 0) {
    uint64_t left = Scaled(total);
    while (left >= weights[static_cast<size_t>(drawn)]) {
      left -= weights[static_cast<size_t>(drawn)];
      ++drawn;
    }
  }
  return Choose(drawn, weights.size() - 1);
}

uint64_t Chance::Seed() { return Choose(Bits(), UINT64_MAX); }

}  // namespace cachalot::sim
