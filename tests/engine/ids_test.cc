#include "engine/ids.h"

#include <optional>
#include <sstream>
#include <vector>

#include "absl/numeric/int128.h"
#include "gtest/gtest.h"

namespace cachalot {
namespace {

FencingToken Token(uint64_t epoch, uint64_t index, uint32_t sequence) {
  return {
      .epoch = Epoch(epoch), .index = LogIndex(index), .sequence = sequence};
}

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

TEST(FencingTokenTest, IsOrderedByEpochThenIndexThenSequence) {
  const std::vector<FencingToken> rising = {Token(0, 0, 0), Token(0, 0, 1),
                                            Token(0, 1, 0), Token(0, 9, 9),
                                            Token(1, 0, 0), Token(1, 1, 1)};
  for (size_t i = 1; i < rising.size(); ++i) {
    EXPECT_LT(rising[i - 1], rising[i]);
    EXPECT_LT(rising[i - 1].ToNumber(), rising[i].ToNumber());
  }
}

TEST(FencingTokenTest, ComesBackFromItsText) {
  for (const FencingToken& token :
       {Token(1763913600, 17, 0), Token(1, 1, UINT32_MAX),
        Token((uint64_t{1} << 48) - 1, (uint64_t{1} << 48) - 1, 1)}) {
    EXPECT_EQ(FencingToken::Parse(token.ToString()), token);
  }
  EXPECT_EQ(Token(1763913600, 17, 0).ToString(), "1763913600.17.0");
}

TEST(FencingTokenTest, ComesBackFromItsNumber) {
  const FencingToken token = Token(1763913600, 17, 5);
  std::ostringstream text;
  text << token.ToNumber();
  EXPECT_EQ(FencingToken::Parse(text.str()), token);
}

TEST(FencingTokenTest, RefusesTextThatIsNotAToken) {
  for (const char* text :
       {"", ".", "1.2", "1.2.3.4", "a.b.c", "1..2", "-1.2.3", "1.2.4294967296",
        "x", "340282366920938463463374607431768211456"}) {
    EXPECT_EQ(FencingToken::Parse(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace cachalot
