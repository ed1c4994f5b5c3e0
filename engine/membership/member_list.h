#ifndef ENGINE_MEMBERSHIP_MEMBER_LIST_H_
#define ENGINE_MEMBERSHIP_MEMBER_LIST_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/time/time.h"
#include "engine/address.h"
#include "engine/fingerprint.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/wire/message.h"

namespace cachalot {

// Limits of how far an incarnation may rise at once. A member raises its own by
// one for each accusation, so a greater jump is damage (memberlist #359).
//
// In what others say of a member.
inline constexpr uint64_t kIncarnationJumpMax = uint64_t{1} << 20;
// In what a member says of itself: it may have been accused often meanwhile.
inline constexpr uint64_t kOwnJumpMax = uint64_t{1} << 24;
// In an accusation of this node: higher than what others believe of a member,
// so that it can deny all that.
inline constexpr uint64_t kDenialJumpMax = uint64_t{1} << 28;
// In the first thing that a member says of itself: an absolute limit.
inline constexpr uint64_t kIncarnationMax = uint64_t{1} << 40;

// Alive or suspect: probed, gossiped to, counted.
constexpr bool IsPresent(MemberState state) {
  return state == MemberState::kAlive || state == MemberState::kSuspect;
}

// SWIM's order of facts about one member (SWIM 4.2; R2): the higher incarnation
// wins, and within one alive < suspect < failed < left. So a failed member is
// alive again only in a higher incarnation. Left is final.
bool Supersedes(const MemberFact& news, const MemberFact& known);

// The other members, as far as this node knows. Failed and left members are
// kept, too, so that old news does not make them alive again.
class MemberList {
 public:
  explicit MemberList(size_t members_max) : members_max_(members_max) {}

  const absl::btree_map<NodeId, MemberFact>& members() const {
    return members_;
  }
  // Null if unknown.
  const MemberFact* Find(NodeId id) const;
  bool IsKnownPresent(NodeId id) const;
  // Since when it has been failed or left; never if it is present or unknown.
  SlowInstant GoneSince(NodeId id) const;
  bool HasPresentAt(const Address& address) const;
  // How many are alive or suspect.
  size_t present() const { return present_; }
  bool full() const { return members_.size() >= members_max_; }

  // Whether the incarnation in `news` is within kIncarnationJumpMax of what is
  // known. In a member's own word: within kOwnJumpMax, or up to kIncarnationMax
  // if nothing is known.
  bool IsPlausible(const MemberFact& news, bool is_own_word) const;

  // Adopts `news`. Within one incarnation the name and the address stay, since
  // only the member itself sets them.
  // REQUIRES: it supersedes what is known, or nothing is and it is not full.
  const MemberFact& Set(SlowInstant now, const MemberFact& news);

  // Forgets those that were gone before `since`.
  std::vector<NodeId> Reap(SlowInstant since);
  // Forgets `id` if it is gone.
  void ForgetGone(NodeId id);
  // Forgets the one that has been gone for longest; nothing if none is gone.
  std::optional<NodeId> EvictOldestGone();

  // CHECKs what must hold between calls.
  void CheckInvariants() const;
  void AddTo(Fingerprint& hash) const;

 private:
  void Forget(NodeId id);

  size_t members_max_;  // fixed
  // At most members_max_. Of each member the fact that supersedes all others
  // that were heard (R2). Set() adds and changes; Reap(), ForgetGone() and
  // EvictOldestGone() remove failed and left members only.
  absl::btree_map<NodeId, MemberFact> members_;
  // One for each member that has failed or left: since when.
  absl::btree_map<NodeId, SlowInstant> gone_since_;
  // members_.size() - gone_since_.size().
  size_t present_ = 0;
};

}  // namespace cachalot

#endif  // ENGINE_MEMBERSHIP_MEMBER_LIST_H_
