#include "sim/run/runner.h"

#include <algorithm>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "sim/run/nemesis.h"
#include "sim/run/plan.h"
#include "sim/world/choices.h"
#include "sim/world/clock.h"
#include "sim/world/fault.h"
#include "sim/world/network.h"
#include "sim/world/world.h"

namespace cachalot::sim {
namespace {

// Always the same seeds; commit_seeds_test runs others for each commit.
constexpr uint64_t kGroups = 8;
constexpr uint64_t kSeedsPerGroup = 10;

// Shorter than a campaign's runs, so that many fit into a test that was built
// without optimisation.
absl::Duration HarmMax() { return absl::Seconds(5); }

// The plan of a seed, which a test may change before it runs it.
struct SeededRun {
  explicit SeededRun(uint64_t seed, absl::Duration harm_max = HarmMax())
      : choices(seed), plan(Plan::Draw(&choices)) {
    plan.harm = std::min(plan.harm, harm_max);
  }

  ChoiceSource choices;
  Plan plan;
};

// Prints the command to replay it first, because the run may fail a CHECK.
void RunAndExpectPass(uint64_t seed, absl::Duration harm_max) {
  std::cerr << "replay: tools/bazel run -c opt //tools:simulate -- --seed="
            << seed << " --harm=" << harm_max << " --trace\n";
  const RunResult result = RunSeed(seed, {.harm_max = harm_max});
  EXPECT_FALSE(result.failed())
      << "seed " << seed << ": " << result.violation->sentence << " (step "
      << result.violation->step << ")";
}

// One group of seeds; Bazel's shards run different groups.
class RunnerTest : public testing::TestWithParam<uint64_t> {};

TEST_P(RunnerTest, EverySeedPasses) {
  for (uint64_t i = 1; i <= kSeedsPerGroup; ++i) {
    RunAndExpectPass(GetParam() * kSeedsPerGroup + i, HarmMax());
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RunnerTest,
                         testing::Range(uint64_t{0}, kGroups));

// seeds.txt: "<seed> <what it found>", and lines of comment.
TEST(SeedsTest, SeedsThatOnceFailedPass) {
  std::ifstream file("tests/sim/seeds.txt");
  ASSERT_TRUE(file.is_open());
  std::string line;
  while (std::getline(file, line)) {
    if (line.empty() || line[0] == '#') continue;
    const std::vector<std::string> parts =
        absl::StrSplit(line, absl::MaxSplits(' ', 1));
    uint64_t seed = 0;
    ASSERT_TRUE(absl::SimpleAtoi(parts[0], &seed)) << line;
    ASSERT_EQ(parts.size(), 2u) << "say what it found: " << line;
    RunAndExpectPass(seed, absl::InfiniteDuration());
  }
}

TEST(SeedsTest, OneSeedIsOneRun) {
  const RunResult once = RunSeed(7, {.harm_max = HarmMax()});
  const RunResult again = RunSeed(7, {.harm_max = HarmMax()});
  EXPECT_EQ(once.hash, again.hash);
  EXPECT_EQ(once.steps, again.steps);
  EXPECT_NE(once.hash, RunSeed(8, {.harm_max = HarmMax()}).hash);
}

// The judges see the world: clocks that break the assumptions of the leases
// lead to a violation.
TEST(SeedsTest, HoldersWithClocksTooSlowAreCaught) {
  bool is_caught = false;
  for (uint64_t seed = 1; seed <= 60 && !is_caught; ++seed) {
    SeededRun run(seed);
    Plan& plan = run.plan;
    plan.nemesis.weights[static_cast<size_t>(Fault::kClockRates)] = 0;
    plan.nemesis.weights[static_cast<size_t>(Fault::kPartition)] = 10;
    for (HostOptions& host : plan.hosts) {
      host.clock.fast = Clock(0, -600000);  // the bound is a tenth at most
    }
    const RunResult result = RunPlan(plan, &run.choices);
    is_caught = result.failed() && absl::StrContains(result.violation->sentence,
                                                     "is believed in until");
  }
  EXPECT_TRUE(is_caught);
}

TEST(SeedsTest, LeadersWithClocksTooFastAreCaught) {
  SeededRun run(1);
  Plan& plan = run.plan;
  plan.judge.rate_bound_ppm = 0;
  for (HostOptions& host : plan.hosts) host.clock.slow = Clock(0, 100000);
  const RunResult result = RunPlan(plan, &run.choices);
  ASSERT_TRUE(result.failed());
  EXPECT_TRUE(absl::StrContains(result.violation->sentence, "cluster time"))
      << result.violation->sentence;
}

// A founder without a memory forgets that it has founded a cluster, and founds
// another.
TEST(SeedsTest, ASecondFoundingIsCaught) {
  bool is_caught = false;
  for (uint64_t seed = 1; seed <= 400 && !is_caught; ++seed) {
    SeededRun run(seed, absl::Seconds(20));
    if (!run.plan.founds_again || run.plan.hosts[0].keeps_disk) continue;
    for (HostOptions& host : run.plan.hosts) host.keeps_memory = false;
    run.plan.nemesis.weights[static_cast<size_t>(Fault::kCrash)] = 10;
    run.plan.judge.one_birth = true;
    const RunResult result = RunPlan(run.plan, &run.choices);
    is_caught = result.failed() && absl::StrContains(result.violation->sentence,
                                                     "was born beside");
  }
  EXPECT_TRUE(is_caught);
}

// A fault that no node notices tests nothing. If most runs are excused, or
// hardly any lock is granted, the seeds prove little.
TEST(SeedsTest, EveryFaultReachesTheNodes) {
  FaultCounts faults;
  uint64_t grants = 0;
  uint64_t excused = 0;
  for (uint64_t seed = 1; seed <= 80; ++seed) {
    const RunResult result = RunSeed(seed, {.harm_max = HarmMax()});
    faults.Add(result.faults);
    grants += result.grants;
    if (!result.excuse.empty()) ++excused;
  }
  for (size_t i = 0; i < kFaultCount; ++i) {
    const auto fault = static_cast<Fault>(i);
    EXPECT_GT(faults.At(fault).observed, 0u) << FaultName(fault);
  }
  EXPECT_GT(grants, 1000u);
  EXPECT_LT(excused, 16u);
}

// A rate that is wrong by a factor would hide bugs for years.
TEST(SeedsTest, InjectedRatesMatchTheConfiguredOnes) {
  FaultCounts faults;
  uint64_t runs = 0;
  uint64_t sent = 0;
  while (sent < 10000) {
    SeededRun run(++runs, absl::Seconds(15));
    NetworkOptions& network = run.plan.world.network;
    network.loss = Rate::Percent(10);
    network.duplication = Rate::Percent(5);
    network.corruption = Rate::Percent(2);
    run.plan.nemesis.weights.fill(0);
    run.plan.nemesis.weights[static_cast<size_t>(Fault::kPause)] = 1;
    run.plan.nemesis.fault_interval = absl::Milliseconds(500);
    run.plan.harm = absl::Seconds(15);
    const RunResult result = RunPlan(run.plan, &run.choices);
    EXPECT_FALSE(result.failed());
    faults.Add(result.faults);
    sent += result.network.datagrams_sent;
  }
  // About one in ten was sent to the sender itself, or in the healed world.
  const auto share = [&](Fault fault) {
    return static_cast<double>(faults.At(fault).applied) /
           static_cast<double>(sent);
  };
  EXPECT_NEAR(share(Fault::kLoss), 0.09, 0.012);
  EXPECT_NEAR(share(Fault::kDuplication), 0.04, 0.007);
  EXPECT_NEAR(share(Fault::kCorruption), 0.018, 0.004);
  EXPECT_NEAR(static_cast<double>(faults.At(Fault::kPause).attempted) /
                  static_cast<double>(runs),
              30, 5);
}

// Of three or more machines, chance rarely puts all on one side.
TEST(SeedsTest, PartitionsHaveSides) {
  FaultCount partitions;
  for (uint64_t seed = 1; partitions.attempted < 200; ++seed) {
    SeededRun run(seed, absl::Seconds(10));
    if (run.plan.hosts.size() < 3) continue;
    run.plan.nemesis.weights.fill(0);
    run.plan.nemesis.weights[static_cast<size_t>(Fault::kPartition)] = 1;
    run.plan.nemesis.fault_interval = absl::Milliseconds(500);
    // Shorter than the interval: there is only one partition at a time.
    run.plan.nemesis.partition = {absl::Milliseconds(1), absl::Milliseconds(9)};
    const RunResult result = RunPlan(run.plan, &run.choices);
    EXPECT_FALSE(result.failed());
    const FaultCount& count = result.faults.At(Fault::kPartition);
    partitions.attempted += count.attempted;
    partitions.applied += count.applied;
  }
  EXPECT_GT(partitions.applied * 10, partitions.attempted * 7);
}

}  // namespace
}  // namespace cachalot::sim
