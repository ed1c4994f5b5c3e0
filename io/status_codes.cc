#include "io/status_codes.h"

#include <string>

#include "absl/strings/str_cat.h"

namespace cachalot {
namespace {

std::string HolderText(const Answer& answer) {
  if (!answer.holder.has_value()) return "held by another";
  const LockInfo& holder = *answer.holder;
  return absl::StrCat(
      "held by ", holder.holder_name, holder.owner.empty() ? "" : " for ",
      holder.owner, " with token ", holder.token.ToString(), ", lease ",
      absl::FormatDuration(holder.lease_remaining), ", session ",
      absl::FormatDuration(holder.session_remaining));
}

std::string Explain(const Answer& answer, const char* text) {
  return answer.text.empty() ? text : absl::StrCat(text, ": ", answer.text);
}

}  // namespace

absl::Status ToStatus(const Answer& answer) {
  switch (answer.outcome) {
    case Outcome::kOk:
      return absl::OkStatus();
    case Outcome::kHeld:
      return absl::AlreadyExistsError(HolderText(answer));
    case Outcome::kTimedOut:
      return absl::DeadlineExceededError(
          Explain(answer, "the wait ended first; the lock is not held")
              .append(answer.holder.has_value() ? "; " + HolderText(answer)
                                                : ""));
    case Outcome::kNotHeld:
      return absl::FailedPreconditionError(
          Explain(answer, "not held, or not held any more"));
    case Outcome::kWithdrawn:
      return absl::CancelledError(Explain(answer, "withdrawn"));
    case Outcome::kInvalid:
      return absl::InvalidArgumentError(Explain(answer, "invalid request"));
    case Outcome::kBusy:
      return absl::ResourceExhaustedError(Explain(answer, "too much at once"));
    case Outcome::kUnavailable:
      return absl::UnavailableError(
          answer.text.empty() ? "no leader of a cluster was reached in time"
                              : answer.text);
    case Outcome::kLeaving:
      return absl::FailedPreconditionError(
          Explain(answer, "this node has left, or is leaving"));
    case Outcome::kUnknown:
      return absl::UnknownError(
          Explain(answer, "no answer in time: it may have happened"));
  }
  return absl::InternalError("no such outcome");
}

bool IsRefused(const absl::Status& status) {
  return !status.ok() && !IsUnknown(status);
}

}  // namespace cachalot
