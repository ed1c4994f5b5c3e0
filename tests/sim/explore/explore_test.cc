#include <cstdint>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "engine/random.h"
#include "gtest/gtest.h"
#include "sim/explore/beginning.h"
#include "sim/explore/choice.h"
#include "sim/explore/explorer.h"
#include "sim/explore/small_world.h"
#include "sim/explore/story.h"
#include "sim/explore/turn_cache.h"
#include "sim/explore/walker.h"

namespace cachalot::sim {
namespace {

Budget OnlyTime() {
  Budget budget;
  budget[Bounded::kWakes] = kUnlimited;
  return budget;
}

// One fault of each kind.
Budget SomeFaults() {
  Budget budget;
  for (uint16_t& left : budget.left) left = 1;
  budget[Bounded::kWakes] = kUnlimited;
  budget[Bounded::kLateWakes] = 4;
  return budget;
}

Choice DrawChoice(const SmallWorld& world, Random& random) {
  const std::vector<Choice> choices = world.Choices();
  return choices[static_cast<size_t>(random.Below(choices.size()))];
}

// --- Choices -----------------------------------------------------------------

TEST(ChoiceTest, APathIsReadBackFromItsText) {
  const Path path = {
      {.kind = Choice::Kind::kDeliver, .which = 12},
      {.kind = Choice::Kind::kHearBreak, .other = 3, .which = 1},
      {.kind = Choice::Kind::kDouble},
      {.kind = Choice::Kind::kCrash, .other = 1, .which = 2},
      {.kind = Choice::Kind::kBendClock, .which = 3},
  };
  EXPECT_EQ(ToString(path), "d12,h1.3,u0,c2.1,k3");
  EXPECT_EQ(ParsePath(ToString(path)), path);
  EXPECT_EQ(ParsePath(""), Path());
}

TEST(ChoiceTest, AMalformedPathIsRefused) {
  for (const char* text :
       {"d", "z1", "d1.", "d1.2.3", "d1,,d2", "d-1", "w99999", "h1.300"}) {
    EXPECT_EQ(ParsePath(text), std::nullopt) << text;
  }
}

// --- Worlds ------------------------------------------------------------------

class SmallWorldTest : public testing::TestWithParam<Beginning> {};

TEST_P(SmallWorldTest, ACopyIsIndependentAndBehavesLikeTheOriginal) {
  TurnCache turns(/*turns_max=*/0);
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    Random random(seed);
    SmallWorld original = Begin({.budget = SomeFaults()}, GetParam());
    for (int i = 0; i < 60; ++i) {
      const uint64_t before = original.ComputeFingerprint();
      SmallWorld copy = original;
      const Choice choice = DrawChoice(original, random);
      copy.Take(choice, turns);
      ASSERT_EQ(original.ComputeFingerprint(), before);
      original.Take(choice, turns);
      ASSERT_EQ(original.ComputeFingerprint(), copy.ComputeFingerprint());
    }
  }
}

// If a fingerprint left out part of the state, different turns would share a
// cache entry, and this would fail.
TEST_P(SmallWorldTest, CachedTurnsEqualComputedTurns) {
  TurnCache fresh(/*turns_max=*/0);
  TurnCache known(/*turns_max=*/100000);
  for (uint64_t walk = 1; walk <= 30; ++walk) {
    Random random(walk % 10 + 1);  // walks that diverge late
    SmallWorld one = Begin({.budget = SomeFaults()}, GetParam());
    SmallWorld other = one;
    for (uint64_t i = 0; i < 60; ++i) {
      if (i == 2 * walk) random = Random(walk);
      const Choice choice = DrawChoice(one, random);
      one.Take(choice, fresh);
      other.Take(choice, known);
      ASSERT_EQ(one.ComputeFingerprint(), other.ComputeFingerprint());
      ASSERT_EQ(one.Choices(), other.Choices());
    }
  }
  EXPECT_GT(known.found(), 300u);
}

TEST_P(SmallWorldTest, AHealedWorldMakesProgress) {
  TurnCache turns(/*turns_max=*/0);
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    Random random(seed);
    SmallWorld world = Begin({.budget = SomeFaults()}, GetParam());
    for (int i = 0; i < 40; ++i) world.Take(DrawChoice(world, random), turns);
    EXPECT_EQ(CheckProgress(world, turns), std::nullopt);
  }
}

INSTANTIATE_TEST_SUITE_P(Beginnings, SmallWorldTest,
                         testing::Values(Beginning::kBirth, Beginning::kFounded,
                                         Beginning::kLed,
                                         Beginning::kContended),
                         [](const auto& info) {
                           return std::string(BeginningName(info.param));
                         });

// --- Exploring ---------------------------------------------------------------

class ExplorerTest : public testing::TestWithParam<Beginning> {};

TEST_P(ExplorerTest, FindsNoViolationInTheFirstStates) {
  Explorer explorer({.states_max = 40000, .progress_every = 4000});
  const ExploreResult result = explorer.Run(Begin({}, GetParam()));
  EXPECT_FALSE(result.violation.has_value())
      << result.violation->sentence << " after "
      << ToString(result.violation->path);
  EXPECT_GT(result.depth, 4u);
  EXPECT_GT(result.duplicates, result.states / 4);
  EXPECT_GT(result.progress_checks, 0u);
}

