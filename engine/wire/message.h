#ifndef ENGINE_WIRE_MESSAGE_H_
#define ENGINE_WIRE_MESSAGE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "engine/address.h"
#include "engine/cluster_time.h"
#include "engine/command.h"
#include "engine/ids.h"
#include "engine/member.h"
#include "engine/request.h"
#include "engine/saved_state.h"
#include "engine/shared_bytes.h"

namespace cachalot {

// The typed messages between nodes, decoded and within the limits, by the
// machine that handles them. engine/README.md says who sends each, and when.

// --- Membership -------------------------------------------------------------

// One fact about one member (SWIM 4.1). The owner raises `incarnation`; within
// one, the later MemberState wins.
struct MemberFact {
  NodeId id;
  Address address;
  std::string name;
  uint64_t incarnation = 0;
  MemberState state = MemberState::kAlive;

  friend bool operator==(const MemberFact&, const MemberFact&) = default;
};

// Asks whether the receiver is alive. Answered by Ack with the same number.
struct Ping {
  uint64_t probe = 0;  // odd: sent and answered on a stream
  std::vector<MemberFact> facts;
  friend bool operator==(const Ping&, const Ping&) = default;
};

// Asks the receiver to ping `target`. Answered by Ack if `target` answers, by
// Nack when half of `timeout` has passed without its answer.
struct PingRequest {
  uint64_t probe = 0;
  NodeId target;
  Address target_address;
  absl::Duration timeout;
  std::vector<MemberFact> facts;
  friend bool operator==(const PingRequest&, const PingRequest&) = default;
};

struct Ack {
  uint64_t probe = 0;
  std::vector<MemberFact> facts;
  friend bool operator==(const Ack&, const Ack&) = default;
};

struct Nack {
  uint64_t probe = 0;
  std::vector<MemberFact> facts;
  friend bool operator==(const Nack&, const Nack&) = default;
};

// Facts, sent by themselves.
struct Gossip {
  std::vector<MemberFact> facts;
  friend bool operator==(const Gossip&, const Gossip&) = default;
};

// The whole list of members, on a stream. The only message that is also
// exchanged with strangers: with it a node without a cluster introduces itself
// to a seed, and members of two clusters learn of each other.
struct PushPull {
  bool is_reply = false;
  bool is_join = false;  // the sender wants to become a member
  // Where the tokens of the sender's cluster begin. Of a sender without one: no
  // token that it has heard of is above it.
  FencingToken token_base;
  // The sender's cluster has a leader, or had one until a moment ago.
  bool is_led = false;
  // Of a sender without a cluster that may found one together with others: the
  // names of all founders, sorted.
  std::vector<std::string> founders;
  // With `founders`: the sender has never been in a cluster of this name.
  bool is_first = false;
  // Of a sender without a cluster: this one is over, since the sender left it
  // last, or has heard so.
  ClusterId ended;
  std::vector<MemberFact> members;
  std::string cluster_name;  // the sender's NodeOptions::cluster
  friend bool operator==(const PushPull&, const PushPull&) = default;
};

// --- Births -----------------------------------------------------------------

// The sender has met all founders and proposes this birth to them
// (engine/birth/birth.h).
struct BirthInvitation {
  uint64_t attempt = 0;  // rises with each birth that the sender proposes
  ClusterId cluster;
  FencingToken token_base;
  absl::Duration quarantine;
  std::vector<Voter> voters;  // all founders, ordered by id

  friend bool operator==(const BirthInvitation&,
                         const BirthInvitation&) = default;
};

// The sender is bound to this birth.
struct BirthAcceptance {
  ClusterId cluster;

