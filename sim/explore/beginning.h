#ifndef SIM_EXPLORE_BEGINNING_H_
#define SIM_EXPLORE_BEGINNING_H_

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"
#include "sim/explore/small_world.h"

namespace cachalot::sim {

// The state from which a small world is explored.
enum class Beginning : uint8_t {
  kBirth,    // no cluster yet; all machines are to found it together
  kFounded,  // all machines are voters and have met; there is no leader yet
  kLed,  // the last machine leads, all have sessions, no packet is in flight
  kContended,  // as kLed; client 1 holds the lock and client 2 waits for it
};

const char* BeginningName(Beginning beginning);
// Nothing if there is no beginning of that name.
std::optional<Beginning> ParseBeginning(absl::string_view name);

// The same options give the same world.
SmallWorld Begin(SmallOptions options, Beginning beginning);

// Takes the minimal choice again and again until `is_done`, for at most `time`.
// The complaint names the property that broke, or says that `is_done` was not
// reached.
Complaint RunWithoutFaults(SmallWorld& world, absl::Duration time,
                           TurnCache& turns,
                           bool (*is_done)(const SmallWorld&));

// Heals a copy of `world` and checks that each client can acquire and release
// the lock once more.
Complaint CheckProgress(SmallWorld world, TurnCache& turns);

}  // namespace cachalot::sim

#endif  // SIM_EXPLORE_BEGINNING_H_
