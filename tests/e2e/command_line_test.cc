#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/with_agents.h"
#include "tools/base/child_process.h"
#include "tools/cli/agent_cluster.h"

namespace cachalot::tools {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

constexpr absl::Duration Patience() { return absl::Seconds(30); }

// Runs `cachalot ARGUMENTS...`; an agent leaves nothing behind.
CommandResult Cachalot(std::vector<std::string> arguments) {
  const bool is_agent = !arguments.empty() && arguments.front() == "agent";
  if (is_agent) arguments.push_back("--state-dir=");
  arguments.insert(arguments.begin(), FindCachalot().value());
  return RunCommand(std::move(arguments), absl::Now() + Patience()).value();
}

int FreePort() { return FreePorts(1).value()[0]; }

TEST(HelpTest, EachCommandShowsAnExampleAndItsExitCodes) {
  for (const char* command : {"agent", "try", "lock", "renew", "release",
                              "locks", "members", "status", "leave"}) {
    const CommandResult result = Cachalot({command, "--help"});
    EXPECT_EQ(result.exit_status.value, 0);
    EXPECT_THAT(result.output, HasSubstr(absl::StrCat("cachalot ", command)));
    EXPECT_THAT(result.output, HasSubstr("1  refused"));
  }
}

TEST(HelpTest, RunHasExitCodesOfItsOwn) {
  const CommandResult result = Cachalot({"run", "--help"});
  EXPECT_EQ(result.exit_status.value, 0);
  for (const char* code : {"75", "76", "77", "126", "127", "128 + N"}) {
    EXPECT_THAT(result.output, HasSubstr(code));
  }
  EXPECT_THAT(result.output, HasSubstr("cachalot run nightly"));
}

TEST(HelpTest, HelpThatCannotBeWrittenIsAnError) {
  for (const char* flags : {"--help", "--version", "run --help"}) {
    const CommandResult result =
        RunCommand(
            {"/bin/sh", "-c",
             absl::StrCat(FindCachalot().value(), " ", flags, " >/dev/full")},
            absl::Now() + Patience())
            .value();
    EXPECT_EQ(result.exit_status.value, 6);
    EXPECT_THAT(result.output, HasSubstr("No space left"));
  }
}

TEST(HelpTest, WhatIsNoCommandIsInvalid) {
  EXPECT_EQ(Cachalot({}).exit_status.value, 2);
  EXPECT_EQ(Cachalot({"lokc", "printer"}).exit_status.value, 2);
  EXPECT_EQ(Cachalot({"lock"}).exit_status.value, 2);
  EXPECT_EQ(Cachalot({"lock", "printer", "--ttl", "soon"}).exit_status.value,
            2);
  EXPECT_EQ(Cachalot({"lock", "printer", "--ttl", "-3s"}).exit_status.value, 2);
}

TEST(AgentStartTest, AnAgentWithoutSeedsSaysHowToNameOne) {
  const CommandResult result = Cachalot({"agent", "--bind", "127.0.0.1:0"});
  EXPECT_EQ(result.exit_status.value, 2);
  EXPECT_THAT(result.output, HasSubstr("--join"));
}

TEST(AgentStartTest, PortZeroWantsASocketThatCanBeFound) {
  const CommandResult result =
      Cachalot({"agent", "--bind", "127.0.0.1:0", "--join", "127.0.0.1:7946"});
  EXPECT_EQ(result.exit_status.value, 2);
  EXPECT_THAT(result.output, HasSubstr("--socket"));
}

TEST(AgentStartTest, ABadAddressIsQuoted) {
  for (const char* address :
       {"nonsense", "127.0.0.1", "127.0.0.1:99999", "127.0.0.1:x"}) {
    const CommandResult result =
        Cachalot({"agent", "--bind", address, "--join", "127.0.0.1:7946"});
    EXPECT_EQ(result.exit_status.value, 2) << address;
    EXPECT_THAT(result.output, HasSubstr(address));
  }
}

TEST(AgentStartTest, AnUnknownHostIsNamed) {
  const CommandResult result = Cachalot(
      {"agent", "--bind", "no-such-host.invalid:7946", "--join", ":7946"});
  EXPECT_NE(result.exit_status.value, 0);
  EXPECT_THAT(result.output, HasSubstr("no-such-host.invalid"));
}

TEST(AgentStartTest, ASessionTtlOutOfRangeIsInvalid) {
  const CommandResult result =
      Cachalot({"agent", "--bind", "127.0.0.1:0", "--join", "127.0.0.1:7946",
                "--socket", "/tmp/cachalot-e2e.sock", "--session-ttl", "1ms"});
  EXPECT_EQ(result.exit_status.value, 2);
  EXPECT_THAT(result.output, HasSubstr("--session-ttl"));
}

TEST(NoAgentTest, ACommandSaysThatNobodyListens) {
  for (const char* command : {"status", "leave", "locks", "members"}) {
    for (const char* path :
         {"/tmp/cachalot-no-such.sock", "/no/such/folder/cachalot.sock"}) {
      const CommandResult result = Cachalot({command, "--agent", path});
      EXPECT_EQ(result.exit_status.value, 4);
      EXPECT_THAT(result.output,
                  AllOf(HasSubstr("no agent listens"), HasSubstr(path)));
    }
  }
  EXPECT_EQ(Cachalot({"try", "k", "--agent", "/no/such/folder/cachalot.sock"})
                .exit_status.value,
            4);
}

TEST(NoAgentTest, AnAgentWhoseSocketHasNoFolderSaysSo) {
  const CommandResult result =
      Cachalot({"agent", "--bind", "127.0.0.1:0", "--join", "127.0.0.1:7946",
                "--socket", "/no/such/folder/cachalot.sock"});
  EXPECT_EQ(result.exit_status.value, 2);
  EXPECT_THAT(result.output,
              AllOf(HasSubstr("/no/such/folder"), HasSubstr("does not exist")));
}

TEST(NoAgentTest, AFolderThatOthersMayWriteToIsRefusedByBothEnds) {
  std::string folder = "/tmp/cachalot-e2e-XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  ASSERT_EQ(chmod(folder.c_str(), 0777), 0);
  const std::string socket = folder + "/a.sock";
  const CommandResult agent =
      Cachalot({"agent", "--bind", "127.0.0.1:0", "--join", "127.0.0.1:7946",
                "--socket", socket});
  EXPECT_EQ(agent.exit_status.value, 2);
  const CommandResult client = Cachalot({"status", "--agent", socket});
  EXPECT_EQ(client.exit_status.value, 4);
  for (const CommandResult& result : {agent, client}) {
    EXPECT_THAT(result.output,
                AllOf(HasSubstr(folder), HasSubstr("others may write")));
  }
  rmdir(folder.c_str());
}

TEST(NoClusterTest, AnAgentWhoseSeedIsSilentKeepsTryingAndLocksAreUnavailable) {
  const int port = FreePort();
  const std::string address = absl::StrCat("127.0.0.1:", port);
  const std::string socket = absl::StrCat("/tmp/cachalot-e2e-", port, ".sock");
  ChildProcess agent =
      ChildProcess::Start({FindCachalot().value(), "agent", "--bind", address,
                           "--join", "127.0.0.1:1", "--socket", socket,
                           "--state-dir="})
          .value();
  ASSERT_TRUE(Eventually("the agent's socket", Patience(), [&] {
                return Cachalot({"status", "--agent", socket}).exit_status.ok();
              }).ok());
  const CommandResult result =
      Cachalot({"try", "printer", "--agent", socket, "--timeout", "1s"});
  EXPECT_EQ(result.exit_status.value, 4) << result.output;
  agent.Signal(SIGTERM);
  EXPECT_EQ(agent.Wait(absl::Now() + Patience())->value, 0);
}

TEST(NoClusterTest, AnAgentWhoseSeedIsNotKnownYetSaysSoAndKeepsTrying) {
  const int port = FreePort();
  const std::string address = absl::StrCat("127.0.0.1:", port);
  const std::string socket = absl::StrCat("/tmp/cachalot-e2e-", port, ".sock");
  // ".invalid" is never given to anybody (RFC 6761).
  ChildProcess agent =
      ChildProcess::Start({FindCachalot().value(), "agent", "--bind", address,
                           "--join", "not-yet-here.invalid:7946", "--socket",
                           socket, "--state-dir="})
          .value();
  EXPECT_TRUE(
      Eventually("the problem", Patience(), [&] {
        const CommandResult status = Cachalot({"status", "--agent", socket});
        return absl::StrContains(status.output, "not-yet-here.invalid");
      }).ok());
  agent.Signal(SIGTERM);
  EXPECT_EQ(agent.Wait(absl::Now() + Patience())->value, 0);
}

TEST(AgentStartTest, AMalformedSeedIsQuotedWithWhatToWrite) {
  const struct {
    const char* seed;
    const char* advice;
  } kCases[] = {{":7946", "localhost:7946"},
                {"http://10.0.0.1:7946", "HOST:PORT"},
                {"[fe80::1%lo]:7946", "zones"},
                {"10.0.0.1", "HOST:PORT"}};
  for (const auto& test_case : kCases) {
    const CommandResult result = Cachalot(
        {"agent", "--bind", "127.0.0.1:7946", "--join", test_case.seed});
    EXPECT_EQ(result.exit_status.value, 2) << test_case.seed;
    EXPECT_THAT(result.output, HasSubstr(test_case.seed));
    EXPECT_THAT(result.output, HasSubstr(test_case.advice));
  }
}

TEST(AgentSignalTest, WhatWasIgnoredAtTheStartDoesNotEndIt) {
  const int port = FreePort();
  const std::string socket = absl::StrCat("/tmp/cachalot-e2e-", port, ".sock");
  const auto answers = [&] {
    return Cachalot({"status", "--agent", socket}).exit_status.ok();
  };
  // As nohup and a script's "&" have it; without them, SIGHUP is ignored where
  // there is no terminal.
  for (const char* prelude : {"trap '' HUP INT; ", ""}) {
    ChildProcess agent =
        ChildProcess::Start(
            {"/bin/sh", "-c",
             absl::StrCat(prelude, "exec ", FindCachalot().value(),
                          " agent --bind 127.0.0.1:", port,
                          " --join 127.0.0.1:1 --state-dir= --socket ",
                          socket)})
            .value();
    ASSERT_TRUE(Eventually("the agent's socket", Patience(), answers).ok());
    agent.Signal(SIGHUP);
    if (*prelude != '\0') agent.Signal(SIGINT);
    EXPECT_TRUE(answers());
    agent.Signal(SIGTERM);
    EXPECT_EQ(agent.Wait(absl::Now() + Patience())->value, 0);
  }
}

// One agent, which is a cluster.
class OneAgentTest : public WithAgents<1> {
 protected:
  // In words, not JSON.
  static CommandResult Ask(std::vector<std::string> command) {
    command.insert(command.end(), {"--agent", cluster_->SocketOf(0)});
    return Cachalot(std::move(command));
  }

