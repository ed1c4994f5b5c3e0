#include "io/renewal_schedule.h"

#include <algorithm>
#include <cstdint>

#include "engine/limits.h"

namespace cachalot {
namespace {

constexpr absl::Duration RetryMin() { return absl::Milliseconds(20); }

// In [0, 1), the same for the same lock, far apart for neighbours: multiples of
// the golden ratio.
double SpreadOf(RequestId grant) {
  const uint64_t mixed = grant.value() * 0x9E3779B97F4A7C15u;
  return static_cast<double>(mixed >> 11) / static_cast<double>(1ull << 53);
}

}  // namespace

void RenewalSchedule::Add(FastInstant now, RequestId grant, absl::Duration ttl,
                          FastInstant until) {
  kept_[grant] = {.ttl = ttl, .until = until};
  Schedule(now, grant);
}

void RenewalSchedule::Remove(RequestId grant) {
  const auto found = kept_.find(grant);
  if (found == kept_.end()) return;
  queue_.erase({found->second.due, grant});
  kept_.erase(found);
}

std::optional<RenewalSchedule::Due> RenewalSchedule::TakeDue(FastInstant now) {
  while (!queue_.empty() && queue_.begin()->first <= now) {
    const RequestId grant = queue_.begin()->second;
    queue_.erase(queue_.begin());
    Kept& kept = kept_.at(grant);
    kept.due = FastInstant::Never();
    absl::Duration ttl = kept.ttl;
    if (kept.until != FastInstant::Never()) {
      ttl = std::min(ttl, kept.until - now);
    }
    if (ttl >= limits::TtlMin()) return Due{.grant = grant, .ttl = ttl};
    kept_.erase(grant);
  }
  return std::nullopt;
}

void RenewalSchedule::Schedule(FastInstant asked, RequestId grant) {
  const auto found = kept_.find(grant);
  if (found == kept_.end()) return;
  // Between a quarter and a third: late enough to be cheap, and with time for
  // several tries before the lease ends.
  const absl::Duration ttl = found->second.ttl;
  Queue(grant, found->second, asked + ttl / 4 + ttl / 12 * SpreadOf(grant));
}

void RenewalSchedule::Retry(FastInstant now, RequestId grant) {
  const auto found = kept_.find(grant);
  if (found == kept_.end()) return;
  Queue(grant, found->second,
        now + std::max(found->second.ttl / 12, RetryMin()));
}

FastInstant RenewalSchedule::NextDeadline() const {
  return queue_.empty() ? FastInstant::Never() : queue_.begin()->first;
}

void RenewalSchedule::Queue(RequestId grant, Kept& kept, FastInstant due) {
  queue_.erase({kept.due, grant});
  kept.due = due;
  queue_.insert({due, grant});
}

}  // namespace cachalot
