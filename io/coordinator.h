#ifndef IO_COORDINATOR_H_
#define IO_COORDINATOR_H_

#include <memory>
#include <stop_token>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engine/ids.h"
#include "engine/member.h"
#include "engine/request.h"
#include "io/async_coordinator.h"
#include "io/coordinator_options.h"
#include "io/held_lock.h"
#include "io/log.h"
#include "io/run_result.h"
#include "io/time_span.h"

// Cachalot in a process: one member of a cluster, and the locks it takes.
//
//   CoordinatorOptions options;
//   options.bind = "localhost:7947";
//   options.seeds = {"localhost:7946"};
//   auto coordinator = Coordinator::Create(options).value();
//   coordinator->Connect(absl::Seconds(10));
//   absl::StatusOr<HeldLock> lock =
//       coordinator->Lock("example-key", absl::Seconds(30));
namespace cachalot {

class EngineDriver;

// One member of a cluster, with a thread of its own. Thread-safe.
//
// Each operation has a blocking form and one that calls back, on that thread:
// async_coordinator.h has those, and says what the status codes mean. Callbacks
// may call the asynchronous forms; a blocking form fails there.
//
// Durations are absl's or std::chrono's, as TimeSpan says.
class Coordinator : public AsyncCoordinator {
 public:
  // Binds and begins to look for the cluster, in a thread of its own.
  //
  // A seed's name that cannot be looked up is no error.
  // Errors: InvalidArgument, NotFound (the host of `bind` or `advertise`),
  // Unavailable (the name service does not know it now), AlreadyExists (port or
  // local socket taken), PermissionDenied (port), Internal.
  static absl::StatusOr<std::unique_ptr<Coordinator>> Create(
      CoordinatorOptions options);

  // Stops, as ~AsyncCoordinator() says.
  ~Coordinator() = default;

  // Waits until locks can be taken. Not needed: a Lock() waits by itself.
  // Errors: DeadlineExceeded (names the seeds that were tried; it goes on
  // trying), Cancelled (by `stop`), FailedPrecondition (in a callback; after
  // Leave(); closed).
  absl::Status Connect(TimeSpan timeout, std::stop_token stop = {});

  // These wait for what LockAsync() and the others call back with; the same
  // arguments and errors. Also FailedPrecondition: in a callback.

  absl::StatusOr<HeldLock> Lock(absl::string_view key, TimeSpan ttl,
                                LockOptions options = {});
  absl::StatusOr<HeldLock> TryLock(absl::string_view key, TimeSpan ttl,
                                   LockOptions options = {});
  absl::Status Renew(absl::string_view key, TimeSpan ttl,
                     absl::string_view owner = "");
  absl::Status Renew(absl::string_view key, TimeSpan ttl, FencingToken token);
  absl::Status Release(absl::string_view key, absl::string_view owner = "");
  absl::Status Release(absl::string_view key, FencingToken token);
  absl::StatusOr<std::vector<LockInfo>> GetLocks(absl::string_view prefix = "");
  absl::StatusOr<std::vector<WaiterInfo>> GetWaiters(absl::string_view key);
  absl::StatusOr<LockInfo> ForceRelease(absl::string_view key,
                                        absl::string_view reason,
                                        FencingToken token = {});
  absl::StatusOr<std::vector<MemberInfo>> GetMembers();
  // Then nothing but the destructor is of use.
  absl::Status Leave();

  // Runs `fn` while it holds `key`, which is kept renewed meanwhile and given
  // up afterwards, also if `fn` throws. `fn` takes the HeldLock&, or a
  // std::stop_token that trips when the lock is in danger or lost, or nothing.
  //
  // Returns what `fn` does (an absl::Status or absl::StatusOr as it is, a value
  // in a StatusOr, nothing as OK), also if the lock was lost meanwhile: `fn` is
  // the one to ask the token. If the lock was not granted `fn` is not called,
  // and the error is that of Lock().
  template <typename Fn>
  RunResult<Fn> RunUnderLock(absl::string_view key, LockOptions options,
                             Fn fn) {
    return RunUnderLock(key, absl::Seconds(15), std::move(options),
                        std::move(fn));
  }
  template <typename Fn>
  RunResult<Fn> RunUnderLock(absl::string_view key, TimeSpan ttl,
                             LockOptions options, Fn fn);

 private:
  friend class CoordinatorPeer;  // tests/io/judge

  // A coordinator of what `driver` runs, with the part of the options that is
  // not the driver's.
  static absl::StatusOr<std::unique_ptr<Coordinator>> Over(
      std::unique_ptr<EngineDriver> driver, std::shared_ptr<Logger> log,
      CoordinatorOptions options);
  explicit Coordinator(std::unique_ptr<CoordinatorParts> parts);
};

template <typename Fn>
RunResult<Fn> Coordinator::RunUnderLock(absl::string_view key, TimeSpan ttl,
                                        LockOptions options, Fn fn) {
  options.renew = true;
  absl::StatusOr<HeldLock> lock = Lock(key, ttl, std::move(options));
  if (!lock.ok()) return lock.status();
  // A release that fails is one that comes later, by the end of the lease.
  if constexpr (std::is_void_v<decltype(CallUnderLock(fn, *lock))>) {
    CallUnderLock(fn, *lock);
    lock->Release().IgnoreError();
    return absl::OkStatus();
  } else {
    RunResult<Fn> result = CallUnderLock(fn, *lock);
    lock->Release().IgnoreError();
    return result;
  }
}

}  // namespace cachalot

#endif  // IO_COORDINATOR_H_
