#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/with_agents.h"
#include "tools/base/child_process.h"
#include "tools/base/interrupt.h"
#include "tools/cli/agent_cluster.h"

namespace cachalot::tools {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr absl::Duration Patience() { return absl::Seconds(30); }

int Count(absl::string_view part, absl::string_view text) {
  int count = 0;
  for (size_t at = text.find(part); at != absl::string_view::npos;
       at = text.find(part, at + part.size())) {
    ++count;
  }
  return count;
}

// Whether the process runs: one that waits to be reaped does not.
bool Exists(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const size_t name_end = text.rfind(") ");
  return name_end != std::string::npos && text[name_end + 2] != 'Z' &&
         text[name_end + 2] != 'X';
}

// A shell's view of itself: its process group, and that of its terminal.
constexpr char kReadStat[] =
    "read pid comm state ppid pgrp session tty tpgid rest </proc/$$/stat; ";

// `cachalot run` and `lock --hold` against agents of their own.
class RunTest : public testing::Test {
 protected:
  static constexpr char kKey[] = "job";

  // The command line of `cachalot run KEY FLAGS... -- /bin/sh -c SCRIPT`.
  static std::vector<std::string> RunLine(const AgentCluster& cluster,
                                          int agent,
                                          std::vector<std::string> flags,
                                          const std::string& script) {
    std::vector<std::string> line = {FindCachalot().value(), "run", kKey,
                                     "--agent", cluster.SocketOf(agent)};
    line.insert(line.end(), flags.begin(), flags.end());
    line.insert(line.end(), {"--", "/bin/sh", "-c", script});
    return line;
  }

  static ChildProcess Start(std::vector<std::string> line) {
    return ChildProcess::Start(std::move(line)).value();
  }

  static CommandResult Finish(ChildProcess& process) {
    return process.Finish(absl::Now() + Patience());
  }

  static std::string ReadLine(ChildProcess& process) {
    return process.ReadLine(absl::Now() + Patience()).value_or("no line");
  }
  static pid_t ReadPid(ChildProcess& process) {
    pid_t pid = -1;
    const std::string line = ReadLine(process);
    EXPECT_TRUE(absl::SimpleAtoi(line, &pid)) << line;
    return pid;
  }

  static bool AwaitWaiters(const AgentCluster& cluster, int agent, int count) {
    return Eventually("waiters", Patience(),
                      [&] {
                        const auto reply = cluster.Ask(agent, {"locks"});
                        return reply.exit_status.ok() &&
                               !reply.body["locks"].empty() &&
                               reply.body["locks"][0]["waiters"] == count;
                      })
        .ok();
  }
};

// One agent, which is a cluster.
class OneAgentRunTest : public WithAgents<1, RunTest> {
 protected:
  void TearDown() override { EXPECT_FALSE(IsHeld()); }

