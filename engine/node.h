#ifndef ENGINE_NODE_H_
#define ENGINE_NODE_H_

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/action.h"
#include "engine/client/client.h"
#include "engine/consensus/consensus.h"
#include "engine/consensus/voters.h"
#include "engine/event.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/limits.h"
#include "engine/locks/lock_table.h"
#include "engine/member.h"
#include "engine/membership/membership.h"
#include "engine/observer.h"
#include "engine/options.h"
#include "engine/origin.h"
#include "engine/outbox.h"
#include "engine/random.h"
#include "engine/request.h"
#include "engine/saved_state.h"
#include "engine/survival.h"
#include "engine/wire/message.h"

namespace cachalot {

// What a node has dropped, and why. Never falls.
struct NodeStats {
  uint64_t undecodable = 0;     // not a message, or beyond a limit
  uint64_t other_version = 0;   // of another protocol version
  uint64_t other_cluster = 0;   // of another cluster
  uint64_t misaddressed = 0;    // for another node, or from ourselves
  uint64_t unroutable = 0;      // nobody knows where that node listens
  uint64_t impersonations = 0;  // commands for the session of another node
  uint64_t unasked = 0;         // answers from a node that was asked nothing
  // Member lists in datagrams: they could come from anybody.
  uint64_t lists_in_datagrams = 0;
  // Of nodes without a cluster: what is no introduction on a stream, and
  // introductions beyond what is answered.
  uint64_t strangers = 0;
  // Numbers that no correct node has: an epoch in the far future.
  uint64_t implausible = 0;
  uint64_t stalls = 0;  // stepped long after the deadline
  // Of nodes that say they listen where no other machine can reach them.
  uint64_t misadvertised = 0;
  // Taken in: of our cluster and for us. All others are strangers' bytes.
  uint64_t admitted = 0;

  friend bool operator==(const NodeStats&, const NodeStats&) = default;
};

// One member of the cluster: a function of its options and its events.
//
// No clock, no thread, no socket, no chance but the seed. A driver hands in
// each event with the time at which it was learnt and carries out the actions
// that come back, in their order. The same list of (now, event) gives the same
// list of actions, in every build.
//
// Single-threaded. A value: a copy goes on by itself.
class Node {
 public:
  // `saved` is what a driver with a disk kept of this node's SaveState orders;
  // without it the node draws a new identity.
  //
  // Errors: InvalidArgument (an option or a part of `saved` breaks a rule).
  static absl::StatusOr<Node> Create(
      NodeOptions options, const Now& now,
      std::optional<SavedState> saved = std::nullopt);

  Node(const Node&) = default;
  Node& operator=(const Node&) = default;
  Node(Node&&) = default;
  Node& operator=(Node&&) = default;

  // The only function that changes the node. Fires the timers that are due at
  // `now`, then handles `event`, and returns what the driver is to do.
  //
  // `now` must have been read after the event's bytes were received: an older
  // reading would let cluster time run fast (engine/client/README.md, lemma 1).
  // REQUIRES: neither part of `now` is earlier than in the call before.
  [[nodiscard]] Actions Step(const Now& now, const Event& event);

  // When to call Step(), with TimeAdvanced, though nothing has happened.
  // Later than the last `now`.
  Deadline NextDeadline() const { return deadline_; }

  // --- For watching only ----------------------------------------------------

  NodeId id() const { return identity_.node; }
  // The cluster is none until the node has founded or joined one.
  const Identity& identity() const { return identity_; }
  const NodeOptions& options() const { return options_; }
  const NodeStats& stats() const { return stats_; }
  // Asked to leave, and not gone yet.
  bool is_leaving() const { return phase_ == Phase::kLeaving; }
  bool has_left() const { return phase_ == Phase::kLeft; }

  const Membership& membership() const { return membership_; }
  const Consensus& consensus() const { return consensus_; }
  // As of consensus().applied().
  const LockTable& table() const { return table_; }
  const Client& client() const { return client_; }

  // Members with their roles as this node knows them, ordered by id. Local: it
  // may lag behind the cluster.
  std::vector<MemberInfo> Members() const;
  // Whether `address` is of this machine, as far as the options say. Its port
  // is ignored.
  bool IsOfThisMachine(const Address& address) const;
  // Who leads, as far as this node knows: whom it follows or, without the log,
  // who answers its requests. None: nobody is known to.
  NodeId leader() const;
  // Whether this node keeps the table: voters and learners do. Of many members
  // some are neither; they ask the leader for everything.
  bool has_table_copy() const;
  // Locks as this node's copy of the table has them. Local: it may lag.
  // kUnavailable if it has none.
  Answer LocalLocks(const ListLocksRequest& request, const Now& now) const;
  // How many deaths the cluster survives. Local: it may lag behind the cluster.
  Survival FindSurvival() const;

