#include "engine/membership/membership.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engine/address.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/limits.h"
#include "engine/member.h"
#include "engine/membership/probe.h"
#include "engine/observer.h"
#include "engine/options.h"
#include "engine/outbox.h"
#include "engine/random.h"
#include "engine/request.h"
#include "engine/wire/message.h"
#include "gtest/gtest.h"

// One member and what it is sent. Several are in members_test.cc.

namespace cachalot {
namespace {

using Channel = Outgoing::Channel;

constexpr MemberState kAlive = MemberState::kAlive;
constexpr MemberState kSuspect = MemberState::kSuspect;
constexpr MemberState kFailed = MemberState::kFailed;
constexpr MemberState kLeft = MemberState::kLeft;

NodeId Id(uint64_t number) { return {.high = 0, .low = number}; }

Address AddressOf(uint64_t number) {
  const auto high = static_cast<uint8_t>(number >> 8);
  return Address::V4(10, 0, high, static_cast<uint8_t>(number), 7946);
}

MemberFact Fact(uint64_t number, MemberState state, uint64_t incarnation = 0) {
  return {.id = Id(number),
          .address = AddressOf(number),
          .name = absl::StrCat("n", number),
          .incarnation = incarnation,
          .state = state};
}

// Member 1, spoken to by hand.
class OneMember : public testing::Test, protected Observer {
 protected:
  OneMember() : member_(Make({})) {}

  Membership Make(std::vector<Address> seeds) {
    return Membership(options_, Id(1), AddressOf(1), "n1", std::move(seeds),
                      Random(7), now_, this);
  }

  std::vector<Outgoing> Hear(uint64_t from, const MembershipMessage& message) {
    Outbox out;
    // On the channel that honest members choose.
    const auto* ping = std::get_if<Ping>(&message);
    const bool on_stream = std::holds_alternative<PushPull>(message) ||
                           (ping != nullptr && IsOnStream(ping->probe));
    const Origin origin = {.source = AddressOf(from),
                           .claimed = AddressOf(from),
                           .on_stream = on_stream};
    member_.Receive(now_, Id(from), origin, message, out);
    member_.CheckInvariants();
    EXPECT_GT(member_.NextDeadline(), now_);
    return out.sends;
  }

  std::vector<Outgoing> HearFacts(uint64_t from,
                                  std::vector<MemberFact> facts) {
    return Hear(from, Gossip{.facts = std::move(facts)});
  }

  // Runs the timers for `time` and returns what was sent.
  std::vector<Outgoing> Wait(absl::Duration time) {
    Outbox out;
    const SlowInstant end = now_ + time;
    while (member_.NextDeadline() <= end) {
      now_ = member_.NextDeadline();
      member_.FireTimers(now_, out);
      member_.CheckInvariants();
      EXPECT_GT(member_.NextDeadline(), now_);
    }
    now_ = end;
    return out.sends;
  }

  std::optional<MemberState> Belief(uint64_t number) const {
    const auto found = member_.others().find(Id(number));
    if (found == member_.others().end()) return std::nullopt;
    return found->second.state;
  }

  bool WasNoted(absl::string_view note) const {
    return absl::c_linear_search(notes_, note);
  }

  void Note(absl::string_view decision) override {
    notes_.emplace_back(decision);
  }

