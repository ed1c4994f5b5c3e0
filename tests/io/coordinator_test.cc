#include "io/coordinator.h"

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "io/local_network.h"
#include "io/socket.h"

namespace cachalot {
namespace {

// So long that reaching it is a failure.
constexpr absl::Duration LongWait() { return absl::Seconds(30); }
constexpr absl::Duration LongTtl() { return absl::Minutes(10); }

CoordinatorOptions Member(std::vector<std::string> seeds) {
  CoordinatorOptions options;
  options.bind = "127.0.0.1:0";
  options.seeds = std::move(seeds);
  // Who has only itself as a seed founds a cluster that never ran before.
  options.bootstrap = options.seeds == std::vector<std::string>{options.bind};
  options.birth_delay = absl::Milliseconds(50);
  return options;
}

CoordinatorOptions Founder() { return Member({"127.0.0.1:0"}); }

// Three members in one process.
class CoordinatorTest : public testing::Test {
 protected:
  void Start() {
    Open(Founder());
    const std::string seed = members_[0]->address().ToString();
    Open(Member({seed}));
    Open(Member({seed}));
    for (auto& member : members_) {
      const absl::Status connected = member->Connect(LongWait());
      ASSERT_TRUE(connected.ok()) << connected;
    }
  }

  void Open(CoordinatorOptions options) {
    absl::StatusOr<std::unique_ptr<Coordinator>> member =
        Coordinator::Create(std::move(options));
    ASSERT_TRUE(member.ok()) << member.status();
    members_.push_back(*std::move(member));
  }

  Coordinator& member(size_t i) { return *members_[i]; }

  // Asks again until `condition` holds of what `get` returns.
  template <typename Get, typename Condition>
  void PollUntil(Get get, Condition condition) {
    const absl::Time deadline = absl::Now() + LongWait();
    while (!condition(get())) ASSERT_LT(absl::Now(), deadline);
  }

