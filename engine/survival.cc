#include "engine/survival.h"

#include <algorithm>

namespace cachalot {

uint64_t Survival::alive_count() const {
  return static_cast<uint64_t>(
      std::count_if(voters.begin(), voters.end(),
                    [](const Voter& voter) { return voter.is_alive; }));
}

}  // namespace cachalot
