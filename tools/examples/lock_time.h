#ifndef TOOLS_EXAMPLES_LOCK_TIME_H_
#define TOOLS_EXAMPLES_LOCK_TIME_H_

#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace cachalot::tools {

// A moment that a person named.
struct LockTime {
  // When the wall clock shows it. With `after`, only what it showed when the
  // text was read.
  absl::Time time;
  // So long after the text was read, whatever happens to the wall clock.
  std::optional<absl::Duration> after;
};

// The moment that a person means by `text`, not before `now`:
//
//   14:30, 14:30:15        today, in `zone`
//   2026-11-23T14:30:00Z   RFC 3339
//   +30s, +1m30s           so long after `now`
//
// Errors: InvalidArgument (none of these, or in the past; the message says
// which).
absl::StatusOr<LockTime> ParseLockTime(absl::string_view text, absl::Time now,
                                       absl::TimeZone zone);

}  // namespace cachalot::tools

#endif  // TOOLS_EXAMPLES_LOCK_TIME_H_
