#include "tools/cli/run_command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "engine/check.h"
#include "engine/ids.h"
#include "engine/request.h"
#include "io/escape.h"
#include "io/local/client.h"
#include "io/local/protocol.h"
#include "io/socket.h"
#include "io/wait_deadline.h"
#include "tools/base/exit_codes.h"
#include "tools/base/interrupt.h"
#include "tools/cli/belief_watch.h"

namespace cachalot::tools {

namespace {

constexpr absl::Duration ReleaseTimeout() { return absl::Seconds(2); }
// A watchdog that dies again and again cannot do its work here.
constexpr int kWatchdogDeathsMax = 16;

// What is passed on to the command if it is sent to us, and not ignored.
constexpr int kForwarded[] = {SIGINT,  SIGTERM, SIGHUP,  SIGQUIT, SIGUSR1,
                              SIGUSR2, SIGCONT, SIGTSTP, SIGWINCH};

// What this process was started with, for the command.
struct SignalState {
  sigset_t mask;
  struct sigaction child;

  static SignalState Take() {
    SignalState state;
    CHECK(sigprocmask(SIG_SETMASK, nullptr, &state.mask) == 0);
    // If SIGCHLD is ignored, nobody learns how a child ended.
    struct sigaction standard = {};
    standard.sa_handler = SIG_DFL;
    CHECK(sigaction(SIGCHLD, &standard, &state.child) == 0);
    return state;
  }
  void Restore() const {
    sigaction(SIGCHLD, &child, nullptr);
    sigprocmask(SIG_SETMASK, &mask, nullptr);
  }
};

struct Pipe {
  FileDescriptor read_end;
  FileDescriptor write_end;
};

absl::StatusOr<Pipe> OpenPipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return SystemError("pipe", errno);
  Pipe pipe;
  pipe.read_end = FileDescriptor(ends[0]);
  pipe.write_end = FileDescriptor(ends[1]);
  return pipe;
}

// The terminal that controls this process, and whose turn at it is.
class Terminal {
 public:
  Terminal() : fd_(open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)) {}

  bool exists() const { return fd_.is_open(); }
  bool IsOurs() const { return IsOf(getpgrp()); }
  bool IsOf(pid_t group) const { return exists() && Foreground() == group; }
  // Both streams: with a pipe in one of them, a neighbour in the pipeline may
  // need the terminal, and the command gets it only when it asks.
  bool IsForCommand() const {
    return IsOurs() && isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
  }
  // SIGTTOU is blocked, so that this works from the background, too.
  void GiveTo(pid_t group) const { tcsetpgrp(fd_.get(), group); }
  void TakeFrom(pid_t group) const {
    if (IsOf(group)) GiveTo(getpgrp());
  }

 private:
  pid_t Foreground() const { return exists() ? tcgetpgrp(fd_.get()) : -1; }

  const FileDescriptor fd_;
};

// Lets the program that this process becomes have `fd`, under a number that a
// script does not use by itself.
void Inherit(int fd) {
  constexpr int kNumberMin = 200;
  if (fcntl(fd, F_DUPFD, kNumberMin) < 0) fcntl(fd, F_SETFD, 0);
}

// Ends this process as Ctrl+C at the terminal would have, and with it the
// script, the pipeline or the loop that it is part of. They have seen nothing
// of it: the command's group had the terminal. Returns if the signal is
// ignored.
void EndAsInterrupted(int signal) {
  struct sigaction standard = {};
  standard.sa_handler = SIG_DFL;
  struct sigaction before;
  CHECK(sigaction(signal, nullptr, &before) == 0);
  if (before.sa_handler == SIG_IGN) return;
  prctl(PR_SET_DUMPABLE, 0);  // of SIGQUIT
  CHECK(sigaction(signal, &standard, nullptr) == 0);
  kill(0, signal);
  sigset_t ended_by;
  sigemptyset(&ended_by);
  sigaddset(&ended_by, signal);
  sigprocmask(SIG_UNBLOCK, &ended_by, nullptr);
}

