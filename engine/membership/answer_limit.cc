#include "engine/membership/answer_limit.h"

#include <algorithm>

#include "absl/time/time.h"

namespace cachalot {
namespace {

constexpr absl::Duration kBetweenAnswers = absl::Seconds(1);
constexpr absl::Duration kStrangersPeriod = absl::Seconds(2);

}  // namespace

bool AnswerLimit::Allow(SlowInstant now, NodeId peer) {
  if (again_at_.size() >= forget_at_) {
    for (auto it = again_at_.begin(); it != again_at_.end();) {
      it = it->second <= now ? again_at_.erase(it) : ++it;
    }
    // Twice as many as are still needed: looking through them costs little
    // each time, taken together.
    forget_at_ = std::clamp(2 * again_at_.size(), kForgetAtMin, kMax);
  }
  if (again_at_.size() >= kMax) return false;
  const auto [it, is_new] = again_at_.try_emplace(peer, now);
  if (now < it->second) return false;
  it->second = now + kBetweenAnswers;
  return true;
}

bool AnswerLimit::AllowStranger(SlowInstant now) {
  if (now - strangers_since_ >= kStrangersPeriod) {
    strangers_since_ = now;
    strangers_ = 0;
  }
  if (strangers_ >= kStrangersMax) return false;
  ++strangers_;
  return true;
}

void AnswerLimit::AddTo(Fingerprint& hash) const {
  for (const auto& [peer, again_at] : again_at_) hash.Add(peer).Add(again_at);
  hash.Add(uint64_t{forget_at_});
  hash.Add(strangers_since_).Add(static_cast<uint64_t>(strangers_));
}

}  // namespace cachalot
