#ifndef TESTS_IO_MEMBERS_H_
#define TESTS_IO_MEMBERS_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "io/coordinator.h"

namespace cachalot {

// So long that reaching it is a failure.
constexpr absl::Duration LongWait() { return absl::Seconds(30); }
constexpr absl::Duration LongTtl() { return absl::Minutes(10); }

inline CoordinatorOptions Member(std::vector<std::string> seeds) {
  CoordinatorOptions options;
  options.bind = "127.0.0.1:0";
  options.seeds = std::move(seeds);
  // Who has only itself as a seed founds a cluster that never ran before.
  options.bootstrap = options.seeds == std::vector<std::string>{options.bind};
  options.birth_delay = absl::Milliseconds(20);
  return options;
}

inline CoordinatorOptions Founder() { return Member({"127.0.0.1:0"}); }

// A cluster of one that is ready.
inline std::unique_ptr<Coordinator> StartFounder(
    CoordinatorOptions options = Founder()) {
  absl::StatusOr<std::unique_ptr<Coordinator>> member =
      Coordinator::Create(std::move(options));
  EXPECT_TRUE(member.ok()) << member.status();
  const absl::Status connected = (*member)->Connect(LongWait());
  EXPECT_TRUE(connected.ok()) << connected;
  return *std::move(member);
}

inline LockOptions OwnedBy(std::string owner) {
  LockOptions options;
  options.owner = std::move(owner);
  return options;
}

// What a holder was told, in order. Thread-safe.
class Changes {
 public:
  ChangeCallback callback() {
    return [this](const LockChange& change) {
      const absl::MutexLock lock(&mutex_);
      changes_.push_back(change);
    };
  }

  std::vector<LockChange> all() {
    const absl::MutexLock lock(&mutex_);
    return changes_;
  }

  // The reasons of all losses that were told, once there is one.
  std::vector<LossReason> AwaitLosses() {
    const absl::MutexLock lock(&mutex_);
    const auto is_lost = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return !LossesLocked().empty();
    };
    mutex_.AwaitWithTimeout(absl::Condition(&is_lost), LongWait());
    return LossesLocked();
  }

 private:
  std::vector<LossReason> LossesLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    std::vector<LossReason> reasons;
    for (const LockChange& change : changes_) {
      if (change.belief == Belief::kLost) reasons.push_back(change.reason);
    }
    return reasons;
  }

  absl::Mutex mutex_;
  std::vector<LockChange> changes_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cachalot

#endif  // TESTS_IO_MEMBERS_H_
