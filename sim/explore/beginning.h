#ifndef SIM_EXPLORE_BEGINNING_H_
#define SIM_EXPLORE_BEGINNING_H_

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"
#include "sim/explore/small_world.h"

namespace cachalot::sim {

// From where a small world is explored.
enum class Beginning : uint8_t {
  kBirth,    // nobody has a cluster; all expect each other
  kFounded,  // the machines vote, have met, and have no leader yet
  kLed,      // the last machine leads, all have sessions, nothing is under way
  kContended,  // and client 1 holds the lock, and client 2 waits for it
};

const char* BeginningName(Beginning beginning);
// Nothing if `name` is none.
std::optional<Beginning> ParseBeginning(absl::string_view name);

// The same options give the same world.
SmallWorld Begin(SmallOptions options, Beginning beginning);

// Lets the dullest thing happen, again and again, for no more than `time`,
// until `is_done`. The complaint says what broke on the way, or that it never
// came.
Complaint RunQuietly(SmallWorld& world, absl::Duration time, TurnCache& turns,
                     bool (*is_done)(const SmallWorld&));

// Heals a copy of `world`: the clients must be able to take the lock once more.
Complaint CheckProgress(SmallWorld world, TurnCache& turns);

}  // namespace cachalot::sim

#endif  // SIM_EXPLORE_BEGINNING_H_
