#include "io/embedded_coordinator.h"

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "engine/request.h"
#include "gtest/gtest.h"
#include "io/agent_status.h"
#include "io/coordinator_options.h"
#include "io/grant.h"
#include "io/held_lock.h"
#include "io/log.h"
#include "io/socket.h"

namespace cachalot {
namespace {

// So long that reaching it is a failure.
constexpr absl::Duration LongWait() { return absl::Seconds(30); }
constexpr absl::Duration LongTtl() { return absl::Minutes(10); }

CoordinatorOptions OptionsFor(std::string seed) {
  CoordinatorOptions options;
  options.bind = "127.0.0.1:0";
  options.seeds = {std::move(seed)};
  // Who has only itself as a seed founds a cluster that never ran before.
  options.bootstrap = options.seeds == std::vector<std::string>{options.bind};
  options.birth_delay = absl::Milliseconds(20);
  return options;
}

CoordinatorOptions Founder() { return OptionsFor("127.0.0.1:0"); }

size_t CountThreads() {
  return static_cast<size_t>(
      std::distance(std::filesystem::directory_iterator("/proc/self/task"),
                    std::filesystem::directory_iterator()));
}

bool IsReadable(int fd) {
  pollfd watch = {.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&watch, 1, 0) == 1;
}

// What the process does with its signals.
struct Signals {
  static Signals Now() {
    Signals now;
    pthread_sigmask(SIG_BLOCK, nullptr, &now.mask);
    for (int signal = 1; signal < kCount; ++signal) {
      sigaction(signal, nullptr, &now.actions[static_cast<size_t>(signal)]);
    }
    return now;
  }

  bool operator==(const Signals& other) const {
    for (int signal = 1; signal < kCount; ++signal) {
      const auto slot = static_cast<size_t>(signal);
      if (sigismember(&mask, signal) != sigismember(&other.mask, signal) ||
          actions[slot].sa_handler != other.actions[slot].sa_handler ||
          actions[slot].sa_flags != other.actions[slot].sa_flags) {
        return false;
      }
    }
    return true;
  }

  static constexpr int kCount = 32;
  sigset_t mask = {};
  std::array<struct sigaction, kCount> actions = {};
};

// An event loop that knows nothing of Cachalot but a descriptor and a function.
class ForeignLoop {
 public:
  ForeignLoop() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {}

  void Watch(int fd, std::function<void()> on_readable) {
    watched_.push_back(std::move(on_readable));
    epoll_event event = {.events = EPOLLIN,
                         .data = {.u64 = watched_.size() - 1}};
    ASSERT_EQ(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event), 0);
  }

  void Forget(int fd) {
    ASSERT_EQ(epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr), 0);
  }

  // One descriptor at a time. False if none became readable before `deadline`.
  bool RunOnce(absl::Time deadline) {
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) return false;
    epoll_event event = {};
    const int count =
        epoll_wait(epoll_.get(), &event, 1,
                   static_cast<int>(absl::ToInt64Milliseconds(left)) + 1);
    if (count == 1) watched_[event.data.u64]();
    return true;
  }

  template <typename Condition>
  [[nodiscard]] bool RunUntil(const Condition& condition) {
    const absl::Time deadline = absl::Now() + LongWait();
    while (!condition()) {
      if (!RunOnce(deadline)) return false;
    }
    return true;
  }

 private:
  const FileDescriptor epoll_;
  std::vector<std::function<void()>> watched_;
};

class EmbeddedCoordinatorTest : public testing::Test {
 protected:
  using Locked = std::optional<absl::StatusOr<HeldLock>>;

  ~EmbeddedCoordinatorTest() override {
    for (auto& member : members_) loop_.Forget(member->fd());
  }

  EmbeddedCoordinator& Open(CoordinatorOptions options) {
    auto member = EmbeddedCoordinator::Create(std::move(options));
    EXPECT_TRUE(member.ok()) << member.status();
    members_.push_back(*std::move(member));
    loop_.Watch(members_.back()->fd(),
                [member = members_.back().get()] { member->Process(); });
    return *members_.back();
  }

