#include "engine/options.h"

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "engine/limits.h"

namespace cachalot {
namespace {

// Ends the calling function with the error of the first rule that is broken.
#define RETURN_IF_BROKEN(rule)       \
  do {                               \
    absl::Status status = (rule);    \
    if (!status.ok()) return status; \
  } while (false)

std::string Text(absl::Duration value) { return absl::FormatDuration(value); }
template <typename Number>
std::string Text(Number value) {
  return absl::StrCat(value);
}

template <typename Value>
absl::Status InRange(absl::string_view field, Value value, Value low,
                     Value high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(field, " is ", Text(value),
                                                 "; it must be in [", Text(low),
                                                 ", ", Text(high), "]"));
}

absl::Status ValidateMembership(const MembershipOptions& options) {
  constexpr absl::Duration kMillisecond = absl::Milliseconds(1);
  RETURN_IF_BROKEN(InRange("membership.probe_interval", options.probe_interval,
                           absl::Milliseconds(10), absl::Minutes(1)));
  if (options.probe_timeout < kMillisecond ||
      options.probe_timeout * 2 >= options.probe_interval) {
    return absl::InvalidArgumentError(absl::StrCat(
        "membership.probe_timeout is ", Text(options.probe_timeout),
        "; it must be at least 1ms and less than half of probe_interval (",
        Text(options.probe_interval), ")"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Validate(const NodeOptions& options) {
  RETURN_IF_BROKEN(ValidateMembership(options.membership));
  return absl::OkStatus();
}

}  // namespace cachalot
