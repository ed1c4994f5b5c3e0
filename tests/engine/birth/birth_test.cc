// The machine by which founders agree on one birth (engine/birth/README.md),
// driven by hand.

#include "engine/birth/birth.h"

#include <algorithm>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engine/address.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/locks/token_counter.h"
#include "engine/outbox.h"
#include "engine/random.h"
#include "engine/wire/message.h"
#include "gtest/gtest.h"

namespace cachalot {
namespace {

constexpr absl::Duration kQuarantine = absl::Seconds(10);
const std::vector<std::string> kFounders = {"n1", "n2", "n3"};

NodeId IdOf(uint64_t number) { return {.high = number, .low = 1}; }
Address AddressOf(uint64_t number) {
  return Address::V4(10, 0, 0, static_cast<uint8_t>(number), 7946);
}

Birth Make(uint64_t number, std::vector<std::string> founders = kFounders) {
  return Birth(std::move(founders),
               {.id = IdOf(number),
                .name = "n" + std::to_string(number),
                .address = AddressOf(number),
                .is_first = true,
                .token_base = FencingToken(1)},
               SlowInstant(), kQuarantine, Random(number), nullptr);
}

PushPull Introduction(std::vector<std::string> founders = kFounders) {
  return {.founders = std::move(founders), .is_first = true};
}

// `birth` meets the founder n`number`, whose process has the id `id`.
void Meet(Birth& birth, uint64_t number, uint64_t id) {
  birth.Meet(IdOf(id), AddressOf(number), "n" + std::to_string(number),
             Introduction());
}
void Meet(Birth& birth, uint64_t number) { Meet(birth, number, number); }

template <typename Kind>
std::vector<Kind> Only(const Outbox& out) {
  std::vector<Kind> messages;
  for (const Outgoing& outgoing : out.sends) {
    if (const auto* message = std::get_if<Kind>(&outgoing.message)) {
      messages.push_back(*message);
    }
  }
  return messages;
}

class BirthTest : public testing::Test {
 protected:
  SlowInstant At(absl::Duration time) const { return SlowInstant() + time; }
  std::vector<BirthInvitation> Fire(Birth& birth, absl::Duration time) {
    Outbox out;
    birth.FireTimers(At(time), out);
    return Only<BirthInvitation>(out);
  }
  // Whether `guest` accepts it.
  bool Accepts(Birth& guest, uint64_t from, const BirthInvitation& invitation,
               absl::Duration time = absl::ZeroDuration()) {
    Outbox out;
    guest.Receive(At(time), IdOf(from), invitation, out);
    const auto acceptances = Only<BirthAcceptance>(out);
    return acceptances.size() == 1 &&
           acceptances[0].cluster == invitation.cluster;
  }
  BirthInvitation InvitationTo(ClusterId cluster, uint64_t attempt,
                               std::vector<uint64_t> ids = {1, 2, 3}) {
    BirthInvitation invitation = {.attempt = attempt, .cluster = cluster};
    for (uint64_t i = 1; i <= ids.size(); ++i) {
      invitation.voters.push_back({.id = IdOf(ids[static_cast<size_t>(i - 1)]),
                                   .address = AddressOf(i)});
    }
    std::sort(invitation.voters.begin(), invitation.voters.end());
    return invitation;
  }