  static EmbeddedCoordinator::LockCallback Into(Locked* locked) {
    return [locked](absl::StatusOr<HeldLock> lock) {
      locked->emplace(std::move(lock));
    };
  }

  static StatusCallback Into(std::optional<absl::Status>* status) {
    return [status](absl::Status answer) { *status = std::move(answer); };
  }

  // Takes `key` and returns what came of it.
  absl::StatusOr<HeldLock> Lock(EmbeddedCoordinator& member, std::string key,
                                absl::Duration ttl, LockOptions options = {}) {
    Locked locked;
    member.LockAsync(key, ttl, std::move(options), Into(&locked));
    if (!loop_.RunUntil([&] { return locked.has_value(); })) {
      return absl::DeadlineExceededError("no answer");
    }
    return *std::move(locked);
  }

  ForeignLoop loop_;
  std::vector<std::unique_ptr<EmbeddedCoordinator>> members_;
};

TEST_F(EmbeddedCoordinatorTest, ThreeMembersLiveInOneLoopOfOneThread) {
  const size_t threads = CountThreads();
  const Signals signals = Signals::Now();
  EmbeddedCoordinator& a = Open(Founder());
  EmbeddedCoordinator& b = Open(OptionsFor(a.address().ToString()));
  EmbeddedCoordinator& c = Open(OptionsFor(a.address().ToString()));

  ASSERT_TRUE(loop_.RunUntil([&] {
    return c.GetStatus()->standing.has_session &&
           c.GetMembersLocal()->size() == 3;
  }));
  absl::StatusOr<HeldLock> first = Lock(b, "key", LongTtl());
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_GT(first->remaining(), absl::ZeroDuration());

  Locked second;
  c.LockAsync("key", LongTtl(), {}, Into(&second));
  std::optional<absl::Status> renewed;
  first->RenewAsync(2 * LongTtl(), Into(&renewed));
  ASSERT_TRUE(loop_.RunUntil([&] { return renewed.has_value(); }));
  EXPECT_TRUE(renewed->ok()) << *renewed;
  EXPECT_GT(first->lease_remaining(), LongTtl());
  EXPECT_FALSE(second.has_value());

  std::optional<absl::Status> released;
  first->ReleaseAsync(Into(&released));
  ASSERT_TRUE(loop_.RunUntil(
      [&] { return released.has_value() && second.has_value(); }));
  EXPECT_TRUE(released->ok()) << *released;
  ASSERT_TRUE(second->ok()) << second->status();
  EXPECT_GT((*second)->token(), first->token());

  int left = 0;
  for (auto& member : members_) {
    member->LeaveAsync([&left](absl::Status status) {
      EXPECT_TRUE(status.ok()) << status;
      ++left;
    });
  }
  EXPECT_TRUE(loop_.RunUntil([&] { return left == 3; }));
  EXPECT_EQ((*second)->loss_reason(), LossReason::kLeft);
  EXPECT_EQ(CountThreads(), threads);
  EXPECT_TRUE(signals == Signals::Now());
}

TEST_F(EmbeddedCoordinatorTest, TellsThatALeaseHasEndedWithoutOtherNews) {
  EmbeddedCoordinator& member = Open(Founder());
  std::vector<LockChange> changes;
  LockOptions options;
  options.on_change = [&](const LockChange& change) {
    changes.push_back(change);
  };
  const absl::StatusOr<HeldLock> lock =
      Lock(member, "key", absl::Milliseconds(100), std::move(options));
  ASSERT_TRUE(lock.ok()) << lock.status();
  ASSERT_TRUE(loop_.RunUntil([&] {
    return !changes.empty() && changes.back().belief == Belief::kLost;
  }));
  EXPECT_EQ(changes.back().reason, LossReason::kExpired);
  EXPECT_EQ(lock->remaining(), absl::ZeroDuration());
}

