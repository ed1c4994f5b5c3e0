#include "tools/base/child_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "tools/base/interrupt.h"

namespace cachalot::tools {

namespace {

// A descriptor that becomes readable when the process ends. glibc 2.36 has the
// function, but its header declares it without C linkage.
FileDescriptor OpenProcess(pid_t pid) {
  return FileDescriptor(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
}

struct Pipe {
  FileDescriptor read_end;
  FileDescriptor write_end;
};

absl::StatusOr<Pipe> OpenPipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe2");
  Pipe pipe;
  pipe.read_end = FileDescriptor(ends[0]);
  pipe.write_end = FileDescriptor(ends[1]);
  return pipe;
}

// Turns this forked copy into the program. Comes back only by ending: until
// exec, nothing may be called that is not safe in a signal handler, since
// another thread may have held any lock at the fork (fork(2)).
[[noreturn]] void BecomeProgram(char* const* arguments, int output,
                                int exec_error, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent may have ended before the line above took effect.
  if (getppid() != parent) _exit(127);
  const int input = open("/dev/null", O_RDONLY);
  dup2(input, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execv(arguments[0], arguments);
  const int error = errno;
  if (write(exec_error, &error, sizeof error) < 0) _exit(126);
  _exit(127);
}

// Appends what is there. False at the end.
bool ReadSome(int fd, std::string& text) {
  char buffer[4096];
  ssize_t count;
  do {
    count = read(fd, buffer, sizeof buffer);
  } while (count < 0 && errno == EINTR);
  if (count <= 0) return false;
  text.append(buffer, static_cast<size_t>(count));
  return true;
}

}  // namespace

ExitStatus ExitStatus::FromWaitStatus(int wait_status) {
  if (WIFSIGNALED(wait_status)) return {128 + WTERMSIG(wait_status)};
  return {WEXITSTATUS(wait_status)};
}

absl::StatusOr<ChildProcess> ChildProcess::Start(
    std::vector<std::string> arguments) {
  absl::StatusOr<Pipe> output = OpenPipe();
  if (!output.ok()) return output.status();
  absl::StatusOr<Pipe> exec_error = OpenPipe();
  if (!exec_error.ok()) return exec_error.status();
  std::vector<char*> argument_pointers;
  for (std::string& argument : arguments) {
    argument_pointers.push_back(argument.data());
  }
  argument_pointers.push_back(nullptr);

  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return absl::ErrnoToStatus(errno, "fork");
  if (pid == 0) {
    BecomeProgram(argument_pointers.data(), output->write_end.get(),
                  exec_error->write_end.get(), parent);
  }

  ChildProcess child(pid, OpenProcess(pid), std::move(output->read_end));
  // Closed by a successful exec, so that nothing comes.
  exec_error->write_end.Close();
  std::string error_bytes;
  ReadSome(exec_error->read_end.get(), error_bytes);
  if (int error = 0; error_bytes.size() == sizeof error) {
    error_bytes.copy(reinterpret_cast<char*>(&error), sizeof error);
    return absl::ErrnoToStatus(error, absl::StrCat("run ", arguments[0]));
  }
  return child;
}

ChildProcess::ChildProcess(pid_t pid, FileDescriptor process,
                           FileDescriptor output)
    : pid_(pid), process_(std::move(process)), output_(std::move(output)) {}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      process_(std::move(other.process_)),
      output_(std::move(other.output_)),
      unread_(std::move(other.unread_)),
      exit_status_(other.exit_status_) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(process_, other.process_);
  std::swap(output_, other.output_);
  std::swap(unread_, other.unread_);
  std::swap(exit_status_, other.exit_status_);
  return *this;
}

ChildProcess::~ChildProcess() {
  if (pid_ > 0) Kill();  // none when it was moved from
}

std::optional<std::string> ChildProcess::ReadLine(absl::Time deadline) {
  while (true) {
    if (const size_t end = unread_.find('\n'); end != std::string::npos) {
      std::string line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return line;
    }
    if (!WaitUntilReadable(output_.get(), deadline)) return std::nullopt;
    if (!ReadSome(output_.get(), unread_)) return std::nullopt;
  }
}

void ChildProcess::Signal(int signal) {
  if (!exit_status_.has_value()) kill(pid_, signal);
}

std::optional<ExitStatus> ChildProcess::Wait(absl::Time deadline) {
  if (exit_status_.has_value()) return exit_status_;
  if (!WaitUntilReadable(process_.get(), deadline)) return std::nullopt;
  return Reap();
}

ExitStatus ChildProcess::Kill() {
  if (exit_status_.has_value()) return *exit_status_;
  kill(pid_, SIGKILL);
  return Reap();
}

ExitStatus ChildProcess::Reap() {
  int wait_status = 0;
  while (waitpid(pid_, &wait_status, 0) < 0 && errno == EINTR) {
  }
  exit_status_ = ExitStatus::FromWaitStatus(wait_status);
  return *exit_status_;
}

CommandResult ChildProcess::Finish(absl::Time deadline) {
  CommandResult result;
  while (const std::optional<std::string> line = ReadLine(deadline)) {
    absl::StrAppend(&result.output, *line, "\n");
  }
  const std::optional<ExitStatus> exit_status = Wait(deadline);
  result.exit_status = exit_status.has_value() ? *exit_status : Kill();
  return result;
}

absl::StatusOr<CommandResult> RunCommand(std::vector<std::string> arguments,
                                         absl::Time deadline) {
  absl::StatusOr<ChildProcess> child =
      ChildProcess::Start(std::move(arguments));
  if (!child.ok()) return child.status();
  return child->Finish(deadline);
}

}  // namespace cachalot::tools
