#include "engine/membership/probe.h"

#include <cstdint>

#include "engine/ids.h"
#include "engine/instant.h"
#include "gtest/gtest.h"

namespace cachalot {
namespace {

using Verdict = Probe::Verdict;

constexpr uint64_t kNumber = 34;

NodeId Id(uint64_t number) { return {.high = 0, .low = number}; }

SlowInstant AtMs(int64_t milliseconds) {
  return SlowInstant::FromNanoseconds(milliseconds * 1'000'000);
}

Probe ProbeOfMember2() {
  return Probe(Id(2), kNumber, {.ask_at = AtMs(150), .end = AtMs(500)});
}

TEST(ProbeTest, AsksForHelpBetweenTheTimeoutAndTheEnd) {
  Probe probe = ProbeOfMember2();
  EXPECT_EQ(probe.deadline(), AtMs(150));
  EXPECT_FALSE(probe.WantsHelp(AtMs(149)));
  EXPECT_TRUE(probe.WantsHelp(AtMs(150)));
  EXPECT_FALSE(probe.WantsHelp(AtMs(500)));

  probe.NoteHelpers({Id(3)}, 1);
  EXPECT_FALSE(probe.WantsHelp(AtMs(150)));
  EXPECT_EQ(probe.deadline(), AtMs(500));
}

TEST(ProbeTest, NeedsNoHelpOnceAnswered) {
  Probe probe = ProbeOfMember2();
  EXPECT_TRUE(probe.NoteAck(Id(2), kNumber));
  EXPECT_FALSE(probe.WantsHelp(AtMs(150)));
  EXPECT_EQ(probe.deadline(), AtMs(500));
  EXPECT_EQ(probe.Judge(), Verdict::kAnswered);
}

TEST(ProbeTest, TakesAnswersByStreamAndThroughHelpersOnly) {
  Probe probe = ProbeOfMember2();
  probe.NoteHelpers({Id(3), Id(4)}, 5);
  EXPECT_FALSE(probe.NoteAck(Id(5), kNumber));
  EXPECT_FALSE(probe.NoteAck(Id(2), kNumber + 2));
  EXPECT_NE(probe.Judge(), Verdict::kAnswered);

  Probe by_stream = probe;
  EXPECT_TRUE(by_stream.NoteAck(Id(2), kNumber | kStreamBit));
  EXPECT_EQ(by_stream.Judge(), Verdict::kAnswered);
  EXPECT_TRUE(probe.NoteAck(Id(4), kNumber));
  EXPECT_EQ(probe.Judge(), Verdict::kAnswered);
}

TEST(ProbeTest, AccusesIfAHelperGotNoAnswerEither) {
  Probe probe = ProbeOfMember2();
  probe.NoteHelpers({Id(3), Id(4)}, 5);
  EXPECT_TRUE(probe.NoteNack(Id(3), kNumber));
  EXPECT_EQ(probe.Judge(), Verdict::kAccused);
}

// R3a: both helpers failing to answer says more about this node.
TEST(ProbeTest, BlamesItselfIfNoHelperAnswers) {
  Probe probe = ProbeOfMember2();
  probe.NoteHelpers({Id(3), Id(4)}, 5);
  probe.NoteHeard(Id(5));
  EXPECT_FALSE(probe.NoteNack(Id(5), kNumber));
  EXPECT_FALSE(probe.NoteNack(Id(3), kNumber + 2));
  EXPECT_EQ(probe.Judge(), Verdict::kUnsure);
}

// R3b.
TEST(ProbeTest, WithOneHelperAnySignOfHearingWillDo) {
  Probe probe = ProbeOfMember2();
  probe.NoteHelpers({Id(3)}, 1);
  EXPECT_EQ(probe.Judge(), Verdict::kUnsure);
  probe.NoteHeard(Id(2));
  EXPECT_EQ(probe.Judge(), Verdict::kUnsure) << "heard the target only";
  probe.NoteHeard(Id(3));
  EXPECT_EQ(probe.Judge(), Verdict::kAccused);
}

// R3c.
TEST(ProbeTest, WithNobodyElseSilenceIsEnough) {
  Probe probe = ProbeOfMember2();
  probe.NoteHelpers({}, 0);
  EXPECT_EQ(probe.Judge(), Verdict::kAccused);
}

TEST(ProbeTest, IsVoidIfNobodyHadTheTimeToHelp) {
  EXPECT_EQ(ProbeOfMember2().Judge(), Verdict::kVoid);
}

}  // namespace
}  // namespace cachalot
