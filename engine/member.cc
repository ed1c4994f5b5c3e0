#include "engine/member.h"

namespace cachalot {

const char* MemberStateName(MemberState state) {
  switch (state) {
    case MemberState::kAlive:
      return "alive";
    case MemberState::kSuspect:
      return "suspect";
    case MemberState::kFailed:
      return "failed";
    case MemberState::kLeft:
      return "left";
  }
  return "?";
}

const char* MemberRoleName(MemberRole role) {
  switch (role) {
    case MemberRole::kMember:
      return "member";
    case MemberRole::kLearner:
      return "learner";
    case MemberRole::kVoter:
      return "voter";
    case MemberRole::kLeader:
      return "leader";
  }
  return "?";
}

std::ostream& operator<<(std::ostream& out, MemberState state) {
  return out << MemberStateName(state);
}
std::ostream& operator<<(std::ostream& out, MemberRole role) {
  return out << MemberRoleName(role);
}

}  // namespace cachalot
