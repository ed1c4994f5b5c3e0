#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "io/coordinator.h"
#include "tests/io/members.h"

namespace cachalot {
namespace {

using testing::Contains;
using testing::IsSubsetOf;

// Keeps the events that a member tells of.
class Told {
 public:
  LogFunction Function() {
    return [this](const LogRecord& record) {
      const absl::MutexLock lock(&mutex_);
      events_.push_back(record.event);
    };
  }
  std::vector<LogEvent> Events() {
    const absl::MutexLock lock(&mutex_);
    return events_;
  }

 private:
  absl::Mutex mutex_;
  std::vector<LogEvent> events_ ABSL_GUARDED_BY(mutex_);
};

// What a founder tells that takes a lock, loses another's race, gives the lock
// up and leaves.
std::vector<LogEvent> TellAt(LogLevel level) {
  Told told;
  CoordinatorOptions options = Founder();
  options.log = told.Function();
  options.log_level = level;
  std::unique_ptr<Coordinator> member = StartFounder(std::move(options));
  absl::StatusOr<HeldLock> lock = member->Lock("k", LongTtl());
  EXPECT_TRUE(lock.ok()) << lock.status();
  EXPECT_FALSE(member->TryLock("k", LongTtl()).ok());
  EXPECT_TRUE(lock->Renew(LongTtl()).ok());
  EXPECT_TRUE(lock->Release().ok());
  EXPECT_TRUE(member->Leave().ok());
  member.reset();
  return told.Events();
}

TEST(CoordinatorLogTest, TellsOfItsLifeAndAtDebugLevelOfItsLocks) {
  using enum LogEvent;
  const std::vector<LogEvent> events = TellAt(LogLevel::kDebug);
  EXPECT_THAT((std::vector<LogEvent>{kStarted, kStanding, kClusterFounded,
                                     kElectionStarted, kLeadershipWon,
                                     kSessionOpened, kLockWaiting, kLockGranted,
                                     kLockRefused, kLockRenewed, kLockReleased,
                                     kDecision, kLeaving, kLeft}),
              IsSubsetOf(events));
  // What it remembers decides how it starts.
  ASSERT_GE(events.size(), 2u);
  EXPECT_EQ(events[0], kMemoryNone);
  EXPECT_EQ(events[1], kStarted);
  EXPECT_EQ(events.back(), kLeft);
}

TEST(CoordinatorLogTest, AtInfoLevelGrantsAndDecisionsAreNotTold) {
  using enum LogEvent;
  const std::vector<LogEvent> events = TellAt(LogLevel::kInfo);
  EXPECT_THAT(events, Contains(kLeadershipWon));
  for (const LogEvent event : events) {
    EXPECT_GE(InfoOf(event).level, LogLevel::kInfo) << event;
  }
}

TEST(CoordinatorLogTest, AGracefulLifeHasNoWarnings) {
  EXPECT_THAT(TellAt(LogLevel::kWarning), testing::IsEmpty());
}

TEST(CoordinatorLogTest, ALockThatIsLostIsTold) {
  Told told;
  CoordinatorOptions options = Founder();
  options.log = told.Function();
  std::unique_ptr<Coordinator> member = StartFounder(std::move(options));
  Changes changes;
  LockOptions lock_options;
  lock_options.on_change = changes.callback();
  const absl::StatusOr<HeldLock> lock =
      member->Lock("k", absl::Milliseconds(200), std::move(lock_options));
  ASSERT_TRUE(lock.ok()) << lock.status();
  changes.AwaitLosses();
  member.reset();
  EXPECT_THAT(told.Events(), Contains(LogEvent::kLockLost));
}

TEST(CoordinatorLogTest, AFunctionThatIsSlowDoesNotStopTheMember) {
  absl::Mutex mutex;
  bool may_go_on = false;
  CoordinatorOptions options = Founder();
  options.log_level = LogLevel::kDebug;
  options.log = [&](const LogRecord&) {
    const absl::MutexLock lock(&mutex);
    mutex.Await(absl::Condition(&may_go_on));
  };
  std::unique_ptr<Coordinator> member = StartFounder(std::move(options));
  for (int i = 0; i < 10; ++i) {
    const absl::StatusOr<HeldLock> lock = member->Lock("k", LongTtl());
    ASSERT_TRUE(lock.ok()) << lock.status();
  }
  {
    const absl::MutexLock lock(&mutex);
    may_go_on = true;
  }
  member.reset();
}

}  // namespace
}  // namespace cachalot
