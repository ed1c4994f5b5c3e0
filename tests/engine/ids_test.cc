#include "engine/ids.h"

#include <cstdint>
#include <limits>
#include <optional>

#include "gtest/gtest.h"

namespace cachalot {
namespace {

TEST(StrongIdTest, CountsFromNoneUpwards) {
  EXPECT_EQ(LogIndex(), LogIndex(0));
  EXPECT_EQ(LogIndex().Next(), LogIndex(1));
  EXPECT_EQ(LogIndex(7).Previous(), LogIndex(6));
  EXPECT_LT(Term(1), Term(2));
}

TEST(WideIdTest, PrintsAllItsDigits) {
  const NodeId id{.high = 0x0123456789abcdefu, .low = 0x1u};
  EXPECT_EQ(id.ToString(), "0123456789abcdef0000000000000001");
  EXPECT_EQ(id.ToShortString(), "01234567");
  EXPECT_EQ((NodeId{.high = 1, .low = 0}).ToShortString(), "00000000");
}

TEST(WideIdTest, IsOrderedByItsHighHalfFirst) {
  EXPECT_LT((NodeId{.high = 1, .low = 9}), (NodeId{.high = 2, .low = 0}));
  EXPECT_LT((NodeId{.high = 1, .low = 1}), (NodeId{.high = 1, .low = 2}));
}

TEST(WideIdTest, IsNoneOnlyWhenItIsAllZero) {
  EXPECT_TRUE(NodeId().IsNone());
  EXPECT_FALSE((NodeId{.high = 0, .low = 1}).IsNone());
  EXPECT_FALSE((NodeId{.high = 1, .low = 0}).IsNone());
}

TEST(SessionIdTest, PrintsItsNodeAndNumber) {
  testing::Message text;
  text << SessionId{.node = {.high = 0xabcdef0100000000u}, .number = 3};
  EXPECT_EQ(text.GetString(), "abcdef01/3");
}

TEST(FencingTokenTest, IsOrderedAsNumbersAre) {
  EXPECT_LT(FencingToken(), FencingToken(1));
  EXPECT_LT(FencingToken(9), FencingToken(10));
  EXPECT_TRUE(FencingToken().IsNone());
  EXPECT_FALSE(FencingToken(1).IsNone());
}

TEST(FencingTokenTest, FitsASignedColumn) {
  EXPECT_EQ(FencingToken::kMax,
            static_cast<uint64_t>(std::numeric_limits<int64_t>::max()));
}

TEST(FencingTokenTest, ComesBackFromItsText) {
  for (const uint64_t number :
       {uint64_t{1}, uint64_t{1795857005123456789}, FencingToken::kMax}) {
    const FencingToken token(number);
    EXPECT_EQ(FencingToken::Parse(token.ToString()), token);
  }
  EXPECT_EQ(FencingToken(1795857005123456789).ToString(),
            "1795857005123456789");
}

TEST(FencingTokenTest, RefusesTextThatIsNotAToken) {
  for (const char* text :
       {"", "0", "-1", "+1", " 1", "1 ", "0x1", "1.0", "1763913600.17.0", "x",
        "9223372036854775808", "18446744073709551617"}) {
    EXPECT_EQ(FencingToken::Parse(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace cachalot
