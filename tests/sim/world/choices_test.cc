#include "sim/world/choices.h"

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "sim/world/chance.h"

namespace cachalot::sim {
namespace {

// Draws some choices of every kind.
std::vector<uint64_t> Draw(ChoiceSource* source) {
  Chance a(source, "a", 7);
  Chance b(source, "b");
  const Delay delay = {absl::Microseconds(3), absl::Microseconds(9),
                       Rate::Percent(20), absl::Milliseconds(1)};
  std::vector<uint64_t> drawn;
  for (int i = 0; i < 50; ++i) {
    a.BeginItem();
    drawn.push_back(a.Happens(Rate::Percent(30)) ? 1 : 0);
    drawn.push_back(a.Below(10));
    drawn.push_back(
        static_cast<uint64_t>(absl::ToInt64Nanoseconds(b.Draw(delay))));
    drawn.push_back(static_cast<uint64_t>(b.Around0(-5, 5)));
    drawn.push_back(b.PickWeighted({5, 0, 1}));
    drawn.push_back(a.Seed());
  }
  return drawn;
}

TEST(ChoicesTest, ARecordedRunIsReplayedByItsLog) {
  ChoiceSource seeded(3, /*records=*/true);
  const std::vector<uint64_t> first = Draw(&seeded);
  const ChoiceLog log = seeded.TakeLog();
  EXPECT_GT(log.size(), 100u);
  ChoiceSource replayed(log);
  EXPECT_EQ(Draw(&replayed), first);
  EXPECT_EQ(replayed.TakeLog(), log);
}

TEST(ChoicesTest, RecordingChangesNothing) {
  ChoiceSource recorded(4, /*records=*/true);
  ChoiceSource unrecorded(4);
  EXPECT_EQ(Draw(&recorded), Draw(&unrecorded));
}

TEST(ChoicesTest, AnEmptyLogGivesMinimalChoices) {
  ChoiceSource source{ChoiceLog()};
  Chance chance(&source, "a");
  EXPECT_FALSE(chance.Happens(Rate::Percent(100)));
  EXPECT_EQ(chance.Between(uint64_t{5}, uint64_t{9}), 5u);
  EXPECT_EQ(chance.Around0(-5, 5), 0);
  EXPECT_EQ(chance.PickWeighted({0, 1}), 0u);
  EXPECT_EQ(chance.Draw({absl::Seconds(1), absl::Seconds(2), Rate::Percent(100),
                         absl::Seconds(9)}),
            absl::Seconds(1));
  EXPECT_EQ(source.TakeLog().size(), 0u);
}

TEST(ChoicesTest, RemovingAChoiceChangesNoOther) {
  ChoiceSource seeded(5, /*records=*/true);
  std::vector<uint64_t> expected = Draw(&seeded);
  ChoiceLog log = seeded.TakeLog();
  const uint64_t place = 3 * Chance::kChoicesPerItem + 1;
  ASSERT_TRUE(log.choices().contains({"a", 7, place}));
  log.Set({"a", 7, place}, 0);
  ChoiceSource replayed(log);
  expected[3 * 6 + 1] = 0;
  EXPECT_EQ(Draw(&replayed), expected);
}

// A log may be written by hand or by a fuzzer.
TEST(ChoicesTest, AChoiceAboveTheRangeIsLimitedToIt) {
  ChoiceLog log;
  log.Set({"a", 0, 0}, 1000);
  ChoiceSource source(log);
  Chance chance(&source, "a");
  EXPECT_EQ(chance.Below(10), 9u);
  ChoiceLog taken;
  taken.Set({"a", 0, 0}, 9);
  EXPECT_EQ(source.TakeLog(), taken);
}

TEST(ChoicesTest, ALogIsReadBackFromItsText) {
  ChoiceSource seeded(6, /*records=*/true);
  Draw(&seeded);
  const ChoiceLog log = seeded.TakeLog();
  const absl::StatusOr<ChoiceLog> parsed = ChoiceLog::Parse(log.ToText());
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(*parsed, log);
}

TEST(ChoicesTest, CommentsAndEmptyLinesAreSkipped) {
  const absl::StatusOr<ChoiceLog> log =
      ChoiceLog::Parse("# found long ago\n\n  fault 3 0 = 2  \r\n");
  ASSERT_TRUE(log.ok()) << log.status();
  EXPECT_EQ(log->ToText(), "fault 3 0 = 2\n");
}

TEST(ChoicesTest, AMalformedLineIsRefusedWithItsNumber) {
  for (const char* const bad :
       {"fault 3 0 2", "fault 3 = 2", "fault x 0 = 2", "fault 3 0 = -2",
        "Fault 3 0 = 2", "fault 3 0 = 2 3", "fault 3 0 = 99999999999999999999",
        "fault 3 0 = 1\nfault 3 0 = 2"}) {
    const absl::StatusOr<ChoiceLog> log =
        ChoiceLog::Parse(absl::StrCat("# a comment\n", bad));
    EXPECT_EQ(log.status().code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_TRUE(absl::StrContains(log.status().message(), "line ")) << bad;
  }
}

}  // namespace
}  // namespace cachalot::sim
