#include "io/survival_text.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "engine/address.h"
#include "engine/survival.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cachalot {
namespace {

using testing::AllOf;
using testing::HasSubstr;

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

TEST(OutageTextTest, SaysWhatIsMissingAndWhatToDo) {
  EXPECT_EQ(DescribeOutage({}), "");
  EXPECT_THAT(DescribeOutage({.kind = Outage::Kind::kNoLeaderYet}),
              HasSubstr("no leader is known yet"));
  EXPECT_EQ(DescribeOutage({.kind = Outage::Kind::kElecting,
                            .leaderless = absl::Milliseconds(1250)}),
            "there has been no leader for 1.2s: the voters are electing one");
  Outage lost = {.kind = Outage::Kind::kMajorityLost,
                 .leaderless = absl::Milliseconds(4567),
                 .voters = 3,
                 .missing = {{.id = {.high = 1, .low = 1},
                              .name = "b\n",
                              .address = Address::V4(10, 0, 0, 2, 7946),
                              .silent = absl::Seconds(5)},
                             {.id = {.high = 2, .low = 2},
                              .address = Address::V4(10, 0, 0, 3, 7946),
                              .silent = absl::Seconds(61)}}};
  EXPECT_THAT(DescribeOutage(lost),
              AllOf(HasSubstr("the majority of the voters is lost: 2 of 3 do "
                              "not answer, and there has been no leader for "
                              "4.5s; missing: b\\x0a (10.0.0.2:7946, silent "
                              "for 5s), 00000000 (10.0.0.3:7946, silent for "
                              "1m1s). No lock"),
                    HasSubstr("stop all members, then start them anew")));
  lost.hears_nobody = true;
  EXPECT_THAT(DescribeOutage(lost), HasSubstr("look at its network first"));
}

TEST(OutageTextTest, IsBounded) {
  Outage lost = {.kind = Outage::Kind::kMajorityLost,
                 .leaderless = absl::Hours(1000000),
                 .hears_nobody = true,
                 .voters = 18};
  for (int i = 0; i < 18; ++i) {
    lost.missing.push_back({.name = std::string(64, '\n'),
                            .address = Address::V4(255, 255, 255, 255, 65535),
                            .silent = absl::Hours(1000000)});
  }
  EXPECT_LE(DescribeOutage(lost).size(), kOutageTextBytesMax);
  EXPECT_THAT(DescribeOutage(lost), HasSubstr(", 13 more. "));
}

}  // namespace
}  // namespace cachalot
