#include "io/coordinator.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <stop_token>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/limits.h"
#include "io/blocking.h"
#include "io/driver.h"
#include "io/endpoints.h"
#include "io/escape.h"
#include "io/fork_guard.h"
#include "io/local/path.h"
#include "io/local/server.h"
#include "io/local_network.h"
#include "io/lock_service.h"
#include "io/seed_watch.h"
#include "io/seeds.h"
#include "io/service_log.h"

namespace cachalot {
namespace {

absl::StatusOr<uint64_t> DrawSeed() {
  uint64_t seed = 0;
  if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) {
    return SystemError("getrandom", errno);
  }
  return seed;
}

absl::Status RequireSeeds(const CoordinatorOptions& options) {
  if (!options.seeds.empty() || options.bootstrap_expect.value_or(0) > 0) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "no seeds: name a member of the cluster, or this process itself (\"",
      options.bind, "\") to found one"));
}

HeldClaim ByOwner(absl::string_view key, absl::string_view owner) {
  return {.key = std::string(key), .owner = std::string(owner)};
}

HeldClaim ByToken(absl::string_view key, FencingToken token) {
  return {.key = std::string(key), .token = token};
}

DriverOptions ToDriverOptions(const CoordinatorOptions& options, uint64_t seed,
                              const Endpoints& endpoints,
                              const SeedAddresses& seeds) {
  DriverOptions driver;
  driver.node = {
      .seed = seed,
      .name = options.name,
      .address = endpoints.advertise,
      .seeds = seeds.others,
      .bootstrap_expect =
          options.bootstrap_expect.value_or(seeds.is_self_only ? 1 : 0),
      .birth_delay = options.birth_delay,
      // Tokens of a cluster that is born later are higher; wall time enters
      // nowhere else.
      .birth_epoch = static_cast<uint64_t>(std::max<time_t>(1, time(nullptr))),
      .membership = options.membership,
      .consensus = options.consensus,
      .lease = options.lease,
      .observer = options.observer};
  driver.transport.bind = endpoints.bind;
  driver.transport.seed = seed;
  return driver;
}

void LogAddresses(Logger* log, const Endpoints& endpoints) {
  for (const std::string& warning : endpoints.warnings) {
    LogTo(log, LogEvent::kAddressDoubtful, [&] {
      return LogText{Escape(warning), {{"reason", warning}}};
    });
  }
}

// Null if nobody listens.
absl::StatusOr<std::shared_ptr<Logger>> CreateLogger(LogFunction write,
                                                     LogLevel level) {
  if (write == nullptr) return nullptr;
  return Logger::Create(level, std::move(write));
}

// All pages from one source, one after the other.
class PageReader : public std::enable_shared_from_this<PageReader> {
 public:
  PageReader(LockService* service, absl::string_view prefix,
             Coordinator::LocksCallback done)
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
  Coordinator::LocksCallback done_;
};

