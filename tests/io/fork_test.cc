#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <map>
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
#include "engine/member.h"
#include "engine/request.h"
#include "gtest/gtest.h"
#include "io/coordinator.h"
#include "io/fork_guard.h"
#include "io/held_lock.h"
#include "tests/io/members.h"

// What a child of fork() may do with what it inherited: nothing.

namespace cachalot {
namespace {

// A child that reports what went wrong.
class Child {
 public:
  // Runs `report` in the child.
  explicit Child(const std::function<std::string()>& report) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    process_ = fork();
    if (process_ == 0) {
      const std::string text = report();
      const bool is_written = write(ends[1], text.data(), text.size()) ==
                              static_cast<ssize_t>(text.size());
      _exit(is_written ? 0 : 1);
    }
    close(ends[1]);
    output_ = ends[0];
  }
  ~Child() { close(output_); }

  // All that it said; also that it did not end well.
  std::string Finish() {
    std::string text;
    char byte;
    while (read(output_, &byte, 1) == 1) text.push_back(byte);
    int status = 0;
    EXPECT_EQ(waitpid(process_, &status, 0), process_);
    if (status != 0) absl::StrAppend(&text, "ended with status ", status);
    return text;
  }

 private:
  pid_t process_ = -1;
  int output_ = -1;
};

// Two members in this process and a lock that is held.
struct Cluster {
  Cluster() : first(StartFounder()) {
    second = StartFounder(Member({first->address().ToString()}));
    LockOptions options = OwnedBy("me");
    options.on_change = changes.callback();
    lock = first->Lock("key", LongTtl(), std::move(options)).value();
  }

  // The members serve, and the lock is held still.
  void ExpectUndisturbed() {
    EXPECT_EQ(lock->state(), Belief::kHeld);
    EXPECT_GT(lock->remaining(), absl::ZeroDuration());
    EXPECT_TRUE(lock->Renew(LongTtl()).ok());
    EXPECT_TRUE(
        absl::IsAlreadyExists(second->TryLock("key", LongTtl()).status()));
    EXPECT_TRUE(second->Lock("other", LongTtl()).ok());
    EXPECT_TRUE(first->GetMembers().ok());
    EXPECT_TRUE(changes.all().empty());
  }

