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
// share it: a node that hears this from several others is not itself cut off.
// The accused may deny it until its end.
class Suspicion {
 public:
  struct Terms {
    absl::Duration min;
    absl::Duration max;
    int confirmations_wanted = 0;  // for `min`; [0, 3]
  };

  // `accuser` is the member from which it was heard first. It does not count as
  // a confirmation.
  Suspicion(SlowInstant start, const Terms& terms, NodeId accuser);

  // Another member shares it. Each counts once.
  void Confirm(NodeId member);
  // Another member's suspicion has run out: counts as all confirmations.
  void ConfirmFully();
  // Extends it by a time in which nothing could be heard.
  void Postpone(absl::Duration lost);
  // It does not end before `instant`.
  void HoldUntil(SlowInstant instant);

  SlowInstant deadline() const { return deadline_; }
  SlowInstant start() const { return start_; }

  void AddTo(Fingerprint& hash) const;

 private:
  void FindDeadline();

  // When it began; Postpone() moves it to later times.
  SlowInstant start_;
  Terms terms_;  // fixed
  // [0, terms_.confirmations_wanted]. Only rises; each one shortens the
  // suspicion.
  int confirmations_ = 0;
  // The first accuser and the members that were counted: at most one more than
  // wanted. Each counts once.
  std::vector<NodeId> heard_from_;
  // The earliest possible deadline. Only moves to later times. HoldUntil().
  SlowInstant held_until_;
  // Computed by FindDeadline() after each change, since it is read in each
  // step.
  SlowInstant deadline_;
};

}  // namespace cachalot

#endif  // ENGINE_MEMBERSHIP_SUSPICION_H_
