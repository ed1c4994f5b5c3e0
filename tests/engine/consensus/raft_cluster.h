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
#include "engine/cluster_time.h"
#include "engine/consensus/consensus.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/outbox.h"
#include "engine/random.h"
#include "engine/saved_state.h"

namespace cachalot {

// Five Consensus objects and nothing else of a node, on a network, disks and
// clocks that do what the seed says; and a judge who sees them all. Checks
// after every event, with CHECK:
//  - election safety: a term has one leader;
//  - log matching: entries of one index and term are the same, and so is what
//    is before them;
//  - leader completeness: a new leader has all that was ever committed;
//  - state-machine safety: all apply the same, and come to the same state;
//  - that promises are on the disk when they are sent;
//  - that reads see what was committed when they were asked;
//  - that cluster time is not faster than real time by more than the rate
//    bound (engine/client/README.md, lemma 1).
class RaftCluster {
 public:
  explicit RaftCluster(uint64_t seed);

  // Proposals, reads, changes of voters, losses, partitions, crashes.
  void RunWild(absl::Duration time);
  // All are up and reach each other. True if within `time` there is a leader
  // whose new entry all voters have applied.
  bool Heals(absl::Duration time);

  // How each node stands, one a line.
  void Describe(std::ostream& out) const;

  // What came to pass, so that a test can tell that it tested something.
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

  // How rough it is; drawn anew for each seed.
  struct Weather {
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
    std::optional<Consensus> machine;  // none while it is down
    int64_t rate_ppm = 0;
    absl::Duration offset;
    SavedState disk;
    std::deque<SaveState> orders;
    std::deque<Outgoing> withheld;
    uint64_t life = 0;     // events of earlier lives are dropped
    uint64_t wakes = 0;    // only the last set counts
    uint64_t state = 0;    // of the state machine: a hash of what it applied
    LogIndex seen_commit;  // how far the judge has looked
    std::pair<LogIndex, Term> seen_end;
    Term seen_term;
    bool was_leading = false;
  };

  struct Known {  // of an entry, by index and term
    uint64_t hash;
    Term previous;
    ClusterTime time;
    absl::Duration made;
  };
  struct Committed {
    Term term;
    uint64_t state;  // having applied it
  };

  void At(absl::Duration when, std::function<void()> what);
  void Run(absl::Duration until);
  void Every(absl::Duration interval, std::function<void()> what);

  SlowInstant LocalTime(const Member& member) const;
  void Start(uint64_t node);
  void Crash(uint64_t node);
  void Touch(uint64_t node, const std::function<void(Member&, Outbox&)>& event);
  void Finish(uint64_t node, Member& member, Outbox& out);
  void Save(uint64_t node);
  void Apply(Member& member, Outbox& out);
  void Post(uint64_t from, const Outgoing& outgoing);
  void Wake(uint64_t node);

  void Propose();
  void Ask();
  void ChangeVoters();
  void Split();
  uint64_t Leader() const;

  void Judge(uint64_t node, Member& member);
  void JudgeLog(Member& member);
  void JudgePromise(const Member& member, const Outgoing& outgoing) const;
  std::string TableOf(const Member& member) const;

  Random random_;
  Weather weather_;
  absl::Duration now_;
  uint64_t sequence_ = 0;
  std::map<std::pair<absl::Duration, uint64_t>, std::function<void()>> agenda_;
  std::map<uint64_t, Member> members_;
  std::set<std::pair<uint64_t, uint64_t>> cut_;  // from, to
  bool wild_ = false;
  uint64_t proposals_ = 0;
  std::map<uint64_t, LogIndex> reads_;  // what each must see

  std::map<Term, uint64_t> leaders_;
  std::map<std::pair<LogIndex, Term>, Known> known_;
  std::map<LogIndex, Committed> committed_;
  Tally tally_;
};

}  // namespace cachalot

#endif  // TESTS_ENGINE_CONSENSUS_RAFT_CLUSTER_H_