  const ClusterId kX = {.high = 1, .low = 7};
  const ClusterId kY = {.high = 2, .low = 7};
};

TEST_F(BirthTest, TheFirstOfTheListInvitesOnceAllAreThere) {
  Birth first = Make(1);
  Meet(first, 2);
  EXPECT_TRUE(Fire(first, absl::Seconds(1)).empty());
  Meet(first, 3);
  const auto invitations = Fire(first, absl::Seconds(1));
  ASSERT_EQ(invitations.size(), 2u);
  EXPECT_EQ(invitations[0], invitations[1]);
  EXPECT_EQ(invitations[0].voters.size(), 3u);
  EXPECT_EQ(invitations[0].quarantine, absl::ZeroDuration());
  Birth second = Make(2);
  Meet(second, 1);
  Meet(second, 3);
  EXPECT_TRUE(Fire(second, absl::Seconds(1)).empty());
}

TEST_F(BirthTest, AFounderWithAnotherListIsNotMet) {
  Birth first = Make(1);
  Meet(first, 2);
  first.Meet(IdOf(3), AddressOf(3), "n3", Introduction({"n1", "n3"}));
  EXPECT_TRUE(Fire(first, absl::Seconds(1)).empty());
  Meet(first, 3);
  EXPECT_EQ(Fire(first, absl::Seconds(1)).size(), 2u);
}

TEST_F(BirthTest, TokensBeginAboveWhatAnyFounderHasSeen) {
  constexpr FencingToken kSeen(uint64_t{1} << 60);
  Birth first = Make(1);
  Meet(first, 2);
  PushPull introduction = Introduction();
  introduction.token_base = kSeen;
  first.Meet(IdOf(3), AddressOf(3), "n3", introduction);
  // The next token is above.
  EXPECT_GE(Fire(first, absl::Seconds(1)).at(0).token_base.number() +
                TokenCounter::kStep,
            kSeen.number() + 1);
}

TEST_F(BirthTest, ItIsBornWhenAllHaveAccepted) {
  Birth first = Make(1);
  Meet(first, 2);
  Meet(first, 3);
  const BirthInvitation invitation = Fire(first, absl::Seconds(1)).at(0);
  first.Receive(IdOf(2), {.cluster = invitation.cluster});
  first.Receive(IdOf(2), {.cluster = invitation.cluster});
  EXPECT_FALSE(first.TakeFounding().has_value());
  first.Receive(IdOf(9), {.cluster = invitation.cluster});  // no founder
  first.Receive(IdOf(3), {.cluster = kY});                  // another birth
  EXPECT_FALSE(first.TakeFounding().has_value());
  // Those who have not accepted are asked again.
  EXPECT_EQ(Fire(first, absl::Seconds(2)).size(), 1u);
  first.Receive(IdOf(3), {.cluster = invitation.cluster});
  const std::optional<Birth::Founding> founding = first.TakeFounding();
  ASSERT_TRUE(founding.has_value());
  EXPECT_EQ(founding->cluster, invitation.cluster);
  EXPECT_EQ(founding->voters, invitation.voters);
  EXPECT_FALSE(first.TakeFounding().has_value());
}

TEST_F(BirthTest, ARestartedFounderMakesAnotherAttempt) {
  Birth first = Make(1);
  Meet(first, 2);
  Meet(first, 3);
  const BirthInvitation old = Fire(first, absl::Seconds(1)).at(0);
  first.Receive(IdOf(2), {.cluster = old.cluster});
  Meet(first, 2, /*id=*/22);
  const BirthInvitation next = Fire(first, absl::Seconds(1)).at(0);
  EXPECT_NE(next.cluster, old.cluster);
  EXPECT_GT(next.attempt, old.attempt);
  first.Receive(IdOf(3), {.cluster = old.cluster});
  EXPECT_FALSE(first.TakeFounding().has_value());
}

TEST_F(BirthTest, AGuestIsBoundToOneInvitation) {
  Birth guest = Make(2);
  Meet(guest, 1);
  EXPECT_TRUE(Accepts(guest, 1, InvitationTo(kX, 5)));
  EXPECT_TRUE(Accepts(guest, 1, InvitationTo(kX, 5)));  // again
  EXPECT_NE(guest.FindBinding(kX), nullptr);
  // The inviter has restarted.
  Meet(guest, 1, /*id=*/11);
  const BirthInvitation other = InvitationTo(kY, 1, {11, 2, 3});
  EXPECT_FALSE(Accepts(guest, 11, other));
  EXPECT_EQ(guest.FindBinding(kY), nullptr);
  Fire(guest, Birth::Patience());
  EXPECT_EQ(guest.FindBinding(kX), nullptr);
  EXPECT_TRUE(Accepts(guest, 11, other, Birth::Patience()));
}

TEST_F(BirthTest, ALaterInvitationOfOneInviterReplacesItsEarlierOne) {
  Birth guest = Make(2);
  Meet(guest, 1);
  EXPECT_TRUE(Accepts(guest, 1, InvitationTo(kX, 5)));
  EXPECT_FALSE(Accepts(guest, 1, InvitationTo(kY, 4)));
  EXPECT_TRUE(Accepts(guest, 1, InvitationTo(kY, 6)));
  EXPECT_EQ(guest.FindBinding(kX), nullptr);
  EXPECT_NE(guest.FindBinding(kY), nullptr);
}

TEST_F(BirthTest, WhatIsNoInvitationOfTheFirstFounderIsIgnored) {
  Birth guest = Make(2);
  EXPECT_FALSE(Accepts(guest, 1, InvitationTo(kX, 1)));  // never met
  Meet(guest, 1);
  Meet(guest, 3);
  EXPECT_FALSE(Accepts(guest, 3, InvitationTo(kX, 1)));  // not the first
  EXPECT_FALSE(Accepts(guest, 1, InvitationTo(kX, 1, {1, 2})));
  EXPECT_FALSE(Accepts(guest, 1, InvitationTo(kX, 1, {1, 22, 3})));
  EXPECT_FALSE(Accepts(guest, 1, InvitationTo(ClusterId(), 1)));
  Birth stranger = Make(4);  // not in the list
  Meet(stranger, 1);
  EXPECT_FALSE(Accepts(stranger, 1, InvitationTo(kX, 1, {1, 4, 3})));
  EXPECT_TRUE(Accepts(guest, 1, InvitationTo(kX, 1)));
}

TEST_F(BirthTest, AFounderThatIsGoneIsWaitedForAgain) {
  Birth first = Make(1);
  Meet(first, 2);
  Meet(first, 3);
  ASSERT_EQ(Fire(first, absl::Seconds(1)).size(), 2u);
  first.Forget(IdOf(3));
  EXPECT_TRUE(Fire(first, absl::Seconds(2)).empty());
}

TEST_F(BirthTest, TheOnlyFounderWaitsForNobody) {
  Birth alone = Make(1, {"n1"});
  Fire(alone, absl::Seconds(1));
  EXPECT_TRUE(alone.TakeFounding().has_value());
}

}  // namespace
}  // namespace cachalot
