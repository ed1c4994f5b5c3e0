#ifndef ENGINE_OPTIONS_H_
#define ENGINE_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engine/address.h"
#include "engine/memory.h"
#include "engine/observer.h"

namespace cachalot {

// Who is in the cluster and who seems alive (SWIM, Lifeguard). The defaults
// find a dead process in about two seconds and forgive pauses of one.
struct MembershipOptions {
  // One member is probed each period. More often finds failures sooner and
  // costs two datagrams a time. [10 ms, 1 min]
  absl::Duration probe_interval = absl::Milliseconds(500);
  // How long the probed member has to answer before others are asked to try.
  // Less than half of probe_interval, so that helpers can answer within the
  // period; above the round trip of nearly every datagram. At least 1 ms.
  absl::Duration probe_timeout = absl::Milliseconds(150);
  // How many others are asked to probe a silent member. [0, 8]
  int indirect_probes = 3;
  // How long a suspect member may stay silent before it is called failed, on
  // top of the time that the suspicion needs to reach it and its denial to come
  // back (SuspicionMin() in engine/membership/timing.h). [0, 1 h]
  absl::Duration pause_tolerance = absl::Milliseconds(800);
  // Unconfirmed suspicions last up to this many times the minimum. [1, 16]
  int suspicion_max_multiplier = 6;
  // News is sent to `gossip_fanout` members each interval while there is any.
  // [1 ms, 1 min] and [1, 64]
  absl::Duration gossip_interval = absl::Milliseconds(100);
  int gossip_fanout = 3;
  // Whole member lists are exchanged with one member each interval. [1 s, 1 h]
  absl::Duration push_pull_interval = absl::Seconds(15);
  // A seed that does not answer is asked again after this, doubled each time,
  // with full jitter. [1 ms, 1 h], the maximum not below the minimum.
  absl::Duration join_retry_min = absl::Milliseconds(100);
  absl::Duration join_retry_max = absl::Seconds(5);
  // One failed member is contacted each interval, so that partitions heal.
  // [1 ms, 1 h]
  absl::Duration reconnect_interval = absl::Seconds(2);
  // Failed and left members are remembered for this long, so that old news of
  // them does not bring them back. [1 s, 1 year]
  absl::Duration reap_after = absl::Hours(24);
};

// One agreed order of commands (Raft).
struct ConsensusOptions {
  // The leader sends to every follower at least this often. [1 ms, 1 min]
  absl::Duration heartbeat_interval = absl::Milliseconds(50);
  // A voter that has heard no leader for a time drawn from
  // (election_timeout, 2 * election_timeout] asks for votes. A voter that has
  // heard a leader within election_timeout refuses its vote to others, and a
  // leader that no majority has answered for as long steps down.
  // [3 * heartbeat_interval, 10 min]
  absl::Duration election_timeout = absl::Milliseconds(250);
  // How many appends are sent to one follower ahead of its answers. [1, 4096]
  int appends_in_flight_max = 64;
  // A snapshot replaces the older part of the log when the log has grown by so
  // many entries or bytes. Above 0.
  uint64_t compact_after_entries = 16384;
  uint64_t compact_after_bytes = uint64_t{16} << 20;
  // So many entries before it are kept for followers that lag a little.
  uint64_t compact_keep_entries = 1024;

