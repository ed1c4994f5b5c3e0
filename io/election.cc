#include "io/election.h"

#include <cstddef>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "io/grant.h"

namespace cachalot {
namespace {

constexpr absl::string_view kKeyPrefix = "election/";
constexpr size_t kNameBytesMax = 1000;

}  // namespace

Election::Election(Coordinator* coordinator, std::string name,
                   ElectionOptions options)
    : coordinator_(coordinator),
      key_(absl::StrCat(kKeyPrefix, name)),
      options_(std::move(options)) {}

Election::~Election() { TakeLock(); }

absl::Status Election::CheckName() const {
  const size_t bytes = key_.size() - kKeyPrefix.size();
  if (bytes >= 1 && bytes <= kNameBytesMax) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the name of the election has ", bytes,
                   " bytes; it must have 1 to ", kNameBytesMax));
}

absl::Status Election::Campaign(TimeSpan wait, std::stop_token stop) {
  const absl::Status named = CheckName();
  if (!named.ok()) return named;
  std::optional<HeldLock> lost;
  {
    const absl::MutexLock lock(&mutex_);
    if (is_campaigning_) {
      return absl::FailedPreconditionError(
          "this candidate campaigns in another thread");
    }
    if (lock_.has_value() && lock_->state() != Belief::kLost) {
      return absl::OkStatus();
    }
    is_campaigning_ = true;
    lost.swap(lock_);
  }
  lost.reset();

  LockOptions options;
  options.wait = wait;
  options.stop = std::move(stop);
  options.owner =
      options_.label.empty() ? coordinator_->name() : options_.label;
  options.renew = true;
  if (options_.on_lost != nullptr) {
    options.on_change = [on_lost = options_.on_lost](const LockChange& change) {
      if (change.belief == Belief::kLost) on_lost(change.reason);
    };
  }
  absl::StatusOr<HeldLock> won =
      coordinator_->Lock(key_, options_.ttl, std::move(options));
  const absl::MutexLock lock(&mutex_);
  is_campaigning_ = false;
  if (!won.ok()) return won.status();
  lock_ = *std::move(won);
  return absl::OkStatus();
}

absl::Status Election::Resign() {
  std::optional<HeldLock> lock = TakeLock();
  if (!lock.has_value() || lock->state() == Belief::kLost) {
    return absl::OkStatus();
  }
  return lock->Release();
}

bool Election::is_leader() const {
  const absl::MutexLock lock(&mutex_);
  return lock_.has_value() && lock_->state() != Belief::kLost;
}

FencingToken Election::token() const {
  const absl::MutexLock lock(&mutex_);
  const bool leads = lock_.has_value() && lock_->state() != Belief::kLost;
  return leads ? lock_->token() : FencingToken();
}

std::stop_token Election::stop_token() const {
  {
    const absl::MutexLock lock(&mutex_);
    if (lock_.has_value()) return lock_->stop_token();
  }
  std::stop_source none;
  none.request_stop();
  return none.get_token();
}

absl::StatusOr<std::optional<std::string>> Election::Leader() const {
  const absl::Status named = CheckName();
  if (!named.ok()) return named;
  const absl::StatusOr<std::vector<LockInfo>> locks =
      coordinator_->GetLocks(key_);
  if (!locks.ok()) return locks.status();
  for (const LockInfo& lock : *locks) {
    if (lock.key == key_) return std::optional<std::string>(lock.owner);
  }
  return std::optional<std::string>();
}

std::optional<HeldLock> Election::TakeLock() {
  std::optional<HeldLock> taken;
  const absl::MutexLock lock(&mutex_);
  taken.swap(lock_);
  return taken;
}

}  // namespace cachalot
