#ifndef SIM_JUDGE_DEPARTURE_H_
#define SIM_JUDGE_DEPARTURE_H_

#include <cstdint>

#include "sim/judge/complaint.h"

namespace cachalot::sim {

// How a node ended.
enum class Fate : uint8_t {
  kUnknown,      // it runs, or was never seen
  kCrashed,      // it did not leave
  kLeft,         // it was asked to leave, and left as CheckDeparture() demands
  kLeftAlone,    // the same, but it knew of no member that stayed
  kLeftLate,     // leave_timeout passed before it could
  kStartedOver,  // its process joined another cluster under another name
};

const char* FateName(Fate fate);

// A node at the moment at which it says that it has left.
struct Departure {
  bool is_late = false;  // leave_timeout has passed since it was asked
  // It knows of a member that runs and was not asked to leave.
  bool somebody_stays = false;
  bool has_session = false;  // in the committed table: its locks are held
  bool is_voter = false;     // in the committed configuration
};

Fate FateOf(const Departure& departure);

// A node that leaves before its timeout has freed its locks; and if somebody
// stays, a configuration without its vote is committed, or the others may lose
// their majority with it.
Complaint CheckDeparture(const Departure& departure);

}  // namespace cachalot::sim

#endif  // SIM_JUDGE_DEPARTURE_H_
