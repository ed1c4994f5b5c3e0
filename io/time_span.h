#ifndef IO_TIME_SPAN_H_
#define IO_TIME_SPAN_H_

#include <chrono>
#include <cstdint>
#include <type_traits>

#include "absl/time/time.h"

namespace cachalot {

// A length of time in the API: either library's is taken where it stands, and
// it is an absl::Duration wherever one is wanted.
//
//   lock.Renew(absl::Seconds(30));
//   lock.Renew(30s);
//
// What is out of range becomes infinite.
class TimeSpan {
 public:
  constexpr TimeSpan(absl::Duration duration) : duration_(duration) {}
  template <typename Rep, typename Period>
  constexpr TimeSpan(std::chrono::duration<Rep, Period> duration)
      : duration_(FromChrono(duration)) {}

  constexpr operator absl::Duration() const { return duration_; }

 private:
  template <typename Rep, typename Period>
  static constexpr absl::Duration FromChrono(
      std::chrono::duration<Rep, Period> duration) {
    if constexpr (std::is_floating_point_v<Rep>) {
      return absl::Seconds(duration.count()) * Period::num / Period::den;
    } else {
      return absl::Seconds(int64_t{duration.count()}) * int64_t{Period::num} /
             int64_t{Period::den};
    }
  }

  absl::Duration duration_;
};

}  // namespace cachalot

#endif  // IO_TIME_SPAN_H_
