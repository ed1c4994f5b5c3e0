#include "tools/base/interrupt.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>

#include "absl/time/clock.h"
#include "engine/check.h"
#include "tools/base/wall_wait.h"

namespace cachalot::tools {

namespace {

// Readable once a signal has come; -1: poll(2) passes over it.
std::atomic<int> signals_fd = -1;
// The first that was read from it; zero: none was.
std::atomic<int> first_signal = 0;
// What CatchInterrupts() blocked. Written before other threads are started.
sigset_t caught_signals;

bool IsIgnored(int signal) {
  struct sigaction action;
  CHECK(sigaction(signal, nullptr, &action) == 0);
  return action.sa_handler == SIG_IGN;
}

bool IsAtTerminal() {
  return isatty(STDIN_FILENO) == 1 || isatty(STDOUT_FILENO) == 1 ||
         isatty(STDERR_FILENO) == 1;
}

class MachineClock : public WallClock {
 public:
  absl::Time Now() override { return absl::Now(); }
  bool Pause(absl::Duration duration) override {
    return tools::Pause(duration);
  }
};

void ReadSignals() {
  signalfd_siginfo signal;
  while (read(signals_fd, &signal, sizeof signal) == sizeof signal) {
    int none = 0;
    first_signal.compare_exchange_strong(none,
                                         static_cast<int>(signal.ssi_signo));
  }
}

}  // namespace

void CatchInterrupts(HangUp hang_up) {
  if (hang_up == HangUp::kInterruptsAtTerminal && !IsAtTerminal()) {
    CHECK(signal(SIGHUP, SIG_IGN) != SIG_ERR);
  }
  sigemptyset(&caught_signals);
  // A blocked signal is kept even if it is ignored (signal(7)): those that are
  // to stay ignored must not be blocked.
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    if (!IsIgnored(signal)) sigaddset(&caught_signals, signal);
  }
  CHECK(pthread_sigmask(SIG_BLOCK, &caught_signals, nullptr) == 0);
  signals_fd = signalfd(-1, &caught_signals, SFD_CLOEXEC | SFD_NONBLOCK);
  CHECK(signals_fd >= 0) << "signalfd: " << errno;
}

bool Interrupted() {
  pollfd poll_fd = {.fd = signals_fd, .events = POLLIN, .revents = 0};
  return first_signal != 0 || poll(&poll_fd, 1, 0) > 0;
}

std::optional<int> InterruptSignal() {
  if (!Interrupted()) return std::nullopt;
  ReadSignals();
  return first_signal;
}

int InterruptFd() { return signals_fd; }

void LetNextInterruptEndTheProcess() {
  if (signals_fd < 0) return;
  ReadSignals();
  pthread_sigmask(SIG_UNBLOCK, &caught_signals, nullptr);
}

bool WaitUntilReadable(int fd, const WaitDeadline& deadline) {
  while (true) {
    if (Interrupted()) return false;
    std::array<pollfd, 2> poll_fds = {
        pollfd{.fd = fd, .events = POLLIN, .revents = 0},
        pollfd{.fd = signals_fd, .events = POLLIN, .revents = 0}};
    const int ready =
        poll(poll_fds.data(), poll_fds.size(), deadline.PollTimeout());
    if (ready > 0 && poll_fds[0].revents != 0) return true;
    if (ready == 0 && deadline.has_passed()) return false;
  }
}

bool WaitUntilReadable(int fd, absl::Time deadline) {
  return WaitUntilReadable(fd, WaitDeadline::After(deadline - absl::Now()));
}

bool Pause(absl::Duration duration) {
  WaitUntilReadable(-1, WaitDeadline::After(duration));
  return !Interrupted();
}

bool SleepUntil(const WaitDeadline& deadline) {
  WaitUntilReadable(-1, deadline);
  return !Interrupted();
}

bool SleepUntil(absl::Time time) {
  MachineClock clock;
  return WaitForTimeOfDay(time, clock) && !Interrupted();
}

}  // namespace cachalot::tools
