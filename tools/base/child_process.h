#ifndef TOOLS_BASE_CHILD_PROCESS_H_
#define TOOLS_BASE_CHILD_PROCESS_H_

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "io/socket.h"

namespace cachalot::tools {

// How a process ended: its exit code, or 128 + the signal that ended it, as a
// shell has it.
struct ExitStatus {
  int value = 0;

  bool ok() const { return value == 0; }
  static ExitStatus FromWaitStatus(int wait_status);
};

struct CommandResult {
  ExitStatus exit_status;
  std::string output;  // both streams
};

// A program run as a child, whose output can be read line by line. It does not
// outlive us: killed when this is destroyed, and by the kernel when the thread
// that started it ends, however it ends.
//
// Waits end early, as at their deadline, once Interrupted().
class ChildProcess {
 public:
  // Starts `arguments`, a path and what follows it. What the child prints, on
  // either stream, comes out of ReadLine(); its input is empty.
  //
  // Errors: NotFound, PermissionDenied (the file cannot be run), Internal.
  static absl::StatusOr<ChildProcess> Start(std::vector<std::string> arguments);

  ChildProcess(ChildProcess&&) noexcept;
  ChildProcess& operator=(ChildProcess&&) noexcept;
  ~ChildProcess();

  pid_t pid() const { return pid_; }

  // The next line without its end; nothing if none is complete by `deadline`
  // or the child has closed its output.
  std::optional<std::string> ReadLine(absl::Time deadline);

  // Does nothing once the child has been waited for: the number may by then be
  // somebody else's.
  void Signal(int signal);
  // Nothing if the child still runs at `deadline`. May be asked again.
  std::optional<ExitStatus> Wait(absl::Time deadline);
  // Reads all that is left and waits for the end; at `deadline` kills the child
  // (exit code 137).
  CommandResult Finish(absl::Time deadline);
  // SIGKILL, and waits for the end.
  ExitStatus Kill();

 private:
  ChildProcess(pid_t pid, FileDescriptor process, FileDescriptor output);

  // Waits, whatever comes, for a child that is ending.
  ExitStatus Reap();

  pid_t pid_ = -1;
  FileDescriptor process_;  // readable when the child has ended
  FileDescriptor output_;
  std::string unread_;
  std::optional<ExitStatus> exit_status_;
};

// Start() and Finish() in one.
//
// Errors: as ChildProcess::Start.
absl::StatusOr<CommandResult> RunCommand(std::vector<std::string> arguments,
                                         absl::Time deadline);

}  // namespace cachalot::tools

#endif  // TOOLS_BASE_CHILD_PROCESS_H_