  static ChildProcess Begin(std::vector<std::string> flags,
                            const std::string& script) {
    return Start(RunLine(*cluster_, 0, std::move(flags), script));
  }
  static CommandResult Run(std::vector<std::string> flags,
                           const std::string& script) {
    ChildProcess process = Begin(std::move(flags), script);
    return Finish(process);
  }
  static CommandResult Shell(const std::string& script) {
    ChildProcess process =
        Start({"/bin/sh", "-c",
               absl::StrCat("C=", FindCachalot().value(), "; A='--agent ",
                            cluster_->SocketOf(0), "'; ", script)});
    return Finish(process);
  }
  static bool IsHeld() {
    const auto reply = cluster_->Ask(0, {"locks"});
    return !reply.exit_status.ok() || !reply.body["locks"].empty();
  }
};

TEST_F(OneAgentRunTest, PassesOnHowTheCommandEnds) {
  EXPECT_EQ(Run({}, "exit 0").exit_status.value, 0);
  EXPECT_EQ(Run({}, "exit 7").exit_status.value, 7);
  EXPECT_EQ(Run({}, "kill -9 $$").exit_status.value, 137);
  EXPECT_EQ(Run({}, "kill -TERM $$").exit_status.value, 143);
  EXPECT_EQ(Shell("$C run job $A -- no-such-command").exit_status.value, 127);
  EXPECT_EQ(Shell("$C run job $A -- /etc/passwd").exit_status.value, 126);
  EXPECT_EQ(Shell("$C run job $A").exit_status.value, 2);
  const CommandResult bare = Shell("$C run job $A sh -c true");
  EXPECT_EQ(bare.exit_status.value, 2);
  EXPECT_THAT(bare.output, HasSubstr("run KEY -- COMMAND"));
  const CommandResult what = Shell("$C run job $A --on-lost what -- true");
  EXPECT_EQ(what.exit_status.value, 2);
  EXPECT_THAT(what.output, HasSubstr("none of term, kill, warn"));
  EXPECT_EQ(Shell("$C run job $A --ttl 1ms -- true").exit_status.value, 2);
  EXPECT_EQ(
      Shell("exec $C run job --agent /no/such.sock -- true").exit_status.value,
      77);
}

TEST_F(OneAgentRunTest, TheCommandFindsItsLockInTheEnvironment) {
  const CommandResult result =
      Run({}, absl::StrCat(FindCachalot().value(),
                           " renew job --ttl 1m && "
                           "test $CACHALOT_TOKEN -gt 0 && echo $CACHALOT_KEY"));
  EXPECT_THAT(result.output,
              AllOf(HasSubstr("renewed job"), HasSubstr("\njob\n")));
}

TEST_F(OneAgentRunTest, TheCommandFindsTheAgentFromAnyFolder) {
  const CommandResult result = Shell(
      "set -- $A; C=$(realpath $C); cd \"$(dirname \"$2\")\" && "
      "$C run job --agent \"$(basename \"$2\")\" -- "
      "sh -c 'cd / && exec \"$0\" locks' $C");
  EXPECT_EQ(result.exit_status.value, 0) << result.output;
  EXPECT_THAT(result.output, HasSubstr("\njob "));
}

TEST_F(OneAgentRunTest, TheLockIsFreeWhenTheCommandHasEnded) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(Run({"--wait", "0s"}, "true").exit_status.value, 0);
    EXPECT_FALSE(IsHeld());
  }
}

TEST_F(OneAgentRunTest, PassesOnInputAndOutput) {
  EXPECT_EQ(Shell("echo hello | $C run job $A -- cat | cat").output, "hello\n");
}

TEST_F(OneAgentRunTest, WithoutTheLockNothingIsRun) {
  ChildProcess holder = Begin({}, "echo on; exec sleep 1000");
  EXPECT_EQ(ReadLine(holder), "on");
  for (const char* wait : {"0s", "50ms"}) {
    const CommandResult result = Run({"--wait", wait}, "echo ran");
    EXPECT_EQ(result.exit_status.value, 75);
    EXPECT_THAT(result.output, Not(HasSubstr("ran")));
  }
  ChildProcess waiter = Begin({}, "echo ran");
  ASSERT_TRUE(AwaitWaiters(*cluster_, 0, 1));
  waiter.Signal(SIGTERM);
  const CommandResult result = Finish(waiter);
  EXPECT_EQ(result.exit_status.value, 143);
  EXPECT_THAT(result.output, Not(HasSubstr("ran")));
  EXPECT_TRUE(AwaitWaiters(*cluster_, 0, 0));
  holder.Signal(SIGTERM);
  EXPECT_EQ(Finish(holder).exit_status.value, 143);
}

TEST_F(OneAgentRunTest, TheCommandLeadsAProcessGroupOfItsOwn) {
  const CommandResult result =
      Run({}, absl::StrCat(kReadStat, "test $pgrp = $$ && echo leads"));
  EXPECT_EQ(result.output, "leads\n");
}

