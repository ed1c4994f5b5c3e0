#ifndef TOOLS_BASE_EXIT_CODES_H_
#define TOOLS_BASE_EXIT_CODES_H_

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
  kOutput = 6,       // the answer could not be written
  // Of `run` and `lock --hold`.
  kNotAcquired = 75,     // held by another until the wait ended
  kLost = 76,            // the lock was lost
  kUnreachable = 77,     // no agent, no cluster, no leader, too busy
  kNotExecutable = 126,  // as shells have it
  kNoSuchCommand = 127,
  // 128 + the number of the signal that ended the wait, as shells have it.
  kHungUp = 129,
  kInterrupted = 130,
  kTerminated = 143,
};

ExitCode ExitCodeOf(const absl::Status& status);
// 128 + `signal`.
ExitCode ExitCodeOfSignal(int signal);
// The list above for people.
absl::string_view ExitCodesHelp();
// The same for `run`, which has codes of its own.
absl::string_view RunExitCodesHelp();

// Prints "PROGRAM: why" on stderr, and says how to end.
ExitCode Fail(absl::string_view program, const absl::Status& status);

}  // namespace cachalot::tools

#endif  // TOOLS_BASE_EXIT_CODES_H_
