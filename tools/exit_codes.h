#ifndef TOOLS_EXIT_CODES_H_
#define TOOLS_EXIT_CODES_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace cachalot::tools {

// How our programs end, for scripts. The one list; --help prints it.
enum class ExitCode {
  kOk = 0,
  kRefused = 1,      // held by another, or the wait ended first
  kInvalid = 2,      // the command line, a limit, an address
  kNotHeld = 3,      // renew or release of what the caller does not hold
  kUnavailable = 4,  // no agent, no cluster, no leader, too busy: try later
  kUnknown = 5,      // it may have happened
};

ExitCode ExitCodeOf(const absl::Status& status);
// "held" for kRefused and so on: the same words in each --json answer.
absl::string_view ExitCodeName(ExitCode code);
// The list above for people.
absl::string_view ExitCodesHelp();

// Prints "PROGRAM: why" on stderr, and says how to end.
ExitCode Fail(absl::string_view program, const absl::Status& status);

}  // namespace cachalot::tools

#endif  // TOOLS_EXIT_CODES_H_