TEST_F(OneAgentRunTest, SignalsArePassedOn) {
  ChildProcess process =
      Begin({},
            "for s in INT HUP QUIT USR1 USR2; do trap \"echo $s\" $s; done; "
            "trap 'exit 9' TERM; echo on; while :; do sleep 0.05; done");
  EXPECT_EQ(ReadLine(process), "on");
  const std::pair<int, std::string> kSignals[] = {{SIGINT, "INT"},
                                                  {SIGHUP, "HUP"},
                                                  {SIGQUIT, "QUIT"},
                                                  {SIGUSR1, "USR1"},
                                                  {SIGUSR2, "USR2"}};
  for (const auto& [signal, name] : kSignals) {
    process.Signal(signal);
    std::string line;
    // The shell says that its "sleep" was interrupted, too.
    do {
      line = ReadLine(process);
    } while (line != name && line != "no line");
    EXPECT_EQ(line, name);
  }
  process.Signal(SIGTERM);
  EXPECT_EQ(Finish(process).exit_status.value, 9);
}

TEST_F(OneAgentRunTest, WhatWasIgnoredAtTheStartStaysIgnored) {
  EXPECT_THAT(Shell("trap '' INT HUP; exec $C run job $A -- "
                    "sh -c 'kill -INT $$; kill -HUP $$; echo alive'")
                  .output,
              HasSubstr("alive"));
  // And is not passed on.
  ChildProcess process =
      Start({"/bin/sh", "-c",
             absl::StrCat("trap '' HUP; exec ", FindCachalot().value(),
                          " run job --agent ", cluster_->SocketOf(0),
                          " -- sh -c 'echo on; exec sleep 1000'")});
  EXPECT_EQ(ReadLine(process), "on");
  process.Signal(SIGHUP);
  process.Signal(SIGTERM);
  EXPECT_EQ(Finish(process).exit_status.value, 143);
}

TEST_F(OneAgentRunTest, TheLockPassesOnWhenRunIsKilled) {
  ChildProcess holder = Begin({}, "echo $$; exec sleep 1000");
  const pid_t command = ReadPid(holder);
  ChildProcess next = Begin({}, "echo granted");
  ASSERT_TRUE(AwaitWaiters(*cluster_, 0, 1));
  const absl::Time killed = absl::Now();
  holder.Kill();
  EXPECT_EQ(ReadLine(next), "granted");
  // Far less than any lease.
  EXPECT_LT(absl::Now() - killed, absl::Seconds(2));
  EXPECT_FALSE(Exists(command));
  EXPECT_EQ(Finish(next).exit_status.value, 0);
}

// The agent cannot tell it from one that is merely slow, but it renews nothing
// for it.
TEST_F(OneAgentRunTest, OneThatIsStoppedWhileItWaitsDoesNotKeepTheLock) {
  ChildProcess holder = Start({FindCachalot().value(), "lock", kKey, "--hold",
                               "--agent", cluster_->SocketOf(0)});
  ASSERT_THAT(ReadLine(holder), HasSubstr("locked job, token"));
  ChildProcess stopped = Begin({"--ttl", "500ms"}, "echo ran");
  ASSERT_TRUE(AwaitWaiters(*cluster_, 0, 1));
  stopped.Signal(SIGSTOP);
  holder.Signal(SIGTERM);
  EXPECT_EQ(Finish(holder).exit_status.value, 0);
  EXPECT_EQ(Run({"--wait", "20s"}, "true").exit_status.value, 0);
  stopped.Signal(SIGCONT);
  const CommandResult result = Finish(stopped);
  EXPECT_EQ(result.exit_status.value, 76);
  EXPECT_THAT(result.output,
              AllOf(HasSubstr("lost job"), Not(HasSubstr("ran"))));
}

