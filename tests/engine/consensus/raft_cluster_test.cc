#include "tests/engine/consensus/raft_cluster.h"

#include <cstdint>
#include <sstream>

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace cachalot {
namespace {

constexpr absl::Duration kFaultsFor = absl::Seconds(5);

// One test for each seed: a failed check stops the process, and the test's name
// is on the last line before that.
class RaftClusterTest : public testing::TestWithParam<uint64_t> {};

TEST_P(RaftClusterTest, StaysSafeWithAnyFaultsAndHeals) {
  RaftCluster cluster(GetParam());
  cluster.RunWithFaults(kFaultsFor);
  const bool heals = cluster.Heals(absl::Seconds(20));
  std::ostringstream standing;
  cluster.Describe(standing);
  EXPECT_TRUE(heals) << standing.str();
}

INSTANTIATE_TEST_SUITE_P(Seed, RaftClusterTest,
                         testing::Range(uint64_t{1}, uint64_t{501}),
                         testing::PrintToStringParamName());

// What never happens is not tested.
TEST(RaftClusterFaultsTest, AreFrequentEnough) {
  RaftCluster::Tally total;
  for (uint64_t seed = 1; seed <= 25; ++seed) {
    RaftCluster cluster(seed);
    cluster.RunWithFaults(kFaultsFor);
    total += cluster.tally();
  }
  EXPECT_GT(total.leaders, 50u);
  EXPECT_GT(total.commits, 2000u);
  EXPECT_GT(total.changes, 20u);
  EXPECT_GT(total.snapshots, 20u);
  EXPECT_GT(total.truncations, 5u);
  EXPECT_GT(total.restarts, 30u);
  EXPECT_GT(total.reads, 200u);
}

}  // namespace
}  // namespace cachalot
