// Properties of the engine's plain values: names, tokens, times and chance.

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "engine/address.h"
#include "engine/cluster_time.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/random.h"
#include "gtest/gtest.h"
#include "rapidcheck/gtest.h"

namespace cachalot {
namespace {

// Below `end`; as often near 0 and near the end as in between.
rc::Gen<uint64_t> UpTo(uint64_t end) {
  return rc::gen::oneOf(
      rc::gen::inRange<uint64_t>(0, std::min<uint64_t>(end, 4)),
      rc::gen::inRange<uint64_t>(end - std::min<uint64_t>(end, 4), end),
      rc::gen::inRange<uint64_t>(0, end));
}

RC_GTEST_PROP(FencingTokenProperty, ComesBackFromItsText, ()) {
  const FencingToken token(1 + *UpTo(FencingToken::kMax));
  RC_ASSERT(FencingToken::Parse(token.ToString()) == token);
}

RC_GTEST_PROP(FencingTokenProperty, WhateverParsesIsPrintedAndParsesAgain,
              (const std::string& text)) {
  const std::optional<FencingToken> token = FencingToken::Parse(text);
  if (!token.has_value()) return;
  RC_ASSERT(FencingToken::Parse(token->ToString()) == token);
}

RC_GTEST_PROP(NodeIdProperty, TextIsAsLongAsItSaysAndTellsIdsApart, ()) {
  const NodeId a = {.high = *rc::gen::arbitrary<uint64_t>(),
                    .low = *rc::gen::arbitrary<uint64_t>()};
  NodeId b = a;
  if (*rc::gen::arbitrary<bool>()) b.high = *rc::gen::arbitrary<uint64_t>();
  if (*rc::gen::arbitrary<bool>()) b.low = *rc::gen::arbitrary<uint64_t>();
  RC_ASSERT(a.ToString().size() == 32u);
  RC_ASSERT((a == b) == (a.ToString() == b.ToString()));
  RC_ASSERT((a <=> b) == (a.ToString() <=> b.ToString()));
  RC_ASSERT(a.ToString().substr(0, 8) == a.ToShortString());
}

RC_GTEST_PROP(AddressProperty, TextComesBack, ()) {
  Address address;
  for (uint8_t& byte : address.ip) {
    // Long runs of zeros are written in a shorter form.
    byte = *rc::gen::oneOf(rc::gen::just<uint8_t>(0),
                           rc::gen::arbitrary<uint8_t>());
  }
  if (*rc::gen::arbitrary<bool>()) {
    address = Address::V4(address.ip[0], address.ip[1], address.ip[2],
                          address.ip[3], 0);
  }
  address.port = *rc::gen::inRange<uint16_t>(1, UINT16_MAX);
  RC_ASSERT(Address::Parse(address.ToString()) == address);
}

// --- Times -------------------------------------------------------------------

ClusterTime AnyTime() {
  return ClusterTime(
      *rc::gen::oneOf(UpTo(UINT64_MAX), rc::gen::arbitrary<uint64_t>()));
}

absl::Duration AnyDuration() {
  return absl::Nanoseconds(*rc::gen::oneOf(
      rc::gen::arbitrary<int64_t>(),
      rc::gen::element(std::numeric_limits<int64_t>::min(),
                       std::numeric_limits<int64_t>::max(), int64_t{0})));
}

RC_GTEST_PROP(ClusterTimeProperty, AddingEndsAtTheEndsAndNeverWraps, ()) {
  const ClusterTime time = AnyTime();
  const absl::Duration step = AnyDuration();
  const ClusterTime sum = time + step;
  if (step >= absl::ZeroDuration()) {
    RC_ASSERT(sum >= time);
  } else {
    RC_ASSERT(sum <= time);
  }
  const bool at_an_end = sum == ClusterTime() || sum == ClusterTime(UINT64_MAX);
  const bool has_opposite =
      step > absl::Nanoseconds(std::numeric_limits<int64_t>::min());
  if (!at_an_end && has_opposite) RC_ASSERT(sum + -step == time);
}

// What Expire rests on: a renewal that is later, or longer, never ends sooner.
RC_GTEST_PROP(ClusterTimeProperty, LaterAndLongerNeverEndsSooner, ()) {
  const ClusterTime early = AnyTime();
  const ClusterTime late = std::max(early, AnyTime());
  const absl::Duration brief = AnyDuration();
  const absl::Duration lasting = std::max(brief, AnyDuration());
  RC_ASSERT(early + brief <= late + lasting);
}

RC_GTEST_PROP(ClusterTimeProperty, DifferencesAddUp, ()) {
  const ClusterTime a(*UpTo(INT64_MAX));
  const ClusterTime b(*UpTo(INT64_MAX));
  RC_ASSERT(a - b == -(b - a));
  RC_ASSERT(b + (a - b) == a);
}

RC_GTEST_PROP(InstantProperty, NeverIsLaterThanAllAndStays, ()) {
  const absl::Duration step = AnyDuration();
  const auto instant =
      SlowInstant::FromNanoseconds(*rc::gen::arbitrary<int64_t>());
  RC_ASSERT(SlowInstant::Never() + step == SlowInstant::Never());
  RC_ASSERT(instant <= SlowInstant::Never());
  RC_ASSERT(instant + absl::InfiniteDuration() == SlowInstant::Never());
  if (step >= absl::ZeroDuration()) {
    RC_ASSERT(instant + step >= instant);
  } else if (instant != SlowInstant::Never()) {
    RC_ASSERT(instant + step <= instant);
  }
}

RC_GTEST_PROP(DeadlineProperty, IsDueExactlyWhenNothingIsLeftToWait, ()) {
  const auto any = [] { return *rc::gen::inRange<int64_t>(-1000, 1000); };
  Deadline deadline;
  if (*rc::gen::arbitrary<bool>()) {
    deadline.slow = SlowInstant::FromNanoseconds(any());
  }
  if (*rc::gen::arbitrary<bool>()) {
    deadline.fast = FastInstant::FromNanoseconds(any());
  }
  const Now now = {SlowInstant::FromNanoseconds(any()),
                   FastInstant::FromNanoseconds(any())};
  const absl::Duration wait = deadline.Until(now);
  RC_ASSERT(deadline.IsDue(now) == (wait == absl::ZeroDuration()));
  if (wait == absl::InfiniteDuration()) return;
  RC_ASSERT(deadline.IsDue({now.slow + wait, now.fast + wait}));
}

// --- Chance ------------------------------------------------------------------

RC_GTEST_PROP(RandomProperty, StaysWithinItsBounds, (uint64_t seed)) {
  Random random(seed);
  const uint64_t a = *UpTo(UINT64_MAX);
  const uint64_t b = *UpTo(UINT64_MAX);
  for (int i = 0; i < 20; ++i) {
    RC_ASSERT(random.Below(a + 1) <= a);
    const uint64_t between = random.Between(std::min(a, b), std::max(a, b));
    RC_ASSERT(between >= std::min(a, b));
    RC_ASSERT(between <= std::max(a, b));
  }
}

RC_GTEST_PROP(RandomProperty, GivesEachNumberItsShare, (uint64_t seed)) {
  constexpr uint64_t kDrawsEach = 400;
  const uint64_t bound = *rc::gen::inRange<uint64_t>(1, 12);
  Random random(seed);
  std::vector<uint64_t> counts(bound);
  for (uint64_t i = 0; i < bound * kDrawsEach; ++i)
    ++counts[random.Below(bound)];
  // Seven standard deviations.
  for (const uint64_t count : counts) {
    RC_ASSERT(count > kDrawsEach - 140);
    RC_ASSERT(count < kDrawsEach + 140);
  }
}

// A bound just above half of the range: what is drawn from an incomplete last
// block would fall into the lower half twice as often.
RC_GTEST_PROP(RandomProperty, HasNoBiasForLargeBounds, (uint64_t seed)) {
  constexpr uint64_t kBound = (uint64_t{1} << 63) + (uint64_t{1} << 62);
  constexpr int kDraws = 3000;
  Random random(seed);
  int in_lowest_third = 0;
  for (int i = 0; i < kDraws; ++i) {
    if (random.Below(kBound) < kBound / 3) ++in_lowest_third;
  }
  RC_ASSERT(in_lowest_third > kDraws / 3 - 190);
  RC_ASSERT(in_lowest_third < kDraws / 3 + 190);
}

RC_GTEST_PROP(RandomProperty, StreamsOfDifferentNamesDiffer, (uint64_t seed)) {
  const std::string a = *rc::gen::arbitrary<std::string>();
  const std::string b = *rc::gen::arbitrary<std::string>();
  const uint64_t number = *rc::gen::inRange<uint64_t>(0, 100);
  RC_PRE(a != b);
  Random of_a(seed, a, number);
  RC_ASSERT(of_a == Random(seed, a, number));
  RC_ASSERT(!(of_a == Random(seed, b, number)));
  RC_ASSERT(!(of_a == Random(seed, a, number + 1)));
  RC_ASSERT(of_a.Next() != Random(seed, b, number).Next());
}

RC_GTEST_PROP(RandomProperty, ShufflingKeepsWhatIsThere,
              (uint64_t seed, std::vector<int> items)) {
  std::vector<int> shuffled = items;
  Random(seed).Shuffle(shuffled);
  std::sort(items.begin(), items.end());
  std::sort(shuffled.begin(), shuffled.end());
  RC_ASSERT(items == shuffled);
}

}  // namespace
}  // namespace cachalot
