#include "tools/interrupt.h"

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

namespace cachalot::tools {

namespace {

// Readable once a signal has come; -1: poll(2) passes over it.
std::atomic<int> signals_fd = -1;
// Set when the signal has been taken from it.
std::atomic<bool> taken = false;

sigset_t InterruptSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP})
    sigaddset(&signals, signal);
  return signals;
}

}  // namespace

void CatchInterrupts() {
  const sigset_t signals = InterruptSignals();
  CHECK(pthread_sigmask(SIG_BLOCK, &signals, nullptr) == 0);
  signals_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  CHECK(signals_fd >= 0) << "signalfd: " << errno;
}

bool Interrupted() {
  pollfd poll_fd = {.fd = signals_fd, .events = POLLIN, .revents = 0};
  return taken || poll(&poll_fd, 1, 0) > 0;
}

void LetNextInterruptEndTheProcess() {
  signalfd_siginfo signal;
  while (read(signals_fd, &signal, sizeof signal) > 0) taken = true;
  const sigset_t signals = InterruptSignals();
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

bool WaitUntilReadable(int fd, absl::Time deadline) {
  while (true) {
    if (Interrupted()) return false;
    const absl::Duration left = std::clamp(
        deadline - absl::Now(), absl::ZeroDuration(), absl::Hours(1));
    std::array<pollfd, 2> poll_fds = {
        pollfd{.fd = fd, .events = POLLIN, .revents = 0},
        pollfd{.fd = signals_fd, .events = POLLIN, .revents = 0}};
    const timespec timeout = absl::ToTimespec(left);
    const int ready =
        ppoll(poll_fds.data(), poll_fds.size(), &timeout, nullptr);
    if (ready > 0 && poll_fds[0].revents != 0) return true;
    if (ready == 0 && absl::Now() >= deadline) return false;
  }
}

bool SleepUntil(absl::Time deadline) {
  WaitUntilReadable(-1, deadline);
  return !Interrupted();
}

}  // namespace cachalot::tools
