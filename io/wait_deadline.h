#ifndef IO_WAIT_DEADLINE_H_
#define IO_WAIT_DEADLINE_H_

#include "absl/time/time.h"

namespace cachalot {

// When a wait ends, on CLOCK_MONOTONIC: setting the wall clock neither shortens
// nor lengthens it.
class WaitDeadline {
 public:
  static WaitDeadline After(absl::Duration wait) {
    return WaitDeadline(MonotonicNow() + wait);
  }
  static WaitDeadline Never() { return WaitDeadline(absl::InfiniteDuration()); }

  // Never negative; infinite for Never().
  absl::Duration left() const;
  bool has_passed() const { return left() == absl::ZeroDuration(); }
  // For poll(2): rounded up, so that the last millisecond is not spent in a
  // busy loop, and at most an hour. Ask has_passed() afterwards.
  int PollTimeout() const;

 private:
  explicit WaitDeadline(absl::Duration at) : at_(at) {}

  static absl::Duration MonotonicNow();

  absl::Duration at_;  // since the clock's beginning
};

}  // namespace cachalot

#endif  // IO_WAIT_DEADLINE_H_