INSTANTIATE_TEST_SUITE_P(Beginnings, ExplorerTest,
                         testing::Values(Beginning::kBirth, Beginning::kFounded,
                                         Beginning::kLed,
                                         Beginning::kContended),
                         [](const auto& info) {
                           return std::string(BeginningName(info.param));
                         });

TEST(ExplorerTest, ExplorationIsDeterministic) {
  const SmallWorld world = Begin({}, Beginning::kLed);
  const ExploreResult once = Explorer({.states_max = 10000}).Run(world);
  const ExploreResult again = Explorer({.states_max = 10000}).Run(world);
  // A small cache may change the run time only.
  const ExploreResult forgetful =
      Explorer({.states_max = 10000, .turns_max = 100}).Run(world);
  EXPECT_EQ(once.hash, again.hash);
  EXPECT_EQ(once.hash, forgetful.hash);
  EXPECT_EQ(once.transitions, again.transitions);
}

// One client, no faults and one wake: all states are explored.
TEST(ExplorerTest, ASmallWorldIsExploredCompletely) {
  SmallOptions options{.clients = 1, .budget = Budget()};
  options.budget[Bounded::kWakes] = 1;
  Explorer explorer({.states_max = 200000});
  const ExploreResult result = explorer.Run(Begin(options, Beginning::kLed));
  EXPECT_TRUE(result.fixpoint);
  EXPECT_FALSE(result.violation.has_value());
  EXPECT_GT(result.depth, 10u);
}

// --- Violations are found ----------------------------------------------------

// A holder whose clock is too slow believes in a lock that others were granted.
SmallOptions ClocksBeyondTheBound() {
  SmallOptions options{.bend_ppm = 600000, .budget = OnlyTime()};
  options.budget[Bounded::kBends] = 1;
  return options;
}

TEST(ExplorerTest, ClocksBeyondTheBoundAreFoundByAShortestPath) {
  const SmallOptions options = ClocksBeyondTheBound();
  Explorer explorer({});
  const ExploreResult result =
      explorer.Run(Begin(options, Beginning::kContended));
  ASSERT_TRUE(result.violation.has_value());
  EXPECT_TRUE(absl::StrContains(result.violation->sentence, "two holders of k"))
      << result.violation->sentence;
  EXPECT_EQ(result.violation->path.size(), result.depth + 1);

  std::ostringstream story;
  EXPECT_EQ(
      TellStory(options, Beginning::kContended, result.violation->path, story),
      result.violation->sentence);
  EXPECT_TRUE(absl::StrContains(story.str(), "the clocks of n1 bend"))
      << story.str();
  EXPECT_TRUE(absl::StrContains(story.str(), "propose expiry")) << story.str();
}

TEST(ExplorerTest, ClocksWithinTheBoundBreakNothing) {
  SmallOptions options = ClocksBeyondTheBound();
  options.bend_ppm = 1000;
  Explorer explorer({.states_max = 20000});
  EXPECT_FALSE(explorer.Run(Begin(options, Beginning::kContended))
                   .violation.has_value());
}

TEST(WalkerTest, ClocksBeyondTheBoundAreFoundByPriorities) {
  const SmallOptions options = ClocksBeyondTheBound();
  Walker walker({.schedules = 20000, .length = 40, .progress_every = 0});
  const WalkResult result = walker.Run(Begin(options, Beginning::kLed));
  ASSERT_TRUE(result.violation.has_value());
  // Two beliefs at once, or an older grant that is told after a newer one.
  const std::string& sentence = result.violation->sentence;
  EXPECT_TRUE(absl::StrContains(sentence, "two holders of k") ||
              absl::StrContains(sentence, "after it had been granted"))
      << sentence;
  std::ostringstream story;
  EXPECT_EQ(TellStory(options, Beginning::kLed, result.violation->path, story),
            sentence);
}

TEST(WalkerTest, FindsNoViolationInManyWalks) {
  for (const uint64_t depth : std::vector<uint64_t>{0, 2, 4}) {
    Walker walker(
        {.schedules = 60, .length = 150, .depth = depth, .progress_every = 20});
    const WalkResult result = walker.Run(
        Begin({.operations = 3, .budget = SomeFaults()}, Beginning::kLed));
    EXPECT_FALSE(result.violation.has_value())
        << result.violation->sentence << " after "
        << ToString(result.violation->path);
    EXPECT_EQ(result.schedules, 60u);
  }
}

TEST(WalkerTest, ASeedDeterminesAllWalks) {
  const SmallWorld world = Begin({.budget = SomeFaults()}, Beginning::kLed);
  const WalkOptions options{.schedules = 10};
  EXPECT_EQ(Walker(options).Run(world).hash, Walker(options).Run(world).hash);
  EXPECT_NE(Walker(options).Run(world).hash,
            Walker({.seed = 2, .schedules = 10}).Run(world).hash);
}

// --- Stories -----------------------------------------------------------------

TEST(StoryTest, AnImpossibleChoiceEndsTheReplay) {
  std::ostringstream story;
  const Complaint complaint =
      TellStory({}, Beginning::kLed, *ParsePath("a1,d200"), story);
  ASSERT_TRUE(complaint.has_value());
  EXPECT_TRUE(
      absl::StrContains(*complaint, "this choice is not possible here"));
  EXPECT_TRUE(absl::StrContains(story.str(), "client 1 asks")) << story.str();
}

}  // namespace
}  // namespace cachalot::sim
