#ifndef SIM_JUDGE_JUDGE_H_
#define SIM_JUDGE_JUDGE_H_

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "engine/action.h"
#include "engine/event.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/locks/lock_table.h"
#include "engine/observer.h"
#include "engine/saved_state.h"
#include "sim/judge/belief_checkers.h"
#include "sim/judge/checkers.h"
#include "sim/judge/complaint.h"
#include "sim/judge/departure.h"
#include "sim/judge/election_checkers.h"
#include "sim/judge/grant_order.h"
#include "sim/judge/lock_model.h"
#include "sim/judge/majority_reports.h"
#include "sim/world/host.h"
#include "sim/world/instant.h"
#include "sim/world/world.h"

namespace cachalot::sim {

// A broken property.
struct Violation {
  std::string sentence;
  HostId host;
  uint64_t step = 0;
  RealInstant at;
};

struct JudgeOptions {
  int64_t rate_bound_ppm = 1000;
  // If false, cluster time may run fast and beliefs may overlap: only tokens
  // protect what is locked. All other properties are judged.
  bool clocks_in_bound = true;
  // True if the founders found together, or one machine founds, once: then
  // there is one cluster.
  bool one_birth = false;
  // True if several clusters may exist for a while: tokens rise within each of
  // them, and for a process that was in both.
  bool clusters_apart = false;
  // Fingerprints of whole tables are costly: one in so many entries.
  uint64_t tables_every = 8;
  // So are the nodes' own invariants: one in so many steps.
  uint64_t invariants_every = 64;
  // So is decoding: of the frames that are no promises, one in so many.
  uint64_t frames_every = 16;
};

// How often each thing was judged: a property that never had anything to judge
// was not tested.
struct JudgeCounters {
  uint64_t steps = 0;
  uint64_t processes = 0;  // started
  uint64_t elections = 0;
  uint64_t votes = 0;     // granted, as sent
  uint64_t frames = 0;    // sent
  uint64_t promises = 0;  // votes, accepted appends and snapshots
  uint64_t entries = 0;   // committed, for the first time
  uint64_t configuration_changes = 0;
  uint64_t snapshots = 0;  // installed
  uint64_t sessions_opened = 0;
  uint64_t sessions_closed = 0;
  uint64_t sessions_expired = 0;
  uint64_t waits = 0;              // acquires that were queued
  uint64_t grants = 0;             // in the table
  uint64_t grants_after_wait = 0;  // of these, to requests that had waited
  uint64_t grants_told = 0;        // to callers
  uint64_t reads_told = 0;         // lists of locks
  uint64_t releases = 0;
  uint64_t lock_expiries = 0;
  uint64_t withdrawals = 0;  // of grants
  uint64_t suspicions = 0;   // a holder was told that its lease runs out
  uint64_t losses = 0;
  uint64_t losses_by_expiry = 0;
  uint64_t losses_by_revocation = 0;
  uint64_t beliefs = 0;          // compared, when they may have grown
  uint64_t dissolutions = 0;     // nodes that gave up their cluster
  uint64_t departures = 0;       // nodes that left
  uint64_t late_departures = 0;  // of these, after leave_timeout
  uint64_t majorities_lost = 0;  // reports

  friend bool operator==(const JudgeCounters&, const JudgeCounters&) = default;
};

// Watches every step of every node and feeds the checkers. It sees the events
// and actions of nodes and their views, and changes nothing.
//
// A value, like the nodes that it watches: a copy judges a copy of the world.
class Judge : public Watcher {
 public:
  explicit Judge(JudgeOptions options)
      : options_(options), observed_tokens_(options.clocks_in_bound) {}

  void Started(const World& world, HostId host) override;
  void Stepped(const World& world, HostId host, const Event& event,
               const Actions& actions) override;
  void Observed(const World& world, HostId host,
                const Observation& observation) override;
  void Stopping(const World& world, HostId host) override;

  // Adds a violation that the caller found.
  void Complain(const World& world, HostId host, std::string sentence);
  // What a healed world must settle within a bound and has not yet: members
  // that disagree on who is alive; sessions, locks and places in queues that
  // nobody owns any more. For people; empty if all is settled.
  std::string Unsettled(const World& world) const;

  const std::vector<Violation>& violations() const { return violations_; }
  const JudgeCounters& counters() const { return counters_; }
  // How a node ended, and on which machine.
  struct Ending {
    Fate fate = Fate::kUnknown;
    HostId host;
  };
  Ending EndingOf(NodeId node) const;
  // Requests of living processes that have no answer yet.
  size_t unanswered() const;

  // Clusters in the order in which they were seen.
  std::vector<ClusterId> clusters() const;
  LogIndex committed(ClusterId cluster) const;
  // The last that was committed.
  const Configuration& configuration(ClusterId cluster) const;
  // The lock table after the last committed entry.
  const LockTable& table(ClusterId cluster) const;
  uint64_t grants() const { return counters_.grants_told; }

 private:
  // What is known of one cluster.
  struct Cluster {
    explicit Cluster(const JudgeOptions& options);

    OneLeaderPerTerm leaders;
    CommittedLog log;
    ConfigurationChain configurations;
    ClusterTimeIsSlow time;
    // After log.last(): by the engine, by its rules, and by the replies.
    LockTable table;
    LockModel model;
    GrantOrder grants;
    EqualTables tables;
    LeaseEnds leases;
    ReadsAreRecent reads;
  };

  // A list of locks that was asked for, and what had been committed then.
  struct Reading {
    ListLocksRequest request;
    ClusterId cluster;
    LogIndex asked;
    std::optional<Term> led;  // by the node that was asked: it answers itself
  };

