// The directives that control a script: `repeat` and `tell`.

#include "tests/scenarios/script.h"

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "tests/scenarios/run_scenario.h"

namespace cachalot::sim {
namespace {

constexpr char kCluster[] = "# A story.\ncluster 1 seed=1\nrun 1s\n";

int CountOf(const std::string& text, const std::string& words) {
  const std::vector<std::string> parts = absl::StrSplit(text, words);
  return static_cast<int>(parts.size()) - 1;
}

ScenarioResult RunMore(const std::string& lines) {
  return RunScenario(absl::StrCat(kCluster, lines, "\n----\n"));
}

TEST(ScriptTest, RepeatsTheLinesUpToEnd) {
  const ScenarioResult result =
      RunMore("repeat 3\n  try n1 job\n  release n1 job\nend\ntry n1 last");
  EXPECT_TRUE(result.complaints.empty()) << result.complaints.front();
  EXPECT_EQ(CountOf(result.text, "n1 < try job"), 3);
  EXPECT_EQ(CountOf(result.text, "n1 < release job"), 3);
  EXPECT_EQ(CountOf(result.text, "n1 < try last"), 1);
}

TEST(ScriptTest, AQuietRepetitionIsOmittedFromTheTrace) {
  const ScenarioResult result = RunMore(
      "repeat 2 quiet\ntry n1 job\nmany n1 2\nrelease n1 job\nend\n"
      "try n1 last");
  EXPECT_TRUE(result.complaints.empty()) << result.complaints.front();
  EXPECT_EQ(CountOf(result.text, "job"), 2) << result.text;  // the directives
  EXPECT_EQ(CountOf(result.text, "n1 < try last"), 1);
}

TEST(ScriptTest, NamesTheRepetitionInWhichAnExpectationFailed) {
  const ScenarioResult result =
      RunMore("repeat 3\ntry n1 job\nexpect answer n1 ok\nend");
  ASSERT_EQ(result.complaints.size(), 1u);
  EXPECT_TRUE(
      absl::StrContains(result.complaints.front(),
                        "repetition 2: expect answer n1 ok: answered: held"))
      << result.complaints.front();
}

TEST(ScriptTest, TellAddsDecisionsToTheTrace) {
  const std::string story = "cluster 2 seed=1\nrun 1s\n----\n";
  EXPECT_EQ(CountOf(RunScenario(story).text, "| n2 is new"), 0);
  const ScenarioResult result =
      RunScenario(absl::StrCat("tell is new\n", story));
  EXPECT_TRUE(result.complaints.empty()) << result.complaints.front();
  EXPECT_EQ(CountOf(result.text, "n1 | n2 is new"), 1) << result.text;
}

struct Bad {
  std::string lines;
  std::string complaint;
};

class BadRepetitionTest : public testing::TestWithParam<Bad> {};

TEST_P(BadRepetitionTest, IsRefused) {
  const ScenarioResult result = RunMore(GetParam().lines);
  ASSERT_FALSE(result.complaints.empty());
  EXPECT_TRUE(
      absl::StrContains(result.complaints.front(), GetParam().complaint))
      << result.complaints.front();
}

constexpr char kNoRepetition[] = "not a repetition: write \"repeat COUNT\"";

INSTANTIATE_TEST_SUITE_P(
    All, BadRepetitionTest,
    testing::Values(Bad{"repeat\nend", kNoRepetition},
                    Bad{"repeat 0\nend", kNoRepetition},
                    Bad{"repeat 1001\nend", kNoRepetition},
                    Bad{"repeat 2 loudly\nend", kNoRepetition},
                    Bad{"end", "\"end\" without \"repeat\""},
                    Bad{"repeat 2\nrepeat 2\nend", "within a repetition"},
                    Bad{"repeat 2\nrun 1s", "write \"end\" below it"}));

}  // namespace
}  // namespace cachalot::sim
