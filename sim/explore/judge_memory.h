#ifndef SIM_EXPLORE_JUDGE_MEMORY_H_
#define SIM_EXPLORE_JUDGE_MEMORY_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "engine/ids.h"
#include "sim/judge/complaint.h"

namespace cachalot::sim {

// What the judge of a small world has observed so far: leaders, committed
// entries and granted tokens. Unlike the checkers of long runs (sim/judge) it
// is a value with a fingerprint: two worlds are in the same state only if their
// judges have observed the same.
//
// Each Observe function returns a complaint if a property is broken.
class JudgeMemory {
 public:
  // Election safety (Raft, figure 3).
  Complaint ObserveLeader(ClusterId cluster, Term term, NodeId leader);
  // Log matching and state-machine safety. `entry` is a hash.
  Complaint ObserveCommit(ClusterId cluster, LogIndex index, uint64_t entry);
  // Nodes that applied the same entries have equal tables. `table` is a hash.
  Complaint ObserveTable(ClusterId cluster, LogIndex applied, uint64_t table);
  // The tokens of the one lock rise.
  Complaint ObserveGrant(absl::string_view key, const FencingToken& token);

  uint64_t fingerprint() const;

 private:
  struct Cluster {
    ClusterId id;
    std::vector<std::pair<Term, NodeId>> leaders;  // ordered
    // By log index; 0: not observed.
    std::vector<uint64_t> entries;
    std::vector<uint64_t> tables;
  };

  Cluster& At(ClusterId id);

  std::vector<Cluster> clusters_;  // ordered
  FencingToken last_token_;
};

}  // namespace cachalot::sim

#endif  // SIM_EXPLORE_JUDGE_MEMORY_H_
