// Loopback means another machine to each: what a node believes of members that
// are said to be at such an address.

#include <algorithm>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engine/address.h"
#include "engine/event.h"
#include "engine/ids.h"
#include "engine/member.h"
#include "engine/node.h"
#include "engine/observer.h"
#include "engine/options.h"
#include "engine/request.h"
#include "engine/wire/codec.h"
#include "engine/wire/message.h"
#include "gtest/gtest.h"
#include "tests/engine/test_cluster.h"

namespace cachalot {
namespace {

constexpr NodeId kSomebody = {.high = 5, .low = 55};

Address Parsed(const std::string& text) { return *Address::Parse(text); }

class Refusals : public Observer {
 public:
  void Note(absl::string_view) override {}
  void Observe(const Observation& what) override {
    if (const auto* refused = std::get_if<AddressRefused>(&what)) {
      all.push_back(*refused);
    }
  }
  std::vector<AddressRefused> all;
};

class LoopbackTest : public testing::Test {
 protected:
  // Node 1, which leads, and node 2. `local`: what node 1 knows to be of its
  // machine besides its own address.
  void StartTwo(std::vector<Address> local = {}) {
    cluster_.Start(1, {1}, [&](NodeOptions& options) {
      options.local_addresses = local;
      options.observer = &refusals_;
    });
    cluster_.Start(2, {1});
    ASSERT_TRUE(cluster_.RunUntil([&] {
      return cluster_.node(1).Members().size() == 2 &&
             cluster_.node(2).client().has_session();
    }));
  }
  // Node 1 hears from `from`, whose bytes come from `source`, that somebody is
  // at `address`.
  void Tell(NodeId from, const Address& source, const Address& address) {
    Envelope envelope = {.cluster = cluster_.node(1).identity().cluster,
                         .from = from,
                         .to = cluster_.node(1).id(),
                         .from_address = source};
    envelope.message = Gossip{
        .facts = {{.id = kSomebody, .address = address, .name = "somebody"}}};
    cluster_.Deliver(1,
                     FrameReceived{.from = source, .bytes = Encode(envelope)});
  }
  const MemberInfo* Find(NodeId id) {
    members_ = cluster_.node(1).Members();
    for (const MemberInfo& member : members_) {
      if (member.id == id) return &member;
    }
    return nullptr;
  }
  MemberRole RoleOfSomebody() {
    const MemberInfo* somebody = Find(kSomebody);
    return somebody == nullptr ? MemberRole::kMember : somebody->role;
  }

