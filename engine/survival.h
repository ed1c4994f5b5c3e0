#ifndef ENGINE_SURVIVAL_H_
#define ENGINE_SURVIVAL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "engine/address.h"
#include "engine/ids.h"

namespace cachalot {

// How many more deaths the cluster survives now, as one node sees it. A hint:
// other nodes may see it a little later.
struct Survival {
  struct Voter {
    NodeId id;
    std::string name;  // as its owner chose it, any bytes; empty: not known
    Address address;
    // The leader goes by recent answers, everybody else by the member list.
    bool is_alive = false;

    friend bool operator==(const Voter&, const Voter&) = default;
  };

  // Those who vote now, ordered by id: during a change of voters the old and
  // the new ones. Empty: this node does not know any.
  std::vector<Voter> voters;
  // Whether enough voters are alive to agree on anything.
  bool has_majority = false;
  // Any so many of the voters may die at once, and the rest can still agree. At
  // most limits::kVotersMax.
  uint64_t deaths = 0;

  uint64_t alive_count() const;

  friend bool operator==(const Survival&, const Survival&) = default;
};

// A voter that does not answer.
struct MissingVoter {
  NodeId id;
  std::string name;  // as its owner chose it, any bytes; empty: not known
  Address address;
  absl::Duration silent;  // it has not been heard for at least so long

  friend bool operator==(const MissingVoter&, const MissingVoter&) = default;
};

// Why one node knows no leader.
struct Outage {
  enum class Kind : uint8_t {
    kNone,         // it knows one, or is in no cluster
    kNoLeaderYet,  // it has known none since it founded or joined its cluster
    kElecting,     // a majority of the voters may still elect one
    // No majority of the voters has answered this node for longer than
    // elections take. Nothing is decided before one does.
    kMajorityLost,
  };
  Kind kind = Kind::kNone;
  absl::Duration leaderless;  // for so long no leader has been known
  // With kMajorityLost: this node hears no other member. All others are gone,
  // or it is cut off from them; it cannot tell.
  bool hears_nobody = false;
  // With kMajorityLost: who votes, and who of these does not answer, ordered by
  // id. At most twice limits::kVotersMax, during a change of voters.
  uint64_t voters = 0;
  std::vector<MissingVoter> missing;

  friend bool operator==(const Outage&, const Outage&) = default;
};

}  // namespace cachalot

#endif  // ENGINE_SURVIVAL_H_
