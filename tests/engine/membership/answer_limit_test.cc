#include "engine/membership/answer_limit.h"

#include <cstdint>

#include "engine/ids.h"
#include "engine/instant.h"
#include "gtest/gtest.h"

namespace cachalot {
namespace {

NodeId Id(uint64_t number) { return {.high = 0, .low = number}; }

SlowInstant AtMs(int64_t milliseconds) {
  return SlowInstant::FromNanoseconds(milliseconds * 1'000'000);
}

TEST(AnswerLimitTest, AllowsOneAnswerPerSecondAndPeer) {
  AnswerLimit limit;
  EXPECT_TRUE(limit.Allow(AtMs(0), Id(1)));
  EXPECT_FALSE(limit.Allow(AtMs(999), Id(1)));
  EXPECT_TRUE(limit.Allow(AtMs(999), Id(2)));
  EXPECT_TRUE(limit.Allow(AtMs(1000), Id(1)));
}

TEST(AnswerLimitTest, RemembersABoundedNumberOfPeers) {
  AnswerLimit limit;
  for (uint64_t i = 0; i < AnswerLimit::kMax; ++i) {
    ASSERT_TRUE(limit.Allow(AtMs(0), Id(i)));
  }
  EXPECT_FALSE(limit.Allow(AtMs(0), Id(AnswerLimit::kMax)));
  EXPECT_TRUE(limit.Allow(AtMs(1000), Id(AnswerLimit::kMax)));
}

}  // namespace
}  // namespace cachalot
