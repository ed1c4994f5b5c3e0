#ifndef ENGINE_BIRTH_BIRTH_H_
#define ENGINE_BIRTH_BIRTH_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engine/address.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/observer.h"
#include "engine/outbox.h"
#include "engine/random.h"
#include "engine/saved_state.h"
#include "engine/wire/message.h"

namespace cachalot {

// How named founders agree on one birth. Each of them is a node without a
// cluster that was given the same list of names.
//
// The founder whose name is the first of the list invites the others, once it
// has met all of them. Each binds itself to the invitation, for some time, and
// accepts no other. When all have accepted, the cluster is born: its voters are
// exactly the founders. So a birth needs every founder at a moment when it is
// in no cluster and bound to no other birth (B1 to B5 of README.md in this
// folder).
//
// Not thread-safe. A value: a copy is independent of the original. No message
// makes a CHECK fail.
class Birth {
 public:
  // This node, as a founder.
  struct Self {
    NodeId id;
    std::string name;
    Address address;
    // This node knows that it has never been in a cluster of this name.
    bool is_first = false;
    // The tokens of the new cluster are above both.
    FencingToken tokens_seen;
    FencingToken token_base;
  };

  // What the founders have agreed on.
  struct Founding {
    ClusterId cluster;
    FencingToken token_base;
    absl::Duration quarantine;
    std::vector<Voter> voters;  // ordered by id

    friend bool operator==(const Founding&, const Founding&) = default;
  };

  // A guest that hears nothing of an invitation for so long is free again.
  static constexpr absl::Duration Patience() { return absl::Seconds(3); }

  // Takes part in no birth.
  Birth() = default;
  // `founders`: sorted, each name once; this node takes part if its own is
  // among them. Nobody is invited before `not_before`. `quarantine`: how long
  // an earlier cluster may still have holders (B5). `observer` is not owned,
  // may be null, and outlives every copy.
  Birth(std::vector<std::string> founders, Self self, SlowInstant not_before,
        absl::Duration quarantine, Random random, Observer* observer);

  bool takes_part() const { return takes_part_; }
  const std::vector<std::string>& founders() const { return founders_; }

  // A node without a cluster, alive, has introduced itself on a stream.
  void Meet(NodeId id, const Address& address, absl::string_view name,
            const PushPull& introduction);
  // Whether a member of this id and name is another founder, as far as its name
  // says, and has not been met.
  bool MissesFounder(NodeId id, absl::string_view name) const;
  // It is gone.
  void Forget(NodeId id);
  void Receive(SlowInstant now, NodeId from, const BirthInvitation& invitation,
               Outbox& out);
  void Receive(NodeId from, const BirthAcceptance& acceptance);
  void FireTimers(SlowInstant now, Outbox& out);
  // Later than the last `now` of FireTimers().
  SlowInstant NextDeadline() const;

  // All founders have accepted this node's invitation: returned once.
  std::optional<Founding> TakeFounding();
  // The birth to which this node is bound as a guest, if it has this id.
  const Founding* FindBinding(ClusterId cluster) const;

  uint64_t Fingerprint() const;

 private:
  // Another founder, as it introduced itself last.
  struct Candidate {
    NodeId id;
    Address address;
    bool is_first = false;
    FencingToken tokens_seen;
  };
  // What this node has invited the others to.
  struct Invitation {
    Founding founding;
    absl::btree_set<NodeId> accepted;
    SlowInstant next_send;  // to those who have not
  };
  struct Binding {
    NodeId inviter;
    uint64_t attempt = 0;
    Founding founding;
    SlowInstant until;
  };

  bool Invites() const;
  void Invite(SlowInstant now);
  void SendInvitation(SlowInstant now, Outbox& out);

  std::vector<std::string> founders_;
  Self self_;
  bool takes_part_ = false;
  SlowInstant not_before_;
  absl::Duration quarantine_;
  Random random_ = Random(0);     // for the ids of clusters
  Observer* observer_ = nullptr;  // not owned; may be null

  // By name; never this node.
  absl::btree_map<std::string, Candidate> candidates_;
  // Whose other lists were told of. At most kOtherListsMax.
  absl::btree_set<Address> other_lists_;
  // The number of the last invitation. Rises by one.
  uint64_t attempt_ = 0;
  std::optional<Invitation> invitation_;
  std::optional<Binding> binding_;
};

}  // namespace cachalot

#endif  // ENGINE_BIRTH_BIRTH_H_
