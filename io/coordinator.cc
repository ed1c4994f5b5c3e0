#include "io/coordinator.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/survival.h"
#include "io/blocking.h"
#include "io/coordinator_parts.h"
#include "io/lock_service.h"
#include "io/seed_watch.h"
#include "io/survival_text.h"

namespace cachalot {
absl::StatusOr<std::unique_ptr<Coordinator>> Coordinator::Create(
    CoordinatorOptions options) {
  absl::StatusOr<std::unique_ptr<CoordinatorParts>> parts =
      CreateParts(std::move(options), Threading::kOwnThread);
  if (!parts.ok()) return parts.status();
  return std::unique_ptr<Coordinator>(new Coordinator(*std::move(parts)));
}

absl::StatusOr<std::unique_ptr<Coordinator>> Coordinator::Over(
    std::unique_ptr<EngineDriver> driver, std::shared_ptr<Logger> log,
    CoordinatorOptions options) {
  absl::StatusOr<std::unique_ptr<CoordinatorParts>> parts =
      CreatePartsOver(std::move(driver), std::move(log), std::move(options));
  if (!parts.ok()) return parts.status();
  return std::unique_ptr<Coordinator>(new Coordinator(*std::move(parts)));
}

Coordinator::Coordinator(std::unique_ptr<CoordinatorParts> parts)
    : AsyncCoordinator(std::move(parts)) {}

absl::Status Coordinator::Connect(TimeSpan timeout, std::stop_token stop) {
  if (service()->is_forked()) return service()->ClosedError();
  if (service()->IsOnThread()) {
    return absl::FailedPreconditionError(
        "Connect() from a callback would wait for itself");
  }
  const CallerScope scope(service());
  const absl::Status ready = service()->WaitUntilReady(timeout, stop);
  if (!absl::IsDeadlineExceeded(ready)) return ready;
  const absl::StatusOr<AgentStatus> status = GetStatus();
  if (status.ok() && status->outage.kind == Outage::Kind::kMajorityLost) {
    return absl::DeadlineExceededError(DescribeOutage(status->outage));
  }
  return absl::DeadlineExceededError(absl::StrCat(
      "no cluster with a leader was found in ",
      absl::FormatDuration(absl::Duration(timeout)), "; asked ",
      parts().seeds == nullptr ? "nobody" : parts().seeds->Describe(),
      " and will go on asking"));
}

absl::StatusOr<HeldLock> Coordinator::Lock(absl::string_view key, TimeSpan ttl,
                                           LockOptions options) {
  return RunBlocking<absl::StatusOr<HeldLock>>(
      service(), [&](LockCallback done) {
        LockAsync(key, ttl, std::move(options), std::move(done));
      });
}

absl::StatusOr<HeldLock> Coordinator::TryLock(absl::string_view key,
                                              TimeSpan ttl,
                                              LockOptions options) {
  options.wait = absl::ZeroDuration();
  return Lock(key, ttl, std::move(options));
}

absl::Status Coordinator::Renew(absl::string_view key, TimeSpan ttl,
                                absl::string_view owner) {
  return RunBlocking<absl::Status>(service(), [&](StatusCallback done) {
    RenewAsync(key, ttl, owner, std::move(done));
  });
}

absl::Status Coordinator::Renew(absl::string_view key, TimeSpan ttl,
                                FencingToken token) {
  return RunBlocking<absl::Status>(service(), [&](StatusCallback done) {
    RenewAsync(key, ttl, token, std::move(done));
  });
}

absl::Status Coordinator::Release(absl::string_view key,
                                  absl::string_view owner) {
  return RunBlocking<absl::Status>(service(), [&](StatusCallback done) {
    ReleaseAsync(key, owner, std::move(done));
  });
}

absl::Status Coordinator::Release(absl::string_view key, FencingToken token) {
  return RunBlocking<absl::Status>(service(), [&](StatusCallback done) {
    ReleaseAsync(key, token, std::move(done));
  });
}

absl::StatusOr<std::vector<LockInfo>> Coordinator::GetLocks(
    absl::string_view prefix) {
  return RunBlocking<absl::StatusOr<std::vector<LockInfo>>>(
      service(),
      [&](LocksCallback done) { GetLocksAsync(prefix, std::move(done)); });
}

absl::StatusOr<std::vector<WaiterInfo>> Coordinator::GetWaiters(
    absl::string_view key) {
  return RunBlocking<absl::StatusOr<std::vector<WaiterInfo>>>(
      service(),
      [&](WaitersCallback done) { GetWaitersAsync(key, std::move(done)); });
}

absl::StatusOr<LockInfo> Coordinator::ForceRelease(absl::string_view key,
                                                   absl::string_view reason,
                                                   FencingToken token) {
  return RunBlocking<absl::StatusOr<LockInfo>>(
      service(), [&](LockInfoCallback done) {
        ForceReleaseAsync(key, reason, token, std::move(done));
      });
}

absl::StatusOr<std::vector<MemberInfo>> Coordinator::GetMembers() {
  return RunBlocking<absl::StatusOr<std::vector<MemberInfo>>>(
      service(),
      [&](MembersCallback done) { GetMembersAsync(std::move(done)); });
}

absl::Status Coordinator::Leave() {
  return RunBlocking<absl::Status>(
      service(), [&](StatusCallback done) { LeaveAsync(std::move(done)); });
}

}  // namespace cachalot
