#include "tools/base/words.h"

#include "absl/time/time.h"
#include "engine/request.h"
#include "gtest/gtest.h"

namespace cachalot::tools {
namespace {

TEST(WordsTest, TheShorterATimeTheFinerItIsSaid) {
  EXPECT_EQ(Words(absl::Milliseconds(4250)), "4.2s");
  EXPECT_EQ(Words(absl::Milliseconds(90700)), "1m30s");
  EXPECT_EQ(Words(absl::Microseconds(35900)), "35ms");
  EXPECT_EQ(Words(absl::ZeroDuration()), "0s");
  EXPECT_EQ(Words(absl::Microseconds(3)), "0s");
  EXPECT_EQ(Words(-absl::Milliseconds(1500)), "-1.5s");
}

TEST(WordsTest, ShowsTheLeaseAndTheSessionApart) {
  EXPECT_EQ(TimesLeftInWords({.remaining = absl::Milliseconds(8600),
                              .lease_remaining = absl::Seconds(110),
                              .session_remaining = absl::Milliseconds(8600)}),
            "its lease has 1m50s left, its agent's session 8.6s; both may be "
            "renewed");
}

TEST(WordsTest, ReadsDurationsWithUnits) {
  absl::Duration duration;
  EXPECT_TRUE(ReadDuration("1m30s", duration));
  EXPECT_EQ(duration, absl::Seconds(90));
  EXPECT_TRUE(ReadDuration("0", duration));
  EXPECT_EQ(duration, absl::ZeroDuration());
}

TEST(WordsTest, RefusesDurationsWithoutUnitSignOrEnd) {
  absl::Duration duration = absl::Seconds(7);
  for (const char* text : {"", "30", "-1s", "inf", "1 hour", "s"}) {
    EXPECT_FALSE(ReadDuration(text, duration)) << text;
  }
  EXPECT_EQ(duration, absl::Seconds(7));
}

}  // namespace
}  // namespace cachalot::tools
