#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/majority_watch.h"
#include "engine/node.h"
#include "engine/observer.h"
#include "engine/options.h"
#include "engine/saved_state.h"
#include "engine/survival.h"
#include "engine/wire/codec.h"
#include "engine/wire/message.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/test_cluster.h"

// A node says that the majority of the voters does not answer it, within
// seconds, and never while one does.

namespace cachalot {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

using Kind = Outage::Kind;

// Who is silent is asked several times before it counts as missing, and who is
// not is left alone.
TEST(MajorityWatchTest, AsksVotersThatAreSilent) {
  const Voter self{.id = {1, 1}};
  const Voter silent{.id = {2, 2}};
  const Voter heard{.id = {3, 3}};
  const Configuration configuration{.voters = {self, silent, heard}};
  MajorityWatch watch((ConsensusOptions()));
  SlowInstant now = SlowInstant() + absl::Hours(1);
  MajorityWatch::Facts facts{.configuration = configuration,
                             .self = self.id,
                             .follows = true,
                             .has_history = true};
  std::vector<Voter> asked;
  watch.Update(now, facts, &asked);
  EXPECT_EQ(watch.NextDeadline(), SlowInstant::Never());
  facts.follows = false;
  watch.Update(now, facts, &asked);
  for (int look = 0; look < 4; ++look) {
    ASSERT_LE(watch.NextDeadline() - now,
              absl::Milliseconds(look == 0 ? 1000 : 500));
    now = watch.NextDeadline();
    watch.NoteHeard(now, heard.id);
    EXPECT_EQ(watch.Update(now, facts, &asked), MajorityWatch::News::kNone);
  }
  EXPECT_THAT(asked, SizeIs(4));
  EXPECT_THAT(asked, Each(silent));
  EXPECT_TRUE(watch.Answers(now, heard.id));
  EXPECT_FALSE(watch.Answers(now, silent.id));
}

// A node that was asleep reads first what others sent meanwhile.
TEST(MajorityWatchTest, SleepDoesNotCount) {
  const Configuration configuration{
      .voters = {{.id = {1, 1}}, {.id = {2, 2}}, {.id = {3, 3}}}};
  MajorityWatch watch((ConsensusOptions()));
  SlowInstant now = SlowInstant() + absl::Hours(1);
  const MajorityWatch::Facts facts{
      .configuration = configuration, .self = {1, 1}, .has_history = true};
  std::vector<Voter> asked;
  watch.Update(now, facts, &asked);
  now = now + absl::Seconds(60);
  watch.NoteStall(absl::Seconds(60));
  EXPECT_EQ(watch.Update(now, facts, &asked), MajorityWatch::News::kNone);
  MajorityWatch::News news = MajorityWatch::News::kNone;
  while (news == MajorityWatch::News::kNone) {
    now = watch.NextDeadline();
    news = watch.Update(now, facts, &asked);
  }
  EXPECT_EQ(news, MajorityWatch::News::kLost);
  EXPECT_EQ(now - *watch.leaderless_since(), absl::Seconds(63));
}

// The deadline of a node is later than each step.
TEST(MajorityWatchTest,
     LooksAgainLaterWhenTheMajorityIsBackAtTheMomentOfALook) {
  const Configuration configuration{
      .voters = {{.id = {1, 1}}, {.id = {2, 2}}, {.id = {3, 3}}}};
  MajorityWatch watch((ConsensusOptions()));
  SlowInstant now = SlowInstant() + absl::Hours(1);
  const MajorityWatch::Facts facts{
      .configuration = configuration, .self = {1, 1}, .has_history = true};
  std::vector<Voter> asked;
  watch.Update(now, facts, &asked);
  while (!watch.lost_since().has_value()) {
    now = watch.NextDeadline();
    watch.Update(now, facts, &asked);
  }
  now = watch.NextDeadline();
  watch.NoteHeard(now, {2, 2});
  EXPECT_EQ(watch.Update(now, facts, &asked), MajorityWatch::News::kBack);
  EXPECT_GT(watch.NextDeadline(), now);
  EXPECT_NE(watch.NextDeadline(), SlowInstant::Never());
}

// Patience, a look, and what a follower or learner takes to miss its leader.
constexpr absl::Duration ReportMax() { return absl::Milliseconds(4600); }

// What nodes report of their majority.
class Reports : public Observer {
 public:
  bool WantsNotes() const override { return false; }
  void Note(absl::string_view) override {}
  void Observe(const Observation& observation) override {
    if (const auto* what = std::get_if<MajorityLost>(&observation)) {
      lost.push_back(what->outage);
    }
    if (const auto* what = std::get_if<MajorityBack>(&observation)) {
      back.push_back(what->lost);
    }
  }

