#ifndef SIM_CHANCE_H_
#define SIM_CHANCE_H_

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engine/random.h"

namespace cachalot::sim {

// How often something happens, in parts per million.
struct Rate {
  uint32_t ppm = 0;

  static constexpr Rate Never() { return {0}; }
  static constexpr Rate Percent(uint32_t percent) { return {percent * 10000}; }
  friend bool operator==(const Rate&, const Rate&) = default;
};

// How long something takes: mostly between `min` and `max`, evenly; now and
// then, at `tail`, anything up to `tail_max`.
struct Delay {
  absl::Duration min;
  absl::Duration max;
  Rate tail;
  absl::Duration tail_max;
};

// One named stream of choices. All chance in the simulator comes through here,
// so that a draw added in one place shifts no draw in another, and so that the
// choices of a run can be recorded, replayed and left out one by one. For the
// last, the lowest choice is always the dullest: nothing happens, soonest,
// first of the list.
class Chance {
 public:
  Chance(uint64_t seed, absl::string_view name, uint64_t number = 0);

  bool Happens(Rate rate);
  // Uniform in [0, bound). REQUIRES: bound > 0.
  uint64_t Below(uint64_t bound);
  // Uniform in [low, high]. REQUIRES: low <= high.
  uint64_t Between(uint64_t low, uint64_t high);
  int64_t Between(int64_t low, int64_t high);
  absl::Duration Between(absl::Duration low, absl::Duration high);
  absl::Duration Draw(const Delay& delay);
  // A seed for somebody else's chance.
  uint64_t Seed();

  // REQUIRES: not empty.
  template <typename T>
  const T& Pick(const std::vector<T>& items) {
    return items[static_cast<size_t>(Below(items.size()))];
  }
  template <typename Container>
  void Shuffle(Container& items) {
    random_.Shuffle(items);
  }

 private:
  Random random_;
};

}  // namespace cachalot::sim

#endif  // SIM_CHANCE_H_