  static CommandResult Release(const std::string& key,
                               const std::string& token) {
    return Ask({"release", key, "--token", token});
  }

  // Takes a lock that is free. Its token.
  static std::string Try(const std::string& key,
                         std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"try", key, "--print-token"});
    const CommandResult result = Ask(std::move(more));
    EXPECT_EQ(result.exit_status.value, 0) << result.output;
    return std::string(absl::StripSuffix(result.output, "\n"));
  }

  // In what "locked KEY, token TOKEN" said.
  static std::string TokenIn(const CommandResult& result) {
    const std::string after =
        result.output.substr(result.output.find("token ") + 6);
    return after.substr(0, after.find('\n'));
  }
};

TEST_F(OneAgentTest, AnswersInWords) {
  const CommandResult taken = Ask({"try", "words", "--ttl", "1m"});
  EXPECT_THAT(taken.output,
              AllOf(HasSubstr("locked words"), HasSubstr("token")));
  EXPECT_THAT(Ask({"try", "words"}).output,
              AllOf(HasSubstr("held"), HasSubstr("n1")));
  EXPECT_THAT(Ask({"locks"}).output,
              AllOf(HasSubstr("KEY"), HasSubstr("words")));
  EXPECT_THAT(Ask({"members"}).output,
              AllOf(HasSubstr("NAME"), HasSubstr("n1"), HasSubstr("leader")));
  EXPECT_THAT(Ask({"status"}).output,
              AllOf(HasSubstr("n1"), HasSubstr("leader")));
  EXPECT_THAT(Release("words", TokenIn(taken)).output,
              HasSubstr("released words"));
}

