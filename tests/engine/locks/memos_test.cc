#include "engine/locks/memos.h"

#include <cstdint>
#include <variant>

#include "engine/ids.h"
#include "engine/limits.h"
#include "engine/request.h"
#include "gtest/gtest.h"

namespace cachalot {
namespace {

Decided WithToken(uint64_t index) { return {.token = FencingToken(index)}; }

// The index put with WithToken; 0 if nothing was.
uint64_t IndexAt(const Memos& memos, uint64_t sequence) {
  const auto* decided = std::get_if<Decided>(&memos.Find(Sequence(sequence)));
  return decided == nullptr ? 0 : decided->token.number();
}

TEST(MemosTest, KeepsWhatWasPutInAnyOrder) {
  Memos memos;
  memos.Put(Sequence(3), WithToken(30));
  memos.Put(Sequence(1), WithToken(10));
  EXPECT_EQ(IndexAt(memos, 1), 10u);
  EXPECT_EQ(IndexAt(memos, 2), 0u);
  EXPECT_EQ(IndexAt(memos, 3), 30u);
  EXPECT_EQ(IndexAt(memos, 4), 0u);
  EXPECT_EQ(memos.end(), Sequence(4));
}

TEST(MemosTest, ForgetsFromTheFrontAndNeverGoesBack) {
  Memos memos;
  for (uint64_t i = 1; i <= 100; ++i) memos.Put(Sequence(i), WithToken(i));
  for (uint64_t first = 2; first <= 100; ++first) {
    memos.ForgetBelow(Sequence(first));
    EXPECT_EQ(memos.first(), Sequence(first));
    EXPECT_TRUE(memos.IsForgotten(Sequence(first - 1)));
    EXPECT_EQ(IndexAt(memos, first - 1), 0u);
    EXPECT_EQ(IndexAt(memos, first), first);
    EXPECT_EQ(IndexAt(memos, 100), 100u);
  }
  memos.ForgetBelow(Sequence(5));
  EXPECT_EQ(memos.first(), Sequence(100));
}

TEST(MemosTest, ForgettingPastTheEndLeavesAnEmptyWindowThere) {
  Memos memos;
  memos.Put(Sequence(1), WithToken(1));
  memos.ForgetBelow(Sequence(1000));
  EXPECT_EQ(memos.first(), Sequence(1000));
  EXPECT_EQ(memos.end(), Sequence(1000));
  memos.Put(Sequence(1000), WithToken(7));
  EXPECT_EQ(IndexAt(memos, 1000), 7u);
}

TEST(MemosTest, KeepsWhatWaitsUntilItIsDecided) {
  Memos memos;
  memos.Put(Sequence(1), Waiting{});
  memos.Put(Sequence(2), WithToken(2));
  memos.ForgetBelow(Sequence(1000));
  EXPECT_TRUE(std::holds_alternative<Waiting>(memos.Find(Sequence(1))));
  EXPECT_EQ(memos.waiting_below().size(), 1u);
  memos.Put(Sequence(1), WithToken(3));
  EXPECT_TRUE(std::holds_alternative<Unseen>(memos.Find(Sequence(1))));
  EXPECT_TRUE(memos.waiting_below().empty());
}

TEST(MemosTest, HasRoomForOneWindow) {
  Memos memos;
  EXPECT_FALSE(memos.HasRoomFor(Sequence(0)));
  EXPECT_TRUE(memos.HasRoomFor(Sequence(1)));
  EXPECT_TRUE(memos.HasRoomFor(Sequence(limits::kRequestsPerSessionMax)));
  EXPECT_FALSE(memos.HasRoomFor(Sequence(limits::kRequestsPerSessionMax + 1)));
}

TEST(MemosTest, TheLastNumberIsNotUsed) {
  Memos memos;
  memos.ForgetBelow(Sequence(UINT64_MAX));
  EXPECT_FALSE(memos.HasRoomFor(Sequence(UINT64_MAX)));
  EXPECT_EQ(memos.end(), Sequence(UINT64_MAX));
}

}  // namespace
}  // namespace cachalot