  const MembershipOptions options_ = {.reap_after = absl::Minutes(5)};
  std::vector<std::string> notes_;
  SlowInstant now_ = SlowInstant::FromNanoseconds(1'000'000'000);
  Membership member_;
};

// The messages of one kind among `sends`, with where they go.
template <typename Kind>
std::vector<std::pair<Outgoing, Kind>> Only(
    const std::vector<Outgoing>& sends) {
  std::vector<std::pair<Outgoing, Kind>> found;
  for (const Outgoing& send : sends) {
    const Kind* message = std::get_if<Kind>(&send.message);
    if (message != nullptr) found.emplace_back(send, *message);
  }
  return found;
}

TEST_F(OneMember, AsksAllSeedsAtOnceAndNeverItself) {
  member_ = Make({AddressOf(2), AddressOf(1), AddressOf(3)});
  member_.Introduce(
      {.token_base = FencingToken(5), .founders = {"n1", "n2", "n3"}});
  const auto joins = Only<PushPull>(Wait(absl::Milliseconds(1)));

  ASSERT_EQ(joins.size(), 2u);
  EXPECT_EQ(joins[0].first.address, AddressOf(2));
  EXPECT_EQ(joins[1].first.address, AddressOf(3));
  for (const auto& [send, join] : joins) {
    EXPECT_TRUE(send.to.IsNone());
    EXPECT_EQ(send.channel, Channel::kStream);
    EXPECT_TRUE(join.is_join);
    EXPECT_FALSE(join.is_reply);
    EXPECT_EQ(join.token_base, FencingToken(5));
    EXPECT_EQ(join.founders, (std::vector<std::string>{"n1", "n2", "n3"}));
    EXPECT_EQ(join.members, std::vector<MemberFact>({member_.self()}));
  }
}

TEST_F(OneMember, AsksSeedsEverLessOftenButForEver) {
  member_ = Make({AddressOf(2)});
  const size_t early = Wait(absl::Seconds(10)).size();
  Wait(absl::Hours(1));
  const size_t late = Wait(absl::Seconds(100)).size();
  EXPECT_GE(early, 5u);
  // Every 2.5 s on average.
  EXPECT_GE(late, 20u);
  EXPECT_LE(late, 80u);
}

TEST_F(OneMember, AnswersAWholeListWithItsOwn) {
  HearFacts(2, {Fact(2, kAlive)});
  const auto sends =
      Hear(3, PushPull{.is_join = true, .members = {Fact(3, kAlive)}});
  const auto replies = Only<PushPull>(sends);
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_EQ(replies[0].first.to, Id(3));
  EXPECT_EQ(replies[0].first.channel, Channel::kSameStream);
  EXPECT_TRUE(replies[0].second.is_reply);
  EXPECT_EQ(replies[0].second.members,
            std::vector<MemberFact>(
                {member_.self(), Fact(2, kAlive), Fact(3, kAlive)}));
  EXPECT_TRUE(Hear(3, PushPull{.is_reply = true}).empty());
}

TEST_F(OneMember, AnswersAPingOnTheChannelItCameBy) {
  HearFacts(2, {Fact(2, kAlive)});
  const auto by_datagram = Only<Ack>(Hear(2, Ping{.probe = 8}));
  ASSERT_EQ(by_datagram.size(), 1u);
  EXPECT_EQ(by_datagram[0].second.probe, 8u);
  EXPECT_EQ(by_datagram[0].first.channel, Channel::kDatagram);
  EXPECT_EQ(by_datagram[0].first.to, Id(2));

  const auto by_stream = Only<Ack>(Hear(2, Ping{.probe = 8 | kStreamBit}));
  ASSERT_EQ(by_stream.size(), 1u);
  EXPECT_EQ(by_stream[0].second.probe, 8 | kStreamBit);
  EXPECT_EQ(by_stream[0].first.channel, Channel::kSameStream);
}

TEST_F(OneMember, PassesAPingOnAndTheAnswerBack) {
  HearFacts(2, {Fact(2, kAlive), Fact(3, kAlive)});
  const auto pings =
      Only<Ping>(Hear(2, PingRequest{.probe = 40,
                                     .target = Id(3),
                                     .target_address = AddressOf(3),
                                     .timeout = absl::Milliseconds(300)}));
  ASSERT_EQ(pings.size(), 1u);
  EXPECT_EQ(pings[0].first.to, Id(3));

  const auto acks = Only<Ack>(Hear(3, Ack{.probe = pings[0].second.probe}));
  ASSERT_EQ(acks.size(), 1u);
  EXPECT_EQ(acks[0].first.to, Id(2));
  EXPECT_EQ(acks[0].second.probe, 40u);
}

TEST_F(OneMember, SaysAtHalfTimeThatAHelpedPingHasNoAnswer) {
  HearFacts(2, {Fact(2, kAlive), Fact(3, kAlive)});
  Hear(2, PingRequest{.probe = 40,
                      .target = Id(3),
                      .target_address = AddressOf(3),
                      .timeout = absl::Milliseconds(300)});
  EXPECT_TRUE(Only<Nack>(Wait(absl::Milliseconds(149))).empty());
  const auto nacks = Only<Nack>(Wait(absl::Milliseconds(1)));
  ASSERT_EQ(nacks.size(), 1u);
  EXPECT_EQ(nacks[0].first.to, Id(2));
  EXPECT_EQ(nacks[0].second.probe, 40u);
}

TEST_F(OneMember, AsksOthersAndAStreamWhenAProbeIsNotAnswered) {
  HearFacts(2, {Fact(2, kAlive)});
  const auto sends = Wait(absl::Milliseconds(660));
  const auto pings = Only<Ping>(sends);
  ASSERT_GE(pings.size(), 2u);
  EXPECT_EQ(pings[0].first.channel, Channel::kDatagram);
  EXPECT_EQ(pings[1].first.channel, Channel::kStream);
  EXPECT_EQ(pings[1].second.probe, pings[0].second.probe | kStreamBit);
  EXPECT_TRUE(WasNoted("n2 did not answer probe 1"));
}

TEST_F(OneMember, TellsTheSuspectThatItIsSuspected) {
  HearFacts(2, {Fact(2, kAlive), Fact(3, kAlive), Fact(3, kSuspect)});
  const auto sends = Wait(absl::Seconds(1));
  bool pinged = false;
  for (const auto& [send, ping] : Only<Ping>(sends)) {
    if (send.to != Id(3)) continue;
    pinged = true;
    ASSERT_FALSE(ping.facts.empty());
    EXPECT_EQ(ping.facts[0], Fact(3, kSuspect));
  }
  EXPECT_TRUE(pinged);
}

TEST_F(OneMember, DeniesAnAccusationAtOnce) {
  HearFacts(2, {Fact(2, kAlive), Fact(3, kAlive)});
  const auto sends = HearFacts(2, {Fact(1, kSuspect)});
  EXPECT_EQ(member_.self().incarnation, 1u);
  EXPECT_TRUE(WasNoted("called suspect by n2 -> alive in incarnation 1"));
  const auto gossip = Only<Gossip>(sends);
  ASSERT_GE(gossip.size(), 2u);
  for (const auto& [send, message] : gossip) {
    ASSERT_FALSE(message.facts.empty());
    EXPECT_EQ(message.facts[0], member_.self());
  }
}

TEST_F(OneMember, AnswersAPingThatAccusesItWithTheDenial) {
  HearFacts(2, {Fact(2, kAlive)});
  const auto acks =
      Only<Ack>(Hear(2, Ping{.probe = 2, .facts = {Fact(1, kFailed)}}));
  ASSERT_EQ(acks.size(), 1u);
  ASSERT_FALSE(acks[0].second.facts.empty());
  EXPECT_EQ(acks[0].second.facts[0], Fact(1, kAlive, 1));
}

TEST_F(OneMember, RepeatsADenialToWhoMissedIt) {
  HearFacts(2, {Fact(2, kAlive)});
  HearFacts(2, {Fact(1, kSuspect)});
  Wait(absl::Seconds(2));
  const auto gossip = Only<Gossip>(HearFacts(2, {Fact(1, kSuspect)}));
  ASSERT_EQ(gossip.size(), 1u);
  EXPECT_EQ(gossip[0].second.facts[0], Fact(1, kAlive, 1));
  EXPECT_EQ(member_.self().incarnation, 1u);
}

TEST_F(OneMember, GoesOnFromTheIncarnationOfAnEarlierLife) {
  HearFacts(2, {Fact(2, kAlive), Fact(1, kAlive, 6)});
  EXPECT_EQ(member_.self().incarnation, 7u);
  EXPECT_EQ(member_.stats().denials, 0u);
}

TEST_F(OneMember, IgnoresIncarnationsThatJumpTooFar) {
  HearFacts(2, {Fact(2, kAlive), Fact(3, kAlive)});
  HearFacts(2, {Fact(1, kSuspect, UINT64_MAX), Fact(3, kFailed, UINT64_MAX)});
  EXPECT_EQ(member_.self().incarnation, 0u);
  EXPECT_EQ(Belief(3), kAlive);
  EXPECT_EQ(member_.stats().implausible, 2u);
}

TEST_F(OneMember, BelievesAMemberThatSaysThatItWasAccusedOften) {
  const uint64_t often = kIncarnationJumpMax + 1;
  HearFacts(2, {Fact(3, kAlive, often)});
  EXPECT_EQ(Belief(3), std::nullopt);
  HearFacts(3, {Fact(3, kAlive, often)});
  EXPECT_EQ(Belief(3), kAlive);
  HearFacts(4, {Fact(4, kAlive, UINT64_MAX)});
  EXPECT_EQ(Belief(4), std::nullopt);
}

TEST_F(OneMember, IgnoresFactsWithoutIdOrAddress) {
  MemberFact nowhere = Fact(2, kAlive);
  nowhere.address = Address();
  MemberFact nobody = Fact(2, kAlive);
  nobody.id = NodeId();
  HearFacts(3, {nowhere, nobody});
  EXPECT_TRUE(member_.others().empty());
  EXPECT_EQ(member_.stats().implausible, 2u);
}

TEST_F(OneMember, OldNewsDoesNotBringTheDeadBack) {
  HearFacts(2, {Fact(2, kAlive), Fact(3, kFailed, 4)});
  HearFacts(2, {Fact(3, kAlive, 4)});
  EXPECT_EQ(Belief(3), kFailed);
  HearFacts(2, {Fact(3, kAlive, 5)});
  EXPECT_EQ(Belief(3), kAlive);
}

TEST_F(OneMember, TellsWhoBringsOldNewsOncePerSecond) {
  HearFacts(2, {Fact(2, kAlive), Fact(3, kFailed)});
  const auto told = Only<Gossip>(HearFacts(2, {Fact(3, kAlive)}));
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].first.to, Id(2));
  EXPECT_EQ(told[0].second.facts, std::vector<MemberFact>({Fact(3, kFailed)}));

