// A build with --config=tsan reports the races that are there, and none that a
// Mutex prevents: tools/deps/com_google_absl/annotated_mutex.cc.

#include <atomic>
#include <cstdlib>
#include <thread>

#include "absl/status/status.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

#if defined(__SANITIZE_THREAD__)
#define HAS_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HAS_THREAD_SANITIZER 1
#endif
#endif

namespace cachalot {
namespace {

// Orders threads in time only: ThreadSanitizer infers nothing from relaxed
// accesses, so what one orders is a race all the same.
class TurnOnly {
 public:
  void Pass() { is_passed_.store(true, std::memory_order_relaxed); }
  void Await() const {
    while (!is_passed_.load(std::memory_order_relaxed)) {
      std::this_thread::yield();
    }
  }

 private:
  std::atomic<bool> is_passed_{false};
};

struct Guarded {
  absl::Mutex mutex;
  absl::Mutex other;
  absl::CondVar changed;
  absl::Notification is_written;
  int value = 0;
  bool is_ready = false;
  // Both have one text.
  absl::Status status = absl::NotFoundError("no such thing");
  absl::Status same_status = status;

  bool IsReady() const { return is_ready; }
};

// Lets one thread run `first`, and then, in time only, another `second`.
template <typename First, typename Second>
void RunInTurn(First first, Second second) {
  Guarded guarded;
  TurnOnly turn;
  std::thread writer([&] {
    first(guarded);
    turn.Pass();
  });
  std::thread reader([&] {
    turn.Await();
    second(guarded);
  });
  writer.join();
  reader.join();
}

void WriteLocked(Guarded& guarded) {
  const absl::MutexLock lock(&guarded.mutex);
  guarded.value = 1;
}

#if defined(HAS_THREAD_SANITIZER)

void WriteUnlocked(Guarded& guarded) { guarded.value = 1; }

void WriteUnderOther(Guarded& guarded) {
  const absl::MutexLock lock(&guarded.other);
  guarded.value = 1;
}

void WriteStatus(Guarded& guarded) { guarded.status = absl::OkStatus(); }

// Runs `body` in a child, in which the sanitizer must report a race. The child
// exits with a code of its own, since a report is fatal only at the end.
#define EXPECT_RACE(body)                                        \
  EXPECT_EXIT((body, std::exit(0)), testing::ExitedWithCode(66), \
              "ThreadSanitizer: data race")

class PlantedRaceTest : public testing::Test {
 protected:
  PlantedRaceTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(PlantedRaceTest, OfTwoWithoutALockIsReported) {
  EXPECT_RACE(RunInTurn(WriteUnlocked, WriteUnlocked));
}

TEST_F(PlantedRaceTest, OfTwoWhoWriteOneStatusIsReported) {
  EXPECT_RACE(RunInTurn(WriteStatus, WriteStatus));
}

TEST_F(PlantedRaceTest, OfOneWithoutTheLockIsReported) {
  EXPECT_RACE(RunInTurn(WriteLocked, WriteUnlocked));
  EXPECT_RACE(RunInTurn(WriteUnlocked, WriteLocked));
}

TEST_F(PlantedRaceTest, UnderDifferentLocksIsReported) {
  EXPECT_RACE(RunInTurn(WriteLocked, WriteUnderOther));
}

TEST_F(PlantedRaceTest, OfAWriterUnderASharedLockIsReported) {
  const auto write_shared = [](Guarded& guarded) {
    const absl::ReaderMutexLock lock(&guarded.mutex);
    guarded.value = 1;
  };
  EXPECT_RACE(RunInTurn(write_shared, write_shared));
}

TEST_F(PlantedRaceTest, OfAWriteAfterANotificationIsReported) {
  EXPECT_RACE(RunInTurn(
      [](Guarded& guarded) {
        guarded.is_written.Notify();
        guarded.value = 1;
      },
      [](Guarded& guarded) {
        guarded.is_written.WaitForNotification();
        guarded.value = 2;
      }));
}

TEST_F(PlantedRaceTest, OfWhatAConditionReadsIsReported) {
  EXPECT_RACE(RunInTurn([](Guarded& guarded) { guarded.is_ready = true; },
                        [](Guarded& guarded) {
                          guarded.mutex.LockWhen(
                              absl::Condition(&guarded, &Guarded::IsReady));
                          guarded.mutex.Unlock();
                        }));
}

#endif  // HAS_THREAD_SANITIZER

// The last who lets go of the text frees it.
TEST(SharedStatusTest, ItsTextIsReadAndFreedByTwoThreads) {
  RunInTurn(
      [](Guarded& guarded) {
        EXPECT_EQ(guarded.status.message(), "no such thing");
        guarded.status = absl::OkStatus();
      },
      [](Guarded& guarded) { guarded.same_status = absl::OkStatus(); });
}

// What follows must run without a report; in other builds, run at all.

TEST(MutexTest, OrdersExclusiveAndSharedAccess) {
  RunInTurn(WriteLocked, WriteLocked);
  RunInTurn(WriteLocked, [](Guarded& guarded) {
    const absl::ReaderMutexLock lock(&guarded.mutex);
    EXPECT_EQ(guarded.value, 1);
  });
  RunInTurn(
      [](Guarded& guarded) {
        absl::ReleasableMutexLock lock(&guarded.mutex);
        guarded.value = 1;
        lock.Release();
      },
      [](Guarded& guarded) {
        while (!guarded.mutex.TryLock()) std::this_thread::yield();
        guarded.value = 2;
        guarded.mutex.Unlock();
      });
}

TEST(MutexTest, OrdersWhatANotificationAnnounces) {
  RunInTurn(
      [](Guarded& guarded) {
        guarded.value = 1;
        guarded.is_written.Notify();
      },
      [](Guarded& guarded) {
        guarded.is_written.WaitForNotification();
        EXPECT_EQ(guarded.value, 1);
      });
  RunInTurn(
      [](Guarded& guarded) {
        guarded.value = 1;
        guarded.is_written.Notify();
      },
      [](Guarded& guarded) {
        ASSERT_TRUE(guarded.is_written.HasBeenNotified());
        EXPECT_EQ(guarded.value, 1);
      });
}

TEST(MutexTest, OrdersWhatIsCounted) {
  absl::BlockingCounter counter(2);
  int written[2] = {};
  std::thread first([&] {
    written[0] = 1;
    counter.DecrementCount();
  });
  std::thread second([&] {
    written[1] = 1;
    counter.DecrementCount();
  });
  counter.Wait();
  EXPECT_EQ(written[0] + written[1], 2);
  first.join();
  second.join();
}

// Waits in every way there is for another thread's writes, many times over, so
// that conditions are evaluated by both threads.
TEST(MutexTest, OrdersWhatIsWaitedFor) {
  constexpr int kRounds = 200;
  Guarded guarded;
  const auto is_ready = [&guarded] { return guarded.is_ready; };
  const auto is_taken = [&guarded] { return !guarded.is_ready; };
  std::thread writer([&] {
    for (int round = 1; round <= kRounds; ++round) {
      const absl::MutexLock lock(&guarded.mutex);
      guarded.mutex.Await(absl::Condition(&is_taken));
      guarded.value = round;
      guarded.is_ready = true;
      guarded.changed.SignalAll();
    }
  });
  for (int round = 1; round <= kRounds; ++round) {
    switch (round % 4) {
      case 0:
        guarded.mutex.LockWhen(absl::Condition(&is_ready));
        break;
      case 1:
        guarded.mutex.Lock();
        while (!guarded.is_ready) guarded.changed.Wait(&guarded.mutex);
        break;
      case 2:
        while (!guarded.mutex.LockWhenWithTimeout(absl::Condition(&is_ready),
                                                  absl::Milliseconds(1))) {
          guarded.mutex.Unlock();
        }
        break;
      default:
        guarded.mutex.Lock();
        while (!guarded.mutex.AwaitWithTimeout(absl::Condition(&is_ready),
                                               absl::Milliseconds(1))) {
        }
    }
    EXPECT_EQ(guarded.value, round);
    guarded.is_ready = false;
    guarded.mutex.Unlock();
  }
  writer.join();
}

}  // namespace
}  // namespace cachalot
