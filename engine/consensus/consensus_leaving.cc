#include <iterator>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "engine/consensus/consensus.h"
#include "engine/limits.h"
#include "engine/observer.h"
#include "engine/wire/message.h"

// How a member goes without being missed: Consensus's part.

namespace cachalot {
namespace {

// A leaver asks ten times a second. A leader that has not heard it for so long
// takes it for a member like others: its process may have started again.
constexpr absl::Duration LeaverMemory() { return absl::Seconds(4); }
// Permission to go that was asked for longer ago has lapsed. Counted from
// before the leader's memory begins, on a clock that differs by a rate of 10 %
// at most: less than LeaverMemory().
constexpr absl::Duration PermissionAgeMax() { return absl::Seconds(2); }

}  // namespace

// A node that was let go must never be made a voter after that: if it goes, it
// may be missing from a majority. The leader that lets it go will not do so in
// its term, as long as it remembers the intent; a later one needs the node's
// answers in its own term first, and who has answered in a later term ignores
// the permission.
void Consensus::Handle(SlowInstant now, NodeId from, const LeaveIntent& m,
                       Outbox& out) {
  if (!leads()) return;
  if (!leaving_.contains(from) && leaving_.size() >= limits::kMembersMax) {
    return;
  }
  leaving_[from] = {.heard = now, .asked_at = m.asked_at};
  if (from == self_ || !DoesNotVote(from)) return;
  Send(from, LeaveReply{.term = term_, .asked_at = m.asked_at}, SaveId(), out);
}

void Consensus::Handle(SlowInstant now, NodeId /*from*/, const LeaveReply& m,
                       Outbox& /*out*/) {
  if (leads() || m.term < term_) return;
  const auto clock = static_cast<uint64_t>(now.nanoseconds());
  const auto age_max =
      static_cast<uint64_t>(absl::ToInt64Nanoseconds(PermissionAgeMax()));
  // The leader may have forgotten by now that we leave.
  if (m.asked_at > clock || clock - m.asked_at > age_max) return;
  let_go_in_ = m.term;
}

bool Consensus::MayGo() const {
  return !leads() && let_go_in_.has_value() && *let_go_in_ >= term_;
}

void Consensus::ForgetSilentLeavers(SlowInstant now) {
  for (auto it = leaving_.begin(); it != leaving_.end();) {
    it = now - it->second.heard > LeaverMemory() ? leaving_.erase(it)
                                                 : std::next(it);
  }
}

// Not a voter any more: whoever is furthest takes over, and of several the one
// that answered last, so that nobody has to wait for a time-out (dissertation,
// 4.2.2 and 3.10).
void Consensus::HandOver(SlowInstant now, Outbox& out) {
  NodeId heir;
  std::pair<LogIndex, SlowInstant> furthest;
  for (const auto& [peer, progress] : std::get<Leader>(role_).followers) {
    if (!IsVoter(peer)) continue;
    const std::pair standing(progress.match, progress.last_answer);
    if (heir.IsNone() || standing > furthest) {
      heir = peer;
      furthest = standing;
    }
  }
  Note([&] {
    return absl::StrCat("no voter any more -> hand over to ",
                        heir.ToShortString());
  });
  // The heir must know that the configuration is committed only to finish what
  // we began; it will commit it again with its own first entry.
  Send(heir, TimeoutNow{.term = term_}, SaveId(), out);
  ObserveStepDown(LeadershipLost::Reason::kNoVoter, heir);
  BecomeFollower(now, term_, NodeId());
  let_go_in_ = term_;
}

// It does not vote now, nor will it by anything that is in the log.
bool Consensus::DoesNotVote(NodeId id) const {
  return HasCommittedInTerm() && !log_.VotesSince(commit_, id);
}

void Consensus::LetAllGo(Outbox& out) {
  if (!leads()) return;
  for (const auto& [id, leaver] : leaving_) {
    if (id == self_) continue;
    Send(id, LeaveReply{.term = term_, .asked_at = leaver.asked_at}, SaveId(),
         out);
  }
}

}  // namespace cachalot