TEST_F(OneAgentTest, WhoProvesNothingGivesUpNothing) {
  const CommandResult taken = Ask({"try", "proof"});
  for (const char* command : {"renew", "release"}) {
    const CommandResult result = Ask({command, "proof"});
    EXPECT_EQ(result.exit_status.value, 2);
    EXPECT_THAT(result.output, AllOf(HasSubstr("--token"), HasSubstr("--owner"),
                                     HasSubstr("proof")));
  }
  EXPECT_EQ(Ask({"try", "proof"}).exit_status.value, 1);
  EXPECT_THAT(taken.output,
              HasSubstr(absl::StrCat("release it with: cachalot release proof "
                                     "--token ",
                                     TokenIn(taken), " --agent ")));
  EXPECT_EQ(Release("proof", TokenIn(taken)).exit_status.value, 0);
}

TEST_F(OneAgentTest, WhatReleasesALockCanBePasted) {
  for (const char* key : {"plain", "-k", "--json", "it's", "two\nlines",
                          "back\\slash", "a\xff", "-\xff", " "}) {
    const CommandResult taken =
        Cachalot({"try", "--agent", cluster_->SocketOf(0), "--", key});
    const std::string kHint = "release it with: cachalot ";
    const size_t hint = taken.output.find(kHint);
    ASSERT_NE(hint, std::string::npos) << taken.output;
    const CommandResult released =
        RunCommand({"/bin/sh", "-c",
                    absl::StrCat(FindCachalot().value(), " ",
                                 taken.output.substr(hint + kHint.size()))},
                   absl::Now() + Patience())
            .value();
    EXPECT_EQ(released.exit_status.value, 0) << released.output;
  }
}

