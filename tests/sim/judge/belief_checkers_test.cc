#include "sim/judge/belief_checkers.h"

#include "absl/time/time.h"
#include "engine/action.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/request.h"
#include "gtest/gtest.h"
#include "sim/world/instant.h"

namespace cachalot::sim {
namespace {

constexpr SessionId kSession{.node = {1, 1}, .number = 1};
constexpr SessionId kOtherSession{.node = {1, 1}, .number = 2};
constexpr FencingToken kToken(5);
constexpr FencingToken kOtherToken(6);
constexpr RequestId kRequest(3);

RealInstant At(absl::Duration time) { return RealInstant() + time; }

FastInstant FastAt(int64_t seconds) {
  return FastInstant() + absl::Seconds(seconds);
}

// A bound of a quarter: of ten seconds, eight are sure.
class LeaseEndsTest : public testing::Test {
 protected:
  void SetUp() override {
    leases_.ObserveLease(kSession, FencingToken(), absl::Seconds(20),
                         At(first_));
    leases_.ObserveLease(kSession, kToken, absl::Seconds(10), At(first_));
  }

  Complaint Believed(absl::Duration until) const {
    return leases_.CheckBelief("a", kSession, kToken, At(until));
  }

  const absl::Duration first_ = absl::Seconds(100);
  LeaseEnds leases_ = LeaseEnds(250'000);
};

TEST_F(LeaseEndsTest, RefusesABeliefThatOutlivesItsLease) {
  EXPECT_FALSE(Believed(first_ + absl::Seconds(8)));
  EXPECT_TRUE(Believed(first_ + absl::Milliseconds(8001)));
}

TEST_F(LeaseEndsTest, RefusesABeliefThatOutlivesItsSession) {
  leases_.ObserveLease(kSession, kToken, absl::Seconds(60), At(first_));
  EXPECT_FALSE(Believed(first_ + absl::Seconds(16)));
  EXPECT_TRUE(Believed(first_ + absl::Milliseconds(16001)));
}

TEST_F(LeaseEndsTest, RefusesABeliefOfAnotherSessionThanTheGrants) {
  const SessionId next{kSession.node, kSession.number + 1};
  leases_.ObserveLease(next, FencingToken(), absl::Seconds(20), At(first_));
  EXPECT_TRUE(leases_.CheckBelief("a", next, kToken, At(first_)));
}

TEST_F(LeaseEndsTest, CountsFromTheLatestRenewal) {
  const absl::Duration later = absl::Seconds(3);
  leases_.ObserveLease(kSession, kToken, absl::Seconds(10), At(first_ + later));
  EXPECT_FALSE(Believed(first_ + later + absl::Seconds(8)));
  EXPECT_TRUE(Believed(first_ + later + absl::Milliseconds(8001)));
}

TEST_F(LeaseEndsTest, RefusesABeliefInWhatIsNotGranted) {
  EXPECT_TRUE(leases_.CheckBelief("a", kSession, kOtherToken, At(first_)));
  leases_.ObserveEnd(kToken);
  EXPECT_TRUE(Believed(first_));
}

class CallersBeliefsTest : public testing::Test {
 protected:
  void SetUp() override {
    EXPECT_FALSE(beliefs_.ObserveGrant(kRequest, "a", kToken, kSession));
    EXPECT_FALSE(beliefs_.ObserveBelief(kRequest, kToken, kSession, FastAt(10),
                                        FastAt(2)));
  }

  Complaint Told(Belief belief, LossReason reason = LossReason::kNone,
                 const LossFacts& facts = {}) {
    return beliefs_.ObserveNotice({.request = kRequest,
                                   .key = "a",
                                   .token = kToken,
                                   .belief = belief,
                                   .reason = reason},
                                  facts);
  }