  // The cluster has as many voters as healthy members, but an odd number, and
  // at most this many. Odd, [1, 9]. Five voters survive the loss of two at
  // once.
  int voters_max = 5;
  // A voter that membership calls failed, and that has not answered the leader
  // for as long, loses its vote to a healthy learner. A voter at whose address
  // another process answers loses it after election_timeout. [0, 24 h]
  absl::Duration replace_voter_after = absl::Seconds(5);
  // A learner must have kept up with the log for as long before it becomes a
  // voter. There is no such wait while a vote is free: a voter leaves or has
  // left, or another process answers at its address, so that it will not come
  // back (`vote_is_free` in engine/node_duties.cc). Then a learner that has
  // caught up and answers is promoted at once. A voter that is merely silent
  // frees no vote: replacing it takes replace_voter_after, and a learner that
  // has waited. [0, 24 h]
  absl::Duration promote_after = absl::Seconds(1);
};

// Sessions, leases and retries.
struct LeaseOptions {
  // A process that dies loses its locks after this long. Longer survives longer
  // partitions; shorter frees the locks of the dead sooner. [1 s, 24 h]
  absl::Duration session_ttl = absl::Seconds(10);
  // Bound on the error of a clock's rate, in parts per million: no grantor's
  // clock runs faster, no holder's slower. 1000 is ten times the usual error of
  // a quartz clock. The same in all members. [0, 100000]
  int64_t rate_bound_ppm = 1000;
  // Belief ends earlier by this, to allow for the granularity of timers. At
  // most half of the shortest TTL, limits::TtlMin().
  absl::Duration slack = absl::Milliseconds(2);
  // A request that got no answer is sent again after this, doubled each time.
  // [1 ms, 1 h], the maximum not below the minimum.
  absl::Duration retry_min = absl::Milliseconds(100);
  absl::Duration retry_max = absl::Seconds(2);
  // A renewal, release or list without an answer is answered after this time:
  // kUnknown, or kUnavailable if it cannot have taken effect. [1 ms, 1 h]
  absl::Duration request_timeout = absl::Seconds(5);
  // A node that was asked to leave has left after this time at the latest.
  // [0, 1 h]
  absl::Duration leave_timeout = absl::Seconds(5);
};

// The cluster's name for those who do not choose one.
inline constexpr char kDefaultCluster[] = "cachalot";

// One node: who it is, whom it asks, and whether it may found a cluster.
struct NodeOptions {
  // Seeds every random number that the node draws. Two processes must never
  // have the same: the driver draws it from the operating system.
  uint64_t seed = 0;
  // For people; unique if possible. At most limits::kNameBytesMax bytes.
  std::string name;
  // The name of the cluster that it may found or join. Nodes of different names
  // take nothing from each other. [1, limits::kNameBytesMax] bytes.
  std::string cluster = kDefaultCluster;
  // Where the others reach this node. Not none.
  Address address;
  // Other addresses of this machine, without loopback. Ports are ignored.
  std::vector<Address> local_addresses;
  // Where to ask for a cluster. This node's own address is not among them.
  // At most limits::kSeedsMax.
  std::vector<Address> seeds;
  // --- Who founds a cluster (engine/birth/README.md). All others only join ---

  // The names of those who found a cluster together, the same list on each of
  // them; best an odd number. Nodes whose names are not in it join. Each name
  // once, none empty. At most limits::kVotersMax.
  std::vector<std::string> founders;
  // This is the cluster's first start: no cluster of this name has run before.
  // So what is founded needs no quarantine; without `founders` this node founds
  // it alone. Refused beside a memory of a cluster.
  bool bootstrap = false;
  // Found a cluster although a memory names one: that one is given up for good.
  // The new one is quarantined, and its tokens are above those of the memory.
  bool force_bootstrap = false;
  // The node's only seed is this node itself. Without `founders`, it founds a
  // cluster alone if nobody answers within `birth_delay`.
  bool is_own_seed = false;
  // What the node remembers of clusters of this name. Unset: the process keeps
  // no memory, and what it founds is quarantined unless `bootstrap` is set. A
  // node that remembers a cluster founds none, unless it is forced.
  std::optional<Memory> memory;
  // How long a founder that could have forgotten a cluster listens for its
  // members first; it joins that one instead. [0, 1 h]
  absl::Duration birth_delay = absl::Seconds(2);
  // The tokens of a cluster that this node founds are above this, and above all
  // that it has seen. So are those of every earlier cluster below this: the
  // driver gives the nanoseconds of wall-clock time, the lower 16 bits replaced
  // by chance (engine/locks/token_counter.h). [1, limits::kTokenFloorMax]
  uint64_t token_base = 1;

  MembershipOptions membership;
  ConsensusOptions consensus;
  LeaseOptions lease;

  // Not owned; may be null; outlives the node and its copies.
  Observer* observer = nullptr;
};

// Stands for the name of a cluster in each message. 0 for kDefaultCluster, so
// that the name of those who chose none costs nothing there.
uint64_t HashClusterName(absl::string_view name);

// InvalidArgument, naming the field and its range, if a rule written beside it
// is broken.
absl::Status Validate(const NodeOptions& options);

}  // namespace cachalot

#endif  // ENGINE_OPTIONS_H_
