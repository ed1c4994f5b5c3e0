#ifndef IO_REACHABILITY_H_
#define IO_REACHABILITY_H_

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/time/time.h"
#include "engine/address.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/observer.h"

namespace cachalot {

// How Reachability has fared with one way of reaching a peer.
struct WayToPeer {
  int failures = 0;  // in a row
  FastInstant last_failure;
  int error = 0;  // of the last, if it is known
  // When the peer was first heard in spite of the failures.
  std::optional<FastInstant> heard_since;
  bool is_bad = false;    // to be reported
  bool is_known = false;  // the peer was reached this way after the other
                          // had failed
};
// Finds members that are heard but cannot be reached at the address that they
// advertise, and why: streams to it cannot be opened, or it does not
// acknowledge probes. Takes facts and the time, and does nothing by itself.
//
// A dead member is not reported, since it is not heard. Nor is one that was not
// reached for a moment, or while it was away: there must be failures, a
// message, another failure some time later, and another message.
//
// Memory is bounded, whatever is told: only members in trouble are remembered.
class Reachability {
 public:
  struct Options {
    // A member is reported that could still not be reached so long after it
    // was heard for the first time since there are failures.
    absl::Duration patience = absl::Seconds(5);
    // And if there were so many, one after the other.
    int connects_min = 2;
    int probes_min = 3;
    // Nobody is reported who has not been heard for as long.
    absl::Duration heard_max = absl::Seconds(30);
    // Failures are forgotten after as long without another one.
    absl::Duration memory = absl::Minutes(2);
    size_t peers_max = 256;
    size_t refused_max = 64;
    // This node is reported if others have held it to have failed so often
    // within `accusations_within`.
    size_t accusations_min = 3;
    absl::Duration accusations_within = absl::Minutes(1);
    // Others speak to a newcomer on streams of their own within so long.
    absl::Duration streamless_max = absl::Seconds(10);
  };

  // A member that is heard and cannot be reached.
  struct Unreachable {
    NodeId member;
    Address address;  // as it is advertised
    Address source;   // where its last message came from
    std::string reason;
  };
  // Others do not reach this node.
  struct Unreached {
    NodeId by;  // the last of them
    size_t times = 0;
  };
  // Others are heard, but none has ever opened a stream to this node.
  struct Streamless {
    NodeId heard;  // the last of them
    absl::Duration time;
  };

  Reachability() : Reachability(Options()) {}
  explicit Reachability(const Options& options) : options_(options) {}

  // `now` never falls, over all functions.
  void Note(FastInstant now, const MemberHeard& heard);
  void Note(FastInstant now, const ProbeStarted& probe);
  void Note(FastInstant now, const ProbeAnswered& answer);
  void Note(FastInstant now, const SelfAccused& accusation);
  void Note(FastInstant now, const AddressRefused& refused);
  void NoteConnected(const Address& peer);
  // `error`: an errno.
  void NoteConnectFailed(FastInstant now, const Address& peer, int error);

  // Ordered by address.
  std::vector<Unreachable> FindUnreachable(FastInstant now) const;
  // Refused within the last minute. Ordered by where they might be reached.
  std::vector<AddressRefused> FindRefused(FastInstant now) const;
  std::optional<Unreached> FindUnreached(FastInstant now) const;
  // Only of a node that knows no leader: others have no need to speak to it
  // otherwise.
  std::optional<Streamless> FindStreamless(FastInstant now) const;
  // Forgets what is old. To be called now and then.
  void Forget(FastInstant now);

  // Of peers in trouble, and of those that were refused.
  size_t size() const { return peers_.size() + refused_.size(); }

 private:
  struct Peer {
    WayToPeer streams;
    WayToPeer datagrams;
    std::optional<FastInstant> heard;  // last, since there is trouble
    NodeId member;
    Address source;
    bool heard_on_stream = false;
  };
  struct Refusal {
    FastInstant at;
    AddressRefused what;
  };

  // Null if there is no room.
  Peer* FindOrAdd(const Address& address);
  bool MakeRoom();
  void Fail(FastInstant now, const Address& address, WayToPeer Peer::*way,
            int error);
  void Succeed(const Address& address, WayToPeer Peer::*way, bool is_known);
  void Judge(FastInstant now, int failures_min, WayToPeer* way) const;
  static std::string DescribeFailures(const Peer& peer);
  static std::string DescribeSource(const Peer& peer, const Address& address);

  const Options options_;
  absl::btree_map<Address, Peer> peers_;  // by the address that is advertised
  absl::btree_map<Address, Refusal> refused_;  // by where they might listen
  std::optional<ProbeStarted> probe_;          // not answered by datagram yet
  struct Accusation {
    FastInstant at;
    NodeId by;
  };
  std::deque<Accusation> accusations_;
  bool has_stream_ = false;  // somebody has opened one to this node
  std::optional<FastInstant> heard_since_;
  FastInstant last_heard_;
  NodeId last_heard_of_;
};

}  // namespace cachalot

#endif  // IO_REACHABILITY_H_
