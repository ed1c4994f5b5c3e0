#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "io/coordinator.h"
#include "io/held_lock.h"
#include "io/status_codes.h"
#include "tests/io/members.h"

namespace {
std::atomic<bool> can_start_threads{true};
}  // namespace

// In the place of the C library's, for threads that cannot be started.
extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attr,
                              void* (*start)(void*), void* argument) {
  if (!can_start_threads.load()) return EAGAIN;
  using Create =
      int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static const auto create =
      reinterpret_cast<Create>(dlsym(RTLD_NEXT, "pthread_create"));
  return create(thread, attr, start, argument);
}

namespace cachalot {
namespace {

using ::testing::HasSubstr;

// A thread of this process as the kernel shows it.
class KernelThread {
 public:
  static KernelThread Self() {
    return KernelThread(static_cast<pid_t>(syscall(SYS_gettid)));
  }
  explicit KernelThread(pid_t id)
      : path_(absl::StrCat("/proc/self/task/", id, "/status")) {}

  // The value of a line of its status file.
  std::string Get(const std::string& field) const {
    std::ifstream file(path_);
    std::string line;
    while (std::getline(file, line)) {
      if (line.rfind(field + ":\t", 0) == 0)
        return line.substr(field.size() + 2);
    }
    return "";
  }

  // Waits until it waits for something.
  void AwaitSleep() const {
    const absl::Time deadline = absl::Now() + LongWait();
    while (Get("State")[0] != 'S') ASSERT_LT(absl::Now(), deadline);
  }

 private:
  std::string path_;
};

// Runs `call` in a thread, and returns once it waits.
class Waiter {
 public:
  explicit Waiter(std::function<absl::Status()> call)
      : thread_([this, call = std::move(call)] {
          id_.store(static_cast<pid_t>(syscall(SYS_gettid)));
          status_ = call();
        }) {
    while (id_.load() == 0) {
    }
    KernelThread(id_.load()).AwaitSleep();
  }

  absl::Status Join() {
    thread_.join();
    return status_;
  }

 private:
  std::atomic<pid_t> id_{0};
  absl::Status status_ = absl::UnknownError("not called");
  std::thread thread_;
};

// --- The end
// ------------------------------------------------------------------

TEST(LifeCycleTest, ConnectSurvivesTheDestruction) {
  // Nobody answers at this seed.
  auto member = Coordinator::Create(Member({"127.0.0.1:1"})).value();
  Waiter waiter([&member = *member] { return member.Connect(LongWait()); });
  member.reset();
  const absl::Status status = waiter.Join();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("closed"));
}

TEST(LifeCycleTest, BlockingCallsAreAnsweredByTheDestruction) {
  auto member = Coordinator::Create(Member({"127.0.0.1:1"})).value();
  Coordinator& reference = *member;
  std::vector<std::unique_ptr<Waiter>> readers;
  readers.push_back(std::make_unique<Waiter>(
      [&reference] { return reference.GetLocks().status(); }));
  readers.push_back(std::make_unique<Waiter>(
      [&reference] { return reference.GetMembers().status(); }));
  Waiter locker(
      [&reference] { return reference.Lock("key", LongTtl()).status(); });
  member.reset();
  for (auto& reader : readers) {
    const absl::Status status = reader->Join();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  }
  const absl::Status locked = locker.Join();
  EXPECT_TRUE(IsUnknown(locked)) << locked;
}

TEST(LifeCycleTest, ManyThreadsMayBeInsideAtTheEnd) {
  constexpr int kThreads = 8;
  auto member = StartFounder();
  Coordinator& reference = *member;
  std::atomic<bool> is_over{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&reference, &is_over, i] {
      // Stops at the first refusal: after it the member may be gone.
      while (!is_over.load()) {
        const auto lock = reference.Lock(absl::StrCat("key", i % 3), LongTtl());
        if (!lock.ok()) return;
      }
    });
  }
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(reference.GetLocks().ok());
  EXPECT_TRUE(member->Leave().ok());
  for (std::thread& thread : threads) thread.join();
  member.reset();
}

TEST(LifeCycleTest, ConnectAfterLeavingIsRefusedAtOnce) {
  const auto member = StartFounder();
  Waiter waiter([&member] {
    const auto held = member->Lock("key", LongTtl());
    return member->Lock("key", LongTtl()).status();
  });
  ASSERT_TRUE(member->Leave().ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(waiter.Join()));
  const absl::Status status = member->Connect(absl::InfiniteDuration());
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("has left"));
}