TEST_F(OneAgentRunTest, TheLockIsHeldWhileAGrandchildWorks) {
  ChildProcess holder =
      Begin({}, "sleep 1000 >/dev/null 2>&1 & echo $!; echo $$; wait");
  const pid_t grandchild = ReadPid(holder);
  const pid_t command = ReadPid(holder);
  holder.Kill();
  ASSERT_TRUE(Eventually("the command's death", Patience(), [&] {
                return !Exists(command);
              }).ok());
  ChildProcess next = Begin({}, "echo granted");
  ASSERT_TRUE(AwaitWaiters(*cluster_, 0, 1));
  EXPECT_TRUE(Exists(grandchild));
  ASSERT_EQ(kill(grandchild, SIGKILL), 0);
  EXPECT_EQ(ReadLine(next), "granted");
  EXPECT_EQ(Finish(next).exit_status.value, 0);
}

TEST_F(OneAgentRunTest, WhatTheCommandLeavesBehindHoldsTheLock) {
  ChildProcess holder =
      Begin({}, "setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $!");
  const pid_t left = ReadPid(holder);
  const CommandResult result = Finish(holder);
  EXPECT_EQ(result.exit_status.value, 0);
  EXPECT_THAT(result.output, HasSubstr("held until"));
  EXPECT_EQ(Run({"--wait", "0s"}, "true").exit_status.value, 75);
  ASSERT_EQ(kill(left, SIGKILL), 0);
  EXPECT_EQ(Run({}, "true").exit_status.value, 0);
}

TEST_F(OneAgentRunTest, TheLockIsKeptRenewed) {
  EXPECT_EQ(Run({"--ttl", "500ms"}, "sleep 2").exit_status.value, 0);
}

TEST_F(OneAgentRunTest, TheCommandMayGiveTheLockUpEarly) {
  const CommandResult result = Run(
      {"--wait", "0s"}, absl::StrCat(FindCachalot().value(), " release job && ",
                                     FindCachalot().value(),
                                     " run job --wait 0s -- echo in; "
                                     "sleep 0.2; echo out"));
  EXPECT_EQ(result.exit_status.value, 0);
  EXPECT_THAT(result.output, AllOf(HasSubstr("in\n"), HasSubstr("out\n")));
}

TEST_F(OneAgentRunTest, TheWatchdogIsReplacedIfItDies) {
  // It is in the command's group, and may not have its name yet.
  ChildProcess process =
      Begin({"--ttl", "1s"},
            "strike() { for f in /proc/[0-9]*; do read -r n <$f/comm && "
            "test \"$n\" = cachalot-watch && "
            "read a b c d pgrp rest <$f/stat && test $pgrp = $$ && "
            "kill -9 ${f#/proc/} && return 0; done; return 1; } 2>/dev/null; "
            "until strike; do sleep 0.05; done; echo killed; sleep 2");
  EXPECT_EQ(ReadLine(process), "killed");
  EXPECT_EQ(Finish(process).exit_status.value, 0);
}

// An interactive shell at a terminal of its own.
class ShellAtTerminal {
 public:
  ShellAtTerminal() {
    pid_ = forkpty(&terminal_, nullptr, nullptr, nullptr);
    if (pid_ == 0) {
      setenv("PS1", "ready> ", 1);
      execlp("bash", "bash", "--norc", "--noediting", "-i", nullptr);
      _exit(127);
    }
  }
  ~ShellAtTerminal() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    close(terminal_);
  }

  void Type(const std::string& text) {
    EXPECT_EQ(write(terminal_, text.data(), text.size()),
              static_cast<ssize_t>(text.size()));
  }
  // Reads until `text` has been shown.
  bool Await(const std::string& text) {
    while (shown_.find(text) == std::string::npos) {
      if (!WaitUntilReadable(terminal_, absl::Now() + Patience())) return false;
      char buffer[4096];
      const ssize_t count = read(terminal_, buffer, sizeof buffer);
      if (count <= 0) return false;
      shown_.append(buffer, static_cast<size_t>(count));
    }
    passed_ = shown_.substr(0, shown_.find(text) + text.size());
    shown_.erase(0, passed_.size());
    return true;
  }
  // Whether `text` was shown before what was awaited last.
  bool HasShown(const std::string& text) const {
    return passed_.find(text) != std::string::npos;
  }

 private:
  int terminal_ = -1;
  pid_t pid_ = -1;
  std::string shown_;
  std::string passed_;
};

