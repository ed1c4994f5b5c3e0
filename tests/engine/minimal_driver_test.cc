#include "tests/engine/minimal_driver.h"

#include <algorithm>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace cachalot {
namespace {

const Address kFounder = Address::V4(10, 0, 0, 1, 7946);
const Address kJoiner = Address::V4(10, 0, 0, 2, 7946);

// A founder and one that joins it, both with a session.
class MinimalDriverTest : public testing::Test {
 protected:
  void SetUp() override {
    driver_.Start({.seed = 1, .address = kFounder, .bootstrap = true});
    driver_.Start({.seed = 2, .address = kJoiner, .seeds = {kFounder}});
    ASSERT_TRUE(driver_.RunUntil([&] { return driver_.sessions.size() == 2; }));
  }

  // The answer to `body`, asked at `node`.
  Answer Ask(const Address& node, const Request& body) {
    const RequestId request(++last_request_);
    driver_.Hand(node, RequestSubmitted{request, body});
    EXPECT_TRUE(
        driver_.RunUntil([&] { return driver_.answers.contains(request); }));
    return driver_.answers[request];
  }

  // Until when `node` may believe in what it was granted.
  FastInstant BeliefEnd(const Address& node, const Answer& granted) {
    return std::min(granted.lease_end, driver_.sessions.at(node).belief_end);
  }

  MinimalDriver driver_;
  uint64_t last_request_ = 0;
};

TEST_F(MinimalDriverTest, ActionsSayHowLongAGrantMayBeBelievedIn) {
  const Answer granted =
      Ask(kJoiner, AcquireRequest{.key = "key", .ttl = absl::Minutes(1)});
  ASSERT_EQ(granted.outcome, Outcome::kOk);
  EXPECT_GT(granted.lease_end - driver_.now.fast, absl::Seconds(50));
  EXPECT_GT(BeliefEnd(kJoiner, granted), driver_.now.fast);

  const Answer refused =
      Ask(kFounder, AcquireRequest{.key = "key",
                                   .ttl = absl::Minutes(1),
                                   .wait = absl::ZeroDuration()});
  EXPECT_EQ(refused.outcome, Outcome::kHeld);
}

TEST_F(MinimalDriverTest, ARenewalAndAKeepAliveMoveTheEnds) {
  const Answer granted =
      Ask(kJoiner, AcquireRequest{.key = "key", .ttl = absl::Minutes(1)});
  ASSERT_EQ(granted.outcome, Outcome::kOk);
  const FastInstant session_end = driver_.sessions.at(kJoiner).belief_end;
  ASSERT_TRUE(driver_.RunUntil(
      [&] { return driver_.sessions.at(kJoiner).belief_end > session_end; }));
  const Answer renewed = Ask(kJoiner, RenewRequest{.key = "key",
                                                   .token = granted.token,
                                                   .ttl = absl::Minutes(5)});
  ASSERT_EQ(renewed.outcome, Outcome::kOk);
  EXPECT_GT(renewed.lease_end - granted.lease_end, absl::Minutes(3));
}

TEST_F(MinimalDriverTest, ALeaseThatRunsOutIsSuspectAndThenLost) {
  const Answer granted =
      Ask(kJoiner, AcquireRequest{.key = "key", .ttl = absl::Seconds(3)});
  ASSERT_EQ(granted.outcome, Outcome::kOk);
  ASSERT_TRUE(driver_.RunUntil([&] { return driver_.notices.size() == 2; }));
  EXPECT_EQ(driver_.notices[0].belief, Belief::kSuspect);
  EXPECT_EQ(driver_.notices[0].lease_end, granted.lease_end);
  EXPECT_EQ(driver_.notices[1].belief, Belief::kLost);
  EXPECT_EQ(driver_.notices[1].reason, LossReason::kExpired);
  EXPECT_GE(driver_.now.fast, granted.lease_end);
}

}  // namespace
}  // namespace cachalot
