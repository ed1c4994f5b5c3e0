#include "sim/run/verify.h"

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace cachalot::sim {
namespace {

// A run of `length` steps that differs from step `differs_from` on.
Rerun Pretend(uint64_t length, uint64_t differs_from) {
  return [=](const CheckpointOptions& options) {
    const auto at = [=](uint64_t step) {
      const uint64_t offset = step >= differs_from ? 1000000 : 0;
      return Checkpoint{
          step, step + offset,
          options.with_lines ? absl::StrCat(step, ":", offset) : ""};
    };
    std::vector<Checkpoint> taken;
    for (uint64_t step = options.first; step <= length && step <= options.last;
         step += options.every) {
      taken.push_back(at(step));
    }
    Checkpoint last = at(length);
    last.line.clear();
    taken.push_back(last);
    return taken;
  };
}

constexpr uint64_t kNever = UINT64_MAX;

TEST(VerifyTest, EqualRunsDoNotDiffer) {
  EXPECT_FALSE(
      FindDifference(Pretend(5000, kNever), Pretend(5000, kNever)).has_value());
}

TEST(VerifyTest, FindsTheFirstStepThatDiffers) {
  for (const uint64_t step :
       {1u, 2u, 1024u, 1025u, 1026u, 3000u, 4999u, 5000u}) {
    const std::optional<Difference> difference =
        FindDifference(Pretend(5000, kNever), Pretend(5000, step));
    ASSERT_TRUE(difference.has_value()) << step;
    EXPECT_EQ(difference->step, step);
  }
}

TEST(VerifyTest, DescribesTheStepInBothRuns) {
  const std::optional<Difference> difference =
      FindDifference(Pretend(5000, kNever), Pretend(5000, 1234));
  ASSERT_TRUE(difference.has_value());
  EXPECT_EQ(difference->first, "1234:0");
  EXPECT_EQ(difference->second, "1234:1000000");
}

// The runs are equal until the shorter one ends.
TEST(VerifyTest, AShorterRunDiffers) {
  const std::optional<Difference> difference =
      FindDifference(Pretend(5000, kNever), Pretend(4000, kNever));
  ASSERT_TRUE(difference.has_value());
  EXPECT_GE(difference->step, 4000u);
  EXPECT_LE(difference->step, 4001u);
}

}  // namespace
}  // namespace cachalot::sim
