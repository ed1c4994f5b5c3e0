#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "io/escape.h"
#include "tests/e2e/with_agents.h"
#include "tools/base/child_process.h"
#include "tools/base/json_text.h"
#include "tools/cli/agent_cluster.h"

namespace cachalot::tools {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

constexpr absl::Duration Patience() { return absl::Seconds(30); }

// Three agents, all of which vote.
class ListingTest : public WithAgents<3> {
 protected:
  static CommandResult Ask(int agent, std::vector<std::string> command) {
    command.insert(command.begin(), FindCachalot().value());
    command.insert(command.end(), {"--agent", cluster_->SocketOf(agent)});
    return RunCommand(std::move(command), absl::Now() + Patience()).value();
  }
  static Json AskInJson(int agent, std::vector<std::string> command) {
    command.push_back("--json");
    return Json::parse(Ask(agent, std::move(command)).output, nullptr,
                       /*allow_exceptions=*/false);
  }
};

// All bytes that an argument can have.
std::string AllBytes() {
  std::string text;
  for (int byte = 1; byte < 256; ++byte) text += static_cast<char>(byte);
  return text;
}

TEST_F(ListingTest, AnyKeyIsPrintedAndReadWithoutLoss) {
  for (const std::string& key :
       {std::string("plain"), std::string("Schl\xc3\xbcssel"),
        std::string("two\nlines"), std::string("back\\slash"),
        std::string("a\\xff"), std::string("a\xff"), std::string(" ends "),
        std::string("\x1b[2J"), AllBytes()}) {
    const Json taken = AskInJson(0, {"try", key, "--owner", key.substr(0, 64)});
    ASSERT_TRUE(taken.is_object()) << key;
    EXPECT_EQ(ReadText(taken, "key"), key);
    const std::string token = ReadText(taken, "token");

    const Json locks = AskInJson(1, {"locks"});
    ASSERT_EQ(locks["locks"].size(), 1u) << locks;
    EXPECT_EQ(ReadText(locks["locks"][0], "key"), key);
    EXPECT_EQ(ReadText(locks["locks"][0], "owner"), key.substr(0, 64));

    const std::string escaped = Escape(key);
    const std::string table = Ask(1, {"locks"}).output;
    EXPECT_THAT(table, HasSubstr(absl::StrCat("\n", escaped, "  n1  ")));
    EXPECT_THAT(table, Not(HasSubstr("\x1b")));
    EXPECT_THAT(Ask(1, {"locks", "--escaped", "--prefix", escaped}).output,
                HasSubstr(absl::StrCat("\n", escaped, "  ")));
    EXPECT_THAT(Ask(1, {"try", key}).output,
                HasSubstr(absl::StrCat("not locked ", escaped, ": ")));
    const CommandResult released =
        Ask(0, {"release", "--escaped", escaped, "--token", token});
    EXPECT_EQ(released.exit_status.value, 0) << released.output;
    EXPECT_THAT(released.output,
                HasSubstr(absl::StrCat("released ", escaped, "\n")));
  }
}

TEST_F(ListingTest, WhatAnAdministratorTakesIsNamedWithoutLoss) {
  const std::string key = AllBytes();
  ASSERT_TRUE(AskInJson(0, {"try", key, "--owner", "\xff\xfe"}).is_object());
  const Json taken =
      AskInJson(1, {"release", key, "--force", "--reason", "\xff"});
  ASSERT_TRUE(taken.is_object());
  EXPECT_EQ(ReadText(taken, "key"), key);
  EXPECT_EQ(ReadText(taken, "owner"), "\xff\xfe");
  EXPECT_EQ(ReadText(taken, "holder"), "n1");
}

TEST_F(ListingTest, LocksShowsLeaseAndSessionApart) {
  const Json taken = AskInJson(0, {"try", "times", "--ttl", "10m"});
  const std::string table = Ask(1, {"locks", "--prefix", "times"}).output;
  EXPECT_THAT(table, ContainsRegex("LEASE LEFT +SESSION LEFT"));
  EXPECT_THAT(table, ContainsRegex("times +n1 +9m[0-9]+s +[0-9.]+s "));
  const Json lock = AskInJson(1, {"locks", "--prefix", "times"})["locks"][0];
  EXPECT_GT(lock["lease_remaining_ms"], 590'000);
  EXPECT_LE(lock["session_remaining_ms"], 10'000);
  EXPECT_EQ(lock["remaining_ms"], lock["session_remaining_ms"]);
  Ask(0, {"release", "times", "--token", ReadText(taken, "token")});
}

TEST_F(ListingTest, AWaitThatEndedSaysWhoHoldsTheLock) {
  const Json taken =
      AskInJson(0, {"try", "busy", "--ttl", "10m", "--owner", "job-7"});
  const CommandResult refused = Ask(1, {"lock", "busy", "--wait", "300ms"});
  EXPECT_EQ(refused.exit_status.value, 1);
  EXPECT_THAT(refused.output,
              ContainsRegex("not locked busy: still held by n1 "
                            "\\(owner job-7\\), token [0-9.]+; its lease has "
                            "9m[0-9]+s left, its agent's session [0-9.]+s;"));
  EXPECT_THAT(Ask(1, {"try", "busy"}).output,
              HasSubstr("not locked busy: held by n1 (owner job-7), token "));
  Ask(0, {"release", "busy", "--token", ReadText(taken, "token")});
}

TEST_F(ListingTest, LocksShowsTheQueueOfAKey) {
  ASSERT_EQ(Ask(0, {"try", "queued", "--owner", "first"}).exit_status.value, 0);
  std::vector<ChildProcess> waiting;
  for (const std::string owner : {"second", "third"}) {
    waiting.push_back(
        ChildProcess::Start({FindCachalot().value(), "lock", "queued",
                             "--owner", owner, "--wait", "1m", "--agent",
                             cluster_->SocketOf(1)})
            .value());
    // One after the other, so that their places are known.
    const absl::Time deadline = absl::Now() + Patience();
    Json queue;
    do {
      queue = AskInJson(2, {"locks", "--waiters", "queued"});
    } while (queue["waiters"].size() < waiting.size() &&
             absl::Now() < deadline);
    ASSERT_EQ(queue["waiters"].size(), waiting.size()) << queue;
    EXPECT_EQ(ReadText(queue["waiters"].back(), "owner"), owner) << queue;
    EXPECT_EQ(ReadText(queue["lock"], "owner"), "first") << queue;
  }
  EXPECT_THAT(Ask(0, {"locks", "--waiters", "queued"}).output,
              ContainsRegex("1 +n2 +second\n2 +n2 +third\n"));
  EXPECT_THAT(Ask(0, {"locks", "--waiters", "queued", "--prefix", "q"}).output,
              HasSubstr("--prefix excludes --waiters"));
  waiting.clear();
  ASSERT_EQ(Ask(0, {"release", "queued", "--owner", "first"}).exit_status.value,
            0);
}

TEST_F(ListingTest, ABadEscapeIsRefused) {
  const CommandResult result = Ask(0, {"try", "--escaped", "a\\n"});
  EXPECT_EQ(result.exit_status.value, 2);
  EXPECT_THAT(result.output, AllOf(HasSubstr("a\\n"), HasSubstr("\\xNN")));
}

// Last: it ends an agent.
TEST_F(ListingTest, ZMembersShowsThoseWhoCountAndAllTheGoneToo) {
  EXPECT_THAT(Ask(0, {"members"}).output, ContainsRegex("\nn1 .*\nn2 .*\nn3 "));
  EXPECT_THAT(Ask(0, {"status"}).output,
              HasSubstr("survives 1 more death: its voters are n"));
  ASSERT_EQ(Ask(2, {"leave"}).exit_status.value, 0);
  ASSERT_TRUE(Eventually("n3 to be gone", Patience(), [&] {
                return AskInJson(0, {"members"})["members"].size() == 2;
              }).ok());
  EXPECT_THAT(Ask(0, {"members"}).output, Not(HasSubstr("n3")));
  EXPECT_THAT(Ask(0, {"members", "--all"}).output,
              ContainsRegex("\nn1 .*\nn2 .*\nn3 .* left "));
  EXPECT_EQ(AskInJson(0, {"members", "--all"})["members"].size(), 3u);
}

}  // namespace
}  // namespace cachalot::tools
