#include "io/async_coordinator.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <limits>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

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

// Collects a list that comes in pages, one after the other. `ask(read, done)`
// asks for the page after what was read; `page` is where an answer has it.
template <typename Item>
class PageReader : public std::enable_shared_from_this<PageReader<Item>> {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<std::vector<Item>>)>;
  using Ask = absl::AnyInvocable<void(const std::vector<Item>& read,
                                      LockService::AnswerCallback done)>;
  struct Source {
    Ask ask;
    std::vector<Item> Answer::*page;
    size_t items_max = std::numeric_limits<size_t>::max();
  };

  static void Read(Source source, Done done) {
    std::make_shared<PageReader>(std::move(source), std::move(done))->ReadOn();
  }

  PageReader(Source source, Done done)
      : source_(std::move(source)), done_(std::move(done)) {}

 private:
  void ReadOn() {
    source_.ask(items_, [self = this->shared_from_this()](Answer answer) {
      self->Take(std::move(answer));
    });
  }

  void Take(Answer answer) {
    if (answer.outcome != Outcome::kOk) {
      done_(ToStatus(answer));
      return;
    }
    std::vector<Item>& page = answer.*source_.page;
    const bool is_last = !answer.more || page.empty();
    std::move(page.begin(), page.end(), std::back_inserter(items_));
    if (is_last || items_.size() >= source_.items_max) {
      done_(std::move(items_));
    } else {
      ReadOn();
    }
  }

  Source source_;
  std::vector<Item> items_;
  Done done_;
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

absl::Status Cancelled() {
  return absl::CancelledError("cancelled by the caller; the lock is not held");
}

// `done`, with `request` withdrawn when `stop` trips before the answer.
AsyncCoordinator::LockCallback Cancellable(
    const std::shared_ptr<LockService>& service, RequestId request,
    std::stop_token stop, AsyncCoordinator::LockCallback done) {
  if (!stop.stop_possible() || service->is_forked()) return done;
  using OnStop = std::stop_callback<std::function<void()>>;
  auto on_stop = std::make_unique<OnStop>(
      stop, [service, request] { PostWithdraw(*service, request); });
  return [on_stop = std::move(on_stop), stop = std::move(stop),
          done = std::move(done)](absl::StatusOr<HeldLock> lock) mutable {
    on_stop.reset();
    // Granted and stopped at one time: given back.
    if (lock.ok() && stop.stop_requested()) lock = Cancelled();
    done(std::move(lock));
  };
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
  done = Cancellable(service(), request, options.stop, std::move(done));
  PostCall(
      *service(), std::move(done),
      [service = service(), request, body = std::move(body),
       stop = std::move(options.stop),
       terms =
           HoldTerms{.on_change = std::move(options.on_change),
                     .renew = options.renew,
                     .max_hold = options.max_hold}](LockCallback done) mutable {
        // A withdrawal was posted before this, and has found nothing.
        if (stop.stop_requested()) return done(Cancelled());
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
             PageReader<LockInfo>::Read(
                 {.ask =
                      [service, prefix](const std::vector<LockInfo>& read,
                                        LockService::AnswerCallback answer) {
                        service->ListLocks(
                            {.prefix = prefix,
                             .after = read.empty() ? "" : read.back().key},
                            std::move(answer));
                      },
                  .page = &Answer::locks},
                 std::move(done));
           });
}

void AsyncCoordinator::GetWaitersAsync(absl::string_view key,
                                       WaitersCallback done) {
  PostCall(
      *service(), std::move(done),
      [service = service().get(),
       key = std::string(key)](WaitersCallback done) {
        PageReader<WaiterInfo>::Read(
            {.ask =
                 [service, key](const std::vector<WaiterInfo>& read,
                                LockService::AnswerCallback answer) {
                   service->ListWaiters(
                       {.key = key, .skip = static_cast<uint32_t>(read.size())},
                       std::move(answer));
                 },
             .page = &Answer::waiters,
             .items_max = limits::kWaitersPerLockMax},
            std::move(done));
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
