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
// Facts about this node go first, since they may be denials; then suspect,
// failed and left members; then those that are alive. Among equals the fact
// that was sent least often goes first, then the newest.
class GossipQueue {
 public:
  explicit GossipQueue(NodeId self) : self_(self) {}

  // Starts to spread `fact`, as one that was never sent.
  void Put(const MemberFact& fact);
  // Sends nothing more about `member`.
  void Drop(NodeId member);

  // Adds to `facts` what `receiver` should hear, as long as all of them fit in
  // `bytes_max`. Each counts as sent and is dropped after `sends_max` times.
  // Skips members about which `facts` already has a fact, and the fact that the
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
    int urgency = 0;   // [0, 2]; 0 goes first
    int sends = 0;     // how often it was sent
    uint64_t age = 0;  // lower for each later Put(): the newest goes first

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

// How many bytes `facts` take in a datagram at most.
size_t EncodedSizeMax(const std::vector<MemberFact>& facts);

}  // namespace cachalot

#endif  // ENGINE_MEMBERSHIP_GOSSIP_H_
