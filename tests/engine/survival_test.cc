#include "engine/survival.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/engine/test_cluster.h"

namespace cachalot {
namespace {

// "1: n1 n2, not n3": how many deaths are survived, who is alive, who is not.
// By name: identities are drawn.
std::string Describe(Survival survival) {
  std::sort(survival.voters.begin(), survival.voters.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  std::string alive;
  std::string dead;
  for (const Survival::Voter& voter : survival.voters) {
    absl::StrAppend(voter.is_alive ? &alive : &dead, " ", voter.name);
  }
  return absl::StrCat(survival.deaths, ":", alive,
                      dead.empty() ? "" : absl::StrCat(", not", dead));
}

TEST(SurvivalTest, FallsWithEachDeathAndRecovers) {
  TestCluster cluster;
  cluster.Start(1, {1});
  EXPECT_TRUE(cluster.node(1).FindSurvival().voters.empty());
  const auto words = [&](int node) {
    return Describe(cluster.node(node).FindSurvival());
  };
  ASSERT_TRUE(cluster.RunUntil([&] { return cluster.Leader() == 1; }));
  EXPECT_EQ(words(1), "0: n1");
  cluster.Start(2, {1});
  // A second voter would only be one more that must not die.
  cluster.Run(absl::Seconds(10));
  EXPECT_EQ(words(1), "0: n1");
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
    EXPECT_EQ(words(i), "0: n1 n2, not n3");
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
