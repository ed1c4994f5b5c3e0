#ifndef TOOLS_CLI_WATCHDOG_H_
#define TOOLS_CLI_WATCHDOG_H_

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "engine/ids.h"
#include "io/socket.h"
#include "tools/cli/ask.h"
#include "tools/cli/belief_watch.h"

namespace cachalot::tools {

// What is done to a command whose lock is about to be lost.
enum class OnLost {
  kTerminate,  // SIGTERM, and SIGKILL when the grace is over
  kKill,       // SIGKILL
  kWarn,       // said on standard error
};

// What the watchdog and the process that started it share: memory of both.
struct WatchdogState {
  // BeliefWatch::end() and span().
  std::atomic<int64_t> end_boottime;
  std::atomic<int64_t> end_raw;
  std::atomic<int64_t> span_ns;
  // The command was signalled because of the lock.
  std::atomic<bool> has_acted{false};
  // What was done, so that a watchdog that replaces another does not do or say
  // it twice.
  std::atomic<bool> has_terminated{false};
  std::atomic<bool> has_said_kill{false};
  // Nothing is left to watch: the lock was released, or its loss is told.
  std::atomic<bool> is_done{false};
};

// Sees to it that a command ends before belief in its lock does: a process of
// its own, in the command's process group, that signals this group by the local
// clock. It works on when the process that started it is stopped or killed, as
// long as a process of the command lives, and shields the group's number from
// being used again.
class Watchdog {
 public:
  struct Options {
    ClientOptions client;
    std::string key;
    FencingToken token;
    OnLost on_lost = OnLost::kTerminate;
    absl::Duration grace;
    pid_t group = 0;
    // Closed when no process of the command holds its other end.
    int lifeline = -1;
    // To be closed in the watchdog: what the command's processes hold.
    int connection = -1;
  };

  // `belief`: what is known of it now.
  // Errors: Internal (no memory to share).
  static absl::StatusOr<std::unique_ptr<Watchdog>> Create(
      Options options, const BeliefWatch& belief);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // Starts the process, or starts it again. Errors: Internal.
  absl::Status Start();
  // SIGKILL.
  void Stop();
  // It was waited for, though nobody stopped it. True if it is still needed.
  bool HasFailed();

  pid_t pid() const { return pid_; }
  const WatchdogState& state() const { return *state_; }

 private:
  Watchdog(Options options, WatchdogState* state)
      : options_(std::move(options)), state_(state) {}

  const Options options_;
  WatchdogState* const state_;  // of a mapping
  pid_t pid_ = -1;
};

}  // namespace cachalot::tools

#endif  // TOOLS_CLI_WATCHDOG_H_