  // CHECKs what must hold between steps; too slow for production.
  void CheckInvariants() const;
  // A hash of the whole state, the same in every build.
  uint64_t Fingerprint() const;

 private:
  enum class Phase : uint8_t {
    kSeeking,  // no cluster yet
    kMember,
    kLeaving,
    kLeft,
  };

  Node(NodeOptions options, const Now& now, Identity identity);

  Actions StepAfterLeaving(const Now& now, const Event& event);

  // Events.
  void Handle(const TimeAdvanced&, Outbox&) {}
  void Handle(const TurnEnded& event, Outbox& out);
  void Handle(const DatagramReceived& event, Outbox& out);
  void Handle(const FrameReceived& event, Outbox& out);
  void Handle(const LinkChanged& event, Outbox& out);
  void Handle(const SeedsResolved& event, Outbox& out);
  void Handle(const StateSaved& event, Outbox& out);
  void Handle(const RequestSubmitted& event, Outbox& out);
  void Handle(const RequestWithdrawn& event, Outbox& out);
  void Handle(const LeaveRequested& event, Outbox& out);

  // Messages.
  void Receive(absl::string_view bytes, Origin origin, Outbox& out);
  void RefuseAddress(const Envelope& envelope, const Origin& origin);
  bool Admit(const Envelope& envelope, const Origin& origin, Outbox& out);
  bool AdmitWithoutCluster(const Envelope& envelope, const Origin& origin,
                           Outbox& out);
  bool AdmitFromOtherCluster(const Envelope& envelope, const Origin& origin,
                             Outbox& out);
  void Dispatch(Envelope envelope, const Origin& origin, Outbox& out);
  void OnForward(NodeId from, Forward forward, Outbox& out);
  void SendRedirect(NodeId to, bool busy, Outbox& out);
  void OnLeaveIntent(NodeId from, const LeaveIntent& intent, Outbox& out);
  void OnReplies(NodeId from, const Replies& replies);
  void OnRedirect(NodeId from, const Redirect& redirect);
  // Whether `from` may answer what we asked: it leads, or did when we asked it.
  bool MayAnswer(NodeId from) const;

  // Cluster: birth, joining, giving one up for another.
  void FoundAfterAll();
  void FireBirth(Outbox& out);
  void FoundCluster(std::vector<Voter> voters, Outbox& out);
  void Adopt(ClusterId cluster, Epoch epoch, bool is_invitation);
  void EnterCluster(absl::Duration patience);
  void ComeBackToCluster();
  bool IsLed() const;
  bool MayBeLed() const;
  void NoteLeadership();
  // `other` and `hint`: the cluster that is joined instead and where it is, if
  // they are known.
  void StartOver(ClusterDissolved::Reason reason, ClusterId other,
                 const Address& hint);
  void MeetOtherCluster(const Envelope& envelope, const PushPull& message,
                        const Origin& origin, Outbox& out);
  void AskToJoin(const Origin& origin, Outbox& out);
  void NoteReborn(NodeId stranger, const Origin& origin);
  void AnswerStranger(NodeId stranger, const Origin& origin, Outbox& out);

  // The epoch above which the tokens of this node's session have to be.
  Epoch EpochFloor() const {
    return std::min(epoch_seen_, Epoch(limits::kEpochJoinedMax));
  }

  // What the machines tell each other.
  void FireTimers(const Now& now, Outbox& out);
  void NoteStall(absl::Duration lateness);
  Deadline FindDeadline() const;
  void AddGathered(class Fingerprint& hash) const;
  void Settle(Outbox& out);
  void TakeSnapshot(Outbox& out);
  void ApplyCommitted();
  void Deliver(std::vector<Reply> replies);
  void AnswerReads(Outbox& out);
  void LookUp(const ListLocksRequest& what, ReadResult& result) const;
  void LookUp(const ListMembersRequest& what, ReadResult& result) const;
  void LookUp(const ListWaitersRequest& what, ReadResult& result) const;
  void UpdateLeader();
  void AnnounceSessionEnd();
  void DrainClient();
  void ProposeExpiry();
  void ReviewVoters();
  std::vector<Voter> ChooseLearners();
  bool IsOnOneMachine() const;
  std::vector<VoterHealth> JudgeVoters() const;
  bool AnsweredLately(NodeId id) const;
  void FireLeave(Outbox& out);
  bool MayLeave(Outbox& out);
  bool MayComeBack(const MemberFact& fact) const;
  void AskToLeave(Outbox& out);
  void Flush(Outbox& out);
  void FlushProposals();
  void FlushForward(Outbox& out);
  void NoteAsked(NodeId leader);
  void Announce();