  friend bool operator==(const BirthAcceptance&,
                         const BirthAcceptance&) = default;
};

// --- Consensus --------------------------------------------------------------

struct VoteRequest {
  Term term;
  LogIndex last_index;
  Term last_term;
  // Asks only whether the voter would grant a vote (Raft dissertation, 9.6).
  bool is_pre_vote = false;
  bool is_transfer = false;  // the leader asked for this election (3.10)
  friend bool operator==(const VoteRequest&, const VoteRequest&) = default;
};

struct VoteReply {
  Term term;
  bool granted = false;
  bool is_pre_vote = false;
  friend bool operator==(const VoteReply&, const VoteReply&) = default;
};

struct Append {
  Term term;
  LogIndex previous_index;
  Term previous_term;
  LogIndex commit;
  // The highest round that the leader has begun; the answer returns it
  // (ReadIndex, 6.4).
  uint64_t read_round = 0;
  std::vector<Entry> entries;
  friend bool operator==(const Append&, const Append&) = default;
};

struct AppendReply {
  Term term;
  bool accepted = false;
  // Accepted: the last index that is known to match. Rejected: the follower's
  // last index that may still match, and its term (engine/consensus/README.md,
  // rule 13).
  LogIndex index;
  Term hint_term;
  LogIndex rejected;  // Rejected: the previous_index that did not match
  uint64_t read_round = 0;
  friend bool operator==(const AppendReply&, const AppendReply&) = default;
};

// Part of a snapshot: some bytes of its table. Every chunk repeats the rest.
struct SnapshotChunk {
  Term term;  // the leader's
  LogIndex index;
  Term index_term;  // Snapshot::term
  ClusterTime time;
  Configuration configuration;
  uint64_t offset = 0;  // of `bytes` in the table, in bytes
  uint64_t total = 0;   // bytes of the table
  std::string bytes;
  uint64_t read_round = 0;
  friend bool operator==(const SnapshotChunk&, const SnapshotChunk&) = default;
};

struct SnapshotReply {
  Term term;
  LogIndex index;
  uint64_t received = 0;  // bytes of the table; all of them: it is installed
  uint64_t read_round = 0;
  friend bool operator==(const SnapshotReply&, const SnapshotReply&) = default;
};

// Asks the receiver to stand for election now (dissertation, 3.10).
struct TimeoutNow {
  Term term;
  friend bool operator==(const TimeoutNow&, const TimeoutNow&) = default;
};

// From a member that leaves to the leader, repeated until a LeaveReply comes:
// the member asks not to be a voter any more, nor to be made one.
struct LeaveIntent {
  // The sender's slow clock, in nanoseconds; the answer returns it.
  uint64_t asked_at = 0;
  friend bool operator==(const LeaveIntent&, const LeaveIntent&) = default;
};

// From the leader of `term`: those who stay have committed a configuration in
// which the receiver does not vote, and in this term it will not be made a
// voter; or all are leaving. Either way it may go.
struct LeaveReply {
  Term term;
  uint64_t asked_at = 0;  // of the intent that this answers
  friend bool operator==(const LeaveReply&, const LeaveReply&) = default;
};

// --- Clients ----------------------------------------------------------------

// A linearizable read of the leader's table, or of its list of members.
struct Read {
  uint64_t number = 0;  // given by the node that asks; its answer returns it
  std::variant<ListLocksRequest, ListMembersRequest, ListWaitersRequest> what;
  friend bool operator==(const Read&, const Read&) = default;
};

struct ReadResult {
  uint64_t number = 0;
  std::vector<LockInfo> locks;
  bool more = false;
  std::vector<MemberInfo> members;
  std::vector<WaiterInfo> waiters;
  std::optional<LockInfo> holder;  // of the lock whose waiters these are
  friend bool operator==(const ReadResult&, const ReadResult&) = default;
};

// To the leader: the commands and reads of the sender's callers, of one turn.
struct Forward {
  std::vector<LockCommand> commands;
  std::vector<Read> reads;
  friend bool operator==(const Forward&, const Forward&) = default;
};

// From the leader: the answers to commands and reads.
struct Replies {
  std::vector<Reply> replies;
  std::vector<ReadResult> reads;
  friend bool operator==(const Replies&, const Replies&) = default;
};

// The answer to a Forward of which nothing was carried out: the sender does not
// lead, or is busy.
struct Redirect {
  Term term;
  NodeId leader;    // as far as the sender knows; none: unknown
  Address address;  // the leader's
  // The sender leads but has too much to do: try again later.
  bool busy = false;
  friend bool operator==(const Redirect&, const Redirect&) = default;
};

using MembershipMessage =
    std::variant<Ping, PingRequest, Ack, Nack, Gossip, PushPull>;
using ConsensusMessage =
    std::variant<VoteRequest, VoteReply, Append, AppendReply, SnapshotChunk,
                 SnapshotReply, TimeoutNow, LeaveIntent, LeaveReply>;
using ClientMessage = std::variant<Forward, Replies, Redirect>;
using BirthMessage = std::variant<BirthInvitation, BirthAcceptance>;
using Message =
    std::variant<Ping, PingRequest, Ack, Nack, Gossip, PushPull, VoteRequest,
                 VoteReply, Append, AppendReply, SnapshotChunk, SnapshotReply,
                 TimeoutNow, LeaveIntent, LeaveReply, Forward, Replies,
                 Redirect, BirthInvitation, BirthAcceptance>;

// What surrounds every message.
struct Envelope {
  // HashClusterName() of the sender's NodeOptions::cluster.
  uint64_t cluster_name = 0;
  ClusterId cluster;  // none: the sender has no cluster yet
  NodeId from;
  NodeId to;             // none: whoever listens there (PushPull only)
  Address from_address;  // where the sender listens
  Message message;

  friend bool operator==(const Envelope&, const Envelope&) = default;
};

}  // namespace cachalot

#endif  // ENGINE_WIRE_MESSAGE_H_
