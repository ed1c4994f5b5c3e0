#ifndef ENGINE_MEMBERSHIP_SUSPICION_H_
#define ENGINE_MEMBERSHIP_SUSPICION_H_

#include <vector>

#include "absl/time/time.h"
#include "engine/fingerprint.h"
#include "engine/ids.h"
#include "engine/instant.h"

namespace cachalot {

// How long one member's suspicion of another still runs before it becomes
// "failed" (Lifeguard, section IV-B).
//
// It lasts `max` at first and `min` once enough other members are known to
// share it: a member that hears from several others is not itself the one
// that is cut off. The accused may deny it all the while.
class Suspicion {
 public:
  struct Terms {
    absl::Duration min;
    absl::Duration max;
    int confirmations_wanted = 0;  // [0, 3]
  };

  // `accuser` is who it was heard from first; it confirms nothing later.
  Suspicion(SlowInstant start, const Terms& terms, NodeId accuser);

  // Another member shares it. Each counts once.
  void Confirm(NodeId member);
  // A member has held it to its end: as good as all confirmations.
  void ConfirmFully();
  // Time in which nothing could be heard does not count.
  void Postpone(absl::Duration lost);
  // Not before `instant`, whatever else says so.
  void HoldUntil(SlowInstant instant);

  SlowInstant deadline() const { return deadline_; }
  SlowInstant start() const { return start_; }

  void AddTo(Fingerprint& hash) const;

 private:
  void FindDeadline();

  SlowInstant start_;
  Terms terms_;
  // [0, terms_.confirmations_wanted]. Only rises; each one shortens it.
  int confirmations_ = 0;
  // The first accuser and those who were counted: at most one more than wanted.
  std::vector<NodeId> heard_from_;
  // The deadline is not before it. HoldUntil().
  SlowInstant held_until_;
  // What FindDeadline() found last: it is asked for in each step.
  SlowInstant deadline_;
};

}  // namespace cachalot

#endif  // ENGINE_MEMBERSHIP_SUSPICION_H_
