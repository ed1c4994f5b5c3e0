#ifndef SIM_EXPLORE_TURN_CACHE_H_
#define SIM_EXPLORE_TURN_CACHE_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/container/flat_hash_map.h"
#include "engine/instant.h"
#include "sim/explore/machine.h"

namespace cachalot::sim {

// Turns that were taken before. Most transitions of a world move one machine in
// a way in which it has moved before, in a world that differed elsewhere: that
// machine's turn is looked up instead of taken again.
//
// Machines, stimuli and readings are told apart by 64-bit hashes.
class TurnCache {
 public:
  // Forgets everything when it has so many; 0: takes each anew.
  explicit TurnCache(size_t turns_max) : turns_max_(turns_max) {}

  std::shared_ptr<const Turn> Take(const Machine& machine, const Now& now,
                                   const Stimulus& stimulus);

  uint64_t taken() const { return taken_; }
  uint64_t found() const { return found_; }

 private:
  size_t turns_max_;
  // Looked up, never walked.
  absl::flat_hash_map<uint64_t, std::shared_ptr<const Turn>> turns_;
  uint64_t taken_ = 0;
  uint64_t found_ = 0;
};

}  // namespace cachalot::sim

#endif  // SIM_EXPLORE_TURN_CACHE_H_
