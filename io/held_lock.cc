#include "io/held_lock.h"

#include <utility>

#include "io/blocking.h"
#include "io/fork_guard.h"
#include "io/lock_service.h"
#include "io/status_codes.h"

namespace cachalot {
namespace {

HeldClaim ClaimOf(const Grant& grant) {
  return {.key = grant.key(), .token = grant.token()};
}

}  // namespace

HeldLock::HeldLock(std::shared_ptr<LockService> service,
                   std::shared_ptr<Grant> grant)
    : service_(std::move(service)), grant_(std::move(grant)) {}

HeldLock& HeldLock::operator=(HeldLock&& other) noexcept {
  if (this == &other) return *this;
  GiveUp();
  service_ = std::move(other.service_);
  grant_ = std::move(other.grant_);
  return *this;
}

HeldLock::~HeldLock() { GiveUp(); }

absl::Duration HeldLock::remaining() const {
  if (service_->is_forked()) return absl::ZeroDuration();
  return grant_->Remaining(service_->ReadClock().fast);
}

absl::Duration HeldLock::lease_remaining() const {
  if (service_->is_forked()) return absl::ZeroDuration();
  return grant_->LeaseRemaining(service_->ReadClock().fast);
}

Belief HeldLock::state() const {
  if (service_->is_forked()) return Belief::kLost;
  return grant_->BeliefAt(service_->ReadClock().fast);
}

std::stop_token HeldLock::stop_token() const {
  if (!service_->is_forked()) return grant_->StopToken();
  std::stop_source over;
  over.request_stop();
  return over.get_token();
}

LossReason HeldLock::loss_reason() const {
  return service_->is_forked() ? LossReason::kClosed : grant_->loss_reason();
}

LockLoss HeldLock::loss() const {
  if (service_->is_forked()) return {.reason = LossReason::kClosed};
  return grant_->loss();
}

absl::Status HeldLock::Renew(TimeSpan ttl) {
  return RunBlocking<absl::Status>(
      service_, [&](StatusCallback done) { RenewAsync(ttl, std::move(done)); });
}

void HeldLock::RenewAsync(TimeSpan ttl, StatusCallback done) {
  if (service_->is_forked()) return done(service_->ClosedError());
  // Lost is final, also where the engine has not noticed yet.
  if (state() == Belief::kLost) {
    done(absl::FailedPreconditionError("the lock is lost"));
    return;
  }
  PostCall(*service_, std::move(done),
           [service = service_.get(), claim = ClaimOf(*grant_),
            ttl](StatusCallback done) {
             service->Renew(claim, ttl, AnswerWithStatus(std::move(done)));
           });
}

absl::Status HeldLock::Release() {
  return RunBlocking<absl::Status>(
      service_, [&](StatusCallback done) { ReleaseAsync(std::move(done)); });
}

void HeldLock::ReleaseAsync(StatusCallback done) {
  if (service_->is_forked()) return done(service_->ClosedError());
  grant_->Silence();
  // Nobody believes in the lock from here on, whenever the release arrives.
  grant_->Lose(LossReason::kReleased);
  grant_->Trip();
  auto release = [service = service_.get(),
                  claim = ClaimOf(*grant_)](StatusCallback done) {
    service->Release(claim, AnswerWithStatus(std::move(done)));
  };
  if (grant_->BeginHoldersRelease()) {
    PostAlways(*service_, std::move(done), std::move(release));
  } else {
    PostCall(*service_, std::move(done), std::move(release));
  }
}

void HeldLock::Detach() { grant_.reset(); }

void HeldLock::GiveUp() {
  if (service_ != nullptr && service_->is_forked()) {
    KeepForever(std::move(service_));
    KeepForever(std::move(grant_));
    return;
  }
  if (grant_ == nullptr) return;
  // What was released, or lost to others, needs no release; what ran out may
  // still be in the cluster's table for a while.
  const LossReason reason = grant_->loss_reason();
  if (reason == LossReason::kNone || reason == LossReason::kExpired) {
    ReleaseAsync([](absl::Status) {});
  }
  grant_->Silence();
  grant_.reset();
}

}  // namespace cachalot
