#include "engine/client/client.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "engine/command.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/options.h"
#include "engine/request.h"
#include "engine/wire/message.h"
#include "gtest/gtest.h"
#include "tests/engine/client/lone_client.h"

// A node's session, and the talk with a leader that may change. Requests are in
// client_requests_test.cc, belief in belief_test.cc.

namespace cachalot {
namespace {

using Strings = std::vector<std::string>;

constexpr absl::Duration kTick = absl::Nanoseconds(1);

// --- The session ------------------------------------------------------------

TEST(SessionTest, IsOpenedAsSoonAsThereIsALeader) {
  LoneClient lone;
  lone.Join();
  EXPECT_TRUE(lone.commands().empty());
  lone.Lead(2);
  const std::optional<OpenSession> open = lone.Sent<OpenSession>();
  ASSERT_TRUE(open.has_value());
  EXPECT_EQ(open->session.number, 1u);
  EXPECT_EQ(open->ttl, LoneClient::Options().session_ttl);
  EXPECT_EQ(open->name, "one");
  EXPECT_EQ(open->token_floor, FencingToken(7));
  EXPECT_FALSE(lone.client().has_session());
  lone.Opened(1);
  EXPECT_TRUE(lone.client().has_session());
}

TEST(SessionTest, IsKeptAliveThreeTimesInItsLife) {
  LoneClient lone;
  lone.Open();
  lone.Pass(absl::Seconds(30));
  EXPECT_EQ(lone.CountOf<KeepAlive>(), 10u);
}

TEST(SessionTest, AKeepAliveWithoutAnAnswerIsFollowedByOthers) {
  LoneClient lone;
  lone.Open();
  lone.AnswerKeepAlives(false);
  lone.Pass(absl::Minutes(1));
  const size_t sent = lone.CountOf<KeepAlive>();
  EXPECT_GE(sent, 57u / 3);
  EXPECT_LE(sent, 57u / 2 + 8) << "ever more seldom";
  for (uint64_t renewal = 1; renewal <= sent; ++renewal) {
    EXPECT_EQ(lone.Sent<KeepAlive>()->renewal, renewal) << "each is another";
  }
}

// As from a leader that was held up: all that waited is answered at once.
TEST(SessionTest, AnswersThatWereHeldUpDoNotBringAFlood) {
  LoneClient lone;
  lone.Open();
  lone.AnswerKeepAlives(false);
  lone.Pass(absl::Seconds(8));
  const size_t sent = lone.CountOf<KeepAlive>();
  ASSERT_GT(sent, 3u);
  lone.Ignore();
  for (uint64_t renewal = 1; renewal <= sent; ++renewal) lone.Kept(renewal, 10);
  EXPECT_LE(lone.CountOf<KeepAlive>(), 1u);
}

TEST(SessionTest, WhatIsAskedBeforeItIsOpenIsSentWhenItIs) {
  LoneClient lone;
  const RequestId request = lone.Try("k");
  lone.Join();
  lone.Lead(2);
  lone.Submit(ListLocksRequest());
  lone.Try("l");
  EXPECT_EQ(lone.CountOf<Acquire>(), 0u);
  lone.Opened(1);
  EXPECT_EQ(lone.CountOf<Acquire>(), 2u);
  lone.Answered(lone.Sent<Acquire>()->sequence, Outcome::kOk, 5);
  EXPECT_EQ(lone.OutcomeOf(request), Outcome::kOk);
}

// What was held is lost; what was waited for is asked for again.
TEST(SessionTest, OneThatIsGoneIsFollowedByAnother) {
  LoneClient lone;
  lone.Open();
  const RequestId held = lone.Take("held", 10);
  const RequestId waiting = lone.Wait("waiting", absl::Minutes(1));
  const Sequence old = lone.Sent<Acquire>()->sequence;
  lone.Queued(old, 11);
  const RequestId renewing = lone.Renew("held", LoneClient::Token(10));
  const RequestId other = lone.Take("other", 12);
  const RequestId releasing = lone.Release("other", LoneClient::Token(12));
  const RequestId listing = lone.Submit(ListLocksRequest());
  lone.Ignore();

  const SessionId before = lone.client().session();
  lone.SessionGone();
  EXPECT_EQ(lone.Told(held), Strings({"LOST revoked"}));
  EXPECT_EQ(lone.OutcomeOf(renewing), Outcome::kNotHeld);
  EXPECT_EQ(lone.OutcomeOf(releasing), Outcome::kNotHeld);
  EXPECT_EQ(lone.OutcomeOf(waiting), std::nullopt);
  EXPECT_EQ(lone.OutcomeOf(listing), std::nullopt);
  EXPECT_EQ(lone.Told(other), Strings({"LOST released"}));
  EXPECT_EQ(lone.Sent<OpenSession>()->session.number, before.number + 1);
  EXPECT_EQ(lone.CountOf<Acquire>(), 0u);

  lone.Opened(20);
  const std::optional<Acquire> again = lone.Sent<Acquire>();
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->key, "waiting");
  EXPECT_EQ(again->session.number, before.number + 1);
  EXPECT_GT(again->sequence, old);
  lone.Answered(again->sequence, Outcome::kOk, 21);
  EXPECT_EQ(lone.OutcomeOf(waiting), Outcome::kOk);
}

TEST(SessionTest, NumbersAreNotUsedAgain) {
  LoneClient lone;
  lone.client().NumberFrom(41);
  lone.Open();
  EXPECT_EQ(lone.client().session().number, 42u);
}

// --- Leaders ----------------------------------------------------------------

TEST(LeaderTalkTest, ANewLeaderIsAskedForAllThatIsOpen) {
  LoneClient lone;
  lone.Open();
  lone.Pass(absl::Seconds(1));
  lone.Try("a");
  lone.Wait("b", absl::Minutes(1));
  const Sequence queued = Sequence(2);
  lone.Queued(queued, 10);
  lone.Submit(ListLocksRequest());
  lone.Pass(absl::Milliseconds(30));
  lone.Ignore();
  lone.Lead(3);
  EXPECT_EQ(lone.CountOf<Acquire>(), 2u);
  EXPECT_EQ(lone.CountOf<KeepAlive>(), 1u);
  EXPECT_EQ(lone.reads().size(), 1u);
}

// Two nodes each take the other for the leader: what one redirects here is not
// to go round as fast as the network can carry it.
TEST(LeaderTalkTest, PingPongDoesNotSpin) {
  LoneClient lone;
  lone.Open();
  lone.Pass(absl::Seconds(1));
  lone.Wait("k", absl::Minutes(1));
  lone.Submit(ListLocksRequest());
  lone.Ignore();
  for (int ms = 0; ms < 1000; ++ms) {
    lone.Lead(ms % 2 == 0 ? 3 : 2);
    lone.Pass(absl::Milliseconds(1));
  }
  // Once in a patience of 25 ms, and now and then of its own.
  EXPECT_LE(lone.CountOf<Acquire>(), 50u);
  EXPECT_GE(lone.CountOf<Acquire>(), 20u);
  EXPECT_LE(lone.CountOf<KeepAlive>(), 50u);
  EXPECT_LE(lone.reads().size(), 50u);
}

// A redirect comes soon after the wrong guess: what was sent there did nothing.
TEST(LeaderTalkTest, TheRightLeaderIsAskedSoonAfterAWrongGuess) {
  LoneClient lone;
  lone.Open();
  lone.Pass(absl::Seconds(1));
  for (int i = 0; i < 4; ++i) {
    lone.Try("k");
    lone.Pass(absl::Milliseconds(300));
  }
  lone.Lead(3);
  lone.Ignore();
  lone.Pass(absl::Milliseconds(1));
  lone.Lead(4);
  lone.Pass(absl::Milliseconds(25));
  EXPECT_EQ(lone.CountOf<Acquire>(), 4u);
  EXPECT_EQ(lone.CountOf<KeepAlive>(), 1u);
}

TEST(LeaderTalkTest, ABrokenStreamIsNoReasonToWait) {
  LoneClient lone;
  lone.Open();
  lone.Pass(absl::Seconds(1));
  lone.Wait("k", absl::Minutes(1));
  lone.Pass(absl::Seconds(10));
  lone.Ignore();
  const auto link_down = [](Client& client, FastInstant now) {
    client.NoteLinkDown(now);
  };
  lone.Do(link_down);
  EXPECT_EQ(lone.CountOf<Acquire>(), 1u);
  for (int i = 0; i < 20; ++i) {
    lone.Do(link_down);
    lone.Pass(absl::Milliseconds(1));
  }
  EXPECT_EQ(lone.CountOf<Acquire>(), 1u) << "though it breaks again and again";
  lone.Pass(absl::Milliseconds(5));
  EXPECT_EQ(lone.CountOf<Acquire>(), 2u);
}

TEST(LeaderTalkTest, NothingIsSentWhileNobodyLeads) {
  LoneClient lone;
  lone.Open();
  lone.Lead(0);
  lone.Wait("k", absl::Minutes(1));
  lone.Submit(ListMembersRequest());
  lone.Pass(absl::Seconds(4));
  EXPECT_TRUE(lone.commands().empty());
  EXPECT_TRUE(lone.reads().empty());
}

// A node that came back under its name hears what its last process asked.
TEST(LeaderTalkTest, AnAnswerToTheLastProcessAnswersNothing) {
  LoneClient lone;
  lone.client().NumberFrom(41);
  lone.Open();
  const RequestId list = lone.Submit(ListLocksRequest{.prefix = "a"});
  EXPECT_EQ(lone.reads().at(0).number, 42u);
  lone.Receive(ReadResult{.number = 1});
  EXPECT_EQ(lone.OutcomeOf(list), std::nullopt);
}

TEST(LeaderTalkTest, AReadIsAnsweredOnce) {
  LoneClient lone;
  lone.Open();
  const RequestId list = lone.Submit(ListLocksRequest{.prefix = "a"});
  lone.Pass(absl::Milliseconds(150));
  ASSERT_EQ(lone.reads().size(), 2u);
  EXPECT_EQ(lone.reads()[0], lone.reads()[1]);
  ReadResult result{.number = lone.reads()[0].number, .more = true};
  result.locks.push_back({.key = "a1"});
  lone.Receive(result);
  lone.Receive(result);
  ASSERT_EQ(lone.OutcomeOf(list), Outcome::kOk);
  EXPECT_EQ(lone.AnswerTo(list)->locks, result.locks);
  EXPECT_TRUE(lone.AnswerTo(list)->more);
}

// --- Endings ----------------------------------------------------------------

TEST(LeaveTest, EndsBeliefAnswersAllAndClosesTheSession) {
  LoneClient lone;
  lone.Open();
  const RequestId held = lone.Take("held", 10);
  const RequestId waiting = lone.Wait("k", absl::Minutes(1));
  const RequestId list = lone.Submit(ListLocksRequest());
  lone.Do([](Client& client, FastInstant now) { client.Leave(now); });
  EXPECT_EQ(lone.Told(held), Strings({"LOST left"}));
  EXPECT_EQ(lone.OutcomeOf(waiting), Outcome::kLeaving);
  EXPECT_EQ(lone.OutcomeOf(list), Outcome::kLeaving);
  EXPECT_EQ(lone.OutcomeOf(lone.Try("late")), Outcome::kLeaving);
  EXPECT_EQ(lone.Sent<CloseSession>()->session, lone.client().session());
  EXPECT_FALSE(lone.client().closed());
  lone.Pass(absl::Milliseconds(100));
  EXPECT_TRUE(lone.Sent<CloseSession>().has_value()) << "and again";
  lone.Receive(lone.ReplyOf(Reply::Kind::kClosed, 20));
  EXPECT_TRUE(lone.client().closed());
}

TEST(LeaveTest, TakesNoLongerThanItMay) {
  LoneClient lone;
  lone.Open();
  lone.Do([](Client& client, FastInstant now) { client.Leave(now); });
  lone.Pass(LoneClient::Options().leave_timeout - kTick);
  EXPECT_FALSE(lone.client().closed());
  lone.Pass(kTick);
  EXPECT_TRUE(lone.client().closed());
}

TEST(LeaveTest, ASessionThatIsGoneIsClosed) {
  LoneClient lone;
  lone.Open();
  lone.Do([](Client& client, FastInstant now) { client.Leave(now); });
  lone.SessionGone();
  EXPECT_TRUE(lone.client().closed());
}

TEST(LeaveTest, WhoNeverAskedForASessionHasNothingToClose) {
  LoneClient lone;
  lone.Join();
  lone.Do([](Client& client, FastInstant now) { client.Leave(now); });
  EXPECT_TRUE(lone.client().closed());
}

TEST(DissolveTest, EndsBeliefAndAsksTheNextClusterForTheRest) {
  LoneClient lone;
  lone.Open();
  const RequestId held = lone.Take("held", 10);
  const RequestId waiting = lone.Wait("k", absl::Minutes(1));
  const RequestId renewing = lone.Renew("held", LoneClient::Token(10));
  const SessionId before = lone.client().session();
  const NodeId self{.high = 77, .low = 77};
  lone.Ignore();
  lone.Do(
      [self](Client& client, FastInstant now) { client.Dissolve(now, self); });
  EXPECT_EQ(lone.Told(held), Strings({"LOST dissolved"}));
  EXPECT_EQ(lone.OutcomeOf(renewing), Outcome::kNotHeld);
  EXPECT_EQ(lone.OutcomeOf(waiting), std::nullopt);
  EXPECT_FALSE(lone.client().has_session());

  lone.Open();
  EXPECT_EQ(lone.client().session().node, self);
  EXPECT_GT(lone.client().session().number, before.number);
  lone.Pass(absl::Milliseconds(200));
  const std::optional<Acquire> again = lone.Sent<Acquire>();
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->session.node, self);
  EXPECT_EQ(again->key, "k");
}

}  // namespace
}  // namespace cachalot
