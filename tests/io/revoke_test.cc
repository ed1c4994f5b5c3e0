#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "io/coordinator.h"
#include "io/held_lock.h"
#include "tests/io/members.h"

// An administrator takes locks from their holders, and looks at queues.

namespace cachalot {
namespace {

using ::testing::HasSubstr;

// Two members of one cluster: the second finds the first.
struct Two {
  Two() : founder(StartFounder()) {
    joiner =
        Coordinator::Create(Member({founder->address().ToString()})).value();
    const absl::Status connected = joiner->Connect(LongWait());
    EXPECT_TRUE(connected.ok()) << connected;
  }
  std::unique_ptr<Coordinator> founder;
  std::unique_ptr<Coordinator> joiner;
};

TEST(ForceReleaseTest, TheHolderIsToldWhyAndTheNextIsGranted) {
  Two two;
  Changes changes;
  LockOptions options = OwnedBy("backup");
  options.on_change = changes.callback();
  absl::StatusOr<HeldLock> held =
      two.joiner->TryLock("job", LongTtl(), std::move(options));
  ASSERT_TRUE(held.ok()) << held.status();
  absl::Notification granted;
  absl::StatusOr<HeldLock> next = absl::UnknownError("not yet");
  two.founder->LockAsync("job", LongTtl(), {},
                         [&](absl::StatusOr<HeldLock> lock) {
                           next = std::move(lock);
                           granted.Notify();
                         });
  // Once it waits.
  absl::StatusOr<std::vector<WaiterInfo>> waiters;
  do {
    waiters = two.joiner->GetWaiters("job");
    ASSERT_TRUE(waiters.ok()) << waiters.status();
  } while (waiters->empty());
  ASSERT_EQ(waiters->size(), 1u);
  EXPECT_EQ(waiters->front().name, two.founder->name());

  const absl::StatusOr<LockInfo> holder =
      two.founder->ForceRelease("job", "it hangs");
  ASSERT_TRUE(holder.ok()) << holder.status();
  EXPECT_EQ(holder->key, "job");
  EXPECT_EQ(holder->token, held->token());
  EXPECT_EQ(holder->holder_name, two.joiner->name());
  EXPECT_EQ(holder->owner, "backup");
  EXPECT_EQ(holder->revoke_reason, "it hangs");
  EXPECT_GT(holder->remaining, absl::ZeroDuration());
  EXPECT_GT(holder->lease_remaining, holder->session_remaining);
  ASSERT_TRUE(granted.WaitForNotificationWithTimeout(LongWait()));
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_GT(next->token(), held->token());
  EXPECT_EQ(changes.AwaitLosses(),
            std::vector<LossReason>({LossReason::kRevoked}));
  EXPECT_EQ(changes.all().back().text, "it hangs");
  EXPECT_EQ(held->state(), Belief::kLost);
  EXPECT_EQ(held->loss_reason(), LossReason::kRevoked);
}

TEST(ForceReleaseTest, OfWhatIsNotHeldSoIsRefused) {
  const std::unique_ptr<Coordinator> member = StartFounder();
  absl::StatusOr<LockInfo> revoked = member->ForceRelease("job", "why");
  EXPECT_TRUE(absl::IsFailedPrecondition(revoked.status()));
  EXPECT_THAT(std::string(revoked.status().message()),
              HasSubstr("nobody holds the lock"));
  const absl::StatusOr<HeldLock> held = member->TryLock("job", LongTtl());
  ASSERT_TRUE(held.ok()) << held.status();
  const FencingToken other(held->token().number() + 1);
  revoked = member->ForceRelease("job", "why", other);
  EXPECT_TRUE(absl::IsFailedPrecondition(revoked.status()));
  EXPECT_EQ(held->loss_reason(), LossReason::kNone);
  EXPECT_TRUE(member->ForceRelease("job", "why", held->token()).ok());
}

TEST(ForceReleaseTest, NeedsAReason) {
  const std::unique_ptr<Coordinator> member = StartFounder();
  const absl::StatusOr<HeldLock> held = member->TryLock("job", LongTtl());
  for (const std::string& reason : {std::string(), std::string(257, 'x')}) {
    const absl::Status refused = member->ForceRelease("job", reason).status();
    EXPECT_TRUE(absl::IsInvalidArgument(refused)) << refused;
    EXPECT_THAT(std::string(refused.message()), HasSubstr("reason"));
  }
  EXPECT_EQ(held->loss_reason(), LossReason::kNone);
}

TEST(WaitersTest, AreListedInTheOrderInWhichTheyAreServed) {
  const std::unique_ptr<Coordinator> member = StartFounder();
  EXPECT_TRUE(absl::IsInvalidArgument(member->GetWaiters("").status()));
  EXPECT_EQ(member->GetWaiters("job")->size(), 0u);
  const absl::StatusOr<HeldLock> held = member->TryLock("job", LongTtl());
  ASSERT_TRUE(held.ok()) << held.status();
  // More than one page has; requests of one member arrive in their order.
  constexpr size_t kWaiters = 1500;
  for (size_t i = 0; i < kWaiters; ++i) {
    member->LockAsync("job", LongTtl(), OwnedBy(std::to_string(i)),
                      [](absl::StatusOr<HeldLock>) {});
  }
  absl::StatusOr<std::vector<WaiterInfo>> waiters;
  do {
    waiters = member->GetWaiters("job");
    ASSERT_TRUE(waiters.ok()) << waiters.status();
  } while (waiters->size() < kWaiters);
  ASSERT_EQ(waiters->size(), kWaiters);
  for (size_t i = 0; i < kWaiters; ++i) {
    EXPECT_EQ((*waiters)[i].owner, std::to_string(i));
  }
}

TEST(WaitTest, ThatEndedSaysWhoHoldsTheLock) {
  Two two;
  const absl::StatusOr<HeldLock> held =
      two.founder->TryLock("job", LongTtl(), OwnedBy("backup"));
  ASSERT_TRUE(held.ok()) << held.status();
  LockOptions options;
  options.wait = absl::Milliseconds(300);
  const absl::Status status =
      two.joiner->Lock("job", LongTtl(), std::move(options)).status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(two.founder->name() + " for backup with token " +
                        held->token().ToString()));
}

// Five vote and sixteen learn; the others ask the leader for everything.
TEST(ManyMembersTest, AllConnectAndTakeALock) {
  constexpr size_t kMembers = 40;
  std::vector<std::unique_ptr<Coordinator>> members;
  members.push_back(StartFounder());
  const std::string seed = members.front()->address().ToString();
  while (members.size() < kMembers) {
    absl::StatusOr<std::unique_ptr<Coordinator>> member =
        Coordinator::Create(Member({seed}));
    ASSERT_TRUE(member.ok()) << member.status();
    members.push_back(*std::move(member));
  }
  size_t without_copy = 0;
  for (size_t i = 0; i < kMembers; ++i) {
    const absl::Status connected = members[i]->Connect(LongWait());
    ASSERT_TRUE(connected.ok()) << i << ": " << connected;
    const absl::StatusOr<HeldLock> held =
        members[i]->TryLock("job-" + std::to_string(i), LongTtl());
    ASSERT_TRUE(held.ok()) << i << ": " << held.status();
    const absl::StatusOr<AgentStatus> status = members[i]->GetStatus();
    ASSERT_TRUE(status.ok()) << status.status();
    EXPECT_TRUE(status->standing.has_leader) << i;
    EXPECT_FALSE(status->leader.IsNone()) << i;
    const absl::Status local = members[i]->GetLocksLocal().status();
    if (local.ok()) continue;
    ++without_copy;
    EXPECT_TRUE(absl::IsFailedPrecondition(local)) << local;
    EXPECT_THAT(std::string(local.message()), HasSubstr("GetLocks()"));
  }
  // Who learns changes while members come in.
  EXPECT_GT(without_copy, 0u);
}

}  // namespace
}  // namespace cachalot
