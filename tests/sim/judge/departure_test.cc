#include "sim/judge/departure.h"

#include "gtest/gtest.h"

namespace cachalot::sim {
namespace {

TEST(DepartureTest, WhoLeavesInTimeHasFreedItsLocks) {
  EXPECT_FALSE(CheckDeparture({}).has_value());
  EXPECT_TRUE(CheckDeparture({.has_session = true}).has_value());
  EXPECT_TRUE(CheckDeparture({.somebody_stays = true, .has_session = true})
                  .has_value());
  EXPECT_FALSE(
      CheckDeparture({.is_late = true, .has_session = true}).has_value());
}

TEST(DepartureTest, WhoLeavesInTimeDoesNotVoteIfSomebodyStays) {
  EXPECT_TRUE(
      CheckDeparture({.somebody_stays = true, .is_voter = true}).has_value());
  EXPECT_FALSE(CheckDeparture({.is_voter = true}).has_value())
      << "the last may go as it is";
  EXPECT_FALSE(CheckDeparture(
                   {.is_late = true, .somebody_stays = true, .is_voter = true})
                   .has_value());
}

TEST(DepartureTest, TellsHowANodeEnded) {
  EXPECT_EQ(FateOf({.somebody_stays = true}), Fate::kLeft);
  EXPECT_EQ(FateOf({}), Fate::kLeftAlone);
  EXPECT_EQ(FateOf({.is_late = true, .somebody_stays = true}), Fate::kLeftLate);
  EXPECT_STREQ(FateName(Fate::kCrashed), "crashed");
}

}  // namespace
}  // namespace cachalot::sim