TEST_F(EmbeddedCoordinatorTest, KeepsALockRenewedIfAsked) {
  EmbeddedCoordinator& member = Open(Founder());
  LockOptions options;
  options.renew = true;
  const absl::StatusOr<HeldLock> lock =
      Lock(member, "key", absl::Milliseconds(400), std::move(options));
  ASSERT_TRUE(lock.ok()) << lock.status();
  const absl::Time after = absl::Now() + absl::Seconds(1);
  ASSERT_TRUE(loop_.RunUntil([&] { return absl::Now() > after; }));
  EXPECT_EQ(lock->state(), Belief::kHeld);
}

TEST_F(EmbeddedCoordinatorTest, BlockingFormsFailOnTheThreadOfTheLoop) {
  EmbeddedCoordinator& member = Open(Founder());
  absl::StatusOr<HeldLock> lock = Lock(member, "key", LongTtl());
  ASSERT_TRUE(lock.ok()) << lock.status();
  EXPECT_TRUE(absl::IsFailedPrecondition(lock->Renew(LongTtl())));
  EXPECT_TRUE(absl::IsFailedPrecondition(lock->Release()));
}

TEST_F(EmbeddedCoordinatorTest, OtherThreadsMayCallAndEvenWait) {
  EmbeddedCoordinator& member = Open(Founder());
  absl::StatusOr<HeldLock> lock = Lock(member, "key", LongTtl());
  ASSERT_TRUE(lock.ok()) << lock.status();
  std::optional<absl::StatusOr<std::vector<LockInfo>>> locks;
  absl::Status renewed;
  absl::StatusOr<AgentStatus> status;
  std::thread other([&] {
    renewed = lock->Renew(2 * LongTtl());
    status = member.GetStatus();
    // The last, and answered on the loop's thread.
    member.GetLocksAsync("", [&](absl::StatusOr<std::vector<LockInfo>> answer) {
      locks.emplace(std::move(answer));
    });
  });
  EXPECT_TRUE(loop_.RunUntil([&] { return locks.has_value(); }));
  other.join();
  EXPECT_TRUE(renewed.ok()) << renewed;
  EXPECT_TRUE(status.ok()) << status.status();
  ASSERT_TRUE(locks->ok()) << locks->status();
  EXPECT_EQ((*locks)->size(), 1u);
}

TEST_F(EmbeddedCoordinatorTest, DoesABoundedPartOfItsWorkAtATime) {
  EmbeddedCoordinator& member = Open(Founder());
  const absl::StatusOr<HeldLock> lock = Lock(member, "key", LongTtl());
  ASSERT_TRUE(lock.ok()) << lock.status();
  constexpr int kCalls = 1000;
  int answered = 0;
  for (int i = 0; i < kCalls; ++i) {
    // Refused at once when the member comes to it: no such owner.
    member.RenewAsync("key", LongTtl(), "nobody", [&](absl::Status status) {
      EXPECT_TRUE(absl::IsPermissionDenied(status)) << status;
      ++answered;
    });
  }
  EXPECT_EQ(answered, 0);
  member.Process();
  EXPECT_GT(answered, 0);
  EXPECT_LT(answered, kCalls);
  EXPECT_TRUE(IsReadable(member.fd()));
  EXPECT_TRUE(loop_.RunUntil([&] { return answered == kCalls; }));
}

TEST_F(EmbeddedCoordinatorTest, IsNotReadableWhenThereIsNothingToDo) {
  EmbeddedCoordinator& member = Open(Founder());
  ASSERT_TRUE(
      loop_.RunUntil([&] { return member.GetStatus()->standing.has_session; }));
  int turns = 0;
  while (IsReadable(member.fd())) {
    member.Process();
    ASSERT_LT(++turns, 1000);
  }
}

