#include <signal.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
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

constexpr absl::Duration Patience() { return absl::Seconds(40); }
constexpr char kTimeLock[] = "tools/time_lock";

// Reads lines up to one that contains `text`; false if none comes.
bool ReadUntil(ChildProcess& child, absl::string_view text) {
  const absl::Time deadline = absl::Now() + Patience();
  while (const std::optional<std::string> line = child.ReadLine(deadline)) {
    if (absl::StrContains(*line, text)) return true;
  }
  return false;
}

// "won" or "lost"; empty if it does not say.
std::string ReadResult(ChildProcess& child) {
  const absl::Time deadline = absl::Now() + Patience();
  while (const std::optional<std::string> line = child.ReadLine(deadline)) {
    if (absl::StrContains(*line, "  not locked: ")) return "lost";
    if (absl::StrContains(*line, "  locked example-key")) return "won";
  }
  return "";
}

TEST(TimeLockTest, OfThreeThatStartWithTheSeedLastOneWins) {
  const std::vector<int> ports = FreePorts(3).value();
  const std::string seed = absl::StrCat("127.0.0.1:", ports[0]);
  std::vector<ChildProcess> nodes;
  for (const int port : {ports[2], ports[1], ports[0]}) {
    nodes.push_back(
        ChildProcess::Start(
            {kTimeLock, absl::StrCat("127.0.0.1:", port), seed, "+3s"})
            .value());
  }
  int winners = 0;
  int losers = 0;
  for (ChildProcess& node : nodes) {
    const std::string result = ReadResult(node);
    if (result == "won") ++winners;
    if (result == "lost") ++losers;
  }
  EXPECT_EQ(winners, 1);
  EXPECT_EQ(losers, 2);

  for (ChildProcess& node : nodes) node.Signal(SIGINT);
  for (ChildProcess& node : nodes) {
    const std::optional<ExitStatus> end = node.Wait(absl::Now() + Patience());
    ASSERT_TRUE(end.has_value()) << "Ctrl+C did not end it";
    EXPECT_EQ(end->value, 0);
  }
}

TEST(TimeLockTest, CtrlCReleasesAndLeaves) {
  const std::string address =
      absl::StrCat("127.0.0.1:", FreePorts(1).value()[0]);
  ChildProcess node =
      ChildProcess::Start({kTimeLock, address, address, "+0s"}).value();
  ASSERT_TRUE(ReadUntil(node, "locked example-key"));
  node.Signal(SIGINT);
  EXPECT_TRUE(ReadUntil(node, "released example-key"));
  EXPECT_TRUE(ReadUntil(node, "left"));
  EXPECT_EQ(node.Wait(absl::Now() + Patience())->value, 0);
}

TEST(TimeLockTest, ATimeInThePastIsAnErrorThatSaysSo) {
  const CommandResult result =
      RunCommand({kTimeLock, "localhost:7946", "localhost:7946",
                  "2020-01-01T00:00:00Z"},
                 absl::Now() + Patience())
          .value();
  EXPECT_EQ(result.exit_status.value, 2);
  EXPECT_THAT(result.output, HasSubstr("in the past"));
}

TEST(TimeLockTest, AMissingArgumentIsNamed) {
  const CommandResult result =
      RunCommand({kTimeLock, "localhost:7946"}, absl::Now() + Patience())
          .value();
  EXPECT_EQ(result.exit_status.value, 2);
  EXPECT_THAT(result.output, HasSubstr("seed_node"));
}

}  // namespace
}  // namespace cachalot::tools
