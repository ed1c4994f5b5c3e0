#include "engine/membership/answer_limit.h"

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace cachalot {
namespace {

constexpr absl::Duration kBetweenAnswers = absl::Seconds(1);
// As many may be remembered in vain before they are looked through.
constexpr size_t kBeforeForgetting = 64;

}  // namespace

bool AnswerLimit::Allow(SlowInstant now, NodeId peer) {
  if (again_at_.size() >= kBeforeForgetting) {
    for (auto it = again_at_.begin(); it != again_at_.end();) {
      it = it->second <= now ? again_at_.erase(it) : ++it;
    }
  }
  if (again_at_.size() >= kMax) return false;
  const auto [it, is_new] = again_at_.try_emplace(peer, now);
  if (now < it->second) return false;
  it->second = now + kBetweenAnswers;
  return true;
}

void AnswerLimit::AppendState(std::string& text) const {
  for (const auto& [peer, again_at] : again_at_) {
    absl::StrAppend(&text, peer.ToString(), ",", again_at.nanoseconds(), ";");
  }
}

}  // namespace cachalot
