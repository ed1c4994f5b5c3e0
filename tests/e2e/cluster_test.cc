#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "engine/ids.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tools/base/child_process.h"
#include "tools/cli/agent_cluster.h"

namespace cachalot::tools {
namespace {

using nlohmann::json;
using Reply = AgentCluster::Reply;

constexpr absl::Duration Patience() { return absl::Seconds(30); }

// Three real agents on loopback, driven by the command line.
class ClusterTest : public testing::Test {
 protected:
  void SetUp() override {
    absl::StatusOr<AgentCluster> cluster =
        AgentCluster::Create({.size = 3, .session_ttl = absl::Seconds(2)});
    ASSERT_TRUE(cluster.ok()) << cluster.status();
    cluster_.emplace(*std::move(cluster));
    ASSERT_TRUE(cluster_->StartAll().ok());
    for (int i = 0; i < 3; ++i) {
      const absl::Status status = cluster_->AwaitVoters(i, Patience());
      ASSERT_TRUE(status.ok()) << status;
    }
  }

  Reply Ask(int agent, std::vector<std::string> command) {
    return cluster_->Ask(agent, std::move(command), Patience());
  }

  int FindLeader() {
    const Reply reply = Ask(0, {"members"});
    for (const json& member : reply.body["members"]) {
      if (member["role"] != "leader") continue;
      for (int i = 0; i < 3; ++i) {
        if (member["name"] == AgentCluster::NameOf(i)) return i;
      }
    }
    ADD_FAILURE() << "no leader among " << reply.text;
    return 0;
  }

  bool AwaitWaiters(const std::string& key, int count) {
    return Eventually("waiters", Patience(),
                      [&] {
                        const Reply reply = Ask(0, {"locks", "--prefix", key});
                        return reply.exit_status.ok() &&
                               !reply.body["locks"].empty() &&
                               reply.body["locks"][0]["waiters"] == count;
                      })
        .ok();
  }

