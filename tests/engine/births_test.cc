// How clusters begin: who founds one, with whom, how often, and what processes
// remember of it (engine/birth/README.md).

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engine/event.h"
#include "engine/ids.h"
#include "engine/memory.h"
#include "engine/node.h"
#include "engine/observer.h"
#include "engine/options.h"
#include "engine/random.h"
#include "engine/request.h"
#include "engine/wire/codec.h"
#include "engine/wire/message.h"
#include "gtest/gtest.h"
#include "tests/engine/test_cluster.h"

namespace cachalot {
namespace {

using Names = std::vector<std::string>;

// Remembers what nodes tell of births.
class Births : public Observer {
 public:
  bool WantsNotes() const override { return false; }
  void Note(absl::string_view) override {}
  void Observe(const Observation& what) override {
    if (const auto* it = std::get_if<ClusterFounded>(&what)) {
      founded.push_back(*it);
    } else if (const auto* it = std::get_if<FoundersDiffer>(&what)) {
      differ.push_back(*it);
    } else if (const auto* it = std::get_if<QuarantineMet>(&what)) {
      quarantines.push_back(*it);
    } else if (const auto* it = std::get_if<SessionOpened>(&what)) {
      sessions.push_back(it->session);
    }
  }

  std::vector<ClusterFounded> founded;
  std::vector<FoundersDiffer> differ;
  std::vector<QuarantineMet> quarantines;
  std::vector<SessionId> sessions;
};

// Machines whose processes found clusters.
class BirthWorld {
 public:
  using Edit = std::function<void(NodeOptions&)>;

  // A process that asks all machines up to `machines_`, without any memory.
  void Start(int node, Names founders, const Edit& edit = {}) {
    std::vector<int> seeds;
    for (int i = 1; i <= machines_; ++i) {
      if (i != node) seeds.push_back(i);
    }
    cluster_.Start(node, std::move(seeds), [&](NodeOptions& options) {
      options.founders = std::move(founders);
      options.observer = &births_;
      if (edit) edit(options);
    });
  }
  // The same with a memory: that of the last process there, or an empty one.
  void StartWithMemory(int node, Names founders, const Edit& edit = {}) {
    Start(node, std::move(founders), [&](NodeOptions& options) {
      const Memory* const memory = cluster_.FindMemory(node);
      options.memory = memory == nullptr ? Memory{.starts = 0} : *memory;
      ++options.memory->starts;
      if (edit) edit(options);
    });
  }

  bool HasSession(int node) {
    return cluster_.has(node) && cluster_.node(node).client().has_session();
  }
  testing::AssertionResult AwaitSessions(std::vector<int> nodes,
                                         absl::Duration time) {
    const bool all = cluster_.RunUntil(
        [&] {
          return std::all_of(nodes.begin(), nodes.end(),
                             [&](int node) { return HasSession(node); });
        },
        time);
    if (all) return testing::AssertionSuccess();
    std::string without;
    for (const int node : nodes) {
      if (HasSession(node)) continue;
      const Node& seen = cluster_.node(node);
      absl::StrAppend(&without, " n", node, " in cluster ",
                      seen.identity().cluster.ToShortString(), ", commit ",
                      seen.consensus().commit().value(), ", leader ",
                      seen.leader().ToShortString(), ";");
    }
    return testing::AssertionFailure() << "no session:" << without;
  }
  // How many voters of the last birth are gone.
  int DeadVoters() {
    if (births_.founded.empty()) return 0;
    int dead = static_cast<int>(births_.founded.back().voters.size());
    for (const NodeId& voter : births_.founded.back().voters) {
      for (int i = 1; i <= machines_; ++i) {
        if (cluster_.has(i) && cluster_.node(i).id() == voter) --dead;
      }
    }
    return dead;
  }
  // The clusters of those that are in one.
  std::set<ClusterId> Clusters() {
    std::set<ClusterId> clusters;
    for (int i = 1; i <= machines_; ++i) {
      if (!cluster_.has(i)) continue;
      const ClusterId cluster = cluster_.node(i).identity().cluster;
      if (!cluster.IsNone()) clusters.insert(cluster);
    }
    return clusters;
  }

