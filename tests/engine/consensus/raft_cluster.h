#ifndef TESTS_ENGINE_CONSENSUS_RAFT_CLUSTER_H_
#define TESTS_ENGINE_CONSENSUS_RAFT_CLUSTER_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "engine/action.h"
#include "engine/consensus/consensus.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/outbox.h"
#include "engine/random.h"
#include "engine/saved_state.h"
#include "sim/judge/checkers.h"
#include "sim/judge/complaint.h"
#include "sim/judge/election_checkers.h"
#include "sim/world/agenda.h"
#include "sim/world/choices.h"
#include "sim/world/clock.h"
#include "sim/world/disk.h"
#include "sim/world/instant.h"

namespace cachalot {

// Five Consensus objects without the rest of a node, on disks and clocks of the
// simulator and a network of typed messages, with faults drawn from the seed.
// After every event it feeds the checkers of sim/judge and stops the process
// with CHECK if one complains:
//  - election safety: a term has one leader, with the saved votes of a
//  majority;
//  - leader completeness: a new leader has every committed entry;
//  - state-machine safety: all apply the same entries and get the same state;
//  - commitment: a majority has saved what a leader commits;
//  - voters change by joint consensus, one change at a time, and snapshots
//  agree
//    with the log;
//  - promises are saved before they are sent;
//  - reads see what was committed when they were requested;
//  - cluster time is not faster than real time by more than the rate bound
//    (engine/client/README.md, lemma 1).
// Log matching is checked here, for uncommitted entries too: entries of one
// index and term are the same, and so are the entries before them.
class RaftCluster {
 public:
  explicit RaftCluster(uint64_t seed);

  // Proposals, reads, changes of voters, losses, partitions, crashes.
  void RunWithFaults(absl::Duration time);
  // All are up and reach each other. True if within `time` there is a leader
  // whose new entry all voters have applied.
  bool Heals(absl::Duration time);

  // The state of each node, one a line.
  void Describe(std::ostream& out) const;

  // How often each thing happened, so that a test can tell that it tested
  // something.
  struct Tally {
    uint64_t leaders = 0;
    uint64_t commits = 0;
    uint64_t changes = 0;
    uint64_t snapshots = 0;
    uint64_t truncations = 0;
    uint64_t restarts = 0;
    uint64_t reads = 0;

    Tally& operator+=(const Tally& other);
  };
  const Tally& tally() const { return tally_; }

 private:
  static constexpr uint64_t kNodes = 5;

  // How many faults; drawn for each seed.
  struct Faults {
    uint64_t loss_percent;
    uint64_t double_percent;
    absl::Duration delay_max;
    absl::Duration save_max;
    absl::Duration crash_every;  // zero: never
    absl::Duration split_every;
    absl::Duration change_every;
    size_t table_size;
  };

  struct Member {
    Member(sim::ChoiceSource* choices, uint64_t node, int64_t rate_ppm);

    std::optional<Consensus> machine;  // none while it is down
    int64_t rate_ppm;
    sim::Clock clock;
    sim::Disk disk;
    std::deque<Outgoing> withheld;
    uint64_t life = 0;   // events of earlier lives are dropped
    uint64_t wakes = 0;  // only the last one set is in force
    uint64_t state = 0;  // of the state machine: a hash of what it applied

    // What the checks saw in the step before.
    sim::NeverFalls term{"the term"};
    sim::VoteStays vote;
    LogIndex commit;
    std::pair<LogIndex, Term> log_end;
    Configuration configuration;
    LogIndex configuration_index;
    Term led;  // the last term that it led
  };

  struct Seen {  // of an entry, by index and term
    uint64_t hash;
    Term previous;
  };

  void At(sim::RealInstant when, std::function<void()> what);
  void Run(sim::RealInstant until);
  void Every(absl::Duration interval, std::function<void()> what);

  SlowInstant LocalTime(const Member& member) const;
  void Start(uint64_t node);
  void Crash(uint64_t node);
  void Touch(uint64_t node, const std::function<void(Member&, Outbox&)>& event);
  void Finish(uint64_t node, Member& member, Outbox& out);
  void Save(uint64_t node, Member& member, SaveState order);
  void FinishSaves(uint64_t node);
  void Apply(Member& member, Outbox& out);
  void ApplyEntry(Member& member, LogIndex index, const Entry& entry);
  void Post(uint64_t from, const Outgoing& outgoing);
  void Wake(uint64_t node);

  void Propose();
  void RequestReads();
  void ChangeVoters();
  void Split();
  uint64_t Leader() const;

  void ObserveVote(uint64_t node, const SavedState& saved);
  void CheckStep(uint64_t node, Member& member);
  void CheckLog(Member& member);
  void CheckProposals(Member& member);
  void CheckElection(uint64_t node, const Consensus& machine);
  void CheckCommit(Member& member);
  void CheckSnapshot(const Snapshot& snapshot) const;
  void CheckPromise(uint64_t node, const Member& member,
                    const Outgoing& outgoing);
  std::string TableOf(const Member& member) const;

  Random random_;
  sim::ChoiceSource choices_;  // of the disks
  Faults faults_;
  sim::RealInstant now_;
  sim::Agenda<std::function<void()>> agenda_;
  std::map<uint64_t, Member> members_;
  std::set<std::pair<uint64_t, uint64_t>> cut_;  // from, to
  bool has_faults_ = false;
  uint64_t proposals_ = 0;
  std::map<uint64_t, LogIndex> reads_;  // what each must see

  sim::OneLeaderPerTerm leaders_;
  sim::Votes votes_;
  sim::CommittedLog committed_;
  sim::EqualTables states_;
  sim::ConfigurationChain configurations_;
  sim::ClusterTimeIsSlow time_;
  std::map<std::pair<LogIndex, Term>, Seen> entries_;
  Tally tally_;
};

}  // namespace cachalot

#endif  // TESTS_ENGINE_CONSENSUS_RAFT_CLUSTER_H_
