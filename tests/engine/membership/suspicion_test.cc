#include "engine/membership/suspicion.h"

#include <cstdint>

#include "absl/time/time.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "gtest/gtest.h"

namespace cachalot {
namespace {

NodeId Id(uint64_t number) { return {.high = 0, .low = number}; }

SlowInstant AtMs(int64_t milliseconds) {
  return SlowInstant::FromNanoseconds(milliseconds * 1'000'000);
}

Suspicion WantingConfirmations(int count) {
  return Suspicion(AtMs(0),
                   {.min = absl::Milliseconds(1000),
                    .max = absl::Milliseconds(6000),
                    .confirmations_wanted = count},
                   Id(1));
}

TEST(SuspicionTest, LastsTheMinimumIfNobodyCanConfirm) {
  EXPECT_EQ(WantingConfirmations(0).deadline(), AtMs(1000));
}

TEST(SuspicionTest, LastsTheMaximumUntilConfirmed) {
  EXPECT_EQ(WantingConfirmations(1).deadline(), AtMs(6000));
  EXPECT_EQ(WantingConfirmations(3).deadline(), AtMs(6000));
}

// max - (max - min) * log(n + 1) / log(3 + 1).
TEST(SuspicionTest, ShrinksWithEachMemberThatSharesIt) {
  Suspicion suspicion = WantingConfirmations(3);
  suspicion.Confirm(Id(2));
  EXPECT_EQ(suspicion.deadline(), AtMs(3500));
  suspicion.Confirm(Id(3));
  EXPECT_EQ(suspicion.deadline(), AtMs(2040));
  suspicion.Confirm(Id(4));
  EXPECT_EQ(suspicion.deadline(), AtMs(1000));
  suspicion.Confirm(Id(5));
  EXPECT_EQ(suspicion.deadline(), AtMs(1000));
}

TEST(SuspicionTest, CountsEachMemberOnceAndTheAccuserNever) {
  Suspicion suspicion = WantingConfirmations(2);
  suspicion.Confirm(Id(1));
  EXPECT_EQ(suspicion.deadline(), AtMs(6000));
  suspicion.Confirm(Id(2));
  suspicion.Confirm(Id(2));
  EXPECT_EQ(suspicion.deadline(), AtMs(2845));
}

TEST(SuspicionTest, EndsAtTheMinimumWhenAnotherMemberHeldItToItsEnd) {
  Suspicion suspicion = WantingConfirmations(3);
  suspicion.ConfirmFully();
  EXPECT_EQ(suspicion.deadline(), AtMs(1000));
}

TEST(SuspicionTest, DoesNotCountLostTime) {
  Suspicion suspicion = WantingConfirmations(0);
  suspicion.Postpone(absl::Milliseconds(700));
  EXPECT_EQ(suspicion.deadline(), AtMs(1700));
}

TEST(SuspicionTest, IsHeldUntilADenialCouldHaveArrived) {
  Suspicion suspicion = WantingConfirmations(0);
  suspicion.HoldUntil(AtMs(1200));
  EXPECT_EQ(suspicion.deadline(), AtMs(1200));
  suspicion.HoldUntil(AtMs(900));
  EXPECT_EQ(suspicion.deadline(), AtMs(1200));
}

}  // namespace
}  // namespace cachalot
