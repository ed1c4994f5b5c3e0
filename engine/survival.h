#ifndef ENGINE_SURVIVAL_H_
#define ENGINE_SURVIVAL_H_

#include <cstdint>
#include <string>
#include <vector>

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

}  // namespace cachalot

#endif  // ENGINE_SURVIVAL_H_
