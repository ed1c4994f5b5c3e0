#include "io/save_queue.h"

#include <optional>

#include "absl/time/time.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "gtest/gtest.h"

namespace cachalot {
namespace {

FastInstant At(int seconds) { return FastInstant() + absl::Seconds(seconds); }

class SaveQueueTest : public testing::Test {
 protected:
  void Add(uint64_t save, bool waits, int seconds = 0) {
    queue_.Add(At(seconds), SaveId(save), waits);
  }
  // 0: nothing.
  uint64_t Take() { return queue_.Take().value_or(SaveId()).value(); }

  SaveQueue queue_;
};

constexpr bool kWaits = true;
constexpr bool kGoes = false;

TEST_F(SaveQueueTest, WhatWaitsForNothingIsDoneAtOnce) {
  EXPECT_EQ(Take(), 0);
  Add(1, kGoes);
  Add(2, kGoes);
  EXPECT_TRUE(queue_.has_done());
  EXPECT_EQ(Take(), 2) << "the last stands for all";
  EXPECT_FALSE(queue_.has_done());
  EXPECT_EQ(Take(), 0) << "once";
}

TEST_F(SaveQueueTest, WhatComesAfterAMemoryWaitsForIt) {
  Add(1, kGoes);
  Add(2, kWaits);
  Add(3, kGoes);
  EXPECT_EQ(Take(), 1) << "what came before does not";
  EXPECT_EQ(Take(), 0);
  queue_.Complete(SaveId(2));
  EXPECT_EQ(Take(), 3);
}

TEST_F(SaveQueueTest, SeveralMemoriesAreDoneInOrder) {
  Add(1, kWaits);
  Add(2, kGoes);
  Add(3, kWaits);
  Add(4, kWaits);
  Add(5, kGoes);
  EXPECT_EQ(Take(), 0);
  queue_.Complete(SaveId(1));
  EXPECT_EQ(Take(), 2);
  // The writer passes over 3: the newer memory stands for it.
  queue_.Complete(SaveId(4));
  EXPECT_EQ(Take(), 5);
  Add(6, kGoes);
  EXPECT_EQ(Take(), 6) << "nothing is under way any more";
}

TEST_F(SaveQueueTest, KnowsForHowLongTheOldestHasWaited) {
  Add(1, kGoes, 10);
  EXPECT_EQ(queue_.waiting_since(), std::nullopt);
  Add(2, kWaits, 11);
  Add(3, kWaits, 12);
  EXPECT_EQ(queue_.waiting_since(), At(11));
  queue_.Complete(SaveId(2));
  EXPECT_EQ(queue_.waiting_since(), At(12));
  queue_.Complete(SaveId(3));
  EXPECT_EQ(queue_.waiting_since(), std::nullopt);
}

}  // namespace
}  // namespace cachalot