// As `release K --token "$token"` when the lock was not taken, in a script that
// `run` started under another lock of that name.
TEST_F(OneAgentTest, AnEmptyProofDoesNotCountAsLeftOut) {
  const std::string token = Try("outer");
  for (const char* command :
       {"release outer --token ''", "release outer --owner ''",
        "renew outer --token ''",
        "release outer --token '' --force --reason why"}) {
    const CommandResult result =
        RunCommand(
            {"/bin/sh", "-c",
             absl::StrCat("CACHALOT_KEY=outer CACHALOT_TOKEN=", token,
                          " CACHALOT_OWNER=me ", FindCachalot().value(), " ",
                          command, " --agent ", cluster_->SocketOf(0))},
            absl::Now() + Patience())
            .value();
    EXPECT_EQ(result.exit_status.value, 2) << command;
    EXPECT_THAT(result.output, HasSubstr("empty"));
  }
  EXPECT_EQ(Release("outer", token).exit_status.value, 0);
}

TEST_F(OneAgentTest, TheLoserOfARaceDoesNotFreeTheWinnersLock) {
  const std::string script = absl::StrCat(
      "C=", FindCachalot().value(), "; A='--agent ", cluster_->SocketOf(0),
      "'; $C try race --ttl 1m $A && echo won; $C release race $A; true");
  for (int i = 0; i < 3; ++i) {
    const CommandResult result =
        RunCommand({"/bin/sh", "-c", script}, absl::Now() + Patience()).value();
    EXPECT_EQ(result.output.find("won") != std::string::npos, i == 0)
        << result.output;
  }
}

