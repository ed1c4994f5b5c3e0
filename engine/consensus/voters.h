#ifndef ENGINE_CONSENSUS_VOTERS_H_
#define ENGINE_CONSENSUS_VOTERS_H_

#include <optional>
#include <vector>

#include "engine/saved_state.h"

namespace cachalot {

// What the leader knows of one member when it chooses the voters.
struct VoterHealth {
  enum class State : uint8_t {
    kPresent,  // a voter that is not known to be gone
    kReady,    // a learner that may be promoted now
    kCrashed,  // a voter that failed and has been silent for
               // replace_voter_after, or whose address another process has
    kLeaving,  // a voter that asked to leave, or has left
  };

  Voter voter;
  State state = State::kPresent;
  bool is_leader = false;
};

// Who should vote next; nothing if the present voters are to stay. The number
// of voters is odd, at most `voters_max`, and as large as the members allow.
//
// `health` lists the present voters and any learners, the preferred ones first.
// A voter that is leaving is removed at once. One that crashed is removed when
// a learner is ready to take its place, or when fewer voters would survive more
// losses than the present ones do; otherwise it stays, since its removal would
// gain nothing. The configuration decides, never the member list alone
// (engine/membership/README.md, R10).
//
// REQUIRES: the present configuration is not joint.
std::optional<std::vector<Voter>> ChooseVoters(
    const std::vector<Voter>& present, const std::vector<VoterHealth>& health,
    int voters_max);

}  // namespace cachalot

#endif  // ENGINE_CONSENSUS_VOTERS_H_
