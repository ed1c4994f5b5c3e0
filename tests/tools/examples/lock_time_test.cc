#include "tools/examples/lock_time.h"

#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cachalot::tools {
namespace {

using testing::HasSubstr;

// Half past noon on a Monday, one hour east of Greenwich.
const absl::TimeZone kZone = absl::FixedTimeZone(3600);
const absl::Time kNow =
    absl::FromCivil(absl::CivilSecond(2026, 11, 23, 12, 30, 0), kZone);

absl::StatusOr<absl::Time> Parse(absl::string_view text) {
  const absl::StatusOr<LockTime> parsed = ParseLockTime(text, kNow, kZone);
  if (!parsed.ok()) return parsed.status();
  return parsed->time;
}

TEST(LockTimeTest, ATimeOfDayIsTodayInTheZone) {
  EXPECT_EQ(Parse("14:30").value(), kNow + absl::Hours(2));
  EXPECT_EQ(Parse("12:30:15").value(), kNow + absl::Seconds(15));
  EXPECT_EQ(Parse("23:59:59").value(),
            kNow + absl::Hours(11) + absl::Minutes(29) + absl::Seconds(59));
}

TEST(LockTimeTest, ThePresentMomentIsNotPast) {
  EXPECT_EQ(Parse("12:30").value(), kNow);
  EXPECT_EQ(Parse("+0s").value(), kNow);
}

TEST(LockTimeTest, Rfc3339CarriesItsOwnZone) {
  EXPECT_EQ(Parse("2026-11-23T12:00:00Z").value(), kNow + absl::Minutes(30));
  EXPECT_EQ(Parse("2026-11-24T12:30:00+01:00").value(), kNow + absl::Hours(24));
}

TEST(LockTimeTest, APlusCountsFromNow) {
  EXPECT_EQ(Parse("+30s").value(), kNow + absl::Seconds(30));
  EXPECT_EQ(Parse("+1m30s").value(), kNow + absl::Seconds(90));
}

TEST(LockTimeTest, OnlyAPlusIsIndependentOfTheWallClock) {
  EXPECT_EQ(ParseLockTime("+90s", kNow, kZone)->after, absl::Seconds(90));
  EXPECT_EQ(ParseLockTime("14:30", kNow, kZone)->after, std::nullopt);
  EXPECT_EQ(ParseLockTime("2026-11-24T12:30:00Z", kNow, kZone)->after,
            std::nullopt);
}

TEST(LockTimeTest, AMomentInThePastIsRefusedAndSaysHowLongAgo) {
  for (const char* past :
       {"12:29", "12:29:00", "2026-11-23T12:29:00+01:00", "+-1m"}) {
    const absl::Status status = Parse(past).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << past;
    EXPECT_THAT(status.message(), HasSubstr("in the past: it was 1m ago"));
  }
}

TEST(LockTimeTest, WhatIsNoTimeIsRefusedWithExamples) {
  for (const char* text : {"", "noon", "24:00", "12:60", "12:30:60", "12",
                           "1:2:3:4", "+", "+30", "+inf", "infinite-future",
                           "123:00", " 14:30", "-5s", "2026-11-23 14:30:00"}) {
    const absl::Status status = Parse(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(status.message(), HasSubstr("+30s")) << text;
  }
}

}  // namespace
}  // namespace cachalot::tools