  EXPECT_TRUE(HearFacts(2, {Fact(3, kAlive)}).empty());
  Wait(absl::Seconds(1));
  EXPECT_EQ(HearFacts(2, {Fact(3, kAlive)}).size(), 1u);
}

TEST_F(OneMember, TellsTheDeadThatTheyAreTakenForDead) {
  HearFacts(2, {Fact(3, kFailed)});
  const auto told = Only<Gossip>(Hear(3, Ack{.probe = 2}));
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].first.to, Id(3));
  EXPECT_EQ(told[0].second.facts, std::vector<MemberFact>({Fact(3, kFailed)}));
}

TEST_F(OneMember, LeavingIsFinal) {
  HearFacts(2, {Fact(2, kAlive), Fact(2, kLeft)});
  HearFacts(3, {Fact(2, kAlive, 9), Fact(2, kFailed, 9)});
  EXPECT_EQ(Belief(2), kLeft);
}

TEST_F(OneMember, SuspectsFirstWhomOthersCallFailed) {
  HearFacts(2, {Fact(2, kAlive), Fact(3, kAlive)});
  HearFacts(2, {Fact(3, kFailed)});
  EXPECT_EQ(Belief(3), kSuspect);
  // Long enough for a denial, which may be on its way.
  HearFacts(3, {Fact(3, kAlive, 1)});
  EXPECT_EQ(Belief(3), kAlive);
}

