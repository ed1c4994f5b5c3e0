#ifndef ENGINE_CONSENSUS_CONSENSUS_H_
#define ENGINE_CONSENSUS_CONSENSUS_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/strings/string_view.h"
#include "engine/action.h"
#include "engine/cluster_time.h"
#include "engine/consensus/log.h"
#include "engine/consensus/progress.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/observer.h"
#include "engine/options.h"
#include "engine/outbox.h"
#include "engine/random.h"
#include "engine/saved_state.h"
#include "engine/wire/message.h"

namespace cachalot {

// One agreed order of entries, and who votes on it: Raft (Ongaro and Ousterhout
// 2014; Ongaro's dissertation) with PreVote, CheckQuorum and leader stickiness,
// pipelined appends, ReadIndex, joint consensus, leadership transfer and
// snapshots in chunks. Payloads are opaque.
//
// The rules that it follows, with their sources, are numbered in README.md of
// this folder; comments here and elsewhere cite them as "rule 7". In short:
//  - entries of earlier terms commit only through an entry of this term (1);
//  - reads and changes of voters wait for such an entry (2, 3);
//  - one change of voters at a time, effective when appended (4);
//  - a vote does not depend on what the voter believes its own role to be (5);
//  - a follower commits no further than what the append proved (7);
//  - what promises durability waits for its save, nothing else does (11);
//  - each entry carries the cluster time, chained along this log alone.
//
// Learners are not part of the configuration: a leader may replicate to any
// node.
//
// Flush() sends what was appended within a turn: one order to save, and one
// append to each follower.
//
// Not thread-safe. A value: a copy is independent of the original.
class Consensus {
 public:
  enum class Role : uint8_t { kFollower, kPreCandidate, kCandidate, kLeader };

  struct Counters {
    uint64_t elections_won = 0;
    uint64_t snapshots_sent = 0;
    uint64_t snapshots_installed = 0;
    uint64_t entries_committed = 0;
    uint64_t malformed = 0;  // messages that no correct node sends

    friend bool operator==(const Counters&, const Counters&) = default;
  };

  // Without log and voters, and idle until Found(), Restore() or a leader's
  // message brings some. `observer` is not owned, may be null, and outlives
  // every copy.
  Consensus(ConsensusOptions options, NodeId self, Random random,
            SlowInstant now, Observer* observer);

  // The payload of the first entry of each term that this node leads.
  void SetOpening(std::string payload);
  // The next Flush() orders a save, though nothing of consensus has changed:
  // the node has something of its own to add to it.
  void RequestSave() { has_pending_ = true; }
  // Numbers the orders to save after `last`: the earlier ones were given under
  // another identity and no longer matter.
  void NumberSavesFrom(SaveId last);

  // Restores the state that an earlier process saved. REQUIRES: the
  // configuration entries decode; nothing was called that changes the log.
  void Restore(SlowInstant now, const SavedState& saved);

  // Starts a cluster of these voters and stands for election in it.
  // REQUIRES: no log, no voters; `voters` contains this node.
  void Found(SlowInstant now, std::vector<Voter> voters, Outbox& out);

  void Receive(SlowInstant now, NodeId from, const ConsensusMessage& message,
               Outbox& out);
  // The stream to `peer` broke: what was sent may be lost.
  void NoteLinkDown(NodeId peer);
  // Every order to save up to `save` is done.
  void NoteSaved(SlowInstant now, SaveId save, Outbox& out);
  void FireTimers(SlowInstant now, Outbox& out);
  SlowInstant NextDeadline() const;
  // The node slept `lateness` past its deadline: messages that should have
  // kept timers from firing may still be on their way in (rule 20).
  void NoteStall(SlowInstant now, absl::Duration lateness);

  // --- For leaders ----------------------------------------------------------

