#include "engine/observer.h"

#include <algorithm>
#include <concepts>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/test_cluster.h"

namespace cachalot {
namespace {

using testing::ElementsAre;
using testing::SizeIs;
using testing::UnorderedElementsAre;

template <typename Text>
concept MayBeNoted = requires(Observer* observer, const Text& text) {
  NoteTo(observer, text);
};
template <typename What>
concept MayBeObserved = requires(Observer* observer, const What& what) {
  ObserveTo(observer, what);
};

// What is made before the call is made without an observer too.
static_assert(!MayBeNoted<std::string>);
static_assert(!MayBeNoted<absl::string_view>);
static_assert(!MayBeNoted<char[6]>);
static_assert(MayBeNoted<std::string (*)()>);
static_assert(!MayBeObserved<LeadershipWon>);
static_assert(MayBeObserved<LeadershipWon (*)()>);

// Remembers what it was told.
class Memory : public Observer {
 public:
  explicit Memory(bool wants_notes) : wants_notes_(wants_notes) {}

  bool WantsNotes() const override { return wants_notes_; }
  void Note(absl::string_view note) override { notes_.emplace_back(note); }
  void Observe(const Observation& what) override { seen_.push_back(what); }

  const std::vector<std::string>& notes() const { return notes_; }
  template <typename What>
  std::vector<What> All() const {
    std::vector<What> all;
    for (const Observation& each : seen_) {
      if (const What* what = std::get_if<What>(&each)) all.push_back(*what);
    }
    return all;
  }
  void Forget() { seen_.clear(); }

 private:
  const bool wants_notes_;
  std::vector<std::string> notes_;
  std::vector<Observation> seen_;
};

TEST(NoteTest, NoTextIsMadeForNobodyOrForOneWhoDoesNotWantIt) {
  const auto make = []() -> std::string {
    ADD_FAILURE() << "text was made";
    return "";
  };
  NoteTo(nullptr, make);
  Memory quiet(/*wants_notes=*/false);
  NoteTo(&quiet, make);
  Memory curious(/*wants_notes=*/true);
  NoteTo(&curious, [] { return "text"; });
  EXPECT_THAT(curious.notes(), ElementsAre("text"));
}

// Nodes 1 to 3, each with an observer.
class ObservedClusterTest : public testing::Test {
 protected:
  void Start(int node, std::vector<int> seeds) {
    cluster_.Start(node, std::move(seeds),
                   [&](NodeOptions& options) { options.observer = &Of(node); });
  }
  void StartThree() {
    for (const int node : {1, 2, 3}) Start(node, {1});
    ASSERT_TRUE(cluster_.RunUntil([&] {
      return std::all_of(nodes_.begin(), nodes_.end(), [&](int node) {
        return cluster_.node(node).client().has_session() &&
               cluster_.node(node).consensus().configuration().voters.size() ==
                   3 &&
               cluster_.node(node).consensus().configuration_settled();
      });
    }));
  }
  Memory& Of(int node) { return memories_[static_cast<size_t>(node - 1)]; }
  NodeId Id(int node) { return cluster_.node(node).id(); }

