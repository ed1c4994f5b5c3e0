#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "io/coordinator.h"
#include "tests/io/members.h"

// In the place of the C library's: the wall clock of this process is an hour
// ahead of the kernel's, as if it was set back as soon as it has been read. A
// deadline by the wall clock is then an hour late.

namespace {
constexpr time_t kAhead = 60 * 60;
}  // namespace

extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const int result = static_cast<int>(syscall(SYS_clock_gettime, clock, time));
  if (result == 0 && clock == CLOCK_REALTIME) time->tv_sec += kAhead;
  return result;
}

extern "C" int gettimeofday(timeval* time, void* zone) noexcept {
  const int result = static_cast<int>(syscall(SYS_gettimeofday, time, zone));
  if (result == 0) time->tv_sec += kAhead;
  return result;
}

namespace cachalot {
namespace {

TEST(WallClockTest, ConnectEndsInTimeWhenTheWallClockIsSet) {
  // Nobody answers at this seed.
  auto member = Coordinator::Create(Member({"127.0.0.1:1"})).value();
  std::stop_source too_late;
  std::jthread canceller([&](std::stop_token is_done) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    never.wait_for(lock, is_done, absl::ToChronoNanoseconds(LongWait()),
                   [] { return false; });
    too_late.request_stop();
  });
  const absl::Status status =
      member->Connect(absl::Milliseconds(10), too_late.get_token());
  canceller.request_stop();
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
}

}  // namespace
}  // namespace cachalot