  int machines_ = 3;
  Births births_;
  TestCluster cluster_{/*seed=*/1};
};

class BirthsTest : public testing::Test, public BirthWorld {};

// --- Together ----------------------------------------------------------------

TEST_F(BirthsTest, FoundersAreTheVotersWhoeverElseIsThere) {
  machines_ = 6;
  const Names founders = {"n1", "n2", "n3"};
  for (const int i : {6, 5, 4, 3, 2, 1}) StartWithMemory(i, founders);
  ASSERT_TRUE(AwaitSessions({1, 2, 3, 4, 5, 6}, absl::Seconds(10)));
  ASSERT_EQ(births_.founded.size(), 1u);
  std::vector<NodeId> ids;
  for (const int i : {1, 2, 3}) ids.push_back(cluster_.node(i).id());
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(births_.founded[0].voters, ids);
  EXPECT_EQ(births_.founded[0].quarantine, absl::ZeroDuration());
  EXPECT_EQ(Clusters().size(), 1u);
}

TEST_F(BirthsTest, NothingIsFoundedBeforeAllFoundersAreThere) {
  const Names founders = {"n1", "n2", "n3"};
  StartWithMemory(1, founders);
  StartWithMemory(3, founders);
  cluster_.Run(absl::Minutes(5));
  EXPECT_TRUE(births_.founded.empty());
  StartWithMemory(2, founders);
  EXPECT_TRUE(AwaitSessions({1, 2, 3}, absl::Seconds(10)));
  EXPECT_EQ(births_.founded.size(), 1u);
}

TEST_F(BirthsTest, FoundersWithDifferentListsFoundNothingAndSayWhy) {
  StartWithMemory(1, {"n1", "n2", "n3"});
  StartWithMemory(2, {"n1", "n2"});
  StartWithMemory(3, {"n1", "n2", "n3"});
  cluster_.Run(absl::Minutes(1));
  EXPECT_TRUE(births_.founded.empty());
  // Each pair that differs, from both sides, once.
  EXPECT_EQ(births_.differ.size(), 4u);
  for (const FoundersDiffer& each : births_.differ) {
    EXPECT_NE(each.ours, each.theirs);
    EXPECT_TRUE(each.ours == Names({"n1", "n2"}) ||
                each.theirs == Names({"n1", "n2"}));
  }
}

TEST_F(BirthsTest, TheOrderOfTheNamesDoesNotMatter) {
  StartWithMemory(1, {"n3", "n1", "n2"});
  StartWithMemory(2, {"n1", "n2", "n3"});
  StartWithMemory(3, {"n2", "n3", "n1"});
  EXPECT_TRUE(AwaitSessions({1, 2, 3}, absl::Seconds(10)));
  EXPECT_TRUE(births_.differ.empty());
}

// The inviter is cut off at each of its messages in turn: before the others
// have heard of the birth, between them, and before its first append arrives.
TEST_F(BirthsTest, ABirthThatIsCutOffAnywhereIsGivenUpAndBeginsAgain) {
  const Names founders = {"n1", "n2", "n3"};
  for (int allowed = 0; allowed < 60; ++allowed) {
    BirthWorld fresh;
    TestCluster& cluster = fresh.cluster_;
    int sent = 0;
    cluster.filter = [&](int from, const Address&, const std::string& bytes) {
      const bool is_of_birth = KindOfEncoded(bytes) > size_t{5};
      if (from != 1 || !is_of_birth) return true;
      return ++sent <= allowed || cluster.now() > absl::Seconds(8);
    };
    for (const int i : {1, 2, 3}) fresh.StartWithMemory(i, founders);
    ASSERT_TRUE(fresh.AwaitSessions({1, 2, 3}, absl::Minutes(1))) << allowed;
    ASSERT_EQ(fresh.Clusters().size(), 1u) << allowed;
  }
}

// Its log has the first entries, but nobody else's has.
TEST_F(BirthsTest, AFounderThatIsCutOffGivesTheBirthUpByItself) {
  const Names founders = {"n1", "n2", "n3"};
  cluster_.filter = [](int, const Address&, const std::string& bytes) {
    const absl::StatusOr<Envelope> envelope = Decode(bytes);
    return !std::holds_alternative<Append>(envelope->message);
  };
  for (const int i : {1, 2, 3}) StartWithMemory(i, founders);
  ASSERT_TRUE(cluster_.RunUntil([&] { return cluster_.Leader() != 0; }));
  const int leader = cluster_.Leader();
  cluster_.CutOff(leader);
  EXPECT_TRUE(cluster_.RunUntil(
      [&] { return cluster_.node(leader).identity().cluster.IsNone(); },
      absl::Seconds(10)));
}

// Random restarts of processes and cuts of machines while a cluster is born,
// with one that is no founder. All remember.
TEST_F(BirthsTest, RestartsAndCutsWhileItIsBornMakeNoSecondCluster) {
  const Names founders = {"n1", "n2", "n3"};
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    BirthWorld fresh;
    fresh.machines_ = 4;
    fresh.cluster_ = TestCluster(seed);
    Random random(seed, "births");
    for (int i = 1; i <= 4; ++i) fresh.StartWithMemory(i, founders);
    std::set<ClusterId> committed;
    const auto observe = [&] {
      for (int i = 1; i <= 4; ++i) {
        const Node& node = fresh.cluster_.node(i);
        if (node.consensus().commit() > LogIndex()) {
          committed.insert(node.identity().cluster);
        }
      }
      return false;
    };
    for (int round = 0; round < 12; ++round) {
      fresh.cluster_.RunUntil(observe, random.Between(absl::Milliseconds(1),
                                                      absl::Milliseconds(40)));
      const int i = 1 + static_cast<int>(random.Below(4));
      // At most one of the voters dies: the majority stays.
      if (random.Chance(1, 2) && fresh.DeadVoters() == 0) {
        fresh.cluster_.Kill(i);
        fresh.StartWithMemory(i, founders);
      } else if (random.Chance(1, 2)) {
        fresh.cluster_.CutOff(i);
      } else {
        fresh.cluster_.Reconnect(i);
      }
    }
    for (int i = 1; i <= 4; ++i) fresh.cluster_.Reconnect(i);
    fresh.cluster_.RunUntil(observe, absl::Seconds(1));
    ASSERT_TRUE(fresh.AwaitSessions({1, 2, 3, 4}, absl::Minutes(2))) << seed;
    observe();
    ASSERT_EQ(committed.size(), 1u) << seed;
  }
}

// Founders are asked for locks from the first moment on. Nothing is appended
// behind the first entries before they are committed, and nothing behind them
// is acknowledged by a process that does not remember its cluster.
TEST_F(BirthsTest, NothingFollowsTheFirstEntriesBeforeTheyAreCommitted) {
  const Names founders = {"n1", "n2", "n3"};
  constexpr uint64_t kFirst = 2;  // the voters, and the term
  int early = 0;
  int unremembered = 0;
  int acknowledged = 0;
  cluster_.filter = [&](int from, const Address&, const std::string& bytes) {
    const absl::StatusOr<Envelope> envelope = Decode(bytes);
    if (const auto* append = std::get_if<Append>(&envelope->message)) {
      const uint64_t last =
          append->previous_index.value() + append->entries.size();
      if (append->commit == LogIndex() && last > kFirst) ++early;
    }
    const auto* reply = std::get_if<AppendReply>(&envelope->message);
    // The first commit takes longer than the leader's own client waits.
    if (reply != nullptr && cluster_.now() < absl::Milliseconds(150)) {
      return false;
    }
    if (reply != nullptr && reply->accepted && reply->index.value() > kFirst) {
      ++acknowledged;
      const Memory* const memory = cluster_.FindMemory(from);
      const bool remembers =
          memory != nullptr && memory->cluster == envelope->cluster;
      if (!remembers) ++unremembered;
    }
    return true;
  };
  for (const int i : {1, 2, 3}) {
    StartWithMemory(i, founders);
    cluster_.Submit(i, Wait("k", absl::Minutes(1)));
  }
  ASSERT_TRUE(AwaitSessions({1, 2, 3}, absl::Seconds(10)));
  EXPECT_GT(acknowledged, 0);
  EXPECT_EQ(early, 0);
  EXPECT_EQ(unremembered, 0);
}

// With nobody else to agree, it listens for a cluster that it may have lost the
// memory of.
TEST_F(BirthsTest, TheOnlyNameOfAListListensFirst) {
  StartWithMemory(1, {"n1"});
  StartWithMemory(2, {"n1"});
  StartWithMemory(3, {"n1"});
  ASSERT_TRUE(cluster_.RunUntil([&] { return AllVote(cluster_, {1, 2, 3}); }));
  cluster_.Kill(1);
  Start(1, {"n1"}, [](NodeOptions& options) { options.memory = Memory(); });
  ASSERT_TRUE(AwaitSessions({1}, absl::Seconds(30)));
  EXPECT_EQ(births_.founded.size(), 1u);
}

// --- Quarantine --------------------------------------------------------------

// A founder that kept no memory founds again while a holder of its first
// cluster still believes.
TEST_F(BirthsTest, NobodyIsGrantedALockWhileAHolderOfAnEarlierClusterBelieves) {
  const Edit alone = [](NodeOptions& options) { options.is_own_seed = true; };
  Start(1, {}, [](NodeOptions& options) { options.bootstrap = true; });
  Start(2, {});
  ASSERT_TRUE(AwaitSessions({1, 2}, absl::Seconds(10)));
  const Answer held = cluster_.Ask(2, Try("k"));
  ASSERT_EQ(held.outcome, Outcome::kOk);
  cluster_.CutOff(2);
  cluster_.Kill(1);
  Start(1, {}, alone);
  const RequestId asked = cluster_.Submit(1, Wait("k", absl::Minutes(1)));
  const auto believes = [&] {
    return cluster_.node(2).client().held_count() > 0;
  };
  bool both = false;
  ASSERT_TRUE(cluster_.RunUntil(
      [&] {
        const auto answer = cluster_.AnswerTo(asked);
        both |= answer.has_value() && believes();
        return answer.has_value();
      },
      absl::Minutes(1)));
  EXPECT_FALSE(both);
  EXPECT_EQ(cluster_.AnswerTo(asked)->outcome, Outcome::kOk);
  EXPECT_GT(cluster_.AnswerTo(asked)->token, held.token);
  ASSERT_EQ(births_.founded.size(), 2u);
  EXPECT_EQ(births_.founded[0].quarantine, absl::ZeroDuration());
  EXPECT_EQ(births_.founded[1].quarantine, LeaseOptions().session_ttl);
  ASSERT_FALSE(births_.quarantines.empty());
  EXPECT_LE(births_.quarantines[0].remaining, LeaseOptions().session_ttl);
}

TEST_F(BirthsTest, AFirstStartWithAnEmptyMemoryOpensAtOnce) {
  StartWithMemory(1, {},
                  [](NodeOptions& options) { options.is_own_seed = true; });
  ASSERT_TRUE(AwaitSessions({1}, absl::Seconds(4)));
  EXPECT_TRUE(births_.quarantines.empty());
}

// Two of three have an empty memory. A majority of the founders of any earlier
// cluster would have remembered it.
TEST_F(BirthsTest, AMajorityOfFirstStartsNeedsNoQuarantine) {
  const Names founders = {"n1", "n2", "n3"};
  StartWithMemory(1, founders);
  StartWithMemory(2, founders);
  Start(3, founders);
  ASSERT_TRUE(AwaitSessions({1, 2, 3}, absl::Seconds(10)));
  EXPECT_EQ(births_.founded[0].quarantine, absl::ZeroDuration());
}

TEST_F(BirthsTest, AMinorityOfFirstStartsIsQuarantined) {
  const Names founders = {"n1", "n2", "n3"};
  StartWithMemory(1, founders);
  Start(2, founders);
  Start(3, founders);
  ASSERT_TRUE(AwaitSessions({1, 2, 3}, absl::Seconds(30)));
  EXPECT_EQ(births_.founded[0].quarantine, LeaseOptions().session_ttl);
}

// --- Memory ------------------------------------------------------------------

TEST_F(BirthsTest, AProcessThatRemembersAClusterFoundsNoOther) {
  const Edit alone = [](NodeOptions& options) { options.is_own_seed = true; };
  StartWithMemory(1, {}, alone);
  ASSERT_TRUE(AwaitSessions({1}, absl::Seconds(10)));
  ASSERT_NE(cluster_.FindMemory(1), nullptr);
  EXPECT_EQ(cluster_.FindMemory(1)->cluster,
            cluster_.node(1).identity().cluster);
  cluster_.Kill(1);
  StartWithMemory(1, {}, alone);
  cluster_.Run(absl::Minutes(2));
  EXPECT_TRUE(cluster_.node(1).identity().cluster.IsNone());
  EXPECT_EQ(births_.founded.size(), 1u);
}

TEST_F(BirthsTest, FoundersThatRememberAClusterFoundNoOther) {
  const Names founders = {"n1", "n2", "n3"};
  for (const int i : {1, 2, 3}) StartWithMemory(i, founders);
  ASSERT_TRUE(AwaitSessions({1, 2, 3}, absl::Seconds(10)));
  for (const int i : {1, 2, 3}) cluster_.Kill(i);
  for (const int i : {1, 2, 3}) StartWithMemory(i, founders);
  cluster_.Run(absl::Minutes(2));
  EXPECT_EQ(births_.founded.size(), 1u);
  EXPECT_TRUE(Clusters().empty());
}

// All state is in memory, and all processes died at once: only a person can
// say that the cluster is over.
TEST_F(BirthsTest, FoundersThatAreForcedFoundAnotherAboveAllTokens) {
  const Names founders = {"n1", "n2", "n3"};
  for (const int i : {1, 2, 3}) StartWithMemory(i, founders);
  ASSERT_TRUE(AwaitSessions({1, 2, 3}, absl::Seconds(10)));
  const FencingToken before = cluster_.Ask(2, Try("k")).token;
  for (const int i : {1, 2, 3}) cluster_.Kill(i);
  for (const int i : {1, 2, 3}) {
    StartWithMemory(i, founders, [](NodeOptions& options) {
      options.force_bootstrap = true;
      options.token_base = 1;  // the wall clock was set back
    });
  }
  ASSERT_TRUE(AwaitSessions({1, 2, 3}, absl::Seconds(30)));
  ASSERT_EQ(births_.founded.size(), 2u);
  EXPECT_EQ(births_.founded[1].quarantine, LeaseOptions().session_ttl);
  EXPECT_GT(cluster_.Ask(1, Try("k")).token, before);
}

TEST_F(BirthsTest, OneThatIsForcedButFindsItsClusterJoinsIt) {
  const Edit alone = [](NodeOptions& options) { options.is_own_seed = true; };
  StartWithMemory(1, {}, alone);
  StartWithMemory(2, {});
  StartWithMemory(3, {});
  ASSERT_TRUE(cluster_.RunUntil([&] { return AllVote(cluster_, {1, 2, 3}); }));
  cluster_.Kill(1);
  StartWithMemory(1, {},
                  [](NodeOptions& options) { options.force_bootstrap = true; });
  ASSERT_TRUE(AwaitSessions({1}, absl::Seconds(30)));
  EXPECT_EQ(births_.founded.size(), 1u);
  EXPECT_EQ(Clusters().size(), 1u);
}

TEST_F(BirthsTest, OneThatRemembersFindsItsClusterAtItsLastPeers) {
  for (const int i : {1, 2, 3}) StartWithMemory(i, {"n1", "n2", "n3"});
  ASSERT_TRUE(AwaitSessions({1, 2, 3}, absl::Seconds(10)));
  cluster_.Run(absl::Seconds(10));
  EXPECT_EQ(cluster_.FindMemory(3)->peers,
            (std::vector<Address>{TestCluster::AddressOf(1),
                                  TestCluster::AddressOf(2)}));
  cluster_.Kill(3);
  StartWithMemory(3, {}, [](NodeOptions& options) { options.seeds.clear(); });
  EXPECT_TRUE(AwaitSessions({3}, absl::Seconds(10)));
  EXPECT_EQ(Clusters().size(), 1u);
}

TEST_F(BirthsTest, TheLastToLeaveEndsTheClusterAndMayFoundAgainAtOnce) {
  const Edit alone = [](NodeOptions& options) { options.is_own_seed = true; };
  StartWithMemory(1, {}, alone);
  ASSERT_TRUE(AwaitSessions({1}, absl::Seconds(10)));
  const FencingToken before = cluster_.Ask(1, Try("k")).token;
  cluster_.Deliver(1, LeaveRequested());
  ASSERT_TRUE(cluster_.RunUntil([&] { return cluster_.has_left(1); }));
  EXPECT_TRUE(cluster_.FindMemory(1)->has_left);
  EXPECT_TRUE(cluster_.FindMemory(1)->is_over);
  cluster_.Kill(1);
  StartWithMemory(1, {}, [](NodeOptions& options) {
    options.is_own_seed = true;
    options.token_base = 1;  // the wall clock was set back
  });
  ASSERT_TRUE(AwaitSessions({1}, absl::Seconds(4)));
  EXPECT_GT(cluster_.Ask(1, Try("k")).token, before);
}

// All founders leave at the same time. Only the last knows that the cluster has
// ended with it; the others hear of it when all are started again.
TEST_F(BirthsTest, FoundersThatAllLeftFoundAgain) {
  const Names founders = {"n1", "n2", "n3"};
  for (const int i : {1, 2, 3}) StartWithMemory(i, founders);
  ASSERT_TRUE(AwaitSessions({1, 2, 3}, absl::Seconds(10)));
  const FencingToken before = cluster_.Ask(1, Try("k")).token;
  for (const int i : {1, 2, 3}) cluster_.Deliver(i, LeaveRequested());
  ASSERT_TRUE(cluster_.RunUntil([&] {
    return cluster_.has_left(1) && cluster_.has_left(2) && cluster_.has_left(3);
  }));
  int last = 0;
  for (const int i : {1, 2, 3}) {
    if (cluster_.FindMemory(i)->is_over) ++last;
    cluster_.Kill(i);
  }
  ASSERT_EQ(last, 1);
  for (const int i : {1, 2, 3}) StartWithMemory(i, founders);
  ASSERT_TRUE(AwaitSessions({1, 2, 3}, absl::Seconds(30)));
  ASSERT_EQ(births_.founded.size(), 2u);
  EXPECT_GT(cluster_.Ask(1, Try("k")).token, before);
}

// Whatever another cluster of the name did.
TEST_F(BirthsTest, TheEndOfAnotherClusterEndsNothing) {
  const Names founders = {"n1", "n2", "n3"};
  const auto remembers = [](ClusterId cluster, bool is_over) {
    return [=](NodeOptions& options) {
      options.memory->cluster = cluster;
      options.memory->is_over = is_over;
    };
  };
  StartWithMemory(1, founders, remembers({7, 7}, false));
  StartWithMemory(2, founders, remembers({8, 8}, true));
  StartWithMemory(3, founders);
  cluster_.Run(absl::Minutes(1));
  EXPECT_TRUE(births_.founded.empty());
}

TEST_F(BirthsTest, OneThatLeftWhileOthersStayedFoundsNothing) {
  const Edit alone = [](NodeOptions& options) { options.is_own_seed = true; };
  StartWithMemory(1, {}, alone);
  StartWithMemory(2, {});
  ASSERT_TRUE(AwaitSessions({1, 2}, absl::Seconds(10)));
  const ClusterId cluster = cluster_.node(1).identity().cluster;
  cluster_.Deliver(1, LeaveRequested());
  ASSERT_TRUE(cluster_.RunUntil([&] { return cluster_.has_left(1); }));
  EXPECT_TRUE(cluster_.FindMemory(1)->has_left);
  EXPECT_EQ(cluster_.FindMemory(1)->cluster, cluster);
  cluster_.Kill(1);
  cluster_.CutOff(2);
  StartWithMemory(1, {}, alone);
  cluster_.Run(absl::Minutes(1));
  EXPECT_EQ(births_.founded.size(), 1u);
  cluster_.Reconnect(2);
  ASSERT_TRUE(AwaitSessions({1}, absl::Seconds(30)));
  EXPECT_EQ(cluster_.node(1).identity().cluster, cluster);
}

TEST_F(BirthsTest, TokensAreAboveWhatAnyFounderRemembers) {
  const Names founders = {"n1", "n2", "n3"};
  const FencingToken remembered(uint64_t{1} << 60);
  StartWithMemory(1, founders);
  StartWithMemory(2, founders);
  StartWithMemory(3, founders, [&](NodeOptions& options) {
    options.memory->tokens_seen = remembered;
  });
  ASSERT_TRUE(AwaitSessions({1, 2, 3}, absl::Seconds(10)));
  EXPECT_GT(cluster_.Ask(1, Try("k")).token, remembered);
}

// The node tells the cluster that it joins of the tokens that it has seen.
TEST_F(BirthsTest, TokensRiseWhenAClusterIsGivenUpForAnother) {
  cluster_.Start(1, {1});
  cluster_.Start(2, {2});
  ASSERT_TRUE(AwaitSessions({1, 2}, absl::Seconds(10)));
  FencingToken last;
  for (int i = 0; i < 5; ++i) {
    last = cluster_.Ask(2, Try(absl::StrCat("k", i))).token;
  }
  const ClusterId older = cluster_.node(1).identity().cluster;
  cluster_.Deliver(2, SeedsResolved{.seeds = {TestCluster::AddressOf(1)}});
  ASSERT_TRUE(cluster_.RunUntil([&] {
    return cluster_.node(2).identity().cluster == older && HasSession(2);
  }));
  EXPECT_GT(cluster_.Ask(2, Try("k")).token, last);
}

// What is remembered is ahead of every token, whenever the process dies.
TEST_F(BirthsTest, NoTokenIsAboveWhatIsRemembered) {
  StartWithMemory(1, {}, [](NodeOptions& options) {
    options.is_own_seed = true;
    options.token_base = uint64_t{1} << 50;
  });
  ASSERT_TRUE(AwaitSessions({1}, absl::Seconds(10)));
  for (int i = 0; i < 20; ++i) {
    const Answer answer = cluster_.Ask(1, Try(absl::StrCat("k", i)));
    EXPECT_LE(answer.token, cluster_.FindMemory(1)->tokens_seen);
  }
}

}  // namespace
}  // namespace cachalot
