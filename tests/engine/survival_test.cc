#include "engine/survival.h"

#include "gtest/gtest.h"
#include "tests/engine/test_cluster.h"

namespace cachalot {
namespace {

Survival Of(std::vector<std::pair<std::string, bool>> voters, uint64_t deaths) {
  Survival survival{.has_majority = true, .deaths = deaths};
  for (auto& [name, is_alive] : voters) {
    survival.voters.push_back({.name = std::move(name), .is_alive = is_alive});
  }
  return survival;
}

TEST(SurvivalTest, IsOneLineForPeople) {
  EXPECT_EQ(DescribeSurvival({}), "no voters are known yet");
  EXPECT_EQ(DescribeSurvival(Of({{"n1", true}}, 0)),
            "survives 0 more deaths: its only voter is n1");
  EXPECT_EQ(DescribeSurvival(Of({{"a", true}, {"b", true}, {"c", true}}, 1)),
            "survives 1 more death: its voters are a, b, c");
  EXPECT_EQ(DescribeSurvival(Of({{"a", true}, {"b", false}, {"c", true}}, 0)),
            "survives 0 more deaths: 2 of 3 voters are alive, not b");
  Survival lost = Of({{"a", false}, {"b", false}, {"c", true}}, 0);
  lost.has_majority = false;
  EXPECT_EQ(DescribeSurvival(lost),
            "has no majority: 1 of 3 voters is alive, not a, b");
}

TEST(SurvivalTest, EscapesNamesThatOthersChose) {
  EXPECT_EQ(DescribeSurvival(Of({{"a\nb\x1b", true}}, 0)),
            "survives 0 more deaths: its only voter is a\\nb\\033");
}

TEST(SurvivalTest, FallsWithEachDeathAndRecovers) {
  TestCluster cluster;
  cluster.Start(1, {1});
  EXPECT_TRUE(cluster.node(1).FindSurvival().voters.empty());
  const auto words = [&](int node) {
    return DescribeSurvival(cluster.node(node).FindSurvival());
  };
  ASSERT_TRUE(cluster.RunUntil([&] { return cluster.Leader() == 1; }));
  EXPECT_EQ(words(1), "survives 0 more deaths: its only voter is n1");
  cluster.Start(2, {1});
  // A second voter would only be one more that must not die.
  cluster.Run(absl::Seconds(10));
  EXPECT_EQ(words(1), "survives 0 more deaths: its only voter is n1");
  EXPECT_EQ(words(2), words(1)) << "a learner sees what its leader sees";
  cluster.Start(3, {1});
  const auto deaths_survived = [&](int node) {
    return cluster.node(node).FindSurvival().deaths;
  };
  for (const int i : {1, 2, 3}) {
    EXPECT_TRUE(cluster.RunUntil([&] { return deaths_survived(i) == 1; })) << i;
  }
  cluster.CutOff(3);
  for (const int i : {1, 2}) {
    EXPECT_TRUE(cluster.RunUntil([&] { return deaths_survived(i) == 0; })) << i;
    EXPECT_EQ(words(i),
              "survives 0 more deaths: 2 of 3 voters are alive, "
              "not n3");
  }
  EXPECT_TRUE(cluster.RunUntil([&] {
    return !cluster.node(3).FindSurvival().has_majority;
  })) << words(3);
  cluster.Reconnect(3);
  for (const int i : {1, 2, 3}) {
    EXPECT_TRUE(cluster.RunUntil([&] { return deaths_survived(i) == 1; })) << i;
  }
}

}  // namespace
}  // namespace cachalot