  Changes changes;
  std::unique_ptr<Coordinator> first;
  std::unique_ptr<Coordinator> second;
  std::optional<HeldLock> lock;
};

TEST(ForkTest, TheGuardTellsChildFromParent) {
  const ForkGuard guard;
  EXPECT_FALSE(guard.IsForked());
  Child child([&] {
    if (!guard.IsForked()) return "the child was not noticed";
    const ForkGuard own;
    return own.IsForked() ? "the child is not its own" : "";
  });
  EXPECT_EQ(child.Finish(), "");
  EXPECT_FALSE(guard.IsForked());
}

// Returns as fork() does. In the child everything is destroyed on the way.
bool IsChildThatUnwound() {
  Cluster cluster;
  const pid_t process = fork();
  if (process == 0) return true;
  int status = 0;
  EXPECT_EQ(waitpid(process, &status, 0), process);
  EXPECT_EQ(status, 0);
  cluster.ExpectUndisturbed();
  return false;
}

TEST(ForkTest, AChildThatUnwindsLeavesItsParentAlone) {
  if (IsChildThatUnwound()) _exit(0);
}

std::string CheckCalls(Cluster& cluster) {
  std::string wrong;
  const auto expect_refused = [&wrong](const char* call,
                                       const absl::Status& status) {
    if (absl::IsFailedPrecondition(status) &&
        absl::StrContains(status.message(), "forked")) {
      return;
    }
    absl::StrAppend(&wrong, call, ": ", status.ToString(), "\n");
  };
  Coordinator& member = *cluster.first;
  HeldLock& lock = *cluster.lock;
  expect_refused("Connect", member.Connect(LongWait()));
  expect_refused("Lock", member.Lock("new", LongTtl()).status());
  expect_refused("TryLock", member.TryLock("new", LongTtl()).status());
  expect_refused("Renew", member.Renew("key", LongTtl(), "me"));
  expect_refused("Release", member.Release("key", "me"));
  expect_refused("Release", member.Release("key", lock.token()));
  expect_refused("GetLocks", member.GetLocks().status());
  expect_refused("GetLocksLocal", member.GetLocksLocal().status());
  expect_refused("GetMembers", member.GetMembers().status());
  expect_refused("GetMembersLocal", member.GetMembersLocal().status());
  expect_refused("GetStatus", member.GetStatus().status());
  expect_refused("Leave", member.Leave());
  expect_refused("HeldLock::Renew", lock.Renew(LongTtl()));
  expect_refused("HeldLock::Release", lock.Release());
  bool is_answered = false;
  const RequestId request = member.LockAsync(
      "new", LongTtl(), {}, [&](absl::StatusOr<HeldLock> answer) {
        is_answered = true;
        expect_refused("LockAsync", answer.status());
      });
  member.Withdraw(request);
  if (!is_answered) absl::StrAppend(&wrong, "LockAsync: no answer\n");
  if (lock.remaining() != absl::ZeroDuration()) {
    absl::StrAppend(&wrong,
                    "remaining: ", absl::FormatDuration(lock.remaining()));
  }
  if (lock.state() != Belief::kLost) absl::StrAppend(&wrong, "it believes\n");
  if (lock.loss_reason() != LossReason::kClosed) {
    absl::StrAppend(&wrong, LossReasonName(lock.loss_reason()), "\n");
  }
  lock.Detach();
  return wrong;
}

TEST(ForkTest, AChildIsRefusedEverythingAndBelievesNothing) {
  Cluster cluster;
  Child child([&] { return CheckCalls(cluster); });
  EXPECT_EQ(child.Finish(), "");
  cluster.ExpectUndisturbed();
}

TEST(ForkTest, AGrandchildToo) {
  Cluster cluster;
  Child child([&] {
    Child grandchild([&] { return CheckCalls(cluster); });
    return grandchild.Finish();
  });
  EXPECT_EQ(child.Finish(), "");
  cluster.ExpectUndisturbed();
}

// The driver's thread is copied into a child that a callback forks: it must not
// go on there.
TEST(ForkTest, AChildOfACallbackDoesNotGoOn) {
  Cluster cluster;
  absl::Notification is_forked;
  pid_t process = -1;
  cluster.first->GetMembersAsync([&](absl::StatusOr<std::vector<MemberInfo>>) {
    process = fork();
    if (process != 0) is_forked.Notify();
  });
  ASSERT_TRUE(is_forked.WaitForNotificationWithTimeout(LongWait()));
  int status = 0;
  EXPECT_EQ(waitpid(process, &status, 0), process);
  cluster.ExpectUndisturbed();
}

#if !defined(__SANITIZE_THREAD__)  // which lets no child have threads
TEST(ForkTest, AChildMayHaveAMemberOfItsOwn) {
  Cluster cluster;
  Child child([&]() -> std::string {
    const auto own =
        StartFounder(Member({cluster.first->address().ToString()}));
    const absl::Status taken = own->TryLock("key", LongTtl()).status();
    if (!absl::IsAlreadyExists(taken)) return taken.ToString();
    return std::string(own->Leave().message());
  });
  EXPECT_EQ(child.Finish(), "");
  cluster.ExpectUndisturbed();
}
#endif

// By number; what each is.
std::map<int, std::string> OpenDescriptors() {
  std::map<int, std::string> all;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code error;
    const std::string target =
        std::filesystem::read_symlink(entry.path(), error).string();
    if (!error) all[std::stoi(entry.path().filename().string())] = target;
  }
  return all;
}

TEST(ForkTest, ProgramsThatAreExecutedInheritNoDescriptor) {
  const std::map<int, std::string> before = OpenDescriptors();
  Cluster cluster;
  int sockets = 0;
  for (const auto& [fd, target] : OpenDescriptors()) {
    const int flags = fcntl(fd, F_GETFD);
    if (before.contains(fd) || flags < 0) continue;
    EXPECT_NE(flags & FD_CLOEXEC, 0) << target;
    if (absl::StartsWith(target, "socket:")) ++sockets;
  }
  EXPECT_GE(sockets, 4);
}

}  // namespace
}  // namespace cachalot
