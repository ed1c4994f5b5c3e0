// What people who are no members may say to a node, and what comes of it:
// nothing but an answer where they asked.

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "engine/address.h"
#include "engine/event.h"
#include "engine/ids.h"
#include "engine/limits.h"
#include "engine/member.h"
#include "engine/membership/member_proofs.h"
#include "engine/node.h"
#include "engine/request.h"
#include "engine/wire/codec.h"
#include "engine/wire/message.h"
#include "gtest/gtest.h"
#include "tests/engine/test_cluster.h"
#include "tests/engine/wire/message_generator.h"

namespace cachalot {
namespace {

const ClusterId kOtherCluster = {.high = 6, .low = 66};
const NodeId kStranger = {.high = 5, .low = 55};
// Where the stranger's bytes come from, and whom it wants us to speak to.
const Address kSource = Address::V4(192, 0, 2, 1, 40000);
const Address kVictim = Address::V4(198, 51, 100, 7, 53);

MemberFact StrangersFact(uint64_t number = 55) {
  return {
      .id = {.high = 5, .low = number}, .address = kVictim, .name = "stranger"};
}

class StrangersTest : public testing::Test {
 protected:
  StrangersTest() {
    cluster_.filter = [this](int from, const Address& to, const std::string&) {
      if (to == kSource || to.ip == kSource.ip || to.ip == kVictim.ip) {
        strangers_hear_.push_back({from, to});
        return false;
      }
      return true;
    };
  }

  void StartThree() {
    for (const int i : {1, 2, 3}) cluster_.Start(i, {1});
    ASSERT_TRUE(cluster_.RunUntil([&] {
      for (const int i : {1, 2, 3}) {
        const Node& node = cluster_.node(i);
        if (!node.client().has_session()) return false;
        if (node.consensus().configuration().voters.size() != 3) return false;
      }
      return true;
    }));
  }

  // To `node`, from somebody without a cluster, to whoever listens.
  Envelope Introduction() {
    Envelope envelope{.from = kStranger, .from_address = kVictim};
    envelope.message = PushPull{.is_join = true, .members = {StrangersFact()}};
    return envelope;
  }
  // What a member of the cluster of `node` would write around `message`.
  Envelope AsMember(int node, NodeId from, Message message) {
    return {.cluster = cluster_.node(node).identity().cluster,
            .from = from,
            .to = cluster_.node(node).id(),
            .from_address = kVictim,
            .message = std::move(message)};
  }
  void SayByDatagram(int node, const Envelope& envelope) {
    cluster_.Deliver(
        node, DatagramReceived{.from = kSource, .bytes = Encode(envelope)});
  }
  void SayOnStream(int node, const Envelope& envelope) {
    cluster_.Deliver(node,
                     FrameReceived{.from = kSource, .bytes = Encode(envelope)});
  }
  Answer Try(int node, std::string key) {
    return cluster_.Ask(
        node, AcquireRequest{.key = std::move(key), .ttl = absl::Seconds(30)});
  }

