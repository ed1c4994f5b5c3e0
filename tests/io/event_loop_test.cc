#include "io/event_loop.h"

#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <thread>
#include <utility>

#include "absl/time/clock.h"
#include "gtest/gtest.h"

namespace cachalot {
namespace {

// So long that reaching it is a failure.
constexpr absl::Duration LongWait() { return absl::Seconds(30); }

class Callback : public EventLoop::Handler {
 public:
  explicit Callback(std::function<void(uint32_t)> function)
      : function_(std::move(function)) {}
  void OnReady(uint32_t events) override { function_(events); }

 private:
  std::function<void(uint32_t)> function_;
};

class EventLoopTest : public testing::Test {
 protected:
  EventLoopTest() : loop_(EventLoop::Create().value()) {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    near_ = FileDescriptor(fds[0]);
    far_ = FileDescriptor(fds[1]);
  }

  void MakeReadable() { ASSERT_EQ(write(far_.get(), "x", 1), 1); }

  std::unique_ptr<EventLoop> loop_;
  FileDescriptor near_;
  FileDescriptor far_;
};

TEST_F(EventLoopTest, TellsAgainWhatWasNotRead) {
  int calls = 0;
  Callback callback([&](uint32_t) { ++calls; });
  ASSERT_TRUE(loop_->Add(near_.get(), EPOLLIN, &callback).ok());
  MakeReadable();
  loop_->Wait(LongWait());
  loop_->Wait(LongWait());
  EXPECT_EQ(calls, 2);
  loop_->Remove(near_.get());
}

TEST_F(EventLoopTest, WaitsNoLongerThanAsked) {
  const absl::Time start = absl::Now();
  loop_->Wait(absl::Milliseconds(5));
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(4));
  EXPECT_LT(absl::Now() - start, LongWait());
}

TEST_F(EventLoopTest, ALaterDeadlineDoesNotHideAnEarlierOne) {
  const absl::Time start = absl::Now();
  loop_->Wake();
  loop_->Wait(LongWait());  // arms for a late time
  loop_->Wait(absl::Milliseconds(5));
  EXPECT_LT(absl::Now() - start, LongWait());
}

TEST_F(EventLoopTest, InfinityIsNoOverflow) {
  loop_->Wake();
  loop_->Wait(absl::InfiniteDuration());
  loop_->Wake();
  loop_->Wait(absl::Hours(24 * 365 * 1000));
}

TEST_F(EventLoopTest, WakesFromAnotherThread) {
  std::thread waker([&] { loop_->Wake(); });
  loop_->Wait(LongWait());
  waker.join();
}

TEST_F(EventLoopTest, DoesNotCallWhoWasRemovedInTheSameTurn) {
  int calls = 0;
  int others[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, others), 0);
  const FileDescriptor other(others[0]);
  const FileDescriptor other_end(others[1]);
  // Whichever is called first removes both.
  Callback callback([&](uint32_t) {
    ++calls;
    loop_->Remove(near_.get());
    loop_->Remove(other.get());
  });
  ASSERT_TRUE(loop_->Add(near_.get(), EPOLLIN, &callback).ok());
  ASSERT_TRUE(loop_->Add(other.get(), EPOLLIN, &callback).ok());
  MakeReadable();
  ASSERT_EQ(write(other_end.get(), "x", 1), 1);
  loop_->Wait(LongWait());
  EXPECT_EQ(calls, 1);
}

TEST_F(EventLoopTest, ADescriptorThatIsUsedAgainIsAnotherOne) {
  int stale_calls = 0;
  int calls = 0;
  Callback fresh([&](uint32_t) { ++calls; });
  Callback stale([&](uint32_t) { ++stale_calls; });
  ASSERT_TRUE(loop_->Add(near_.get(), EPOLLIN, &stale).ok());
  MakeReadable();
  loop_->Remove(near_.get());
  ASSERT_TRUE(loop_->Add(near_.get(), EPOLLIN, &fresh).ok());
  loop_->Wait(LongWait());
  EXPECT_EQ(stale_calls, 0);
  EXPECT_EQ(calls, 1);
  loop_->Remove(near_.get());
}

TEST_F(EventLoopTest, ModifyChangesWhatIsTold) {
  uint32_t told = 0;
  Callback callback([&](uint32_t events) { told = events; });
  ASSERT_TRUE(loop_->Add(near_.get(), EPOLLIN, &callback).ok());
  loop_->Modify(near_.get(), EPOLLIN | EPOLLOUT);
  loop_->Wait(LongWait());
  EXPECT_EQ(told, EPOLLOUT);
  loop_->Remove(near_.get());
}

}  // namespace
}  // namespace cachalot
