// The README's example: several processes, one lock, one winner.
//
//   time_lock <bind_address> <seed_node> <lock_time>
//
// Run it in three terminals. Each joins the cluster of `seed_node` (the one
// whose seed is itself founds it), waits for `lock_time`, and tries to take
// "example-key" for two minutes. One succeeds, and renews the lock after 45
// seconds; all say every ten seconds who has it. Ctrl+C releases, leaves, ends.

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "engine/request.h"
#include "io/coordinator.h"
#include "io/escape.h"
#include "io/wait_deadline.h"
#include "tools/base/exit_codes.h"
#include "tools/base/flags.h"
#include "tools/base/interrupt.h"
#include "tools/base/output.h"
#include "tools/base/version.h"
#include "tools/base/words.h"
#include "tools/examples/lock_time.h"

namespace cachalot::tools {
namespace {

constexpr char kKey[] = "example-key";
constexpr absl::Duration Lease() { return absl::Seconds(120); }
constexpr absl::Duration RenewAfter() { return absl::Seconds(45); }
constexpr absl::Duration StatusInterval() { return absl::Seconds(10); }

void SayChange(const LockChange& change) {
  switch (change.belief) {
    case Belief::kHeld:
      Say(absl::StrCat("sure of ", change.key, " again"));
      return;
    case Belief::kSuspect:
      Say(absl::StrCat("the lease of ", change.key, " is running out"));
      return;
    case Belief::kLost:
      Say(absl::StrCat("lost ", change.key, ": ",
                       LossReasonName(change.reason)));
      return;
  }
}

// Waits until this node can take locks. False if interrupted before.
bool Connect(Coordinator& coordinator, const std::string& seed) {
  WaitDeadline next_line = WaitDeadline::After(absl::Seconds(5));
  // Not in one long Connect(): Ctrl+C is to be heard.
  while (!coordinator.Connect(absl::ZeroDuration()).ok()) {
    if (!Pause(absl::Milliseconds(50))) return false;
    if (!next_line.has_passed()) continue;
    Say(absl::StrCat("no cluster with a leader was found yet; asking ", seed));
    next_line = WaitDeadline::After(absl::Seconds(5));
  }
  return true;
}

// Tries for the lock until there is an answer: held by us, or by another.
// Nothing if it is another's or an interrupt came.
std::optional<HeldLock> TryForLock(Coordinator& coordinator) {
  while (!Interrupted()) {
    LockOptions options;
    options.on_change = SayChange;
    absl::StatusOr<HeldLock> lock =
        coordinator.TryLock(kKey, Lease(), std::move(options));
    if (lock.ok()) return *std::move(lock);
    if (absl::IsAlreadyExists(lock.status())) {
      Say(absl::StrCat("not locked: ", lock.status().message()));
      return std::nullopt;
    }
    Say(absl::StrCat("trying again: ", lock.status().message()));
    Pause(absl::Seconds(1));
  }
  return std::nullopt;
}

void SayWhoHoldsIt(Coordinator& coordinator) {
  const absl::StatusOr<std::vector<LockInfo>> locks =
      coordinator.GetLocks(kKey);
  if (!locks.ok()) {
    Say(absl::StrCat("unknown who holds it: ", locks.status().message()));
    return;
  }
  for (const LockInfo& lock : *locks) {
    if (lock.key != kKey) continue;
    Say(absl::StrCat(kKey, " is held by ", Escape(lock.holder_name), ", token ",
                     lock.token.ToString(), "; ", TimesLeftInWords(lock)));
    return;
  }
  Say(absl::StrCat(kKey, " is free"));
}

void Renew(HeldLock& lock) {
  const absl::Status status = lock.Renew(Lease());
  Say(status.ok() ? absl::StrCat("renewed for another ", Words(Lease()))
                  : absl::StrCat("not renewed: ", status.message()));
}

bool EndsFirst(const WaitDeadline& a, const WaitDeadline& b) {
  return a.left() < b.left();
}

// Says who holds the lock, and renews our own once, until interrupted.
void Watch(Coordinator& coordinator, std::optional<HeldLock>& lock) {
  // By a clock that nobody sets: a renewal must not be late.
  WaitDeadline next_status = WaitDeadline::After(StatusInterval());
  WaitDeadline renewal = lock.has_value() ? WaitDeadline::After(RenewAfter())
                                          : WaitDeadline::Never();
  while (SleepUntil(std::min(next_status, renewal, EndsFirst))) {
    if (renewal.has_passed()) {
      Renew(*lock);
      renewal = WaitDeadline::Never();
    }
    if (next_status.has_passed()) {
      SayWhoHoldsIt(coordinator);
      next_status = WaitDeadline::After(StatusInterval());
    }
  }
}

// When to try for the lock. An interval counts from when this is made.
class LockMoment {
 public:
  explicit LockMoment(const LockTime& time)
      : time_(time),
        after_(WaitDeadline::After(
            time.after.value_or(absl::InfiniteDuration()))) {}

