#include "engine/membership/gossip.h"

#include <cstdint>
#include <string>
#include <vector>

#include "engine/address.h"
#include "engine/ids.h"
#include "engine/member.h"
#include "engine/wire/codec.h"
#include "engine/wire/message.h"
#include "gtest/gtest.h"

namespace cachalot {
namespace {

constexpr size_t kPlenty = 100000;

NodeId Id(uint64_t number) { return {.high = 0, .low = number}; }

MemberFact Fact(uint64_t number, MemberState state, uint64_t incarnation = 0) {
  return {.id = Id(number),
          .address = Address::V4(127, 0, 0, 1, 7000),
          .name = "n",
          .incarnation = incarnation,
          .state = state};
}

std::vector<MemberFact> TakeFor(GossipQueue& queue, NodeId receiver,
                                int sends_max = 10, size_t bytes = kPlenty) {
  std::vector<MemberFact> facts;
  queue.Take(receiver, sends_max, bytes, facts);
  return facts;
}

std::vector<uint64_t> Numbers(const std::vector<MemberFact>& facts) {
  std::vector<uint64_t> numbers;
  for (const MemberFact& fact : facts) numbers.push_back(fact.id.low);
  return numbers;
}

using Order = std::vector<uint64_t>;

TEST(GossipQueueTest, SendsOwnThenAccusationsThenTheRest) {
  GossipQueue queue(Id(1));
  queue.Put(Fact(2, MemberState::kAlive));
  queue.Put(Fact(3, MemberState::kSuspect));
  queue.Put(Fact(1, MemberState::kAlive));
  EXPECT_EQ(Numbers(TakeFor(queue, Id(9))), Order({1, 3, 2}));
}

TEST(GossipQueueTest, SendsTheNewestFirst) {
  GossipQueue queue(Id(1));
  queue.Put(Fact(2, MemberState::kAlive));
  queue.Put(Fact(3, MemberState::kAlive));
  EXPECT_EQ(Numbers(TakeFor(queue, Id(9))), Order({3, 2}));
}

TEST(GossipQueueTest, ForgetsAFactAfterItsNumberOfSends) {
  GossipQueue queue(Id(1));
  queue.Put(Fact(2, MemberState::kAlive));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(TakeFor(queue, Id(9), 3).size(), 1u);
  }
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.Find(Id(2)), nullptr);
}

TEST(GossipQueueTest, ReplacesOlderNewsOfTheSameMember) {
  GossipQueue queue(Id(1));
  queue.Put(Fact(2, MemberState::kAlive));
  TakeFor(queue, Id(9), 3);
  queue.Put(Fact(2, MemberState::kSuspect));

  EXPECT_EQ(queue.size(), 1u);
  EXPECT_EQ(queue.Find(Id(2))->state, MemberState::kSuspect);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(TakeFor(queue, Id(9), 3).size(), 1u) << "counted anew";
  }
  EXPECT_TRUE(queue.empty());
}

TEST(GossipQueueTest, StopsAtTheLimitAndGoesOnWithWhatWasSentLess) {
  GossipQueue queue(Id(1));
  for (uint64_t i = 2; i <= 4; ++i) queue.Put(Fact(i, MemberState::kAlive));
  const size_t two = 2 * EncodedSizeMax(Fact(2, MemberState::kAlive));
  EXPECT_EQ(Numbers(TakeFor(queue, Id(9), 10, two)), Order({4, 3}));
  EXPECT_EQ(Numbers(TakeFor(queue, Id(9), 10, two)), Order({2, 4}));
}

TEST(GossipQueueTest, CountsWhatIsInThePacketAlready) {
  GossipQueue queue(Id(1));
  queue.Put(Fact(2, MemberState::kSuspect));
  queue.Put(Fact(3, MemberState::kAlive));
  std::vector<MemberFact> facts = {Fact(2, MemberState::kSuspect)};
  const size_t two = 2 * EncodedSizeMax(facts[0]);
  queue.Take(Id(2), 10, two, facts);
  EXPECT_EQ(Numbers(facts), Order({2, 3}));
}

TEST(GossipQueueTest, TellsAMemberOfItselfOnlyIfItIsAccused) {
  GossipQueue queue(Id(1));
  queue.Put(Fact(2, MemberState::kAlive));
  EXPECT_TRUE(TakeFor(queue, Id(2)).empty());
  queue.Put(Fact(2, MemberState::kFailed));
  EXPECT_EQ(TakeFor(queue, Id(2)).size(), 1u);
}

TEST(GossipQueueTest, DropsAMember) {
  GossipQueue queue(Id(1));
  queue.Put(Fact(2, MemberState::kAlive));
  queue.Drop(Id(2));
  queue.Drop(Id(3));
  EXPECT_TRUE(queue.empty());
}

}  // namespace
}  // namespace cachalot
