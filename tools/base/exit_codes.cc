#include "tools/base/exit_codes.h"

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
    case absl::StatusCode::kPermissionDenied:  // a port, a socket's folder
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kOutOfRange:
      return ExitCode::kInvalid;
    case absl::StatusCode::kFailedPrecondition:
      return ExitCode::kNotHeld;
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kUnavailable:
      return ExitCode::kUnavailable;
    case absl::StatusCode::kDataLoss:
      return ExitCode::kOutput;
    case absl::StatusCode::kInternal:
      // The operating system said no: that much is known.
      return ExitCode::kUnavailable;
    default:
      return ExitCode::kUnknown;
  }
}

ExitCode ExitCodeOfSignal(int signal) {
  return static_cast<ExitCode>(128 + signal);
}

absl::string_view ExitCodesHelp() {
  return "Exit codes:\n"
         "  0  done\n"
         "  1  refused: held by another, or the wait ended first\n"
         "  2  invalid: the command line, a limit, an address\n"
         "  3  not held by this caller\n"
         "  4  unavailable: no agent, no cluster, no leader, too busy\n"
         "  5  unknown: it may have happened\n"
         "  6  the answer could not be written; a lock just taken is given "
         "back\n"
         "  128 + N  ended by signal N (130: Ctrl+C); nothing is held\n";
}

absl::string_view RunExitCodesHelp() {
  return "Exit codes:\n"
         "  the command's own, or 128 + N if signal N ended it\n"
         "  2    invalid: the command line, a limit, an address\n"
         "  75   not acquired: held by another until the wait ended\n"
         "  76   lost: the command was ended before another could have it\n"
         "  77   unreachable: no agent, no cluster, no leader, too busy\n"
         "  126  the command cannot be executed\n"
         "  127  there is no such command\n";
}

ExitCode Fail(absl::string_view program, const absl::Status& status) {
  std::fputs(absl::StrCat(program, ": ", status.message(), "\n").c_str(),
             stderr);
  return ExitCodeOf(status);
}

}  // namespace cachalot::tools
