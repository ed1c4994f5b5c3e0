#ifndef ENGINE_MEMBERSHIP_ROTA_H_
#define ENGINE_MEMBERSHIP_ROTA_H_

#include <cstddef>
#include <optional>
#include <vector>

#include "engine/fingerprint.h"
#include "engine/ids.h"
#include "engine/random.h"

namespace cachalot {

// Visits all members in turn, in an order that is drawn again for each round
// (SWIM 4.3): no member waits for more than two rounds, and different nodes
// visit the members in different orders.
class Rota {
 public:
  // Gives `id` a random place, so that members that join together are not all
  // visited together. REQUIRES: not in it.
  void Add(NodeId id, Random& random);
  // REQUIRES: in it.
  void Remove(NodeId id);

  // Nothing if it is empty.
  std::optional<NodeId> Next(Random& random);

  size_t size() const { return order_.size(); }
  // Everybody in it, by id.
  std::vector<NodeId> Sorted() const;

  void AddTo(Fingerprint& hash) const;

 private:
  // Each member once, in the order of this round.
  std::vector<NodeId> order_;
  // The place of the next member. Those before it had their turn in this round.
  // [0, order_.size()]
  size_t next_ = 0;
};

}  // namespace cachalot

#endif  // ENGINE_MEMBERSHIP_ROTA_H_
