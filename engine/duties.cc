#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/consensus/quorum.h"
#include "engine/consensus/voters.h"
#include "engine/limits.h"
#include "engine/node.h"
#include "engine/wire/codec.h"

// What a leader does besides ordering commands: it proposes what has expired
// and chooses who votes. And how a node leaves.

namespace cachalot {
namespace {

constexpr absl::Duration VoterReviewInterval() {
  return absl::Milliseconds(200);
}
constexpr absl::Duration LeaveIntentInterval() {
  return absl::Milliseconds(100);
}
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
// renewed in the meantime does not expire (locks.md 3.3).
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

void Node::ReviewVoters() {
  if (!consensus_.leads() || next_voter_review_ > now_.slow) return;
  next_voter_review_ = now_.slow + VoterReviewInterval();
  std::vector<Voter> learners;
  for (const auto& [id, fact] : membership_.others()) {
    if (learners.size() == limits::kLearnersMax) break;
    const bool may_learn = fact.state <= MemberState::kSuspect &&
                           !consensus_.IsVoter(id) &&
                           !consensus_.leaving().contains(id);
    if (may_learn) learners.push_back({.id = id, .address = fact.address});
  }
  consensus_.SetLearners(now_.slow, learners);
  if (!consensus_.CanChangeVoters()) return;
  const std::optional<std::vector<Voter>> voters =
      ChooseVoters(consensus_.configuration().voters, JudgeVoters(),
                   options_.consensus.voters_max);
  if (voters.has_value()) consensus_.ChangeVoters(now_.slow, *voters);
}

bool Node::AnsweredLately(NodeId id) const {
  return now_.slow - consensus_.LastAnswer(id) <
         options_.consensus.election_timeout;
}

std::vector<VoterHealth> Node::JudgeVoters() const {
  using State = VoterHealth::State;
  const auto& members = membership_.others();
  const auto address_is_taken = [&](const Voter& voter) {
    return std::any_of(members.begin(), members.end(), [&](const auto& m) {
      return m.second.address == voter.address && m.first != voter.id &&
             m.second.state == MemberState::kAlive;
    });
  };
  std::vector<VoterHealth> health;
  for (const Voter& voter : consensus_.configuration().voters) {
    VoterHealth& judged = health.emplace_back();
    judged.voter = voter;
    judged.is_leader = voter.id == identity_.node;
    if (consensus_.leaving().contains(voter.id)) {
      judged.state = State::kLeaving;
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
    if (is_replaced || (is_gone && silent >= options.replace_voter_after)) {
      judged.state = State::kCrashed;
    }
  }
  // If some must go, those who have just answered stay: one that nobody has
  // noticed to be dead must not be all that is left.
  std::stable_partition(
      health.begin(), health.end(), [this](const VoterHealth& judged) {
        return judged.is_leader || AnsweredLately(judged.voter.id);
      });
  for (const auto& [id, fact] : members) {
    if (consensus_.IsVoter(id) || fact.state != MemberState::kAlive) continue;
    const SlowInstant since = consensus_.CloseSince(id);
    const bool is_ready =
        since != SlowInstant::Never() && AnsweredLately(id) &&
        now_.slow - since >= options_.consensus.promote_after &&
        !consensus_.leaving().contains(id);
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
      // Who is isolated judges nobody: its list stands still.
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
  // The worst case: all who die are of the list that can spare fewer.
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

// --- Leaving ----------------------------------------------------------------

// First everything is given back, then the vote, then the others are told.
void Node::FireLeave(Outbox& out) {
  if (phase_ != Phase::kLeaving) return;
  const bool out_of_time = leave_by_ <= now_.slow;
  if (!client_.closed() && !out_of_time) return;
  const bool is_alone = std::none_of(
      membership_.others().begin(), membership_.others().end(),
      [](const auto& m) { return m.second.state <= MemberState::kSuspect; });
  if (consensus_.IsVoter(identity_.node) && !out_of_time && !is_alone) {
    if (next_leave_intent_ > now_.slow) return;
    next_leave_intent_ = now_.slow + LeaveIntentInterval();
    const NodeId leader = consensus_.leader();
    if (leader == identity_.node) {
      consensus_.Receive(now_.slow, identity_.node, LeaveIntent(), out);
      next_voter_review_ = now_.slow;
    } else if (!leader.IsNone()) {
      out.Send({.to = leader, .message = LeaveIntent()});
    }
    return;
  }
  if (!identity_.cluster.IsNone()) membership_.Leave(now_.slow, out);
  phase_ = Phase::kLeft;
  actions_.push_back(LeaveCompleted());
}

}  // namespace cachalot
