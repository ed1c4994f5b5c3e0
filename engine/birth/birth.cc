#include "engine/birth/birth.h"

#include <algorithm>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "engine/check.h"
#include "engine/fingerprint.h"
#include "engine/locks/token_counter.h"

namespace cachalot {
namespace {

constexpr absl::Duration InviteInterval() { return absl::Milliseconds(100); }
constexpr size_t kOtherListsMax = 64;

bool ById(const Voter& a, const Voter& b) { return a.id < b.id; }

}  // namespace

Birth::Birth(std::vector<std::string> founders, Self self,
             SlowInstant not_before, absl::Duration quarantine, Random random,
             Observer* observer)
    : founders_(std::move(founders)),
      self_(std::move(self)),
      takes_part_(absl::c_linear_search(founders_, self_.name)),
      not_before_(not_before),
      quarantine_(quarantine),
      random_(random),
      observer_(observer) {
  CHECK(absl::c_is_sorted(founders_));
}

// Lists that differ would let two sets of founders each have a birth without
// the other, so nothing is begun with a node that has another list.
void Birth::Meet(NodeId id, const Address& address, absl::string_view name,
                 const PushPull& introduction) {
  if (founders_.empty() || introduction.founders.empty()) return;
  if (introduction.founders != founders_) {
    const bool is_new = other_lists_.size() < kOtherListsMax &&
                        other_lists_.insert(address).second;
    if (!is_new) return;
    ObserveTo(observer_, [&] {
      return FoundersDiffer{.id = id,
                            .name = std::string(name),
                            .address = address,
                            .theirs = introduction.founders,
                            .ours = founders_};
    });
    return;
  }
  if (!takes_part_ || name == self_.name) return;
  if (!absl::c_linear_search(founders_, name)) return;
  // A founder that has restarted takes the place of its last process.
  candidates_[std::string(name)] = {.id = id,
                                    .address = address,
                                    .is_first = introduction.is_first,
                                    .tokens_seen = introduction.token_base};
}

bool Birth::MissesFounder(NodeId id, absl::string_view name) const {
  if (!takes_part_ || name == self_.name) return false;
  if (!absl::c_linear_search(founders_, name)) return false;
  const auto found = candidates_.find(name);
  return found == candidates_.end() || found->second.id != id;
}

void Birth::Forget(NodeId id) {
  for (auto it = candidates_.begin(); it != candidates_.end(); ++it) {
    if (it->second.id != id) continue;
    candidates_.erase(it);
    return;
  }
}

bool Birth::Invites() const {
  return takes_part_ && self_.name == founders_.front() &&
         candidates_.size() + 1 == founders_.size();
}

void Birth::FireTimers(SlowInstant now, Outbox& out) {
  if (binding_.has_value() && binding_->until <= now) binding_.reset();
  if (!Invites()) {
    invitation_.reset();
    return;
  }
  if (now < not_before_) return;
  Invite(now);
  SendInvitation(now, out);
}

// Begins an attempt, unless the founders are those of the one under way. An
// attempt is over for good when another begins: its cluster's id is never used
// again.
void Birth::Invite(SlowInstant now) {
  std::vector<Voter> voters = {{.id = self_.id, .address = self_.address}};
  FencingToken tokens_seen = self_.tokens_seen;
  size_t first_starts = self_.is_first ? 1 : 0;
  for (const auto& [name, candidate] : candidates_) {
    voters.push_back({.id = candidate.id, .address = candidate.address});
    tokens_seen = std::max(tokens_seen, candidate.tokens_seen);
    if (candidate.is_first) ++first_starts;
  }
  std::sort(voters.begin(), voters.end(), ById);
  TokenCounter tokens = TokenCounter::At(self_.token_base);
  tokens.RaiseAbove(tokens_seen);
  if (invitation_.has_value() && invitation_->founding.voters == voters) return;
  // An earlier cluster of these founders had a majority of them (B5).
  const bool is_provably_first = 2 * first_starts > voters.size();
  invitation_ = Invitation{
      .founding = {.cluster = {.high = random_.Next(),
                               .low = random_.Next() | 1},
                   .token_base = tokens.last(),
                   .quarantine =
                       is_provably_first ? absl::ZeroDuration() : quarantine_,
                   .voters = std::move(voters)},
      .next_send = now};
  ++attempt_;
  NoteTo(observer_, [&] {
    return absl::StrCat("all founders are here -> invite them to cluster ",
                        invitation_->founding.cluster.ToShortString());
  });
}

void Birth::SendInvitation(SlowInstant now, Outbox& out) {
  if (now < invitation_->next_send) return;
  invitation_->next_send = now + InviteInterval();
  const Founding& founding = invitation_->founding;
  for (const Voter& voter : founding.voters) {
    if (voter.id == self_.id || invitation_->accepted.contains(voter.id)) {
      continue;
    }
    out.Send({.to = voter.id,
              .address = voter.address,
              .message = BirthInvitation{.attempt = attempt_,
                                         .cluster = founding.cluster,
                                         .token_base = founding.token_base,
                                         .quarantine = founding.quarantine,
                                         .voters = founding.voters}});
  }
}

void Birth::Receive(SlowInstant now, NodeId from,
                    const BirthInvitation& invitation, Outbox& out) {
  if (!takes_part_ || invitation.cluster.IsNone()) return;
  // Only the first of the list invites, and only those whom it has met.
  const auto inviter = candidates_.find(founders_.front());
  if (inviter == candidates_.end() || inviter->second.id != from) return;
  const std::vector<Voter>& voters = invitation.voters;
  const Voter self = {.id = self_.id, .address = self_.address};
  const bool is_whole = voters.size() == founders_.size() &&
                        std::is_sorted(voters.begin(), voters.end(), ById) &&
                        absl::c_linear_search(voters, self);
  if (!is_whole) return;
  if (binding_.has_value()) {
    // A later attempt of one inviter says that its earlier ones are over.
    const bool is_same = binding_->founding.cluster == invitation.cluster;
    const bool replaces =
        binding_->inviter == from && binding_->attempt < invitation.attempt;
    if (!is_same && !replaces) return;
  }
  binding_ = Binding{.inviter = from,
                     .attempt = invitation.attempt,
                     .founding = {.cluster = invitation.cluster,
                                  .token_base = invitation.token_base,
                                  .quarantine = invitation.quarantine,
                                  .voters = voters},
                     .until = now + Patience()};
  out.Send({.to = from,
            .address = inviter->second.address,
            .message = BirthAcceptance{.cluster = invitation.cluster}});
}

void Birth::Receive(NodeId from, const BirthAcceptance& acceptance) {
  if (!invitation_.has_value()) return;
  const Founding& founding = invitation_->founding;
  const bool is_founder = absl::c_any_of(
      founding.voters, [from](const Voter& voter) { return voter.id == from; });
  if (acceptance.cluster != founding.cluster || !is_founder) return;
  invitation_->accepted.insert(from);
}

std::optional<Birth::Founding> Birth::TakeFounding() {
  if (!invitation_.has_value()) return std::nullopt;
  if (invitation_->accepted.size() + 1 < invitation_->founding.voters.size()) {
    return std::nullopt;
  }
  Founding founding = std::move(invitation_->founding);
  *this = Birth();
  return founding;
}

const Birth::Founding* Birth::FindBinding(ClusterId cluster) const {
  if (!binding_.has_value()) return nullptr;
  return binding_->founding.cluster == cluster ? &binding_->founding : nullptr;
}

SlowInstant Birth::NextDeadline() const {
  SlowInstant deadline = SlowInstant::Never();
  if (binding_.has_value()) deadline = binding_->until;
  if (invitation_.has_value()) {
    deadline = std::min(deadline, invitation_->next_send);
  } else if (Invites()) {
    deadline = std::min(deadline, not_before_);
  }
  return deadline;
}

uint64_t Birth::Fingerprint() const {
  class Fingerprint hash;
  const auto add = [&hash](const Founding& founding) {
    hash.Add(founding.cluster).Add(founding.token_base);
    hash.Add(founding.quarantine);
    for (const Voter& voter : founding.voters) {
      hash.Add(voter.id).Add(voter.address.ToString());
    }
  };
  hash.Add(uint64_t{takes_part_}).Add(self_.id).Add(uint64_t{self_.is_first});
  hash.Add(self_.tokens_seen).Add(self_.token_base);
  hash.Add(not_before_).Add(attempt_);
  for (const std::string& name : founders_) hash.Add(name);
  for (const auto& [name, candidate] : candidates_) {
    hash.Add(name).Add(candidate.id).Add(candidate.address.ToString());
    hash.Add(uint64_t{candidate.is_first}).Add(candidate.tokens_seen);
  }
  for (const Address& address : other_lists_) hash.Add(address.ToString());
  hash.Add(uint64_t{invitation_.has_value()});
  if (invitation_.has_value()) {
    add(invitation_->founding);
    for (const NodeId& id : invitation_->accepted) hash.Add(id);
    hash.Add(invitation_->next_send);
  }
  hash.Add(uint64_t{binding_.has_value()});
  if (binding_.has_value()) {
    add(binding_->founding);
    hash.Add(binding_->inviter).Add(binding_->attempt).Add(binding_->until);
  }
  hash.Add(Random(random_).Next());  // of a copy: looking changes nothing
  return hash.value();
}

}  // namespace cachalot