  // Appends a batch of commands. False, and nothing appended, if more than
  // limits::kUncommittedBytesMax are not committed yet: try again later.
  // REQUIRES: leads().
  bool Propose(SlowInstant now, std::string payload);
  // Begins the joint change to `voters`. REQUIRES: CanChangeVoters().
  void ChangeVoters(SlowInstant now, std::vector<Voter> voters);
  // Leading, with an entry of this term committed, and no change in flight.
  bool CanChangeVoters() const;
  // Replicates to these in addition to the voters, and to no others.
  void SetLearners(SlowInstant now, const std::vector<Voter>& learners);
  // Asks for proof that this node leads now; confirmed through TakeReads().
  // REQUIRES: leads().
  void RequestRead(uint64_t read);
  // Since when a follower has been close behind; never if it is not.
  SlowInstant CloseSince(NodeId peer) const;
  // When the follower last answered; never if it is not one. A new leader
  // counts every voter as if it had just answered.
  SlowInstant LastAnswer(NodeId peer) const;
  // Whether it has answered this leader in this term.
  bool HasAnswered(NodeId peer) const;

  // --- The end of a turn ----------------------------------------------------

  // Sends what the turn has produced, and returns what is to be saved, if
  // anything.
  std::optional<SaveState> Flush(SlowInstant now, Outbox& out);
  // True if Flush() would have something to do.
  bool NeedsFlush() const;

  // --- Results --------------------------------------------------------------

  // The next entry to apply, in order, or null. Configuration entries are
  // returned, too. Call AdvanceApplied() after applying it.
  const Entry* NextCommitted() const;
  void AdvanceApplied();
  // The reads that are confirmed and that the applied entries cover, in order.
  // Those whose leader stepped down first are returned as lost.
  std::vector<uint64_t> TakeReads();
  std::vector<uint64_t> TakeLostReads();
  // A whole snapshot that has arrived: to be installed, if its table decodes.
  const Snapshot* arrived_snapshot() const;
  void InstallSnapshot(SlowInstant now, Outbox& out);
  void RejectSnapshot();
  // A follower needs a snapshot: call StoreSnapshot().
  bool wants_snapshot() const { return wants_snapshot_; }
  // The log has grown beyond the options: call StoreSnapshot().
  bool wants_compaction() const;
  // `table` is LockTable::Encode() as of applied().
  void StoreSnapshot(SlowInstant now, std::string table);

  // --- Leaving --------------------------------------------------------------

  // As leader: whether a member asked to leave and has not fallen silent since.
  bool IsLeaving(NodeId id) const { return leaving_.contains(id); }
  bool HasLeavers() const { return !leaving_.empty(); }
  void ForgetSilentLeavers(SlowInstant now);
  // As leader: tells all members that asked to leave that they may go, although
  // they may vote. REQUIRES: nobody stays.
  void LetAllGo(Outbox& out);
  // True once it is certain that this node does not vote and will not be made
  // a voter if it goes now: those who stay have committed voters without it.
  bool MayGo() const;

  // --- Views ----------------------------------------------------------------

  Role role() const;
  bool leads() const { return std::holds_alternative<Leader>(role_); }
  Term term() const { return term_; }
  NodeId vote() const { return vote_; }
  // None if unknown. This node itself, if it leads.
  NodeId leader() const { return leader_; }
  LogIndex commit() const { return commit_; }
  LogIndex applied() const { return applied_; }
  const Log& log() const { return log_; }
  LogIndex first_index() const { return log_.first_index(); }
  LogIndex last_index() const { return log_.last_index(); }
  const Entry* Find(LogIndex index) const { return log_.Find(index); }
  Term TermAt(LogIndex index) const { return log_.TermAt(index); }
  const Configuration& configuration() const { return log_.configuration(); }
  // No change is in flight and the configuration is committed.
  bool configuration_settled() const;
  bool IsVoter(NodeId id) const { return configuration().Contains(id); }
  // Cluster time now, as a leader would stamp it.
  ClusterTime TimeAt(SlowInstant now) const;
  ClusterTime applied_time() const { return applied_time_; }
  const Counters& counters() const { return counters_; }
  // The address of a voter or learner, if it is one.
  std::optional<Address> AddressOf(NodeId id) const;
  // Leading, and an entry of this term is committed.
  bool HasCommittedInTerm() const;
  SaveId last_save() const { return last_save_; }
  SaveId saved() const { return saved_; }