  // What is known of one process under one id.
  struct Named {
    NodeId node;
    ClusterId cluster;  // none until it has one
    NeverFalls term = NeverFalls("the term");
    NeverFalls incarnation = NeverFalls("the incarnation");
    VoteStays vote;
    NewsSupersedes news;
    // The log as it was seen last.
    LogIndex commit;
    LogIndex applied;
    LogIndex last;
    Term last_term;
    LogIndex configuration_index;
    // By which it led, with its term and index.
    Configuration configuration;
    std::pair<Term, LogIndex> configured;
    Term led;  // the last term
    uint64_t snapshots = 0;
    MajorityReports majority;
    // Whether it is a learner of the leader that it knew last.
    bool has_followed = false;
    // Entries as they were ordered to be saved, from commit on.
    absl::btree_map<LogIndex, Entry> appended;
  };

  struct Process : Named {
    // What it reported in the present step: lost, or back.
    std::vector<bool> majority_news;
    NodeId saves_as;           // the id of the saves that are done so far
    bool is_saved_as = false;  // that id is on the disk
    std::deque<SaveState> unsaved;
    // Requests without an answer: acquires with their keys, lists, renewals.
    absl::btree_map<RequestId, std::string> acquires;
    absl::btree_map<RequestId, Reading> readings;
    absl::btree_set<RequestId> renewals;
    bool has_late_renewals = false;  // answered kUnknown; may yet succeed
    AnsweredOnce answers;
    CallersBeliefs beliefs;
    // As its callers are told, over all clusters that it was in.
    TokensRise tokens = TokensRise(/*clocks_in_bound=*/true);
    FastInstant session_end;  // of the belief in the session
    AnnounceSession announced;
    // When leave_timeout ends; never: it was not asked to leave.
    Deadline leave_by;
    bool leaves = false;
    Fate fate = Fate::kCrashed;  // should it stop now
  };

  struct Step {
    const World& world;
    HostId host;
    const Node& node;
    const Event& event;
    Process& process;
    ClusterId cluster;                       // before the step
    bool dissolved = false;                  // in it
    std::vector<const Snapshot*> snapshots;  // that it ordered to be saved
    // The keys that it granted; whether any belief may have grown.
    std::vector<std::string> granted;
    bool beliefs_grew = false;
  };

  Cluster& ClusterOf(const Node& node);
  void Check(const Step& step, const Complaint& complaint) {
    if (complaint.has_value()) Fail(step, *complaint);
  }
  void Fail(const Step& step, const std::string& sentence);

  void NoteNewName(Step& step);
  void NoteEvent(const Step& step);
  void NoteRequest(const Step& step, const RequestSubmitted& submitted);
  void NoteSaved(const Step& step, SaveId save);
  void NoteOrder(const Step& step, const SaveState& order);
  void NoteMembers(const Step& step);

  // Actions.
  void NoteAction(Step& step, const Action& action);
  void CheckAnnounced(const Step& step);
  void NoteBytes(const Step& step, const std::string& bytes);
  void NotePromise(const Step& step, NodeId to, const VoteReply& reply);
  void NotePromise(const Step& step, const AppendReply& reply);
  void NotePromise(const Step& step, const SnapshotReply& reply);
  void CheckName(const Step& step);
  void NoteAnswer(Step& step, const AnswerRequest& answer);
  std::string NameOfLock(const std::string& key, ClusterId cluster) const;
  void NoteReading(const Step& step, const Reading& reading,
                   const Answer& answer);
  void NoteNotice(const Step& step, const NotifyHolder& notice);
  void NoteDeparture(const Step& step);
  void NoteMajority(const Step& step);
  MajorityReports::Facts FindMajorityFacts(const Step& step) const;
  bool IsReached(const Step& step, HostId voter) const;

  // Beliefs.
  void NoteBeliefs(const Step& step);
  void CheckSole(const Step& step, const std::string& key);
  RealInstant EndOf(const World& world, HostId host, FastInstant until) const;

  // The log: judge_log.cc.
  void NoteLog(const Step& step, Cluster& cluster);
  void NoteLeadership(const Step& step, Cluster& cluster);
  void NoteConfiguration(const Step& step);
  void NoteStamps(const Step& step, Cluster& cluster);
  void CheckTime(const Step& step, const Cluster& cluster);
  void NoteCommits(const Step& step, Cluster& cluster);
  void NoteSnapshots(const Step& step, const Cluster& cluster);
  void NoteCommit(const Step& step, Cluster& cluster, LogIndex index);
  void Apply(const Step& step, Cluster& cluster, LogIndex index,
             const Entry& entry);
  void ApplyCommands(const Step& step, Cluster& cluster, LogIndex index,
                     const Entry& entry);
  void NoteEnded(const Step& step, Cluster& cluster,
                 const LockModel::Ended& ended);
  void Count(const LockModel::Effects& effects);
  void CompareTables(const Step& step, Cluster& cluster);

  JudgeOptions options_;
  JudgeCounters counters_;
  std::vector<Violation> violations_;
  std::vector<ClusterId> cluster_order_;
  std::map<ClusterId, Cluster> clusters_;
  std::map<HostId, Process> processes_;
  std::map<NodeId, SavedLog> saved_;  // as far as the nodes were told
  std::map<NodeId, Ending> endings_;
  OneBirth birth_;
  Votes votes_;
  TokensRise observed_tokens_;
};

}  // namespace cachalot::sim

#endif  // SIM_JUDGE_JUDGE_H_