TEST_F(OneAgentTest, TheProofMayComeFromTheEnvironment) {
  const std::string agent = cluster_->SocketOf(0);
  const auto run = [&](const std::string& environment) {
    return RunCommand(
               {"/bin/sh", "-c",
                absl::StrCat(environment, " exec ", FindCachalot().value(),
                             " release from-environment --agent ", agent)},
               absl::Now() + Patience())
        .value()
        .exit_status.value;
  };
  const std::string token = Try("from-environment", {"--owner", "ann"});
  EXPECT_EQ(run("CACHALOT_OWNER=bob"), 3);
  EXPECT_EQ(run(absl::StrCat("CACHALOT_KEY=other CACHALOT_TOKEN=", token)), 2)
      << "another lock's token";
  EXPECT_EQ(run(absl::StrCat("CACHALOT_TOKEN=", token)), 0);
  Try("from-environment", {"--owner", "ann"});
  EXPECT_EQ(run("CACHALOT_OWNER=ann"), 0);
}

TEST_F(OneAgentTest, ALockThatNobodyWasToldOfIsGivenBack) {
  const std::string script =
      absl::StrCat(FindCachalot().value(), " try unheard --agent ",
                   cluster_->SocketOf(0), " >/dev/full");
  const CommandResult result =
      RunCommand({"/bin/sh", "-c", script}, absl::Now() + Patience()).value();
  EXPECT_EQ(result.exit_status.value, 6);
  EXPECT_THAT(result.output,
              AllOf(HasSubstr("No space left"), HasSubstr("given back")));
  EXPECT_EQ(Release("unheard", Try("unheard")).exit_status.value, 0);
}

// The agent stops after it has granted the lock, and before it has heard that
// somebody was told of it.
TEST_F(OneAgentTest, ALockThatTheAgentDidNotConfirmIsGivenBack) {
  // On a busy machine its threads may run for a while after the signal.
  const std::string script = absl::StrCat(
      "C=", FindCachalot().value(), "; A='--agent ", cluster_->SocketOf(0),
      "'; P=", cluster_->ProcessOf(0).pid(),
      "; { head -c 65536 /dev/zero; $C try stuck $A --timeout 1s; "
      "echo code $? >&2; } | { until $C locks $A | grep -q ^stuck; do :; done; "
      "kill -STOP $P; "
      "while grep -L '^State:.T' /proc/$P/task/*/status | grep -q .; do :; "
      "done; cat >/dev/null; }");
  const CommandResult result =
      RunCommand({"/bin/sh", "-c", script}, absl::Now() + Patience()).value();
  cluster_->ProcessOf(0).Signal(SIGCONT);
  EXPECT_THAT(result.output,
              AllOf(HasSubstr("lost stuck"), HasSubstr("code 4")));
  const std::string token = TokenIn(Ask({"lock", "stuck", "--wait", "5s"}));
  EXPECT_EQ(Release("stuck", token).exit_status.value, 0);
}

TEST_F(OneAgentTest, ContradictingFlagsAreRefused) {
  EXPECT_EQ(Ask({"release", "k", "--token", "111", "--owner", "me"})
                .exit_status.value,
            2);
  EXPECT_EQ(Ask({"status", "--port", "7946"}).exit_status.value, 2);
  EXPECT_EQ(Ask({"try", "k", "--json", "--print-token"}).exit_status.value, 2);
  EXPECT_EQ(
      Cachalot({"agent", "--bind", "127.0.0.1:0", "--join", ":7946", "--socket",
                "/tmp/cachalot-e2e.sock", "--socket-mode", "0660"})
          .exit_status.value,
      2);
}