  const std::vector<int> nodes_ = {1, 2, 3};
  std::vector<Memory> memories_ = {Memory(false), Memory(false), Memory(false)};
  TestCluster cluster_;
};

TEST_F(ObservedClusterTest, AFounderIsElectedAndOpensASession) {
  Start(1, {1});
  ASSERT_TRUE(cluster_.RunUntil(
      [&] { return cluster_.node(1).client().has_session(); }));
  const auto founded = Of(1).All<ClusterFounded>();
  ASSERT_THAT(founded, SizeIs(1));
  EXPECT_EQ(founded[0].cluster, cluster_.node(1).identity().cluster);
  EXPECT_THAT(founded[0].voters, ElementsAre(Id(1)));
  const auto elections = Of(1).All<ElectionStarted>();
  ASSERT_THAT(elections, SizeIs(1));
  EXPECT_EQ(elections[0].reason, ElectionStarted::Reason::kFounding);
  ASSERT_THAT(Of(1).All<LeadershipWon>(), SizeIs(1));
  EXPECT_EQ(Of(1).All<LeadershipWon>()[0].term, Term(1));
  EXPECT_THAT(Of(1).All<SessionOpened>(), SizeIs(1));
}

TEST_F(ObservedClusterTest, JoiningTellsOfMembersVotersAndTheLeader) {
  StartThree();
  EXPECT_THAT(Of(1).All<ClusterFounded>(), SizeIs(1));
  EXPECT_THAT(Of(2).All<ClusterJoined>(), SizeIs(1));
  ASSERT_THAT(Of(2).All<LeaderFollowed>(), SizeIs(1));
  EXPECT_EQ(Of(2).All<LeaderFollowed>()[0].leader, Id(1));
  for (const int node : nodes_) {
    const VotersChanged last = Of(node).All<VotersChanged>().back();
    EXPECT_THAT(last.voters, UnorderedElementsAre(Id(1), Id(2), Id(3)));
    EXPECT_THAT(last.outgoing, SizeIs(0));
    int joined = 0;
    for (const MemberChanged& change : Of(node).All<MemberChanged>()) {
      EXPECT_EQ(change.state, MemberState::kAlive);
      if (change.is_new) ++joined;
    }
    EXPECT_EQ(joined, 2);
  }
}

TEST_F(ObservedClusterTest, ADeathIsSuspectedThenCertainAndItsLocksExpire) {
  StartThree();
  const NodeId dead = Id(3);
  cluster_.Ask(3, AcquireRequest{.key = "k", .ttl = absl::Hours(1)});
  for (Memory& memory : memories_) memory.Forget();
  cluster_.Kill(3);
  cluster_.Run(absl::Seconds(30));
  for (const int node : {1, 2}) {
    std::vector<MemberState> states;
    for (const MemberChanged& change : Of(node).All<MemberChanged>()) {
      EXPECT_EQ(change.id, dead);
      EXPECT_EQ(change.name, "n3");
      states.push_back(change.state);
    }
    EXPECT_THAT(states,
                ElementsAre(MemberState::kSuspect, MemberState::kFailed));
  }
  const auto expired = Of(1).All<ExpiryProposed>();
  ASSERT_FALSE(expired.empty());
  ASSERT_THAT(expired[0].sessions, SizeIs(1));
  EXPECT_EQ(expired[0].sessions[0].node, dead);
}

TEST_F(ObservedClusterTest, ALeaderThatDiesIsMissedAndReplaced) {
  StartThree();
  const NodeId dead = Id(1);
  for (Memory& memory : memories_) memory.Forget();
  cluster_.Kill(1);
  ASSERT_TRUE(cluster_.RunUntil([&] { return cluster_.Leader() > 1; }));
  const int winner = cluster_.Leader();
  const int other = 5 - winner;
  const auto lost = Of(winner).All<LeaderLost>();
  ASSERT_FALSE(lost.empty());
  EXPECT_EQ(lost[0].leader, dead);
  EXPECT_GE(lost[0].silent, absl::Milliseconds(250));
  EXPECT_LE(lost[0].silent, absl::Seconds(1));
  ASSERT_FALSE(Of(winner).All<ElectionStarted>().empty());
  EXPECT_EQ(Of(winner).All<ElectionStarted>()[0].reason,
            ElectionStarted::Reason::kNoLeader);
  ASSERT_THAT(Of(winner).All<LeadershipWon>(), SizeIs(1));
  cluster_.Run(absl::Seconds(1));
  ASSERT_FALSE(Of(other).All<LeaderFollowed>().empty());
  EXPECT_EQ(Of(other).All<LeaderFollowed>().back().leader, Id(winner));
}

TEST_F(ObservedClusterTest, ALeaderThatIsCutOffLosesItsQuorumAndIsIsolated) {
  StartThree();
  Of(1).Forget();
  cluster_.CutOff(1);
  cluster_.Run(absl::Seconds(20));
  const auto lost = Of(1).All<LeadershipLost>();
  ASSERT_THAT(lost, SizeIs(1));
  EXPECT_EQ(lost[0].reason, LeadershipLost::Reason::kNoQuorum);
  EXPECT_THAT(Of(1).All<Isolated>(), SizeIs(1));
  cluster_.Reconnect(1);
  cluster_.Run(absl::Seconds(20));
  EXPECT_THAT(Of(1).All<IsolationEnded>(), SizeIs(1));
  const auto gone = Of(1).All<SessionLost>();
  ASSERT_THAT(gone, SizeIs(1));
  EXPECT_EQ(gone[0].reason, LossReason::kRevoked);
}

TEST_F(ObservedClusterTest, TheYoungerClusterTellsForWhichItWasGivenUp) {
  StartThree();
  const ClusterId older = cluster_.node(2).identity().cluster;
  cluster_.CutOff(1);
  cluster_.Kill(1);
  cluster_.Run(absl::Seconds(12));
  Start(1, {1});  // it remembers nothing, and hears nobody
  ASSERT_TRUE(cluster_.RunUntil(
      [&] { return cluster_.node(1).client().has_session(); }));
  const ClusterId younger = cluster_.node(1).identity().cluster;
  ASSERT_NE(younger, older);
  Of(1).Forget();
  cluster_.Reconnect(1);
  ASSERT_TRUE(cluster_.RunUntil(
      [&] { return cluster_.node(1).identity().cluster == older; }));
  const auto dissolved = Of(1).All<ClusterDissolved>();
  ASSERT_THAT(dissolved, SizeIs(1));
  EXPECT_EQ(dissolved[0].cluster, younger);
  EXPECT_EQ(dissolved[0].reason, ClusterDissolved::Reason::kOtherIsOlder);
  EXPECT_EQ(dissolved[0].other, older);
}

}  // namespace
}  // namespace cachalot
