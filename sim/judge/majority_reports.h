#ifndef SIM_JUDGE_MAJORITY_REPORTS_H_
#define SIM_JUDGE_MAJORITY_REPORTS_H_

#include <optional>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/time/time.h"
#include "engine/ids.h"
#include "sim/judge/complaint.h"
#include "sim/world/instant.h"

namespace cachalot::sim {

// One node reports that the majority of the voters that it knows is lost: once,
// within a bound if it is dead; and never if it has been alive and reachable
// for as long as the node waits.
class MajorityReports {
 public:
  struct Voter {
    NodeId id;
    bool runs = false;
    // And nothing keeps it and the node from hearing each other.
    bool is_reached = false;
  };
  // At a step of the node in which it knows no leader.
  struct Facts {
    RealInstant now;
    // The node waits for so long before it reports.
    absl::Duration patience;
    // It must report: it is a voter or a learner, and nothing slows it down or
    // delays its messages.
    bool must_report = false;
    // Who votes; two lists during a change of voters. With the node itself.
    std::vector<std::vector<Voter>> lists;
  };

  // How long a report may take after a majority has died, by a node that has
  // noticed that its leader is gone.
  static absl::Duration DelayMax(absl::Duration patience) {
    return 2 * patience + absl::Seconds(3);
  }

  Complaint ObserveLeaderless(const Facts& facts);
  Complaint ObserveLeader();
  // In the step to which `facts` belongs; before ObserveLeaderless().
  Complaint ObserveLost(const Facts& facts);
  Complaint ObserveBack();

 private:
  bool is_lost_ = false;  // as the node reports
  std::optional<RealInstant> leaderless_since_;
  std::optional<RealInstant> last_step_;
  std::optional<RealInstant> dead_since_;
  absl::btree_map<NodeId, RealInstant> reached_since_;
};

}  // namespace cachalot::sim

#endif  // SIM_JUDGE_MAJORITY_REPORTS_H_
