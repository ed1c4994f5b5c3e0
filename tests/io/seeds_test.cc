#include "io/seeds.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "engine/limits.h"
#include "gtest/gtest.h"
#include "tests/io/scripted_network.h"

namespace cachalot {
namespace {

Address At(const std::string& text) { return *Address::Parse(text); }

SeedLookup Found(const std::string& text, std::vector<Address> addresses) {
  return {.name = *ParseHostPort(text),
          .addresses = std::move(addresses),
          .is_answered = true};
}

SeedLookup NotFound(const std::string& text) {
  return {.name = *ParseHostPort(text),
          .is_answered = true,
          .error = absl::NotFoundError("no such host")};
}

TEST(ParseSeedsTest, NamesTheSeedThatIsWrong) {
  const struct {
    const char* text;
    const char* problem;
  } kCases[] = {
      {":7946", "localhost:7946"},
      {"http://x:1", "URL"},
      {"[fe80::1%lo]:7946", "zones"},
  };
  for (const auto& test_case : kCases) {
    const absl::Status status =
        ParseSeeds({"10.0.0.1:7946", test_case.text}).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << test_case.text;
    EXPECT_TRUE(absl::StartsWith(status.message(), "seed ")) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), test_case.text)) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), test_case.problem))
        << status;
  }
}

TEST(ParseSeedsTest, CountsATextOnce) {
  EXPECT_EQ(ParseSeeds({"a:1", "b:1", "a:1"})->size(), 2u);
  std::vector<std::string> many;
  for (size_t i = 0; i <= limits::kSeedsMax; ++i) {
    many.push_back(absl::StrCat("n", i, ":7946"));
  }
  EXPECT_TRUE(absl::IsInvalidArgument(ParseSeeds(many).status()));
}

TEST(SortSeedsTest, AllAddressesOfANameCountButOurOwn) {
  const ScriptedNetwork network({"10.0.0.1"});
  const OwnAddresses own = {.bind = At("10.0.0.1:7946"),
                            .advertise = At("10.0.0.1:7946")};
  const SeedAddresses sorted = SortSeeds(
      {Found("all:7946",
             {At("10.0.0.1:7946"), At("10.0.0.2:7946"), At("[fd00::3]:7946")}),
       Found("10.0.0.2:7946", {At("10.0.0.2:7946")})},
      own, network);
  EXPECT_EQ(sorted.others,
            (std::vector<Address>{At("10.0.0.2:7946"), At("[fd00::3]:7946")}));
  EXPECT_EQ(sorted.own, (std::vector<Address>{At("10.0.0.1:7946")}));
  EXPECT_FALSE(sorted.is_self_only);
}

TEST(SortSeedsTest, AMemberIsItsOnlySeedOnlyIfEveryNameSaysSo) {
  const ScriptedNetwork network({"10.0.0.1"});
  const OwnAddresses own = {.bind = At("0.0.0.0:7946"),
                            .advertise = At("10.0.0.1:7946")};
  const SeedLookup self = Found("n1:7946", {At("10.0.0.1:7946")});
  EXPECT_TRUE(SortSeeds({self}, own, network).is_self_only);
  EXPECT_TRUE(SortSeeds({self, Found("localhost:7946",
                                     {At("127.0.0.1:7946"), At("[::1]:7946")})},
                        own, network)
                  .is_self_only);
  EXPECT_FALSE(
      SortSeeds({self, NotFound("n2:7946")}, own, network).is_self_only);
  EXPECT_FALSE(SortSeeds({NotFound("n1:7946")}, own, network).is_self_only);
  EXPECT_FALSE(SortSeeds({}, own, network).is_self_only);
  // Another process on this machine.
  EXPECT_FALSE(
      SortSeeds({Found("n1:7947", {At("10.0.0.1:7947")})}, own, network)
          .is_self_only);
}

TEST(SortSeedsTest, ANameMeansUsByBothProtocols) {
  const ScriptedNetwork network({"127.0.0.2"});
  const SeedLookup localhost =
      Found("localhost:7946", {At("127.0.0.1:7946"), At("[::1]:7946")});
  const SeedAddresses sorted = SortSeeds(
      {localhost},
      {.bind = At("127.0.0.1:7946"), .advertise = At("127.0.0.1:7946")},
      network);
  EXPECT_TRUE(sorted.is_self_only);
  // Of one protocol they are two places.
  const SeedAddresses two = SortSeeds(
      {Found("all:7946", {At("127.0.0.1:7946"), At("127.0.0.2:7946")})},
      {.bind = At("127.0.0.1:7946"), .advertise = At("127.0.0.1:7946")},
      network);
  EXPECT_EQ(two.others, (std::vector<Address>{At("127.0.0.2:7946")}));
}

TEST(SortSeedsTest, ANameWithManyAddressesLeavesRoomForTheOthers) {
  const ScriptedNetwork network({});
  std::vector<Address> many;
  for (uint8_t i = 1; i <= 200; ++i)
    many.push_back(Address::V4(10, 1, 0, i, 1));
  const SeedAddresses sorted =
      SortSeeds({Found("many:1", many), Found("one:1", {At("10.2.0.1:1")}),
                 Found("two:1", {At("10.3.0.1:1"), At("10.3.0.2:1")})},
                {.bind = At("10.0.0.1:1")}, network);
  EXPECT_EQ(sorted.others.size(), limits::kSeedsMax);
  EXPECT_EQ(sorted.left_out, 203 - limits::kSeedsMax);
  for (const char* address : {"10.2.0.1:1", "10.3.0.1:1", "10.3.0.2:1"}) {
    EXPECT_NE(
        std::find(sorted.others.begin(), sorted.others.end(), At(address)),
        sorted.others.end())
        << address;
  }
}

}  // namespace
}  // namespace cachalot
