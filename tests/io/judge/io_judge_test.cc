// The lock service, its handles and the local server, judged in virtual time.
//
//   tools/bazel run -c opt //tests/io/judge:io_judge_test -- --seeds=1..10000
//   tools/bazel run //tests/io/judge:io_judge_test -- --seed=7
//
// The second tells the story of one seed.

#include <cstdint>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "gtest/gtest.h"
#include "tests/io/judge/run.h"

namespace cachalot::io_judge {
namespace {

constexpr uint64_t kSeeds = 300;

// True if nothing was wrong; prints what was, and how to see it again.
bool Passes(uint64_t seed, JudgeCounters* counters = nullptr) {
  const Verdict verdict = RunSeed(seed);
  if (counters != nullptr) {
    counters->grants += verdict.counters.grants;
    counters->local_grants += verdict.counters.local_grants;
    counters->losses_told += verdict.counters.losses_told;
    counters->answers += verdict.counters.answers;
    counters->releases += verdict.counters.releases;
    counters->revocations += verdict.counters.revocations;
    counters->stops += verdict.counters.stops;
    counters->forks += verdict.counters.forks;
  }
  if (!verdict.complaint.has_value()) return true;
  std::cout << "seed " << seed << " FAILED: " << *verdict.complaint
            << "\n  tools/bazel run //tests/io/judge:io_judge_test -- --seed="
            << seed << "\n";
  return false;
}

TEST(IoJudgeTest, NoSeedBreaksAProperty) {
  JudgeCounters counters;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    // The first is enough: the others of the same kind only take time.
    ASSERT_TRUE(Passes(seed, &counters));
  }
  // There was something to judge.
  EXPECT_GT(counters.grants, kSeeds * 10);
  EXPECT_GT(counters.local_grants, kSeeds * 3);
  EXPECT_GT(counters.losses_told, kSeeds);
  EXPECT_GT(counters.releases, kSeeds * 5);
  EXPECT_GT(counters.revocations, kSeeds);
  EXPECT_GT(counters.stops, kSeeds);
  EXPECT_GT(counters.forks, kSeeds / 4);
}

TEST(IoJudgeTest, OneSeedIsOneRun) {
  for (const uint64_t seed : {3u, 4u, 5u}) {
    EXPECT_EQ(RunSeed(seed).hash, RunSeed(seed).hash) << "seed " << seed;
  }
  EXPECT_NE(RunSeed(3).hash, RunSeed(4).hash);
}

TEST(IoJudgeTest, SeedsThatOnceFailedPass) {
  std::ifstream file("tests/io/judge/seeds.txt");
  ASSERT_TRUE(file.is_open());
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    uint64_t seed = 0;
    ASSERT_TRUE(absl::SimpleAtoi(line.substr(0, line.find(' ')), &seed))
        << line;
    EXPECT_TRUE(Passes(seed)) << line;
  }
}

// "1..100"
std::optional<std::pair<uint64_t, uint64_t>> ParseRange(
    absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, "..");
  std::pair<uint64_t, uint64_t> range;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &range.first) ||
      !absl::SimpleAtoi(parts[1], &range.second)) {
    return std::nullopt;
  }
  return range;
}

// The exit code, if the arguments ask for something else than the tests.
std::optional<int> RunAsAsked(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    absl::string_view argument = argv[i];
    uint64_t seed = 0;
    if (absl::ConsumePrefix(&argument, "--seed=") &&
        absl::SimpleAtoi(argument, &seed)) {
      const Verdict verdict = RunSeed(seed, &std::cout);
      return verdict.complaint.has_value() ? 1 : 0;
    }
    if (!absl::ConsumePrefix(&argument, "--seeds=")) continue;
    const auto range = ParseRange(argument);
    if (!range.has_value()) {
      std::cerr << "say --seeds=FIRST..LAST\n";
      return 2;
    }
    uint64_t failed = 0;
    for (uint64_t s = range->first; s <= range->second; ++s) {
      if (!Passes(s)) ++failed;
    }
    std::cout << failed << " of " << range->second - range->first + 1
              << " seeds failed\n";
    return failed == 0 ? 0 : 1;
  }
  return std::nullopt;
}

}  // namespace
}  // namespace cachalot::io_judge

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  const std::optional<int> code = cachalot::io_judge::RunAsAsked(argc, argv);
  return code.has_value() ? *code : RUN_ALL_TESTS();
}
