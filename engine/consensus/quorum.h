#ifndef ENGINE_CONSENSUS_QUORUM_H_
#define ENGINE_CONSENSUS_QUORUM_H_

#include <algorithm>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "engine/limits.h"
#include "engine/saved_state.h"

namespace cachalot {

// Majorities, plain and joint: arithmetic only.

inline constexpr size_t MajorityOf(size_t voters) { return voters / 2 + 1; }

// True if `agrees(id)` holds for a majority of `voters`; false for no voters.
template <typename Agrees>
bool HasMajority(const std::vector<Voter>& voters, const Agrees& agrees) {
  size_t count = 0;
  for (const Voter& voter : voters) count += agrees(voter.id) ? 1 : 0;
  return count >= MajorityOf(voters.size());
}

// True if `agrees(id)` holds for a majority of the voters and, in a joint
// configuration, for a majority of the outgoing ones, too.
template <typename Agrees>
bool HasQuorum(const Configuration& configuration, const Agrees& agrees) {
  return HasMajority(configuration.voters, agrees) &&
         (!configuration.IsJoint() ||
          HasMajority(configuration.outgoing, agrees));
}

// The highest value that a majority of `voters` has reached, by `value(id)`;
// Value() for no voters.
template <typename Value, typename ValueOf>
Value MajorityValue(const std::vector<Voter>& voters, const ValueOf& value_of) {
  absl::InlinedVector<Value, limits::kVotersMax> values;
  for (const Voter& voter : voters) values.push_back(value_of(voter.id));
  if (values.empty()) return Value();
  std::sort(values.begin(), values.end());
  return values[values.size() - MajorityOf(values.size())];
}

// The highest value that a quorum of `configuration` has reached.
template <typename Value, typename ValueOf>
Value QuorumValue(const Configuration& configuration, const ValueOf& value_of) {
  const Value of_voters = MajorityValue<Value>(configuration.voters, value_of);
  if (!configuration.IsJoint()) return of_voters;
  return std::min(of_voters,
                  MajorityValue<Value>(configuration.outgoing, value_of));
}

}  // namespace cachalot

#endif  // ENGINE_CONSENSUS_QUORUM_H_