  std::vector<std::unique_ptr<Coordinator>> members_;
};

TEST_F(CoordinatorTest, MembersFindEachOther) {
  Start();
  PollUntil(
      [&] { return member(2).GetMembers(); },
      [](const auto& members) { return members.ok() && members->size() == 3; });
  PollUntil([&] { return member(1).GetMembersLocal(); },
            [](const auto& members) { return members->size() == 3; });
}

TEST_F(CoordinatorTest, LocksRenewsAndReleases) {
  Start();
  absl::StatusOr<HeldLock> lock = member(0).Lock("key", absl::Seconds(30));
  ASSERT_TRUE(lock.ok()) << lock.status();
  EXPECT_EQ(lock->key(), "key");
  EXPECT_FALSE(lock->token().IsNone());
  EXPECT_EQ(lock->state(), Belief::kHeld);
  EXPECT_GT(lock->remaining(), absl::ZeroDuration());

  EXPECT_TRUE(lock->Renew(absl::Minutes(1)).ok());
  EXPECT_TRUE(member(0).Renew("key", absl::Minutes(2), lock->token()).ok());

  EXPECT_TRUE(lock->Release().ok());
  EXPECT_EQ(lock->remaining(), absl::ZeroDuration());
  EXPECT_EQ(lock->state(), Belief::kLost);
  EXPECT_EQ(lock->loss_reason(), LossReason::kReleased);
  EXPECT_TRUE(absl::IsFailedPrecondition(lock->Renew(absl::Minutes(1))));
}

TEST_F(CoordinatorTest, ATryIsRefusedNamingTheHolder) {
  Start();
  LockOptions options;
  options.owner = "worker-7";
  const absl::StatusOr<HeldLock> lock =
      member(0).Lock("key", LongTtl(), options);
  ASSERT_TRUE(lock.ok()) << lock.status();
  const absl::Status refused = member(1).TryLock("key", LongTtl()).status();
  EXPECT_TRUE(absl::IsAlreadyExists(refused)) << refused;
  EXPECT_TRUE(IsRefused(refused));
  EXPECT_TRUE(absl::StrContains(refused.message(), member(0).name()))
      << refused;
  EXPECT_TRUE(absl::StrContains(refused.message(), "worker-7")) << refused;
}

TEST_F(CoordinatorTest, AWaitEnds) {
  Start();
  const absl::StatusOr<HeldLock> lock = member(0).Lock("key", LongTtl());
  ASSERT_TRUE(lock.ok()) << lock.status();
  LockOptions options;
  options.wait = absl::Milliseconds(50);
  const absl::Status status =
      member(1).Lock("key", LongTtl(), options).status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
}

TEST_F(CoordinatorTest, AWaiterIsGrantedWithAHigherTokenOnRelease) {
  Start();
  absl::StatusOr<HeldLock> first = member(0).Lock("key", LongTtl());
  ASSERT_TRUE(first.ok()) << first.status();
  const FencingToken token = first->token();
  absl::Notification is_granted;
  std::optional<HeldLock> second;
  member(1).LockAsync("key", LongTtl(), {}, [&](absl::StatusOr<HeldLock> lock) {
    if (lock.ok()) second = *std::move(lock);
    is_granted.Notify();
  });
  PollUntil([&] { return member(0).GetLocks("key"); },
            [](const auto& locks) {
              return locks.ok() && locks->size() == 1 &&
                     (*locks)[0].waiters == 1;
            });
  EXPECT_FALSE(is_granted.HasBeenNotified());
  EXPECT_TRUE(first->Release().ok());
  ASSERT_TRUE(is_granted.WaitForNotificationWithTimeout(LongWait()));
  ASSERT_TRUE(second.has_value());
  EXPECT_GT(second->token(), token);
}

TEST_F(CoordinatorTest, ASecondLockInTheSameProcessWaitsLikeAnybody) {
  Start();
  absl::StatusOr<HeldLock> first = member(0).Lock("key", LongTtl());
  ASSERT_TRUE(first.ok());
  const absl::Status second = member(0).TryLock("key", LongTtl()).status();
  EXPECT_TRUE(absl::IsAlreadyExists(second)) << second;
}

TEST_F(CoordinatorTest, OwnersDoNotShareALockByAccident) {
  Start();
  LockOptions options;
  options.owner = "mine";
  absl::StatusOr<HeldLock> lock = member(0).Lock("key", LongTtl(), options);
  ASSERT_TRUE(lock.ok());
  EXPECT_TRUE(absl::IsInvalidArgument(member(0).Release("key")));
  EXPECT_TRUE(
      absl::IsPermissionDenied(member(0).Renew("key", LongTtl(), "yours")));
  EXPECT_TRUE(absl::IsFailedPrecondition(member(1).Release("key", "mine")));
  EXPECT_TRUE(member(0).Release("key", "mine").ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(member(0).Release("key", "mine")));
}

TEST_F(CoordinatorTest, DestructionReleasesAndDetachmentKeeps) {
  Start();
  { ASSERT_TRUE(member(0).Lock("dropped", LongTtl()).ok()); }
  EXPECT_TRUE(member(1).Lock("dropped", LongTtl()).ok());
  FencingToken kept;
  {
    absl::StatusOr<HeldLock> lock = member(0).Lock("kept", LongTtl());
    ASSERT_TRUE(lock.ok());
    kept = lock->token();
    lock->Detach();
  }
  EXPECT_TRUE(
      absl::IsAlreadyExists(member(1).TryLock("kept", LongTtl()).status()));
  EXPECT_TRUE(member(0).Release("kept", kept).ok());
}

TEST_F(CoordinatorTest, ALeaseThatIsNotRenewedIsLostAndPassesOn) {
  Start();
  absl::Mutex mutex;
  std::vector<LockChange> changes;
  LockOptions options;
  options.on_change = [&](const LockChange& change) {
    const absl::MutexLock lock(&mutex);
    changes.push_back(change);
  };
  absl::StatusOr<HeldLock> first =
      member(0).Lock("key", absl::Milliseconds(300), options);
  ASSERT_TRUE(first.ok());
  const absl::StatusOr<HeldLock> second = member(1).Lock("key", LongTtl());
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(first->remaining(), absl::ZeroDuration());
  EXPECT_EQ(first->state(), Belief::kLost);
  EXPECT_GT(second->token(), first->token());
  const absl::MutexLock lock(&mutex);
  ASSERT_FALSE(changes.empty());
  EXPECT_EQ(changes.back().belief, Belief::kLost);
  EXPECT_EQ(changes.back().reason, LossReason::kExpired);
  EXPECT_EQ(changes.back().token, first->token());
}

TEST_F(CoordinatorTest, ManyThreadsNeverHoldTheSameLockAtOnce) {
  Start();
  constexpr int kThreadsPerMember = 4;
  constexpr int kRounds = 25;
  std::atomic<int> holders{0};
  std::atomic<int> grants{0};
  absl::Mutex mutex;
  FencingToken last;  // what a protected resource would remember
  std::vector<std::thread> threads;
  for (int i = 0; i < 3 * kThreadsPerMember; ++i) {
    threads.emplace_back([&, i] {
      Coordinator& here = member(static_cast<size_t>(i % 3));
      for (int round = 0; round < kRounds; ++round) {
        const absl::StatusOr<HeldLock> lock = here.Lock("contended", LongTtl());
        ASSERT_TRUE(lock.ok()) << lock.status();
        EXPECT_EQ(holders.fetch_add(1), 0);
        {
          const absl::MutexLock guard(&mutex);
          EXPECT_GT(lock->token(), last);
          last = lock->token();
        }
        ++grants;
        holders.fetch_sub(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(grants.load(), 3 * kThreadsPerMember * kRounds);
}

TEST_F(CoordinatorTest, LeavingFreesLocksAtOnce) {
  Start();
  absl::StatusOr<HeldLock> lock = member(2).Lock("key", LongTtl());
  ASSERT_TRUE(lock.ok());
  EXPECT_TRUE(member(2).Leave().ok());
  EXPECT_EQ(lock->remaining(), absl::ZeroDuration());
  EXPECT_EQ(lock->loss_reason(), LossReason::kLeft);
  LockOptions options;
  options.wait = absl::Seconds(5);  // the session's lease is twice as long
  EXPECT_TRUE(member(0).Lock("key", LongTtl(), options).ok());
  EXPECT_TRUE(
      absl::IsFailedPrecondition(member(2).Lock("other", LongTtl()).status()));
  EXPECT_TRUE(member(2).Leave().ok());
}

TEST_F(CoordinatorTest, AHolderWhoseClusterIsGoneIsToldThatItsLockIsLost) {
  Open(Founder());
  const std::string seed = members_[0]->address().ToString();
  CoordinatorOptions options = Member({seed});
  options.lease.session_ttl = absl::Seconds(1);
  Open(std::move(options));
  ASSERT_TRUE(member(1).Connect(LongWait()).ok());
  absl::Notification is_lost;
  LockOptions lock_options;
  lock_options.on_change = [&](const LockChange& change) {
    if (change.belief == Belief::kLost) is_lost.Notify();
  };
  absl::StatusOr<HeldLock> lock =
      member(1).Lock("key", LongTtl(), lock_options);
  ASSERT_TRUE(lock.ok()) << lock.status();
  members_[0].reset();
  ASSERT_TRUE(is_lost.WaitForNotificationWithTimeout(LongWait()));
  EXPECT_EQ(lock->loss_reason(), LossReason::kExpired);
  EXPECT_EQ(lock->remaining(), absl::ZeroDuration());
}

TEST_F(CoordinatorTest, AWithdrawnWaiterIsCancelledAndNeverGranted) {
  Start();
  absl::StatusOr<HeldLock> lock = member(0).Lock("key", LongTtl());
  ASSERT_TRUE(lock.ok());
  absl::Notification is_done;
  absl::Status status;
  const RequestId request = member(1).LockAsync(
      "key", LongTtl(), {}, [&](absl::StatusOr<HeldLock> result) {
        status = result.status();
        is_done.Notify();
      });
  member(1).Withdraw(request);
  ASSERT_TRUE(is_done.WaitForNotificationWithTimeout(LongWait()));
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
  ASSERT_TRUE(lock->Release().ok());
  EXPECT_TRUE(member(2).Lock("key", LongTtl()).ok());
}

TEST_F(CoordinatorTest, CallbacksMayCallOnButNotBlock) {
  Start();
  absl::Notification is_done;
  absl::Status blocking;
  absl::StatusOr<std::vector<MemberInfo>> members;
  absl::Status released = absl::UnknownError("not called");
  member(0).LockAsync("key", LongTtl(), {}, [&](absl::StatusOr<HeldLock> lock) {
    blocking = member(0).Release("key");
    members = member(0).GetMembersLocal();
    lock->ReleaseAsync([&](absl::Status status) {
      released = std::move(status);
      is_done.Notify();
    });
  });
  ASSERT_TRUE(is_done.WaitForNotificationWithTimeout(LongWait()));
  EXPECT_TRUE(absl::IsFailedPrecondition(blocking)) << blocking;
  EXPECT_TRUE(members.ok());
  EXPECT_TRUE(released.ok()) << released;
}

TEST_F(CoordinatorTest, ListsLocksInPages) {
  Start();
  constexpr int kLocks = 1200;
  std::atomic<int> pending{kLocks};
  absl::Notification is_done;
  std::vector<std::optional<HeldLock>> held(kLocks);
  for (int i = 0; i < kLocks; ++i) {
    member(0).LockAsync(absl::StrCat("key/", 10000 + i), LongTtl(), {},
                        [&, i](absl::StatusOr<HeldLock> lock) {
                          if (lock.ok()) {
                            held[static_cast<size_t>(i)] = *std::move(lock);
                          }
                          if (--pending == 0) is_done.Notify();
                        });
  }
  ASSERT_TRUE(is_done.WaitForNotificationWithTimeout(LongWait()));
  const auto locks = member(1).GetLocks("key/");
  ASSERT_TRUE(locks.ok()) << locks.status();
  ASSERT_EQ(locks->size(), static_cast<size_t>(kLocks));
  EXPECT_EQ((*locks)[0].key, "key/10000");
  EXPECT_EQ(locks->back().key, "key/11199");
  PollUntil([&] { return member(2).GetLocksLocal("key/"); },
            [](const auto& local) {
              return local->size() == static_cast<size_t>(kLocks);
            });
}

TEST_F(CoordinatorTest, RefusesWhatBreaksALimit) {
  Start();
  for (const std::string& key : {std::string(), std::string(1025, 'x')}) {
    EXPECT_TRUE(
        absl::IsInvalidArgument(member(0).Lock(key, LongTtl()).status()));
  }
  for (const absl::Duration ttl :
       {absl::ZeroDuration(), -absl::Seconds(1), absl::Milliseconds(99),
        absl::Hours(25), absl::InfiniteDuration()}) {
    EXPECT_TRUE(absl::IsInvalidArgument(member(0).Lock("key", ttl).status()))
        << ttl;
  }
  EXPECT_TRUE(member(0).Lock(std::string(1024, 'x'), LongTtl()).ok());
}

TEST_F(CoordinatorTest, SurvivesGarbageOnItsPort) {
  Start();
  const SocketAddress target = ToSocketAddress(member(0).address(), AF_INET);
  const FileDescriptor datagrams(socket(AF_INET, SOCK_DGRAM, 0));
  ASSERT_EQ(
      sendto(datagrams.get(), "garbage", 7, 0, target.get(), target.length), 7);
  const FileDescriptor stream(socket(AF_INET, SOCK_STREAM, 0));
  ASSERT_EQ(connect(stream.get(), target.get(), target.length), 0);
  ASSERT_EQ(send(stream.get(), "\7\0\0\0garbage", 11, MSG_NOSIGNAL), 11);
  PollUntil([&] { return member(0).GetStatus(); },
            [](const auto& status) { return status->undecodable >= 2; });
  EXPECT_TRUE(member(0).Lock("key", LongTtl()).ok());
}

TEST_F(CoordinatorTest, LeftoversOfAClosedMemberFail) {
  Open(Founder());
  ASSERT_TRUE(member(0).Connect(LongWait()).ok());
  absl::StatusOr<HeldLock> lock = member(0).Lock("key", LongTtl());
  ASSERT_TRUE(lock.ok()) << lock.status();
  absl::Status waiting;
  absl::Notification is_done;
  member(0).LockAsync("key", LongTtl(), {}, [&](absl::StatusOr<HeldLock> l) {
    waiting = l.status();
    is_done.Notify();
  });
  members_.clear();
  ASSERT_TRUE(is_done.HasBeenNotified());
  EXPECT_TRUE(IsUnknown(waiting)) << waiting;
  EXPECT_TRUE(absl::IsFailedPrecondition(lock->Renew(LongTtl())));
}

// --- Create and Connect -----------------------------------------------------

absl::Status CreateStatus(CoordinatorOptions options) {
  return Coordinator::Create(std::move(options)).status();
}

TEST(CoordinatorCreateTest, NeedsASeedAndSaysSo) {
  const absl::Status status = CreateStatus(Member({}));
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "to found one")) << status;
}

TEST(CoordinatorCreateTest, SaysWhichAddressIsWrong) {
  CoordinatorOptions bad_bind = Member({"127.0.0.1:1"});
  bad_bind.bind = "127.0.0.1";
  EXPECT_TRUE(absl::StrContains(CreateStatus(std::move(bad_bind)).message(),
                                "bind address"));
  EXPECT_TRUE(absl::StrContains(
      CreateStatus(Member({"127.0.0.1:port"})).message(), "seed"));
  CoordinatorOptions bad_advertise = Member({"127.0.0.1:1"});
  bad_advertise.advertise = "0.0.0.0:0";
  EXPECT_TRUE(absl::IsInvalidArgument(CreateStatus(std::move(bad_advertise))));
}

TEST(CoordinatorCreateTest, SaysThatThePortIsTaken) {
  const auto first = Coordinator::Create(Founder()).value();
  const std::string taken = first->address().ToString();
  CoordinatorOptions options = Member({taken});
  options.bind = taken;
  const absl::Status status = CreateStatus(std::move(options));
  EXPECT_TRUE(absl::IsAlreadyExists(status)) << status;
}

TEST(CoordinatorCreateTest, ConnectNamesTheSeedsThatDoNotAnswer) {
  const auto lonely = Coordinator::Create(Member({"127.0.0.1:1"})).value();
  const absl::Status status = lonely->Connect(absl::Milliseconds(50));
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "127.0.0.1:1")) << status;
}

TEST(CoordinatorCreateTest, ASeedMayStartLast) {
  // A port that is free now.
  const Address port =
      BindSockets(Address::V4(127, 0, 0, 1, 0)).value().address;
  const auto early = Coordinator::Create(Member({port.ToString()})).value();
  EXPECT_FALSE(early->Connect(absl::Milliseconds(20)).ok());
  CoordinatorOptions options = Member({port.ToString()});
  options.bind = port.ToString();
  const auto seed = Coordinator::Create(std::move(options));
  ASSERT_TRUE(seed.ok()) << seed.status();
  EXPECT_TRUE(early->Connect(LongWait()).ok());
}

TEST(CoordinatorCreateTest, SpeaksIpv6) {
  CoordinatorOptions options = Member({"[::1]:0"});
  options.bind = "[::1]:0";
  const auto seed = Coordinator::Create(std::move(options));
  ASSERT_TRUE(seed.ok()) << seed.status();
  CoordinatorOptions joiner = Member({(*seed)->address().ToString()});
  joiner.bind = "[::1]:0";
  const auto other = Coordinator::Create(std::move(joiner));
  ASSERT_TRUE(other.ok()) << other.status();
  ASSERT_TRUE((*other)->Connect(LongWait()).ok());
  EXPECT_TRUE((*other)->Lock("key", LongTtl()).ok());
}

TEST(CoordinatorCreateTest,
     AMemberThatListensEverywhereDoesNotAdvertiseLoopback) {
  const auto seed = Coordinator::Create(Founder()).value();
  CoordinatorOptions options = Member({seed->address().ToString()});
  options.bind = ":0";
  const auto other = Coordinator::Create(std::move(options));
  ASSERT_TRUE(other.ok()) << other.status();
  // Members on other machines could not reach it there.
  EXPECT_EQ((*other)->address().IsLoopback(),
            SystemNetwork().Addresses().empty());
  EXPECT_TRUE((*other)->Connect(LongWait()).ok());
}

}  // namespace
}  // namespace cachalot
