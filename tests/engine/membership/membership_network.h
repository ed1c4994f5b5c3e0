#ifndef TESTS_ENGINE_MEMBERSHIP_MEMBERSHIP_NETWORK_H_
#define TESTS_ENGINE_MEMBERSHIP_MEMBERSHIP_NETWORK_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/time/time.h"
#include "engine/address.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/member.h"
#include "engine/membership/membership.h"
#include "engine/options.h"
#include "engine/origin.h"
#include "engine/outbox.h"
#include "engine/random.h"
#include "engine/request.h"
#include "engine/wire/message.h"
#include "sim/world/agenda.h"
#include "sim/world/instant.h"

namespace cachalot {

// Several Membership machines in virtual time, which exchange typed messages
// over a simple network. It expects at every step what must always hold: the
// machine's invariants, datagrams within the limit, and that beliefs change
// only in SWIM's order.
//
// Members are numbered from 0 in the order of their starts.
class MembershipNetwork {
 public:
  struct Options {
    uint64_t seed = 1;
    MembershipOptions membership;
    uint64_t loss_percent = 0;  // of datagrams; streams lose nothing
    absl::Duration delay_min = absl::Microseconds(100);
    absl::Duration delay_max = absl::Milliseconds(2);
  };

  // `member` changed what it believes about `about`.
  struct Observation {
    absl::Duration when;
    size_t member;
    NodeId about;
    Membership::Change change;
  };

  explicit MembershipNetwork(Options options);

  // A process starts and listens on `port`; `seeds` are ports.
  size_t Start(uint16_t port, const std::vector<uint16_t>& seeds);
  // As above, under the id of a process that ran before.
  size_t StartAs(NodeId id, uint16_t port, const std::vector<uint16_t>& seeds);
  // `count` members on ports 7000 and up that join through the first.
  void StartAll(size_t count);
  void Crash(size_t member);
  // A paused process does nothing; what is sent to it waits.
  void Pause(size_t member);
  void Resume(size_t member);
  void Leave(size_t member);

  // Members of different groups do not hear each other; those in no group hear
  // everybody.
  void Partition(const std::vector<std::vector<size_t>>& groups);
  void CutDatagrams(size_t from, size_t to);
  // One way, streams as well.
  void Cut(size_t from, size_t to);
  void Heal();

  void RunFor(absl::Duration time);
  // Runs until `condition` holds, for `time_max` at most. True if it holds.
  bool RunUntil(const std::function<bool()>& condition,
                absl::Duration time_max);
  // Hands in a message as if it came from `from`; returns what is sent at once.
  std::vector<Outgoing> Inject(size_t to, NodeId from,
                               const MembershipMessage& message);

  const Membership& at(size_t member) const {
    return *members_[member].machine;
  }
  NodeId id(size_t member) const { return members_[member].id; }
  size_t size() const { return members_.size(); }
  bool runs(size_t member) const { return members_[member].runs; }
  absl::Duration now() const { return now_ - sim::RealInstant(); }
  // What `member` believes of `about`; nothing if it does not know it.
  std::optional<MemberState> Belief(size_t member, size_t about) const;
  // Every running member believes that every running one is alive, and so many
  // are known to run.
  bool AllAlive() const;
  // Every other running member believes `state` of `about`.
  bool AllBelieve(size_t about, MemberState state) const;
  const std::vector<Observation>& observations() const { return observations_; }
  // Observations that somebody became `state`.
  size_t CountOf(MemberState state) const;
  size_t datagrams() const { return datagrams_; }
  size_t datagram_bytes_max() const { return datagram_bytes_max_; }

  // Of all members, one after the other.
  uint64_t Fingerprint() const;

 private:
  struct Arrival {
    size_t from = 0;
    bool on_stream = false;
    MembershipMessage message;
  };
  struct Process {
    NodeId id;
    Address address;
    bool runs = true;
    bool is_paused = false;
    std::optional<Membership> machine;
    std::vector<Arrival> waiting;
    SlowInstant deadline;
  };
  struct Delivery {
    size_t from = 0;
    Outgoing outgoing;
  };

  SlowInstant Now() const { return SlowInstant() + now(); }
  bool Step(sim::RealInstant end);
  void Deliver(const Delivery& delivery);
  void Receive(size_t to, const Arrival& arrival);
  void Tick(size_t member);
  void AfterStep(size_t member, const Outbox& out);
  void Observe(size_t member);
  uint64_t OwnIncarnation(NodeId id) const;
  void Send(size_t from, const Outgoing& outgoing);
  std::optional<size_t> ListenerAt(const Address& address) const;
  bool Passes(size_t from, size_t to, Outgoing::Channel channel) const;

  Options options_;
  Random random_;
  sim::RealInstant now_;
  std::vector<Process> members_;
  uint64_t steps_ = 0;
  sim::Agenda<Delivery> deliveries_;
  absl::btree_map<size_t, size_t> group_of_;
  absl::btree_set<std::pair<size_t, size_t>> cut_;
  absl::btree_set<std::pair<size_t, size_t>> cut_datagrams_;
  std::vector<Observation> observations_;
  absl::btree_map<std::pair<size_t, NodeId>, MemberFact> believed_;
  size_t datagrams_ = 0;
  size_t datagram_bytes_max_ = 0;
};

}  // namespace cachalot

#endif  // TESTS_ENGINE_MEMBERSHIP_MEMBERSHIP_NETWORK_H_
