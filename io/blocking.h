#ifndef IO_BLOCKING_H_
#define IO_BLOCKING_H_

#include <memory>
#include <optional>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/synchronization/notification.h"
#include "engine/ids.h"
#include "io/lock_service.h"
#include "io/status_codes.h"

namespace cachalot {

// Runs `run(done)` on the driver's thread; if the service has stopped, or has
// too much to do, `done` fails here and now. `Callback` takes a status or a
// StatusOr.
template <typename Callback, typename Run>
void PostCall(LockService& service, Callback done, Run run) {
  if (service.is_forked()) return done(service.ClosedError());
  const absl::Status begun = service.BeginPostedCall();
  if (!begun.ok()) return done(begun);
  auto shared = std::make_shared<Callback>(std::move(done));
  const bool is_posted =
      service.Post([&service, shared, run = std::move(run)]() mutable {
        service.FinishPostedCall();
        run(std::move(*shared));
      });
  if (!is_posted) {
    service.FinishPostedCall();
    (*shared)(service.ClosedError());
  }
}

// The same without a limit, for what may not be refused and is limited by what
// it gives up.
template <typename Callback, typename Run>
void PostAlways(LockService& service, Callback done, Run run) {
  auto shared = std::make_shared<Callback>(std::move(done));
  const bool is_posted = service.Post(
      [shared, run = std::move(run)]() mutable { run(std::move(*shared)); });
  if (!is_posted) (*shared)(service.ClosedError());
}

// Takes back an acquire, whatever has become of it. Not from a child of fork().
inline void PostWithdraw(LockService& service, RequestId request) {
  // A service that is closed has answered all requests.
  static_cast<void>(service.Post(
      [service = &service, request] { service->Withdraw(request); }));
}

// Waits for what `start(done)` begins. Fails on the driver's thread, which
// would wait for itself.
template <typename Result, typename Start>
Result RunBlocking(const std::shared_ptr<LockService>& service, Start start) {
  if (service->is_forked()) return service->ClosedError();
  const CallerScope scope(service);
  if (service->IsOnThread()) {
    return absl::FailedPreconditionError(
        "a blocking call on the member's own thread, as in a callback, would "
        "wait for itself: use the asynchronous form");
  }
  std::optional<Result> result;
  absl::Notification is_done;
  start([&result, &is_done](Result value) {
    result = std::move(value);
    is_done.Notify();
  });
  is_done.WaitForNotification();
  return *std::move(result);
}

// An answer that says no more than its status.
inline LockService::AnswerCallback AnswerWithStatus(
    absl::AnyInvocable<void(absl::Status)> done) {
  return [done = std::move(done)](const Answer& answer) mutable {
    done(ToStatus(answer));
  };
}

}  // namespace cachalot

#endif  // IO_BLOCKING_H_
