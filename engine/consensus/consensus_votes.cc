#include <utility>
#include <variant>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/strings/str_cat.h"
#include "engine/check.h"
#include "engine/consensus/consensus.h"
#include "engine/consensus/quorum.h"

// Elections: who stands, who votes for whom, and who is followed.

namespace cachalot {

void Consensus::SetTerm(Term term, NodeId vote) {
  CHECK(term >= term_);
  // Rule 6: within a term the vote is given once.
  if (term == term_ && !vote_.IsNone()) CHECK(vote == vote_);
  if (term == term_ && vote == vote_) return;
  term_ = term;
  vote_ = vote;
  pending_.term = term;
  pending_.vote = vote;
  has_pending_ = true;
}

void Consensus::BecomeFollower(SlowInstant now, Term term, NodeId leader) {
  if (Leader* was = std::get_if<Leader>(&role_)) {
    for (const uint64_t read : was->new_reads) lost_reads_.push_back(read);
    for (const auto& [round, read] : was->reads) lost_reads_.push_back(read);
    leaving_.clear();
    wants_snapshot_ = false;
  }
  // A vote of this term stays: stepping down does not clear it (rule 6).
  if (term > term_) SetTerm(term, NodeId());
  role_ = Follower{};
  leader_ = leader;
  ResetElectionTimer(now);
}

void Consensus::ObserveStepDown(LeadershipLost::Reason reason,
                                NodeId by) const {
  if (!leads()) return;
  Observe([&] { return LeadershipLost{term_, reason, by}; });
}

void Consensus::ObserveSilence(SlowInstant now) const {
  if (leader_.IsNone()) return;
  Observe([&] { return LeaderLost{leader_, term_, now - last_heard_leader_}; });
}

void Consensus::HearLeader(SlowInstant now, Term term, NodeId leader) {
  if (term > term_ || role() != Role::kFollower || leader_ != leader) {
    ObserveStepDown(LeadershipLost::Reason::kHigherTerm, leader);
    if (term > term_ || leader_ != leader) {
      Observe([&] { return LeaderFollowed{leader, term}; });
    }
    Note([&] {
      return absl::StrCat(leader.ToShortString(), " leads term ", term.value(),
                          " -> follow");
    });
    BecomeFollower(now, term, leader);
  }
  last_heard_leader_ = now;
  has_heard_leader_ = true;
  ResetElectionTimer(now);
}

// While this is true the node refuses its vote to others (rule 8; dissertation,
// 4.2.3).
bool Consensus::HearsLeader(SlowInstant now) const {
  if (leads()) return true;
  return has_heard_leader_ && !leader_.IsNone() &&
         now - last_heard_leader_ < options_.election_timeout;
}

// Raft, 5.4.1: of two logs the one with the later last term is more up to date;
// if these are equal, the longer one.
bool Consensus::IsUpToDate(LogIndex last_index, Term last_term) const {
  if (last_term != log_.last_term()) return last_term > log_.last_term();
  return last_index >= log_.last_index();
}

// A pre-vote raises no term and promises nothing, so it is sent at once. A vote
// request implies this node's own vote: it waits for the save of that (rule
// 11).
void Consensus::Campaign(SlowInstant now, bool is_pre_vote, bool is_transfer,
                         Outbox& out) {
  const Term term = term_.Next();
  if (is_pre_vote) {
    Note([&] {
      return absl::StrCat("heard no leader -> would stand in term ",
                          term.value());
    });
  } else {
    Observe([&] {
      ElectionStarted started{.term = term};
      const bool is_first = log_.last_index() == LogIndex() && term_ == Term();
      if (is_first) started.reason = ElectionStarted::Reason::kFounding;
      if (is_transfer) started.reason = ElectionStarted::Reason::kHandover;
      return started;
    });
    Note([&] { return absl::StrCat("-> candidate in term ", term.value()); });
  }
  leader_ = NodeId();
  Candidacy candidacy;
  candidacy.is_pre_vote = is_pre_vote;
  candidacy.is_transfer = is_transfer;
  SaveId after;
  if (is_pre_vote) {
    candidacy.granted.insert(self_);
  } else {
    SetTerm(term, self_);
    candidacy.own_vote = after = PendingSave();
  }
  role_ = std::move(candidacy);
  ResetElectionTimer(now);
  VoteRequest request{.term = term,
                      .last_index = log_.last_index(),
                      .last_term = log_.last_term(),
                      .is_pre_vote = is_pre_vote,
                      .is_transfer = is_transfer};
  absl::btree_set<NodeId> asked;
  const auto ask = [&](const std::vector<Voter>& voters) {
    for (const Voter& voter : voters) {
      if (voter.id == self_ || !asked.insert(voter.id).second) continue;
      Send(voter.id, request, after, out);
    }
  };
  ask(configuration().voters);
  ask(configuration().outgoing);
  CountVotes(now, out);
}

void Consensus::CountVotes(SlowInstant now, Outbox& out) {
  const Candidacy* candidacy = std::get_if<Candidacy>(&role_);
  if (candidacy == nullptr) return;
  const bool won = HasQuorum(configuration(), [candidacy](NodeId id) {
    return candidacy->granted.contains(id);
  });
  if (!won) return;
  if (candidacy->is_pre_vote) {
    Campaign(now, /*is_pre_vote=*/false, /*is_transfer=*/false, out);
  } else {
    BecomeLeader(now, out);
  }
}

// Does not depend on this node's role: a learner, or a node without a log,
// votes when it is asked (rule 5).
void Consensus::Handle(SlowInstant now, NodeId from, const VoteRequest& m,
                       Outbox& out) {
  VoteReply reply{.is_pre_vote = m.is_pre_vote};
  // Leader stickiness (rule 8): while this node hears a leader it votes for no
  // other, so a voter that was cut off, or removed, deposes nobody when it
  // comes back.
  const bool sticks = HearsLeader(now) && !m.is_transfer;
  if (m.is_pre_vote) {
    reply.granted =
        m.term > term_ && !sticks && IsUpToDate(m.last_index, m.last_term);
    // A refusal carries our term: a candidate behind it must learn it (rule 8).
    reply.term = reply.granted ? m.term : term_;
    Note([&] {
      return absl::StrCat(from.ToShortString(), " would stand in term ",
                          m.term.value(), " -> ",
                          reply.granted ? "would grant"
                          : sticks      ? "refuse, a leader is heard"
                                        : "refuse");
    });
    Send(from, reply, SaveId(), out);
    return;
  }
  if (m.term > term_ && !sticks) {
    ObserveStepDown(LeadershipLost::Reason::kHigherTerm, from);
    BecomeFollower(now, m.term, NodeId());
  }
  reply.term = term_;
  const bool can_vote =
      m.term == term_ && !sticks && (vote_.IsNone() || vote_ == from);
  if (can_vote && IsUpToDate(m.last_index, m.last_term)) {
    SetTerm(term_, from);
    ResetElectionTimer(now);
    reply.granted = true;
  }
  Note([&] {
    return absl::StrCat(from.ToShortString(), " stands in term ",
                        m.term.value(),
                        reply.granted ? " -> grant"
                        : sticks      ? " -> refuse, a leader is heard"
                                      : " -> refuse");
  });
  Send(from, reply, PendingSave(), out);
}

void Consensus::Handle(SlowInstant now, NodeId from, const VoteReply& m,
                       Outbox& out) {
  if (m.term > term_ && !m.granted) {
    ObserveStepDown(LeadershipLost::Reason::kHigherTerm, from);
    BecomeFollower(now, m.term, NodeId());
    return;
  }
  Candidacy* candidacy = std::get_if<Candidacy>(&role_);
  if (candidacy == nullptr || candidacy->is_pre_vote != m.is_pre_vote) return;
  // A reply to an earlier request of this node does not count.
  const Term asked_for = m.is_pre_vote ? term_.Next() : term_;
  if (!m.granted || m.term != asked_for) return;
  candidacy->granted.insert(from);
  CountVotes(now, out);
}

// Without a pre-vote: the leader has stepped down in favour of this node, and
// voters that still hear it grant a transfer (rule 9).
void Consensus::Handle(SlowInstant now, NodeId /*from*/, const TimeoutNow& m,
                       Outbox& out) {
  if (m.term != term_ || leads() || !IsVoter(self_)) return;
  Note([&] { return "asked to take over"; });
  Campaign(now, /*is_pre_vote=*/false, /*is_transfer=*/true, out);
}

}  // namespace cachalot
