#ifndef ENGINE_MEMORY_H_
#define ENGINE_MEMORY_H_

#include <cstdint>
#include <vector>

#include "engine/address.h"
#include "engine/ids.h"

namespace cachalot {

// What a process should keep even if it keeps no log: that there is a cluster,
// so that it never founds a second one, and how far tokens and starts have
// been counted. Small, and changed rarely. A driver with a place for it hands
// it in with NodeOptions::memory, and saves each change that an order to save
// carries (StateChange::memory) before it reports StateSaved.
struct Memory {
  // How many processes have started with this memory, this one included. The
  // driver raises it, and saves it, before it makes a node. At least 1.
  uint64_t starts = 1;
  // The cluster in whose log this node took part, or that it joined, last.
  // None: there has been none.
  ClusterId cluster;
  // No token that this node has heard of is above it.
  FencingToken tokens_seen;
  // Where other members of `cluster` listened when this was saved. At most
  // limits::kSeedsMax.
  std::vector<Address> peers;
  // The node has left `cluster` because it was asked to.
  bool has_left = false;
  // `cluster` is over, and all its locks are free: this node left it last, or
  // has heard so from the one that did.
  bool is_over = false;

  // There may be a cluster yet, so that this process must not found another.
  bool remembers_cluster() const { return !cluster.IsNone() && !is_over; }

  friend bool operator==(const Memory&, const Memory&) = default;
};

}  // namespace cachalot

#endif  // ENGINE_MEMORY_H_