TEST_F(OneAgentTest, CtrlCWhileWaitingLeavesTheQueueAndEndsAsShellsHaveIt) {
  const std::string token = Try("busy");
  const auto waiters = [](const std::string& count) {
    return [count] {
      return Ask({"locks", "--prefix", "busy", "--json"})
                 .output.find(absl::StrCat("\"waiters\":", count)) !=
             std::string::npos;
    };
  };
  ChildProcess waiter =
      ChildProcess::Start({FindCachalot().value(), "lock", "busy", "--agent",
                           cluster_->SocketOf(0)})
          .value();
  ASSERT_TRUE(Eventually("the waiter", Patience(), waiters("1")).ok());
  waiter.Signal(SIGINT);
  const CommandResult result = waiter.Finish(absl::Now() + Patience());
  EXPECT_EQ(result.exit_status.value, 130);
  EXPECT_THAT(result.output, HasSubstr("interrupted"));
  EXPECT_TRUE(Eventually("no waiter", Patience(), waiters("0")).ok());
  Release("busy", token);
}

TEST_F(OneAgentTest, AKeyHasOneTo1024Bytes) {
  EXPECT_EQ(Ask({"try", ""}).exit_status.value, 2);
  EXPECT_EQ(Ask({"try", std::string(1025, 'k')}).exit_status.value, 2);
  const std::string longest(1024, 'k');
  EXPECT_EQ(Release(longest, Try(longest)).exit_status.value, 0);
}

TEST_F(OneAgentTest, AnOwnerHasAtMost64Bytes) {
  EXPECT_EQ(
      Ask({"try", "owned", "--owner", std::string(65, 'o')}).exit_status.value,
      2);
}

TEST_F(OneAgentTest, ATtlLiesBetween100MillisecondsAnd24Hours) {
  EXPECT_EQ(Ask({"try", "ttl", "--ttl", "99ms"}).exit_status.value, 2);
  EXPECT_EQ(Ask({"try", "ttl", "--ttl", "25h"}).exit_status.value, 2);
  const std::string token = Try("ttl", {"--ttl", "24h"});
  EXPECT_EQ(
      Ask({"renew", "ttl", "--ttl", "25h", "--token", token}).exit_status.value,
      2);
  EXPECT_EQ(Release("ttl", token).exit_status.value, 0);
}

TEST_F(OneAgentTest, WhatIsNotHeldIsNeitherRenewedNorReleased) {
  const CommandResult renewed = Ask({"renew", "nobodys", "--owner", "ann"});
  EXPECT_EQ(renewed.exit_status.value, 3);
  EXPECT_THAT(renewed.output, HasSubstr("not held"));
  EXPECT_EQ(Ask({"release", "nobodys", "--owner", "ann"}).exit_status.value, 3);
  EXPECT_EQ(Release("nobodys", "110").exit_status.value, 3);
}

TEST_F(OneAgentTest, ANotherOwnersLockIsNeitherRenewedNorReleased) {
  ASSERT_EQ(Ask({"try", "anns", "--owner", "ann"}).exit_status.value, 0);
  EXPECT_EQ(Ask({"renew", "anns", "--owner", "bob"}).exit_status.value, 3);
  EXPECT_EQ(Ask({"release", "anns", "--owner", "bob"}).exit_status.value, 3);
  EXPECT_EQ(Ask({"release", "anns", "--owner", "ann"}).exit_status.value, 0);
}

TEST_F(OneAgentTest, ATokenMustBeATokenAndTheHolders) {
  const std::string token = Try("tokens");
  EXPECT_EQ(Release("tokens", "x").exit_status.value, 2);
  EXPECT_EQ(Release("tokens", "110").exit_status.value, 3);
  EXPECT_EQ(Release("tokens", token).exit_status.value, 0);
}