  CallersBeliefs beliefs_;
};

TEST_F(CallersBeliefsTest, AnAdministratorsReasonIsTheOneThatWasGiven) {
  const auto told = [this](const std::string& text, const LossFacts& facts) {
    CallersBeliefs beliefs = beliefs_;
    return beliefs.ObserveNotice({.request = kRequest,
                                  .key = "a",
                                  .token = kToken,
                                  .belief = Belief::kLost,
                                  .reason = LossReason::kRevoked,
                                  .text = text},
                                 facts);
  };
  EXPECT_FALSE(told("why", {.is_granted = true, .revoke_reason = "why"}));
  EXPECT_TRUE(told("else", {.is_granted = true, .revoke_reason = "why"}));
  EXPECT_TRUE(told("why", {.is_granted = true}));
  EXPECT_TRUE(told("", {.is_granted = true, .revoke_reason = "why"}))
      << "the reason was lost";
  EXPECT_FALSE(told("why", {})) << "it has come free meanwhile";
}

TEST_F(CallersBeliefsTest, HeldAndSuspectTakeTurns) {
  EXPECT_FALSE(Told(Belief::kSuspect));
  EXPECT_FALSE(Told(Belief::kHeld));
  EXPECT_FALSE(Told(Belief::kSuspect));
  EXPECT_TRUE(Told(Belief::kSuspect));
}

TEST_F(CallersBeliefsTest, RefusesNewsThatAreNone) {
  EXPECT_TRUE(Told(Belief::kHeld));
}

TEST_F(CallersBeliefsTest, RefusesASecondGrantOfARequest) {
  EXPECT_TRUE(beliefs_.ObserveGrant(kRequest, "a", kOtherToken, kSession));
}

TEST_F(CallersBeliefsTest, LostIsFinal) {
  EXPECT_FALSE(Told(Belief::kLost, LossReason::kExpired, {.now = FastAt(10)}));
  EXPECT_TRUE(beliefs_.held().empty());
  EXPECT_TRUE(Told(Belief::kLost, LossReason::kExpired, {.now = FastAt(10)}));
}

TEST_F(CallersBeliefsTest, RefusesABeliefOfWhichNobodyWasTold) {
  EXPECT_TRUE(beliefs_.ObserveBelief(RequestId(4), kToken, kSession, FastAt(10),
                                     FastAt(2)));
  EXPECT_TRUE(beliefs_.ObserveBelief(kRequest, kOtherToken, kSession,
                                     FastAt(10), FastAt(2)));
}

TEST_F(CallersBeliefsTest, RefusesABeliefThatIsNotLostWhenItEnds) {
  EXPECT_TRUE(beliefs_.ObserveBelief(kRequest, kToken, kSession, FastAt(10),
                                     FastAt(10)));
}

TEST_F(CallersBeliefsTest, RefusesABeliefThatComesBack) {
  EXPECT_FALSE(beliefs_.ObserveBelief(kRequest, kToken, kSession, FastAt(20),
                                      FastAt(9)));
  EXPECT_TRUE(beliefs_.ObserveBelief(kRequest, kToken, kSession, FastAt(30),
                                     FastAt(20)));
}

TEST_F(CallersBeliefsTest, RefusesABeliefThatOutlivesItsSession) {
  EXPECT_TRUE(beliefs_.ObserveBelief(kRequest, kToken, kOtherSession,
                                     FastAt(10), FastAt(2)));
}

TEST_F(CallersBeliefsTest, ExpiredNotBeforeTheBeliefHasEnded) {
  EXPECT_TRUE(Told(Belief::kLost, LossReason::kExpired, {.now = FastAt(9)}));
}

TEST_F(CallersBeliefsTest, ReleasedOnlyByItsHolder) {
  EXPECT_TRUE(Told(Belief::kLost, LossReason::kReleased));
}

TEST_F(CallersBeliefsTest, RevokedOnlyIfTheTableSaysSo) {
  EXPECT_TRUE(Told(Belief::kLost, LossReason::kRevoked, {.is_granted = true}));
}

TEST_F(CallersBeliefsTest, LeftOnlyIfItsNodeLeaves) {
  EXPECT_TRUE(Told(Belief::kLost, LossReason::kLeft));
}

TEST_F(CallersBeliefsTest, DissolvedOnlyIfItsClusterWas) {
  EXPECT_TRUE(Told(Belief::kLost, LossReason::kDissolved));
}

TEST_F(CallersBeliefsTest, RefusesALossWithoutReason) {
  EXPECT_TRUE(Told(Belief::kLost, LossReason::kNone));
}

TEST_F(CallersBeliefsTest, AcceptsAReasonThatIsTrue) {
  const LossFacts facts = {.was_released = true};
  EXPECT_FALSE(Told(Belief::kLost, LossReason::kReleased, facts));
  SetUp();
  EXPECT_FALSE(Told(Belief::kLost, LossReason::kRevoked));
  SetUp();
  EXPECT_FALSE(Told(Belief::kLost, LossReason::kLeft, {.has_left = true}));
}

}  // namespace
}  // namespace cachalot::sim
