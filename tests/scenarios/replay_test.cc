// Scenarios that replay a choice log: the output of the shrinker is accepted
// unchanged, a log that breaks a property fails, and a malformed log is
// refused.

#include "tests/scenarios/replay.h"

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "engine/check.h"
#include "gtest/gtest.h"
#include "sim/run/plan.h"
#include "sim/run/runner.h"
#include "sim/world/choices.h"
#include "sim/world/clock.h"
#include "sim/world/world.h"
#include "tests/scenarios/run_scenario.h"
#include "tests/scenarios/script.h"
#include "tools/simulator/shrinking.h"

namespace cachalot::sim {
namespace {

constexpr absl::Duration HarmMax() { return absl::Milliseconds(300); }

RunResult RunOfSeed() {
  return RunSeed(7, {.harm_max = HarmMax(), .records = true});
}

// The scenario that the shrinker writes for a log.
std::string WriteScenario(const ChoiceLog& log) {
  return tools::ToScenario(
      {.failure = {.sentence = "it was\nnot so", .choices = log}}, "seed 7",
      HarmMax());
}

// The status of the first line that fails.
absl::Status RunLines(Script& script, const std::string& lines) {
  for (const absl::string_view line : absl::StrSplit(lines, '\n')) {
    std::string seen;
    const absl::Status status = script.Run(line, &seen);
    if (!status.ok()) return status;
  }
  return script.End();
}

// Lets the clocks by which leaders grant leases run too fast.
void BreakRateBound(Plan& plan) {
  plan.judge.rate_bound_ppm = 0;
  for (HostOptions& host : plan.hosts) host.clock.slow = Clock(0, 100000);
}

TEST(ReplayTest, RepeatsTheRecordedRun) {
  const RunResult run = RunOfSeed();
  ASSERT_FALSE(run.failed()) << run.violation->sentence;
  const std::string scenario = WriteScenario(run.choices);
  const ScenarioResult result = RunScenario(scenario);
  ASSERT_TRUE(result.complaints.empty()) << result.complaints.front();
  const std::string seen = result.text.substr(scenario.size());
  EXPECT_TRUE(absl::StartsWith(seen, "passed")) << seen;
  EXPECT_TRUE(absl::EndsWith(seen, absl::StrFormat("hash %016x\n", run.hash)))
      << seen;
}

TEST(ReplayTest, RewritingChangesNothing) {
  const std::string once = RunScenario(WriteScenario(RunOfSeed().choices)).text;
  EXPECT_EQ(RunScenario(once).text, once);
}

TEST(ReplayTest, NamesTheBrokenProperty) {
  Script script({.change = BreakRateBound});
  const absl::Status status =
      RunLines(script, "choose plan-nemesis 0 0 = 1\nreplay harm=1s");
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(absl::StrContains(status.message(), "cluster time")) << status;
  EXPECT_TRUE(absl::StrContains(status.message(),
                                "--choices=/tmp/choices "
                                "--harm=1s"))
      << "says how to see the trace: " << status;
}

TEST(ReplayTest, SurvivesAFailedCheck) {
  const absl::StatusOr<std::string> told = Replay(
      ChoiceLog(), {.change = [](Plan&) { CHECK(false) << "on purpose"; }});
  EXPECT_EQ(told.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(absl::StrContains(told.status().message(), "on purpose"))
      << told.status();
}

TEST(ReplayTest, SaysHowAPassedRunEnded) {
  const auto told = [](const std::function<void(Plan&)>& change) {
    return Replay(ChoiceLog(), {.harm_max = HarmMax(), .change = change});
  };
  const auto found_nothing = [](Plan& plan) {
    for (HostOptions& host : plan.hosts) {
      host.node.bootstrap = false;
      host.node.is_own_seed = false;
      host.node.founders.clear();
    }
  };
  const auto work_little = [](Plan& plan) { plan.hosts.resize(1); };
  EXPECT_TRUE(absl::StartsWith(told(found_nothing).value(),
                               "excused: no cluster was born; "));
  EXPECT_TRUE(absl::StartsWith(told(work_little).value(), "passed, vacuous; "));
}

TEST(ReplayTest, UsesTheChoicesSinceTheLastReplay) {
  Script script({.harm_max = HarmMax()});
  const std::string choice = "choose plan-network 0 0 = 1";
  EXPECT_TRUE(RunLines(script, choice + "\nreplay\n" + choice).code() ==
              absl::StatusCode::kFailedPrecondition)
      << "the second is not replayed";
  EXPECT_TRUE(RunLines(script, "replay").ok());
}

struct Bad {
  std::string lines;
  std::string complaint;
};

class BadReplayTest : public testing::TestWithParam<Bad> {};

TEST_P(BadReplayTest, IsRefused) {
  Script script;
  const absl::Status status = RunLines(script, GetParam().lines);
  EXPECT_FALSE(status.ok());
  EXPECT_TRUE(absl::StrContains(status.message(), GetParam().complaint))
      << status;
}

std::string TooMany() {
  std::vector<std::string> lines;
  for (int i = 0; i <= 10000; ++i) {
    lines.push_back(absl::StrCat("choose turn 0 ", i, " = 1"));
  }
  return absl::StrJoin(lines, "\n");
}

constexpr char kNoChoice[] =
    "not a choice: write \"choose <stream> <number> <index> = <value>\"";

INSTANTIATE_TEST_SUITE_P(
    All, BadReplayTest,
    testing::Values(
        Bad{"choose", kNoChoice}, Bad{"choose # turn 0 0 = 1", kNoChoice},
        Bad{"choose turn 0 = 1", kNoChoice},
        Bad{"choose Turn 0 0 = 1", kNoChoice},
        Bad{"choose turn 0 -1 = 1", kNoChoice},
        Bad{"choose turn 0 0 = 18446744073709551616", kNoChoice},
        Bad{"choose turn 0 0 = 1 2", kNoChoice},
        Bad{"choose turn 0 0 = 0", "with a value above 0"},
        Bad{"choose turn 0 0 = 1\nchoose turn 0 0 = 1",
            "chosen before: leave one of them out"},
        Bad{TooMany(), "more than 10000 choices"},
        Bad{"choose turn 0 0 = 1", "write \"replay\" below them"},
        Bad{"replay", "nothing to replay: write the log above it"},
        Bad{"choose turn 0 0 = 1\nreplay harm=soon", "not a replay: harm=soon"},
        Bad{"choose turn 0 0 = 1\nreplay harm=-1s", "not a replay: harm=-1s"},
        Bad{"choose turn 0 0 = 1\nreplay twice", "not a replay: twice"},
        Bad{"expect one cluster", "begin with a cluster"}));

}  // namespace
}  // namespace cachalot::sim
