#ifndef SIM_EXPLORE_TURN_CACHE_H_
#define SIM_EXPLORE_TURN_CACHE_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/container/flat_hash_map.h"
#include "engine/instant.h"
#include "sim/explore/machine.h"

namespace cachalot::sim {

// A cache of turns. Most transitions repeat a turn that a machine took before,
// in a world that differed elsewhere.
//
// Keys are 64-bit hashes of machine, stimulus and clock readings.
class TurnCache {
 public:
  // The cache is cleared when it holds `turns_max` turns; 0: no cache.
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
