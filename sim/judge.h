#ifndef SIM_JUDGE_H_
#define SIM_JUDGE_H_

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "engine/action.h"
#include "engine/event.h"
#include "engine/ids.h"
#include "engine/locks/lock_table.h"
#include "engine/saved_state.h"
#include "sim/checkers.h"
#include "sim/instant.h"
#include "sim/world.h"

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
  // Fingerprints of whole tables are dear: at every so many entries.
  uint64_t tables_every = 8;
  // So are the nodes' own invariants: at every so many steps.
  uint64_t invariants_every = 64;
};

// Watches every step of every node and feeds the checkers. It judges by what
// goes in and out of nodes and by their views; it changes nothing.
class Judge : public Watcher {
 public:
  explicit Judge(JudgeOptions options) : options_(options) {}

  void Started(const World& world, HostId host) override;
  void Stepped(const World& world, HostId host, const Event& event,
               const Actions& actions) override;
  void Stopping(const World& world, HostId host) override;

  // Of what the engine does not owe within a step: the caller's judgement.
  void Complain(const World& world, HostId host, std::string sentence);

  const std::vector<Violation>& violations() const { return violations_; }
  // Requests of living processes that have no answer yet.
  size_t unanswered() const;

  // Clusters in the order in which they were seen.
  std::vector<ClusterId> clusters() const;
  LogIndex committed(ClusterId cluster) const;
  // The last that was committed.
  const Configuration& configuration(ClusterId cluster) const;
  // The lock table after the last committed entry.
  const LockTable& table(ClusterId cluster) const;
  uint64_t grants() const { return grants_; }

 private:
  // What is known of one cluster.
  struct Cluster {
    Cluster(Epoch epoch, int64_t rate_bound_ppm)
        : table(epoch), time(rate_bound_ppm) {}

    OneLeaderPerTerm leaders;
    CommittedLog log;
    Configuration configuration;
    LockTable table;  // after log.last()
    EqualTables tables;
    ClusterTimeIsSlow time;
    FirstComeFirstServed order;
  };

  // What is known of one process.
  struct Process {
    NodeId node;
    NodeId saves_as;  // under which its disk's orders are done so far
    // The log as it was seen last.
    LogIndex commit;
    LogIndex applied;
    LogIndex last;
    Term last_term;
    Configuration configuration;
    // Entries as they were ordered to be saved, from commit on.
    absl::btree_map<LogIndex, Entry> appended;
    std::deque<SaveState> unsaved;
    // Acquires without an answer, and their keys.
    absl::btree_map<RequestId, std::string> acquires;
    AnsweredOnce answers;
  };

  struct Step {
    const World& world;
    HostId host;
    const Node& node;
    Process& process;
  };

  Cluster& ClusterOf(const Node& node);
  void Check(const Step& step, Complaint complaint);

  void NoteNewName(const Step& step);
  void NoteEvent(const Step& step, const Event& event);
  void NoteSaved(const Step& step, SaveId save);
  void NoteAction(const Step& step, const Action& action);
  void NoteOrder(const Step& step, const SaveState& order);
  void NoteBytes(const Step& step, const std::string& bytes);
  void NoteAnswer(const Step& step, const AnswerRequest& answer);
  void NoteGrant(const Step& step, const std::string& key,
                 const FencingToken& token);
  void NoteLog(const Step& step, Cluster& cluster);
  void NoteStamps(const Step& step, Cluster& cluster);
  void NoteCommits(const Step& step, Cluster& cluster);
  void NoteCommit(const Step& step, Cluster& cluster, LogIndex index);
  void Apply(const Step& step, Cluster& cluster, LogIndex index,
             const Entry& entry);
  void CompareTables(const Step& step, Cluster& cluster);

  JudgeOptions options_;
  std::vector<Violation> violations_;
  std::vector<ClusterId> cluster_order_;
  std::map<ClusterId, Cluster> clusters_;
  std::map<HostId, Process> processes_;
  std::map<NodeId, SavedLog> saved_;  // as far as the nodes were told
  TokensRise observed_tokens_;
  NeverFalls incarnations_ = NeverFalls("the incarnation");
  NeverFalls terms_ = NeverFalls("the term");
  uint64_t grants_ = 0;
};

}  // namespace cachalot::sim

#endif  // SIM_JUDGE_H_
