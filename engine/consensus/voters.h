#ifndef ENGINE_CONSENSUS_VOTERS_H_
#define ENGINE_CONSENSUS_VOTERS_H_

#include <optional>
#include <vector>

#include "engine/saved_state.h"

namespace cachalot {

// What the leader knows of one member when it thinks about who should vote.
struct VoterHealth {
  enum class State : uint8_t {
    kPresent,  // alive, or at least not known to be gone
    kReady,    // a learner that has kept up for long enough
    kCrashed,  // gone without a word, for longer than the hold-down
    kLeaving,  // said goodbye, or its process was replaced by another
  };

  Voter voter;
  State state = State::kPresent;
  bool is_leader = false;
};

// Who should vote next, or nothing if the present voters will do: an odd number
// of members, at most `voters_max`, and as many as there are fit to vote.
//
// `health` lists the present voters and any learners, those to be preferred
// first. A voter that is leaving goes at once. One that crashed goes when
// somebody is ready to take its place, or when fewer voters would survive more
// losses than the present ones do; otherwise it stays, since without a
// substitute its removal gains nothing. The configuration decides, never the
// member list alone (engine/membership/README.md, R10).
//
// REQUIRES: the present configuration is not joint.
std::optional<std::vector<Voter>> ChooseVoters(
    const std::vector<Voter>& present, const std::vector<VoterHealth>& health,
    int voters_max);

}  // namespace cachalot

#endif  // ENGINE_CONSENSUS_VOTERS_H_
