#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/base/child_process.h"
#include "tools/cli/agent_cluster.h"

namespace cachalot::tools {
namespace {

using testing::HasSubstr;

constexpr char kDemo[] = "tools/demo";

// The parent of `pid`; 0 if there is no such process.
pid_t ParentOf(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  std::string stat;
  std::getline(file, stat);
  // "pid (name) state parent ...", and a name may hold anything (proc(5)).
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream rest(stat.substr(name_end + 1));
  char state = 0;
  pid_t parent = 0;
  rest >> state >> parent;
  return parent;
}

std::vector<pid_t> ChildrenOf(pid_t parent) {
  std::vector<pid_t> children;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    pid_t pid = 0;
    if (!absl::SimpleAtoi(entry.path().filename().string(), &pid)) continue;
    if (ParentOf(pid) == parent) children.push_back(pid);
  }
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
