#include "tools/base/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include "absl/time/clock.h"
#include "gtest/gtest.h"

namespace cachalot::tools {
namespace {

// Each in a process of its own (a death test), since a signal is for a process.

TEST(InterruptDeathTest, EndsAWaitInsteadOfTheProcess) {
  EXPECT_EXIT(
      {
        CatchInterrupts();
        if (Interrupted()) _exit(1);
        kill(getpid(), SIGINT);
        if (SleepUntil(absl::InfiniteFuture())) _exit(2);
        _exit(Interrupted() ? 0 : 3);
      },
      testing::ExitedWithCode(0), "");
}

TEST(InterruptDeathTest, TheSecondEndsTheProcessWhenLet) {
  EXPECT_EXIT(
      {
        CatchInterrupts();
        kill(getpid(), SIGTERM);
        SleepUntil(absl::InfiniteFuture());
        LetNextInterruptEndTheProcess();
        if (!Interrupted()) _exit(1);
        kill(getpid(), SIGTERM);
      },
      testing::KilledBySignal(SIGTERM), "");
}

TEST(InterruptTest, WithoutAnInterruptTimeEndsTheWait) {
  EXPECT_TRUE(SleepUntil(absl::Now() + absl::Milliseconds(1)));
  EXPECT_FALSE(Interrupted());
}

}  // namespace
}  // namespace cachalot::tools
