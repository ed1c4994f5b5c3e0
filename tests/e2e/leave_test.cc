#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tools/base/child_process.h"
#include "tools/cli/agent_cluster.h"

// Members leave a small cluster, and those who stay go on.

namespace cachalot::tools {
namespace {

using nlohmann::json;

constexpr absl::Duration Patience() { return absl::Seconds(30); }

// The first agent founds the cluster, and the others join it: while there are
// two it is the only voter.
class LeaveTest : public testing::Test {
 protected:
  void SetUp() override {
    program_ = FindCachalot().value();
    ports_ = FreePorts(kAgents).value();
  }

  void Start(int agent) {
    const std::string founder = absl::StrCat("127.0.0.1:", ports_[0]);
    std::vector<std::string> line = {
        program_,      "agent",
        "--bind",      absl::StrCat("127.0.0.1:", Port(agent)),
        "--name",      absl::StrCat("n", agent + 1),
        "--join",      founder,
        "--state-dir="};
    if (agent == 0) line.push_back("--bootstrap");
    agents_.push_back(ChildProcess::Start(std::move(line)).value());
    ASSERT_TRUE(CanLock(agent, absl::StrCat("start-", agent)));
  }

  int Port(int agent) const { return ports_[static_cast<size_t>(agent)]; }
  ChildProcess& Agent(int agent) { return agents_[static_cast<size_t>(agent)]; }

  CommandResult Run(int agent, std::vector<std::string> command) {
    command.insert(command.begin(), program_);
    command.insert(command.end(), {"--port", absl::StrCat(Port(agent))});
    return RunCommand(std::move(command), absl::Now() + Patience()).value();
  }
  bool CanLock(int agent, const std::string& key) {
    return Eventually(key, Patience(),
                      [&] {
                        return Run(agent, {"try", key}).exit_status.ok();
                      })
        .ok();
  }
  json Status(int agent) {
    return json::parse(Run(agent, {"status", "--json"}).output, nullptr,
                       /*allow_exceptions=*/false);
  }
  bool Votes(int agent) {
    return Eventually("a vote", Patience(),
                      [&] {
                        const json status = Status(agent);
                        return status.is_object() &&
                               (status["role"] == "voter" ||
                                status["role"] == "leader");
                      })
        .ok();
  }
  int ExitCodeOf(int agent) {
    return Agent(agent).Wait(absl::Now() + Patience()).value().value;
  }

  static constexpr int kAgents = 3;
  std::string program_;
  std::vector<int> ports_;
  std::vector<ChildProcess> agents_;
};

TEST_F(LeaveTest, TheFounderOfTwoLeaves) {
  Start(0);
  Start(1);
  EXPECT_EQ(Status(0)["survival"]["deaths"], 0);
  ASSERT_TRUE(Run(0, {"try", "job", "--ttl", "1h"}).exit_status.ok());
  EXPECT_TRUE(Run(0, {"leave"}).exit_status.ok());
  EXPECT_EQ(ExitCodeOf(0), 0);
  const CommandResult granted = Run(1, {"lock", "job", "--wait", "20s"});
  EXPECT_TRUE(granted.exit_status.ok()) << granted.output;
  EXPECT_EQ(Status(1)["role"], "leader");
  EXPECT_EQ(Status(1)["survival"]["voters"].size(), 1u);
}

TEST_F(LeaveTest, ThreeBecomeOne) {
  for (const int agent : {0, 1, 2}) Start(agent);
  for (const int agent : {0, 1, 2}) ASSERT_TRUE(Votes(agent));
  // Whoever leads among those who are left is not the last to go.
  Agent(0).Signal(SIGTERM);
  EXPECT_EQ(ExitCodeOf(0), 0);
  EXPECT_TRUE(CanLock(2, "two-are-left"));
  const int second = Status(1)["role"] == "leader" ? 1 : 2;
  const int last = 3 - second;
  Agent(second).Signal(SIGINT);
  EXPECT_EQ(ExitCodeOf(second), 0);
  EXPECT_TRUE(CanLock(last, "one-is-left"));
}

TEST_F(LeaveTest, AllLeaveAtOnce) {
  for (const int agent : {0, 1, 2}) Start(agent);
  for (const int agent : {0, 1, 2}) ASSERT_TRUE(Votes(agent));
  for (const int agent : {0, 1, 2}) Agent(agent).Signal(SIGTERM);
  for (const int agent : {0, 1, 2}) EXPECT_EQ(ExitCodeOf(agent), 0);
}

}  // namespace
}  // namespace cachalot::tools
