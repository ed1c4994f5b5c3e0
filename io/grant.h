#ifndef IO_GRANT_H_
#define IO_GRANT_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/request.h"
#include "io/lock_scope.h"

namespace cachalot {

// The news that a holder gets of its lock.
struct LockChange {
  std::string key;
  FencingToken token;
  Belief belief = Belief::kHeld;
  // With kLost: why. With kSuspect, where HoldTerms::releases_itself: why its
  // holder must release it; kNone: it need not.
  LossReason reason = LossReason::kNone;
  // With kRevoked: why an administrator took the lock; empty: none did.
  std::string text;
};

// Why a lock is lost.
struct LockLoss {
  LossReason reason = LossReason::kNone;  // kNone: it is not
  // With kRevoked: the words of the administrator who took it; empty: none did.
  std::string text;
};
using ChangeCallback = std::function<void(const LockChange&)>;

// One granted lock as this process believes in it: kept up to date by the
// driver's thread, read by the holder's. Thread-safe.
class Grant {
 public:
  // What never changes.
  struct Identity {
    RequestId request;
    std::string key;
    std::string owner;
    LockScope scope = LockScope::kEmbedder;
    FencingToken token;
  };

  // The end of belief in the session's lease, in nanoseconds: one for all
  // grants of the session, so that a keep-alive touches none of them.
  using SessionEnd = std::atomic<int64_t>;

  Grant(Identity&& identity, FastInstant lease_end,
        std::shared_ptr<const SessionEnd> session_end, ChangeCallback on_change)
      : identity_(std::move(identity)),
        on_change_(std::move(on_change)),
        session_end_(std::move(session_end)),
        lease_end_(lease_end.nanoseconds()) {}
  Grant(const Grant&) = delete;
  Grant& operator=(const Grant&) = delete;

  RequestId request() const { return identity_.request; }
  const std::string& key() const { return identity_.key; }
  const std::string& owner() const { return identity_.owner; }
  LockScope scope() const { return identity_.scope; }
  FencingToken token() const { return identity_.token; }

  // For how much longer nobody else can hold the lock; zero if it is lost.
  // `now` must be a fresh reading. Once zero, always zero: who was told that
  // a lock is lost is not told later that it was not.
  absl::Duration Remaining(FastInstant now);
  // The same of the lock's own lease, without the session's.
  absl::Duration LeaseRemaining(FastInstant now);
  // kLost as soon as nothing remains, though the news may not be out yet.
  Belief BeliefAt(FastInstant now);
  // kNone while it is not lost.
  LossReason loss_reason() const { return loss_reason_.load(); }
  LockLoss loss() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Trips for good when the lock is first suspect, or lost. What was registered
  // with it runs on the driver's thread, or on the holder's if that gives the
  // lock up.
  std::stop_token StopToken() ABSL_LOCKS_EXCLUDED(mutex_);
  void Trip() ABSL_LOCKS_EXCLUDED(mutex_);

  // Belief is over: the holder gives the lock up, or has seen its end.
  void Lose(LossReason reason);

  // The holder is told nothing more. Once this has returned, no call to it
  // begins, and none runs, but for one that this is called from.
  void Silence() ABSL_LOCKS_EXCLUDED(mutex_);

  // True the first time. One release for each grant, by its holder and to the
  // engine, is never refused: there are no more of them than grants.
  bool BeginHoldersRelease() { return !is_release_asked_.exchange(true); }

  // --- For the driver's thread ----------------------------------------------

  // Leases never become shorter: an earlier end is old news.
  void ExtendLease(FastInstant end) {
    lease_end_.store(std::max(lease_end_.load(), end.nanoseconds()));
  }
  // Belief ends at `end` at the latest, whatever the lease.
  void EndBy(FastInstant end) { end_by_.store(end.nanoseconds()); }
  bool BeginRelease() { return !std::exchange(is_release_sent_, true); }
  // Takes in what the engine says, and tells the holder.
  void Change(Belief belief, LossReason reason, absl::string_view text = {})
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Returns the reason that stands.
  LockLoss LoseBecause(LossReason reason, absl::string_view text)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Tell(const LockChange& change) ABSL_LOCKS_EXCLUDED(mutex_);

  const Identity identity_;
  const ChangeCallback on_change_;
  const std::shared_ptr<const SessionEnd> session_end_;
  std::atomic<int64_t> lease_end_;
  std::atomic<int64_t> end_by_{FastInstant::Never().nanoseconds()};
  std::atomic<Belief> belief_{Belief::kHeld};
  std::atomic<LossReason> loss_reason_{LossReason::kNone};
  std::atomic<bool> is_release_asked_{false};
  // Of the driver's thread.
  bool is_loss_told_ = false;
  bool is_release_sent_ = false;

  std::atomic<bool> has_stop_{false};  // stop_ has state

  mutable absl::Mutex mutex_;
  std::string loss_text_ ABSL_GUARDED_BY(mutex_);
  bool is_silent_ ABSL_GUARDED_BY(mutex_) = false;
  // Without state until somebody wants a token.
  std::stop_source stop_ ABSL_GUARDED_BY(mutex_){std::nostopstate};
  // The thread on which the holder is being told something; none: no thread.
  std::thread::id teller_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cachalot

#endif  // IO_GRANT_H_