  TestCluster cluster_;
  // Who spoke to a stranger or its victim, and where.
  std::vector<std::pair<int, Address>> strangers_hear_;
};

// --- Answers go to where the question came from -----------------------------

TEST_F(StrangersTest, AMemberListInADatagramIsNotAnswered) {
  StartThree();
  Envelope of_ours = AsMember(1, kStranger, Introduction().message);
  Envelope of_others = Introduction();
  of_others.cluster = kOtherCluster;
  for (const Envelope& envelope : {Introduction(), of_ours, of_others}) {
    SayByDatagram(1, envelope);
  }
  cluster_.Run(absl::Seconds(30));
  EXPECT_TRUE(strangers_hear_.empty());
  EXPECT_EQ(cluster_.node(1).stats().lists_in_datagrams, 3u);
  EXPECT_EQ(cluster_.node(1).Members().size(), 3u);
}

TEST_F(StrangersTest, AnIntroductionIsAnsweredOnItsStreamAndChangesNothing) {
  StartThree();
  SayOnStream(1, Introduction());
  cluster_.Run(absl::Seconds(30));
  EXPECT_EQ(strangers_hear_,
            (std::vector<std::pair<int, Address>>{{1, kSource}}));
  EXPECT_EQ(cluster_.node(1).Members().size(), 3u);
}

TEST_F(StrangersTest, OtherMessagesOfStrangersAreCountedAndDropped) {
  StartThree();
  Envelope envelope = Introduction();
  envelope.to = cluster_.node(1).id();
  envelope.message = Ping{.probe = 8, .facts = {StrangersFact()}};
  SayByDatagram(1, envelope);
  SayOnStream(1, envelope);
  cluster_.Run(absl::Seconds(30));
  EXPECT_TRUE(strangers_hear_.empty());
  EXPECT_EQ(cluster_.node(1).stats().strangers, 2u);
}

TEST_F(StrangersTest, IntroductionsAreAnsweredUpToALimit) {
  StartThree();
  for (int i = 0; i < 1000; ++i) SayOnStream(1, Introduction());
  EXPECT_LE(strangers_hear_.size(), 256u);
  EXPECT_GE(cluster_.node(1).stats().strangers, 744u);
  EXPECT_EQ(Try(1, "a").outcome, Outcome::kOk);
}

// Also who knows the cluster's name can make nobody speak to others.
TEST_F(StrangersTest, NobodyIsSpokenToAtAnAddressThatAMessageOnlyNames) {
  StartThree();
  const NodeId peer = cluster_.node(2).id();
  const std::vector<Message> messages = {
      Ping{.probe = 8},
      Ping{.probe = 9},
      PingRequest{.probe = 8,
                  .target = {.high = 9, .low = 9},
                  .target_address = kVictim,
                  .timeout = absl::Milliseconds(100)},
      PingRequest{.probe = 8,
                  .target = cluster_.node(3).id(),
                  .target_address = kVictim,
                  .timeout = absl::Milliseconds(100)},
      Gossip(),
      Forward{.reads = {Read{.number = 1}}},
      Redirect{.leader = kStranger, .address = kVictim}};
  for (const Message& message : messages) {
    for (const NodeId from : {peer, kStranger}) {
      SayByDatagram(1, AsMember(1, from, message));
    }
  }
  cluster_.Run(absl::Seconds(30));
  for (const auto& [from, to] : strangers_hear_) {
    EXPECT_EQ(to, kSource) << "n" << from;
  }
}

TEST_F(StrangersTest, FewStreamsAreOpenedToUnknownSendersOfDatagrams) {
  StartThree();
  for (uint64_t i = 1; i <= 1100; ++i) {
    Envelope ping = AsMember(1, {.high = 9, .low = i}, Ping{.probe = 8});
    ping.from_address = kSource;
    ping.from_address.port = static_cast<uint16_t>(1000 + i);
    SayByDatagram(1, ping);
  }
  std::set<Address> heard;
  for (const auto& [from, to] : strangers_hear_) heard.insert(to);
  EXPECT_LE(heard.size(), 20u);
}

// --- Nothing is believed
// ------------------------------------------------------

TEST_F(StrangersTest, TheTokensOfAStrangerAreNotAdopted) {
  cluster_.Start(1, {1});
  for (const uint64_t base : {uint64_t{1} << 40, limits::kTokenFloorMax,
                              limits::kTokenFloorMax + 1, FencingToken::kMax}) {
    for (const ClusterId cluster : {ClusterId(), kOtherCluster}) {
      Envelope envelope = Introduction();
      envelope.cluster = cluster;
      std::get<PushPull>(envelope.message).token_base = FencingToken(base);
      SayByDatagram(1, envelope);
      SayOnStream(1, envelope);
    }
  }
  ASSERT_TRUE(cluster_.RunUntil([&] { return cluster_.Leader() == 1; }));
  EXPECT_LT(Try(1, "a").token, FencingToken(uint64_t{1} << 40));
}

TEST_F(StrangersTest, TokensOfTheFarFutureAreNotJoined) {
  cluster_.Start(2, {1});
  Envelope envelope = Introduction();
  envelope.cluster = kOtherCluster;
  envelope.to = cluster_.node(2).id();
  std::get<PushPull>(envelope.message).is_led = true;
  std::get<PushPull>(envelope.message).token_base =
      FencingToken(limits::kTokenFloorMax + 1);
  SayOnStream(2, envelope);
  EXPECT_TRUE(cluster_.node(2).identity().cluster.IsNone());
  EXPECT_EQ(cluster_.node(2).stats().implausible, 1u);
}

TEST_F(StrangersTest, AClusterIsNotGivenUpForWhatAStrangerSays) {
  StartThree();
  const ClusterId ours = cluster_.node(1).identity().cluster;
  Envelope envelope = Introduction();
  envelope.cluster = kOtherCluster;
  // Older than ours, and with a leader.
  envelope.message = PushPull{.token_base = FencingToken(1), .is_led = true};
  for (const int i : {1, 2, 3}) {
    SayByDatagram(i, envelope);
    SayOnStream(i, envelope);
  }
  cluster_.Run(absl::Seconds(5));
  for (const int i : {1, 2, 3}) {
    EXPECT_EQ(cluster_.node(i).identity().cluster, ours);
    EXPECT_EQ(cluster_.node(i).stats().stalls, 0u);
  }
  // Each asked, on the stream.
  for (const auto& [from, to] : strangers_hear_) EXPECT_EQ(to, kSource);
  EXPECT_EQ(strangers_hear_.size(), 3u);
}

TEST_F(StrangersTest, WhoLooksForAClusterIsNotBoundByAStranger) {
  cluster_.Start(2, {1});
  Envelope envelope = Introduction();
  envelope.cluster = kOtherCluster;
  std::get<PushPull>(envelope.message).is_led = true;
  SayByDatagram(2, envelope);
  EXPECT_TRUE(strangers_hear_.empty());
  SayOnStream(2, envelope);
  EXPECT_TRUE(cluster_.node(2).identity().cluster.IsNone());
  // It asks the stranger, on its stream.
  EXPECT_EQ(strangers_hear_,
            (std::vector<std::pair<int, Address>>{{2, kSource}}));
}

TEST_F(StrangersTest, FoundersAreThoseWhoAnsweredByName) {
  cluster_.Start(1, {2, 3}, [](NodeOptions& o) {
    o.founders = {"n1", "n2", "n3"};
  });
  for (uint64_t i = 1; i <= 8; ++i) {
    Envelope envelope = Introduction();
    envelope.from = {.high = 5, .low = i};
    envelope.message =
        PushPull{.founders = {"n1", "n2", "n3"}, .members = {StrangersFact(i)}};
    SayOnStream(1, envelope);
  }
  cluster_.Run(absl::Seconds(10));
  EXPECT_TRUE(cluster_.node(1).identity().cluster.IsNone());
  EXPECT_EQ(cluster_.node(1).Members().size(), 1u);
}

// --- Who knows the cluster's name
// ---------------------------------------------

TEST_F(StrangersTest, LearnersAreThoseWhoAnswerNotTheLowestIds) {
  StartThree();
  const int leader = cluster_.Leader();
  const NodeId peer = cluster_.node(leader == 1 ? 2 : 1).id();
  for (uint64_t i = 1; i <= 64; ++i) {
    MemberFact fact = StrangersFact();
    fact.id = {.high = 0, .low = i};  // the lowest ids that there are
    fact.address.port = static_cast<uint16_t>(i);
    SayByDatagram(leader, AsMember(leader, peer, Gossip{.facts = {fact}}));
  }
  EXPECT_EQ(cluster_.node(leader).Members().size(), 67u);
  cluster_.Start(4, {1});
  EXPECT_TRUE(cluster_.RunUntil(
      [&] {
        return cluster_.node(4).client().has_session() &&
               cluster_.node(leader)
                   .consensus()
                   .AddressOf(cluster_.node(4).id())
                   .has_value();
      },
      absl::Seconds(5)));
  for (uint64_t i = 1; i <= 64; ++i) {
    EXPECT_FALSE(cluster_.node(leader)
                     .consensus()
                     .AddressOf({.high = 0, .low = i})
                     .has_value());
  }
}

TEST_F(StrangersTest, InventedMembersAreFewAndSoonForgotten) {
  StartThree();
  const NodeId peer = cluster_.node(2).id();
  for (uint64_t i = 1; i <= 2000; ++i) {
    MemberFact fact = StrangersFact(i);
    fact.address.port = static_cast<uint16_t>(i);
    SayByDatagram(1, AsMember(1, peer, Gossip{.facts = {fact}}));
  }
  EXPECT_LE(cluster_.node(1).Members().size(), 3 + MemberProofs::kUnprovenMax);
  EXPECT_GE(cluster_.node(1).membership().stats().invented, 1800u);
  EXPECT_TRUE(
      cluster_.RunUntil([&] { return cluster_.node(1).Members().size() == 3; },
                        absl::Minutes(10)));
  EXPECT_EQ(Try(1, "a").outcome, Outcome::kOk);
}

TEST_F(StrangersTest, AnInventedMemberDoesNotPushOutWhoHasItsAddress) {
  StartThree();
  MemberFact fact = StrangersFact();
  fact.address = TestCluster::AddressOf(3);
  SayByDatagram(1, AsMember(1, cluster_.node(2).id(), Gossip{.facts = {fact}}));
  const auto& others = cluster_.node(1).membership().others();
  EXPECT_EQ(others.at(cluster_.node(3).id()).state, MemberState::kAlive);
}

// Every number of every message at its ends, from a peer by name.
TEST_F(StrangersTest, NumbersAtTheirEndsNeitherCrashNorWedge) {
  StartThree();
  MessageGenerator generator(/*seed=*/1);
  for (int i = 0; i < 4000; ++i) {
    const size_t kind = static_cast<size_t>(i) % kMessageKinds;
    Message message = generator.DrawMessage(kind);
    // It is true, for all we know.
    if (std::holds_alternative<LeaveIntent>(message)) continue;
    const int to = 1 + i % 3;
    const int from = 1 + (i + 1 + i / 3 % 2) % 3;
    if (to == from) continue;
    SayOnStream(to, AsMember(to, cluster_.node(from).id(), std::move(message)));
  }
  cluster_.Run(absl::Seconds(20));
  for (const int i : {1, 2, 3}) {
    cluster_.node(i).CheckInvariants();
    EXPECT_EQ(Try(i, std::string(1, static_cast<char>('a' + i))).outcome,
              Outcome::kOk);
  }
  EXPECT_LT(cluster_.node(1).consensus().term().value(), uint64_t{1} << 40);
}

}  // namespace
}  // namespace cachalot
