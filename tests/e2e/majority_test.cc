#include <csignal>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tools/base/child_process.h"
#include "tools/cli/agent_cluster.h"

// Two of three agents are silent, and the third says so.

namespace cachalot::tools {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr absl::Duration Patience() { return absl::Seconds(30); }

nlohmann::json Outage(const AgentCluster& cluster, int agent) {
  const AgentCluster::Reply reply = cluster.Ask(agent, {"status"});
  return reply.body.is_object() ? reply.body["outage"] : nlohmann::json();
}

absl::Status AwaitOutage(const AgentCluster& cluster, int agent,
                         const std::string& kind) {
  return Eventually("outage " + kind, Patience(), [&] {
    const nlohmann::json outage = Outage(cluster, agent);
    return outage.is_object() && outage["kind"] == kind;
  });
}

// Whether a line with `text` comes.
bool Logs(ChildProcess& agent, const std::string& text) {
  const absl::Time deadline = absl::Now() + Patience();
  while (const std::optional<std::string> line = agent.ReadLine(deadline)) {
    if (line->find(text) != std::string::npos) return true;
  }
  return false;
}

TEST(MajorityTest, IsReportedLostAndBack) {
  AgentCluster cluster = AgentCluster::Create({.size = 3}).value();
  ASSERT_TRUE(cluster.StartAll().ok());
  ASSERT_TRUE(cluster.AwaitVoters(0, Patience()).ok());
  EXPECT_EQ(Outage(cluster, 0)["kind"], "none");
  cluster.ProcessOf(1).Signal(SIGSTOP);
  cluster.ProcessOf(2).Signal(SIGSTOP);
  const absl::Status lost = AwaitOutage(cluster, 0, "majority_lost");
  ASSERT_TRUE(lost.ok()) << lost;
  const nlohmann::json outage = Outage(cluster, 0);
  EXPECT_EQ(outage["voters"], 3);
  EXPECT_TRUE(outage["hears_nobody"]);
  ASSERT_EQ(outage["missing"].size(), 2u);
  EXPECT_GE(outage["missing"][0]["silent_ms"], 3000);
  EXPECT_THAT(outage["text"].get<std::string>(),
              AllOf(HasSubstr("the majority of the voters is lost"),
                    HasSubstr("n2 (" + cluster.AddressOf(1)),
                    HasSubstr("n3 (" + cluster.AddressOf(2))));
  // Whoever waits for a lock reads it, too.
  const AgentCluster::Reply refused =
      cluster.Ask(0, {"lock", "k", "--wait", "200ms"});
  EXPECT_THAT(refused.body["text"].get<std::string>(),
              HasSubstr("the majority of the voters is lost"));
  absl::StatusOr<ChildProcess> waits =
      cluster.Begin(0, {"lock", "k", "--wait", "1m"});
  ASSERT_TRUE(waits.ok());
  const std::optional<std::string> told =
      waits->ReadLine(absl::Now() + Patience());
  ASSERT_TRUE(told.has_value());
  EXPECT_THAT(*told, HasSubstr("waiting: the majority of the voters is lost"));
  cluster.ProcessOf(1).Signal(SIGCONT);
  cluster.ProcessOf(2).Signal(SIGCONT);
  EXPECT_TRUE(AwaitOutage(cluster, 0, "none").ok());
  EXPECT_TRUE(
      AgentCluster::Finish(*waits, absl::Now() + Patience()).exit_status.ok());
  EXPECT_TRUE(Logs(cluster.ProcessOf(0), "error majority_lost: "));
  EXPECT_TRUE(Logs(cluster.ProcessOf(0), "info majority_back: "));
}

}  // namespace
}  // namespace cachalot::tools