TEST_F(OneAgentRunTest, AtATerminalTheCommandHasIt) {
  ShellAtTerminal shell;
  ASSERT_TRUE(shell.Await("ready> "));
  // Not echoed in one piece, so that what is awaited is what was printed.
  shell.Type(absl::StrCat(FindCachalot().value(), " run job --agent ",
                          cluster_->SocketOf(0), " -- sh -c '", kReadStat,
                          "test $tpgid = $$ && echo fore\"\"ground'\n"));
  EXPECT_TRUE(shell.Await("foreground"));
  EXPECT_TRUE(shell.Await("ready> "));
}

TEST_F(OneAgentRunTest, AShellStopsAndContinuesItAsAnyJob) {
  ShellAtTerminal shell;
  ASSERT_TRUE(shell.Await("ready> "));
  // Not echoed in one piece, so that what is awaited is what was printed.
  shell.Type(absl::StrCat(FindCachalot().value(), " run job --agent ",
                          cluster_->SocketOf(0),
                          " -- sh -c 'echo st\"\"arted; exec cat'\n"));
  ASSERT_TRUE(shell.Await("started"));
  shell.Type("\x1a");  // Ctrl+Z
  ASSERT_TRUE(shell.Await("Stopped"));
  ASSERT_TRUE(shell.Await("ready> "));
  EXPECT_TRUE(IsHeld());
  shell.Type("fg\n");
  shell.Type("hello\n");
  // Once echoed by the terminal, once by cat.
  EXPECT_TRUE(shell.Await("hello"));
  EXPECT_TRUE(shell.Await("hello"));
  shell.Type("\x03");  // Ctrl+C
  ASSERT_TRUE(shell.Await("ready> "));
  shell.Type("echo co\"\"de $?\n");
  EXPECT_TRUE(shell.Await("code 130"));
}

TEST_F(OneAgentRunTest, CtrlCEndsTheScriptAroundItToo) {
  for (const char* shell : {"bash", "sh"}) {
    ShellAtTerminal terminal;
    ASSERT_TRUE(terminal.Await("ready> "));
    terminal.Type(absl::StrCat(shell, " -c '", FindCachalot().value(),
                               " run job --agent ", cluster_->SocketOf(0),
                               " -- sh -c \"echo st\\arted; exec sleep 100\"; "
                               "echo went\"\" on'\n"));
    ASSERT_TRUE(terminal.Await("started"));
    terminal.Type("\x03");  // Ctrl+C
    ASSERT_TRUE(terminal.Await("ready> "));
    EXPECT_FALSE(terminal.HasShown("went on"));
    terminal.Type("echo co\"\"de $?\n");
    EXPECT_TRUE(terminal.Await("code 130"));
    EXPECT_FALSE(IsHeld());
  }
}

// What is typed is for the shell.
TEST_F(OneAgentRunTest, HoldsInTheBackgroundOfATerminal) {
  ShellAtTerminal shell;
  ASSERT_TRUE(shell.Await("ready> "));
  shell.Type(absl::StrCat(FindCachalot().value(), " lock job --hold --agent ",
                          cluster_->SocketOf(0), " &\n"));
  ASSERT_TRUE(shell.Await("locked job"));
  // Waits for input long enough to be stopped if it read this.
  shell.Type("sleep 1; jo\"\"bs\n");
  ASSERT_TRUE(shell.Await("[1]+"));
  EXPECT_TRUE(shell.Await("Running"));
  shell.Type("kill %1; wait %1; echo co\"\"de $?\n");
  EXPECT_TRUE(shell.Await("code 0"));
  EXPECT_FALSE(IsHeld());
}

