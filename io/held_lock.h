#ifndef IO_HELD_LOCK_H_
#define IO_HELD_LOCK_H_

#include <chrono>
#include <memory>
#include <stop_token>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "engine/ids.h"
#include "engine/request.h"
#include "io/grant.h"
#include "io/time_span.h"

namespace cachalot {

class LockService;

using StatusCallback = absl::AnyInvocable<void(absl::Status)>;

// A lock that this process was granted. Gives it up when destroyed, without
// waiting for that to be done.
//
// Whatever the lock protects is safe only while remaining() is above zero, and
// where it checks token(): a process may be paused between a look at
// remaining() and what it does next. Movable; thread-safe but for moves.
//
// A child of fork() does not hold its parent's locks: there the lock is lost,
// calls fail with FailedPrecondition, and to destroy it does nothing.
class [[nodiscard]] HeldLock {
 public:
  // REQUIRES: `grant` came from `service`.
  HeldLock(std::shared_ptr<LockService> service, std::shared_ptr<Grant> grant);
  HeldLock(HeldLock&& other) noexcept = default;
  HeldLock& operator=(HeldLock&& other) noexcept;
  ~HeldLock();

  // REQUIRES of all that follows: not moved from.

  const std::string& key() const { return grant_->key(); }
  const std::string& owner() const { return grant_->owner(); }
  // Higher than that of every earlier grant in the cluster. To be handed to
  // what the lock protects, which refuses lower ones than it has seen.
  FencingToken token() const { return grant_->token(); }

  // For how much longer nobody else can hold the lock, by a fresh look at the
  // clock. Zero once it is lost, and from then on.
  //
  // This is the earlier of two ends: that of the lock's own lease, for which it
  // was taken or renewed, and that of the member's session, which the member
  // renews by itself every few seconds for as long as it reaches the cluster
  // (LeaseOptions::session_ttl). A lock that is held for an hour shows a few
  // seconds here, again and again.
  absl::Duration remaining() const;
  // The first of the two alone: how long the lock can be kept without being
  // renewed, if the session is.
  absl::Duration lease_remaining() const;
  Belief state() const;
  std::chrono::nanoseconds remaining_chrono() const {
    return absl::ToChronoNanoseconds(remaining());
  }
  std::chrono::nanoseconds lease_remaining_chrono() const {
    return absl::ToChronoNanoseconds(lease_remaining());
  }
  // Trips, for good, when the lock becomes suspect or is lost or released:
  // begin nothing new, and end what is under way. Functions registered with it
  // run on the member's thread and must not block; the destructor of a
  // std::stop_callback waits for them.
  std::stop_token stop_token() const;
  // Why it is lost; kNone while it is not. In a child of fork(): kClosed.
  LossReason loss_reason() const;
  // The same, and the words of the administrator who took it.
  LockLoss loss() const;

  // Extends the lease to `ttl` from now; never shortens it.
  // Errors: FailedPrecondition (lost), InvalidArgument (`ttl`), Unavailable,
  // Unknown.
  absl::Status Renew(TimeSpan ttl);
  void RenewAsync(TimeSpan ttl, StatusCallback done);

  // Gives the lock up. It is lost from the call on, whatever the answer: with
  // Unavailable or Unknown others may have to wait for the lease to end. Not
  // told to `on_change`; waits for a call of it that runs in another thread.
  // Errors: FailedPrecondition (lost before), Unavailable, Unknown.
  absl::Status Release();
  void ReleaseAsync(StatusCallback done);

  // Lets go of the handle and keeps the lock, until it is released by its key
  // or its lease ends. `on_change` goes on being called.
  void Detach();

 private:
  void GiveUp();

  std::shared_ptr<LockService> service_;
  std::shared_ptr<Grant> grant_;
};

}  // namespace cachalot

#endif  // IO_HELD_LOCK_H_
