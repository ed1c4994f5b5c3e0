#include <signal.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/agent_cluster.h"
#include "tools/child_process.h"

namespace cachalot::tools {
namespace {

using testing::HasSubstr;

constexpr char kDemo[] = "tools/demo";

// Processes of ours that run `program` now.
std::vector<pid_t> ChildrenOf(pid_t parent) {
  const CommandResult result =
      RunCommand({"/usr/bin/env", "cat",
                  "/proc/" + std::to_string(parent) + "/task/" +
                      std::to_string(parent) + "/children"},
                 absl::Now() + absl::Seconds(10))
          .value();
  std::vector<pid_t> children;
  std::istringstream words(result.output);
  for (pid_t pid = 0; words >> pid;) children.push_back(pid);
  return children;
}

TEST(DemoTest, ObservesEveryStepWithinAMinute) {
  const absl::Time start = absl::Now();
  const CommandResult result =
      RunCommand({kDemo}, start + absl::Minutes(4)).value();
  EXPECT_EQ(result.exit_status.value, 0) << result.output;
  EXPECT_THAT(result.output, HasSubstr("Every step was observed."));
  EXPECT_LT(absl::Now() - start, absl::Minutes(1));
}

TEST(DemoTest, CtrlCLeavesNoProcessBehind) {
  ChildProcess demo = ChildProcess::Start({kDemo}).value();
  std::vector<pid_t> agents;
  ASSERT_TRUE(Eventually("three agents", absl::Seconds(30), [&] {
                agents = ChildrenOf(demo.pid());
                return agents.size() >= 3;
              }).ok());
  demo.Signal(SIGINT);
  EXPECT_EQ(demo.Wait(absl::Now() + absl::Seconds(30))->value, 130);
  for (const pid_t agent : agents) EXPECT_EQ(kill(agent, 0), -1);
}

TEST(DemoTest, AKilledDemoLeavesNoProcessBehind) {
  ChildProcess demo = ChildProcess::Start({kDemo}).value();
  std::vector<pid_t> agents;
  ASSERT_TRUE(Eventually("three agents", absl::Seconds(30), [&] {
                agents = ChildrenOf(demo.pid());
                return agents.size() >= 3;
              }).ok());
  demo.Kill();
  EXPECT_TRUE(Eventually("the agents' end", absl::Seconds(30), [&] {
                return std::all_of(
                    agents.begin(), agents.end(),
                    [](pid_t agent) { return kill(agent, 0) != 0; });
              }).ok());
}

}  // namespace
}  // namespace cachalot::tools