TEST_F(OneAgentRunTest, HoldsUntilInputEnds) {
  const CommandResult result = Shell(
      "{ sleep 0.3; $C run job $A --wait 0s -- true; echo code $?; } | "
      "{ $C lock --hold job $A; echo held $?; } 2>&1; wait");
  EXPECT_THAT(result.output,
              AllOf(HasSubstr("locked job, token"), HasSubstr("held 0")));
}

TEST_F(OneAgentRunTest, HoldsUntilASignalComes) {
  ChildProcess holder =
      Start({FindCachalot().value(), "lock", kKey, "--hold", "--agent",
             cluster_->SocketOf(0), "--ttl", "1s"});
  EXPECT_THAT(ReadLine(holder), HasSubstr("locked job, token"));
  EXPECT_EQ(Run({"--wait", "1500ms"}, "true").exit_status.value, 75)
      << "longer than the lease: it is kept renewed";
  holder.Signal(SIGTERM);
  EXPECT_EQ(Finish(holder).exit_status.value, 0);
  EXPECT_EQ(Run({"--wait", "0s"}, "true").exit_status.value, 0);
}

// Three agents; one is stopped or dies under a command.
class AgentGoneTest : public RunTest {
 protected:
  AgentGoneTest() {
    cluster_.emplace(
        AgentCluster::Create({.size = 3, .session_ttl = absl::Seconds(4)})
            .value());
    EXPECT_TRUE(cluster_->StartAll().ok());
    const absl::Status status = cluster_->AwaitVoters(0, Patience());
    EXPECT_TRUE(status.ok()) << status;
  }

  // Runs `script` under the lock at the first agent, and a waiter at the
  // second; then does `harm`. The waiter looks whether the command still lives
  // when it has got the lock.
  struct Outcome {
    CommandResult command;
    std::string seen_by_next;
  };
  Outcome RunAndHarm(std::vector<std::string> flags, const std::string& script,
                     const std::function<void(ChildProcess&)>& harm) {
    ChildProcess holder = Start(RunLine(*cluster_, 0, std::move(flags),
                                        absl::StrCat("echo $$; ", script)));
    const pid_t command = ReadPid(holder);
    ChildProcess next = Start(RunLine(
        *cluster_, 1, {},
        absl::StrCat("read -r pid comm state rest 2>/dev/null </proc/", command,
                     "/stat && test $state != Z && echo overlap || "
                     "echo alone")));
    EXPECT_TRUE(AwaitWaiters(*cluster_, 1, 1));
    harm(holder);
    Outcome outcome;
    outcome.seen_by_next = ReadLine(next);
    holder.Signal(SIGCONT);
    holder.Signal(SIGUSR1);
    outcome.command = Finish(holder);
    return outcome;
  }

  std::optional<AgentCluster> cluster_;
};

TEST_F(AgentGoneTest, TheCommandEndsBeforeAnotherHasTheLock) {
  const auto stop_agent = [this](ChildProcess&) {
    cluster_->ProcessOf(0).Signal(SIGSTOP);
  };
  // It ends as it is told to.
  Outcome outcome =
      RunAndHarm({"--grace", "1s"}, "exec sleep 1000", stop_agent);
  EXPECT_EQ(outcome.seen_by_next, "alone");
  EXPECT_EQ(outcome.command.exit_status.value, 76);
  EXPECT_THAT(outcome.command.output,
              AllOf(HasSubstr("lose job"), HasSubstr("SIGTERM")));
  cluster_->ProcessOf(0).Signal(SIGCONT);

  // It does not, and `cachalot run` itself is stopped.
  outcome = RunAndHarm({"--grace", "500ms"},
                       "trap '' TERM; while :; do sleep 0.05; done",
                       [&](ChildProcess& run) {
                         stop_agent(run);
                         run.Signal(SIGSTOP);
                       });
  EXPECT_EQ(outcome.seen_by_next, "alone");
  EXPECT_EQ(outcome.command.exit_status.value, 76);
  // Once each, also if the watchdog died before the command and was replaced.
  EXPECT_LE(Count("about to lose job", outcome.command.output), 1);
  EXPECT_LE(Count("; the command gets SIGKILL\n", outcome.command.output), 1);
}