  // False if an interrupt came first.
  bool Wait() const {
    return time_.after.has_value() ? SleepUntil(after_)
                                   : SleepUntil(time_.time);
  }
  std::string ToString() const {
    return absl::FormatTime("%H:%M:%S", time_.time, absl::LocalTimeZone());
  }

 private:
  const LockTime time_;
  const WaitDeadline after_;
};

ExitCode Run(CoordinatorOptions options, const LockMoment& moment) {
  const std::string seed = options.seeds[0];
  absl::StatusOr<std::unique_ptr<Coordinator>> created =
      Coordinator::Create(std::move(options));
  if (!created.ok()) return Fail("time_lock", created.status());
  Coordinator& coordinator = **created;
  Say(absl::StrCat("listening on ", coordinator.address().ToString()));

  std::optional<HeldLock> lock;
  if (Connect(coordinator, seed)) {
    Say(absl::StrCat("connected; waiting for ", moment.ToString()));
    if (moment.Wait()) lock = TryForLock(coordinator);
    if (lock.has_value()) {
      // What is left at first is the session's: it is shorter than the lease.
      Say(absl::StrCat("locked ", kKey, " for ", Words(Lease()),
                       ", and for as long as this node's session is renewed (",
                       Words(lock->remaining()), " left), token ",
                       lock->token().ToString()));
    }
    Watch(coordinator, lock);
  }

  LetNextInterruptEndTheProcess();
  if (lock.has_value() && lock->state() != Belief::kLost) {
    const absl::Status released = lock->Release();
    Say(released.ok() ? absl::StrCat("released ", kKey)
                      : absl::StrCat("not released: ", released.message()));
  }
  const absl::Status left = coordinator.Leave();
  Say(left.ok() ? "left" : absl::StrCat("not left: ", left.message()));
  return ExitCode::kOk;
}

ExitCode Main(int argc, char** argv) {
  ReserveStandardStreams();
  CoordinatorOptions options;
  std::string seed;
  std::string time_text;
  CLI::App app("Tries to take one lock at one time, in several processes.");
  app.add_option("bind_address", options.bind, "where to listen, HOST:PORT")
      ->required();
  app.add_option("seed_node", seed,
                 "a member of the cluster, HOST:PORT; the own address founds "
                 "one")
      ->required();
  app.add_option("lock_time", time_text,
                 "when to try: 14:30, 14:30:15, 2026-11-23T14:30:00Z or +30s")
      ->required();
  app.set_version_flag("--version", VersionLine("time_lock"));
  app.footer(
      "Example, in three terminals:\n"
      "  time_lock localhost:7946 localhost:7946 +30s\n"
      "  time_lock localhost:7947 localhost:7946 +30s\n"
      "  time_lock localhost:7948 localhost:7946 +30s\n");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return EndParsing(app, error, "time_lock");
  }

  const absl::StatusOr<LockTime> lock_time =
      ParseLockTime(time_text, absl::Now(), absl::LocalTimeZone());
  if (!lock_time.ok()) return Fail("time_lock", lock_time.status());
  const LockMoment moment(*lock_time);
  options.seeds = {seed};
  // The one that is its own seed founds a cluster for this example alone.
  options.bootstrap = options.bind == seed;
  CatchInterrupts();
  return Run(std::move(options), moment);
}

}  // namespace
}  // namespace cachalot::tools

int main(int argc, char** argv) {
  return static_cast<int>(cachalot::tools::Main(argc, argv));
}
