#include "engine/random.h"

#include <algorithm>
#include <array>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace cachalot {
namespace {

// Whatever changes these numbers changes every recorded run.
TEST(RandomTest, DrawsTheSameNumbersForEver) {
  Random random(/*seed=*/1);
  EXPECT_EQ(random.Next(), 0xb3f2af6d0fc710c5u);
  EXPECT_EQ(random.Next(), 0x853b559647364ceau);
  EXPECT_EQ(random.Next(), 0x92f89756082a4514u);
  Random named(/*seed=*/1, "election", /*number=*/2);
  EXPECT_EQ(named.Next(), 0x8a5132e26f468070u);
  EXPECT_EQ(StableHash(""), 0xc3817c016ba4ff30u);
  EXPECT_EQ(StableHash("cachalot"), 0xc95bed146f2a2bc3u);
}

TEST(RandomTest, GivesEachNameAndNumberAStreamOfItsOwn) {
  const std::array<uint64_t, 4> first = {
      Random(1, "a", 0).Next(), Random(1, "a", 1).Next(),
      Random(1, "b", 0).Next(), Random(2, "a", 0).Next()};
  for (size_t i = 0; i < first.size(); ++i) {
    for (size_t j = 0; j < i; ++j) EXPECT_NE(first[i], first[j]);
  }
}

TEST(RandomTest, StaysWithinItsBounds) {
  Random random(/*seed=*/3);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_LT(random.Below(7), 7u);
    const uint64_t between = random.Between(uint64_t{5}, uint64_t{6});
    EXPECT_TRUE(between == 5 || between == 6);
    const absl::Duration wait =
        random.Between(absl::Milliseconds(1), absl::Milliseconds(2));
    EXPECT_GE(wait, absl::Milliseconds(1));
    EXPECT_LE(wait, absl::Milliseconds(2));
  }
  EXPECT_EQ(random.Below(1), 0u);
  EXPECT_EQ(random.Between(uint64_t{9}, uint64_t{9}), 9u);
  random.Between(uint64_t{0}, UINT64_MAX);
}

TEST(RandomTest, DrawsEachNumberAboutAsOften) {
  Random random(/*seed=*/4);
  std::array<int, 10> counts{};
  for (int i = 0; i < 10'000; ++i) ++counts[random.Below(10)];
  for (const int count : counts) {
    EXPECT_GT(count, 900);
    EXPECT_LT(count, 1100);
  }
}

TEST(RandomTest, KnowsNeverAndAlways) {
  Random random(/*seed=*/5);
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(random.Chance(0, 10));
    EXPECT_TRUE(random.Chance(10, 10));
  }
}

TEST(RandomTest, ShufflesWithoutLoss) {
  Random random(/*seed=*/6);
  std::vector<int> items = {0, 1, 2, 3, 4, 5, 6, 7};
  const std::vector<int> sorted = items;
  random.Shuffle(items);
  EXPECT_NE(items, sorted);
  std::sort(items.begin(), items.end());
  EXPECT_EQ(items, sorted);
}

TEST(RandomTest, CopiesGoOnAlike) {
  Random random(/*seed=*/7);
  random.Next();
  Random copy = random;
  EXPECT_EQ(copy.Next(), random.Next());
  EXPECT_EQ(copy, random);
}

}  // namespace
}  // namespace cachalot
