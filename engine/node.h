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
#include "engine/birth/birth.h"
#include "engine/client/client.h"
#include "engine/consensus/consensus.h"
#include "engine/consensus/voters.h"
#include "engine/event.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/limits.h"
#include "engine/locks/lock_table.h"
#include "engine/majority_watch.h"
#include "engine/member.h"
#include "engine/membership/membership.h"
#include "engine/memory.h"
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

// How many messages a node has dropped, and why; how many it has taken in; and
// how often it was stepped late. Never falls.
struct NodeStats {
  uint64_t undecodable = 0;     // not a message, or beyond a limit
  uint64_t other_version = 0;   // of another protocol version
  uint64_t other_cluster = 0;   // of another cluster
  uint64_t other_name = 0;      // of a cluster of another name
  uint64_t misaddressed = 0;    // for another node, or from ourselves
  uint64_t unroutable = 0;      // to a node whose address is not known
  uint64_t impersonations = 0;  // commands for the session of another node
  uint64_t unasked = 0;         // answers from a node that was asked nothing
  // Member lists in datagrams: they could come from anybody.
  uint64_t lists_in_datagrams = 0;
  // From nodes without a cluster: anything but an introduction on a stream, and
  // introductions beyond the number that is answered.
  uint64_t strangers = 0;
  // Numbers that no correct node has: a token in the far future.
  uint64_t implausible = 0;
  uint64_t stalls = 0;  // stepped long after the deadline
  // From nodes that say they listen where this machine cannot reach them.
  uint64_t misadvertised = 0;
  // Messages that were not dropped: of our cluster and for this node.
  uint64_t admitted = 0;

  friend bool operator==(const NodeStats&, const NodeStats&) = default;
};

