#include "sim/judge/departure.h"

namespace cachalot::sim {

const char* FateName(Fate fate) {
  switch (fate) {
    case Fate::kUnknown:
      return "is gone";
    case Fate::kCrashed:
      return "crashed";
    case Fate::kLeft:
      return "left";
    case Fate::kLeftAlone:
      return "left and knew of nobody who stayed";
    case Fate::kLeftLate:
      return "left when its time to do so had run out";
    case Fate::kStartedOver:
      return "joined another cluster";
  }
  return "?";
}

Fate FateOf(const Departure& departure) {
  if (departure.is_late) return Fate::kLeftLate;
  return departure.somebody_stays ? Fate::kLeft : Fate::kLeftAlone;
}

Complaint CheckDeparture(const Departure& departure) {
  if (departure.is_late) return std::nullopt;
  if (departure.has_session) return "left before its locks were free";
  if (departure.somebody_stays && departure.is_voter) {
    return "left before those who stay had agreed on voters without it";
  }
  return std::nullopt;
}

}  // namespace cachalot::sim