  void CheckInvariants() const;
  uint64_t Fingerprint() const;

 private:
  // A follower or a learner. Its state is in leader_ and the election timer.
  struct Follower {
    friend bool operator==(const Follower&, const Follower&) = default;
  };
  // A candidate, or a node that first asks whether it would be elected.
  struct Candidacy {
    // PreVote: the term is not raised, and nothing is promised.
    bool is_pre_vote = true;
    // The last leader asked for it (TimeoutNow): voters that still hear that
    // leader vote all the same.
    bool is_transfer = false;
    // The voters that have granted this kind of request in this term. Only
    // grows. Contains this node from the start of a pre-vote; in an election
    // from the completion of `own_vote` on.
    absl::btree_set<NodeId> granted;
    // The order to save that holds this node's own vote; none in a pre-vote.
    SaveId own_vote;
    friend bool operator==(const Candidacy&, const Candidacy&) = default;
  };
  struct Leader {
    // What each voter, outgoing voter and learner has of the log; never this
    // node. Voters on their way out stay until that is committed (rule 18).
    // SyncFollowers() changes who is in it.
    absl::btree_map<NodeId, Progress> followers;
    // Nodes that receive the log and count towards nothing. SetLearners().
    std::vector<Voter> learners;
    // The entry with which BecomeLeader() opened the term. Once it is
    // committed, reads and changes of voters may begin (rules 2 and 3). Set
    // once; at most log_.last_index().
    LogIndex opened_at;
    // When every follower is next sent something, if only an empty append.
    SlowInstant next_heartbeat;
    // When this leader next checks that a majority answered within an election
    // timeout (CheckQuorum). NoteStall() may put it off.
    SlowInstant next_quorum_check;
    // The number of the last round; heartbeats and batches of reads begin one.
    // Each append carries it and each answer brings it back: proof that its
    // sender heard this leader after the round began. 0 at election, rises by
    // one.
    uint64_t read_round = 0;
    // (round, when it began) of the last rounds of heartbeats, oldest first;
    // never empty. BeginRound() adds one and drops those that began more than
    // an election timeout ago, but for the newest.
    std::deque<std::pair<uint64_t, SlowInstant>> rounds;
    // Reads that have no round yet. Flush() begins one for them, once the term
    // has committed an entry (rule 2).
    std::vector<uint64_t> new_reads;
    // (round, read), in the order of the rounds: ConfirmReads() takes out those
    // whose round a quorum has answered.
    std::deque<std::pair<uint64_t, uint64_t>> reads;
    friend bool operator==(const Leader&, const Leader&) = default;
  };

  void Handle(SlowInstant now, NodeId from, const VoteRequest& m, Outbox& out);
  void Handle(SlowInstant now, NodeId from, const VoteReply& m, Outbox& out);
  void Handle(SlowInstant now, NodeId from, const Append& m, Outbox& out);
  void Handle(SlowInstant now, NodeId from, const AppendReply& m, Outbox& out);
  void Handle(SlowInstant now, NodeId from, const SnapshotChunk& m,
              Outbox& out);
  void Handle(SlowInstant now, NodeId from, const SnapshotReply& m,
              Outbox& out);
  void Handle(SlowInstant now, NodeId from, const TimeoutNow& m, Outbox& out);
  void Handle(SlowInstant now, NodeId from, const LeaveIntent& m, Outbox& out);
  void Handle(SlowInstant now, NodeId from, const LeaveReply& m, Outbox& out);

  // False for a term so far ahead that elections alone cannot have raised it.
  bool IsPlausible(Term term) const;

