#include "sim/run/shrink.h"

#include <cstdint>
#include <optional>
#include <string>

#include "gtest/gtest.h"
#include "sim/world/chance.h"
#include "sim/world/choices.h"

namespace cachalot::sim {
namespace {

// Many choices of several streams.
ChoiceLog Noise() {
  ChoiceLog log;
  for (uint64_t i = 0; i < 300; ++i) {
    log.Set({"turn", i % 5, i}, 1000 + i);
    log.Set({"datagram", 1002, i}, 7);
  }
  for (uint64_t i = 0; i < 40; ++i) {
    log.Set({"fault", i, 0}, 1 + i % 6);
    log.Set({"fault", i, 1}, 5000000);
  }
  return log;
}

uint64_t ValueAt(const ChoiceLog& log, const ChoicePlace& place) {
  const auto found = log.choices().find(place);
  return found == log.choices().end() ? 0 : found->second;
}

TEST(ShrinkTest, FindsTheFewChoicesThatMatterAmongHundreds) {
  const ChoicePlace pause = {"fault", 17, 0};
  const ChoicePlace message = {"datagram", 1002, 5 * Chance::kChoicesPerItem};
  const ShrinkResult result =
      Shrink(Noise(), [&](const ChoiceLog& log) -> std::optional<ChoiceLog> {
        if (ValueAt(log, pause) == 0) return std::nullopt;
        if (ValueAt(log, message) == 0) return std::nullopt;
        return log;
      });
  EXPECT_EQ(result.log.size(), 2u);
  EXPECT_EQ(ValueAt(result.log, pause), 1u);
  EXPECT_EQ(ValueAt(result.log, message), 1u);
  EXPECT_LT(result.tries, 300u);
}

TEST(ShrinkTest, KeepsAValueThatMustBeHigh) {
  const ChoicePlace place = {"fault", 3, 1};
  const ShrinkResult result =
      Shrink(Noise(), [&](const ChoiceLog& log) -> std::optional<ChoiceLog> {
        if (ValueAt(log, place) < 40000) return std::nullopt;
        return log;
      });
  EXPECT_EQ(result.log.size(), 1u);
  EXPECT_GE(ValueAt(result.log, place), 40000u);
  EXPECT_LT(ValueAt(result.log, place), 5000000u);
}

// They are dropped without further tries.
TEST(ShrinkTest, DropsChoicesThatTheRunDidNotUse) {
  ChoiceLog used;
  used.Set({"fault", 0, 0}, 1);
  const ShrinkResult result =
      Shrink(Noise(), [&](const ChoiceLog& log) -> std::optional<ChoiceLog> {
        if (ValueAt(log, {"fault", 0, 0}) == 0) return std::nullopt;
        return used;
      });
  EXPECT_EQ(result.log, used);
  EXPECT_LT(result.tries, 20u);
}

TEST(ShrinkTest, ALogThatCannotBeShrunkIsUnchanged) {
  const ChoiceLog whole = Noise();
  const ShrinkResult result =
      Shrink(whole,
             [&](const ChoiceLog& log) -> std::optional<ChoiceLog> {
               if (log == whole) return log;
               return std::nullopt;
             },
             {.tries_max = 300});
  EXPECT_EQ(result.log, whole);
}

TEST(ShrinkTest, TheKindOfAViolationHasNoNamesOrTimes) {
  EXPECT_EQ(KindOf("key-0 was granted with token 1000.4.0 after 1000.5.0"),
            KindOf("key-3 was granted with token 1.7.0 after 1.9.2"));
  EXPECT_EQ(KindOf("two holders of key-1: n1 until 7s, n2"),
            KindOf("two holders of key-2: n3 until 9s, n2, n4"));
  EXPECT_NE(KindOf("two holders of key-1: n1"),
            KindOf("two leaders of term 1"));
  EXPECT_NE(KindOf("engine/a.cc:7: CHECK failed: x"),
            KindOf("engine/a.cc:8: CHECK failed: x"));
}

}  // namespace
}  // namespace cachalot::sim