// One member of the cluster: a function of its options and its events.
//
// No clock, no thread, no socket, no randomness but the seed. A driver hands in
// each event with the time at which it was learnt and carries out the actions
// that come back, in their order. The same list of (now, event) gives the same
// list of actions, in every build.
//
// Not thread-safe. A value: a copy is independent of the original.
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

  // When to call Step() with TimeAdvanced if no other event comes first. Later
  // than the last `now`.
  Deadline NextDeadline() const { return deadline_; }

  // --- For watching only ----------------------------------------------------

  NodeId id() const { return identity_.node; }
  // What it remembers of clusters, whether a driver keeps it or not.
  const Memory& memory() const { return memory_; }
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
  // Who leads, as far as this node knows: the leader that it follows or, if it
  // does not receive the log, the node that answers its requests. None:
  // unknown.
  NodeId leader() const;
  // Whether this node keeps a copy of the table: voters and learners do. Other
  // members ask the leader for everything.
  bool has_table_copy() const;
  // Locks as this node's copy of the table has them. Local: it may lag.
  // kUnavailable if it has none.
  Answer LocalLocks(const ListLocksRequest& request, const Now& now) const;
  // How many deaths the cluster survives. Local: it may lag behind the cluster.
  Survival FindSurvival() const;
  // Why this node knows no leader.
  Outage FindOutage() const;

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
  void RefuseOtherName(const Envelope& envelope, const Origin& origin,
                       Outbox& out);
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
  Birth MakeBirth(absl::Duration listening);
  absl::Duration ListeningTime() const;
  bool FoundsAlone() const;
  bool IsFirst() const;
  void IntroduceSeeker();
  void NoteEnd(ClusterId ended);
  void MeetFounder(const Envelope& envelope, const PushPull& list);
  void FoundAfterAll();
  void FireBirth(Outbox& out);
  void GiveUpDeadBirth();
  void AskMissingFounders(Outbox& out);
  void FoundCluster(Birth::Founding founding, Outbox& out);
  void AdoptBirth(const Birth::Founding& founding);
  void Adopt(ClusterId cluster, FencingToken token_base);
  void EnterCluster(absl::Duration patience);
  void AddRememberedSeeds();
  void NoteMemory();
  void RememberLeaving();
  std::vector<Address> PeersToRemember() const;
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
  FencingToken FindTokensSeen() const;
  void AskToJoin(const Origin& origin, Outbox& out);
  void NoteRestartedVoter(NodeId stranger, const Origin& origin);
  void AnswerStranger(NodeId stranger, const Origin& origin, PushPull answer,
                      Outbox& out);

  // The tokens that this node's session is granted must be above it.
  FencingToken TokenFloor() const {
    return std::min(tokens_seen_, FencingToken(limits::kTokenFloorMax));
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
  void NoteHeard(NodeId id);
  void WatchMajority(Outbox& out);
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

  // Fixed, but for the seeds, which SeedsResolved and Create() replace, and
  // is_own_seed, which FoundAfterAll() sets.
  NodeOptions options_;
  // For ids, guesses and pauses. Each machine has a generator of its own.
  Random random_;
  // The node's id, and the cluster to which it is bound with its token base;
  // no cluster while it seeks one. Within one id the cluster is set once, by
  // Adopt(), FoundCluster() or a saved state; StartOver() takes another id
  // (D1).
  Identity identity_;
  // An order to save has carried identity_. Flush() sets it, StartOver() clears
  // it.
  bool identity_saved_ = false;
  // Moves from kSeeking to kMember to kLeaving to kLeft, or leaves some out;
  // StartOver() alone goes back, to kSeeking.
  Phase phase_ = Phase::kSeeking;
  // The times of the current step, or of the last one. Neither part falls.
  Now now_;
  // What NextDeadline() returns. Step() computes it once for each step, since
  // drivers ask for it more often.
  Deadline deadline_;
  NodeStats stats_;

  Membership membership_;
  Consensus consensus_;
  // As of consensus_.applied(): ApplyCommitted() and TakeSnapshot() change it.
  LockTable table_;
  Client client_;

  // --- Seeking a cluster ----------------------------------------------------

  // How this node founds a cluster with others, or alone. Made anew when it
  // starts to seek one; takes part in nothing once it has one.
  Birth birth_;
  // No other cluster's member is asked or told before then.
  SlowInstant next_join_ask_;
  // Voters of our cluster, which has committed nothing yet, that have
  // restarted: another process, without a cluster, has been heard from their
  // addresses. If they are a majority the cluster is given up.
  absl::btree_set<NodeId> restarted_voters_;
  // When founders that are members but have not been met are next asked.
  SlowInstant next_founder_ask_;
  // This node is one of the founders of its cluster.
  bool is_founder_ = false;
  // When this node gives up its cluster: as a founder, if no leader is known
  // and nothing is committed; else if it has heard neither a leader nor an
  // entry. Never once that is so.
  SlowInstant unbind_at_ = SlowInstant::Never();
  // What it remembers of clusters, and has reason to save if the driver keeps
  // it (NodeOptions::memory).
  Memory memory_;
  // `memory_` was ordered to be saved as it is.
  bool memory_is_saved_ = true;
  // Members have come or gone since their addresses were remembered, and when
  // they are remembered again.
  bool peers_have_changed_ = false;
  SlowInstant next_peers_;
  // No token of the clusters that this node has been in is higher; those of its
  // present one may be. Never falls. What other nodes merely say does not raise
  // it.
  FencingToken tokens_seen_;
  // When this node last knew a leader; nothing: never in this cluster.
  std::optional<SlowInstant> last_led_;
  // When this node joined a cluster whose members said that it has a leader.
  std::optional<SlowInstant> told_of_leader_;
  // What the introductions that are sent now say: PushPull::is_led.
  bool introduced_as_led_ = false;

  // --- Without a leader ------------------------------------------------------

  // Whether a majority of the voters answers. Settle() brings it up to date.
  MajorityWatch majority_;

  // --- Requests on their way to the leader ----------------------------------

  // Whom to ask while consensus knows no leader, and whether that node has
  // answered. One that answers is kept until it is silent for too long.
  NodeId leader_guess_;
  bool guess_answers_ = false;
  // When another one is drawn.
  SlowInstant next_guess_;
  // Nodes to which requests were sent, the latest first; at most kAskedMax.
  // Answers from others are dropped.
  std::vector<NodeId> asked_;

  // Gathered within the turn and sent when it ends: what the leader proposes,
  // what goes to the leader, and what the leader answers. Flush() empties them,
  // at `flush_by_` at the latest.
  std::vector<LockCommand> proposals_;
  Forward forward_;
  absl::btree_map<NodeId, Replies> replies_;
  SlowInstant flush_by_ = SlowInstant::Never();

  // Messages that promise something which is not saved yet, in the order of the
  // saves they wait for (engine/consensus/README.md, rule 11). All wait for a
  // save above consensus_.saved().
  std::deque<Outgoing> withheld_;

  // As leader: reads that wait for proof of leadership, by the number that this
  // node gave them, and who asked. At most limits::kProposalsPerTurnMax of
  // other nodes.
  absl::btree_map<uint64_t, std::pair<NodeId, Read>> reads_;
  // The number of the last read. Rises by one.
  uint64_t last_read_ = 0;

  // --- Leader's duties ------------------------------------------------------

  // The last entry that proposed expiries: the next one waits until it is
  // applied.
  LogIndex expiry_proposed_;
  // After a stall: no expiry is proposed before then (rule 20).
  SlowInstant expiry_not_before_;
  // When ReviewVoters() next runs; brought forward by changes of members.
  SlowInstant next_voter_review_;

  // --- Leaving --------------------------------------------------------------

  // When the node leaves in any case; never if it was not asked to.
  SlowInstant leave_by_ = SlowInstant::Never();
  // As leader: nobody stays, and it has told all members that they may go.
  bool lets_all_go_ = false;
  // When the leader is next asked for permission, and which one was asked last.
  SlowInstant next_leave_intent_;
  NodeId leave_asked_of_;
  // Members' addresses to which the last stream broke and none has come up
  // since. At most limits::kMembersMax.
  absl::btree_set<Address> broken_links_;

  // --- Limits and news ------------------------------------------------------

  // A step that is late before then does not count as another stall.
  SlowInstant stall_remembered_until_;

  // How many introductions of strangers were answered since
  // `introductions_since_`; both begin anew each IntroductionsPeriod().
  SlowInstant introductions_since_;
  int introductions_ = 0;

  // HashClusterName() of the options' cluster; fixed.
  uint64_t cluster_name_ = 0;
  // Who has told us another name: each is told of once. At most
  // kOtherNamesMax, never forgotten.
  absl::btree_set<Address> other_names_;

  // The last of each that was ordered: ordered again only if it changes.
  AnnounceStanding standing_;
  AnnounceSession session_announced_;
  // The messages and actions of the current step; empty between steps.
  Outbox outbox_;
  Actions actions_;
};

}  // namespace cachalot

#endif  // ENGINE_NODE_H_