TEST_F(EmbeddedCoordinatorTest, AnswersAllCallsWhenItIsDestroyed) {
  auto member = EmbeddedCoordinator::Create(Founder());
  ASSERT_TRUE(member.ok()) << member.status();
  Locked held;
  (*member)->LockAsync("key", LongTtl(), {}, Into(&held));
  const absl::Time deadline = absl::Now() + LongWait();
  while (!held.has_value() && absl::Now() < deadline) (*member)->Process();
  ASSERT_TRUE(held.has_value() && held->ok());

  Locked waiting;
  (*member)->LockAsync("key", LongTtl(), {}, Into(&waiting));
  member->reset();
  ASSERT_TRUE(waiting.has_value());
  EXPECT_FALSE(waiting->ok());
  EXPECT_EQ((*held)->loss_reason(), LossReason::kClosed);
  EXPECT_EQ((*held)->remaining(), absl::ZeroDuration());
}

TEST_F(EmbeddedCoordinatorTest, LogsOnTheThreadOfTheLoop) {
  const std::thread::id thread = std::this_thread::get_id();
  size_t records = 0;
  CoordinatorOptions options = Founder();
  options.log = [&](const LogRecord& record) {
    EXPECT_FALSE(record.message.empty());
    EXPECT_EQ(std::this_thread::get_id(), thread);
    ++records;
  };
  EmbeddedCoordinator& member = Open(std::move(options));
  EXPECT_TRUE(
      loop_.RunUntil([&] { return member.GetStatus()->standing.has_session; }));
  member.Process();
  EXPECT_GT(records, 0u);
}

TEST_F(EmbeddedCoordinatorTest, SeedsMayHaveNames) {
  EmbeddedCoordinator& founder = Open(Founder());
  EmbeddedCoordinator& member =
      Open(OptionsFor(absl::StrCat("localhost:", founder.address().port)));
  EXPECT_TRUE(
      loop_.RunUntil([&] { return member.GetStatus()->standing.has_session; }));
}

TEST_F(EmbeddedCoordinatorTest, LearnsWhereSeedsHaveMoved) {
  EmbeddedCoordinator& founder = Open(Founder());
  // The discard port: nobody is there.
  EmbeddedCoordinator& member = Open(OptionsFor("127.0.0.1:9"));
  const absl::Status refused = member.SetSeeds({"localhost:7946"});
  EXPECT_TRUE(absl::IsInvalidArgument(refused)) << refused;
  const absl::Status status = member.SetSeeds({founder.address().ToString()});
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(
      loop_.RunUntil([&] { return member.GetStatus()->standing.has_session; }));
}

TEST_F(EmbeddedCoordinatorTest, AChildOfForkInheritsNoMember) {
  EmbeddedCoordinator& member = Open(Founder());
  const absl::StatusOr<HeldLock> lock = Lock(member, "key", LongTtl());
  ASSERT_TRUE(lock.ok()) << lock.status();
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    // Returns at once, and takes nothing that arrives from the parent.
    member.Process();
    Locked refused;
    member.LockAsync("other", LongTtl(), {}, Into(&refused));
    const bool is_right = refused.has_value() &&
                          absl::IsFailedPrecondition(refused->status()) &&
                          lock->remaining() == absl::ZeroDuration();
    _exit(is_right ? 0 : 1);
  }
  int status = 1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(Lock(member, "other", LongTtl()).ok());
}

TEST_F(EmbeddedCoordinatorTest, SaysThatItsPortIsTaken) {
  EmbeddedCoordinator& member = Open(Founder());
  CoordinatorOptions options = Founder();
  options.bind = member.address().ToString();
  options.seeds = {options.bind};
  const absl::Status status =
      EmbeddedCoordinator::Create(std::move(options)).status();
  EXPECT_TRUE(absl::IsAlreadyExists(status)) << status;
}

using EmbeddedCoordinatorDeathTest = EmbeddedCoordinatorTest;

TEST_F(EmbeddedCoordinatorDeathTest, ProcessIsNotForCallbacks) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        EmbeddedCoordinator& member = Open(Founder());
        member.GetLocksAsync("", [&](absl::StatusOr<std::vector<LockInfo>>) {
          member.Process();
        });
        static_cast<void>(loop_.RunUntil([] { return false; }));
      },
      "called from a callback");
}

}  // namespace
}  // namespace cachalot
