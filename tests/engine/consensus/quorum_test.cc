#include "engine/consensus/quorum.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "engine/ids.h"
#include "engine/saved_state.h"
#include "gtest/gtest.h"
#include "tests/engine/consensus/parts.h"

namespace cachalot {
namespace {

// A set of the nodes 1, 2, ... as bits 0, 1, ...
using Nodes = uint32_t;

bool Has(Nodes nodes, NodeId id) { return (nodes >> (id.low - 1) & 1) != 0; }

std::vector<uint64_t> ListOf(Nodes nodes) {
  std::vector<uint64_t> list;
  for (uint64_t node = 1; node <= 32; ++node) {
    if (Has(nodes, IdOf(node))) list.push_back(node);
  }
  return list;
}

size_t CountOf(Nodes nodes) { return ListOf(nodes).size(); }

bool IsQuorum(const Configuration& configuration, Nodes nodes) {
  return HasQuorum(configuration,
                   [nodes](NodeId id) { return Has(nodes, id); });
}

TEST(QuorumTest, MajoritiesAreMoreThanHalf) {
  const std::map<size_t, size_t> expected = {{0, 1}, {1, 1}, {2, 2}, {3, 2},
                                             {4, 3}, {5, 3}, {6, 4}, {7, 4},
                                             {8, 5}, {9, 5}};
  for (const auto& [voters, majority] : expected) {
    EXPECT_EQ(MajorityOf(voters), majority) << voters << " voters";
  }
}

TEST(QuorumTest, NobodyIsNoQuorum) {
  EXPECT_FALSE(HasQuorum(Configuration(), [](NodeId) { return true; }));
}

// Of every configuration of up to five nodes, by every set that agrees.
TEST(QuorumTest, CountsVotersAndNobodyElse) {
  for (Nodes voters = 1; voters < 32; ++voters) {
    const Configuration configuration = Voting(ListOf(voters));
    for (Nodes agree = 0; agree < 64; ++agree) {
      EXPECT_EQ(IsQuorum(configuration, agree),
                2 * CountOf(voters & agree) > CountOf(voters))
          << voters << " by " << agree;
    }
  }
}

TEST(QuorumTest, ANodeInBothListsOfAJointConfigurationCountsInEach) {
  for (Nodes from = 1; from < 32; ++from) {
    for (Nodes to = 1; to < 32; ++to) {
      const Configuration configuration = Joint(ListOf(to), ListOf(from));
      for (Nodes agree = 0; agree < 32; ++agree) {
        const bool both = 2 * CountOf(from & agree) > CountOf(from) &&
                          2 * CountOf(to & agree) > CountOf(to);
        EXPECT_EQ(IsQuorum(configuration, agree), both)
            << from << " -> " << to << " by " << agree;
      }
    }
  }
}

// What Raft's safety rests on: two quorums of one configuration share a node,
// and so do quorums of neighbours on the way old -> joint -> new.
TEST(QuorumTest, AnyTwoQuorumsOnTheWayShareANode) {
  for (Nodes from = 1; from < 16; ++from) {
    for (Nodes to = 1; to < 16; ++to) {
      const Configuration before = Voting(ListOf(from));
      const Configuration joint = Joint(ListOf(to), ListOf(from));
      const Configuration after = Voting(ListOf(to));
      for (Nodes set = 0; set < 16; ++set) {
        const Nodes rest = 15 & ~set;
        if (!IsQuorum(joint, set)) continue;
        EXPECT_FALSE(IsQuorum(joint, rest));
        EXPECT_FALSE(IsQuorum(before, rest));
        EXPECT_FALSE(IsQuorum(after, rest));
      }
    }
  }
}

// The value that a quorum has reached is the highest v such that the nodes at
// or above v are a quorum. All assignments of the values 0..3 to five nodes.
TEST(QuorumTest, TheValueOfAQuorumIsTheHighestThatAQuorumHasReached) {
  const std::vector<Configuration> configurations = {
      Voting({1}),
      Voting({1, 2}),
      Voting({1, 2, 3}),
      Voting({1, 2, 3, 4}),
      Voting({1, 2, 3, 4, 5}),
      Joint({1, 2, 3}, {1}),
      Joint({1, 4, 5}, {1, 2, 3}),
      Joint({4, 5}, {1, 2, 3})};
  for (const Configuration& configuration : configurations) {
    for (uint32_t code = 0; code < 1024; ++code) {
      const auto value_of = [code](NodeId id) {
        return uint64_t{code >> (2 * (id.low - 1)) & 3};
      };
      uint64_t expected = 0;
      for (uint64_t value = 0; value <= 3; ++value) {
        if (HasQuorum(configuration,
                      [&](NodeId id) { return value_of(id) >= value; })) {
          expected = value;
        }
      }
      EXPECT_EQ(QuorumValue<uint64_t>(configuration, value_of), expected)
          << configuration << " with " << code;
    }
  }
}

TEST(QuorumTest, NobodyHasReachedNothing) {
  const auto value_of = [](NodeId) { return uint64_t{9}; };
  EXPECT_EQ(QuorumValue<uint64_t>(Configuration(), value_of), 0u);
}

}  // namespace
}  // namespace cachalot