// The command and its watchdog, from start to end.
class Command {
 public:
  Command(const ClientOptions& options, const RunArguments& arguments,
          LocalClient& client, FencingToken token, const SignalState& signals)
      : options_(options),
        arguments_(arguments),
        client_(client),
        token_(token),
        signals_(signals) {}

  // Errors: NotFound, PermissionDenied (the command cannot be run; errno's text
  // is all that is said), Internal.
  absl::Status Start(const BeliefWatch& belief);
  // The exit code.
  int AwaitEnd();

 private:
  // In the child, which becomes the command.
  [[noreturn]] void Become(pid_t parent, int go, int exec_error) const;
  void OpenSignals();
  void Forward(int signal);
  void OnSignal(int signal);
  bool WasInterruptedAtTerminal() const;
  void OnStopped(int signal);
  void StopWithIt(int signal);
  void Reap();
  void GiveTerminal();

  const ClientOptions& options_;
  const RunArguments& arguments_;
  LocalClient& client_;
  const FencingToken token_;
  const SignalState& signals_;
  const Terminal terminal_;
  FileDescriptor signal_fd_;
  Pipe lifeline_;
  pid_t pid_ = -1;
  std::unique_ptr<Watchdog> watchdog_;
  int watchdog_deaths_ = 0;
  std::optional<int> wait_status_;
};

void Command::Become(pid_t parent, int go, int exec_error) const {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(137);  // it died before the line above
  char byte;
  if (read(go, &byte, 1) != 1) _exit(137);
  // With these it holds the lock, and all that it starts does.
  Inherit(client_.fd());
  Inherit(lifeline_.write_end.get());
  const std::string& key = arguments_.lock.key;
  // A variable cannot hold a zero byte.
  const bool has_zero = key.find('\0') != std::string::npos;
  setenv("CACHALOT_KEY", (has_zero ? Escape(key) : key).c_str(), 1);
  setenv("CACHALOT_TOKEN", token_.ToString().c_str(), 1);
  // Wherever the command goes.
  std::error_code ignored;
  const std::filesystem::path agent =
      std::filesystem::absolute(client_.path(), ignored);
  setenv("CACHALOT_AGENT", ignored ? client_.path().c_str() : agent.c_str(), 1);
  std::vector<char*> words;
  for (const std::string& word : arguments_.command) {
    words.push_back(const_cast<char*>(word.c_str()));
  }
  words.push_back(nullptr);
  signals_.Restore();
  execvp(words[0], words.data());
  const int error = errno;
  static_cast<void>(write(exec_error, &error, sizeof error) < 0);
  _exit(127);
}

absl::Status Command::Start(const BeliefWatch& belief) {
  absl::StatusOr<Pipe> lifeline = OpenPipe();
  absl::StatusOr<Pipe> go = OpenPipe();
  absl::StatusOr<Pipe> exec_error = OpenPipe();
  for (const auto* pipe : {&lifeline, &go, &exec_error}) {
    if (!pipe->ok()) return pipe->status();
  }
  lifeline_ = *std::move(lifeline);
  OpenSignals();

  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ < 0) return SystemError("fork", errno);
  if (pid_ == 0) {
    go->write_end.Close();
    Become(parent, go->read_end.get(), exec_error->write_end.get());
  }
  setpgid(pid_, pid_);  // whoever of the two is first
  lifeline_.write_end.Close();
  exec_error->write_end.Close();
  absl::StatusOr<std::unique_ptr<Watchdog>> watchdog =
      Watchdog::Create({.client = options_,
                        .key = arguments_.lock.key,
                        .token = token_,
                        .on_lost = arguments_.on_lost,
                        .grace = arguments_.grace,
                        .group = pid_,
                        .lifeline = lifeline_.read_end.get(),
                        .connection = client_.fd()},
                       belief);
  absl::Status guarded = watchdog.status();
  if (guarded.ok()) {
    watchdog_ = *std::move(watchdog);
    guarded = watchdog_->Start();
  }
  if (guarded.ok()) {
    if (terminal_.IsForCommand()) GiveTerminal();
    static_cast<void>(write(go->write_end.get(), "", 1) < 0);
  }
  go->write_end.Close();  // without the byte it ends

  int error = 0;
  ssize_t count;
  do {
    count = read(exec_error->read_end.get(), &error, sizeof error);
  } while (count < 0 && errno == EINTR);
  if (guarded.ok() && count != sizeof error) return absl::OkStatus();
  terminal_.TakeFrom(pid_);
  if (watchdog_ != nullptr) watchdog_->Stop();
  waitpid(pid_, nullptr, 0);
  if (!guarded.ok()) return guarded;
  char buffer[128];
  const std::string why = strerror_r(error, buffer, sizeof buffer);
  return error == ENOENT ? absl::NotFoundError(why)
                         : absl::PermissionDeniedError(why);
}

