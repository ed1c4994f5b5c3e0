#ifndef IO_ASYNC_COORDINATOR_H_
#define IO_ASYNC_COORDINATOR_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/address.h"
#include "engine/ids.h"
#include "engine/member.h"
#include "engine/request.h"
#include "io/agent_status.h"
#include "io/coordinator_options.h"
#include "io/grant.h"
#include "io/held_lock.h"
#include "io/status_codes.h"
#include "io/time_span.h"

// What the status codes mean, wherever they come from:
//
//   OK                  It is done.
//   Unknown             It may have happened, or may happen yet. IsUnknown().
//
// and of all others that nothing was changed and nothing will be; IsRefused():
//
//   AlreadyExists       TryLock(): the lock is held by another. Create(): the
//                       port is.
//   DeadlineExceeded    The wait ended first; the lock is not held. Connect():
//                       still trying.
//   FailedPrecondition  Not held, or lost; after Leave(); or a blocking call
//                       from a callback.
//   PermissionDenied    Held in this process by another owner, or taken the
//                       other way (by this program, at its local socket).
//   ResourceExhausted   Too much at once; later it may do.
//   Unavailable         No leader of a cluster was reached in time.
//   Cancelled           Withdrawn by the caller.
//   InvalidArgument     A limit or a form; the text says which.
//   NotFound            Create(): no such host.
namespace cachalot {

struct CoordinatorParts;
class LockService;

// What Coordinator, which has a thread, and EmbeddedCoordinator, which has
// none, have in common: one member of a cluster, and calls that do not wait.
// Thread-safe.
//
// Callbacks come on the member's thread, exactly once, and must not block it.
// When the member is closed, they come at once, on the caller's thread. A
// callback that throws ends the program.
//
// A child of fork() inherits no member: there each call fails with
// FailedPrecondition, no lock is held, and the destructor leaves everything
// alone. Descriptors are closed by exec. No signals are used: a member's own
// thread blocks all but those of crashes and profilers, and never raises
// SIGPIPE. Nothing throws but std::bad_alloc; broken invariants abort.
class AsyncCoordinator {
 public:
  using LockCallback = absl::AnyInvocable<void(absl::StatusOr<HeldLock>)>;
  using LocksCallback =
      absl::AnyInvocable<void(absl::StatusOr<std::vector<LockInfo>>)>;
  using LockInfoCallback = absl::AnyInvocable<void(absl::StatusOr<LockInfo>)>;
  using WaitersCallback =
      absl::AnyInvocable<void(absl::StatusOr<std::vector<WaiterInfo>>)>;
  using MembersCallback =
      absl::AnyInvocable<void(absl::StatusOr<std::vector<MemberInfo>>)>;

  AsyncCoordinator(const AsyncCoordinator&) = delete;
  AsyncCoordinator& operator=(const AsyncCoordinator&) = delete;

  // Takes `key` (1 to 1024 bytes) for `ttl` (100 ms to 24 h), waiting for it in
  // the order of arrival. A second Lock() of a key in one process waits like
  // anybody else's.
  //
  // Errors: DeadlineExceeded, InvalidArgument, ResourceExhausted
  // (CoordinatorOptions::limits), Unavailable, FailedPrecondition, Unknown.
  //
  // The number is for Withdraw().
  RequestId LockAsync(absl::string_view key, TimeSpan ttl, LockOptions options,
                      LockCallback done);
  // The same without waiting; `options.wait` means nothing.
  // Errors: AlreadyExists instead of DeadlineExceeded.
  RequestId TryLockAsync(absl::string_view key, TimeSpan ttl,
                         LockOptions options, LockCallback done);
  // Takes back a LockAsync() that has not been answered: it is answered with
  // Cancelled.
  void Withdraw(RequestId request);

