#include "tools/cli/state_place.h"

#include <stdlib.h>
#include <unistd.h>

#include <string>

#include "gtest/gtest.h"

namespace cachalot::tools {
namespace {

TEST(StatePlacesTest, RootHasItsPlaceWithTheSystem) {
  const StatePlaces root;
  EXPECT_EQ(root.DirectoryOf("cachalot", "", 7946),
            "/var/lib/cachalot/cachalot/7946");
  EXPECT_EQ(root.DirectoryOf("orders", "lock1", 7946),
            "/var/lib/cachalot/orders/lock1");
}

TEST(StatePlacesTest, AUserHasItsPlaceAtHome) {
  const StatePlaces user = {.user = 1000, .state_home = "/h/me/.local/state"};
  EXPECT_EQ(user.DirectoryOf("cachalot", "", 7946),
            "/h/me/.local/state/cachalot/cachalot/7946");
}

TEST(StatePlacesTest, AgentsOfOneMachineHaveDifferentPlaces) {
  const StatePlaces root;
  EXPECT_NE(root.DirectoryOf("c", "", 7946), root.DirectoryOf("c", "", 7947));
  EXPECT_NE(root.DirectoryOf("c", "n1", 7946),
            root.DirectoryOf("c", "n2", 7946));
  EXPECT_NE(root.DirectoryOf("c", "n1", 7946),
            root.DirectoryOf("d", "n1", 7946));
  EXPECT_NE(root.DirectoryOf("c", "a/b", 1), root.DirectoryOf("c", "a_b", 1));
}

TEST(StatePlacesTest, WhatHasNothingLastingHasNoPlace) {
  EXPECT_EQ(StatePlaces().DirectoryOf("c", "", 0), "") << "any port";
  EXPECT_NE(StatePlaces().DirectoryOf("c", "n1", 0), "");
  EXPECT_EQ(StatePlaces{.user = 1000}.DirectoryOf("c", "n1", 1), "");
  EXPECT_EQ(StatePlaces().DirectoryOf("", "n1", 1), "");
}

TEST(StatePlacesTest, ANameIsOneFileWhateverItsBytes) {
  EXPECT_EQ(FileNameOf("lock1.example.com"), "lock1.example.com");
  EXPECT_EQ(FileNameOf("10.0.0.7:7946"), "10.0.0.7%3a7946");
  EXPECT_EQ(FileNameOf(".."), "%2e.");
  EXPECT_EQ(FileNameOf("../../etc"), "%2e.%2f..%2fetc");
  EXPECT_EQ(FileNameOf(std::string("a\0%", 3)), "a%00%25");
  EXPECT_EQ(FileNameOf("\xc3\xa9"), "%c3%a9");
}

// As root the environment counts for nothing: sudo may keep a user's.
TEST(StatePlacesTest, TheEnvironmentNamesAUsersPlace) {
  ASSERT_EQ(setenv("XDG_STATE_HOME", "/some/where", 1), 0);
  const StatePlaces named = StatePlaces::OfThisUser();
  ASSERT_EQ(setenv("XDG_STATE_HOME", "not/absolute", 1), 0);
  const StatePlaces relative = StatePlaces::OfThisUser();
  EXPECT_EQ(named.user, geteuid());
  EXPECT_EQ(named.state_home, geteuid() == 0 ? "" : "/some/where");
  EXPECT_NE(relative.state_home, "not/absolute");
}

}  // namespace
}  // namespace cachalot::tools
