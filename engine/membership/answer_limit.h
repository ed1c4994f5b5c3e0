#ifndef ENGINE_MEMBERSHIP_ANSWER_LIMIT_H_
#define ENGINE_MEMBERSHIP_ANSWER_LIMIT_H_

#include <cstddef>

#include "absl/container/btree_map.h"
#include "engine/fingerprint.h"
#include "engine/ids.h"
#include "engine/instant.h"

namespace cachalot {

// Limits corrections to one a second for each peer, so that two members that
// disagree do not flood each other (R2 of README.md; foca #25).
class AnswerLimit {
 public:
  // How many peers are remembered at once; beyond them no new one is answered.
  static constexpr size_t kMax = 4096;

  // True if `peer` may be answered now; counts as an answer.
  bool Allow(SlowInstant now, NodeId peer);

  // True if a stream may be opened to answer one more unknown peer: at most
  // kStrangersMax in each kStrangersPeriod. Counts as an answer.
  bool AllowStranger(SlowInstant now);

  void AddTo(Fingerprint& hash) const;

 private:
  static constexpr size_t kForgetAtMin = 64;
  static constexpr int kStrangersMax = 16;

  // When each peer may be answered again. At most kMax.
  absl::btree_map<NodeId, SlowInstant> again_at_;
  // At this size, the peers that may be answered again are dropped from it.
  // [kForgetAtMin, kMax]
  size_t forget_at_ = kForgetAtMin;
  SlowInstant strangers_since_;  // when the present period began
  int strangers_ = 0;            // answered in it
};

}  // namespace cachalot

#endif  // ENGINE_MEMBERSHIP_ANSWER_LIMIT_H_
