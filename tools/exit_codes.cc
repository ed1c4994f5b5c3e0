#include "tools/exit_codes.h"

#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"

namespace cachalot::tools {

ExitCode ExitCodeOf(const absl::Status& status) {
  // The codes' meanings: the top of io/coordinator.h.
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return ExitCode::kOk;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kDeadlineExceeded:
      return ExitCode::kRefused;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kOutOfRange:
      return ExitCode::kInvalid;
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kPermissionDenied:
      return ExitCode::kNotHeld;
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kUnavailable:
      return ExitCode::kUnavailable;
    default:
      return ExitCode::kUnknown;
  }
}

absl::string_view ExitCodeName(ExitCode code) {
  switch (code) {
    case ExitCode::kOk:
      return "ok";
    case ExitCode::kRefused:
      return "refused";
    case ExitCode::kInvalid:
      return "invalid";
    case ExitCode::kNotHeld:
      return "not held";
    case ExitCode::kUnavailable:
      return "unavailable";
    case ExitCode::kUnknown:
      return "unknown";
  }
  return "";
}

absl::string_view ExitCodesHelp() {
  return "Exit codes:\n"
         "  0  done\n"
         "  1  refused: held by another, or the wait ended first\n"
         "  2  invalid: the command line, a limit, an address\n"
         "  3  not held by this caller\n"
         "  4  unavailable: no agent, no cluster, no leader, too busy\n"
         "  5  unknown: it may have happened\n";
}

ExitCode Fail(absl::string_view program, const absl::Status& status) {
  std::fputs(absl::StrCat(program, ": ", status.message(), "\n").c_str(),
             stderr);
  return ExitCodeOf(status);
}

}  // namespace cachalot::tools
