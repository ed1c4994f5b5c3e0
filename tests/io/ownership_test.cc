#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "engine/ids.h"
#include "engine/request.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "io/coordinator.h"
#include "io/held_lock.h"
#include "io/local/client.h"
#include "io/local/protocol.h"
#include "io/status_codes.h"
#include "tests/io/members.h"

// Who may renew and release a lock, and who is told that it is lost.

namespace cachalot {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string SocketPath() {
  const char* directory = std::getenv("TEST_TMPDIR");
  std::string path = absl::StrCat(directory == nullptr ? "/tmp" : directory,
                                  "/ownership.", getpid());
  // Bazel's directories may be too deep for the kernel.
  return path.size() > 100 ? absl::StrCat("/tmp/ownership.", getpid()) : path;
}

// One member, with a local socket.
class OwnershipTest : public testing::Test {
 protected:
  OwnershipTest() : path_(SocketPath()) {
    CoordinatorOptions options = Founder();
    options.local_socket = path_;
    member_ = StartFounder(std::move(options));
  }

  HeldLock Take(absl::string_view key, LockOptions options = {}) {
    absl::StatusOr<HeldLock> lock =
        member_->TryLock(key, LongTtl(), std::move(options));
    EXPECT_TRUE(lock.ok()) << lock.status();
    return *std::move(lock);
  }

  // Asks through the local socket.
  Answer Ask(LocalRequest request) {
    const std::unique_ptr<LocalClient> client =
        LocalClient::Connect(path_).value();
    absl::StatusOr<LocalReply> reply = client->Call(request, LongWait());
    EXPECT_TRUE(reply.ok()) << reply.status();
    return reply->answer;
  }

  Answer AskToRelease(std::string owner, FencingToken token = {}) {
    return Ask({.operation = LocalOperation::kRelease,
                .key = "key",
                .owner = std::move(owner),
                .token = token});
  }

  Answer AskToRenew(std::string owner, FencingToken token = {}) {
    return Ask({.operation = LocalOperation::kRenew,
                .key = "key",
                .owner = std::move(owner),
                .token = token,
                .ttl = LongTtl()});
  }

  Answer AskToLock(std::string owner) {
    return Ask({.operation = LocalOperation::kAcquire,
                .key = "key",
                .owner = std::move(owner),
                .ttl = LongTtl()});
  }

  const std::string path_;
  std::unique_ptr<Coordinator> member_;
};

void ExpectAskedForProof(const absl::Status& status) {
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("name the token or the owner"));
}

// Two threads that try the same key: the one that was refused gives up what it
// does not have.
TEST_F(OwnershipTest, AKeyAloneIsNoProof) {
  Changes changes;
  LockOptions options;
  options.on_change = changes.callback();
  const HeldLock winner = Take("pool", std::move(options));
  EXPECT_FALSE(member_->TryLock("pool", LongTtl()).ok());
  ExpectAskedForProof(member_->Release("pool"));
  ExpectAskedForProof(member_->Release("pool", FencingToken()));
  ExpectAskedForProof(member_->Renew("pool", LongTtl()));
  ExpectAskedForProof(member_->Renew("pool", LongTtl(), FencingToken()));
  ExpectAskedForProof(member_->Release("nobody's"));
  EXPECT_EQ(winner.state(), Belief::kHeld);
  EXPECT_THAT(changes.all(), IsEmpty());
}

TEST_F(OwnershipTest, TheTokenIsProof) {
  const HeldLock lock = Take("key", OwnedBy("mine"));
  EXPECT_TRUE(member_->Renew("key", LongTtl(), lock.token()).ok());
  EXPECT_TRUE(member_->Release("key", lock.token()).ok());
  EXPECT_EQ(lock.loss_reason(), LossReason::kReleased);
  EXPECT_EQ(lock.remaining(), absl::ZeroDuration());
  EXPECT_TRUE(
      absl::IsFailedPrecondition(member_->Release("key", lock.token())));
  // A token of the past does no harm to who came after.
  const HeldLock next = Take("key", OwnedBy("mine"));
  EXPECT_TRUE(
      absl::IsFailedPrecondition(member_->Release("key", lock.token())));
  EXPECT_TRUE(absl::IsFailedPrecondition(
      member_->Renew("key", LongTtl(), lock.token())));
  EXPECT_EQ(next.state(), Belief::kHeld);
}

