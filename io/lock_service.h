#ifndef IO_LOCK_SERVICE_H_
#define IO_LOCK_SERVICE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "engine/action.h"
#include "engine/ids.h"
#include "engine/request.h"
#include "io/agent_status.h"
#include "io/driver.h"
#include "io/grant.h"

namespace cachalot {

// What a caller knows of a lock that it wants to renew or release: the token
// if it has one, else under which label the lock was taken.
struct HeldClaim {
  std::string key;
  std::string owner;
  FencingToken token;  // none: `owner` decides
};

// The locks of one process: its calls in flight and its grants. Both the
// embedder's API and the agent's local socket stand on it.
//
// Callbacks come exactly once, on the driver's thread; if the service stops
// first, in the midst of Stop(), with kUnknown.
class LockService : private Driver::Delegate {
 public:
  using AnswerCallback = absl::AnyInvocable<void(Answer)>;
  // `grant` is null unless the outcome is kOk.
  using GrantCallback =
      absl::AnyInvocable<void(Answer, std::shared_ptr<Grant> grant)>;
  // Called on the driver's thread; may be null.
  struct Watcher {
    std::function<void(const Standing&)> on_standing;
    std::function<void()> on_left;
  };

  // Errors: those of Driver::Create().
  static absl::StatusOr<std::shared_ptr<LockService>> Create(
      DriverOptions options, Watcher watcher);

  void Start() { driver_->Start(); }
  void Stop();

  // --- Any thread -----------------------------------------------------------

  // See Driver::Post().
  bool Post(Driver::Task task) { return driver_->Post(std::move(task)); }
  bool IsOnThread() const { return driver_->IsOnThread(); }
  Now ReadClock() { return driver_->ReadClock(); }
  // Waits until locks can be taken; false at the deadline or when stopped.
  bool WaitUntilReady(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_);
  // For Acquire() and Withdraw().
  RequestId NewRequest() { return RequestId(++last_request_); }

  const Address& address() const { return address_; }
  const std::string& name() const { return name_; }

  // --- The driver's thread --------------------------------------------------

  void Acquire(RequestId request, AcquireRequest body, ChangeCallback on_change,
               GrantCallback done);
  void Withdraw(RequestId request);
  void Renew(const HeldClaim& claim, absl::Duration ttl, AnswerCallback done);
  void Release(const HeldClaim& claim, AnswerCallback done);
  void ListLocks(ListLocksRequest body, AnswerCallback done);
  void ListMembers(AnswerCallback done);
  void Leave(AnswerCallback done);

  // The token that `claim` is good for.
  // Errors: FailedPrecondition (not held here), PermissionDenied (held under
  // another label).
  absl::StatusOr<FencingToken> Find(const HeldClaim& claim) const;

  Answer LocalLocks(const ListLocksRequest& body);
  std::vector<MemberInfo> LocalMembers() const;
  AgentStatus Status() const;

  EventLoop* loop() { return driver_->loop(); }
  // Called when each turn has ended, until the service stops; null: nobody.
  void set_on_turn_ended(absl::AnyInvocable<void()> callback) {
    on_turn_ended_ = std::move(callback);
  }

 private:
  // An acquire, until it is answered.
  struct Acquisition {
    std::string key;
    std::string owner;
    ChangeCallback on_change;
    GrantCallback done;
  };

  explicit LockService(Watcher watcher) : watcher_(std::move(watcher)) {}

  void Submit(RequestId request, Request body);
  void Ask(Request body, AnswerCallback done);
  std::shared_ptr<Grant> AddGrant(RequestId request, Acquisition acquisition,
                                  FencingToken token);
  // The grant of `key` that `token` names, or null.
  std::shared_ptr<Grant> FindGrant(absl::string_view key,
                                   FencingToken token) const;
  void DropGrant(const Grant& grant);
  FastInstant BeliefEnd(RequestId request) const;
  // Answers all that is in flight.
  void AbandonCalls();

  void OnAnswer(RequestId request, Answer answer) override;
  void OnHolderNotified(const NotifyHolder& notice) override;
  void OnStanding(const AnnounceStanding& standing) override;
  void OnLeft() override;
  void OnTurnEnded() override;

  std::unique_ptr<Driver> driver_;
  Watcher watcher_;
  absl::AnyInvocable<void()> on_turn_ended_;
  Address address_;
  std::string name_;
  std::atomic<uint64_t> last_request_{0};

  // Of the driver's thread. Looked up, never walked but at the end.
  absl::flat_hash_map<RequestId, Acquisition> acquisitions_;
  absl::flat_hash_map<RequestId, AnswerCallback> asks_;
  absl::flat_hash_map<RequestId, std::shared_ptr<Grant>> grants_;
  // The grant that a key means; the others of that key are lost.
  absl::flat_hash_map<std::string, std::shared_ptr<Grant>> grants_by_key_;
  // As last told to the grants.
  FastInstant session_belief_end_;
  Standing standing_;
  std::vector<AnswerCallback> leavers_;
  bool has_left_ = false;

  absl::Mutex mutex_;
  bool is_ready_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace cachalot

#endif  // IO_LOCK_SERVICE_H_
