#ifndef IO_LOCK_SERVICE_H_
#define IO_LOCK_SERVICE_H_

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/hash/hash.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engine/action.h"
#include "engine/address.h"
#include "engine/event.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/member.h"
#include "engine/node.h"
#include "engine/request.h"
#include "io/agent_status.h"
#include "io/caller_limits.h"
#include "io/engine_driver.h"
#include "io/event_loop.h"
#include "io/fork_guard.h"
#include "io/grant.h"
#include "io/lock_scope.h"
#include "io/question_queue.h"
#include "io/renewal_schedule.h"

namespace cachalot {

// Proof that a caller may renew or release a lock: the token of the grant, or
// the owner under which the lock was taken in the same scope. An empty owner
// proves nothing.
struct HeldClaim {
  std::string key;
  std::string owner;
  FencingToken token;  // none: `owner` decides
  LockScope scope = LockScope::kEmbedder;
};

// What a caller wants of a grant besides the lock.
struct HoldTerms {
  LockScope scope = LockScope::kEmbedder;
  ChangeCallback on_change;  // may be null
  // Renews the lock until it is lost, or until this long after the grant.
  bool renew = false;
  absl::Duration max_hold = absl::InfiniteDuration();
  // The holder has something to end before it gives the lock back. If the lock
  // is revoked, or this member is to leave, it is told (Belief::kSuspect with a
  // reason), and has the time that Grant::Remaining() says to release it.
  bool releases_itself = false;
};

// The locks of one process: its calls in flight and its grants. Both the
// embedder's API and the agent's local socket stand on it.
//
// Callbacks come exactly once, on the driver's thread; if the service stops
// first, within Stop() on the thread that called it. What was not answered then
// ends as kUnknown, or as kLeaving if it only reads; all grants are lost with
// kClosed.
class LockService : private EngineDriver::Delegate {
 public:
  using AnswerCallback = absl::AnyInvocable<void(Answer&&)>;
  // `grant` is null unless the outcome is kOk.
  using GrantCallback =
      absl::AnyInvocable<void(Answer&&, std::shared_ptr<Grant> grant)>;
  // Called on the driver's thread; may be null.
  struct Watcher {
    std::function<void(const Standing&)> on_standing;
    std::function<void()> on_left;
  };

  static std::shared_ptr<LockService> Create(
      std::unique_ptr<EngineDriver> driver, Watcher watcher,
      CallerLimits limits = {});

  // Errors: those of EngineDriver::Start().
  absl::Status Start() { return driver_->Start(); }
  // Not on the driver's thread.
  void Stop();

  // --- Any thread -----------------------------------------------------------

  // This process is a child, by fork(), of the one that made the service: it
  // may call only what does not need the driver, that is Post(),
  // WaitUntilReady(), ClosedError(), address() and name().
  bool is_forked() const { return fork_guard_.IsForked(); }
  // See EngineDriver::Post().
  bool Post(EngineDriver::Task task) {
    return !is_forked() && driver_->Post(std::move(task));
  }
  // Why Post() returned false. FailedPrecondition.
  absl::Status ClosedError() const;
  // Counts a call that is about to be posted; FinishPostedCall() when the
  // driver's thread has come to it. Errors: ResourceExhausted.
  absl::Status BeginPostedCall();
  void FinishPostedCall() { --posted_calls_; }
  bool IsOnThread() const { return driver_->IsOnThread(); }
  Now ReadClock() { return driver_->ReadClock(); }
  // Waits until locks can be taken.
  // Errors: DeadlineExceeded, Cancelled, FailedPrecondition (leaving, left,
  // stopped or forked).
  absl::Status WaitUntilReady(absl::Duration timeout, std::stop_token stop);
  // Waits until no CallerScope of another thread is left. After Stop().
  void AwaitCallers();
  // For Acquire() and Withdraw().
  RequestId NewRequest() { return RequestId(++last_request_); }

  const Address& address() const { return address_; }
  const std::string& name() const { return name_; }

  // --- The driver's thread --------------------------------------------------

  void Acquire(RequestId request, AcquireRequest body, HoldTerms terms,
               GrantCallback done);
  void Withdraw(RequestId request);
  void Renew(const HeldClaim& claim, absl::Duration ttl, AnswerCallback done);
  // From now on the lock, granted at `granted`, is renewed for `ttl` at a time,
  // as with HoldTerms::renew. Without effect if it is lost.
  void KeepRenewed(const Grant& grant, FastInstant granted, absl::Duration ttl);
  // Never refused for there being too much at once, the first time.
  void Release(const HeldClaim& claim, AnswerCallback done);
  void Revoke(RevokeRequest body, AnswerCallback done);
  void ListLocks(ListLocksRequest body, AnswerCallback done);
  void ListWaiters(ListWaitersRequest body, AnswerCallback done);
  void ListMembers(AnswerCallback done);
  // First waits for up to LeaseOptions::leave_timeout for those holders that
  // release their locks themselves.
  void Leave(AnswerCallback done);

  // The token that `claim` is good for. Whether that token still holds the lock
  // is for the engine to say.
  // Errors: InvalidArgument (neither token nor owner), FailedPrecondition (not
  // held here), PermissionDenied (held by another owner or in another scope).
  absl::StatusOr<FencingToken> Find(const HeldClaim& claim) const;

  Answer LocalLocks(const ListLocksRequest& body);
  std::vector<MemberInfo> LocalMembers() const;
  AgentStatus Status() const;
  const Node& node() const { return driver_->node(); }
  void Learn(Event event) { driver_->Learn(std::move(event)); }
  // What is wrong with the seeds' names at present, for Status().
  void SetSeedProblems(std::vector<std::string> problems) {
    seed_problems_ = std::move(problems);
  }