  std::optional<AgentCluster> cluster_;
};

FencingToken TokenOf(const Reply& reply) {
  if (!reply.body.is_object()) return {};
  return FencingToken::Parse(reply.body.value("token", ""))
      .value_or(FencingToken());
}

TEST_F(ClusterTest, ALockIsHeldByOneUntilReleased) {
  const Reply taken = Ask(0, {"try", "printer", "--owner", "ann"});
  ASSERT_EQ(taken.exit_status.value, 0) << taken.text;
  EXPECT_FALSE(TokenOf(taken).IsNone());

  const Reply refused = Ask(1, {"try", "printer"});
  EXPECT_EQ(refused.exit_status.value, 1) << refused.text;
  EXPECT_EQ(refused.body["holder"]["name"], "n1");
  EXPECT_EQ(refused.body["holder"]["owner"], "ann");

  EXPECT_EQ(Ask(0, {"release", "printer", "--owner", "ann"}).exit_status.value,
            0);
  const Reply taken_next = Ask(1, {"try", "printer"});
  EXPECT_EQ(taken_next.exit_status.value, 0) << taken_next.text;
  EXPECT_GT(TokenOf(taken_next), TokenOf(taken));
}

TEST_F(ClusterTest, WaitersAreServedInTheOrderOfArrival) {
  ASSERT_EQ(Ask(0, {"try", "printer", "--owner", "ann"}).exit_status.value, 0);
  ChildProcess second =
      cluster_->Begin(1, {"lock", "printer", "--owner", "bob"}).value();
  ASSERT_TRUE(AwaitWaiters("printer", 1));
  ChildProcess third = cluster_->Begin(2, {"lock", "printer"}).value();
  ASSERT_TRUE(AwaitWaiters("printer", 2));

  ASSERT_EQ(Ask(0, {"release", "printer", "--owner", "ann"}).exit_status.value,
            0);
  const Reply granted_second =
      AgentCluster::Finish(second, absl::Now() + Patience());
  ASSERT_EQ(granted_second.exit_status.value, 0) << granted_second.text;
  EXPECT_FALSE(third.Wait(absl::Now()).has_value());

  ASSERT_EQ(Ask(1, {"release", "printer", "--owner", "bob"}).exit_status.value,
            0);
  const Reply granted_third =
      AgentCluster::Finish(third, absl::Now() + Patience());
  ASSERT_EQ(granted_third.exit_status.value, 0) << granted_third.text;
  EXPECT_GT(TokenOf(granted_third), TokenOf(granted_second));
}

TEST_F(ClusterTest, AWaitThatEndsFirstIsRefused) {
  ASSERT_EQ(Ask(0, {"try", "printer"}).exit_status.value, 0);
  const Reply reply = Ask(1, {"lock", "printer", "--wait", "100ms"});
  EXPECT_EQ(reply.exit_status.value, 1) << reply.text;
  EXPECT_TRUE(AwaitWaiters("printer", 0));
}

TEST_F(ClusterTest, ALeaseThatIsNotRenewedEnds) {
  const Reply taken = Ask(0, {"try", "printer", "--ttl", "500ms"});
  ASSERT_EQ(taken.exit_status.value, 0);
  const Reply reply = Ask(1, {"lock", "printer", "--wait", "20s"});
  EXPECT_EQ(reply.exit_status.value, 0) << reply.text;
  EXPECT_EQ(Ask(0, {"renew", "printer", "--token", TokenOf(taken).ToString()})
                .exit_status.value,
            3);
}

TEST_F(ClusterTest, ADeadHoldersLockPassesOnWhenItsLeaseEndsAndNotBefore) {
  const int leader = FindLeader();
  const int holder = (leader + 1) % 3;
  const int waiter = (leader + 2) % 3;
  ASSERT_EQ(Ask(holder, {"try", "printer", "--ttl", "1m"}).exit_status.value,
            0);
  ChildProcess waiting = cluster_->Begin(waiter, {"lock", "printer"}).value();
  ASSERT_TRUE(AwaitWaiters("printer", 1));

  const absl::Time seen_at = absl::Now();
  const Reply locks = Ask(waiter, {"locks"});
  const absl::Duration lease =
      absl::Milliseconds(locks.body["locks"][0]["remaining_ms"].get<int64_t>());
  cluster_->Kill(holder);
  const Reply granted = AgentCluster::Finish(waiting, absl::Now() + Patience());
  const absl::Duration waited = absl::Now() - seen_at;
  ASSERT_EQ(granted.exit_status.value, 0) << granted.text;
  // 20 ms for what clocks may differ by and printing cuts off.
  EXPECT_GE(waited, lease - absl::Milliseconds(20));
}

TEST_F(ClusterTest, LocksSurviveTheDeathOfTheLeader) {
  const int leader = FindLeader();
  const int holder = (leader + 1) % 3;
  const Reply taken = Ask(holder, {"try", "printer", "--ttl", "1m"});
  ASSERT_EQ(taken.exit_status.value, 0);
  const std::string token = TokenOf(taken).ToString();
  cluster_->Kill(leader);

  // Long enough for an election; the command itself waits for the leader.
  Reply renewed;
  EXPECT_TRUE(Eventually("a leader", Patience(),
                         [&] {
                           renewed = Ask(holder, {"renew", "printer", "--ttl",
                                                  "1m", "--token", token});
                           return renewed.exit_status.ok();
                         })
                  .ok())
      << renewed.text;
  EXPECT_EQ(TokenOf(renewed), TokenOf(taken));
}

TEST_F(ClusterTest, WhoLeavesReleasesAtOnce) {
  ASSERT_EQ(Ask(0, {"try", "printer", "--ttl", "1m"}).exit_status.value, 0);
  ChildProcess waiting = cluster_->Begin(1, {"lock", "printer"}).value();
  ASSERT_TRUE(AwaitWaiters("printer", 1));
  EXPECT_EQ(Ask(0, {"leave"}).exit_status.value, 0);
  const Reply granted = AgentCluster::Finish(waiting, absl::Now() + Patience());
  EXPECT_EQ(granted.exit_status.value, 0) << granted.text;
  EXPECT_EQ(cluster_->ProcessOf(0).Wait(absl::Now() + Patience()).value().value,
            0);
}

TEST_F(ClusterTest, SigtermIsALeave) {
  cluster_->ProcessOf(2).Signal(SIGTERM);
  EXPECT_EQ(cluster_->ProcessOf(2).Wait(absl::Now() + Patience()).value().value,
            0);
  EXPECT_TRUE(Eventually("n3 to be known as left", Patience(), [&] {
                const Reply reply = Ask(0, {"members", "--local"});
                for (const json& member : reply.body["members"]) {
                  if (member["name"] == "n3") return member["state"] == "left";
                }
                return true;
              }).ok());
}

TEST_F(ClusterTest, AKilledAgentComesBackAndVotes) {
  ASSERT_EQ(Ask(0, {"try", "printer", "--ttl", "1m"}).exit_status.value, 0);
  const int killed = FindLeader() == 2 ? 1 : 2;
  cluster_->Kill(killed);
  ASSERT_TRUE(cluster_->Start(killed).ok());
  const absl::Status voted = cluster_->AwaitVoters(0, Patience());
  EXPECT_TRUE(voted.ok()) << voted;
  EXPECT_TRUE(Eventually("the lock in its copy", Patience(), [&] {
                const Reply reply = Ask(killed, {"locks", "--local"});
                return reply.exit_status.ok() &&
                       reply.body["locks"].size() == 1;
              }).ok());
}

}  // namespace
}  // namespace cachalot::tools
