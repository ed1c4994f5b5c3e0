#include "io/survival_text.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/survival.h"
#include "gtest/gtest.h"

namespace cachalot {
namespace {

Survival Of(std::vector<std::pair<std::string, bool>> voters, uint64_t deaths) {
  Survival survival{.has_majority = true, .deaths = deaths};
  for (auto& [name, is_alive] : voters) {
    survival.voters.push_back({.name = std::move(name), .is_alive = is_alive});
  }
  return survival;
}

TEST(SurvivalTextTest, IsOneLineForPeople) {
  EXPECT_EQ(DescribeSurvival({}), "no voters are known yet");
  EXPECT_EQ(DescribeSurvival(Of({{"n1", true}}, 0)),
            "survives 0 more deaths: its only voter is n1");
  EXPECT_EQ(DescribeSurvival(Of({{"a", true}, {"b", true}, {"c", true}}, 1)),
            "survives 1 more death: its voters are a, b, c");
  EXPECT_EQ(DescribeSurvival(Of({{"a", true}, {"b", false}, {"c", true}}, 0)),
            "survives 0 more deaths: 2 of 3 voters are alive, not b");
  Survival lost = Of({{"a", false}, {"b", false}, {"c", true}}, 0);
  lost.has_majority = false;
  EXPECT_EQ(DescribeSurvival(lost),
            "has no majority: 1 of 3 voters is alive, not a, b");
}

TEST(SurvivalTextTest, EscapesNamesThatOthersChose) {
  EXPECT_EQ(DescribeSurvival(Of({{"a\nb\x1b", true}}, 0)),
            "survives 0 more deaths: its only voter is a\\x0ab\\x1b");
}

}  // namespace
}  // namespace cachalot
