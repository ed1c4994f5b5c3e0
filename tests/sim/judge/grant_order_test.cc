#include "sim/judge/grant_order.h"

#include <string>
#include <utility>
#include <vector>

#include "engine/command.h"
#include "engine/ids.h"
#include "engine/request.h"
#include "gtest/gtest.h"

namespace cachalot::sim {
namespace {

SessionId Session(uint64_t number) { return {{number, number}, 1}; }

FencingToken Token(uint64_t index) { return FencingToken(index); }

LockCommand Ask(uint64_t session) {
  return Acquire{.session = Session(session),
                 .sequence = Sequence(1),
                 .key = "a",
                 .waits = true};
}

LockCommand GiveBack(uint64_t session, const FencingToken& token) {
  return Release{.session = Session(session),
                 .sequence = Sequence(2),
                 .key = "a",
                 .token = token};
}

Reply Told(uint64_t session, Reply::Kind kind) {
  Reply reply;
  reply.kind = kind;
  reply.session = Session(session);
  reply.sequence = Sequence(1);
  return reply;
}

Reply Granted(uint64_t session, const FencingToken& token) {
  Reply reply = Told(session, Reply::Kind::kAnswered);
  reply.token = token;
  return reply;
}

Reply GivenBack(uint64_t session) {
  Reply reply = Told(session, Reply::Kind::kAnswered);
  reply.sequence = Sequence(2);
  return reply;
}

// The first has the lock, the second and the third wait for it.
class GrantOrderTest : public testing::Test {
 protected:
  void SetUp() override {
    EXPECT_FALSE(Apply({Ask(1)}, {Granted(1, Token(1))}));
    EXPECT_FALSE(Apply({Ask(2)}, {Told(2, Reply::Kind::kQueued)}));
    EXPECT_FALSE(Apply({Ask(3)}, {Told(3, Reply::Kind::kQueued)}));
  }

  Complaint Apply(const std::vector<LockCommand>& commands,
                  const std::vector<Reply>& replies) {
    return order_.ObserveEntry(commands, replies);
  }

  Complaint PassOnTo(uint64_t session, const FencingToken& token) {
    return Apply({GiveBack(1, Token(1))},
                 {GivenBack(1), Granted(session, token)});
  }

  GrantOrder order_;
};

TEST_F(GrantOrderTest, AcceptsTheOrderOfTheLog) {
  EXPECT_FALSE(PassOnTo(2, Token(4)));
  EXPECT_FALSE(
      Apply({GiveBack(2, Token(4))}, {GivenBack(2), Granted(3, Token(5))}));
  EXPECT_FALSE(Apply({GiveBack(3, Token(5))}, {GivenBack(3)}));
}

TEST_F(GrantOrderTest, RefusesWhoIsGrantedPastAnother) {
  EXPECT_TRUE(PassOnTo(3, Token(4)));
}

TEST_F(GrantOrderTest, RefusesANewcomerPastThoseWhoWait) {
  EXPECT_TRUE(
      Apply({GiveBack(1, Token(1)), Ask(4)},
            {GivenBack(1), Granted(4, Token(4)), Granted(2, Token(5))}));
}

TEST_F(GrantOrderTest, NobodyIsPassedOverWhoHasGone) {
  EXPECT_FALSE(Apply({}, {Told(2, Reply::Kind::kSessionGone)}));
  EXPECT_FALSE(PassOnTo(3, Token(4)));
}

TEST_F(GrantOrderTest, NobodyIsPassedOverWhoWithdrew) {
  const Withdraw withdraw = {.session = Session(2),
                             .sequence = Sequence(2),
                             .key = "a",
                             .acquire = Sequence(1)};
  EXPECT_FALSE(Apply({withdraw}, {GivenBack(2)}));
  EXPECT_FALSE(PassOnTo(3, Token(4)));
}

TEST_F(GrantOrderTest, RefusesALostWakeUp) {
  EXPECT_TRUE(Apply({GiveBack(1, Token(1))}, {GivenBack(1)}));
}

TEST_F(GrantOrderTest, RefusesALostWakeUpAfterAnExpiry) {
  Reply revoked = Told(1, Reply::Kind::kRevoked);
  revoked.key = "a";
  revoked.token = Token(1);
  EXPECT_TRUE(Apply({}, {revoked}));
}

TEST_F(GrantOrderTest, RefusesALostWakeUpAfterASession) {
  EXPECT_TRUE(Apply({}, {Told(1, Reply::Kind::kSessionGone)}));
}

TEST_F(GrantOrderTest, RefusesASecondHolder) {
  EXPECT_TRUE(Apply({}, {Granted(2, Token(4))}));
}

TEST_F(GrantOrderTest, ARepeatedAnswerIsNotAGrant) {
  EXPECT_FALSE(Apply({Ask(1)}, {Granted(1, Token(1))}));
}

TEST_F(GrantOrderTest, RefusesARequestThatIsGrantedTwice) {
  EXPECT_TRUE(Apply({Ask(1)}, {Granted(1, Token(4))}));
}

TEST_F(GrantOrderTest, RefusesATokenThatDoesNotRise) {
  EXPECT_TRUE(PassOnTo(2, Token(1)));
}

TEST_F(GrantOrderTest, RefusesAGrantToASessionThatIsOver) {
  EXPECT_FALSE(Apply({}, {Told(2, Reply::Kind::kSessionGone)}));
  EXPECT_TRUE(Apply({GiveBack(1, Token(1)), Ask(2)},
                    {GivenBack(1), Granted(2, Token(4))}));
}

TEST_F(GrantOrderTest, RefusesASessionThatComesBack) {
  EXPECT_FALSE(Apply({}, {Told(2, Reply::Kind::kOpened)}));
  EXPECT_FALSE(Apply({}, {Told(2, Reply::Kind::kClosed)}));
  EXPECT_TRUE(Apply({}, {Told(2, Reply::Kind::kOpened)}));
}

}  // namespace
}  // namespace cachalot::sim