  TestCluster cluster_;
  Refusals refusals_;
  std::vector<MemberInfo> members_;
};

TEST_F(LoopbackTest, IsBelievedOnlyFromThisMachine) {
  struct Case {
    const char* source;
    const char* address;
    bool is_believed;
  };
  const Case cases[] = {
      {"10.0.0.2:7946", "10.0.0.9:7946", true},
      {"10.0.0.2:7946", "127.0.0.1:7946", false},
      {"10.0.0.2:7946", "127.1.2.3:7946", false},
      {"10.0.0.2:7946", "[::1]:7946", false},
      {"10.0.0.2:7946", "0.0.0.0:7946", false},
      {"10.0.0.2:7946", "[::]:7946", false},
      // Of this machine: loopback, this node's own address, another one.
      {"127.0.0.1:5000", "127.0.0.1:7947", true},
      {"[::1]:5000", "[::1]:7947", true},
      {"10.0.0.1:5000", "127.0.0.1:7947", true},
      {"192.168.7.1:5000", "127.0.0.1:7947", true},
      {"192.168.7.2:5000", "127.0.0.1:7947", false},
      {"127.0.0.1:5000", "0.0.0.0:7947", false},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(testing::Message()
                 << each.source << " names " << each.address);
    cluster_ = TestCluster();
    refusals_.all.clear();
    StartTwo({Parsed("192.168.7.1:0"), Parsed("172.17.0.1:99")});
    Tell(cluster_.node(2).id(), Parsed(each.source), Parsed(each.address));
    EXPECT_EQ(Find(kSomebody) != nullptr, each.is_believed);
    const uint64_t refused = each.is_believed ? 0 : 1;
    EXPECT_EQ(cluster_.node(1).membership().stats().misplaced, refused);
    ASSERT_EQ(refusals_.all.size(), refused);
    if (each.is_believed) continue;
    EXPECT_EQ(refusals_.all[0].id, kSomebody);
    EXPECT_EQ(refusals_.all[0].name, "somebody");
    EXPECT_EQ(refusals_.all[0].address, Parsed(each.address));
    EXPECT_EQ(refusals_.all[0].source, Parsed(each.source));
    EXPECT_EQ(refusals_.all[0].reported_by, cluster_.node(2).id());
  }
}

TEST_F(LoopbackTest, AJoinerFromAnotherMachineIsRefusedAndNamed) {
  StartTwo();
  cluster_.Start(3, {1}, [](NodeOptions& options) {
    options.address = Parsed("127.0.0.3:7946");
    options.name = "n3";
  });
  cluster_.Run(absl::Seconds(10));
  EXPECT_TRUE(cluster_.node(3).identity().cluster.IsNone());
  for (const int node : {1, 2}) {
    EXPECT_EQ(cluster_.node(node).Members().size(), 2u);
  }
  EXPECT_GT(cluster_.node(1).stats().misadvertised, 0u);
  ASSERT_FALSE(refusals_.all.empty());
  EXPECT_EQ(refusals_.all[0].id, cluster_.node(3).id());
  EXPECT_EQ(refusals_.all[0].name, "n3");
  EXPECT_EQ(refusals_.all[0].address, Parsed("127.0.0.3:7946"));
  EXPECT_EQ(refusals_.all[0].source, TestCluster::AddressOf(3));
  EXPECT_EQ(refusals_.all[0].reported_by, cluster_.node(3).id());
}

TEST_F(LoopbackTest, AProcessOfThisMachineMayUseIt) {
  StartTwo({TestCluster::AddressOf(3)});
  cluster_.Start(3, {1}, [](NodeOptions& options) {
    options.address = Parsed("127.0.0.3:7946");
  });
  EXPECT_TRUE(cluster_.RunUntil(
      [&] { return cluster_.node(1).Members().size() == 3; }));
  EXPECT_EQ(cluster_.node(1).stats().misadvertised, 0u);
}

// Members elsewhere could not reach it.
TEST_F(LoopbackTest, DoesNotVoteInAClusterOfSeveralMachines) {
  for (const bool is_one_machine : {true, false}) {
    SCOPED_TRACE(is_one_machine);
    cluster_ = TestCluster();
    StartTwo(is_one_machine ? std::vector<Address>{TestCluster::AddressOf(2)}
                            : std::vector<Address>());
    // It has shown that it is there: on a stream from where it listens.
    const Address address = Parsed("127.0.0.77:7947");
    Tell(kSomebody, address, address);
    ASSERT_NE(Find(kSomebody), nullptr);
    cluster_.Run(absl::Milliseconds(300));
    EXPECT_EQ(RoleOfSomebody(),
              is_one_machine ? MemberRole::kLearner : MemberRole::kMember);
  }
}

// Members of one machine vote at loopback addresses; then one joins from
// another machine, and the only voter that it can reach dies. The cluster goes
// on without it, and it says who is in its way.
TEST_F(LoopbackTest, VotersThatAMemberElsewhereCannotReachAreNamedThere) {
  const auto start = [&](int node, const char* address) {
    cluster_.Start(node, {1}, [&](NodeOptions& options) {
      options.address = Parsed(address);
      for (const int each : {1, 2, 3}) {
        options.local_addresses.push_back(
            {.ip = TestCluster::AddressOf(each).ip});
      }
    });
  };
  start(1, "10.0.0.1:7946");
  start(2, "127.0.0.2:7946");
  start(3, "127.0.0.3:7946");
  ASSERT_TRUE(cluster_.RunUntil([&] { return AllVote(cluster_, {1, 2, 3}); }));
  cluster_.filter = [](int from, const Address& to, const std::string&) {
    return from != 4 || !to.IsLoopback();
  };
  cluster_.Start(4, {1},
                 [&](NodeOptions& options) { options.observer = &refusals_; });
  ASSERT_TRUE(cluster_.RunUntil(
      [&] { return cluster_.node(4).client().has_session(); }));
  EXPECT_EQ(cluster_.Ask(4, Try("a")).outcome, Outcome::kOk);
  cluster_.Run(absl::Seconds(2));

  cluster_.Kill(1);
  ASSERT_TRUE(cluster_.RunUntil([&] { return cluster_.Leader() > 1; }));
  const int leader = cluster_.Leader();
  EXPECT_EQ(cluster_.Ask(leader, Try("b")).outcome, Outcome::kOk);
  cluster_.Run(absl::Seconds(5));
  EXPECT_TRUE(cluster_.node(4).leader().IsNone());
  const NodeId id = cluster_.node(leader).id();
  EXPECT_TRUE(std::any_of(
      refusals_.all.begin(), refusals_.all.end(), [&](const auto& refused) {
        return refused.id == id && refused.reported_by == id &&
               refused.source == TestCluster::AddressOf(leader);
      }));
}

// --- Founding late -----------------------------------------------------------

class LateFoundingTest : public testing::Test {
 protected:
  void Start(int node, std::vector<int> seeds, bool bootstrap = false,
             std::vector<std::string> founders = {}) {
    cluster_.Start(node, std::move(seeds), [&](NodeOptions& options) {
      options.bootstrap = bootstrap;
      options.founders = std::move(founders);
    });
  }
  bool Founds(int node) {
    return cluster_.RunUntil([&] { return cluster_.Leader() == node; },
                             absl::Seconds(20));
  }

