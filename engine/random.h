#ifndef ENGINE_RANDOM_H_
#define ENGINE_RANDOM_H_

#include <array>
#include <cstdint>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace cachalot {

// xoshiro256** 1.0 (Blackman and Vigna), seeded through splitmix64. The same
// seed gives the same numbers on every platform and in every build, which
// absl::BitGen and the distributions of the standard library do not promise.
// Integers only, for the same reason. Not for secrets.
class Random {
 public:
  explicit Random(uint64_t seed);
  // A separate stream for each (seed, name, number): a new draw in one place
  // does not shift the draws in another.
  Random(uint64_t seed, absl::string_view name, uint64_t number = 0);

  uint64_t Next();
  // Uniform in [0, bound). REQUIRES: bound > 0.
  uint64_t Below(uint64_t bound);
  // Uniform in [low, high], both included. REQUIRES: low <= high.
  uint64_t Between(uint64_t low, uint64_t high);
  absl::Duration Between(absl::Duration low, absl::Duration high);
  // True with probability `numerator` / `denominator`.
  bool Chance(uint64_t numerator, uint64_t denominator);

  // Fisher-Yates.
  template <typename Container>
  void Shuffle(Container& items) {
    for (uint64_t i = items.size(); i > 1; --i) {
      using std::swap;
      swap(items[static_cast<size_t>(i - 1)],
           items[static_cast<size_t>(Below(i))]);
    }
  }

  friend bool operator==(const Random&, const Random&) = default;

 private:
  std::array<uint64_t, 4> state_;
};

// A 64-bit mix of `bytes`, the same in every build (FNV-1a, then splitmix64).
uint64_t StableHash(absl::string_view bytes);

}  // namespace cachalot

#endif  // ENGINE_RANDOM_H_