  // Actions.
  void Emit(Outbox& out);
  void Emit(Outgoing outgoing);
  std::optional<Address> AddressOf(NodeId id) const;
  SlowInstant NextExpiry() const;
  template <typename Make>
  void Note(const Make& text) const {
    NoteTo(options_.observer, text);
  }
  template <typename Make>
  void Observe(const Make& observation) const {
    ObserveTo(options_.observer, observation);
  }

  NodeOptions options_;
  Random random_;
  Identity identity_;
  bool identity_saved_ = false;
  Phase phase_ = Phase::kSeeking;
  // Of the step that is being made, or of the last one. Neither part falls.
  Now now_;
  // What NextDeadline() returns. Step() finds it once: it is asked for more
  // often.
  Deadline deadline_;
  NodeStats stats_;

  Membership membership_;
  Consensus consensus_;
  LockTable table_;
  Client client_;

  // Seeking.
  SlowInstant birth_at_ = SlowInstant::Never();
  SlowInstant next_join_ask_;
  absl::btree_set<NodeId> founders_;  // met, and expecting as many as we do
  // Voters of a cluster that has agreed on nothing yet, where another process,
  // without a cluster, has been heard since.
  absl::btree_set<NodeId> reborn_;
  // A cluster that we are bound to, but that nobody leads yet, is given up
  // then.
  SlowInstant unbind_at_ = SlowInstant::Never();
  // The highest of the clusters that this node has been in, and of their
  // tokens. What others merely say does not raise it.
  Epoch epoch_seen_;
  std::optional<SlowInstant> last_led_;
  std::optional<SlowInstant> told_of_leader_;  // when we joined
  bool introduced_as_led_ = false;

  // Who may lead, while consensus does not know, and whether it has answered.
  // A guess that answers is kept until it is silent for too long.
  NodeId leader_guess_;
  bool guess_answers_ = false;
  SlowInstant next_guess_;
  // Whom we sent requests to, the latest first: answers of others are dropped.
  std::vector<NodeId> asked_;

  // Gathered within the turn and sent when it ends: what the leader proposes,
  // what goes to the leader, and what the leader answers. Flush() empties them,
  // at `flush_by_` at the latest.
  std::vector<LockCommand> proposals_;
  Forward forward_;
  absl::btree_map<NodeId, Replies> replies_;
  SlowInstant flush_by_ = SlowInstant::Never();

  // Messages that promise something which is not saved yet, in the order of the
  // saves they wait for (engine/consensus/README.md, rule 11).
  std::deque<Outgoing> withheld_;

  // Reads that wait for proof of leadership: who asked what.
  absl::btree_map<uint64_t, std::pair<NodeId, Read>> reads_;
  uint64_t last_read_ = 0;

  // Leader's duties. The last entry that proposed expiries: the next one waits
  // until it is applied.
  LogIndex expiry_proposed_;
  // After a stall: nothing is proposed to expire before then (rule 20).
  SlowInstant expiry_not_before_;
  SlowInstant next_voter_review_;

  // Leaving. When the node goes in any case.
  SlowInstant leave_by_ = SlowInstant::Never();
  SlowInstant next_leave_intent_;
  NodeId leave_asked_of_;  // the leader that was asked last
  // The members' addresses to which our last stream broke.
  absl::btree_set<Address> broken_links_;

  // A step that is late before then does not count as another stall.
  SlowInstant stall_remembered_until_;

  // Introductions that were answered since `introductions_since_`.
  SlowInstant introductions_since_;
  int introductions_ = 0;

  AnnounceStanding standing_;
  // The last that was ordered.
  AnnounceSession session_announced_;
  // What the step that is being made puts out; empty between steps.
  Outbox outbox_;
  Actions actions_;
};

}  // namespace cachalot

#endif  // ENGINE_NODE_H_