void Command::OpenSignals() {
  sigset_t read;
  sigemptyset(&read);
  sigaddset(&read, SIGCHLD);
  for (const int signal : kForwarded) {
    // What is blocked is kept even if it is ignored: leave that alone.
    struct sigaction action;
    CHECK(sigaction(signal, nullptr, &action) == 0);
    if (action.sa_handler != SIG_IGN) sigaddset(&read, signal);
  }
  sigset_t blocked = read;
  sigaddset(&blocked, SIGTTOU);
  sigaddset(&blocked, SIGTTIN);
  CHECK(sigprocmask(SIG_BLOCK, &blocked, nullptr) == 0);
  signal_fd_ = FileDescriptor(signalfd(-1, &read, SFD_CLOEXEC | SFD_NONBLOCK));
  CHECK(signal_fd_.is_open()) << errno;
}

int Command::AwaitEnd() {
  while (!wait_status_.has_value()) {
    pollfd fd = {.fd = signal_fd_.get(), .events = POLLIN, .revents = 0};
    poll(&fd, 1, -1);
    signalfd_siginfo signal;
    while (!wait_status_.has_value() &&
           read(signal_fd_.get(), &signal, sizeof signal) == sizeof signal) {
      OnSignal(static_cast<int>(signal.ssi_signo));
    }
  }
  const bool was_interrupted = WasInterruptedAtTerminal();
  terminal_.TakeFrom(pid_);
  const bool has_acted = watchdog_->state().has_acted;

  pollfd lifeline = {
      .fd = lifeline_.read_end.get(), .events = POLLIN, .revents = 0};
  if (poll(&lifeline, 1, 0) > 0) {
    // Nobody is left. Waited for, so that the next who tries finds it free.
    watchdog_->Stop();
    const LocalRequest release = {.operation = LocalOperation::kRelease,
                                  .key = arguments_.lock.key,
                                  .token = token_};
    if (!has_acted) {
      static_cast<void>(client_.Call(release, ReleaseTimeout()));
    }
  } else if (!has_acted) {
    Complain(absl::StrCat("the command has ended; ",
                          Escape(arguments_.lock.key),
                          " is held until what it started has, too"));
  }
  if (has_acted) return static_cast<int>(ExitCode::kLost);
  if (was_interrupted) EndAsInterrupted(WTERMSIG(*wait_status_));
  return WIFSIGNALED(*wait_status_) ? 128 + WTERMSIG(*wait_status_)
                                    : WEXITSTATUS(*wait_status_);
}

void Command::OnSignal(int signal) {
  if (signal == SIGCHLD) return Reap();
  if (signal == SIGCONT && terminal_.IsForCommand()) GiveTerminal();
  Forward(signal);
  // Otherwise a command that is stopped would sleep through its end.
  if (signal == SIGTERM || signal == SIGHUP) Forward(SIGCONT);
}

// Whether it ended by Ctrl+C or Ctrl+\, typed while it had the terminal. Who
// leads the session has nobody to hand that on to.
bool Command::WasInterruptedAtTerminal() const {
  if (!terminal_.IsOf(pid_) || getsid(0) == getpid()) return false;
  if (!WIFSIGNALED(*wait_status_)) return false;
  const int signal = WTERMSIG(*wait_status_);
  return signal == SIGINT || signal == SIGQUIT;
}

