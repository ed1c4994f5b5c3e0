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

// How long something takes: usually uniform in [min, max]; with probability
// `tail`, uniform in [max, tail_max].
struct Delay {
  absl::Duration min;
  absl::Duration max;
  Rate tail;
  absl::Duration tail_max;
};

// One named stream of random choices. Every random decision of the simulator is
// made here.
//
// With a seed, a choice depends on (seed, name, number, index) alone: adding a
// choice to one stream changes no other stream, and leaving one out changes
// none after it. With a choice log, the choice is what the log has at that
// place. Rates and weights are then ignored, and a delay may be up to an hour
// longer than the shortest, so that removing the plan's choices from a log does
// not change the meaning of the others.
//
// Choices are integers. 0 is always the minimal choice: nothing happens, the
// shortest delay, the first item of the list.
//
// A value: a copy is independent.
class Chance {
 public:
  // `source` is not owned and outlives the stream and its copies.
  Chance(ChoiceSource* source, absl::string_view name, uint64_t number = 0);

  // Begins the choices of the stream's next item, such as a message or an
  // operation. The next item begins at the same index however many choices this
  // one makes; an item has at most kChoicesPerItem of them.
  void BeginItem() {
    index_ = (index_ + kChoicesPerItem - 1) / kChoicesPerItem * kChoicesPerItem;
  }
  static constexpr uint64_t kChoicesPerItem = 16;
  // The same for items that are numbered by the caller, such as what a client
  // does in a certain time slot.
  void BeginItem(uint64_t number) { index_ = number * kChoicesPerItem; }

  bool Happens(Rate rate);
  // Uniform in [0, bound). REQUIRES: bound > 0.
  uint64_t Below(uint64_t bound);
  // Uniform in [low, high]. REQUIRES: low <= high.
  uint64_t Between(uint64_t low, uint64_t high);
  int64_t Between(int64_t low, int64_t high);
  absl::Duration Between(absl::Duration low, absl::Duration high);
  absl::Duration Draw(const Delay& delay);
  // Uniform in [low, high], but the minimal choice is 0, not `low`: the choices
  // count up from 0 to `high`, then down from -1 to `low`.
  // REQUIRES: low <= 0 <= high.
  int64_t Around0(int64_t low, int64_t high);
  // The index of one of the weights, with a probability proportional to it. A
  // log may choose any index, even one of weight 0. REQUIRES: not empty.
  uint64_t PickWeighted(const std::vector<uint64_t>& weights);
  // A seed for another random generator.
  uint64_t Seed();

  // REQUIRES: not empty.
  template <typename T>
  const T& Pick(const std::vector<T>& items) {
    return items[static_cast<size_t>(Below(items.size()))];
  }
  // Fisher-Yates; minimal choices leave the order unchanged.
  template <typename Container>
  void Shuffle(Container& items) {
    for (uint64_t i = 0; i + 1 < items.size(); ++i) {
      using std::swap;
      swap(items[static_cast<size_t>(i)],
           items[static_cast<size_t>(i + Below(items.size() - i))]);
    }
  }

 private:
  // 64 random bits for the current index.
  uint64_t Bits() const;
  uint64_t Scaled(uint64_t bound) const;
  // The choice at the current index: `drawn` if a seed decides, otherwise what
  // the log says, at most `max`. Moves on to the next index.
  uint64_t Choose(uint64_t drawn, uint64_t max);

  ChoiceSource* source_;
  bool is_suppressed_ = false;
  uint32_t stream_ = 0;  // used if the source replays or records
  uint64_t key_ = 0;     // used with a seed
  uint64_t index_ = 0;
};

}  // namespace cachalot::sim

#endif  // SIM_WORLD_CHANCE_H_
