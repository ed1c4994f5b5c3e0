#include "sim/judge/majority_reports.h"

#include "absl/time/time.h"
#include "engine/ids.h"
#include "gtest/gtest.h"
#include "sim/world/instant.h"

namespace cachalot::sim {
namespace {

constexpr absl::Duration Patience() { return absl::Seconds(3); }

// One node of three, and what the judge sees of the two others.
class MajorityReportsTest : public testing::Test {
 protected:
  MajorityReports::Facts Facts() const {
    MajorityReports::Facts facts = {.now = RealInstant() + now_,
                                    .patience = Patience(),
                                    .must_report = must_report_};
    facts.lists = {{{NodeId{1, 1}, true, true},
                    {NodeId{2, 2}, run_, are_reached_},
                    {NodeId{3, 3}, run_, are_reached_}}};
    return facts;
  }
  // Steps without a leader, as often as a node does. What the judge says.
  bool Objects(absl::Duration time) {
    bool objects = false;
    for (const absl::Duration end = now_ + time; now_ < end;
         now_ += absl::Milliseconds(500)) {
      objects |= reports_.ObserveLeaderless(Facts()).has_value();
    }
    return objects;
  }

  MajorityReports reports_;
  absl::Duration now_ = absl::Seconds(1);
  bool run_ = true;
  bool are_reached_ = true;
  bool must_report_ = true;
};

TEST_F(MajorityReportsTest, ADeadMajorityMustBeReported) {
  run_ = are_reached_ = false;
  const absl::Duration bound = MajorityReports::DelayMax(Patience());
  EXPECT_FALSE(Objects(bound));
  EXPECT_TRUE(Objects(absl::Seconds(2)));
}

TEST_F(MajorityReportsTest, OneThatWasReportedNeedNotBeReportedAgain) {
  run_ = are_reached_ = false;
  EXPECT_FALSE(Objects(absl::Seconds(4)));
  EXPECT_FALSE(reports_.ObserveLost(Facts()).has_value());
  EXPECT_FALSE(Objects(absl::Seconds(60)));
  EXPECT_TRUE(reports_.ObserveLost(Facts()).has_value());
}

TEST_F(MajorityReportsTest, NobodyElseMustReport) {
  run_ = are_reached_ = must_report_ = false;
  EXPECT_FALSE(Objects(absl::Seconds(60)));
}

TEST_F(MajorityReportsTest, OneThatWasAsleepHasTime) {
  run_ = are_reached_ = false;
  EXPECT_FALSE(Objects(absl::Seconds(8)));
  now_ += absl::Seconds(30);
  EXPECT_FALSE(Objects(absl::Seconds(8)));
}

TEST_F(MajorityReportsTest, OneThatLivesAndIsConnectedIsNotLost) {
  EXPECT_FALSE(Objects(absl::Seconds(10)));
  EXPECT_TRUE(reports_.ObserveLost(Facts()).has_value());
}

TEST_F(MajorityReportsTest, OneThatWasConnectedForAMomentMayBe) {
  are_reached_ = false;
  EXPECT_FALSE(Objects(absl::Seconds(10)));
  are_reached_ = true;
  EXPECT_FALSE(Objects(absl::Seconds(1)));
  EXPECT_FALSE(reports_.ObserveLost(Facts()).has_value());
}

TEST_F(MajorityReportsTest, NothingIsReportedBeforeElectionsHaveHadTheirTime) {
  are_reached_ = false;
  EXPECT_FALSE(Objects(absl::Seconds(2)));
  EXPECT_TRUE(reports_.ObserveLost(Facts()).has_value());
}

TEST_F(MajorityReportsTest, WhatIsReportedLostIsReportedBack) {
  EXPECT_TRUE(reports_.ObserveBack().has_value());
  are_reached_ = false;
  Objects(absl::Seconds(4));
  EXPECT_FALSE(reports_.ObserveLost(Facts()).has_value());
  EXPECT_TRUE(reports_.ObserveLeader().has_value());
  EXPECT_FALSE(reports_.ObserveBack().has_value());
  EXPECT_FALSE(reports_.ObserveLeader().has_value());
}

}  // namespace
}  // namespace cachalot::sim
