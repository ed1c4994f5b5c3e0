#include "engine/membership/member_list.h"

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "engine/address.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/member.h"
#include "engine/wire/message.h"
#include "gtest/gtest.h"

namespace cachalot {
namespace {

constexpr std::array kStates = {MemberState::kAlive, MemberState::kSuspect,
                                MemberState::kFailed, MemberState::kLeft};

NodeId Id(uint64_t number) { return {.high = 0, .low = number}; }

SlowInstant At(int64_t seconds) {
  return SlowInstant::FromNanoseconds(seconds * 1'000'000'000);
}

MemberFact Fact(uint64_t number, MemberState state, uint64_t incarnation = 0) {
  const uint16_t port = static_cast<uint16_t>(7000 + number);
  return {.id = Id(number),
          .address = Address::V4(127, 0, 0, 1, port),
          .name = "n",
          .incarnation = incarnation,
          .state = state};
}

// Rows: what is known. Columns: the news. In the order alive, suspect, failed,
// left. 'x': the news is taken.
constexpr const char* kLowerIncarnation[] = {"----", "----", "----", "----"};
constexpr const char* kSameIncarnation[] = {"-xxx", "--xx", "---x", "----"};
constexpr const char* kHigherIncarnation[] = {"xxxx", "xxxx", "xxxx", "----"};

TEST(SupersedesTest, FollowsTheTableOfStatesAndIncarnations) {
  for (uint64_t known_at = 0; known_at < 4; ++known_at) {
    for (uint64_t news_at = 0; news_at < 4; ++news_at) {
      const auto& table = news_at < known_at    ? kLowerIncarnation
                          : news_at == known_at ? kSameIncarnation
                                                : kHigherIncarnation;
      for (size_t row = 0; row < kStates.size(); ++row) {
        for (size_t column = 0; column < kStates.size(); ++column) {
          const MemberFact known = Fact(1, kStates[row], known_at);
          const MemberFact news = Fact(1, kStates[column], news_at);
          EXPECT_EQ(Supersedes(news, known), table[row][column] == 'x')
              << known.state << "@" << known_at << " then " << news.state << "@"
              << news_at;
        }
      }
    }
  }
}

// Whatever the order in which members hear the same facts, they end the same;
// left aside, which is final and so may stop a later fact.
TEST(SupersedesTest, ResultDoesNotDependOnTheOrderOfNews) {
  std::vector<MemberFact> facts;
  for (uint64_t incarnation = 0; incarnation < 3; ++incarnation) {
    for (const MemberState state : kStates) {
      if (state == MemberState::kLeft) continue;
      facts.push_back(Fact(1, state, incarnation));
    }
  }
  const auto merge = [](const MemberFact& a, const MemberFact& b) {
    return Supersedes(b, a) ? b : a;
  };
  for (const MemberFact& a : facts) {
    EXPECT_EQ(merge(a, a), a);
    for (const MemberFact& b : facts) {
      EXPECT_EQ(merge(a, b), merge(b, a));
      for (const MemberFact& c : facts) {
        EXPECT_EQ(merge(merge(a, b), c), merge(a, merge(b, c)));
      }
    }
  }
}

TEST(MemberListTest, CountsThoseWhoArePresent) {
  MemberList list(10);
  list.Set(At(0), Fact(1, MemberState::kAlive));
  list.Set(At(0), Fact(2, MemberState::kAlive));
  EXPECT_EQ(list.present(), 2u);

  list.Set(At(1), Fact(1, MemberState::kSuspect));
  EXPECT_EQ(list.present(), 2u);
  list.Set(At(2), Fact(1, MemberState::kFailed));
  EXPECT_EQ(list.present(), 1u);
  EXPECT_FALSE(list.IsKnownPresent(Id(1)));

  list.Set(At(3), Fact(1, MemberState::kAlive, 1));
  EXPECT_EQ(list.present(), 2u);
  EXPECT_TRUE(list.IsKnownPresent(Id(1)));
  list.CheckInvariants();
}

TEST(MemberListTest, TakesNameAndAddressWithAHigherIncarnationOnly) {
  MemberList list(10);
  list.Set(At(0), Fact(1, MemberState::kAlive));
  MemberFact news = Fact(1, MemberState::kSuspect);
  news.name = "other";
  news.address.port = 9;
  list.Set(At(0), news);
  EXPECT_EQ(*list.Find(Id(1)), Fact(1, MemberState::kSuspect));

  news.incarnation = 1;
  list.Set(At(0), news);
  EXPECT_EQ(*list.Find(Id(1)), news);
}

TEST(MemberListTest, KnowsWhichAddressesAreTaken) {
  MemberList list(10);
  list.Set(At(0), Fact(1, MemberState::kAlive));
  list.Set(At(0), Fact(2, MemberState::kFailed));

  EXPECT_TRUE(list.HasPresentAt(Address::V4(127, 0, 0, 1, 7001)));
  EXPECT_FALSE(list.HasPresentAt(Address::V4(127, 0, 0, 1, 7002)));
}

TEST(MemberListTest, DoubtsJumpsOfIncarnations) {
  MemberList list(10);
  const MemberState alive = MemberState::kAlive;
  EXPECT_TRUE(list.IsPlausible(Fact(1, alive, kIncarnationJumpMax), false));
  EXPECT_FALSE(
      list.IsPlausible(Fact(1, alive, kIncarnationJumpMax + 1), false));

  list.Set(At(0), Fact(1, alive, 7));
  EXPECT_TRUE(list.IsPlausible(Fact(1, alive, 3), false));
  EXPECT_TRUE(list.IsPlausible(Fact(1, alive, kIncarnationJumpMax + 7), false));
  EXPECT_FALSE(
      list.IsPlausible(Fact(1, alive, kIncarnationJumpMax + 8), false));
  EXPECT_FALSE(list.IsPlausible(Fact(1, alive, UINT64_MAX), false));

  // Its own word goes further.
  EXPECT_TRUE(list.IsPlausible(Fact(1, alive, kOwnJumpMax + 7), true));
  EXPECT_FALSE(list.IsPlausible(Fact(1, alive, kOwnJumpMax + 8), true));
  EXPECT_TRUE(list.IsPlausible(Fact(2, alive, kIncarnationMax), true));
  EXPECT_FALSE(list.IsPlausible(Fact(2, alive, kIncarnationMax + 1), true));
}

TEST(MemberListTest, ReapsThoseWhoHaveBeenGoneForLong) {
  MemberList list(10);
  list.Set(At(0), Fact(1, MemberState::kAlive));
  list.Set(At(1), Fact(2, MemberState::kFailed));
  list.Set(At(5), Fact(3, MemberState::kLeft));

  EXPECT_EQ(list.Reap(At(1)), std::vector<NodeId>());
  EXPECT_EQ(list.Reap(At(2)), std::vector<NodeId>({Id(2)}));
  EXPECT_EQ(list.members().size(), 2u);
  list.CheckInvariants();
}

TEST(MemberListTest, EvictsTheLongestGoneFirstAndNobodyPresent) {
  MemberList list(3);
  list.Set(At(0), Fact(1, MemberState::kAlive));
  list.Set(At(2), Fact(2, MemberState::kFailed));
  list.Set(At(1), Fact(3, MemberState::kLeft));
  EXPECT_TRUE(list.full());

  EXPECT_EQ(list.EvictOldestGone(), Id(3));
  EXPECT_EQ(list.EvictOldestGone(), Id(2));
  EXPECT_EQ(list.EvictOldestGone(), std::nullopt);
  EXPECT_FALSE(list.full());
}

}  // namespace
}  // namespace cachalot