  // Extends, or gives up, the lock of `key`, for callers that have no HeldLock
  // of it. They prove their right to it: by the token of its grant, or by the
  // owner under which this program took it. Locks without an owner, and those
  // taken through the local socket, go by their token only; whoever took the
  // lock is told by its `on_change`.
  //
  // Errors: InvalidArgument (`ttl`; neither token nor owner),
  // FailedPrecondition, PermissionDenied, Unavailable, Unknown.
  void RenewAsync(absl::string_view key, TimeSpan ttl, absl::string_view owner,
                  StatusCallback done);
  void RenewAsync(absl::string_view key, TimeSpan ttl, FencingToken token,
                  StatusCallback done);
  void ReleaseAsync(absl::string_view key, absl::string_view owner,
                    StatusCallback done);
  void ReleaseAsync(absl::string_view key, FencingToken token,
                    StatusCallback done);

  // The locks whose keys begin with `prefix`, ordered by key, as the leader has
  // them: linearizable, up to 1000 locks; more come in pages, each of which is.
  // Errors: Unavailable, FailedPrecondition.
  void GetLocksAsync(absl::string_view prefix, LocksCallback done);

  // Who waits for `key`, as the leader has it: whoever is served first comes
  // first. In pages, between which the queue may move.
  // Errors: InvalidArgument (`key`), Unavailable, FailedPrecondition.
  void GetWaitersAsync(absl::string_view key, WaitersCallback done);

  // Takes `key` from whoever holds it, for administrators: its holder is told
  // `reason` (1 to 256 bytes; LossReason::kRevoked), stops believing in the
  // lock and gives it back, so that the next who waits is granted it within a
  // round trip; a `cachalot run` ends its command first. Nobody is granted it
  // before: a holder that cannot be reached keeps it until its lease or its
  // session ends, and cannot renew it. With `token`, only that grant is taken.
  // Returns at once, with the holder; its `remaining` is how long the lock may
  // be held yet.
  //
  // Errors: FailedPrecondition (nobody holds it, or not under `token`),
  // InvalidArgument, Unavailable, Unknown.
  void ForceReleaseAsync(absl::string_view key, absl::string_view reason,
                         FencingToken token, LockInfoCallback done);

  // The members and their roles as the leader sees them: linearizable in the
  // voters; who seems alive is the leader's opinion.
  void GetMembersAsync(MembersCallback done);

  // Releases all locks, tells the members, and calls back when that is done or
  // LeaseOptions::leave_timeout has passed. Then nothing but the destructor is
  // of use. Before that, programs at the local socket which release their locks
  // themselves (`cachalot run`) have as long to do so.
  void LeaveAsync(StatusCallback done);

  // What this member knows by itself. At once on the member's thread, in
  // callbacks too; other threads wait for the end of its turn.

  // The locks whose keys begin with `prefix`, as this member's copy has them:
  // perhaps out of date.
  // Errors: FailedPrecondition (this node keeps no copy: of many members only
  // the voters and 16 others do; closed).
  absl::StatusOr<std::vector<LockInfo>> GetLocksLocal(
      absl::string_view prefix = "");
  // The members as this one sees them. Errors: FailedPrecondition (closed).
  absl::StatusOr<std::vector<MemberInfo>> GetMembersLocal();
  // Where this member stands, for status lines. Errors: FailedPrecondition
  // (closed).
  absl::StatusOr<AgentStatus> GetStatus();

  // Where this node can be reached.
  const Address& address() const;
  const std::string& name() const;

 protected:
  explicit AsyncCoordinator(std::unique_ptr<CoordinatorParts> parts);
  // Stops. Without LeaveAsync() before it, the others see a process that died:
  // its locks are free when their leases end. Here they are lost at once
  // (kClosed). Calls that wait in other threads end with FailedPrecondition, or
  // with Unknown if what they asked for was on its way; this waits until they
  // have returned, and no callback runs or begins after it. To be called in a
  // callback is an error that aborts the program.
  ~AsyncCoordinator();

  const CoordinatorParts& parts() const { return *parts_; }
  const std::shared_ptr<LockService>& service() const;

 private:
  const std::unique_ptr<CoordinatorParts> parts_;
};

}  // namespace cachalot

#endif  // IO_ASYNC_COORDINATOR_H_
