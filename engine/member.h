#ifndef ENGINE_MEMBER_H_
#define ENGINE_MEMBER_H_

#include <cstdint>
#include <ostream>
#include <string>

#include "engine/address.h"
#include "engine/ids.h"

namespace cachalot {

// SWIM's view of a member: within one incarnation the higher state wins
// (engine/membership/README.md, R2).
enum class MemberState : uint8_t { kAlive, kSuspect, kFailed, kLeft };

const char* MemberStateName(MemberState state);
std::ostream& operator<<(std::ostream& out, MemberState state);

enum class MemberRole : uint8_t { kMember, kLearner, kVoter, kLeader };

const char* MemberRoleName(MemberRole role);
std::ostream& operator<<(std::ostream& out, MemberRole role);

struct MemberInfo {
  NodeId id;
  std::string name;
  Address address;
  MemberState state = MemberState::kAlive;
  MemberRole role = MemberRole::kMember;

  friend bool operator==(const MemberInfo&, const MemberInfo&) = default;
};

}  // namespace cachalot

#endif  // ENGINE_MEMBER_H_
