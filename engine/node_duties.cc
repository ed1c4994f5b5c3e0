#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/consensus/quorum.h"
#include "engine/consensus/voters.h"
#include "engine/limits.h"
#include "engine/node.h"
#include "engine/wire/codec.h"

// What a leader does besides replicating the log: it proposes expiries and
// chooses the voters. And how a node leaves.

namespace cachalot {
namespace {

constexpr absl::Duration VoterReviewInterval() {
  return absl::Milliseconds(200);
}
// While a member that wants to leave waits until a learner has caught up.
constexpr absl::Duration HurriedReviewInterval() {
  return absl::Milliseconds(10);
}
constexpr absl::Duration LeaveIntentInterval() {
  return absl::Milliseconds(100);
}
// A leader that leaves does not wait for a member that failed longer ago.
constexpr absl::Duration ReturnPatience() { return absl::Seconds(10); }
constexpr size_t kExpiriesPerEntry = 1024;

}  // namespace

// --- Expiry -----------------------------------------------------------------

SlowInstant Node::NextExpiry() const {
  if (!consensus_.HasCommittedInTerm()) return SlowInstant::Never();
  if (expiry_proposed_ > consensus_.applied()) return SlowInstant::Never();
  const std::optional<ClusterTime> due = table_.NextDeadline();
  if (!due.has_value()) return SlowInstant::Never();
  const absl::Duration wait =
      std::max(*due - consensus_.TimeAt(now_.slow), absl::Nanoseconds(1));
  return std::max(now_.slow + wait, expiry_not_before_);
}

// Conditional, so nothing depends on when or how often this is done: what was
// renewed in the meantime does not expire (engine/client/README.md, lemma 2).
void Node::ProposeExpiry() {
  if (!consensus_.HasCommittedInTerm()) return;
  if (expiry_proposed_ > consensus_.applied()) return;
  if (expiry_not_before_ > now_.slow) return;
  const std::optional<ClusterTime> due = table_.NextDeadline();
  const ClusterTime time = consensus_.TimeAt(now_.slow);
  if (!due.has_value() || *due > time) return;
  Expire expire = table_.Due(time, kExpiriesPerEntry);
  if (expire.empty()) return;
  Observe([&] {
    ExpiryProposed proposed{.locks = expire.locks.size()};
    for (const Expire::OfSession& of : expire.sessions) {
      proposed.sessions.push_back(of.session);
    }
    return proposed;
  });
  Note([&] {
    return absl::StrCat(expire.sessions.size(), " sessions and ",
                        expire.locks.size(),
                        " locks are due -> propose expiry");
  });
  consensus_.Propose(now_.slow,
                     EncodeCommands({LockCommand(std::move(expire))}));
  expiry_proposed_ = consensus_.last_index();
}

// --- Voters -----------------------------------------------------------------

// Chooses the learners and, if the present voters should change, begins one
// joint change (engine/membership/README.md, R10; D3 of engine/README.md).
void Node::ReviewVoters() {
  if (!consensus_.leads() || next_voter_review_ > now_.slow) return;
  consensus_.ForgetSilentLeavers(now_.slow);
  next_voter_review_ =
      now_.slow + (consensus_.HasLeavers() ? HurriedReviewInterval()
                                           : VoterReviewInterval());
  consensus_.SetLearners(now_.slow, ChooseLearners());
  if (!consensus_.CanChangeVoters()) return;
  const std::optional<std::vector<Voter>> voters =
      ChooseVoters(consensus_.configuration().voters, JudgeVoters(),
                   options_.consensus.voters_max);
  if (voters.has_value()) consensus_.ChangeVoters(now_.slow, *voters);
}

// The members to which the log is sent although they do not vote. Members that
// are leaving may be among them, but are not made voters. Only members that
// have proven that they exist; present learners first, then those that were
// proven earliest. Not by id: a node could choose its id so that it comes
// first.
std::vector<Voter> Node::ChooseLearners() {
  struct Candidate {
    bool is_newcomer;  // not a learner now
    SlowInstant since;
    Voter voter;
    auto operator<=>(const Candidate&) const = default;
  };
  // A learner that does not answer appends is replaced by another member.
  const absl::Duration patience =
      std::max(options_.consensus.replace_voter_after,
               4 * options_.consensus.election_timeout);
  std::vector<Candidate> candidates;
  const bool is_on_one_machine = IsOnOneMachine();
  for (const auto& [id, fact] : membership_.others()) {
    const bool may_learn = fact.state <= MemberState::kSuspect &&
                           !consensus_.IsVoter(id) &&
                           membership_.ProvenSince(id) != SlowInstant::Never();
    if (!may_learn) continue;
    // As a voter it could not be reached from other machines.
    if (fact.address.IsLoopback() && !is_on_one_machine) continue;
    const SlowInstant answered = consensus_.LastAnswer(id);
    const bool learns = answered != SlowInstant::Never();
    const bool is_mute = learns && now_.slow - answered >= patience;
    if (is_mute) membership_.Demote(now_.slow, id);
    candidates.push_back({.is_newcomer = !learns || is_mute,
                          .since = membership_.ProvenSince(id),
                          .voter = {.id = id, .address = fact.address}});
  }
  const size_t count = std::min(candidates.size(), limits::kLearnersMax);
  std::partial_sort(candidates.begin(),
                    candidates.begin() + static_cast<ptrdiff_t>(count),
                    candidates.end());
  std::vector<Voter> learners;
  for (size_t i = 0; i < count; ++i) learners.push_back(candidates[i].voter);
  std::sort(learners.begin(), learners.end());
  return learners;
}

// As far as their addresses show.
bool Node::IsOnOneMachine() const {
  const auto& members = membership_.others();
  return std::all_of(members.begin(), members.end(), [this](const auto& m) {
    return m.second.state > MemberState::kSuspect ||
           IsOfThisMachine(m.second.address);
  });
}

bool Node::AnsweredLately(NodeId id) const {
  return now_.slow - consensus_.LastAnswer(id) <
         options_.consensus.election_timeout;
}

// What this leader knows of each voter, and the learners that may be promoted:
// ChooseVoters() decides by it.
std::vector<VoterHealth> Node::JudgeVoters() const {
  using State = VoterHealth::State;
  const auto& members = membership_.others();
  const auto address_is_taken = [&](const Voter& voter) {
    return std::any_of(members.begin(), members.end(), [&](const auto& m) {
      return m.second.address == voter.address && m.first != voter.id &&
             m.second.state == MemberState::kAlive &&
             membership_.ProvenSince(m.first) != SlowInstant::Never();
    });
  };
  std::vector<VoterHealth> health;
  bool vote_is_free = false;  // one of these will not come back
  for (const Voter& voter : consensus_.configuration().voters) {
    VoterHealth& judged = health.emplace_back();
    judged.voter = voter;
    judged.is_leader = voter.id == identity_.node;
    if (consensus_.IsLeaving(voter.id)) {
      judged.state = State::kLeaving;
      vote_is_free = true;
      continue;
    }
    if (judged.is_leader) continue;
    const auto member = members.find(voter.id);
    const bool is_gone =
        member == members.end() || member->second.state >= MemberState::kFailed;
    const absl::Duration silent = now_.slow - consensus_.LastAnswer(voter.id);
    const ConsensusOptions& options = options_.consensus;
    // Its port belongs to another process: it will not come back.
    const bool is_replaced =
        silent >= options.election_timeout && address_is_taken(voter);
    // It left without permission, at the end of its leave_timeout, and never
    // comes back.
    const bool has_left = member != members.end() &&
                          member->second.state == MemberState::kLeft &&
                          silent >= options.election_timeout;
    vote_is_free = vote_is_free || has_left || is_replaced;
    if (has_left) {
      judged.state = State::kLeaving;
    } else if (is_replaced ||
               (is_gone && silent >= options.replace_voter_after)) {
      judged.state = State::kCrashed;
    }
  }
  // If some must go, those that have just answered stay: otherwise the last
  // voter could be one whose death has not been noticed yet. LastAnswer() of a
  // leader that was just elected is its election, so only real answers count.
  std::stable_partition(
      health.begin(), health.end(), [this](const VoterHealth& judged) {
        return judged.is_leader || (consensus_.HasAnswered(judged.voter.id) &&
                                    AnsweredLately(judged.voter.id));
      });
  for (const auto& [id, fact] : members) {
    if (consensus_.IsVoter(id) || fact.state != MemberState::kAlive) continue;
    const SlowInstant since = consensus_.CloseSince(id);
    // promote_after keeps members that come and go from becoming voters. When a
    // vote is free anyway, a learner that has caught up and answers now is
    // better than none, and it is safe: it has the log. In a rolling restart
    // the next voter is often killed before promote_after has passed.
    const bool is_ready =
        since != SlowInstant::Never() && AnsweredLately(id) &&
        (vote_is_free ||
         now_.slow - since >= options_.consensus.promote_after) &&
        !consensus_.IsLeaving(id);
    if (!is_ready) continue;
    health.push_back(
        {.voter = {.id = id, .address = fact.address}, .state = State::kReady});
  }
  return health;
}

Survival Node::FindSurvival() const {
  Survival survival;
  const Configuration& configuration = consensus_.configuration();
  const auto add = [&](const Voter& voter) {
    for (const Survival::Voter& known : survival.voters) {
      if (known.id == voter.id) return;
    }
    Survival::Voter& added = survival.voters.emplace_back();
    added.id = voter.id;
    added.address = voter.address;
    if (voter.id == identity_.node) {
      added.name = options_.name;
      added.is_alive = true;
      return;
    }
    const auto member = membership_.others().find(voter.id);
    const bool is_known = member != membership_.others().end();
    if (is_known) added.name = member->second.name;
    if (consensus_.leads()) {
      added.is_alive = AnsweredLately(voter.id);
    } else if (!membership_.isolated()) {
      // While this node is isolated its member list is old.
      added.is_alive =
          voter.id == consensus_.leader() ||
          (is_known && member->second.state == MemberState::kAlive);
    }
  };
  for (const Voter& voter : configuration.voters) add(voter);
  for (const Voter& voter : configuration.outgoing) add(voter);
  std::sort(survival.voters.begin(), survival.voters.end(),
            [](const auto& a, const auto& b) { return a.id < b.id; });
  const auto is_alive = [&survival](NodeId id) {
    return std::any_of(
        survival.voters.begin(), survival.voters.end(),
        [id](const auto& voter) { return voter.id == id && voter.is_alive; });
  };
  survival.has_majority = HasQuorum(configuration, is_alive);
  if (!survival.has_majority) return survival;
  // The worst case: all deaths hit the list that survives fewer of them.
  const auto spare = [&is_alive](const std::vector<Voter>& voters) {
    const auto alive =
        std::count_if(voters.begin(), voters.end(),
                      [&](const Voter& voter) { return is_alive(voter.id); });
    return static_cast<uint64_t>(alive) - MajorityOf(voters.size());
  };
  survival.deaths = spare(configuration.voters);
  if (configuration.IsJoint()) {
    survival.deaths = std::min(survival.deaths, spare(configuration.outgoing));
  }
  return survival;
}

// --- Without a leader -------------------------------------------------------

void Node::NoteHeard(NodeId id) {
  if (consensus_.IsVoter(id)) majority_.NoteHeard(now_.slow, id);
}

void Node::WatchMajority(Outbox& out) {
  const std::optional<SlowInstant> lost = majority_.lost_since();
  std::vector<Voter> to_ask;
  const MajorityWatch::News news =
      majority_.Update(now_.slow,
                       {.configuration = consensus_.configuration(),
                        .self = identity_.node,
                        .follows = !consensus_.leader().IsNone(),
                        .is_served = guess_answers_,
                        .has_history = last_led_.has_value() ||
                                       consensus_.last_index() > LogIndex()},
                       &to_ask);
  for (const Voter& voter : to_ask)
    membership_.Ask(voter.id, voter.address, out);
  switch (news) {
    case MajorityWatch::News::kNone:
      return;
    case MajorityWatch::News::kLost:
      Note([] { return "no majority of the voters answers"; });
      Observe([&] { return MajorityLost{FindOutage()}; });
      return;
    case MajorityWatch::News::kBack:
      Note([] { return "a majority of the voters answers again"; });
      Observe([&] { return MajorityBack{now_.slow - *lost}; });
      return;
  }
}

Outage Node::FindOutage() const {
  Outage outage;
  if (identity_.cluster.IsNone() || !leader().IsNone()) return outage;
  outage.kind = last_led_.has_value() || consensus_.last_index() > LogIndex()
                    ? Outage::Kind::kElecting
                    : Outage::Kind::kNoLeaderYet;
  if (!majority_.is_watching()) return outage;
  outage.leaderless = now_.slow - *majority_.leaderless_since();
  if (!majority_.lost_since().has_value()) return outage;
  outage.kind = Outage::Kind::kMajorityLost;
  outage.hears_nobody = membership_.isolated();
  const auto& members = membership_.others();
  const Survival survival = FindSurvival();
  outage.voters = survival.voters.size();
  for (const Survival::Voter& voter : survival.voters) {
    const bool is_missing =
        voter.id != identity_.node && !majority_.Answers(now_.slow, voter.id);
    if (!is_missing) continue;
    SlowInstant heard = majority_.LastHeard(voter.id);
    // It may have been gone for long when the last one of a majority went.
    if (members.contains(voter.id)) {
      heard = std::min(heard, membership_.GoneSince(voter.id));
    }
    outage.missing.push_back({.id = voter.id,
                              .name = voter.name,
                              .address = voter.address,
                              .silent = now_.slow - heard});
  }
  return outage;
}

// --- Leaving ----------------------------------------------------------------

// First the locks are released, then the vote is given up, then the others are
// told. The vote is given up when those who stay have committed a configuration
// without it, and not before: of two members the one that leaves may be the
// only voter, and an entry that only it has would be lost with it.
void Node::FireLeave(Outbox& out) {
  if (phase_ != Phase::kLeaving) return;
  if (leave_by_ > now_.slow) {
    if (!client_.closed()) return;
    if (!MayLeave(out)) {
      AskToLeave(out);
      return;
    }
  }
  if (!identity_.cluster.IsNone()) membership_.Leave(now_.slow, out);
  phase_ = Phase::kLeft;
  RememberLeaving();
  Flush(out);
  actions_.push_back(LeaveCompleted());
}

// Whether nobody needs this node any more.
bool Node::MayLeave(Outbox& out) {
  if (identity_.cluster.IsNone() || consensus_.MayGo()) return true;
  bool is_alone = true;
  bool all_leave = consensus_.leads();
  const auto& members = membership_.others();
  const auto note_present = [&](NodeId id) {
    is_alone = false;
    all_leave = all_leave && consensus_.IsLeaving(id);
  };
  for (const auto& [id, fact] : members) {
    if (fact.state <= MemberState::kSuspect || MayComeBack(fact)) {
      note_present(id);
    }
  }
  // A node that restarted from its disk knows the voters before it knows the
  // members.
  const Configuration& configuration = consensus_.configuration();
  for (const auto* voters : {&configuration.voters, &configuration.outgoing}) {
    for (const Voter& voter : *voters) {
      if (voter.id == identity_.node || members.contains(voter.id)) continue;
      if (!consensus_.leads() || AnsweredLately(voter.id)) {
        note_present(voter.id);
      }
    }
  }
  if (is_alone) return true;
  if (all_leave) {
    Note([] { return "everybody leaves -> end the cluster"; });
    consensus_.LetAllGo(out);
    lets_all_go_ = true;
    return true;
  }
  // A node that joined a cluster with a leader is not made a voter before it
  // has answered appends, so it may go before that. A founder votes from the
  // start.
  return told_of_leader_.has_value() && consensus_.term() == Term() &&
         consensus_.last_index() == LogIndex();
}

// If all other members have failed, the leader alone keeps the cluster for
// those that are merely cut off. So it waits ReturnPatience() for a member that
// has just failed, unless the stream to it broke, as that of a dead process
// does, or another process has been at its address since.
bool Node::MayComeBack(const MemberFact& fact) const {
  const bool is_awaited =
      consensus_.leads() && fact.state == MemberState::kFailed &&
      now_.slow - membership_.GoneSince(fact.id) < ReturnPatience() &&
      !broken_links_.contains(fact.address);
  if (!is_awaited || fact.address == options_.address) return false;
  const auto& members = membership_.others();
  return std::none_of(members.begin(), members.end(), [&](const auto& other) {
    return other.second.address == fact.address &&
           other.second.state != MemberState::kFailed;
  });
}

void Node::AskToLeave(Outbox& out) {
  const NodeId leader =
      consensus_.leader().IsNone() ? leader_guess_ : consensus_.leader();
  if (next_leave_intent_ > now_.slow && leader == leave_asked_of_) return;
  next_leave_intent_ = now_.slow + LeaveIntentInterval();
  leave_asked_of_ = leader;
  if (leader.IsNone()) return;
  const LeaveIntent intent{.asked_at =
                               static_cast<uint64_t>(now_.slow.nanoseconds())};
  if (leader == identity_.node) {
    OnLeaveIntent(leader, intent, out);
  } else {
    out.Send({.to = leader, .message = intent});
  }
}

void Node::OnLeaveIntent(NodeId from, const LeaveIntent& intent, Outbox& out) {
  if (!consensus_.leads()) {
    SendRedirect(from, /*busy=*/false, out);
    return;
  }
  const bool is_new = !consensus_.IsLeaving(from);
  consensus_.Receive(now_.slow, from, intent, out);
  if (is_new) {
    Note([&] { return absl::StrCat(from.ToShortString(), " asks to leave"); });
    next_voter_review_ = now_.slow;
  }
}

}  // namespace cachalot