  std::vector<Outage> lost;
  std::vector<absl::Duration> back;
};

class MajorityTest : public testing::Test {
 protected:
  void Start(int node) {
    cluster_.Start(node, {1}, [&](NodeOptions& options) {
      options.observer = &seen_[node];
    });
  }
  // Nodes 1 to `size`; `voters` of them vote.
  void StartMany(int size, int voters) {
    for (int i = 1; i <= size; ++i) Start(i);
    const auto all_vote = [&] {
      const int leader = cluster_.Leader();
      if (leader == 0) return false;
      const Consensus& consensus = cluster_.node(leader).consensus();
      return consensus.configuration_settled() &&
             consensus.configuration().voters.size() ==
                 static_cast<size_t>(voters);
    };
    ASSERT_TRUE(cluster_.RunUntil(all_vote));
    cluster_.Run(absl::Seconds(2));
  }
  bool Votes(int node) {
    return cluster_.node(node).consensus().IsVoter(cluster_.node(node).id());
  }
  std::vector<std::string> Missing(int node) {
    std::vector<std::string> names;
    for (const MissingVoter& voter : cluster_.node(node).FindOutage().missing) {
      names.push_back(voter.name);
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  TestCluster cluster_;
  std::map<int, Reports> seen_;
};

TEST_F(MajorityTest, TheLastOfThreeReportsOnceWhoIsMissing) {
  StartMany(3, 3);
  EXPECT_EQ(cluster_.node(3).FindOutage(), Outage());
  cluster_.Kill(1);
  cluster_.Kill(2);
  cluster_.Run(absl::Milliseconds(900));
  EXPECT_EQ(cluster_.node(3).FindOutage().kind, Kind::kElecting);
  EXPECT_TRUE(cluster_.RunUntil([&] { return !seen_[3].lost.empty(); },
                                ReportMax() - absl::Milliseconds(900)));
  cluster_.Run(absl::Seconds(60));
  ASSERT_THAT(seen_[3].lost, SizeIs(1));
  const Outage& outage = seen_[3].lost[0];
  EXPECT_EQ(outage.kind, Kind::kMajorityLost);
  EXPECT_GE(outage.leaderless, absl::Seconds(3));
  EXPECT_TRUE(outage.hears_nobody);
  EXPECT_EQ(outage.voters, 3u);
  ASSERT_THAT(outage.missing, SizeIs(2));
  EXPECT_GE(outage.missing[0].silent, absl::Seconds(3));
  EXPECT_THAT(Missing(3), ElementsAre("n1", "n2"));
  EXPECT_THAT(seen_[3].back, IsEmpty());
}

TEST_F(MajorityTest, AllSurvivorsReportAlsoThoseThatDoNotVote) {
  StartMany(8, 5);
  std::vector<int> survivors;
  int to_kill = 3;
  for (int i = 8; i >= 1; --i) {
    if (Votes(i) && to_kill-- > 0) {
      cluster_.Kill(i);
    } else {
      survivors.push_back(i);
    }
  }
  ASSERT_THAT(survivors, SizeIs(5));
  for (const int i : survivors) {
    EXPECT_TRUE(
        cluster_.RunUntil([&] { return !seen_[i].lost.empty(); }, ReportMax()))
        << i;
    EXPECT_FALSE(seen_[i].lost.at(0).hears_nobody) << i;
    EXPECT_THAT(seen_[i].lost.at(0).missing, SizeIs(3)) << i;
  }
}

TEST_F(MajorityTest, IsBackWhenVotersAreReachedAgain) {
  StartMany(5, 5);
  const int leader = cluster_.Leader();
  std::vector<int> cut_off = {leader, leader % 5 + 1, (leader + 1) % 5 + 1};
  for (const int i : cut_off) cluster_.CutOff(i);
  cluster_.Run(absl::Seconds(8));
  for (int i = 1; i <= 5; ++i) EXPECT_THAT(seen_[i].lost, SizeIs(1)) << i;
  // Two survivors hear each other.
  const int survivor = (leader + 2) % 5 + 1;
  EXPECT_FALSE(cluster_.node(survivor).FindOutage().hears_nobody);
  EXPECT_TRUE(cluster_.node(leader).FindOutage().hears_nobody);
  for (const int i : cut_off) cluster_.Reconnect(i);
  cluster_.Run(absl::Seconds(5));
  for (int i = 1; i <= 5; ++i) {
    EXPECT_THAT(seen_[i].lost, SizeIs(1)) << i;
    EXPECT_THAT(seen_[i].back, SizeIs(1)) << i;
    EXPECT_EQ(cluster_.node(i).FindOutage(), Outage()) << i;
  }
}

TEST_F(MajorityTest, OneThatIsCutOffReportsAndNobodyElse) {
  StartMany(4, 3);
  cluster_.CutOff(2);
  cluster_.Run(absl::Seconds(30));
  ASSERT_THAT(seen_[2].lost, SizeIs(1));
  EXPECT_TRUE(seen_[2].lost[0].hears_nobody);
  for (const int i : {1, 3, 4}) EXPECT_THAT(seen_[i].lost, IsEmpty()) << i;
}

// The voters answer, but no election succeeds.
TEST_F(MajorityTest, IsNotLostWhileVotersAnswer) {
  StartMany(8, 5);
  cluster_.filter = [&](int, const Address&, const std::string& bytes) {
    const absl::StatusOr<Envelope> envelope = Decode(bytes);
    return !std::holds_alternative<VoteReply>(envelope->message);
  };
  cluster_.Kill(cluster_.Leader());
  cluster_.Run(absl::Seconds(20));
  ASSERT_EQ(cluster_.Leader(), 0);
  for (int i = 1; i <= 8; ++i) {
    if (!cluster_.has(i)) continue;
    EXPECT_THAT(seen_[i].lost, IsEmpty()) << i;
    EXPECT_EQ(cluster_.node(i).FindOutage().kind, Kind::kElecting) << i;
  }
}

TEST_F(MajorityTest, AClusterThatIsBeingFoundedHasNotLostIt) {
  for (int i = 1; i <= 3; ++i) {
    cluster_.Start(i, {1, 2, 3}, [&](NodeOptions& options) {
      options.founders = {"n1", "n2", "n3"};
      options.observer = &seen_[i];
    });
  }
  cluster_.filter = [&](int, const Address&, const std::string& bytes) {
    const absl::StatusOr<Envelope> envelope = Decode(bytes);
    return !std::holds_alternative<VoteReply>(envelope->message);
  };
  const auto has_cluster = [&] {
    return !cluster_.node(1).identity().cluster.IsNone();
  };
  EXPECT_EQ(cluster_.node(1).FindOutage(), Outage());
  ASSERT_TRUE(cluster_.RunUntil(has_cluster));
  EXPECT_EQ(cluster_.node(1).FindOutage().kind, Kind::kNoLeaderYet);
  cluster_.Run(absl::Seconds(20));
  for (int i = 1; i <= 3; ++i) EXPECT_THAT(seen_[i].lost, IsEmpty()) << i;
}

}  // namespace
}  // namespace cachalot
