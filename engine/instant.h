#ifndef ENGINE_INSTANT_H_
#define ENGINE_INSTANT_H_

#include <algorithm>
#include <compare>
#include <cstdint>
#include <limits>
#include <ostream>

#include "absl/time/time.h"

namespace cachalot {

// A reading of one of a node's own monotonic clocks. It means nothing
// elsewhere: instants are never sent, saved, or compared with another node's or
// with wall time. Durations may be sent.
//
// `Clock` is a tag, so that readings of the two clocks below do not mix.
template <typename Clock>
class BasicInstant {
 public:
  constexpr BasicInstant() = default;
  static constexpr BasicInstant FromNanoseconds(int64_t nanoseconds) {
    return BasicInstant(nanoseconds);
  }
  // Later than every reading.
  static constexpr BasicInstant Never() {
    return BasicInstant(std::numeric_limits<int64_t>::max());
  }

  constexpr int64_t nanoseconds() const { return nanoseconds_; }

  friend constexpr auto operator<=>(BasicInstant, BasicInstant) = default;
  // Never() stays Never().
  friend BasicInstant operator+(BasicInstant instant, absl::Duration d) {
    if (instant == Never()) return Never();
    if (instant.nanoseconds_ >= 0 && d >= absl::ZeroDuration()) {
      // The usual case, for speed: the same sum without wide arithmetic.
      return After(instant.nanoseconds_, absl::ToInt64Nanoseconds(d));
    }
    const absl::Duration sum = absl::Nanoseconds(instant.nanoseconds_) + d;
    return BasicInstant(absl::ToInt64Nanoseconds(sum));
  }
  friend BasicInstant operator-(BasicInstant instant, absl::Duration d) {
    return instant + -d;
  }
  friend absl::Duration operator-(BasicInstant a, BasicInstant b) {
    if (a.nanoseconds_ >= 0 && b.nanoseconds_ >= 0) {  // as above
      return absl::Nanoseconds(a.nanoseconds_ - b.nanoseconds_);
    }
    return absl::Nanoseconds(a.nanoseconds_) -
           absl::Nanoseconds(b.nanoseconds_);
  }
  friend std::ostream& operator<<(std::ostream& out, BasicInstant instant) {
    if (instant == Never()) return out << "never";
    return out << absl::Nanoseconds(instant.nanoseconds_);
  }

 private:
  constexpr explicit BasicInstant(int64_t nanoseconds)
      : nanoseconds_(nanoseconds) {}

  // REQUIRES: neither is negative.
  static constexpr BasicInstant After(int64_t from, int64_t nanoseconds) {
    const int64_t room = std::numeric_limits<int64_t>::max() - from;
    return BasicInstant(from + std::min(nanoseconds, room));
  }

  int64_t nanoseconds_ = 0;
};

// The clock a node uses for what it grants to others. It may stop, and may run
// slow, but never runs fast by more than the rate bound: a grantor that is
// late is safe.
using SlowInstant = BasicInstant<struct SlowClock>;

// The clock a node uses for what it believes it holds. It may run fast, but
// never slow by more than the rate bound, and goes on while the machine is
// suspended: a holder that gives up early is safe.
using FastInstant = BasicInstant<struct FastClock>;

// One look at both clocks.
struct Now {
  SlowInstant slow;
  FastInstant fast;
};

// When a node wants to be stepped: as soon as either clock has reached its
// part.
struct Deadline {
  SlowInstant slow = SlowInstant::Never();
  FastInstant fast = FastInstant::Never();

  bool IsDue(const Now& now) const {
    return slow <= now.slow || fast <= now.fast;
  }
  // How long from `now` until it may be due; zero if it is.
  absl::Duration Until(const Now& now) const {
    absl::Duration wait = absl::InfiniteDuration();
    if (slow != SlowInstant::Never()) wait = std::min(wait, slow - now.slow);
    if (fast != FastInstant::Never()) wait = std::min(wait, fast - now.fast);
    return std::max(wait, absl::ZeroDuration());
  }
};

}  // namespace cachalot

#endif  // ENGINE_INSTANT_H_