TEST_F(OwnershipTest, TheOwnerIsProofWhereItTookTheLock) {
  const HeldLock lock = Take("key", OwnedBy("pool"));
  EXPECT_TRUE(member_->Renew("key", LongTtl(), "pool").ok());
  const absl::Status refused = member_->Release("key", "other");
  EXPECT_TRUE(absl::IsPermissionDenied(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("\"pool\""));
  EXPECT_TRUE(absl::IsFailedPrecondition(member_->Release("none", "pool")));
  EXPECT_EQ(lock.state(), Belief::kHeld);
  EXPECT_TRUE(member_->Release("key", "pool").ok());
}

TEST_F(OwnershipTest, ALockWithoutOwnerIsNobodysByName) {
  const HeldLock lock = Take("key");
  const absl::Status refused = member_->Release("key", "pool");
  EXPECT_TRUE(absl::IsPermissionDenied(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("name the token"));
  EXPECT_EQ(lock.state(), Belief::kHeld);
}

TEST_F(OwnershipTest, TheLocalSocketDoesNotReleaseTheProgramsLockByName) {
  Changes changes;
  LockOptions options = OwnedBy("pool");
  options.on_change = changes.callback();
  const HeldLock lock = Take("key", std::move(options));
  for (const char* owner : {"", "pool", "other"}) {
    for (const Answer& refused : {AskToRelease(owner), AskToRenew(owner)}) {
      EXPECT_EQ(refused.outcome,
                *owner == '\0' ? Outcome::kInvalid : Outcome::kNotHeld);
      EXPECT_THAT(refused.text, HasSubstr("token"));
    }
  }
  EXPECT_EQ(lock.state(), Belief::kHeld);
  EXPECT_THAT(changes.all(), IsEmpty());

  EXPECT_EQ(AskToRenew("", lock.token()).outcome, Outcome::kOk);
  EXPECT_EQ(AskToRelease("", lock.token()).outcome, Outcome::kOk);
  EXPECT_THAT(changes.AwaitLosses(), ElementsAre(LossReason::kReleased));
}

TEST_F(OwnershipTest, TheProgramDoesNotReleaseALocalLockByName) {
  const Answer granted = AskToLock("pool");
  ASSERT_EQ(granted.outcome, Outcome::kOk);
  EXPECT_TRUE(absl::IsPermissionDenied(member_->Release("key", "pool")));
  EXPECT_TRUE(
      absl::IsPermissionDenied(member_->Renew("key", LongTtl(), "pool")));
  EXPECT_EQ(AskToRenew("pool").outcome, Outcome::kOk);
  EXPECT_TRUE(member_->Release("key", granted.token).ok());
}

// Three shells that run `try key && work; release key`.
TEST_F(OwnershipTest, AShellThatLostDoesNotReleaseTheWinnersLock) {
  const Answer winner = AskToLock("");
  ASSERT_EQ(winner.outcome, Outcome::kOk);
  EXPECT_EQ(AskToLock("").outcome, Outcome::kHeld);
  const Answer refused = AskToRelease("");
  EXPECT_EQ(refused.outcome, Outcome::kInvalid);
  EXPECT_THAT(refused.text, HasSubstr("name the token or the owner"));
  EXPECT_EQ(AskToLock("").outcome, Outcome::kHeld);
  EXPECT_EQ(AskToRelease("", winner.token).outcome, Outcome::kOk);
}

// --- Each loss is told once, with its reason ---------------------------------

TEST_F(OwnershipTest, ItsHolderIsToldOfEachLossOnce) {
  const struct {
    const char* name;
    std::function<void(const HeldLock&)> lose;
    LossReason reason;
  } kLosses[] = {
      {"by owner",
       [&](const HeldLock&) {
         EXPECT_TRUE(member_->Release("key", "pool").ok());
       },
       LossReason::kReleased},
      {"by token",
       [&](const HeldLock& lock) {
         EXPECT_TRUE(member_->Release("key", lock.token()).ok());
       },
       LossReason::kReleased},
      {"by both at once",
       [&](const HeldLock& lock) {
         absl::Notification is_done;
         member_->ReleaseAsync("key", lock.token(), [](absl::Status) {});
         member_->ReleaseAsync("key", "pool",
                               [&](absl::Status) { is_done.Notify(); });
         is_done.WaitForNotification();
       },
       LossReason::kReleased},
      {"at the local socket",
       [&](const HeldLock& lock) {
         EXPECT_EQ(AskToRelease("", lock.token()).outcome, Outcome::kOk);
       },
       LossReason::kReleased},
      {"by time",
       [](const HeldLock& lock) {
         while (lock.remaining() > absl::ZeroDuration()) {
         }
       },
       LossReason::kExpired},
      {"by leaving",
       [&](const HeldLock&) { EXPECT_TRUE(member_->Leave().ok()); },
       LossReason::kLeft},
  };
  for (const auto& loss : kLosses) {
    SCOPED_TRACE(loss.name);
    Changes changes;
    LockOptions options = OwnedBy("pool");
    options.on_change = changes.callback();
    const absl::Duration ttl = loss.reason == LossReason::kExpired
                                   ? absl::Milliseconds(150)
                                   : LongTtl();
    absl::StatusOr<HeldLock> lock = member_->Lock("key", ttl, options);
    ASSERT_TRUE(lock.ok()) << lock.status();
    loss.lose(*lock);
    EXPECT_THAT(changes.AwaitLosses(), ElementsAre(loss.reason));
    EXPECT_EQ(changes.all().back().token, lock->token());
    EXPECT_EQ(lock->loss_reason(), loss.reason);
    // What comes after says nothing twice.
    EXPECT_FALSE(lock->Release().ok());
    EXPECT_THAT(changes.AwaitLosses(), ElementsAre(loss.reason));
  }
}

TEST_F(OwnershipTest, HoldersAreToldThatTheirMemberWasClosed) {
  Changes changes;
  LockOptions options;
  options.on_change = changes.callback();
  const HeldLock lock = Take("key", options);
  HeldLock detached = Take("detached", options);
  detached.Detach();
  member_.reset();
  EXPECT_THAT(changes.AwaitLosses(),
              ElementsAre(LossReason::kClosed, LossReason::kClosed));
  EXPECT_EQ(lock.remaining(), absl::ZeroDuration());
  EXPECT_EQ(lock.loss_reason(), LossReason::kClosed);
}

TEST_F(OwnershipTest, AHolderIsNotToldOfWhatItsOwnHandleDoes) {
  Changes changes;
  LockOptions options;
  options.on_change = changes.callback();
  {
    HeldLock lock = Take("released", options);
    EXPECT_TRUE(lock.Release().ok());
    const HeldLock dropped = Take("dropped", options);
  }
  // Released in the order of asking: the last has been released by now.
  { const HeldLock lock = Take("another"); }
  while (!member_->GetLocks()->empty()) {
  }
  EXPECT_THAT(changes.all(), IsEmpty());
}

}  // namespace
}  // namespace cachalot
