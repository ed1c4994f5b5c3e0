#include "io/wait_deadline.h"

#include <time.h>

#include <algorithm>

#include "engine/check.h"

namespace cachalot {

absl::Duration WaitDeadline::left() const {
  if (at_ == absl::InfiniteDuration()) return at_;
  return std::max(at_ - MonotonicNow(), absl::ZeroDuration());
}

int WaitDeadline::PollTimeout() const {
  const absl::Duration wait =
      absl::Ceil(std::min(left(), absl::Hours(1)), absl::Milliseconds(1));
  return static_cast<int>(absl::ToInt64Milliseconds(wait));
}

absl::Duration WaitDeadline::MonotonicNow() {
  timespec time;
  CHECK(clock_gettime(CLOCK_MONOTONIC, &time) == 0);
  return absl::DurationFromTimespec(time);
}

}  // namespace cachalot
