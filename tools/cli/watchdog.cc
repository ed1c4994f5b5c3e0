#include "tools/cli/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <new>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/check.h"
#include "engine/request.h"
#include "io/escape.h"
#include "tools/base/words.h"

namespace cachalot::tools {

namespace {

// Between SIGKILL and the end of belief: for a processor that is busy, and for
// the death of what was killed. At most this part of a lease.
constexpr absl::Duration MarginMax() { return absl::Milliseconds(50); }
constexpr int kMarginPart = 8;
// In good times a third of a lease is never used up before it is renewed.
constexpr int kGracePart = 3;

// Closed by the kernel with the process that holds it.
FileDescriptor OpenProcess(pid_t pid) {
  return FileDescriptor(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
}

// Whether a lock that is lost for `reason` is nobody else's until its lease
// ends, because nothing gave it back.
bool IsGuarded(LossReason reason) { return reason == LossReason::kClosed; }

// The watchdog's own life. Never returns to its caller's.
class Watching {
 public:
  Watching(const Watchdog::Options& options, WatchdogState* state, pid_t parent)
      : options_(options),
        state_(state),
        parent_(OpenProcess(parent)),
        timer_(timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK)),
        belief_(options.client, options.key, options.token,
                {.boottime = state->end_boottime, .raw = state->end_raw},
                absl::Nanoseconds(state->span_ns.load())) {
    CHECK(timer_.is_open()) << errno;
    if (!parent_.is_open() || getppid() != parent) LoseParent();
  }

  [[noreturn]] void Run() {
    while (!is_lifeline_closed_ || !is_parent_gone_) {
      belief_.Turn();
      state_->end_boottime = belief_.end().boottime;
      state_->end_raw = belief_.end().raw;
      state_->span_ns = absl::ToInt64Nanoseconds(belief_.span());
      Act();
      Wait();
    }
    _exit(0);
  }

 private:
  absl::Duration Margin() const {
    return std::min(MarginMax(), belief_.span() / kMarginPart);
  }
  absl::Duration Grace() const {
    // Of a lock that is taken away nothing is renewed: all that is left of it
    // may be used.
    if (belief_.revocation().has_value()) return options_.grace;
    return std::min(options_.grace, belief_.span() / kGracePart);
  }

  void Act() {
    if (belief_.loss().has_value() &&
        belief_.loss()->reason == LossReason::kReleased) {
      Done();  // by somebody who has the token
    }
    const bool is_lost = belief_.loss().has_value();
    const bool is_taken = is_lost || belief_.revocation().has_value();
    const absl::Duration left = belief_.end().Until() - Margin();
    switch (options_.on_lost) {
      case OnLost::kWarn:
        if (!is_lost && left > absl::ZeroDuration()) return;
        Say("lost", "another may have it now; the command goes on");
        Done();
      case OnLost::kTerminate:
        if (is_lost && !IsGuarded(belief_.loss()->reason)) return Kill();
        if (!is_taken && !state_->has_terminated && left > Grace()) return;
        if (!state_->has_terminated) Terminate();
        // It was taken away: the grace counts from now.
        if (is_taken && !kill_by_.has_value()) {
          kill_by_ = BeliefInstant::Now() + Grace();
        }
        if (left > absl::ZeroDuration() &&
            (!kill_by_.has_value() ||
             kill_by_->Until() > absl::ZeroDuration())) {
          return;
        }
        return Kill();
      case OnLost::kKill:
        if (!is_taken && left > absl::ZeroDuration()) return;
        return Kill();
    }
  }

  // From here on whoever reads our caller's standard error is not to wait for
  // us.
  void LoseParent() {
    is_parent_gone_ = true;
    dup2(STDOUT_FILENO, STDERR_FILENO);
  }

  void Terminate() {
    // Before the signal: this process is not needed once the command has ended.
    const absl::Duration left = belief_.end().Until() - Margin();
    Say(belief_.loss().has_value() ? "lost" : "about to lose",
        absl::StrCat("the command gets SIGTERM, and SIGKILL in ",
                     Words(std::clamp(left, absl::ZeroDuration(), Grace()))));
    Signal(SIGTERM);
    Signal(SIGCONT);
    state_->has_terminated = true;
  }

  void Kill() {
    if (!state_->has_said_kill.exchange(true)) {
      Say(belief_.revocation().has_value() && !belief_.loss().has_value()
              ? "about to lose"
              : "lost",
          "the command gets SIGKILL");
    }
    Signal(SIGKILL);  // which ends this process, too
  }

  void Signal(int signal) {
    state_->has_acted = true;
    kill(-options_.group, signal);
  }

  [[noreturn]] void Done() {
    state_->is_done = true;
    _exit(0);
  }

  // Said only if standard error takes it at once: nothing may hold up a signal.
  void Say(absl::string_view event, absl::string_view what) {
    const std::optional<BeliefWatch::Loss>& cause =
        belief_.loss().has_value() ? belief_.loss() : belief_.revocation();
    const std::string why =
        cause.has_value() ? Escape(cause->text)
                          : "no agent has confirmed the lock for too long";
    std::string line =
        absl::StrCat(kProgram, ": ", event, " ", Escape(options_.key), ": ",
                     why, "; ", what, "\n");
    if (line.size() > PIPE_BUF) {
      line.resize(PIPE_BUF - 1);
      line += '\n';
    }
    pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
    if (poll(&fd, 1, 0) <= 0) return;
    static_cast<void>(write(STDERR_FILENO, line.data(), line.size()) < 0);
  }

  // Until something came, or it is time for something.
  void Wait() {
    absl::Duration wait = belief_.UntilTurn();
    absl::Duration left = belief_.end().Until() - Margin();
    if (kill_by_.has_value()) left = std::min(left, kill_by_->Until());
    if (options_.on_lost == OnLost::kTerminate && !state_->has_terminated) {
      left -= Grace();
    }
    // CLOCK_BOOTTIME, by which the timer goes, may be slewed by a tenth: look
    // earlier, and again.
    wait = std::clamp(std::min(wait, left * 0.9), absl::Milliseconds(1),
                      absl::Hours(1));
    const itimerspec time = {.it_interval = {},
                             .it_value = absl::ToTimespec(wait)};
    CHECK(timerfd_settime(timer_.get(), 0, &time, nullptr) == 0) << errno;
    std::array<pollfd, 4> fds = {
        pollfd{.fd = timer_.get(), .events = POLLIN, .revents = 0},
        pollfd{.fd = belief_.fd(), .events = POLLIN, .revents = 0},
        pollfd{.fd = is_lifeline_closed_ ? -1 : options_.lifeline,
               .events = POLLIN,
               .revents = 0},
        pollfd{.fd = is_parent_gone_ ? -1 : parent_.get(),
               .events = POLLIN,
               .revents = 0}};
    poll(fds.data(), fds.size(), -1);
    if (fds[2].revents != 0) is_lifeline_closed_ = true;
    if (fds[3].revents != 0) LoseParent();
  }

  const Watchdog::Options& options_;
  WatchdogState* const state_;
  const FileDescriptor parent_;
  const FileDescriptor timer_;
  BeliefWatch belief_;
  bool is_lifeline_closed_ = false;
  bool is_parent_gone_ = false;
  std::optional<BeliefInstant> kill_by_;  // once the lock is taken away
};

}  // namespace

absl::StatusOr<std::unique_ptr<Watchdog>> Watchdog::Create(
    Options options, const BeliefWatch& belief) {
  void* memory = mmap(nullptr, sizeof(WatchdogState), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return SystemError("mmap", errno);
  auto* state = new (memory) WatchdogState;
  state->end_boottime = belief.end().boottime;
  state->end_raw = belief.end().raw;
  state->span_ns = absl::ToInt64Nanoseconds(belief.span());
  return std::unique_ptr<Watchdog>(new Watchdog(std::move(options), state));
}

Watchdog::~Watchdog() { munmap(state_, sizeof(WatchdogState)); }

absl::Status Watchdog::Start() {
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ < 0) return SystemError("fork", errno);
  if (pid_ > 0) {
    setpgid(pid_, options_.group);  // whoever of the two is first
    return absl::OkStatus();
  }
  setpgid(0, options_.group);
  // Nothing that is meant for the command ends or stops it, but SIGKILL.
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  prctl(PR_SET_NAME, "cachalot-watch");
  // It must not keep alive what the command holds, nor its pipes.
  close(options_.connection);
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  dup2(null, STDIN_FILENO);
  dup2(null, STDOUT_FILENO);
  if (null > STDERR_FILENO) close(null);
  Watching(options_, state_, parent).Run();
}

void Watchdog::Stop() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

bool Watchdog::HasFailed() {
  pid_ = -1;
  return !state_->is_done;
}

}  // namespace cachalot::tools