TEST_F(OneMember, DoesNotLearnTheLongGoneFromWholeLists) {
  Hear(2, PushPull{.members = {Fact(2, kAlive), Fact(3, kFailed),
                               Fact(4, kLeft), Fact(5, kSuspect)}});
  EXPECT_EQ(Belief(3), std::nullopt);
  EXPECT_EQ(Belief(4), std::nullopt);
  EXPECT_EQ(Belief(5), kSuspect);
}

TEST_F(OneMember, KnowsThatWhoHadItsOwnAddressIsGone) {
  MemberFact predecessor = Fact(2, kAlive);
  predecessor.address = AddressOf(1);
  HearFacts(3, {Fact(3, kAlive), predecessor});
  EXPECT_EQ(Belief(2), kFailed);
}

TEST_F(OneMember, ReportsEachChangeOnceAndInOrder) {
  HearFacts(2, {Fact(2, kAlive)});
  HearFacts(2, {Fact(2, kAlive), Fact(3, kAlive)});
  HearFacts(3, {Fact(2, kLeft)});
  const std::vector<Membership::Change> changes = member_.TakeChanges();
  ASSERT_EQ(changes.size(), 3u);
  EXPECT_EQ(changes[0].fact, Fact(2, kAlive));
  EXPECT_TRUE(changes[0].is_new);
  EXPECT_EQ(changes[0].was, kLeft);
  EXPECT_EQ(changes[1].fact, Fact(3, kAlive));
  EXPECT_EQ(changes[2].fact, Fact(2, kLeft));
  EXPECT_EQ(changes[2].was, kAlive);
  EXPECT_FALSE(changes[2].is_new);
  EXPECT_TRUE(member_.TakeChanges().empty());
}

TEST_F(OneMember, SaysGoodbyeToEveryoneAndReliablyToThree) {
  for (uint64_t i = 2; i <= 6; ++i) HearFacts(i, {Fact(i, kAlive)});
  Outbox out;
  member_.Leave(now_, out);
  size_t by_stream = 0;
  size_t by_datagram = 0;
  for (const auto& [send, gossip] : Only<Gossip>(out.sends)) {
    ++(send.channel == Channel::kStream ? by_stream : by_datagram);
    EXPECT_EQ(gossip.facts, std::vector<MemberFact>({Fact(1, kLeft)}));
  }
  EXPECT_EQ(by_datagram, 5u);
  EXPECT_EQ(by_stream, 3u);
}

