#include "engine/membership/timing.h"

#include "absl/time/time.h"
#include "engine/options.h"
#include "gtest/gtest.h"

namespace cachalot {
namespace {

TEST(TimingTest, RoundsTheLogarithmUp) {
  EXPECT_EQ(Log2Ceiling(1), 0);
  EXPECT_EQ(Log2Ceiling(2), 1);
  EXPECT_EQ(Log2Ceiling(3), 2);
  EXPECT_EQ(Log2Ceiling(4), 2);
  EXPECT_EQ(Log2Ceiling(5), 3);
  EXPECT_EQ(Log2Ceiling(1024), 10);
  EXPECT_EQ(Log2Ceiling(1025), 11);
}

// The right column is ceil(3 * ln(members + 1)).
TEST(TimingTest, SendsEachFactThreeTimesTheNaturalLogarithm) {
  EXPECT_EQ(GossipSendsMax(1), 3);
  EXPECT_EQ(GossipSendsMax(2), 4);
  EXPECT_EQ(GossipSendsMax(3), 5);
  EXPECT_EQ(GossipSendsMax(5), 6);
  EXPECT_EQ(GossipSendsMax(9), 7);
  EXPECT_EQ(GossipSendsMax(30), 11);
  EXPECT_EQ(GossipSendsMax(99), 14);
  EXPECT_EQ(GossipSendsMax(300), 18);
  EXPECT_EQ(GossipSendsMax(999), 21);
  EXPECT_EQ(GossipSendsMax(4097), 25);
}

TEST(TimingTest, WantsNoConfirmationWhereNobodyMayBeLeftToGiveIt) {
  EXPECT_EQ(ConfirmationsWanted(2), 0);
  EXPECT_EQ(ConfirmationsWanted(3), 0);
  EXPECT_EQ(ConfirmationsWanted(4), 1);
  EXPECT_EQ(ConfirmationsWanted(5), 2);
  EXPECT_EQ(ConfirmationsWanted(6), 2);
  EXPECT_EQ(ConfirmationsWanted(7), 3);
  EXPECT_EQ(ConfirmationsWanted(1000), 3);
}

TEST(TimingTest, SuspectsForThePauseToleranceAndTheTimeOfADenial) {
  const MembershipOptions options = {
      .pause_tolerance = absl::Milliseconds(800),
      .gossip_interval = absl::Milliseconds(100)};

  EXPECT_EQ(DenialTime(options, 4), absl::Milliseconds(500));
  EXPECT_EQ(SuspicionMin(options, 4), absl::Milliseconds(1300));
  EXPECT_EQ(SuspicionMin(options, 1024), absl::Milliseconds(2100));
}

TEST(TimingTest, ExchangesListsLessOftenInLargeClusters) {
  const MembershipOptions options = {.push_pull_interval = absl::Seconds(15)};

  EXPECT_EQ(PushPullInterval(options, 2), absl::Seconds(15));
  EXPECT_EQ(PushPullInterval(options, 64), absl::Seconds(15));
  EXPECT_EQ(PushPullInterval(options, 65), absl::Seconds(30));
  EXPECT_EQ(PushPullInterval(options, 1024), absl::Seconds(75));
}

}  // namespace
}  // namespace cachalot
