#ifndef SIM_JUDGE_DEPARTURE_H_
#define SIM_JUDGE_DEPARTURE_H_

#include <cstdint>

#include "sim/judge/complaint.h"

namespace cachalot::sim {

// How a node ended.
enum class Fate : uint8_t {
  kUnknown,      // it runs, or was never seen
  kCrashed,      // without a word
  kLeft,         // it was asked to, and had done all that it owed the others
  kLeftAlone,    // the same, but it knew of nobody who stayed
  kLeftLate,     // its time to leave had run out before it had done that
  kStartedOver,  // its process joined another cluster under another name
};

const char* FateName(Fate fate);

// A node at the moment at which it says that it has left.
struct Departure {
  bool is_late = false;  // leave_timeout has passed since it was asked
  // It knows of a member that runs and was not asked to leave.
  bool somebody_stays = false;
  bool has_session = false;  // in the committed table: its locks are not free
  bool is_voter = false;     // in the committed configuration
};

Fate FateOf(const Departure& departure);

// A node that leaves in time has freed its locks; and those who stay have
// agreed on a configuration without it, or its end may be the end of them all.
Complaint CheckDeparture(const Departure& departure);

}  // namespace cachalot::sim

#endif  // SIM_JUDGE_DEPARTURE_H_