  // Elections.
  void SetTerm(Term term, NodeId vote);
  void BecomeFollower(SlowInstant now, Term term, NodeId leader);
  // Called before BecomeFollower(); without effect unless this node leads.
  void ObserveStepDown(LeadershipLost::Reason reason, NodeId by) const;
  void ObserveSilence(SlowInstant now) const;
  void ObserveVoters(const Configuration& configuration) const;
  void HearLeader(SlowInstant now, Term term, NodeId leader);
  // Asks all voters for their votes or, before that, whether they would vote.
  void Campaign(SlowInstant now, bool is_pre_vote, bool is_transfer,
                Outbox& out);
  void CountVotes(SlowInstant now, Outbox& out);
  void BecomeLeader(SlowInstant now, Outbox& out);
  void ResetElectionTimer(SlowInstant now);
  bool MayStand() const;
  bool IsUpToDate(LogIndex last_index, Term last_term) const;
  bool HearsLeader(SlowInstant now) const;

  // Replication, leader's side.
  void AppendOwn(SlowInstant now, EntryKind kind, SharedBytes payload,
                 const Configuration* configuration);
  void SyncFollowers(SlowInstant now);
  void Replicate(SlowInstant now, NodeId peer, Progress& progress,
                 bool is_heartbeat, Outbox& out);
  void SendAppend(SlowInstant now, NodeId peer, Progress& progress,
                  bool with_entries, Outbox& out);
  void SendChunk(SlowInstant now, NodeId peer, Progress& progress, Outbox& out);
  void BeginSnapshot(NodeId peer, Progress& progress);
  void BeginRound(SlowInstant now);
  bool IsRecent(SlowInstant now, uint64_t read_round) const;
  void NoteAnswer(SlowInstant now, Progress& progress, uint64_t read_round);
  void NoteCloseness(SlowInstant now, Progress& progress);
  void AdvanceCommit(SlowInstant now, Outbox& out);
  void OnCommitted(SlowInstant now, LogIndex from, LogIndex to, Outbox& out);
  void HandOver(SlowInstant now, Outbox& out);
  bool DoesNotVote(NodeId id) const;
  void ConfirmReads();
  bool HeardFromQuorum(SlowInstant now) const;

  // Replication, follower's side.
  bool TakeEntries(SlowInstant now, const Append& m);
  bool IsSound(const SnapshotChunk& m) const;
  void ReplyToAppend(NodeId to, AppendReply reply, bool is_promise,
                     Outbox& out);

  void AddSaves(class Fingerprint& hash) const;
  void AddRole(class Fingerprint& hash) const;

  // The order to save that will hold what is pending, or the last one given.
  SaveId PendingSave() const;
  void NoteAppended(LogIndex index);
  void KeepSnapshot(const Snapshot& snapshot);
  void Send(NodeId to, ConsensusMessage message, SaveId after, Outbox& out);
  template <typename Make>
  void Note(const Make& text) const {
    NoteTo(observer_, text);
  }
  template <typename Make>
  void Observe(const Make& observation) const {
    ObserveTo(observer_, observation);
  }

  // Fixed.
  ConsensusOptions options_;
  NodeId self_;
  // For election timeouts.
  Random random_;
  // The payload of the entry with which this node opens a term. SetOpening().
  SharedBytes opening_;
  Observer* observer_;  // not owned; may be null

  // --- Saved: a process that restarts with its disk finds it again ----------

  // The highest term that this node has entered. Never falls, also over
  // restarts. At least log_.last_term(). SetTerm() only.
  Term term_;
  // For whom this node has voted in term_; none: not yet. Within a term it is
  // given once and never taken back (rule 6). SetTerm() only.
  NodeId vote_;
  // AppendOwn() of a leader and TakeEntries() of a follower add to it;
  // TakeEntries() truncates, but never at or below commit_.
  Log log_;
  // The newest snapshot that was taken or installed, if any.
  // log_.base_index() <= snapshot_->index <= applied_.
  std::optional<Snapshot> snapshot_;

  // --- Not saved ------------------------------------------------------------

