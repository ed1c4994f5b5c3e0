#ifndef SIM_JUDGE_ELECTION_CHECKERS_H_
#define SIM_JUDGE_ELECTION_CHECKERS_H_

#include <map>
#include <optional>
#include <utility>

#include "engine/ids.h"
#include "engine/saved_state.h"
#include "sim/judge/complaint.h"

namespace cachalot::sim {

// A node votes once in a term, also over restarts (Raft, figure 2: votedFor is
// saved); and a leader has the saved votes of a majority.
class Votes {
 public:
  // The vote was saved, or sent.
  Complaint ObserveVote(NodeId voter, Term term, NodeId candidate);
  // `leader` has the saved votes of a majority of each list of voters. Its own
  // vote counts only once it is saved, too.
  Complaint CheckElection(const Configuration& configuration, Term term,
                          NodeId leader) const;

 private:
  bool HasMajority(const std::vector<Voter>& voters, Term term,
                   NodeId leader) const;

  std::map<std::pair<NodeId, Term>, NodeId> votes_;
};

// A node keeps its vote for as long as it is in that term, also over a restart
// with its disk: if it forgets the vote it may vote twice, which shows only
// when two candidates ask.
class VoteStays {
 public:
  // The process's term and vote after a step.
  Complaint Observe(Term term, NodeId vote);

 private:
  Term term_;
  NodeId vote_;
};

// Voters change by joint consensus: from A to A and B, and then to B, so that
// each step shares a majority with the one before (dissertation, 4.3).
class ConfigurationChain {
 public:
  // In the order of the log.
  Complaint ObserveCommit(LogIndex index, const Configuration& configuration);
  // A snapshot up to `index` has this configuration: that of the last change
  // that it covers, and of no later one, which may yet be truncated.
  Complaint CheckSnapshot(LogIndex index,
                          const Configuration& configuration) const;

  const Configuration& last() const { return last_; }

 private:
  Configuration last_;  // no voters: none so far
  std::map<LogIndex, Configuration> changes_;
};

// What a leader looked like when it appended a configuration.
struct ConfigurationProposal {
  LogIndex index;   // of the new entry
  LogIndex before;  // of the configuration before it; none: the founders'
  Term term;        // the leader's
  LogIndex commit;
  Term commit_term;  // of the entry at `commit`
};

// At most one change is in flight, and none begins before the leader has
// committed an entry of its own term (engine/consensus/README.md, rules 3 and
// 4).
Complaint CheckConfigurationProposal(const ConfigurationProposal& proposal);

}  // namespace cachalot::sim

#endif  // SIM_JUDGE_ELECTION_CHECKERS_H_
