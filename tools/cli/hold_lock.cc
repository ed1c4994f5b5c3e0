#include "tools/cli/hold_lock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "engine/check.h"
#include "engine/request.h"
#include "io/escape.h"
#include "io/local/client.h"
#include "io/local/protocol.h"
#include "io/wait_deadline.h"
#include "tools/base/interrupt.h"
#include "tools/cli/belief_watch.h"

namespace cachalot::tools {

namespace {

constexpr absl::Duration ReleaseTimeout() { return absl::Seconds(2); }

// Whether the end of standard input means anything.
bool InputCanEnd() {
  struct stat status;
  if (fstat(STDIN_FILENO, &status) != 0) return false;
  return S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode) ||
         isatty(STDIN_FILENO) == 1;
}

// Whether what is typed is for somebody else: the shell, if this process was
// started with "&".
bool IsInBackground() {
  const pid_t foreground = tcgetpgrp(STDIN_FILENO);
  return foreground >= 0 && foreground != getpgrp();
}

// Otherwise a process that reads in the background is stopped, deaf to signals.
void RefuseToBeStopped() {
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTTIN);
  CHECK(sigprocmask(SIG_BLOCK, &stop, nullptr) == 0);
}

// False at its end.
bool SkipInput() {
  std::array<char, 4096> buffer;
  const ssize_t count = read(STDIN_FILENO, buffer.data(), buffer.size());
  if (count >= 0) return count > 0;
  return errno == EINTR || errno == EAGAIN ||
         (errno == EIO && IsInBackground());
}

enum class End { kInput, kInterrupt, kReleased, kLost };

End AwaitEnd(BeliefWatch& belief) {
  const bool input_can_end = InputCanEnd();
  while (true) {
    belief.Turn();
    if (belief.loss().has_value()) {
      return belief.loss()->reason == LossReason::kReleased ? End::kReleased
                                                            : End::kLost;
    }
    const absl::Duration left = belief.end().Until();
    if (left <= absl::ZeroDuration()) return End::kLost;
    if (Interrupted()) return End::kInterrupt;
    // Looked at early: poll(2) does not count suspend, and may be slewed.
    const WaitDeadline deadline = WaitDeadline::After(
        std::min({belief.UntilTurn(), left * 0.9, absl::Seconds(1)}));
    std::array<pollfd, 3> fds = {
        pollfd{.fd = input_can_end && !IsInBackground() ? STDIN_FILENO : -1,
               .events = POLLIN,
               .revents = 0},
        pollfd{.fd = belief.fd(), .events = POLLIN, .revents = 0},
        pollfd{.fd = InterruptFd(), .events = POLLIN, .revents = 0}};
    poll(fds.data(), fds.size(), deadline.PollTimeout());
    if (fds[0].revents != 0 && !SkipInput()) return End::kInput;
  }
}

}  // namespace

ExitCode Hold(const ClientOptions& options, const LockArguments& arguments) {
  CatchInterrupts();
  RefuseToBeStopped();
  const std::string key = Escape(arguments.key);
  const WaitDeadline deadline =
      WaitDeadline::After(options.timeout + arguments.wait);
  const absl::StatusOr<std::unique_ptr<LocalClient>> connected =
      ConnectToAgent(options, deadline);
  if (!connected.ok()) {
    return RefuseHold(options, arguments, NoAnswer(connected.status()));
  }
  LocalClient& client = **connected;
  const Answer answer =
      TakeLock(options, client, HoldRequest(arguments), deadline);
  if (answer.outcome != Outcome::kOk) {
    return RefuseHold(options, arguments, answer);
  }
  const LocalRequest release = {.operation = LocalOperation::kRelease,
                                .key = arguments.key,
                                .token = answer.token};
  const absl::StatusOr<std::unique_ptr<BeliefWatch>> belief =
      StartBeliefWatch(options, client, arguments.key, answer.token);
  if (!belief.ok()) {
    return RefuseUnwatched(options, arguments, belief.status());
  }
  const absl::Status written =
      WriteDone(options, "locked", arguments, answer.token);
  if (!written.ok()) {
    static_cast<void>(client.Call(release, ReleaseTimeout()));
    return Fail(kProgram, written);
  }
  const End end = AwaitEnd(**belief);
  if (end == End::kReleased) return ExitCode::kOk;
  if (end == End::kLost) {
    const auto& loss = (*belief)->loss();
    Complain(absl::StrCat(
        "lost ", key, ": ",
        loss.has_value() ? Escape(loss->text)
                         : "no agent has confirmed the lock for too long"));
    return ExitCode::kLost;
  }
  LetNextInterruptEndTheProcess();
  const absl::StatusOr<LocalReply> reply =
      client.Call(release, ReleaseTimeout());
  if (reply.ok() && reply->answer.outcome == Outcome::kNotHeld) {
    Complain(absl::StrCat("lost ", key, ": ", Escape(reply->answer.text)));
    return ExitCode::kLost;
  }
  return ExitCode::kOk;
}

}  // namespace cachalot::tools