  std::variant<Follower, Candidacy, Leader> role_;
  // Whom this node follows in term_; itself if it leads; none if it has heard
  // no leader in this term, or none for too long.
  NodeId leader_;
  // The last entry known to be committed: at a start that of the snapshot;
  // never falls. Raised by AdvanceCommit() of a leader, by Append, and by
  // InstallSnapshot(). applied_ <= commit_ <= log_.last_index().
  LogIndex commit_;
  // The last entry that the node has applied, and its cluster time.
  // AdvanceApplied(), one by one, and InstallSnapshot().
  LogIndex applied_;
  ClusterTime applied_time_;
  // The local time at which the last entry became the last: cluster time goes
  // on from there (engine/client/README.md, lemma 1). Set whenever the end of
  // the log changes, and at a start. An earlier value would make cluster time
  // run fast; a later one only delays expiries.
  SlowInstant anchor_;
  // When an append or a chunk of a snapshot last came from a leader of a term
  // that was not over; counts if has_heard_leader_. HearLeader() only.
  SlowInstant last_heard_leader_;
  bool has_heard_leader_ = false;
  // When this node stands for election or, as a learner, gives up its leader.
  // Never: it leads, or it does not vote and follows nobody.
  SlowInstant election_deadline_ = SlowInstant::Never();
  // A member that asked to leave.
  struct Leaver {
    SlowInstant heard;  // when its last intent came
    // The leaver's own clock when it sent that, in ns: for LeaveReply only.
    uint64_t asked_at = 0;
  };
  // Of a leader; empty otherwise. At most limits::kMembersMax. Those that have
  // been silent for long are dropped by ForgetSilentLeavers().
  absl::btree_map<NodeId, Leaver> leaving_;
  // The term in which the leader permitted this node to leave; nothing: not
  // yet. Has no effect once term_ is higher.
  std::optional<Term> let_go_in_;

  // --- Saves ----------------------------------------------------------------
  //
  // A truncation cuts pending_, saves_in_flight_ and stable_, so that a late
  // completion does not vouch for entries that were replaced (rule 12).

  // What has changed since the last order to save; valid if has_pending_.
  // Flush() makes it the next order.
  StateChange pending_;
  bool has_pending_ = false;
  // The last order that was given, and the last that is done. Both rise;
  // saved_ <= last_save_. Flush() and NoteSaved().
  SaveId last_save_;
  SaveId saved_;
  // (order, last index of the log that is saved when it is done) of the orders
  // that are not done, oldest first.
  std::deque<std::pair<SaveId, LogIndex>> saves_in_flight_;
  // How far this node's log is saved: what a leader counts for itself. At most
  // log_.last_index(). NoteSaved() raises it; a truncation and
  // InstallSnapshot() may lower it.
  LogIndex stable_;

  // --- A snapshot on its way in ---------------------------------------------

  struct Incoming {
    NodeId from;
    Snapshot snapshot;   // without its table
    uint64_t total = 0;  // bytes of the table
    std::string bytes;   // of the table, from its start; at most `total`
    friend bool operator==(const Incoming&, const Incoming&) = default;
  };
  // The snapshot whose chunks are being gathered. A chunk of another leader,
  // snapshot or size starts again from nothing.
  std::optional<Incoming> incoming_;
  // A complete snapshot, and who sent it. The node installs or rejects it
  // before it hands in anything else.
  std::optional<Snapshot> arrived_;
  NodeId arrived_from_;

  // --- What the node is to do -----------------------------------------------

  // Of a leader: a follower needs a snapshot and there is none fresh enough.
  // StoreSnapshot() clears it.
  bool wants_snapshot_ = false;
  // There is something to send at the end of the turn. Flush() clears it.
  bool flush_requested_ = false;
  // Reads whose leader stepped down before they were confirmed.
  std::vector<uint64_t> lost_reads_;
  // (index, read): confirmed, and answered once `index` is applied. Indexes do
  // not fall.
  std::deque<std::pair<LogIndex, uint64_t>> waiting_reads_;
  Counters counters_;
};

const char* RoleName(Consensus::Role role);

}  // namespace cachalot

#endif  // ENGINE_CONSENSUS_CONSENSUS_H_
