#include "engine/membership/member_list.h"

#include <algorithm>

#include "absl/algorithm/container.h"
#include "engine/check.h"

namespace cachalot {

bool Supersedes(const MemberFact& news, const MemberFact& known) {
  if (known.state == MemberState::kLeft) return false;
  if (news.incarnation != known.incarnation) {
    return news.incarnation > known.incarnation;
  }
  return news.state > known.state;
}

const MemberFact* MemberList::Find(NodeId id) const {
  const auto found = members_.find(id);
  return found == members_.end() ? nullptr : &found->second;
}

bool MemberList::IsKnownPresent(NodeId id) const {
  const MemberFact* known = Find(id);
  return known != nullptr && IsPresent(known->state);
}

bool MemberList::HasPresentAt(const Address& address) const {
  return absl::c_any_of(members_, [&address](const auto& member) {
    return member.second.address == address && IsPresent(member.second.state);
  });
}

bool MemberList::IsPlausible(const MemberFact& news, bool is_own_word) const {
  const MemberFact* known = Find(news.id);
  if (is_own_word && known == nullptr) {
    return news.incarnation <= kIncarnationMax;
  }
  const uint64_t incarnation = known == nullptr ? 0 : known->incarnation;
  const uint64_t jump_max = is_own_word ? kOwnJumpMax : kIncarnationJumpMax;
  return news.incarnation <= incarnation ||
         news.incarnation - incarnation <= jump_max;
}

SlowInstant MemberList::GoneSince(NodeId id) const {
  const auto found = gone_since_.find(id);
  return found == gone_since_.end() ? SlowInstant::Never() : found->second;
}

const MemberFact& MemberList::Set(SlowInstant now, const MemberFact& news) {
  const MemberFact* known = Find(news.id);
  CHECK(known != nullptr || !full());
  CHECK(known == nullptr || Supersedes(news, *known)) << news.id;

  const bool same_incarnation =
      known != nullptr && known->incarnation == news.incarnation;
  if (known != nullptr && IsPresent(known->state)) --present_;
  MemberFact& member = members_[news.id];
  if (same_incarnation) {
    member.state = news.state;
  } else {
    member = news;
  }
  if (IsPresent(member.state)) {
    ++present_;
    gone_since_.erase(member.id);
  } else {
    gone_since_.emplace(member.id, now);
  }
  return member;
}

std::vector<NodeId> MemberList::Reap(SlowInstant since) {
  std::vector<NodeId> reaped;
  for (const auto& [id, gone] : gone_since_) {
    if (gone < since) reaped.push_back(id);
  }
  for (const NodeId& id : reaped) Forget(id);
  return reaped;
}

void MemberList::ForgetGone(NodeId id) {
  if (gone_since_.contains(id)) Forget(id);
}

std::optional<NodeId> MemberList::EvictOldestGone() {
  if (gone_since_.empty()) return std::nullopt;
  const auto oldest = absl::c_min_element(
      gone_since_,
      [](const auto& a, const auto& b) { return a.second < b.second; });
  const NodeId id = oldest->first;
  Forget(id);
  return id;
}

void MemberList::Forget(NodeId id) {
  members_.erase(id);
  gone_since_.erase(id);
}

void MemberList::CheckInvariants() const {
  CHECK(members_.size() <= members_max_);
  CHECK(members_.size() == present_ + gone_since_.size());
  for (const auto& [id, member] : members_) {
    CHECK(member.id == id);
    CHECK(IsPresent(member.state) != gone_since_.contains(id)) << id;
  }
}

void MemberList::AddTo(Fingerprint& hash) const {
  for (const auto& [id, member] : members_) {
    hash.Add(id).Add(member.address.ToString()).Add(member.name);
    hash.Add(member.incarnation).Add(static_cast<uint64_t>(member.state));
  }
  for (const auto& [id, gone] : gone_since_) hash.Add(id).Add(gone);
}

}  // namespace cachalot