TEST_F(OneMember, ProbesNobodyAfterLeavingAndDeniesNothing) {
  HearFacts(2, {Fact(2, kAlive)});
  Outbox out;
  member_.Leave(now_, out);
  HearFacts(2, {Fact(1, kSuspect)});
  EXPECT_EQ(member_.self(), Fact(1, kLeft));
  for (const Outgoing& send : Wait(absl::Minutes(1))) {
    EXPECT_TRUE(std::holds_alternative<Gossip>(send.message));
  }
  EXPECT_EQ(member_.NextDeadline(), SlowInstant::Never());
}

TEST_F(OneMember, IntroducesItselfToAStrangerOncePerSecond) {
  const auto sends = Hear(9, Ping{.probe = 2});
  EXPECT_EQ(Only<Ack>(sends).size(), 1u);
  const auto lists = Only<PushPull>(sends);
  ASSERT_EQ(lists.size(), 1u);
  EXPECT_EQ(lists[0].first.address, AddressOf(9));
  EXPECT_TRUE(Only<PushPull>(Hear(9, Ping{.probe = 4})).empty());
}

TEST_F(OneMember, ReapsTheGoneWhenTheyHaveBeenGoneForLong) {
  HearFacts(2, {Fact(2, kLeft)});
  Wait(options_.reap_after - absl::Seconds(1));
  EXPECT_EQ(Belief(2), kLeft);
  Wait(absl::Seconds(1) + options_.reconnect_interval);
  EXPECT_EQ(Belief(2), std::nullopt);
}

TEST_F(OneMember, KeepsThePresentWithinTheLimitAndForgetsTheGoneFirst) {
  HearFacts(2, {Fact(2, kLeft)});
  std::vector<MemberFact> many;
  for (uint64_t i = 0; i < limits::kMembersMax + 5; ++i) {
    many.push_back(Fact(10 + i, kAlive));
  }
  Outbox out;
  const Origin origin = {
      .source = AddressOf(10), .claimed = AddressOf(10), .on_stream = true};
  member_.Receive(now_, Id(10), origin, PushPull{.members = many}, out);
  EXPECT_EQ(member_.others().size(), limits::kMembersMax);
  EXPECT_EQ(Belief(2), std::nullopt);
  EXPECT_EQ(member_.stats().refused, 5u);
  member_.CheckInvariants();
}

TEST_F(OneMember, AStallVoidsTheProbeAndDelaysVerdicts) {
  HearFacts(2, {Fact(2, kAlive)});
  Wait(absl::Milliseconds(1500));
  ASSERT_EQ(Belief(2), kSuspect);
  const int health = member_.health();

  now_ = now_ + absl::Seconds(60);
  member_.NoteStall(now_, absl::Seconds(60));
  Wait(absl::Milliseconds(100));
  EXPECT_EQ(Belief(2), kSuspect);
  EXPECT_EQ(member_.health(), health + 1);
  Wait(absl::Seconds(3));
  EXPECT_EQ(Belief(2), kFailed);
}

TEST_F(OneMember, ACopyGoesOnByItself) {
  HearFacts(2, {Fact(2, kAlive), Fact(3, kAlive)});
  Membership copy = member_;
  EXPECT_EQ(copy.Fingerprint(), member_.Fingerprint());
  const SlowInstant start = now_;
  Wait(absl::Seconds(5));
  EXPECT_NE(copy.Fingerprint(), member_.Fingerprint());

  std::swap(copy, member_);
  now_ = start;
  Wait(absl::Seconds(5));
  EXPECT_EQ(copy.Fingerprint(), member_.Fingerprint());
}

TEST_F(OneMember, ExplainsItsDecisions) {
  HearFacts(2, {Fact(2, kAlive)});
  Wait(absl::Seconds(5));
  EXPECT_TRUE(WasNoted("n2 is new, alive in incarnation 0, says itself"));
  EXPECT_TRUE(WasNoted("n2 did not answer probe 1"));
  EXPECT_TRUE(WasNoted("n2 silent -> suspect"));
  EXPECT_TRUE(WasNoted("n2 suspect for 1.2s -> failed"));
}

}  // namespace
}  // namespace cachalot
