#include "engine/random.h"

#include "engine/check.h"

namespace cachalot {
namespace {

uint64_t SplitMix64(uint64_t& state) {
  uint64_t z = (state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

constexpr uint64_t RotateLeft(uint64_t x, int k) {
  return (x << k) | (x >> (64 - k));
}

}  // namespace

Random::Random(uint64_t seed) {
  for (uint64_t& word : state_) word = SplitMix64(seed);
}

Random::Random(uint64_t seed, absl::string_view name, uint64_t number)
    : Random(seed ^ StableHash(name) ^ (number * 0xd6e8feb86659fd93u)) {}

uint64_t Random::Next() {
  const uint64_t result = RotateLeft(state_[1] * 5, 7) * 9;
  const uint64_t t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = RotateLeft(state_[3], 45);
  return result;
}

uint64_t Random::Below(uint64_t bound) {
  CHECK(bound > 0);
  uint64_t draw = Next();
  // Draws from the incomplete last block are thrown away: no bias. It is
  // shorter than `bound`, so that most draws need no division to be told apart.
  while (draw > UINT64_MAX - bound && draw >= UINT64_MAX - UINT64_MAX % bound) {
    draw = Next();
  }
  return draw % bound;
}

uint64_t Random::Between(uint64_t low, uint64_t high) {
  CHECK(low <= high);
  if (low == 0 && high == UINT64_MAX) return Next();
  return low + Below(high - low + 1);
}

absl::Duration Random::Between(absl::Duration low, absl::Duration high) {
  CHECK(low <= high);
  const int64_t width = absl::ToInt64Nanoseconds(high - low);
  return low + absl::Nanoseconds(static_cast<int64_t>(
                   Between(uint64_t{0}, static_cast<uint64_t>(width))));
}

bool Random::Chance(uint64_t numerator, uint64_t denominator) {
  return Below(denominator) < numerator;
}

uint64_t StableHash(absl::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char byte : bytes) {
    hash ^= static_cast<uint8_t>(byte);
    hash *= 0x100000001b3u;
  }
  return SplitMix64(hash);
}

}  // namespace cachalot
