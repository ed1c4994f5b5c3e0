#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/agent_cluster.h"
#include "tools/child_process.h"

namespace cachalot::tools {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

constexpr absl::Duration Patience() { return absl::Seconds(30); }

// Runs `cachalot ARGUMENTS...`.
CommandResult Cachalot(std::vector<std::string> arguments) {
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
  EXPECT_THAT(result.output, HasSubstr("session_ttl"));
}

TEST(NoAgentTest, ACommandSaysThatNobodyListens) {
  const CommandResult result =
      Cachalot({"status", "--agent", "/tmp/cachalot-no-such.sock"});
  EXPECT_EQ(result.exit_status.value, 4);
  EXPECT_THAT(result.output, HasSubstr("cachalot-no-such.sock"));
}

TEST(NoClusterTest, AnAgentWhoseSeedIsSilentKeepsTryingAndLocksAreUnavailable) {
  const int port = FreePort();
  const std::string address = absl::StrCat("127.0.0.1:", port);
  const std::string socket = absl::StrCat("/tmp/cachalot-e2e-", port, ".sock");
  ChildProcess agent =
      ChildProcess::Start({FindCachalot().value(), "agent", "--bind", address,
                           "--join", "127.0.0.1:1", "--socket", socket})
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

// One agent, which is a cluster.
class OneAgentTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    cluster_ = new AgentCluster(AgentCluster::Create({.size = 1}).value());
    ASSERT_TRUE(cluster_->StartAll().ok());
    const absl::Status status = cluster_->AwaitVoters(0, Patience());
    ASSERT_TRUE(status.ok()) << status;
  }
  static void TearDownTestSuite() {
    delete cluster_;
    cluster_ = nullptr;
  }

  // In words, not JSON.
  static CommandResult Ask(std::vector<std::string> command) {
    command.insert(command.end(), {"--agent", cluster_->SocketOf(0)});
    return Cachalot(std::move(command));
  }

  static AgentCluster* cluster_;
};

AgentCluster* OneAgentTest::cluster_ = nullptr;

TEST_F(OneAgentTest, AnswersInWords) {
  EXPECT_THAT(Ask({"try", "words", "--ttl", "1m", "--owner", "ann"}).output,
              AllOf(HasSubstr("locked words"), HasSubstr("token")));
  EXPECT_THAT(Ask({"try", "words"}).output,
              AllOf(HasSubstr("held"), HasSubstr("n1")));
  EXPECT_THAT(Ask({"locks"}).output,
              AllOf(HasSubstr("KEY"), HasSubstr("words")));
  EXPECT_THAT(Ask({"members"}).output,
              AllOf(HasSubstr("NAME"), HasSubstr("n1"), HasSubstr("leader")));
  EXPECT_THAT(Ask({"status"}).output,
              AllOf(HasSubstr("n1"), HasSubstr("leader")));
  EXPECT_THAT(Ask({"release", "words", "--owner", "ann"}).output,
              HasSubstr("released words"));
}

TEST_F(OneAgentTest, AKeyHasOneTo1024Bytes) {
  EXPECT_EQ(Ask({"try", ""}).exit_status.value, 2);
  EXPECT_EQ(Ask({"try", std::string(1025, 'k')}).exit_status.value, 2);
  const std::string longest(1024, 'k');
  EXPECT_EQ(Ask({"try", longest, "--owner", "ann"}).exit_status.value, 0);
  EXPECT_EQ(Ask({"release", longest, "--owner", "ann"}).exit_status.value, 0);
}

TEST_F(OneAgentTest, AnOwnerHasAtMost64Bytes) {
  EXPECT_EQ(
      Ask({"try", "owned", "--owner", std::string(65, 'o')}).exit_status.value,
      2);
}

TEST_F(OneAgentTest, ATtlLiesBetween100MillisecondsAnd24Hours) {
  EXPECT_EQ(Ask({"try", "ttl", "--ttl", "99ms"}).exit_status.value, 2);
  EXPECT_EQ(Ask({"try", "ttl", "--ttl", "25h"}).exit_status.value, 2);
  EXPECT_EQ(
      Ask({"try", "ttl", "--ttl", "24h", "--owner", "ann"}).exit_status.value,
      0);
  EXPECT_EQ(
      Ask({"renew", "ttl", "--ttl", "25h", "--owner", "ann"}).exit_status.value,
      2);
  EXPECT_EQ(Ask({"release", "ttl", "--owner", "ann"}).exit_status.value, 0);
}

TEST_F(OneAgentTest, WhatIsNotHeldIsNeitherRenewedNorReleased) {
  const CommandResult renewed = Ask({"renew", "nobodys", "--owner", "ann"});
  EXPECT_EQ(renewed.exit_status.value, 3);
  EXPECT_THAT(renewed.output, HasSubstr("not held"));
  EXPECT_EQ(Ask({"release", "nobodys", "--owner", "ann"}).exit_status.value, 3);
}

TEST_F(OneAgentTest, WithoutTokenOrOwnerNothingIsRenewedOrReleased) {
  ASSERT_EQ(Ask({"try", "proof", "--owner", "ann"}).exit_status.value, 0);
  for (const char* command : {"renew", "release"}) {
    const CommandResult refused = Ask({command, "proof"});
    EXPECT_EQ(refused.exit_status.value, 2);
    EXPECT_THAT(refused.output, HasSubstr("name the token or the owner"));
  }
  EXPECT_EQ(Ask({"release", "proof", "--owner", "ann"}).exit_status.value, 0);
}

TEST_F(OneAgentTest, ANotherOwnersLockIsNeitherRenewedNorReleased) {
  ASSERT_EQ(Ask({"try", "anns", "--owner", "ann"}).exit_status.value, 0);
  EXPECT_EQ(Ask({"renew", "anns", "--owner", "bob"}).exit_status.value, 3);
  EXPECT_EQ(Ask({"release", "anns"}).exit_status.value, 2);
  EXPECT_EQ(Ask({"release", "anns", "--owner", "ann"}).exit_status.value, 0);
}

TEST_F(OneAgentTest, ATokenMustBeATokenAndTheHolders) {
  ASSERT_EQ(Ask({"try", "tokens", "--owner", "ann"}).exit_status.value, 0);
  EXPECT_EQ(Ask({"release", "tokens", "--token", "x"}).exit_status.value, 2);
  EXPECT_EQ(Ask({"release", "tokens", "--token", "1.1.0"}).exit_status.value,
            3);
  EXPECT_EQ(Ask({"release", "tokens", "--owner", "ann"}).exit_status.value, 0);
}

TEST_F(OneAgentTest, AKeyOfAnyBytesIsShownEscaped) {
  ASSERT_EQ(Ask({"try", "a\tb\xff", "--owner", "ann"}).exit_status.value, 0);
  const CommandResult words = Ask({"locks"});
  EXPECT_THAT(words.output, HasSubstr("a\\tb\\377"));
  const CommandResult json = Ask({"locks", "--json"});
  EXPECT_EQ(json.exit_status.value, 0) << json.output;
  EXPECT_EQ(Ask({"release", "a\tb\xff", "--owner", "ann"}).exit_status.value,
            0);
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
