#ifndef SIM_JUDGE_ELECTION_CHECKERS_H_
#define SIM_JUDGE_ELECTION_CHECKERS_H_

#include <map>
#include <optional>
#include <utility>

#include "engine/ids.h"
#include "engine/saved_state.h"
#include "sim/judge/complaint.h"

namespace cachalot::sim {

// Who voted for whom. A vote is given once in a term, whatever happened to the
// voter's process in between (Raft, figure 2: votedFor is kept).
class Votes {
 public:
  // Saved, or sent.
  Complaint Voted(NodeId voter, Term term, NodeId candidate);
  // Whether `leader` has the saved votes of a majority of each list of voters:
  // its own counts no sooner than another's.
  Complaint CheckElection(const Configuration& configuration, Term term,
                          NodeId leader) const;

 private:
  bool HasMajority(const std::vector<Voter>& voters, Term term,
                   NodeId leader) const;

  std::map<std::pair<NodeId, Term>, NodeId> votes_;
};

// A vote stays for as long as its term, also over a restart with a disk: who
// forgets it may vote again, though that takes two candidates at once to show.
class VoteStays {
 public:
  // What the voter's process thinks, from step to step.
  Complaint Is(Term term, NodeId vote);

 private:
  Term term_;
  NodeId vote_;
};

// The voters change in two steps, of which each has a majority in common with
// the one before: from A to A and B, and on to B (dissertation, 4.3).
class ConfigurationChain {
 public:
  // In the order of the log.
  Complaint Committed(LogIndex index, const Configuration& configuration);
  // A snapshot up to `index` says that these vote: those of the last change
  // that it covers, and no later one, which may yet be undone.
  Complaint Covered(LogIndex index, const Configuration& configuration) const;

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

// One change in flight at most, and none before the leader has committed an
// entry of its own term (engine/consensus/README.md, rules 3 and 4).
Complaint CheckConfigurationProposal(const ConfigurationProposal& proposal);

}  // namespace cachalot::sim

#endif  // SIM_JUDGE_ELECTION_CHECKERS_H_
