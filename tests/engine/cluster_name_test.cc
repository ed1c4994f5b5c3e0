// Clusters have names. Nodes of different names take nothing from each other,
// and each says once whom it refuses and why.

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engine/address.h"
#include "engine/command.h"
#include "engine/event.h"
#include "engine/ids.h"
#include "engine/node.h"
#include "engine/observer.h"
#include "engine/options.h"
#include "engine/wire/codec.h"
#include "engine/wire/message.h"
#include "gtest/gtest.h"
#include "tests/engine/test_cluster.h"

namespace cachalot {
namespace {

// Remembers whose names a node refused.
class Refusals : public Observer {
 public:
  bool WantsNotes() const override { return false; }
  void Note(absl::string_view) override {}
  void Observe(const Observation& what) override {
    if (const auto* met = std::get_if<OtherNameMet>(&what)) {
      all.push_back(*met);
    }
  }

  std::vector<OtherNameMet> all;
};

class ClusterNameTest : public testing::Test {
 protected:
  void Start(int node, std::vector<int> seeds, std::string cluster) {
    cluster_.Start(node, std::move(seeds), [&](NodeOptions& options) {
      options.cluster = cluster;
      options.observer = &refusals_[node];
    });
  }

  Refusals refusals_[4];
  TestCluster cluster_;
};

TEST_F(ClusterNameTest, ANodeOfAnotherNameIsRefusedAndBothAreToldOnce) {
  Start(1, {1}, "production");
  Start(2, {1}, "staging");
  cluster_.Run(absl::Minutes(2));
  EXPECT_TRUE(cluster_.node(2).identity().cluster.IsNone());
  EXPECT_EQ(cluster_.node(1).Members().size(), 1u);
  EXPECT_EQ(cluster_.node(1).stats().admitted, 0u);
  EXPECT_EQ(cluster_.node(2).stats().admitted, 0u);
  EXPECT_GT(cluster_.node(1).stats().other_name, 1u);
  ASSERT_EQ(refusals_[1].all.size(), 1u);
  EXPECT_EQ(refusals_[1].all[0].theirs, "staging");
  EXPECT_EQ(refusals_[1].all[0].ours, "production");
  EXPECT_EQ(refusals_[1].all[0].address, cluster_.node(2).options().address);
  ASSERT_EQ(refusals_[2].all.size(), 1u);
  EXPECT_EQ(refusals_[2].all[0].theirs, "production");
  EXPECT_EQ(refusals_[2].all[0].ours, "staging");
}

// One process with a seed in staging and one in production must not dissolve
// either.
TEST_F(ClusterNameTest, AStraySeedJoinsNoClustersTogether) {
  Start(1, {1}, "production");
  Start(2, {2}, "staging");
  ASSERT_TRUE(cluster_.RunUntil([&] {
    return !cluster_.node(1).leader().IsNone() &&
           !cluster_.node(2).leader().IsNone();
  }));
  const ClusterId production = cluster_.node(1).identity().cluster;
  const ClusterId staging = cluster_.node(2).identity().cluster;
  Start(3, {1, 2}, "staging");
  cluster_.Run(absl::Minutes(1));
  EXPECT_EQ(cluster_.node(1).identity().cluster, production);
  EXPECT_EQ(cluster_.node(2).identity().cluster, staging);
  EXPECT_EQ(cluster_.node(3).identity().cluster, staging);
  EXPECT_EQ(cluster_.node(1).Members().size(), 1u);
  EXPECT_EQ(cluster_.node(2).Members().size(), 2u);
}

// Whatever else it gets right.
TEST_F(ClusterNameTest, NoMessageOfAnotherNameIsTakenIn) {
  Start(1, {1}, "production");
  Start(2, {1}, "production");
  ASSERT_TRUE(cluster_.RunUntil(
      [&] { return cluster_.node(2).client().has_session(); }));
  Envelope envelope{.cluster_name = HashClusterName("staging"),
                    .cluster = cluster_.node(1).identity().cluster,
                    .from = cluster_.node(2).id(),
                    .to = cluster_.node(1).id(),
                    .from_address = cluster_.node(2).options().address};
  cluster_.Run(absl::Seconds(1));
  const CloseSession close{.session = cluster_.node(2).client().session()};
  envelope.message = Forward{.commands = {close}};
  const uint64_t sessions = cluster_.node(1).table().session_count();
  cluster_.Deliver(1, FrameReceived{.from = envelope.from_address,
                                    .bytes = Encode(envelope)});
  cluster_.Run(absl::Seconds(1));
  EXPECT_EQ(cluster_.node(1).table().session_count(), sessions);
  EXPECT_EQ(cluster_.node(1).stats().other_name, 1u);
  EXPECT_TRUE(refusals_[1].all.empty()) << "it said no name";
}

// Names from the network are remembered for so many addresses and no more.
TEST_F(ClusterNameTest, ManyOthersAreCountedAndFewAreTold) {
  Start(1, {1}, "production");
  for (uint8_t host = 1; host <= 200; ++host) {
    const Address source = Address::V4(192, 0, 2, host, 7946);
    const Envelope envelope{
        .cluster_name = HashClusterName("staging"),
        .from = {.high = 5, .low = host},
        .from_address = source,
        .message = PushPull{.is_join = true, .cluster_name = "staging"}};
    cluster_.Deliver(1,
                     FrameReceived{.from = source, .bytes = Encode(envelope)});
  }
  EXPECT_EQ(cluster_.node(1).stats().other_name, 200u);
  EXPECT_LE(refusals_[1].all.size(), 64u);
  EXPECT_GE(refusals_[1].all.size(), 1u);
}

TEST(HashClusterNameTest, TheDefaultCostsNothing) {
  EXPECT_EQ(HashClusterName(kDefaultCluster), 0u);
  EXPECT_NE(HashClusterName("Cachalot"), 0u);
  EXPECT_NE(HashClusterName("a"), HashClusterName("b"));
}

}  // namespace
}  // namespace cachalot