  // Where the member keeps its memory, for Status(); empty: nowhere. Before
  // Start().
  void SetStateDir(std::string state_dir) { state_dir_ = std::move(state_dir); }

  EventLoop* loop() { return driver_->loop(); }
  // Called when each turn has ended, until the service stops; null: nobody.
  void set_on_turn_ended(absl::AnyInvocable<void()> callback) {
    on_turn_ended_ = std::move(callback);
  }

 private:
  friend class CallerScope;

  // An acquire, until it is answered.
  struct Acquisition {
    std::string key;
    std::string owner;
    absl::Duration ttl;
    HoldTerms terms;
    GrantCallback done;
  };
  using OwnerKey = std::pair<LockScope, std::string>;
  using OwnerView = std::pair<LockScope, absl::string_view>;
  struct OwnerHash {
    using is_transparent = void;
    size_t operator()(const OwnerView& owner) const {
      return absl::Hash<OwnerView>()(owner);
    }
  };
  struct OwnerEqual {
    using is_transparent = void;
    bool operator()(const OwnerView& a, const OwnerView& b) const {
      return a == b;
    }
  };

  LockService(std::unique_ptr<EngineDriver> driver, Watcher watcher,
              CallerLimits limits);

  void Submit(RequestId request, Request body);
  void Ask(Request body, AnswerCallback done,
           QuestionQueue::Limit limit = QuestionQueue::Limit::kApplies);
  // Why an acquire is refused before it is asked; kOk if it is not.
  Answer CheckAcquire(const AcquireRequest& body, const HoldTerms& terms) const;
  void CountOwner(LockScope scope, const std::string& owner);
  void UncountOwner(LockScope scope, const std::string& owner);
  // Renews what keeps itself and is due.
  void RenewDue(FastInstant now);
  void RenewNow(FastInstant now, const RenewalSchedule::Due& due);
  std::shared_ptr<Grant> AddGrant(RequestId request, Acquisition&& acquisition,
                                  const Answer& answer);
  // The grant of `key` that `token` names, or null.
  std::shared_ptr<Grant> FindGrant(absl::string_view key,
                                   FencingToken token) const;
  // Forgets a grant that is no more in grants_.
  void DropGrant(const Grant& grant);
  // The grant's holder is to release it: it is not renewed any more.
  void TellToRelease(Grant& grant, LossReason reason, absl::string_view text);
  // Leaves as soon as nobody has anything to end before it.
  void LeaveIfDue(FastInstant now);
  // Sets one of the flags that mutex_ guards, and wakes whoever waits for it.
  void Set(bool& flag, bool value);
  // Answers all that is in flight, and tells holders that their locks are lost.
  void AbandonCalls();
  void AbandonGrants();

  // Adds why no leader is known to the text of what was not done for that.
  void AddOutage(Answer& answer) const;

  void OnAnswer(RequestId request, Answer&& answer) override;
  void OnHolderNotified(const NotifyHolder& notice) override;
  void OnSession(const AnnounceSession& session) override;
  void OnStanding(const AnnounceStanding& standing) override;
  void OnLeft() override;
  void OnTurnEnded(const Now& now) override;
  FastInstant NextDeadline() const override;

  const ForkGuard fork_guard_;
  const std::unique_ptr<EngineDriver> driver_;
  const Watcher watcher_;
  const CallerLimits limits_;
  absl::AnyInvocable<void()> on_turn_ended_;
  const Address address_;
  const std::string name_;
  std::atomic<uint64_t> last_request_{0};
  std::atomic<size_t> posted_calls_{0};

  // Of the driver's thread.
  absl::flat_hash_map<RequestId, Acquisition> acquisitions_;
  QuestionQueue questions_;
  QuestionQueue renewals_;  // those of schedule_
  absl::flat_hash_map<RequestId, std::shared_ptr<Grant>> grants_;
  // The grant that a key means; the others of that key are lost.
  absl::flat_hash_map<std::string, std::shared_ptr<Grant>> grants_by_key_;
  absl::flat_hash_map<OwnerKey, size_t, OwnerHash, OwnerEqual> locks_of_owners_;
  RenewalSchedule schedule_;
  // What the grants of this session read. Those of an earlier one keep theirs,
  // so that it never moves again.
  SessionId session_;
  std::shared_ptr<Grant::SessionEnd> session_end_;
  Standing standing_;
  // Grants with HoldTerms::releases_itself.
  absl::btree_set<RequestId> self_releasing_;
  std::vector<AnswerCallback> leavers_;
  // Until when Leave() waits for those; Never(): it does not.
  FastInstant leave_by_ = FastInstant::Never();
  bool has_left_ = false;
  std::vector<std::string> seed_problems_;
  std::string state_dir_;

  // Of all threads, guarded by mutex_. The standard library's mutex, because a
  // timed wait of Abseil's goes by the wall clock.
  std::mutex mutex_;
  std::condition_variable has_changed_;
  bool is_ready_ = false;
  bool is_leaving_ = false;  // or has left
  bool is_stopped_ = false;
  int callers_ = 0;
};

// A thread that is about to wait within a call, and keeps the service alive
// meanwhile. REQUIRES: not forked.
class CallerScope {
 public:
  explicit CallerScope(std::shared_ptr<LockService> service);
  ~CallerScope();
  CallerScope(const CallerScope&) = delete;
  CallerScope& operator=(const CallerScope&) = delete;

 private:
  const std::shared_ptr<LockService> service_;
};

}  // namespace cachalot

#endif  // IO_LOCK_SERVICE_H_