void Command::Forward(int signal) { kill(-pid_, signal); }

void Command::Reap() {
  for (;;) {
    int status = 0;
    const pid_t pid = waitpid(-1, &status, WNOHANG | WUNTRACED);
    if (pid <= 0) return;
    if (pid == pid_) {
      if (WIFSTOPPED(status)) {
        OnStopped(WSTOPSIG(status));
      } else {
        wait_status_ = status;
        return;
      }
    } else if (pid == watchdog_->pid() && !WIFSTOPPED(status) &&
               watchdog_->HasFailed() &&
               (++watchdog_deaths_ > kWatchdogDeathsMax ||
                !watchdog_->Start().ok())) {
      Complain("the lock cannot be watched any more; the command is ended");
      Forward(SIGKILL);
    }
  }
}

void Command::OnStopped(int signal) {
  const bool wants_terminal = signal == SIGTTIN || signal == SIGTTOU;
  if (wants_terminal && terminal_.IsOurs()) {
    GiveTerminal();
    Forward(SIGCONT);
    return;
  }
  // Somebody's SIGSTOP is not for us.
  if (terminal_.exists() && (wants_terminal || signal == SIGTSTP)) {
    StopWithIt(signal);
  }
}

// The shell that started us sees a stopped job, and continues it with "fg" or
// "bg". Meanwhile the agent renews the lock, and the watchdog watches.
void Command::StopWithIt(int signal) {
  terminal_.TakeFrom(pid_);
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, signal);
  // Sent to all of the job. Of no effect if no shell could continue it.
  kill(0, signal);
  sigprocmask(SIG_UNBLOCK, &stop, nullptr);
  sigprocmask(SIG_BLOCK, &stop, nullptr);
  if (terminal_.IsForCommand()) GiveTerminal();
  Forward(SIGCONT);
}

void Command::GiveTerminal() { terminal_.GiveTo(pid_); }

}  // namespace

int Run(const ClientOptions& options, const RunArguments& arguments) {
  const SignalState signals = SignalState::Take();
  CatchInterrupts();
  const LockArguments& lock = arguments.lock;
  const WaitDeadline deadline =
      WaitDeadline::After(options.timeout + lock.wait);
  const absl::StatusOr<std::unique_ptr<LocalClient>> connected =
      ConnectToAgent(options, deadline);
  if (!connected.ok()) {
    return static_cast<int>(
        RefuseHold(options, lock, NoAnswer(connected.status())));
  }
  LocalClient& client = **connected;
  LocalRequest request = HoldRequest(lock);
  // Given back when the command has ended, unless nothing ends it.
  request.releases_itself = arguments.on_lost != OnLost::kWarn;
  const Answer answer = TakeLock(options, client, std::move(request), deadline);
  if (answer.outcome != Outcome::kOk) {
    return static_cast<int>(RefuseHold(options, lock, answer));
  }
  const absl::StatusOr<std::unique_ptr<BeliefWatch>> belief =
      StartBeliefWatch(options, client, lock.key, answer.token);
  if (!belief.ok()) {
    return static_cast<int>(RefuseUnwatched(options, lock, belief.status()));
  }
  Command command(options, arguments, client, answer.token, signals);
  const absl::Status started = command.Start(**belief);
  if (started.ok()) return command.AwaitEnd();
  static_cast<void>(client.Call({.operation = LocalOperation::kRelease,
                                 .key = lock.key,
                                 .token = answer.token},
                                ReleaseTimeout()));
  Complain(absl::StrCat("cannot run ", Escape(arguments.command[0]), ": ",
                        started.message()));
  if (absl::IsNotFound(started)) {
    return static_cast<int>(ExitCode::kNoSuchCommand);
  }
  return static_cast<int>(absl::IsPermissionDenied(started)
                              ? ExitCode::kNotExecutable
                              : ExitCode::kUnreachable);
}

}  // namespace cachalot::tools
