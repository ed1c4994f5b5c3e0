#include "engine/request.h"

namespace cachalot {

const char* OutcomeName(Outcome outcome) {
  switch (outcome) {
    case Outcome::kOk:
      return "ok";
    case Outcome::kHeld:
      return "held";
    case Outcome::kTimedOut:
      return "timed-out";
    case Outcome::kNotHeld:
      return "not-held";
    case Outcome::kWithdrawn:
      return "withdrawn";
    case Outcome::kInvalid:
      return "invalid";
    case Outcome::kBusy:
      return "busy";
    case Outcome::kUnavailable:
      return "unavailable";
    case Outcome::kLeaving:
      return "leaving";
    case Outcome::kUnknown:
      return "unknown";
  }
  return "?";
}

const char* BeliefName(Belief belief) {
  switch (belief) {
    case Belief::kHeld:
      return "HELD";
    case Belief::kSuspect:
      return "SUSPECT";
    case Belief::kLost:
      return "LOST";
  }
  return "?";
}

const char* LossReasonName(LossReason reason) {
  switch (reason) {
    case LossReason::kNone:
      return "none";
    case LossReason::kReleased:
      return "released";
    case LossReason::kExpired:
      return "expired";
    case LossReason::kRevoked:
      return "revoked";
    case LossReason::kWithdrawn:
      return "withdrawn";
    case LossReason::kLeft:
      return "left";
    case LossReason::kDissolved:
      return "dissolved";
    case LossReason::kClosed:
      return "closed";
  }
  return "?";
}

std::ostream& operator<<(std::ostream& out, Outcome outcome) {
  return out << OutcomeName(outcome);
}
std::ostream& operator<<(std::ostream& out, Belief belief) {
  return out << BeliefName(belief);
}
std::ostream& operator<<(std::ostream& out, LossReason reason) {
  return out << LossReasonName(reason);
}

}  // namespace cachalot
