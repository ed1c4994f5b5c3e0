#include "io/renewal_schedule.h"

#include <algorithm>
#include <map>
#include <optional>

#include "absl/time/time.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "gtest/gtest.h"

namespace cachalot {
namespace {

constexpr absl::Duration Ttl() { return absl::Seconds(12); }

FastInstant At(absl::Duration time) {
  return FastInstant() + absl::Seconds(1) + time;
}

TEST(RenewalScheduleTest, RenewsBetweenAQuarterAndAThirdOfTheLease) {
  RenewalSchedule schedule;
  const RequestId grant(1);
  schedule.Add(At(absl::ZeroDuration()), grant, Ttl(), FastInstant::Never());
  FastInstant asked = At(absl::ZeroDuration());
  for (int i = 0; i < 10; ++i) {
    const FastInstant due_at = schedule.NextDeadline();
    EXPECT_GE(due_at, asked + Ttl() / 4);
    EXPECT_LE(due_at, asked + Ttl() / 3);
    EXPECT_FALSE(schedule.TakeDue(due_at - absl::Nanoseconds(1)).has_value());
    const auto due = schedule.TakeDue(due_at);
    ASSERT_TRUE(due.has_value());
    EXPECT_EQ(due->grant, grant);
    EXPECT_EQ(due->ttl, Ttl());
    // One at a time.
    EXPECT_EQ(schedule.NextDeadline(), FastInstant::Never());
    asked = due_at;
    schedule.Schedule(asked, grant);
  }
}

TEST(RenewalScheduleTest, TriesAgainSoonForAsLongAsTheLeaseLasts) {
  RenewalSchedule schedule;
  schedule.Add(At(absl::ZeroDuration()), RequestId(1), Ttl(),
               FastInstant::Never());
  FastInstant now = schedule.NextDeadline();
  int tries = 0;
  while (now < At(Ttl())) {
    ASSERT_TRUE(schedule.TakeDue(now).has_value());
    ++tries;
    schedule.Retry(now, RequestId(1));
    now = schedule.NextDeadline();
  }
  EXPECT_GE(tries, 8);
  EXPECT_LE(tries, 10);
}

TEST(RenewalScheduleTest, ForgetsWhatIsRemovedWheneverThatIs) {
  RenewalSchedule schedule;
  schedule.Remove(RequestId(1));
  schedule.Add(At(absl::ZeroDuration()), RequestId(1), Ttl(),
               FastInstant::Never());
  schedule.Remove(RequestId(1));
  EXPECT_FALSE(schedule.TakeDue(At(Ttl())).has_value());
  schedule.Add(At(absl::ZeroDuration()), RequestId(2), Ttl(),
               FastInstant::Never());
  ASSERT_TRUE(schedule.TakeDue(At(Ttl())).has_value());
  schedule.Remove(RequestId(2));
  schedule.Schedule(At(Ttl()), RequestId(2));
  schedule.Retry(At(Ttl()), RequestId(2));
  EXPECT_EQ(schedule.NextDeadline(), FastInstant::Never());
  EXPECT_EQ(schedule.size(), 0u);
}

TEST(RenewalScheduleTest, NoLeaseReachesPastItsEnd) {
  RenewalSchedule schedule;
  const FastInstant until = At(absl::Seconds(20));
  schedule.Add(At(absl::ZeroDuration()), RequestId(1), Ttl(), until);
  FastInstant last_end;
  while (schedule.NextDeadline() != FastInstant::Never()) {
    const FastInstant now = schedule.NextDeadline();
    const auto due = schedule.TakeDue(now);
    if (!due.has_value()) break;
    EXPECT_LE(now + due->ttl, until);
    last_end = std::max(last_end, now + due->ttl);
    schedule.Schedule(now, RequestId(1));
  }
  EXPECT_EQ(last_end, until);
  EXPECT_EQ(schedule.size(), 0u);
}

// Many locks that were taken in one moment.
TEST(RenewalScheduleTest, SpreadsManyLocks) {
  constexpr int kLocks = 20'000;
  RenewalSchedule schedule;
  for (uint64_t i = 1; i <= kLocks; ++i) {
    schedule.Add(At(absl::ZeroDuration()), RequestId(i), Ttl(),
                 FastInstant::Never());
  }
  std::map<int64_t, int> by_slot;  // 100 slots of 10 ms
  while (true) {
    const FastInstant now = schedule.NextDeadline();
    if (now == FastInstant::Never()) break;
    ASSERT_TRUE(schedule.TakeDue(now).has_value());
    ++by_slot[(now - At(Ttl() / 4)) / absl::Milliseconds(10)];
  }
  EXPECT_GE(by_slot.size(), 100u);
  for (const auto& [slot, count] : by_slot) {
    EXPECT_LE(count, 2 * kLocks / 100) << slot;
  }
}

}  // namespace
}  // namespace cachalot
