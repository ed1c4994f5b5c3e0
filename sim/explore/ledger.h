#ifndef SIM_EXPLORE_LEDGER_H_
#define SIM_EXPLORE_LEDGER_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "engine/ids.h"
#include "sim/judge/complaint.h"

namespace cachalot::sim {

// What the judge of a small world remembers of its past: who led, what was
// committed, which tokens were given. A value with a fingerprint, which the
// checkers of long runs (sim/judge) need not have: a world is only then the
// same as another if the same pasts are to be judged.
//
// Each call answers with a sentence if a property is broken.
class Ledger {
 public:
  // Election safety (Raft, figure 3).
  Complaint Leads(ClusterId cluster, Term term, NodeId leader);
  // Log matching and state-machine safety. The entry is hashed.
  Complaint Commits(ClusterId cluster, LogIndex index, uint64_t entry);
  // Tables that applied the same entries are the same. The table is hashed.
  Complaint Has(ClusterId cluster, LogIndex applied, uint64_t table);
  // Callers see the tokens of the one lock rise.
  Complaint Granted(absl::string_view key, const FencingToken& token);

  uint64_t fingerprint() const;

 private:
  struct Cluster {
    ClusterId id;
    std::vector<std::pair<Term, NodeId>> leaders;  // ordered
    // By index, from 1; zero: not seen.
    std::vector<uint64_t> entries;
    std::vector<uint64_t> tables;
  };

  Cluster& At(ClusterId id);

  std::vector<Cluster> clusters_;  // ordered
  FencingToken last_token_;
};

}  // namespace cachalot::sim

#endif  // SIM_EXPLORE_LEDGER_H_
