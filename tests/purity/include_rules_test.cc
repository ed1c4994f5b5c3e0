#include "tests/purity/include_rules.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/purity/source_tree.h"

namespace cachalot::purity {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(IncludeRulesTest, TheWholeTreeObeysThem) {
  const SourceTree tree = SourceTree::Find();
  int checked = 0;
  for (const std::string& path : tree.Files("")) {
    if (!IsCpp(path)) continue;
    ++checked;
    EXPECT_THAT(Violations(path, tree.Read(path)), IsEmpty());
  }
  EXPECT_GT(checked, 20) << "the sources were not found";
}

TEST(IncludeRulesTest, AClockPlantedInTheEngineIsFound) {
  EXPECT_THAT(Violations("engine/node.cc",
                         "#include <vector>\n"
                         "#include <chrono>\n"),
              ElementsAre("engine/node.cc:2: may not include chrono"));
  EXPECT_THAT(
      Violations("engine/node.cc", "#include \"absl/time/clock.h\"\n"),
      ElementsAre("engine/node.cc:1: may not include absl/time/clock.h"));
  EXPECT_THAT(Violations("engine/node.cc", "x = absl::Now();\n"),
              ElementsAre("engine/node.cc:1: may not use absl::Now("));
}

TEST(IncludeRulesTest, AnIncludeIsRecognisedInAnySpelling) {
  EXPECT_EQ(Violations("engine/a.h", "  # include<thread>").size(), 1);
  EXPECT_EQ(Violations("engine/a.h", "#include SOME_MACRO").size(), 1);
}

TEST(IncludeRulesTest, CommentsMaySpeakOfAnything) {
  EXPECT_THAT(Violations("engine/a.h", "// Not std::chrono, since ...\n"),
              IsEmpty());
}

TEST(IncludeRulesTest, DependenciesPointOneWay) {
  EXPECT_THAT(Violations("engine/node.cc", "#include \"io/clock.h\"\n"),
              ElementsAre("engine/node.cc:1: may not include io/clock.h"));
  EXPECT_EQ(Violations("sim/a.cc", "#include \"io/clock.h\"\n").size(), 1);
  EXPECT_EQ(Violations("io/a.cc", "#include \"sim/world/network.h\"\n").size(),
            1);
  EXPECT_EQ(Violations("tools/a.cc", "#include \"tests/b.h\"\n").size(), 1);
  EXPECT_THAT(Violations("tools/a.cc", "#include \"io/clock.h\"\n"), IsEmpty());
}

TEST(IncludeRulesTest, MachinesDoNotIncludeEachOther) {
  EXPECT_EQ(Violations("engine/membership/membership.cc",
                       "#include \"engine/consensus/consensus.h\"\n")
                .size(),
            1);
  EXPECT_EQ(Violations("engine/locks/lock_table.cc",
                       "#include \"engine/node/inner.h\"\n")
                .size(),
            1);
  EXPECT_THAT(Violations("engine/consensus/log.h",
                         "#include \"engine/ids.h\"\n"
                         "#include \"engine/command.h\"\n"),
              IsEmpty());
  EXPECT_EQ(
      Violations("engine/consensus/log.h", "#include \"engine/locks/lock.h\"\n")
          .size(),
      1);
}

TEST(IncludeRulesTest, RoomsOfTheSimulatorSeeEachOtherOneWay) {
  const std::vector<std::string> rooms = {"world", "judge", "clients", "run",
                                          "report"};
  for (size_t i = 0; i < rooms.size(); ++i) {
    for (size_t j = 0; j < rooms.size(); ++j) {
      const std::string file = absl::StrCat("sim/", rooms[i], "/a.cc");
      const std::string line =
          absl::StrCat("#include \"sim/", rooms[j], "/b.h\"\n");
      EXPECT_EQ(Violations(file, line).empty(), j <= i) << file << ": " << line;
    }
  }
}

TEST(IncludeRulesTest, ExploredWorldsAreNotTheLargeOne) {
  EXPECT_THAT(Violations("sim/explore/a.cc",
                         "#include \"sim/world/host.h\"\n"
                         "#include \"sim/judge/checkers.h\"\n"),
              IsEmpty());
  EXPECT_EQ(
      Violations("sim/explore/a.cc", "#include \"sim/world/world.h\"\n").size(),
      1);
  EXPECT_EQ(
      Violations("sim/explore/a.cc", "#include \"sim/run/plan.h\"\n").size(),
      1);
}

TEST(IncludeRulesTest, ProgramsDoNotIncludeEachOther) {
  EXPECT_EQ(
      Violations("tools/cli/a.cc", "#include \"sim/world/world.h\"\n").size(),
      1);
  EXPECT_EQ(
      Violations("tools/simulator/a.cc", "#include \"io/driver.h\"\n").size(),
      1);
  EXPECT_EQ(
      Violations("tools/base/a.cc", "#include \"tools/cli/ask.h\"\n").size(),
      1);
  EXPECT_THAT(Violations("tools/benchmark/a.cc",
                         "#include \"tools/base/words.h\"\n"
                         "#include \"tools/cli/agent_cluster.h\"\n"),
              IsEmpty());
}

TEST(IncludeRulesTest, TheSimulatorHasItsOwnTime) {
  EXPECT_EQ(Violations("sim/a.cc", "#include <chrono>\n").size(), 1);
  EXPECT_THAT(Violations("sim/a.cc", "#include <fstream>\n"), IsEmpty());
}

TEST(IncludeRulesTest, ProgramsDoNotWaitByTheWallClock) {
  const std::string wait = "mutex_.AwaitWithTimeout(condition, timeout);\n";
  EXPECT_THAT(Violations("io/a.cc", wait),
              ElementsAre("io/a.cc:1: may not use AwaitWithTimeout("));
  EXPECT_EQ(Violations("tools/a.cc", wait).size(), 1);
  EXPECT_THAT(Violations("tools/deps/a.cc", wait), IsEmpty());
  EXPECT_THAT(Violations("tests/a.cc", wait), IsEmpty());
}

}  // namespace
}  // namespace cachalot::purity
