#include "tools/base/child_process.h"

#include <signal.h>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"

namespace cachalot::tools {
namespace {

absl::Time Soon() { return absl::Now() + absl::Seconds(20); }

ChildProcess Shell(const std::string& script) {
  return ChildProcess::Start({"/bin/bash", "-c", script}).value();
}

TEST(ChildProcessTest, GivesLinesOfBothStreams) {
  ChildProcess child = Shell("echo one; echo two >&2; read; echo three");
  EXPECT_EQ(child.ReadLine(Soon()), "one");
  EXPECT_EQ(child.ReadLine(Soon()), "two");
  EXPECT_EQ(child.ReadLine(Soon()), "three");
  EXPECT_EQ(child.ReadLine(Soon()), std::nullopt);
}

TEST(ChildProcessTest, ALineThatDoesNotComeEndsTheWaitAtItsDeadline) {
  ChildProcess child = Shell("sleep 100");
  EXPECT_EQ(child.ReadLine(absl::Now() + absl::Milliseconds(10)), std::nullopt);
}

TEST(ChildProcessTest, TellsHowAChildEnded) {
  EXPECT_EQ(Shell("exit 3").Wait(Soon())->value, 3);
  ChildProcess child = Shell("echo ready; exec sleep 100");
  ASSERT_EQ(child.ReadLine(Soon()), "ready");
  EXPECT_FALSE(child.Wait(absl::Now()).has_value());
  child.Signal(SIGTERM);
  EXPECT_EQ(child.Wait(Soon())->value, 128 + SIGTERM);
  EXPECT_EQ(child.Wait(Soon())->value, 128 + SIGTERM);
}

TEST(ChildProcessTest, ADestroyedChildIsGone) {
  pid_t pid = 0;
  {
    ChildProcess child = Shell("sleep 100");
    pid = child.pid();
    EXPECT_EQ(kill(pid, 0), 0);
  }
  EXPECT_EQ(kill(pid, 0), -1);
}

TEST(ChildProcessTest, WhatCannotBeRunIsAnError) {
  EXPECT_EQ(ChildProcess::Start({"/nonexistent/program"}).status().code(),
            absl::StatusCode::kNotFound);
}

TEST(RunCommandTest, CollectsOutputAndExitCode) {
  const CommandResult result =
      RunCommand({"/bin/bash", "-c", "echo a; echo b; exit 2"}, Soon()).value();
  EXPECT_EQ(result.output, "a\nb\n");
  EXPECT_EQ(result.exit_status.value, 2);
}

TEST(RunCommandTest, StopsAtTheDeadline) {
  const CommandResult result = RunCommand({"/bin/bash", "-c", "exec sleep 100"},
                                          absl::Now() + absl::Milliseconds(10))
                                   .value();
  EXPECT_EQ(result.exit_status.value, 128 + SIGKILL);
}

}  // namespace
}  // namespace cachalot::tools