  TestCluster cluster_;
};

TEST_F(LateFoundingTest, ANodeWhoseSeedsLeadToItselfAloneFounds) {
  Start(1, {});
  cluster_.Run(absl::Seconds(20));
  EXPECT_EQ(cluster_.Leader(), 0);
  cluster_.Deliver(1, SeedsResolved{.seeds = {}});
  EXPECT_FALSE(Founds(1));
  cluster_.Deliver(1, SeedsResolved{.is_self_only = true});
  EXPECT_TRUE(Founds(1));
}

TEST_F(LateFoundingTest, OneThatHasMetOthersGoesOnLooking) {
  Start(1, {2});
  Start(2, {1});
  ASSERT_TRUE(cluster_.RunUntil(
      [&] { return cluster_.node(1).Members().size() == 2; }));
  cluster_.Deliver(1, SeedsResolved{.is_self_only = true});
  EXPECT_FALSE(Founds(1));
}

TEST_F(LateFoundingTest, OneThatFoundsWithOthersGoesOnWaiting) {
  Start(1, {}, /*bootstrap=*/false, {"n1", "n2", "n3"});
  cluster_.Deliver(1, SeedsResolved{.is_self_only = true});
  EXPECT_FALSE(Founds(1));
}

TEST_F(LateFoundingTest, OneThatIsAMemberStaysOne) {
  Start(1, {}, /*bootstrap=*/true);
  Start(2, {1});
  ASSERT_TRUE(cluster_.RunUntil(
      [&] { return cluster_.node(2).client().has_session(); }));
  cluster_.Kill(1);
  cluster_.Deliver(2, SeedsResolved{.is_self_only = true});
  EXPECT_FALSE(Founds(2));
}

}  // namespace
}  // namespace cachalot
