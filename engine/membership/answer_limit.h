#ifndef ENGINE_MEMBERSHIP_ANSWER_LIMIT_H_
#define ENGINE_MEMBERSHIP_ANSWER_LIMIT_H_

#include <cstddef>

#include "absl/container/btree_map.h"
#include "engine/fingerprint.h"
#include "engine/ids.h"
#include "engine/instant.h"

namespace cachalot {

// Lets each peer be corrected once a second, so that two members who disagree
// do not flood each other (membership.md 5: foca #25).
class AnswerLimit {
 public:
  // Peers that are remembered at once; beyond them nobody new is answered.
  static constexpr size_t kMax = 4096;

  // True if `peer` may be answered, which then counts as done.
  bool Allow(SlowInstant now, NodeId peer);

  void AddTo(Fingerprint& hash) const;

 private:
  static constexpr size_t kForgetAtMin = 64;

  absl::btree_map<NodeId, SlowInstant> again_at_;
  size_t forget_at_ = kForgetAtMin;  // so many, and the old ones are dropped
};

}  // namespace cachalot

#endif  // ENGINE_MEMBERSHIP_ANSWER_LIMIT_H_
