#include "tests/engine/consensus/raft_cluster.h"

#include <cstdint>
#include <sstream>

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace cachalot {
namespace {

// The judge stops the process with the reason; the last line before it says
// which seed that was.
TEST(RaftClusterTest, StaysSafeInAnyWeatherAndHeals) {
  RaftCluster::Tally total;
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    SCOPED_TRACE(seed);
    RecordProperty("seed", static_cast<int>(seed));
    RaftCluster cluster(seed);
    cluster.RunWild(absl::Seconds(6));
    std::ostringstream standing;
    const bool heals = cluster.Heals(absl::Seconds(20));
    cluster.Describe(standing);
    EXPECT_TRUE(heals) << "seed " << seed << "\n" << standing.str();
    total.leaders += cluster.tally().leaders;
    total.commits += cluster.tally().commits;
    total.changes += cluster.tally().changes;
    total.snapshots += cluster.tally().snapshots;
    total.truncations += cluster.tally().truncations;
    total.restarts += cluster.tally().restarts;
    total.reads += cluster.tally().reads;
  }
  // What is rare would not be tested.
  EXPECT_GT(total.leaders, 2000u);
  EXPECT_GT(total.commits, 50000u);
  EXPECT_GT(total.changes, 500u);
  EXPECT_GT(total.snapshots, 500u);
  EXPECT_GT(total.truncations, 100u);
  EXPECT_GT(total.restarts, 1000u);
  EXPECT_GT(total.reads, 5000u);
}

}  // namespace
}  // namespace cachalot
