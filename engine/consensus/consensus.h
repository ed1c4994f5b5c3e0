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
// Rules (numbers as in the research on what others learnt by bugs):
//  - entries of former terms are committed only through one of the own (1);
//  - reads and configurations wait for such an entry (2, 3);
//  - one configuration in flight, effective when appended (4);
//  - nobody is refused a vote for what we think its role is (5);
//  - a follower commits no further than what the append proved (7);
//  - what promises durability waits for its save, nothing else does (11);
//  - each entry carries the cluster time, chained in this log alone.
//
// Learners need no configuration: a leader may replicate to whom it likes.
//
// What is appended within a turn goes out with Flush(), as one write and one
// append for each follower.
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

  // Idle, without log and voters, until it hears of some.
  Consensus(ConsensusOptions options, NodeId self, Random random,
            SlowInstant now, Observer* observer);

  // The payload of the first entry of each term that this node leads.
  void SetOpening(std::string payload);
  // Orders to save are numbered after `last`: those up to it were given under
  // another identity, and are of no account any more.
  void NumberSavesFrom(SaveId last);

  // Goes on from what was kept. The configuration entries must decode.
  void Restore(SlowInstant now, const SavedState& saved);

  // Starts a cluster of these voters, and stands for election in it.
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

  // Appends a batch of commands. False if there is too much that is not yet
  // committed: come back later. REQUIRES: leads().
  bool Propose(SlowInstant now, std::string payload);
  // Begins the change to `voters`. REQUIRES: CanChangeVoters().
  void ChangeVoters(SlowInstant now, std::vector<Voter> voters);
  // Leading, with an entry of this term committed, and no change in flight.
  bool CanChangeVoters() const;
  // Replicates to these as well, and to nobody else but the voters.
  void SetLearners(SlowInstant now, const std::vector<Voter>& learners);
  // Asks for proof that this node leads now; confirmed through TakeReads().
  // REQUIRES: leads().
  void RequestRead(uint64_t read);
  // Since when a follower has been close behind; never if it is not.
  SlowInstant CloseSince(NodeId peer) const;
  SlowInstant LastAnswer(NodeId peer) const;

  // --- The end of a turn ----------------------------------------------------

  // Sends what is to be sent, and returns what is to be kept, if anything.
  std::optional<SaveState> Flush(SlowInstant now, Outbox& out);
  // True if Flush() would have something to do.
  bool NeedsFlush() const;

  // --- What came of it ------------------------------------------------------

  // The next entry to apply, in order, or null. Configuration entries are
  // passed too. Call AdvanceApplied() after it.
  const Entry* NextCommitted() const;
  void AdvanceApplied();
  // Reads confirmed and covered by what is applied, in order. Those that were
  // asked of a leader that stepped down come back as lost.
  std::vector<uint64_t> TakeReads();
  std::vector<uint64_t> TakeLostReads();
  // A whole snapshot that has arrived: to be installed, if its table decodes.
  const Snapshot* arrived_snapshot() const;
  void InstallSnapshot(SlowInstant now, Outbox& out);
  void RejectSnapshot();
  // Some follower needs a snapshot: give one as of applied().
  bool wants_snapshot() const { return wants_snapshot_; }
  // The log has grown beyond the options: give one as of applied().
  bool wants_compaction() const;
  void StoreSnapshot(SlowInstant now, std::string table);

  // --- Leaving --------------------------------------------------------------

  // As leader: members that asked to go, and did not fall silent since.
  bool IsLeaving(NodeId id) const { return leaving_.contains(id); }
  bool HasLeavers() const { return !leaving_.empty(); }
  void ForgetSilentLeavers(SlowInstant now);
  // As leader: tells all who asked that they may go, whoever votes. REQUIRES:
  // nobody stays.
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
  struct Follower {
    friend bool operator==(const Follower&, const Follower&) = default;
  };
  // Also of a candidate: who has said yes.
  struct Canvass {
    bool is_pre_vote = true;
    bool is_transfer = false;
    absl::btree_set<NodeId> granted;
    // The own vote counts once it is saved.
    SaveId own_vote;
    friend bool operator==(const Canvass&, const Canvass&) = default;
  };
  struct Leader {
    absl::btree_map<NodeId, Progress> followers;
    std::vector<Voter> learners;
    LogIndex opened_at;  // the first entry of the term
    SlowInstant next_heartbeat;
    SlowInstant next_quorum_check;
    // Counts heartbeats and batches of reads; what is sent carries the last,
    // and answers bring it back.
    uint64_t read_round = 0;
    // When the last rounds of heartbeats began, oldest first; never empty. What
    // began an election timeout ago is forgotten, but for the newest.
    std::deque<std::pair<uint64_t, SlowInstant>> rounds;
    // Reads to be given a round, and reads by the round that confirms them.
    std::vector<uint64_t> new_reads;
    std::deque<std::pair<uint64_t, uint64_t>> reads;  // (round, read)
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

  // Not beyond what elections lead to, as far as this node can tell.
  bool IsPlausible(Term term) const;

  // Elections.
  void SetTerm(Term term, NodeId vote);
  void BecomeFollower(SlowInstant now, Term term, NodeId leader);
  // Ahead of BecomeFollower(), if this node leads.
  void ObserveStepDown(LeadershipLost::Reason reason, NodeId by) const;
  void ObserveSilence(SlowInstant now) const;
  void ObserveVoters(const Configuration& configuration) const;
  void HearLeader(SlowInstant now, Term term, NodeId leader);
  void Canvas(SlowInstant now, bool is_pre_vote, bool is_transfer, Outbox& out);
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

  ConsensusOptions options_;
  NodeId self_;
  Random random_;
  SharedBytes opening_;
  Observer* observer_;

  // Kept.
  Term term_;
  NodeId vote_;
  Log log_;
  std::optional<Snapshot> snapshot_;  // at or behind applied_, at or past base

  // Not kept.
  std::variant<Follower, Canvass, Leader> role_;
  NodeId leader_;
  LogIndex commit_;
  LogIndex applied_;
  ClusterTime applied_time_;
  // The local time at which the last entry became the last: cluster time goes
  // on from there (locks.md 3.3).
  SlowInstant anchor_;
  SlowInstant last_heard_leader_;
  bool has_heard_leader_ = false;
  SlowInstant election_deadline_ = SlowInstant::Never();
  // A member that asked to go.
  struct Leaver {
    SlowInstant heard;      // the last time
    uint64_t asked_at = 0;  // of its last intent
  };
  absl::btree_map<NodeId, Leaver> leaving_;  // leader
  // The leader of that term let this node go.
  std::optional<Term> let_go_in_;

  // Saves. What has changed since the last order; how far each order that is
  // not done reaches; how far the saved log reaches. A truncation cuts all
  // three, so that a late completion does not vouch for entries that were
  // replaced (rule 12).
  StateChange pending_;
  bool has_pending_ = false;
  SaveId last_save_;
  SaveId saved_;
  std::deque<std::pair<SaveId, LogIndex>> saves_in_flight_;
  LogIndex stable_;

  // A snapshot on its way in.
  struct Incoming {
    NodeId from;
    Snapshot snapshot;
    uint64_t total = 0;
    std::string bytes;
    friend bool operator==(const Incoming&, const Incoming&) = default;
  };
  std::optional<Incoming> incoming_;
  std::optional<Snapshot> arrived_;
  NodeId arrived_from_;

  bool wants_snapshot_ = false;
  bool flush_requested_ = false;
  std::vector<uint64_t> lost_reads_;
  // Confirmed, but what they must see is not applied yet: (index, read).
  std::deque<std::pair<LogIndex, uint64_t>> waiting_reads_;
  Counters counters_;
};

const char* RoleName(Consensus::Role role);

}  // namespace cachalot

#endif  // ENGINE_CONSENSUS_CONSENSUS_H_
