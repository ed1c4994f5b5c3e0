#ifndef TOOLS_CLI_BELIEF_WATCH_H_
#define TOOLS_CLI_BELIEF_WATCH_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "engine/ids.h"
#include "engine/request.h"
#include "io/local/client.h"
#include "io/local/protocol.h"
#include "tools/cli/ask.h"

namespace cachalot::tools {

// A moment on the two clocks by which a holder measures: CLOCK_BOOTTIME, which
// counts suspend, and CLOCK_MONOTONIC_RAW, which NTP does not slew. It is
// reached as soon as either clock has reached its part, so that a clock which
// is slow cannot prolong belief. All processes of a machine share it.
struct BeliefInstant {
  int64_t boottime = 0;  // nanoseconds
  int64_t raw = 0;

  static BeliefInstant Now();
  // Zero or less: it is reached.
  absl::Duration Until() const;
  friend BeliefInstant operator+(BeliefInstant instant, absl::Duration d) {
    return {.boottime = instant.boottime + absl::ToInt64Nanoseconds(d),
            .raw = instant.raw + absl::ToInt64Nanoseconds(d)};
  }
};

// Follows one lock for a process that acts under it: asks the agent, again and
// again, for how long it may be believed in, and waits for word of its loss.
// Never blocks: an agent that is stopped, dead or cut off is silence, and
// belief ends by this machine's clocks.
class BeliefWatch {
 public:
  struct Loss {
    LossReason reason = LossReason::kNone;
    std::string text;  // for people
  };

  // Belief lasts until `end` at least.
  BeliefWatch(ClientOptions options, std::string key, FencingToken token,
              BeliefInstant end, absl::Duration span);

  // Asks what is due and takes in what has come. To be called when fd() is
  // readable and when UntilTurn() has passed.
  void Turn();
  // To poll for input; -1: not connected.
  int fd() const { return client_ == nullptr ? -1 : client_->fd(); }
  absl::Duration UntilTurn() const;

  // Until when nobody else can hold the lock. Counted from before the agent was
  // asked, and less what clocks may differ by, so that a slow answer only
  // shortens it. Moves forward while all is well, and back with a revocation.
  BeliefInstant end() const { return end_; }
  // The longest that an answer gave: about as long as a lease.
  absl::Duration span() const { return span_; }
  // What the agent said of its loss. From then on nothing more is asked.
  const std::optional<Loss>& loss() const { return loss_; }
  // The lock is held yet, but must be released before end(): an administrator
  // takes it, or the agent leaves. Only of a lock that was taken with
  // LocalRequest::releases_itself.
  const std::optional<Loss>& revocation() const { return revocation_; }

 private:
  void Connect();
  void Ask();
  void Take(const LocalReply& reply);
  void TakeRevocation(const LocalReply& reply);
  // How often to ask, or to look for the agent.
  absl::Duration Interval() const;

  const ClientOptions options_;
  const std::string key_;
  const FencingToken token_;
  BeliefInstant end_;
  absl::Duration span_;
  std::optional<Loss> loss_;
  std::optional<Loss> revocation_;
  std::unique_ptr<LocalClient> client_;  // null: to be connected
  uint64_t loss_request_ = 0;
  uint64_t revocation_request_ = 0;
  uint64_t question_ = 0;  // that waits for its answer; zero: none
  BeliefInstant asked_at_;
  BeliefInstant next_turn_;
};

// Asks once, and waits for the answer.
// Errors: Unavailable (no answer in time), FailedPrecondition (lost).
absl::StatusOr<std::unique_ptr<BeliefWatch>> StartBeliefWatch(
    const ClientOptions& options, LocalClient& client, const std::string& key,
    FencingToken token);

}  // namespace cachalot::tools

#endif  // TOOLS_CLI_BELIEF_WATCH_H_
