#include <iterator>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "engine/consensus/consensus.h"
#include "engine/limits.h"
#include "engine/observer.h"
#include "engine/wire/message.h"

// Consensus's part of leaving: a member goes only when no majority needs it.

namespace cachalot {
namespace {

// A leaver asks ten times a second. A leader that has not heard it for this
// long treats it like any other member: its process may have restarted from its
// disk.
constexpr absl::Duration LeaverMemory() { return absl::Seconds(4); }
// A leaver ignores a permission that it asked for longer ago than this. It
// counts from before the leader received the intent, and their clocks differ in
// rate by 10 % at most, so a permission ends before the leader's LeaverMemory()
// does.
constexpr absl::Duration PermissionAgeMax() { return absl::Seconds(2); }

}  // namespace

// A node that has permission to leave must not be made a voter afterwards: it
// may be gone, and a majority may need it. The leader that gave the permission
// does not make it a voter in its term while it remembers the intent. A later
// leader needs the node's answers in its own term first, and a node that has
// answered in a later term ignores the permission.
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
  // The leader may have forgotten by now that this node leaves.
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

// This leader is no longer a voter: the voter with the highest match takes
// over, of several the one that answered last, so that no election timeout
// passes without a leader (dissertation, 4.2.2 and 3.10).
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
  // The heir need not know that the configuration is committed: it commits it
  // again with its own first entry.
  // From here on this node takes no proposals (rule 9).
  Send(heir, TimeoutNow{.term = term_}, SaveId(), out);
  ObserveStepDown(LeadershipLost::Reason::kNoVoter, heir);
  BecomeFollower(now, term_, NodeId());
  let_go_in_ = term_;
}

// Whether `id` votes neither in the committed configuration nor in any later
// one in the log.
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