// The same of those who wait for one lock.
class QueueReader : public std::enable_shared_from_this<QueueReader> {
 public:
  QueueReader(LockService* service, absl::string_view key,
              Coordinator::WaitersCallback done)
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
  Coordinator::WaitersCallback done_;
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

void PostWithdraw(const std::shared_ptr<LockService>& service,
                  RequestId request) {
  // A service that is closed has answered all requests.
  static_cast<void>(service->Post(
      [service = service.get(), request] { service->Withdraw(request); }));
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

absl::StatusOr<std::unique_ptr<Coordinator>> Coordinator::Create(
    CoordinatorOptions options) {
  const absl::Status has_seeds = RequireSeeds(options);
  if (!has_seeds.ok()) return has_seeds;
  if (options.lookup == nullptr) options.lookup = LookUpHost;
  const absl::StatusOr<BindAddress> bind =
      ResolveBind(options.bind, options.lookup);
  if (!bind.ok()) return bind.status();
  const absl::StatusOr<uint64_t> seed = DrawSeed();
  if (!seed.ok()) return seed.status();
  absl::StatusOr<std::unique_ptr<SeedWatch>> seeds = SeedWatch::Create(
      options.seeds, options.lookup, options.seed_timing, *seed);
  if (!seeds.ok()) return seeds.status();
  const absl::StatusOr<Endpoints> endpoints = ResolveEndpoints(
      *bind, options.advertise, (*seeds)->first(), options.lookup);
  if (!endpoints.ok()) return endpoints.status();
  const SeedAddresses sorted =
      SortSeeds((*seeds)->first(), endpoints->own(), SystemNetwork());
  DriverOptions driver = ToDriverOptions(options, *seed, *endpoints, sorted);
  absl::StatusOr<std::shared_ptr<Logger>> log =
      CreateLogger(std::move(options.log), options.log_level);
  if (!log.ok()) return log.status();
  driver.log = *log;
  LogAddresses(log->get(), *endpoints);
  absl::StatusOr<std::unique_ptr<Driver>> running =
      Driver::Create(std::move(driver));
  if (!running.ok()) return running.status();
  const bool founds =
      options.bootstrap_expect.value_or(sorted.is_self_only ? 1 : 0) > 0;
  absl::StatusOr<std::unique_ptr<Coordinator>> coordinator =
      Over(*std::move(running), *log, std::move(options));
  if (!coordinator.ok()) return coordinator.status();
  LockService* const service = (*coordinator)->service_.get();
  (*coordinator)->seeds_ = *std::move(seeds);
  (*coordinator)
      ->seeds_->Serve(
          {.service = service,
           .log = log->get(),
           .own = {.bind = endpoints->bind, .advertise = service->address()},
           .seeds = sorted.others,
           .is_founder = founds});
  return coordinator;
}

absl::StatusOr<std::unique_ptr<Coordinator>> Coordinator::Over(
    std::unique_ptr<EngineDriver> driver, std::shared_ptr<Logger> log,
    CoordinatorOptions options) {
  std::unique_ptr<Coordinator> coordinator(new Coordinator(
      std::move(log),
      LockService::Create(std::move(driver),
                          {.on_standing = std::move(options.on_standing),
                           .on_left = std::move(options.on_left)},
                          options.limits)));
  if (!options.local_socket.empty()) {
    LocalServerOptions local = {.path = options.local_socket};
    if (!options.local_socket_group.empty()) {
      const absl::StatusOr<gid_t> group = FindGroup(options.local_socket_group);
      if (!group.ok()) return group.status();
      local.group = *group;
    }
    absl::StatusOr<std::unique_ptr<LocalServer>> server =
        LocalServer::Create(std::move(local), coordinator->service_.get());
    if (!server.ok()) return server.status();
    coordinator->local_server_ = *std::move(server);
  }
  LogStarted(coordinator->log_.get(), coordinator->service_->Status(),
             options.local_socket);
  const absl::Status started = coordinator->service_->Start();
  if (!started.ok()) return started;
  return coordinator;
}

Coordinator::Coordinator(std::shared_ptr<Logger> log,
                         std::shared_ptr<LockService> service)
    : log_(std::move(log)), service_(std::move(service)) {}

Coordinator::~Coordinator() {
  if (service_->is_forked()) {
    KeepForever(service_);
    KeepForever(std::shared_ptr<LocalServer>(std::move(local_server_)));
    KeepForever(std::shared_ptr<SeedWatch>(std::move(seeds_)));
    KeepForever(log_);
    return;
  }
  service_->Stop();
  service_->AwaitCallers();
  // Locks may keep the service, and with it the log, for longer.
  if (log_ != nullptr) log_->Stop(absl::InfiniteDuration());
}

absl::Status Coordinator::Connect(TimeSpan timeout, std::stop_token stop) {
  if (service_->is_forked()) return service_->ClosedError();
  if (service_->IsOnThread()) {
    return absl::FailedPreconditionError(
        "Connect() from a callback would wait for itself");
  }
  const CallerScope scope(service_);
  const absl::Status ready = service_->WaitUntilReady(timeout, stop);
  if (!absl::IsDeadlineExceeded(ready)) return ready;
  return absl::DeadlineExceededError(
      absl::StrCat("no cluster with a leader was found in ",
                   absl::FormatDuration(absl::Duration(timeout)), "; asked ",
                   seeds_ == nullptr ? "nobody" : seeds_->Describe(),
                   " and will go on asking"));
}

absl::StatusOr<HeldLock> Coordinator::Lock(absl::string_view key, TimeSpan ttl,
                                           LockOptions options) {
  const std::stop_token stop = options.stop;
  if (stop.stop_requested()) return Cancelled();
  std::optional<std::stop_callback<std::function<void()>>> canceller;
  absl::StatusOr<HeldLock> lock =
      RunBlocking<absl::StatusOr<HeldLock>>(service_, [&](LockCallback done) {
        const RequestId request =
            LockAsync(key, ttl, std::move(options), std::move(done));
        canceller.emplace(stop, [service = service_, request] {
          PostWithdraw(service, request);
        });
      });
  // Granted and cancelled at one time: given back.
  if (lock.ok() && stop.stop_requested()) return Cancelled();
  return lock;
}

RequestId Coordinator::LockAsync(absl::string_view key, TimeSpan ttl,
                                 LockOptions options, LockCallback done) {
  const RequestId request = service_->NewRequest();
  AcquireRequest body = {
      .key = std::string(key),
      .ttl = ttl,
      .wait = std::clamp<absl::Duration>(options.wait, absl::ZeroDuration(),
                                         limits::WaitMax()),
      .owner = std::move(options.owner)};
  PostCall(
      *service_, std::move(done),
      [service = service_, request, body = std::move(body),
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

absl::StatusOr<HeldLock> Coordinator::TryLock(absl::string_view key,
                                              TimeSpan ttl,
                                              LockOptions options) {
  options.wait = absl::ZeroDuration();
  return Lock(key, ttl, std::move(options));
}

RequestId Coordinator::TryLockAsync(absl::string_view key, TimeSpan ttl,
                                    LockOptions options, LockCallback done) {
  options.wait = absl::ZeroDuration();
  return LockAsync(key, ttl, std::move(options), std::move(done));
}

void Coordinator::Withdraw(RequestId request) {
  PostWithdraw(service_, request);
}

absl::Status Coordinator::Renew(absl::string_view key, TimeSpan ttl,
                                absl::string_view owner) {
  return RunBlocking<absl::Status>(service_, [&](StatusCallback done) {
    RenewAsync(key, ttl, owner, std::move(done));
  });
}

absl::Status Coordinator::Renew(absl::string_view key, TimeSpan ttl,
                                FencingToken token) {
  return RunBlocking<absl::Status>(service_, [&](StatusCallback done) {
    RenewAsync(key, ttl, token, std::move(done));
  });
}

void Coordinator::RenewAsync(absl::string_view key, TimeSpan ttl,
                             absl::string_view owner, StatusCallback done) {
  PostRenew(*service_, ByOwner(key, owner), ttl, std::move(done));
}

void Coordinator::RenewAsync(absl::string_view key, TimeSpan ttl,
                             FencingToken token, StatusCallback done) {
  PostRenew(*service_, ByToken(key, token), ttl, std::move(done));
}

absl::Status Coordinator::Release(absl::string_view key,
                                  absl::string_view owner) {
  return RunBlocking<absl::Status>(service_, [&](StatusCallback done) {
    ReleaseAsync(key, owner, std::move(done));
  });
}

absl::Status Coordinator::Release(absl::string_view key, FencingToken token) {
  return RunBlocking<absl::Status>(service_, [&](StatusCallback done) {
    ReleaseAsync(key, token, std::move(done));
  });
}

void Coordinator::ReleaseAsync(absl::string_view key, absl::string_view owner,
                               StatusCallback done) {
  PostRelease(*service_, ByOwner(key, owner), std::move(done));
}

void Coordinator::ReleaseAsync(absl::string_view key, FencingToken token,
                               StatusCallback done) {
  PostRelease(*service_, ByToken(key, token), std::move(done));
}

absl::StatusOr<std::vector<LockInfo>> Coordinator::GetLocks(
    absl::string_view prefix) {
  return RunBlocking<absl::StatusOr<std::vector<LockInfo>>>(
      service_,
      [&](LocksCallback done) { GetLocksAsync(prefix, std::move(done)); });
}

void Coordinator::GetLocksAsync(absl::string_view prefix, LocksCallback done) {
  PostCall(*service_, std::move(done),
           [service = service_.get(),
            prefix = std::string(prefix)](LocksCallback done) {
             std::make_shared<PageReader>(service, prefix, std::move(done))
                 ->ReadOn();
           });
}

absl::StatusOr<std::vector<LockInfo>> Coordinator::GetLocksLocal(
    absl::string_view prefix) {
  return ReadOnThread<std::vector<LockInfo>>(
      service_, [this, prefix] { return ReadLocalPages(*service_, prefix); });
}

absl::StatusOr<std::vector<WaiterInfo>> Coordinator::GetWaiters(
    absl::string_view key) {
  return RunBlocking<absl::StatusOr<std::vector<WaiterInfo>>>(
      service_,
      [&](WaitersCallback done) { GetWaitersAsync(key, std::move(done)); });
}

void Coordinator::GetWaitersAsync(absl::string_view key, WaitersCallback done) {
  PostCall(
      *service_, std::move(done),
      [service = service_.get(), key = std::string(key)](WaitersCallback done) {
        std::make_shared<QueueReader>(service, key, std::move(done))->ReadOn();
      });
}

absl::StatusOr<LockInfo> Coordinator::ForceRelease(absl::string_view key,
                                                   absl::string_view reason,
                                                   FencingToken token) {
  return RunBlocking<absl::StatusOr<LockInfo>>(
      service_, [&](LockInfoCallback done) {
        ForceReleaseAsync(key, reason, token, std::move(done));
      });
}

void Coordinator::ForceReleaseAsync(absl::string_view key,
                                    absl::string_view reason,
                                    FencingToken token, LockInfoCallback done) {
  PostCall(
      *service_, std::move(done),
      [service = service_.get(),
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

absl::StatusOr<std::vector<MemberInfo>> Coordinator::GetMembers() {
  return RunBlocking<absl::StatusOr<std::vector<MemberInfo>>>(
      service_,
      [&](MembersCallback done) { GetMembersAsync(std::move(done)); });
}

void Coordinator::GetMembersAsync(MembersCallback done) {
  PostCall(
      *service_, std::move(done),
      [service = service_.get()](MembersCallback done) {
        service->ListMembers([done = std::move(done)](Answer answer) mutable {
          if (answer.outcome == Outcome::kOk) {
            done(std::move(answer.members));
          } else {
            done(ToStatus(answer));
          }
        });
      });
}

absl::StatusOr<std::vector<MemberInfo>> Coordinator::GetMembersLocal() {
  return ReadOnThread<std::vector<MemberInfo>>(
      service_, [this] { return service_->LocalMembers(); });
}

absl::StatusOr<AgentStatus> Coordinator::GetStatus() {
  return ReadOnThread<AgentStatus>(service_,
                                   [this] { return service_->Status(); });
}

absl::Status Coordinator::Leave() {
  return RunBlocking<absl::Status>(
      service_, [&](StatusCallback done) { LeaveAsync(std::move(done)); });
}

void Coordinator::LeaveAsync(StatusCallback done) {
  PostCall(*service_, std::move(done),
           [service = service_.get()](StatusCallback done) {
             service->Leave(AnswerWithStatus(std::move(done)));
           });
}

const Address& Coordinator::address() const { return service_->address(); }

const std::string& Coordinator::name() const { return service_->name(); }

}  // namespace cachalot
