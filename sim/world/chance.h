#ifndef SIM_WORLD_CHANCE_H_
#define SIM_WORLD_CHANCE_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "sim/world/choices.h"

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

// One named stream of choices. All chance in the simulator comes through here.
//
// From a seed, a choice follows from (seed, name, number, index) alone: a
// choice added in one stream shifts none in another, and one left out shifts
// none after it. From a log, it is what the log has at that place: rates and
// weights play no part, and delays may be up to an hour longer than the
// shortest, so that whoever cuts the plan out of a log does not change the rest
// of it. Integers only. The lowest choice is always the dullest: nothing
// happens, soonest, first of the list.
//
// A value: a copy goes on by itself.
class Chance {
 public:
  // `source` is not owned and outlives the stream and its copies.
  Chance(ChoiceSource* source, absl::string_view name, uint64_t number = 0);

  // From here on are the choices of the stream's next item: a message, an
  // operation. Whatever was chosen for one, the next begins at the same place.
  // An item has at most kChoicesPerItem choices.
  void BeginItem() {
    index_ = (index_ + kChoicesPerItem - 1) / kChoicesPerItem * kChoicesPerItem;
  }
  static constexpr uint64_t kChoicesPerItem = 16;
  // The same for items that have numbers of their own: what a client does at a
  // certain time, whatever it did before.
  void BeginItem(uint64_t number) { index_ = number * kChoicesPerItem; }

  bool Happens(Rate rate);
  // Uniform in [0, bound). REQUIRES: bound > 0.
  uint64_t Below(uint64_t bound);
  // Uniform in [low, high]. REQUIRES: low <= high.
  uint64_t Between(uint64_t low, uint64_t high);
  int64_t Between(int64_t low, int64_t high);
  absl::Duration Between(absl::Duration low, absl::Duration high);
  absl::Duration Draw(const Delay& delay);
  // Uniform in [low, high] as well, but the dullest is 0: then come the numbers
  // above it, and then those below. REQUIRES: low <= 0 <= high.
  int64_t Around0(int64_t low, int64_t high);
  // The place of one of the weights, each as likely as it is heavy. From a log
  // any may be chosen, also one that weighs nothing. REQUIRES: not empty.
  uint64_t PickWeighted(const std::vector<uint64_t>& weights);
  // A seed for somebody else's chance.
  uint64_t Seed();

  // REQUIRES: not empty.
  template <typename T>
  const T& Pick(const std::vector<T>& items) {
    return items[static_cast<size_t>(Below(items.size()))];
  }
  // Fisher-Yates; the dullest choice leaves the order as it is.
  template <typename Container>
  void Shuffle(Container& items) {
    for (uint64_t i = 0; i + 1 < items.size(); ++i) {
      using std::swap;
      swap(items[static_cast<size_t>(i)],
           items[static_cast<size_t>(i + Below(items.size() - i))]);
    }
  }

 private:
  // A uniform draw for the present place.
  uint64_t Bits() const;
  uint64_t Scaled(uint64_t bound) const;
  // What is chosen at the present place, if `drawn` is what the seed gives and
  // `max` the highest there is; goes on to the next.
  uint64_t Choose(uint64_t drawn, uint64_t max);

  ChoiceSource* source_;
  bool is_dull_ = false;
  uint32_t stream_ = 0;  // if the source replays or records
  uint64_t key_ = 0;     // from a seed
  uint64_t index_ = 0;
};

}  // namespace cachalot::sim

#endif  // SIM_WORLD_CHANCE_H_
