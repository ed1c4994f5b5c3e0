#include "sim/world/chance.h"

#include <cstdint>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "sim/world/choices.h"

namespace cachalot::sim {
namespace {

TEST(ChanceTest, HappensAsOftenAsItsRateSays) {
  ChoiceSource choices(1);
  Chance chance(&choices, "rate");
  int count = 0;
  for (int i = 0; i < 100000; ++i) {
    if (chance.Happens(Rate::Percent(10))) ++count;
  }
  EXPECT_NEAR(count, 10000, 500);
}

TEST(ChanceTest, NeverMeansNeverAndAlwaysMeansAlways) {
  ChoiceSource choices(2);
  Chance chance(&choices, "rate");
  for (int i = 0; i < 1000; ++i) {
    EXPECT_FALSE(chance.Happens(Rate::Never()));
    EXPECT_TRUE(chance.Happens(Rate::Percent(100)));
  }
}

TEST(ChanceTest, StreamsDifferByNameAndNumber) {
  ChoiceSource choices(3);
  Chance a(&choices, "a");
  Chance b(&choices, "b");
  Chance a_of_another_number(&choices, "a", 1);
  const uint64_t draw = a.Seed();
  EXPECT_NE(draw, b.Seed());
  EXPECT_NE(draw, a_of_another_number.Seed());
}

TEST(ChanceTest, DelaysStayInRangeAndHaveATail) {
  ChoiceSource choices(4);
  Chance chance(&choices, "delay");
  const Delay delay = {absl::Milliseconds(1), absl::Milliseconds(2),
                       Rate::Percent(5), absl::Milliseconds(100)};
  int tails = 0;
  for (int i = 0; i < 10000; ++i) {
    const absl::Duration drawn = chance.Draw(delay);
    EXPECT_GE(drawn, absl::Milliseconds(1));
    EXPECT_LE(drawn, absl::Milliseconds(100));
    if (drawn > absl::Milliseconds(2)) ++tails;
  }
  EXPECT_NEAR(tails, 500, 120);
}

TEST(ChanceTest, DrawsNegativeNumbers) {
  ChoiceSource choices(5);
  Chance chance(&choices, "signed");
  bool saw_low = false;
  bool saw_high = false;
  for (int i = 0; i < 1000; ++i) {
    const int64_t draw = chance.Between(int64_t{-3}, int64_t{3});
    EXPECT_GE(draw, -3);
    EXPECT_LE(draw, 3);
    saw_low |= draw == -3;
    saw_high |= draw == 3;
  }
  EXPECT_TRUE(saw_low);
  EXPECT_TRUE(saw_high);
}

}  // namespace
}  // namespace cachalot::sim
