#include "io/flap_filter.h"

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "engine/address.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/member.h"
#include "engine/observer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cachalot {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

FastInstant At(int seconds) {
  return FastInstant() + absl::Hours(1) + absl::Seconds(seconds);
}

MemberChanged Change(uint8_t host, MemberState state, uint64_t id = 1) {
  return {.id = NodeId{.high = id, .low = host},
          .name = "n",
          .address = Address::V4(10, 0, 0, host, 7946),
          .state = state};
}

constexpr FlapFilter::Options kFew = {
    .burst = 3, .interval = absl::Seconds(20), .addresses_max = 4};

TEST(FlapFilterTest, AMemberThatChangesNowAndThenIsToldEachTime) {
  FlapFilter filter;
  for (int minute = 0; minute < 100; ++minute) {
    for (const MemberState state :
         {MemberState::kSuspect, MemberState::kFailed, MemberState::kAlive}) {
      const auto news = filter.Admit(At(60 * minute), Change(1, state));
      ASSERT_TRUE(news.has_value());
      EXPECT_EQ(news->held_back, 0u);
    }
    EXPECT_THAT(filter.TakeDue(At(60 * minute + 1)), IsEmpty());
  }
}

// Once a second suspected and once alive, under another id each minute.
TEST(FlapFilterTest, OneThatChangesAgainAndAgainIsToldOnceInAnInterval) {
  FlapFilter filter(kFew);
  uint64_t told = 0;
  uint64_t held_back = 0;
  for (int second = 0; second < 600; ++second) {
    for (const MemberState state :
         {MemberState::kSuspect, MemberState::kAlive}) {
      const auto news = filter.Admit(
          At(second), Change(1, state, static_cast<uint64_t>(second / 60)));
      if (!news.has_value()) continue;
      ++told;
      held_back += news->held_back;
    }
    for (const FlapFilter::News& news : filter.TakeDue(At(second))) {
      ++told;
      held_back += news.held_back;
    }
  }
  EXPECT_EQ(told, 3u + 600 / 20 - 1);
  // None is told twice, and none is forgotten.
  const std::vector<FlapFilter::News> last = filter.TakeDue(At(700));
  ASSERT_THAT(last, SizeIs(1));
  EXPECT_EQ(told + held_back + last[0].held_back + 1, 1200u);
}

TEST(FlapFilterTest, TheLatestIsToldWhenItsTimeHasCome) {
  FlapFilter filter(kFew);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(filter.Admit(At(0), Change(1, MemberState::kSuspect)));
  }
  EXPECT_FALSE(filter.Admit(At(1), Change(1, MemberState::kAlive)));
  EXPECT_FALSE(filter.Admit(At(2), Change(1, MemberState::kFailed)));
  EXPECT_THAT(filter.TakeDue(At(19)), IsEmpty());
  const std::vector<FlapFilter::News> due = filter.TakeDue(At(20));
  ASSERT_THAT(due, SizeIs(1));
  EXPECT_EQ(due[0].change.state, MemberState::kFailed);
  EXPECT_EQ(due[0].held_back, 1u);
  EXPECT_THAT(filter.TakeDue(At(100)), IsEmpty());
  EXPECT_EQ(filter.size(), 0u);
}

TEST(FlapFilterTest, AddressesAreCountedApartAndAreFew) {
  FlapFilter filter(kFew);
  for (int i = 0; i < 10; ++i) {
    for (uint8_t host = 1; host <= 100; ++host) {
      const bool is_told =
          filter.Admit(At(0), Change(host, MemberState::kAlive)).has_value();
      EXPECT_EQ(is_told, i < kFew.burst || host > kFew.addresses_max);
    }
  }
  EXPECT_EQ(filter.size(), kFew.addresses_max);
}

}  // namespace
}  // namespace cachalot
