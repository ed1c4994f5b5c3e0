#ifndef ENGINE_OPTIONS_H_
#define ENGINE_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "engine/address.h"
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
  // How long a member may be silent without being called failed, on top of the
  // time that news takes to reach it and its denial to come back. [0, 1 h]
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
  // The leader speaks to every follower at least this often. [1 ms, 1 min]
  absl::Duration heartbeat_interval = absl::Milliseconds(50);
  // A voter that has heard no leader for a time drawn from
  // [election_timeout, 2 * election_timeout) asks for votes; for
  // election_timeout it refuses its vote to others, and a leader without a
  // majority for as long steps down. [3 * heartbeat_interval, 10 min]
  absl::Duration election_timeout = absl::Milliseconds(250);
  // Appends on the way to one follower before answers come. [1, 4096]
  int appends_in_flight_max = 64;
  // A snapshot replaces the log's older part when it has grown by so much.
  // Above 0.
  uint64_t compact_after_entries = 16384;
  uint64_t compact_after_bytes = uint64_t{16} << 20;
  // So many entries before it are kept for followers that lag a little.
  uint64_t compact_keep_entries = 1024;

  // The cluster chooses as many voters as it has healthy members, odd, at most
  // this many. Odd, [1, 9]. Five in memory: two quick losses are survived.
  int voters_max = 5;
  // A voter that membership calls failed, and that has not answered the leader
  // for as long, is replaced by a healthy learner. [0, 24 h]
  absl::Duration replace_voter_after = absl::Seconds(5);
  // A learner must have kept up for as long before it may vote. [0, 24 h]
  absl::Duration promote_after = absl::Seconds(1);
};

// Sessions, leases and retries.
struct LeaseOptions {
  // A process that dies loses its locks after this long. Longer survives longer
  // partitions; shorter frees the locks of the dead sooner. [1 s, 24 h]
  absl::Duration session_ttl = absl::Seconds(10);
  // Bound on the error of a clock's rate, in parts per million: no grantor's
  // clock runs faster, no holder's slower. 1000 covers crystals ten times over.
  // The same in all members. [0, 100000]
  int64_t rate_bound_ppm = 1000;
  // Belief ends earlier by this, for the granularity of timers. At most half
  // of the shortest TTL.
  absl::Duration slack = absl::Milliseconds(2);
  // A request that got no answer is sent again after this, doubled each time.
  // [1 ms, 1 h], the maximum not below the minimum.
  absl::Duration retry_min = absl::Milliseconds(100);
  absl::Duration retry_max = absl::Seconds(2);
  // A renew, release or list that has no answer by then ends as kUnknown, or
  // as kUnavailable if it cannot have happened. [1 ms, 1 h]
  absl::Duration request_timeout = absl::Seconds(5);
  // Saying goodbye takes no longer than this. [0, 1 h]
  absl::Duration leave_timeout = absl::Seconds(5);
};

// How a node comes to have a cluster.
struct NodeOptions {
  // All chance in the node comes from here. Two processes must never have the
  // same: the driver draws it from the operating system.
  uint64_t seed = 0;
  // For people; unique if possible. At most limits::kNameBytesMax bytes.
  std::string name;
  // Where the others reach this node. Not none.
  Address address;
  // Other addresses of this machine, without loopback. Ports are ignored.
  std::vector<Address> local_addresses;
  // Where others may be found. This node's own address is not among them.
  // At most limits::kSeedsMax.
  std::vector<Address> seeds;
  // Births are explicit, never a time-out. 0: only ever join. 1: found a
  // cluster alone, unless a seed or a member of an older one answers within
  // `birth_delay`. N: found one when N nodes that all expect N have met; best
  // an odd number. [0, limits::kVotersMax]
  int bootstrap_expect = 0;
  // A founder listens for so long for members of a cluster that it may have
  // forgotten, and joins that one instead. [0, 1 h]
  absl::Duration birth_delay = absl::Seconds(2);
  // The epoch of a cluster that this node founds. Above that of every earlier
  // cluster whose tokens anybody may remember: the driver gives the seconds of
  // wall-clock time. [1, limits::kEpochJoinedMax]
  uint64_t birth_epoch = 1;

  MembershipOptions membership;
  ConsensusOptions consensus;
  LeaseOptions lease;

  // Not owned; may be null; outlives the node and its copies.
  Observer* observer = nullptr;
};

// InvalidArgument, naming the field and its range, if a rule written beside it
// is broken.
absl::Status Validate(const NodeOptions& options);

}  // namespace cachalot

#endif  // ENGINE_OPTIONS_H_
