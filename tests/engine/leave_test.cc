#include <algorithm>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/node.h"
#include "engine/wire/codec.h"
#include "engine/wire/message.h"
#include "gtest/gtest.h"
#include "tests/engine/test_cluster.h"

// How a node leaves, and that nobody who stays is worse off for it.

namespace cachalot {
namespace {

// How long it takes until all of `leavers`, asked at once, have left.
absl::Duration LeaveTime(TestCluster& cluster,
                         const std::vector<int>& leavers) {
  const absl::Duration begun = cluster.now();
  for (const int i : leavers) cluster.Deliver(i, LeaveRequested());
  for (const int i : leavers) {
    // As a process would exit.
    EXPECT_TRUE(cluster.RunUntil([&] { return cluster.has_left(i); })) << i;
  }
  for (const int i : leavers) cluster.Kill(i);
  return cluster.now() - begun;
}

bool CanLock(TestCluster& cluster, int node, std::string key) {
  AcquireRequest request = Wait(std::move(key), absl::Seconds(1));
  return cluster.Ask(node, std::move(request)).outcome == Outcome::kOk;
}

TEST(LeaveTest, TheOnlyVoterLeavesToALearner) {
  TestCluster cluster;
  cluster.Start(1, {1});
  cluster.Start(2, {1});
  ASSERT_TRUE(
      cluster.RunUntil([&] { return cluster.node(2).client().has_session(); }));
  cluster.Run(absl::Seconds(3));
  ASSERT_FALSE(cluster.node(1).consensus().IsVoter(cluster.node(2).id()));
  ASSERT_EQ(cluster.Ask(1, Try("a", absl::Hours(1))).outcome, Outcome::kOk);
  const RequestId waiter = cluster.Submit(2, Wait("a", absl::Seconds(20)));
  cluster.Run(absl::Milliseconds(100));
  EXPECT_LT(LeaveTime(cluster, {1}), absl::Milliseconds(50));
  ASSERT_TRUE(cluster.AnswerTo(waiter).has_value());
  EXPECT_EQ(cluster.AnswerTo(waiter)->outcome, Outcome::kOk);
  EXPECT_TRUE(CanLock(cluster, 2, "b"));
  EXPECT_EQ(cluster.Leader(), 2);
}

TEST(LeaveTest, TheOnlyVoterWaitsForOneThatHasJustJoined) {
  TestCluster cluster;
  cluster.Start(1, {1});
  ASSERT_TRUE(cluster.RunUntil([&] { return cluster.Leader() == 1; }));
  cluster.Start(2, {1});
  ASSERT_TRUE(cluster.RunUntil(
      [&] { return !cluster.node(1).membership().others().empty(); }));
  ASSERT_EQ(cluster.node(2).consensus().last_index(), LogIndex());
  // Not promote_after, which is longer.
  EXPECT_LT(LeaveTime(cluster, {1}), absl::Milliseconds(300));
  EXPECT_TRUE(CanLock(cluster, 2, "a"));
}

TEST(LeaveTest, ThreeBecomeNoneInEachOrder) {
  std::vector<int> order = {1, 2, 3};
  do {
    TestCluster cluster;
    StartThree(cluster);
    for (const int leaver : {order[0], order[1]}) {
      EXPECT_LT(LeaveTime(cluster, {leaver}), absl::Milliseconds(300));
      EXPECT_TRUE(CanLock(cluster, order[2], "a" + std::to_string(leaver)));
    }
    EXPECT_LT(LeaveTime(cluster, {order[2]}), absl::Milliseconds(20));
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(LeaveTest, TwoOfThreeLeaveTogether) {
  for (const int stayer : {1, 2, 3}) {
    TestCluster cluster;
    StartThree(cluster);
    std::vector<int> leavers = {1, 2, 3};
    std::erase(leavers, stayer);
    EXPECT_LT(LeaveTime(cluster, leavers), absl::Milliseconds(500));
    EXPECT_TRUE(CanLock(cluster, stayer, "a"));
  }
}

TEST(LeaveTest, AllLeaveTogether) {
  for (int size = 1; size <= 7; ++size) {
    TestCluster cluster;
    std::vector<int> all;
    for (int i = 1; i <= size; ++i) {
      cluster.Start(i, {1});
      all.push_back(i);
    }
    cluster.Run(absl::Seconds(5));
    ASSERT_NE(cluster.Leader(), 0);
    EXPECT_LT(LeaveTime(cluster, all), absl::Milliseconds(500)) << size;
  }
}

TEST(LeaveTest, ALearnerThatIsBeingMadeAVoterDoesNotGoFirst) {
  TestCluster cluster;
  cluster.Start(1, {1});
  cluster.Start(2, {1});
  cluster.Start(3, {1});
  ASSERT_TRUE(cluster.RunUntil([&] {
    return cluster.Leader() == 1 &&
           cluster.node(1).consensus().configuration().IsJoint();
  }));
  // They have not heard of it yet: were they to go now, the founder would have
  // no majority ever again.
  EXPECT_LT(LeaveTime(cluster, {2, 3}), absl::Milliseconds(500));
  EXPECT_TRUE(CanLock(cluster, 1, "a"));
}

TEST(LeaveTest, ALeaverThatIsCutOffGoesWhenItsTimeHasRunOut) {
  TestCluster cluster;
  StartThree(cluster);
  cluster.CutOff(3);
  EXPECT_EQ(LeaveTime(cluster, {3}), absl::Seconds(5));
  EXPECT_TRUE(CanLock(cluster, 1, "a"));
}

bool IsFailed(TestCluster& cluster, int node, const NodeId& id) {
  const auto& others = cluster.node(node).membership().others();
  return others.at(id).state == MemberState::kFailed;
}

TEST(LeaveTest, TheOnlyVoterWaitsForOneThatIsCutOff) {
  TestCluster cluster;
  cluster.Start(1, {1});
  cluster.Start(2, {1});
  cluster.Run(absl::Seconds(3));
  cluster.CutOff(2);
  ASSERT_TRUE(cluster.RunUntil(
      [&] { return IsFailed(cluster, 1, cluster.node(2).id()); }));
  cluster.Deliver(1, LeaveRequested());
  cluster.Run(absl::Seconds(1));
  ASSERT_FALSE(cluster.has_left(1));
  cluster.Reconnect(2);
  EXPECT_TRUE(cluster.RunUntil([&] { return cluster.has_left(1); },
                               absl::Milliseconds(3500)));
  cluster.Kill(1);
  EXPECT_TRUE(CanLock(cluster, 2, "a"));
}

TEST(LeaveTest, NobodyWaitsForTheDead) {
  for (const bool is_long_ago : {false, true}) {
    TestCluster cluster;
    cluster.Start(1, {1});
    cluster.Start(2, {1});
    cluster.Run(absl::Seconds(3));
    const NodeId dead = cluster.node(2).id();
    cluster.Kill(2);
    // As its kernel would have it.
    if (!is_long_ago) {
      cluster.Deliver(1, LinkChanged{.peer = TestCluster::AddressOf(2)});
    }
    ASSERT_TRUE(cluster.RunUntil([&] { return IsFailed(cluster, 1, dead); }));
    if (is_long_ago) cluster.Run(absl::Seconds(10));
    EXPECT_LT(LeaveTime(cluster, {1}), absl::Milliseconds(20));
  }
}

// Its permission was lost on the way: it is given again.
TEST(LeaveTest, AsksUntilItIsAnswered) {
  TestCluster cluster;
  StartThree(cluster);
  int lost = 0;
  cluster.filter = [&](int, const Address&, const std::string& bytes) {
    const absl::StatusOr<Envelope> envelope = Decode(bytes);
    return !std::holds_alternative<LeaveReply>(envelope->message) || ++lost > 3;
  };
  EXPECT_LT(LeaveTime(cluster, {cluster.Leader() == 3 ? 2 : 3}),
            absl::Milliseconds(500));
  EXPECT_EQ(lost, 4);
}

TEST(LeaveTest, TheLastMemberLeavesAtOnce) {
  TestCluster cluster;
  StartThree(cluster);
  for (const int i : {1, 2, 3}) {
    cluster.Deliver(i, LeaveRequested());
    ASSERT_TRUE(
        cluster.RunUntil([&] { return cluster.has_left(i); }, absl::Seconds(6)))
        << i;
    cluster.Kill(i);
    cluster.Run(absl::Milliseconds(500));
  }
}

}  // namespace
}  // namespace cachalot
