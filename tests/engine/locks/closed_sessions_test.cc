#include "engine/locks/closed_sessions.h"

#include <cstdint>

#include "absl/time/time.h"
#include "engine/cluster_time.h"
#include "engine/ids.h"
#include "engine/limits.h"
#include "gtest/gtest.h"

namespace cachalot {
namespace {

SessionId Session(uint64_t node, uint64_t number) {
  return {NodeId{0, node}, number};
}

TEST(ClosedSessionsTest, HoldsTheClosedAndWhatWasBeforeThem) {
  ClosedSessions closed;
  closed.Add(Session(1, 5), ClusterTime());
  EXPECT_TRUE(closed.Contains(Session(1, 5)));
  EXPECT_TRUE(closed.Contains(Session(1, 4)));
  EXPECT_FALSE(closed.Contains(Session(1, 6)));
  EXPECT_FALSE(closed.Contains(Session(2, 1)));
  closed.Add(Session(1, 3), ClusterTime());
  EXPECT_TRUE(closed.Contains(Session(1, 5)));
}

TEST(ClosedSessionsTest, ForgetsAfterALongTime) {
  ClosedSessions closed;
  ClusterTime time;
  closed.Add(Session(1, 1), time);
  time = time + ClosedSessions::Memory();
  closed.Add(Session(2, 1), time);
  EXPECT_TRUE(closed.Contains(Session(1, 1)));
  time = time + absl::Nanoseconds(1);
  closed.Add(Session(3, 1), time);
  EXPECT_FALSE(closed.Contains(Session(1, 1)));
  EXPECT_TRUE(closed.Contains(Session(2, 1)));
}

TEST(ClosedSessionsTest, ForgetsTheOldestWhenThereAreTooMany) {
  ClosedSessions closed;
  ClusterTime time;
  for (uint64_t node = 1; node <= limits::kSessionsMax; ++node) {
    time = time + absl::Nanoseconds(1);
    closed.Add(Session(node, 1), time);
  }
  // One that closed another of late is not the oldest.
  closed.Add(Session(1, 2), time + absl::Seconds(1));
  closed.Add(Session(limits::kSessionsMax + 1, 1), time + absl::Seconds(1));
  EXPECT_EQ(closed.by_node().size(), limits::kSessionsMax);
  EXPECT_TRUE(closed.Contains(Session(1, 2)));
  EXPECT_FALSE(closed.Contains(Session(2, 1)));
}

}  // namespace
}  // namespace cachalot
