#ifndef IO_ELECTION_H_
#define IO_ELECTION_H_

#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "engine/ids.h"
#include "engine/request.h"
#include "io/coordinator.h"
#include "io/held_lock.h"
#include "io/time_span.h"

namespace cachalot {

struct ElectionOptions {
  // Who leads, as Leader() shows it to everybody; at most 64 bytes. Empty: the
  // name of the coordinator.
  std::string label;
  // How soon another can lead when this one dies or hangs, at most; renewed
  // meanwhile, by the member's own thread.
  TimeSpan ttl = absl::Seconds(15);
  // Told once when the leadership is lost, but not by Resign(). As
  // LockOptions::on_change: on the member's thread, must not block or throw.
  std::function<void(LossReason)> on_lost;
};

// One candidate for the leadership of `name`: the leader holds the lock
// "election/NAME". Thread-safe.
//
//   Election election(coordinator.get(), "scheduler");
//   if (election.Campaign().ok()) Schedule(election.stop_token());
//   election.Resign();
class Election {
 public:
  // `coordinator` is not owned and outlives the election. `name` has 1 to 1000
  // bytes.
  Election(Coordinator* coordinator, std::string name,
           ElectionOptions options = {});
  // Resigns, without waiting for that to be done.
  ~Election();
  Election(const Election&) = delete;
  Election& operator=(const Election&) = delete;

  // Waits until this candidate leads, in the order of arrival; at once if it
  // does. `stop` ends the wait.
  // Errors: DeadlineExceeded, Cancelled, InvalidArgument (the name, the label),
  // FailedPrecondition (it campaigns in another thread), and those of
  // Coordinator::Lock().
  absl::Status Campaign(TimeSpan wait = absl::InfiniteDuration(),
                        std::stop_token stop = {}) ABSL_LOCKS_EXCLUDED(mutex_);
  // Lets the next one lead. Without effect if this one does not.
  // Errors: Unavailable, Unknown (the next one may have to wait for the lease).
  absl::Status Resign() ABSL_LOCKS_EXCLUDED(mutex_);

  // By a fresh look at the clock: right even if this process was paused.
  bool is_leader() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Of the leadership: higher than those before. None if it does not lead.
  FencingToken token() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Trips when the leadership is in danger or lost; has tripped if it does not
  // lead.
  std::stop_token stop_token() const ABSL_LOCKS_EXCLUDED(mutex_);

  // The label of whoever leads now, as the cluster's leader knows it; nothing
  // if nobody leads.
  // Errors: InvalidArgument (the name), those of Coordinator::GetLocks().
  absl::StatusOr<std::optional<std::string>> Leader() const;

 private:
  // Errors: InvalidArgument.
  absl::Status CheckName() const;
  // Takes the lock out of this object: it must not be given up under `mutex_`,
  // which its callback may want.
  std::optional<HeldLock> TakeLock() ABSL_LOCKS_EXCLUDED(mutex_);

  Coordinator* const coordinator_;
  const std::string key_;
  const ElectionOptions options_;

  mutable absl::Mutex mutex_;
  bool is_campaigning_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<HeldLock> lock_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cachalot

#endif  // IO_ELECTION_H_
