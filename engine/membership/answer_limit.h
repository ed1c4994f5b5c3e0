#ifndef ENGINE_MEMBERSHIP_ANSWER_LIMIT_H_
#define ENGINE_MEMBERSHIP_ANSWER_LIMIT_H_

#include <cstddef>

#include "absl/container/btree_map.h"
#include "engine/fingerprint.h"
#include "engine/ids.h"
#include "engine/instant.h"

namespace cachalot {

// Lets each peer be corrected once a second, so that two members who disagree
// do not flood each other (R2 of README.md; foca #25).
class AnswerLimit {
 public:
  // Peers that are remembered at once; beyond them nobody new is answered.
  static constexpr size_t kMax = 4096;

  // True if `peer` may be answered, which then counts as done.
  bool Allow(SlowInstant now, NodeId peer);

  // True if one more peer that is not known may be answered on a stream that
  // is opened for it: kStrangersMax in each period of kStrangersPeriod.
  bool AllowStranger(SlowInstant now);

  void AddTo(Fingerprint& hash) const;

 private:
  static constexpr size_t kForgetAtMin = 64;
  static constexpr int kStrangersMax = 16;

  absl::btree_map<NodeId, SlowInstant> again_at_;
  size_t forget_at_ = kForgetAtMin;  // so many, and the old ones are dropped
  SlowInstant strangers_since_;      // when the present period began
  int strangers_ = 0;                // answered in it
};

}  // namespace cachalot

#endif  // ENGINE_MEMBERSHIP_ANSWER_LIMIT_H_