TEST(LifeCycleTest, ABlockedConnectEndsWhenTheMemberLeaves) {
  const auto member = Coordinator::Create(Member({"127.0.0.1:1"})).value();
  Waiter waiter(
      [&member] { return member->Connect(absl::InfiniteDuration()); });
  EXPECT_TRUE(member->Leave().ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(waiter.Join()));
}

// --- Callbacks
// ------------------------------------------------------------------

// A lock whose holder is being told that it is lost, until Finish().
class SlowlyTold {
 public:
  explicit SlowlyTold(Coordinator& member) {
    LockOptions options;
    options.on_change = [this](const LockChange&) {
      has_begun_.Notify();
      may_end_.WaitForNotificationWithTimeout(LongWait());
      has_ended_.store(true);
    };
    absl::StatusOr<HeldLock> lock = member.Lock("key", LongTtl(), options);
    EXPECT_TRUE(lock.ok()) << lock.status();
    member.ReleaseAsync("key", lock->token(), [](absl::Status) {});
    lock_ = *std::move(lock);
    has_begun_.WaitForNotification();
  }

  std::optional<HeldLock>& lock() { return lock_; }
  void Finish() { may_end_.Notify(); }
  bool has_ended() const { return has_ended_.load(); }

 private:
  absl::Notification has_begun_;
  absl::Notification may_end_;
  std::atomic<bool> has_ended_{false};
  std::optional<HeldLock> lock_;
};

// Lets the callback end once this thread waits in `barrier`.
void ExpectWaitsForCallback(SlowlyTold& told, std::function<void()> barrier) {
  std::thread helper([&told, self = KernelThread::Self()] {
    self.AwaitSleep();
    told.Finish();
  });
  barrier();
  EXPECT_TRUE(told.has_ended());
  helper.join();
}

TEST(LifeCycleTest, DestroyingALockWaitsForItsCallback) {
  const auto member = StartFounder();
  SlowlyTold told(*member);
  ExpectWaitsForCallback(told, [&told] { told.lock().reset(); });
}

TEST(LifeCycleTest, ReleasingALockWaitsForItsCallback) {
  const auto member = StartFounder();
  SlowlyTold told(*member);
  ExpectWaitsForCallback(
      told, [&told] { told.lock()->ReleaseAsync([](absl::Status) {}); });
}

TEST(LifeCycleTest, DestroyingTheMemberWaitsForCallbacks) {
  auto member = StartFounder();
  SlowlyTold told(*member);
  ExpectWaitsForCallback(told, [&member] { member.reset(); });
}

TEST(LifeCycleTest, ACallbackMayDestroyItsLock) {
  const auto member = StartFounder();
  std::optional<HeldLock> lock;
  absl::Notification is_told;
  LockOptions options;
  options.on_change = [&](const LockChange&) {
    lock.reset();
    is_told.Notify();
  };
  absl::StatusOr<HeldLock> granted = member->Lock("key", LongTtl(), options);
  ASSERT_TRUE(granted.ok()) << granted.status();
  const FencingToken token = granted->token();
  lock = *std::move(granted);
  EXPECT_TRUE(member->Release("key", token).ok());
  EXPECT_TRUE(is_told.WaitForNotificationWithTimeout(LongWait()));
}

// --- Threads and signals
// ----------------------------------------------------------

uint64_t BlockedSignals(const KernelThread& thread) {
  return std::stoull(thread.Get("SigBlk"), nullptr, 16);
}

TEST(LifeCycleTest, ItsThreadLeavesSignalsToOthersButNotCrashesAndProfiles) {
  const auto member = StartFounder();
  int found = 0;
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/self/task")) {
    const KernelThread thread(std::stoi(task.path().filename().string()));
    if (thread.Get("Name") != "cachalot") continue;
    ++found;
    const uint64_t blocked = BlockedSignals(thread);
    const auto is_blocked = [blocked](int signal) {
      return (blocked >> (signal - 1) & 1) != 0;
    };
    for (const int signal :
         {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGPROF}) {
      EXPECT_FALSE(is_blocked(signal)) << strsignal(signal);
    }
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGALRM, SIGCHLD, SIGPIPE,
                             SIGUSR1, SIGUSR2}) {
      EXPECT_TRUE(is_blocked(signal)) << strsignal(signal);
    }
  }
  EXPECT_EQ(found, 1);
}

TEST(LifeCycleTest, AThreadThatCannotBeStartedIsAnError) {
  const uint64_t before = BlockedSignals(KernelThread::Self());
  can_start_threads.store(false);
  const absl::Status status = Coordinator::Create(Founder()).status();
  can_start_threads.store(true);
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("thread"));
  EXPECT_EQ(BlockedSignals(KernelThread::Self()), before);
}

}  // namespace
}  // namespace cachalot