TEST_F(AgentGoneTest, AWarningIsAllIfThatIsWanted) {
  const Outcome outcome = RunAndHarm(
      {"--on-lost", "warn"}, "trap 'exit 5' USR1; while :; do sleep 0.05; done",
      [this](ChildProcess&) { cluster_->Kill(0); });
  EXPECT_EQ(outcome.seen_by_next, "overlap");
  EXPECT_EQ(outcome.command.exit_status.value, 5);
  EXPECT_THAT(outcome.command.output, HasSubstr("lost job"));
}

// An administrator takes the lock from a command that does not listen.
TEST_F(AgentGoneTest, AForcedReleaseEndsTheCommandBeforeAnotherHasTheLock) {
  const auto take = [this](ChildProcess&) {
    const CommandResult taken =
        RunCommand({FindCachalot().value(), "release", kKey, "--force",
                    "--reason", "it hangs", "--agent", cluster_->SocketOf(1)},
                   absl::Now() + Patience())
            .value();
    EXPECT_EQ(taken.exit_status.value, 0) << taken.output;
  };
  Outcome outcome = RunAndHarm(
      {"--grace", "300ms"}, "trap '' TERM; while :; do sleep 0.05; done", take);
  EXPECT_EQ(outcome.seen_by_next, "alone");
  EXPECT_EQ(outcome.command.exit_status.value, 76);
  EXPECT_THAT(outcome.command.output,
              AllOf(HasSubstr("about to lose job"), HasSubstr("it hangs"),
                    HasSubstr("SIGTERM"), HasSubstr("SIGKILL")));

  // It listens, and needs some time.
  outcome = RunAndHarm({},
                       "trap 'sleep 0.3; echo saved; exit' TERM; "
                       "while :; do sleep 0.05; done",
                       take);
  EXPECT_EQ(outcome.seen_by_next, "alone");
  EXPECT_EQ(outcome.command.exit_status.value, 76);
  EXPECT_THAT(outcome.command.output,
              AllOf(HasSubstr("saved"), Not(HasSubstr("gets SIGKILL"))));

  // A grace longer than the lease ends with the lease.
  outcome = RunAndHarm({"--ttl", "1500ms", "--grace", "1h"},
                       "trap '' TERM; while :; do sleep 0.05; done", take);
  EXPECT_EQ(outcome.seen_by_next, "alone");
  EXPECT_EQ(outcome.command.exit_status.value, 76);

  outcome = RunAndHarm({"--on-lost", "kill"},
                       "trap '' TERM; while :; do sleep 0.05; done", take);
  EXPECT_EQ(outcome.seen_by_next, "alone");
  EXPECT_EQ(outcome.command.exit_status.value, 76);
}

TEST_F(AgentGoneTest, AnAgentThatLeavesEndsTheCommandFirst) {
  const Outcome outcome = RunAndHarm(
      {"--grace", "300ms"}, "trap '' TERM; while :; do sleep 0.05; done",
      [this](ChildProcess&) { cluster_->ProcessOf(0).Signal(SIGTERM); });
  EXPECT_EQ(outcome.seen_by_next, "alone");
  EXPECT_EQ(outcome.command.exit_status.value, 76);
  EXPECT_THAT(outcome.command.output,
              AllOf(HasSubstr("about to lose job"), HasSubstr("SIGTERM")));
}

}  // namespace
}  // namespace cachalot::tools
