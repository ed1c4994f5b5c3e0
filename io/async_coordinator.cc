#include "io/async_coordinator.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>

#include "engine/limits.h"
#include "io/blocking.h"
#include "io/coordinator_parts.h"
#include "io/fork_guard.h"
#include "io/lock_service.h"

namespace cachalot {
namespace {

HeldClaim ByOwner(absl::string_view key, absl::string_view owner) {
  return {.key = std::string(key), .owner = std::string(owner)};
}

HeldClaim ByToken(absl::string_view key, FencingToken token) {
  return {.key = std::string(key), .token = token};
}

// All pages from one source, one after the other.
class PageReader : public std::enable_shared_from_this<PageReader> {
 public:
  PageReader(LockService* service, absl::string_view prefix,
             AsyncCoordinator::LocksCallback done)
      : service_(service), prefix_(prefix), done_(std::move(done)) {}

  void ReadOn() {
    service_->ListLocks(
        {.prefix = prefix_, .after = locks_.empty() ? "" : locks_.back().key},
        [self = shared_from_this()](Answer answer) {
          self->Take(std::move(answer));
        });
  }

 private:
  void Take(Answer answer) {
    if (answer.outcome != Outcome::kOk) {
      done_(ToStatus(answer));
      return;
    }
    std::move(answer.locks.begin(), answer.locks.end(),
              std::back_inserter(locks_));
    if (answer.more && !answer.locks.empty()) {
      ReadOn();
    } else {
      done_(std::move(locks_));
    }
  }

  LockService* const service_;
  const std::string prefix_;
  std::vector<LockInfo> locks_;
  AsyncCoordinator::LocksCallback done_;
};

// The same of those who wait for one lock.
class QueueReader : public std::enable_shared_from_this<QueueReader> {
 public:
  QueueReader(LockService* service, absl::string_view key,
              AsyncCoordinator::WaitersCallback done)
      : service_(service), key_(key), done_(std::move(done)) {}

  void ReadOn() {
    service_->ListWaiters(
        {.key = key_, .skip = static_cast<uint32_t>(waiters_.size())},
        [self = shared_from_this()](Answer answer) {
          self->Take(std::move(answer));
        });
  }

 private:
  void Take(Answer answer) {
    if (answer.outcome != Outcome::kOk) {
      done_(ToStatus(answer));
      return;
    }
    std::move(answer.waiters.begin(), answer.waiters.end(),
              std::back_inserter(waiters_));
    const bool is_full = waiters_.size() >= limits::kWaitersPerLockMax;
    if (answer.more && !answer.waiters.empty() && !is_full) {
      ReadOn();
    } else {
      done_(std::move(waiters_));
    }
  }

