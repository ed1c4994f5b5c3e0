#include "sim/judge/election_checkers.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace cachalot::sim {

Complaint Votes::ObserveVote(NodeId voter, Term term, NodeId candidate) {
  const auto [found, is_first] = votes_.try_emplace({voter, term}, candidate);
  if (is_first || found->second == candidate) return std::nullopt;
  return Say(voter, " voted twice in term ", term, ": for ", found->second,
             " and for ", candidate);
}

Complaint Votes::CheckElection(const Configuration& configuration, Term term,
                               NodeId leader) const {
  const bool is_elected = HasMajority(configuration.voters, term, leader) &&
                          (!configuration.IsJoint() ||
                           HasMajority(configuration.outgoing, term, leader));
  if (is_elected) return std::nullopt;
  return Say(leader, " leads term ", term,
             " without the saved votes of a majority of ", configuration);
}

bool Votes::HasMajority(const std::vector<Voter>& voters, Term term,
                        NodeId leader) const {
  const auto count =
      std::count_if(voters.begin(), voters.end(), [&](const Voter& voter) {
        const auto vote = votes_.find({voter.id, term});
        return vote != votes_.end() && vote->second == leader;
      });
  return static_cast<size_t>(count) > voters.size() / 2;
}

Complaint VoteStays::Observe(Term term, NodeId vote) {
  const Term term_before = std::exchange(term_, term);
  const NodeId before = std::exchange(vote_, vote);
  if (before.IsNone() || term != term_before || vote == before) {
    return std::nullopt;
  }
  return Say("the vote for ", before, " in term ", term, " is forgotten: now ",
             vote);
}

Complaint ConfigurationChain::ObserveCommit(
    LogIndex index, const Configuration& configuration) {
  const Configuration before = std::exchange(last_, configuration);
  changes_[index] = configuration;
  if (before.voters.empty() || before == configuration) return std::nullopt;
  const Configuration settled = {.voters = before.voters};
  const bool follows = before.IsJoint()
                           ? configuration == settled
                           : configuration.outgoing == before.voters;
  if (follows) return std::nullopt;
  return Say("entry ", index, " changes the voters from ", before, " to ",
             configuration, " in one step");
}

Complaint ConfigurationChain::CheckSnapshot(
    LogIndex index, const Configuration& configuration) const {
  const auto next = changes_.upper_bound(index);
  if (next == changes_.begin()) return std::nullopt;
  const auto& [at, expected] = *std::prev(next);
  if (configuration == expected) return std::nullopt;
  return Say("a snapshot up to ", index, " has the voters ", configuration,
             ", but entry ", at, " made them ", expected);
}

Complaint CheckConfigurationProposal(const ConfigurationProposal& proposal) {
  if (proposal.before > proposal.commit) {
    return Say("a second change of voters, ", proposal.index,
               ", was begun while ", proposal.before, " was in flight");
  }
  // The founders' first leader writes down who founded the cluster.
  if (proposal.before == LogIndex()) return std::nullopt;
  if (proposal.commit_term == proposal.term) return std::nullopt;
  return Say("a change of voters, ", proposal.index, ", was begun in term ",
             proposal.term, " before any entry of it was committed");
}

}  // namespace cachalot::sim
