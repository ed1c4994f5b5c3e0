#ifndef ENGINE_MEMBERSHIP_GOSSIP_H_
#define ENGINE_MEMBERSHIP_GOSSIP_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/container/btree_map.h"
#include "engine/fingerprint.h"
#include "engine/ids.h"
#include "engine/wire/message.h"

namespace cachalot {

// News on its way to the others: each fact is sent a bounded number of times,
// and a newer fact about a member takes the place of an older one (SWIM 4.1).
//
// First goes what is about ourselves, since it may be a denial; then who is
// suspect, failed or has left; then who is alive. Among equals, what was sent
// the least, then the newest.
class GossipQueue {
 public:
  explicit GossipQueue(NodeId self) : self_(self) {}

  // Starts to spread `fact`, from the beginning.
  void Put(const MemberFact& fact);
  // Nothing more about `member`.
  void Drop(NodeId member);

  // Adds to `facts` what `receiver` should hear, as long as all of them fit in
  // `bytes_max`; each counts as sent, and is forgotten after `sends_max` times.
  // Members that `facts` already speaks of are passed over, and so is that the
  // receiver itself is alive.
  void Take(NodeId receiver, int sends_max, size_t bytes_max,
            std::vector<MemberFact>& facts);

  bool empty() const { return queue_.empty(); }
  size_t size() const { return queue_.size(); }
  // Null if there is no news of `member`.
  const MemberFact* Find(NodeId member) const;

  void AddTo(Fingerprint& hash) const;

 private:
  // Its order is the order of sending.
  struct Place {
    int urgency = 0;
    int sends = 0;
    uint64_t age = 0;  // falls with each Put: the newest first

    friend auto operator<=>(const Place&, const Place&) = default;
  };

  int Urgency(const MemberFact& fact) const;

  NodeId self_;
  // Falls by one with each Put().
  uint64_t next_age_ = UINT64_MAX;
  // One fact for each member at most. Take() moves what it sends to its next
  // place.
  absl::btree_map<Place, MemberFact> queue_;
  // Where each is in queue_.
  absl::btree_map<NodeId, Place> places_;
};

// What `facts` take in a datagram at most.
size_t EncodedSizeMax(const std::vector<MemberFact>& facts);

}  // namespace cachalot

#endif  // ENGINE_MEMBERSHIP_GOSSIP_H_