  LockService* const service_;
  const std::string key_;
  std::vector<WaiterInfo> waiters_;
  AsyncCoordinator::WaitersCallback done_;
};

absl::StatusOr<std::vector<LockInfo>> ReadLocalPages(LockService& service,
                                                     absl::string_view prefix) {
  std::vector<LockInfo> locks;
  ListLocksRequest request = {.prefix = std::string(prefix)};
  for (;;) {
    Answer page = service.LocalLocks(request);
    if (page.outcome != Outcome::kOk) {
      return absl::FailedPreconditionError(page.text);
    }
    const bool is_last = !page.more || page.locks.empty();
    std::move(page.locks.begin(), page.locks.end(), std::back_inserter(locks));
    if (is_last) return locks;
    request.after = locks.back().key;
  }
}

// Reads something on the driver's thread. Callbacks may: it waits for nothing.
template <typename Value>
absl::StatusOr<Value> ReadOnThread(
    const std::shared_ptr<LockService>& service,
    std::function<absl::StatusOr<Value>()> read) {
  if (service->is_forked()) return service->ClosedError();
  if (service->IsOnThread()) return read();
  using Callback = absl::AnyInvocable<void(absl::StatusOr<Value>)>;
  return RunBlocking<absl::StatusOr<Value>>(service, [&](Callback done) {
    PostCall(*service, std::move(done),
             [read](Callback done) { done(read()); });
  });
}

void PostRenew(LockService& service, HeldClaim claim, absl::Duration ttl,
               StatusCallback done) {
  PostCall(
      service, std::move(done),
      [service = &service, claim = std::move(claim), ttl](StatusCallback done) {
        const absl::StatusOr<FencingToken> token = service->Find(claim);
        if (!token.ok()) return done(token.status());
        service->Renew(claim, ttl, AnswerWithStatus(std::move(done)));
      });
}

void PostRelease(LockService& service, HeldClaim claim, StatusCallback done) {
  PostCall(service, std::move(done),
           [service = &service, claim = std::move(claim)](StatusCallback done) {
             const absl::StatusOr<FencingToken> token = service->Find(claim);
             if (!token.ok()) return done(token.status());
             service->Release(claim, AnswerWithStatus(std::move(done)));
           });
}

}  // namespace

AsyncCoordinator::AsyncCoordinator(std::unique_ptr<CoordinatorParts> parts)
    : parts_(std::move(parts)) {}

AsyncCoordinator::~AsyncCoordinator() {
  if (service()->is_forked()) {
    KeepForever(service());
    KeepForever(std::shared_ptr<LocalServer>(std::move(parts_->local_server)));
    KeepForever(std::shared_ptr<SeedWatch>(std::move(parts_->seeds)));
    KeepForever(parts_->log);
    return;
  }
  service()->Stop();
  service()->AwaitCallers();
  // Locks may keep the service, and with it the log, for longer.
  if (parts_->log != nullptr) parts_->log->Stop(absl::InfiniteDuration());
}

const std::shared_ptr<LockService>& AsyncCoordinator::service() const {
  return parts_->service;
}

RequestId AsyncCoordinator::LockAsync(absl::string_view key, TimeSpan ttl,
                                      LockOptions options, LockCallback done) {
  const RequestId request = service()->NewRequest();
  AcquireRequest body = {
      .key = std::string(key),
      .ttl = ttl,
      .wait = std::clamp<absl::Duration>(options.wait, absl::ZeroDuration(),
                                         limits::WaitMax()),
      .owner = std::move(options.owner)};
  PostCall(
      *service(), std::move(done),
      [service = service(), request, body = std::move(body),
       terms =
           HoldTerms{.on_change = std::move(options.on_change),
                     .renew = options.renew,
                     .max_hold = options.max_hold}](LockCallback done) mutable {
        LockService::GrantCallback answer =
            [service, done = std::move(done)](
                const Answer& answer, std::shared_ptr<Grant> grant) mutable {
              if (grant == nullptr) {
                done(ToStatus(answer));
              } else {
                done(HeldLock(std::move(service), std::move(grant)));
              }
            };
        service->Acquire(request, std::move(body), std::move(terms),
                         std::move(answer));
      });
  return request;
}

RequestId AsyncCoordinator::TryLockAsync(absl::string_view key, TimeSpan ttl,
                                         LockOptions options,
                                         LockCallback done) {
  options.wait = absl::ZeroDuration();
  return LockAsync(key, ttl, std::move(options), std::move(done));
}

void AsyncCoordinator::Withdraw(RequestId request) {
  PostWithdraw(*service(), request);
}

void AsyncCoordinator::RenewAsync(absl::string_view key, TimeSpan ttl,
                                  absl::string_view owner,
                                  StatusCallback done) {
  PostRenew(*service(), ByOwner(key, owner), ttl, std::move(done));
}

void AsyncCoordinator::RenewAsync(absl::string_view key, TimeSpan ttl,
                                  FencingToken token, StatusCallback done) {
  PostRenew(*service(), ByToken(key, token), ttl, std::move(done));
}

void AsyncCoordinator::ReleaseAsync(absl::string_view key,
                                    absl::string_view owner,
                                    StatusCallback done) {
  PostRelease(*service(), ByOwner(key, owner), std::move(done));
}

void AsyncCoordinator::ReleaseAsync(absl::string_view key, FencingToken token,
                                    StatusCallback done) {
  PostRelease(*service(), ByToken(key, token), std::move(done));
}

void AsyncCoordinator::GetLocksAsync(absl::string_view prefix,
                                     LocksCallback done) {
  PostCall(*service(), std::move(done),
           [service = service().get(),
            prefix = std::string(prefix)](LocksCallback done) {
             std::make_shared<PageReader>(service, prefix, std::move(done))
                 ->ReadOn();
           });
}

void AsyncCoordinator::GetWaitersAsync(absl::string_view key,
                                       WaitersCallback done) {
  PostCall(
      *service(), std::move(done),
      [service = service().get(),
       key = std::string(key)](WaitersCallback done) {
        std::make_shared<QueueReader>(service, key, std::move(done))->ReadOn();
      });
}

void AsyncCoordinator::ForceReleaseAsync(absl::string_view key,
                                         absl::string_view reason,
                                         FencingToken token,
                                         LockInfoCallback done) {
  PostCall(
      *service(), std::move(done),
      [service = service().get(),
       body = RevokeRequest{.key = std::string(key),
                            .token = token,
                            .reason = std::string(reason)}](
          LockInfoCallback done) mutable {
        service->Revoke(std::move(body), [done = std::move(done)](
                                             const Answer& answer) mutable {
          if (answer.outcome == Outcome::kOk && answer.holder.has_value()) {
            done(*answer.holder);
          } else {
            done(ToStatus(answer));
          }
        });
      });
}

void AsyncCoordinator::GetMembersAsync(MembersCallback done) {
  PostCall(
      *service(), std::move(done),
      [service = service().get()](MembersCallback done) {
        service->ListMembers([done = std::move(done)](Answer answer) mutable {
          if (answer.outcome == Outcome::kOk) {
            done(std::move(answer.members));
          } else {
            done(ToStatus(answer));
          }
        });
      });
}

void AsyncCoordinator::LeaveAsync(StatusCallback done) {
  PostCall(*service(), std::move(done),
           [service = service().get()](StatusCallback done) {
             service->Leave(AnswerWithStatus(std::move(done)));
           });
}

absl::StatusOr<std::vector<LockInfo>> AsyncCoordinator::GetLocksLocal(
    absl::string_view prefix) {
  return ReadOnThread<std::vector<LockInfo>>(
      service(), [this, prefix] { return ReadLocalPages(*service(), prefix); });
}

absl::StatusOr<std::vector<MemberInfo>> AsyncCoordinator::GetMembersLocal() {
  return ReadOnThread<std::vector<MemberInfo>>(
      service(), [this] { return service()->LocalMembers(); });
}

absl::StatusOr<AgentStatus> AsyncCoordinator::GetStatus() {
  return ReadOnThread<AgentStatus>(service(),
                                   [this] { return service()->Status(); });
}

const Address& AsyncCoordinator::address() const {
  return service()->address();
}

const std::string& AsyncCoordinator::name() const { return service()->name(); }

}  // namespace cachalot
