#include "engine/membership/relays.h"

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

Relays::Relay RelayFor(uint64_t asker_number) {
  return {.asker = Id(1),
          .asker_number = asker_number,
          .target = Id(2),
          .nack_at = AtMs(100),
          .end = AtMs(200)};
}

TEST(RelaysTest, PassesTheTargetsAnswerOnOnce) {
  Relays relays;
  ASSERT_TRUE(relays.Add(AtMs(0), 8, RelayFor(50)));

  EXPECT_FALSE(relays.TakeAnswered(AtMs(1), Id(3), 8).has_value())
      << "not the target";
  EXPECT_FALSE(relays.TakeAnswered(AtMs(1), Id(2), 10).has_value());
  EXPECT_EQ(relays.TakeAnswered(AtMs(1), Id(2), 8)->asker_number, 50u);
  EXPECT_FALSE(relays.TakeAnswered(AtMs(1), Id(2), 8).has_value());
}

TEST(RelaysTest, TellsTheAskerOnceThatThereIsNoAnswerYet) {
  Relays relays;
  ASSERT_TRUE(relays.Add(AtMs(0), 8, RelayFor(50)));
  EXPECT_EQ(relays.NextDeadline(), AtMs(100));
  EXPECT_TRUE(relays.TakeOverdue(AtMs(99)).empty());
  EXPECT_EQ(relays.TakeOverdue(AtMs(100)).size(), 1u);
  EXPECT_TRUE(relays.TakeOverdue(AtMs(101)).empty());
  EXPECT_EQ(relays.NextDeadline(), SlowInstant::Never());
  // An answer may still come in time.
  EXPECT_TRUE(relays.TakeAnswered(AtMs(199), Id(2), 8).has_value());
}

TEST(RelaysTest, ForgetsWhatCannotHelpAnyMore) {
  Relays relays;
  ASSERT_TRUE(relays.Add(AtMs(0), 8, RelayFor(50)));
  EXPECT_FALSE(relays.TakeAnswered(AtMs(200), Id(2), 8).has_value());
  EXPECT_EQ(relays.TakeOverdue(AtMs(200)).size(), 1u);
  EXPECT_FALSE(relays.TakeAnswered(AtMs(150), Id(2), 8).has_value());
}

TEST(RelaysTest, ServesABoundedNumberAtOnce) {
  Relays relays;
  for (uint64_t i = 0; i < Relays::kMax; ++i) {
    ASSERT_TRUE(relays.Add(AtMs(0), 2 * i, RelayFor(i)));
  }
  EXPECT_FALSE(relays.Add(AtMs(0), 2 * Relays::kMax, RelayFor(1)));
  Relays::Relay later = RelayFor(1);
  later.nack_at = AtMs(300);
  later.end = AtMs(400);
  EXPECT_TRUE(relays.Add(AtMs(200), 2 * Relays::kMax, later));
}

}  // namespace
}  // namespace cachalot