TEST_F(OneAgentTest, AnAdministratorTakesALockWithAReason) {
  const std::string token = Try("forced", {"--ttl", "1h"});
  const auto force = [](std::vector<std::string> more) {
    more.insert(more.begin(), {"release", "forced", "--force"});
    return Ask(std::move(more));
  };
  CommandResult refused = force({});
  EXPECT_EQ(refused.exit_status.value, 2);
  EXPECT_THAT(refused.output, HasSubstr("--reason"));
  refused = force({"--reason", "it hangs", "--owner", "ann"});
  EXPECT_EQ(refused.exit_status.value, 2);
  EXPECT_THAT(refused.output, HasSubstr("--owner"));
  EXPECT_EQ(Ask({"release", "forced", "--token", token, "--reason", "it hangs"})
                .exit_status.value,
            2);
  refused = force({"--reason", std::string(257, 'x')});
  EXPECT_EQ(refused.exit_status.value, 2);
  EXPECT_THAT(refused.output, HasSubstr("256"));
  refused = force({"--reason", "it hangs", "--token", "x"});
  EXPECT_EQ(refused.exit_status.value, 2);
  EXPECT_THAT(refused.output, HasSubstr("is not a token"));
  EXPECT_EQ(force({"--reason", "it hangs", "--token", "110"}).exit_status.value,
            3);
  EXPECT_EQ(Ask({"try", "forced"}).exit_status.value, 1) << "still held";

  const CommandResult revoked = force({"--reason", "it hangs"});
  EXPECT_EQ(revoked.exit_status.value, 0) << revoked.output;
  EXPECT_THAT(revoked.output, AllOf(HasSubstr("revoked forced of n1"),
                                    HasSubstr(token), HasSubstr("at most")));
  // Its holder is this very agent, which gives it back at once.
  EXPECT_EQ(Ask({"lock", "forced", "--wait", "20s"}).exit_status.value, 0);
  EXPECT_EQ(Release("forced", token).exit_status.value, 3);
  EXPECT_EQ(Ask({"release", "forced-free", "--force", "--reason", "it hangs"})
                .exit_status.value,
            3);
}

TEST_F(OneAgentTest, AKeyOfAnyBytesIsShownEscaped) {
  const std::string token = Try("a\tb\xff");
  const CommandResult words = Ask({"locks"});
  EXPECT_THAT(words.output, HasSubstr("a\\x09b\\xff"));
  const CommandResult json = Ask({"locks", "--json"});
  EXPECT_EQ(json.exit_status.value, 0) << json.output;
  EXPECT_EQ(Release("a\tb\xff", token).exit_status.value, 0);
}

TEST_F(OneAgentTest, OnlyWhatMayHaveHappenedIsUnknown) {
  const std::string token = Try("silent");
  cluster_->ProcessOf(0).Signal(SIGSTOP);
  for (const char* command : {"status", "locks", "members"}) {
    const CommandResult result = Ask({command, "--timeout", "100ms"});
    EXPECT_EQ(result.exit_status.value, 4);
    EXPECT_THAT(result.output, HasSubstr("no answer from the agent within"));
  }
  // It hangs on the connection, which is gone.
  EXPECT_EQ(Ask({"try", "other", "--timeout", "100ms"}).exit_status.value, 4);
  EXPECT_EQ(Ask({"release", "silent", "--token", token, "--timeout", "100ms"})
                .exit_status.value,
            5);
  cluster_->ProcessOf(0).Signal(SIGCONT);
  for (const char* key : {"silent", "other"}) {
    std::string locks;
    EXPECT_TRUE(
        Eventually("the lock to be free", Patience(),
                   [&] {
                     locks = Ask({"locks", "--json", "--prefix", key}).output;
                     return locks.find("\"locks\":[]") != std::string::npos;
                   })
            .ok())
        << locks;
  }
}

TEST_F(OneAgentTest, ATakenPortIsNamed) {
  const CommandResult result =
      Cachalot({"agent", "--bind", cluster_->AddressOf(0), "--join",
                "127.0.0.1:1", "--socket", "/tmp/cachalot-e2e-taken.sock"});
  EXPECT_NE(result.exit_status.value, 0);
  EXPECT_THAT(result.output, HasSubstr("taken"));
}

}  // namespace
}  // namespace cachalot::tools
