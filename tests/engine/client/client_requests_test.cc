#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "engine/client/client.h"
#include "engine/command.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/limits.h"
#include "engine/options.h"
#include "engine/random.h"
#include "engine/request.h"
#include "engine/wire/message.h"
#include "gtest/gtest.h"
#include "tests/engine/client/lone_client.h"

// The requests of a node's callers until each is answered, once.

namespace cachalot {
namespace {

constexpr absl::Duration kTick = absl::Nanoseconds(1);

// --- Requests ---------------------------------------------------------------

TEST(RequestTest, IsCheckedBeforeItIsSent) {
  LoneClient lone;
  lone.Open();
  const std::string long_key(limits::kKeyBytesMax + 1, 'k');
  const std::string long_owner(limits::kOwnerBytesMax + 1, 'o');
  const absl::Duration ttl = absl::Seconds(5);
  const std::vector<Request> bad = {
      AcquireRequest{.key = "", .ttl = ttl},
      AcquireRequest{.key = long_key, .ttl = ttl},
      AcquireRequest{.key = "k", .ttl = limits::TtlMin() - kTick},
      AcquireRequest{.key = "k", .ttl = limits::TtlMax() + kTick},
      AcquireRequest{.key = "k", .ttl = ttl, .wait = -kTick},
      AcquireRequest{.key = "k", .ttl = ttl, .owner = long_owner},
      RenewRequest{.key = "", .ttl = ttl},
      RenewRequest{.key = "k", .ttl = absl::ZeroDuration()}};
  for (const Request& request : bad) {
    const RequestId id = lone.Submit(request);
    EXPECT_EQ(lone.OutcomeOf(id), Outcome::kInvalid);
    EXPECT_FALSE(lone.AnswerTo(id)->text.empty());
  }
  EXPECT_TRUE(lone.commands().empty());
}

TEST(RequestTest, OfWhatIsNotHeldIsRefusedHere) {
  LoneClient lone;
  lone.Open();
  lone.Take("k", 10);
  EXPECT_EQ(lone.OutcomeOf(lone.Renew("k", LoneClient::Token(9))),
            Outcome::kNotHeld);
  EXPECT_EQ(lone.OutcomeOf(lone.Release("l", LoneClient::Token(10))),
            Outcome::kNotHeld);
  EXPECT_TRUE(lone.commands().empty());
}

TEST(RequestTest, ATryThatIsRefusedLearnsWhoHoldsTheLock) {
  LoneClient lone;
  lone.Open();
  const RequestId request = lone.Try("k");
  Reply reply = lone.ReplyOf(Reply::Kind::kAnswered, 10);
  reply.sequence = lone.Sent<Acquire>()->sequence;
  reply.outcome = Outcome::kHeld;
  reply.token = LoneClient::Token(3);
  reply.holder_name = "two";
  reply.owner = "backup";
  reply.lease_remaining = absl::Seconds(2);
  reply.session_remaining = absl::Seconds(3);
  lone.Receive(reply);
  const std::optional<Answer> answer = lone.AnswerTo(request);
  ASSERT_TRUE(answer.has_value() && answer->holder.has_value());
  EXPECT_EQ(answer->outcome, Outcome::kHeld);
  EXPECT_EQ(answer->holder->key, "k");
  EXPECT_EQ(answer->holder->token, LoneClient::Token(3));
  EXPECT_EQ(answer->holder->holder_name, "two");
  EXPECT_EQ(answer->holder->owner, "backup");
}

TEST(RequestTest, IsSentAgainUnderItsNumberAndEverMoreSeldom) {
  LoneClient lone;
  lone.Open();
  lone.Wait("k", absl::Minutes(1));
  lone.Pass(absl::Seconds(20));
  const size_t sent = lone.CountOf<Acquire>();
  EXPECT_GE(sent, 10u);
  EXPECT_LE(sent, 15u);
  const std::optional<Acquire> first = lone.Sent<Acquire>();
  while (const std::optional<Acquire> next = lone.Sent<Acquire>()) {
    EXPECT_EQ(*next, *first);
  }
}

TEST(RequestTest, AWaiterInTheQueueOnlyLooksNowAndThen) {
  LoneClient lone;
  lone.Open();
  lone.Wait("k", absl::Minutes(10));
  lone.Queued(lone.Sent<Acquire>()->sequence, 10);
  lone.Pass(absl::Seconds(30));
  EXPECT_LE(lone.CountOf<Acquire>(), 10u);
  EXPECT_GE(lone.CountOf<Acquire>(), 9u) << "its grant may have been lost";
}

TEST(RequestTest, AWaitEndsInTimeOnceAndLeavesTheQueue) {
  LoneClient lone;
  lone.Open();
  const RequestId request = lone.Wait("k", absl::Seconds(2));
  const Sequence sequence = lone.Sent<Acquire>()->sequence;
  lone.Queued(sequence, 10);
  lone.Pass(absl::Seconds(2) - kTick);
  EXPECT_EQ(lone.OutcomeOf(request), std::nullopt);
  lone.Pass(kTick);
  EXPECT_EQ(lone.OutcomeOf(request), Outcome::kTimedOut);
  const std::optional<Withdraw> withdraw = lone.Sent<Withdraw>();
  ASSERT_TRUE(withdraw.has_value());
  EXPECT_EQ(withdraw->acquire, sequence);
  EXPECT_EQ(withdraw->key, "k");
  // The grant was faster; the Withdraw undoes it.
  lone.Answered(sequence, Outcome::kOk, 11);
  EXPECT_TRUE(lone.client().held().empty());
  lone.Answered(withdraw->sequence, Outcome::kOk);
  EXPECT_EQ(lone.client().requests_in_flight(), 0u);
  lone.Ignore();
  lone.Pass(absl::Minutes(1));
  EXPECT_EQ(lone.CountOf<Acquire>() + lone.CountOf<Withdraw>(), 0u);
}

Reply QueuedBehind(const LoneClient& lone, Sequence sequence,
                   const std::string& holder) {
  Reply reply = lone.ReplyOf(Reply::Kind::kQueued, 10);
  reply.sequence = sequence;
  reply.token = LoneClient::Token(3);
  reply.holder_name = holder;
  reply.lease_remaining = absl::Seconds(4);
  reply.session_remaining = absl::Seconds(8);
  return reply;
}

TEST(RequestTest, AWaitThatEndedSaysWhoHoldsTheLock) {
  LoneClient lone;
  lone.Open();
  const RequestId request = lone.Wait("k", absl::Seconds(2));
  const Sequence sequence = lone.Sent<Acquire>()->sequence;
  lone.Receive(QueuedBehind(lone, sequence, "two"));
  // It asks again a moment before the end: the lock has passed on meanwhile.
  lone.Pass(absl::Seconds(2) - LoneClient::Options().retry_min);
  ASSERT_EQ(lone.CountOf<Acquire>(), 1u);
  lone.Receive(QueuedBehind(lone, sequence, "three"));
  lone.Pass(absl::Seconds(1));
  const std::optional<Answer> answer = lone.AnswerTo(request);
  ASSERT_TRUE(answer.has_value() && answer->holder.has_value());
  EXPECT_EQ(answer->outcome, Outcome::kTimedOut);
  EXPECT_EQ(answer->holder->key, "k");
  EXPECT_EQ(answer->holder->holder_name, "three");
  EXPECT_EQ(answer->holder->token, LoneClient::Token(3));
  EXPECT_EQ(answer->holder->lease_remaining,
            absl::Seconds(4) - LoneClient::Options().retry_min);
  EXPECT_EQ(answer->holder->remaining, answer->holder->lease_remaining);
  EXPECT_EQ(answer->token, FencingToken()) << "nothing was granted";
}

TEST(RequestTest, ATryIsNotToldToWait) {
  LoneClient lone;
  lone.Open();
  const RequestId request = lone.Try("k");
  lone.Receive(QueuedBehind(lone, lone.Sent<Acquire>()->sequence, "two"));
  lone.Pass(LoneClient::Options().request_timeout);
  EXPECT_EQ(lone.OutcomeOf(request), Outcome::kUnavailable);
}

TEST(RequestTest, AWaitOfLessThanARoundTripEndsAsAWait) {
  LoneClient lone;
  lone.Open();
  const RequestId brief = lone.Wait("k", absl::Milliseconds(20));
  const RequestId longer = lone.Wait("k", absl::Seconds(2));
  lone.Pass(absl::Seconds(2));
  EXPECT_EQ(lone.OutcomeOf(brief), Outcome::kTimedOut);
  EXPECT_EQ(lone.OutcomeOf(longer), Outcome::kUnavailable)
      << "the leader had time to answer";
}

TEST(RequestTest, AWithdrawalIsSentUntilItIsAnswered) {
  LoneClient lone;
  lone.Open();
  lone.Withdraw(lone.Wait("k", absl::Minutes(1)));
  lone.Pass(absl::Seconds(10));
  EXPECT_EQ(lone.CountOf<Acquire>(), 1u);
  EXPECT_GE(lone.CountOf<Withdraw>(), 5u);
}

TEST(RequestTest, WithdrawnBeforeItIsSentItNeverIs) {
  LoneClient lone;
  lone.Join();
  const RequestId request = lone.Wait("k", absl::Minutes(1));
  lone.Withdraw(request);
  EXPECT_EQ(lone.OutcomeOf(request), Outcome::kWithdrawn);
  lone.Lead(2);
  lone.Opened(1);
  EXPECT_EQ(lone.CountOf<Acquire>() + lone.CountOf<Withdraw>(), 0u);
}

TEST(RequestTest, WithdrawnAfterItsGrantItStaysHeld) {
  LoneClient lone;
  lone.Open();
  const RequestId request = lone.Take("k", 10);
  lone.Withdraw(request);
  EXPECT_TRUE(lone.Find(request).has_value());
  EXPECT_EQ(lone.OutcomeOf(request), Outcome::kOk);
}

// It was granted and lost again before we heard of it.
TEST(RequestTest, AGrantThatWasMissedIsAskedForAgain) {
  LoneClient lone;
  lone.Open();
  const RequestId request = lone.Wait("k", absl::Minutes(1));
  const Sequence first = lone.Sent<Acquire>()->sequence;
  lone.Answered(first, Outcome::kWithdrawn);
  EXPECT_EQ(lone.OutcomeOf(request), std::nullopt);
  EXPECT_GT(lone.Sent<Acquire>()->sequence, first);
}

// --- Revoking, and looking at the queue -------------------------------------

TEST(RevokeTest, IsCheckedBeforeItIsSent) {
  LoneClient lone;
  lone.Open();
  for (const RevokeRequest& request : std::vector<RevokeRequest>{
           {.key = "", .reason = "why"},
           {.key = std::string(limits::kKeyBytesMax + 1, 'k'), .reason = "why"},
           {.key = "k", .reason = ""},
           {.key = "k",
           .reason = std::string(limits::kReasonBytesMax + 1, 'r')}}) {
    const RequestId id = lone.Submit(request);
    EXPECT_EQ(lone.OutcomeOf(id), Outcome::kInvalid);
    EXPECT_FALSE(lone.AnswerTo(id)->text.empty());
  }
  EXPECT_EQ(lone.CountOf<Revoke>(), 0u);
}

TEST(RevokeTest, IsAnsweredWithTheHolder) {
  LoneClient lone;
  lone.Open();
  const RequestId request = lone.Submit(RevokeRequest{
      .key = "k", .token = LoneClient::Token(3), .reason = "why"});
  const std::optional<Revoke> revoke = lone.Sent<Revoke>();
  ASSERT_TRUE(revoke.has_value());
  EXPECT_EQ(revoke->key, "k");
  EXPECT_EQ(revoke->token, LoneClient::Token(3));
  EXPECT_EQ(revoke->reason, "why");
  Reply reply = lone.ReplyOf(Reply::Kind::kAnswered, 10);
  reply.sequence = revoke->sequence;
  reply.token = LoneClient::Token(3);
  reply.holder_name = "two";
  reply.lease_remaining = absl::Seconds(20);
  reply.session_remaining = absl::Seconds(6);
  lone.Receive(reply);
  const std::optional<Answer> answer = lone.AnswerTo(request);
  ASSERT_TRUE(answer.has_value() && answer->holder.has_value());
  EXPECT_EQ(answer->outcome, Outcome::kOk);
  EXPECT_EQ(answer->token, LoneClient::Token(3));
  EXPECT_EQ(answer->holder->key, "k");
  EXPECT_EQ(answer->holder->holder_name, "two");
  EXPECT_EQ(answer->holder->remaining, absl::Seconds(6));
  EXPECT_EQ(answer->holder->revoke_reason, "why");
  EXPECT_EQ(lone.client().requests_in_flight(), 0u);
}

TEST(RevokeTest, OfWhatIsNotHeldIsRefused) {
  LoneClient lone;
  lone.Open();
  const RequestId request =
      lone.Submit(RevokeRequest{.key = "k", .reason = "why"});
  lone.Answered(lone.Sent<Revoke>()->sequence, Outcome::kNotHeld);
  EXPECT_EQ(lone.OutcomeOf(request), Outcome::kNotHeld);
  EXPECT_EQ(lone.AnswerTo(request)->text, "nobody holds the lock");
}

// The lock may be the next holder's: it must not be taken from that one too.
TEST(RevokeTest, IsNotAskedAgainInTheNextSession) {
  LoneClient lone;
  lone.Open();
  const RequestId sent =
      lone.Submit(RevokeRequest{.key = "k", .reason = "why"});
  ASSERT_TRUE(lone.Sent<Revoke>().has_value());
  lone.SessionGone();
  lone.Opened(50);
  EXPECT_EQ(lone.OutcomeOf(sent), Outcome::kUnknown);
  EXPECT_EQ(lone.Sent<Revoke>(), std::nullopt);
}

TEST(RevokeTest, ThatWasNeverSentIsSentInTheNextSession) {
  LoneClient lone;
  lone.Open();
  lone.SessionGone();
  const RequestId request =
      lone.Submit(RevokeRequest{.key = "k", .reason = "why"});
  EXPECT_EQ(lone.Sent<Revoke>(), std::nullopt);
  lone.Opened(50);
  EXPECT_TRUE(lone.Sent<Revoke>().has_value());
  EXPECT_EQ(lone.OutcomeOf(request), std::nullopt);
}

TEST(LimitTest, ARefusalNamesTheLimit) {
  LoneClient lone;
  lone.Open();
  for (const auto& [limit, words] : std::vector<std::pair<Limit, std::string>>{
           {Limit::kLocks, "4194304 locks"},
           {Limit::kLocksPerSession, "holds 262144 locks"},
           {Limit::kWaitersPerLock, "65536 requests wait for this lock"},
           {Limit::kWaitersPerSession, "16384 requests of this member wait"},
           {Limit::kRequestsPerSession, "16384 requests that are not done"}}) {
    const RequestId request = lone.Try("k");
    Reply reply = lone.ReplyOf(Reply::Kind::kAnswered, 10);
    reply.sequence = lone.Sent<Acquire>()->sequence;
    reply.outcome = Outcome::kBusy;
    reply.limit = limit;
    lone.Receive(reply);
    EXPECT_EQ(lone.OutcomeOf(request), Outcome::kBusy);
    EXPECT_NE(lone.AnswerTo(request)->text.find(words), std::string::npos)
        << lone.AnswerTo(request)->text;
  }
}

TEST(WaitersTest, AreAnsweredWithTheHolderAndTheQueue) {
  LoneClient lone;
  lone.Open();
  EXPECT_EQ(lone.OutcomeOf(lone.Submit(ListWaitersRequest{})),
            Outcome::kInvalid);
  const RequestId request =
      lone.Submit(ListWaitersRequest{.key = "k", .skip = 1, .limit = 2});
  ASSERT_EQ(lone.reads().size(), 1u);
  const Read read = lone.reads().front();
  const auto* asked = std::get_if<ListWaitersRequest>(&read.what);
  ASSERT_NE(asked, nullptr);
  EXPECT_EQ(*asked, (ListWaitersRequest{.key = "k", .skip = 1, .limit = 2}));
  lone.Receive(ReadResult{.number = read.number,
                          .more = true,
                          .waiters = {{.name = "three", .owner = "o"}},
                          .holder = LockInfo{.key = "k"}});
  const std::optional<Answer> answer = lone.AnswerTo(request);
  ASSERT_TRUE(answer.has_value() && answer->holder.has_value());
  ASSERT_EQ(answer->waiters.size(), 1u);
  EXPECT_EQ(answer->waiters[0].name, "three");
  EXPECT_TRUE(answer->more);
}

// --- Time-outs tell refused from unknown ------------------------------------

struct TimeOut {
  std::string name;
  bool is_sent;
  Outcome acquire, renew, release, list;
};

TEST(TimeOutTest, TellsRefusedFromUnknown) {
  for (const TimeOut& c : std::vector<TimeOut>{
           {"sent", true, Outcome::kUnavailable, Outcome::kUnknown,
            Outcome::kUnknown, Outcome::kUnavailable},
           {"never sent", false, Outcome::kUnavailable, Outcome::kUnavailable,
            Outcome::kUnknown, Outcome::kUnavailable}}) {
    LoneClient lone;
    lone.Open();
    lone.Take("r", 10, absl::Hours(1));
    lone.Take("s", 11, absl::Hours(1));
    if (!c.is_sent) lone.Lead(0);
    const RequestId acquire = lone.Try("k");
    const RequestId renew = lone.Renew("r", LoneClient::Token(10));
    const RequestId release = lone.Release("s", LoneClient::Token(11));
    const RequestId list = lone.Submit(ListLocksRequest());
    lone.Pass(LoneClient::Options().request_timeout - kTick);
    for (const RequestId request : {acquire, renew, release, list}) {
      EXPECT_EQ(lone.OutcomeOf(request), std::nullopt) << c.name;
    }
    lone.Pass(kTick);
    EXPECT_EQ(lone.OutcomeOf(acquire), c.acquire) << c.name;
    EXPECT_EQ(lone.OutcomeOf(renew), c.renew) << c.name;
    EXPECT_EQ(lone.OutcomeOf(release), c.release) << c.name;
    EXPECT_EQ(lone.OutcomeOf(list), c.list) << c.name;
    EXPECT_EQ(lone.CountOf<Withdraw>(), c.is_sent ? 1u : 0u) << c.name;
  }
}

TEST(TimeOutTest, AnUnknownReleaseIsStillBroughtAbout) {
  LoneClient lone;
  lone.Open();
  lone.Take("k", 10);
  lone.Lead(0);
  const RequestId release = lone.Release("k", LoneClient::Token(10));
  lone.Pass(absl::Seconds(6));
  EXPECT_EQ(lone.OutcomeOf(release), Outcome::kUnknown);
  lone.Lead(3);
  EXPECT_EQ(lone.Sent<Release>()->token, LoneClient::Token(10));
}

TEST(TimeOutTest, AnUnknownRenewalThatDidHappenCounts) {
  LoneClient lone;
  lone.Open();
  const RequestId held = lone.Take("k", 10, absl::Seconds(60));
  lone.AnswerKeepAlives(true);
  const FastInstant sent = lone.now();
  lone.Renew("k", LoneClient::Token(10), absl::Hours(1));
  lone.Pass(absl::Seconds(6));
  lone.Answered(lone.Sent<Renew>()->sequence, Outcome::kOk, 10);
  EXPECT_EQ(lone.client().held().size(), 1u);
  lone.Pass(absl::Seconds(60));
  EXPECT_TRUE(lone.Find(held).has_value()) << "since " << sent;
}

// --- Limits -----------------------------------------------------------------

TEST(LimitTest, MoreRequestsThanASessionMayHaveAreRefused) {
  LoneClient lone;
  lone.Open();
  const size_t most = limits::kRequestsPerSessionMax / 2;
  RequestId last;
  for (size_t i = 0; i < most; ++i) {
    last = lone.Wait("k" + std::to_string(i), absl::Hours(1));
  }
  EXPECT_EQ(lone.OutcomeOf(last), std::nullopt);
  EXPECT_EQ(lone.OutcomeOf(lone.Try("one too many")), Outcome::kBusy);
  lone.Withdraw(last);
  const auto withdraw = lone.Sent<Withdraw>();
  lone.Answered(withdraw->sequence, Outcome::kOk);
  EXPECT_EQ(lone.OutcomeOf(lone.Try("room again")), std::nullopt);
}

// The session's window at the leader may be full for a moment. The caller does
// not hold the lock any more, so nobody else would give it back.
TEST(LimitTest, AReleaseThatIsPutOffIsSentAgain) {
  LoneClient lone;
  lone.Open();
  lone.Take("k", 10);
  const RequestId release = lone.Release("k", LoneClient::Token(10));
  const Sequence sequence = lone.Sent<Release>()->sequence;
  lone.Answered(sequence, Outcome::kBusy);
  EXPECT_EQ(lone.OutcomeOf(release), std::nullopt);
  lone.Pass(absl::Milliseconds(100));
  EXPECT_EQ(lone.Sent<Release>()->sequence, sequence);
  lone.Answered(sequence, Outcome::kOk);
  EXPECT_EQ(lone.OutcomeOf(release), Outcome::kOk);
}

TEST(LimitTest, AWithdrawalThatIsPutOffIsSentAgain) {
  for (const Outcome outcome : {Outcome::kBusy, Outcome::kInvalid}) {
    LoneClient lone;
    lone.Open();
    lone.Withdraw(lone.Wait("k", absl::Minutes(1)));
    const Sequence sequence = lone.Sent<Withdraw>()->sequence;
    lone.Answered(sequence, outcome);
    lone.Pass(absl::Milliseconds(100));
    const std::optional<Withdraw> again = lone.Sent<Withdraw>();
    ASSERT_TRUE(again.has_value());
    EXPECT_EQ(again->sequence, sequence);
  }
}

// --- What has been answered is not kept for (Acquire::first_outstanding) ----

struct HeaderOf {
  Sequence sequence;
  Sequence first_outstanding;
};

std::optional<HeaderOf> Header(const LockCommand& command) {
  return std::visit(
      [](const auto& c) -> std::optional<HeaderOf> {
        if constexpr (requires { c.sequence; }) {
          return HeaderOf{c.sequence, c.first_outstanding};
        } else if constexpr (requires { c.first_outstanding; }) {
          return HeaderOf{Sequence(), c.first_outstanding};
        } else {
          return std::nullopt;
        }
      },
      command);
}

// Whatever callers and the cluster do: what was once called over is not sent
// again. (A request that the leader said is queued is: its place is kept.)
TEST(OutstandingTest, NothingIsSentAgainThatWasCalledOver) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Random random(seed);
    LoneClient lone;
    lone.Open();
    std::map<Sequence, LockCommand> open;
    std::set<Sequence> queued;
    Sequence over_below;
    std::vector<RequestId> requests;
    uint64_t index = 10;
    for (int step = 0; step < 300; ++step) {
      const std::string key(1, static_cast<char>('a' + random.Below(4)));
      const std::vector<Client::Held> held = lone.client().held();
      switch (random.Below(8)) {
        case 0:
          requests.push_back(lone.Try(key));
          break;
        case 1:
          requests.push_back(lone.Wait(key, absl::Seconds(3)));
          break;
        case 2:
          if (!held.empty()) lone.Renew(held[0].key, held[0].token);
          break;
        case 3:
          if (!held.empty()) lone.Release(held[0].key, held[0].token);
          break;
        case 4:
          if (!requests.empty()) {
            lone.Withdraw(requests[random.Below(requests.size())]);
          }
          break;
        case 5:
          lone.Pass(random.Between(absl::Milliseconds(1), absl::Seconds(1)));
          break;
        default: {
          if (open.empty()) break;
          auto chosen = open.begin();
          std::advance(chosen, random.Below(open.size()));
          const Sequence sequence = chosen->first;
          const bool is_acquire =
              std::holds_alternative<Acquire>(chosen->second);
          if (is_acquire && random.Chance(1, 3)) {
            queued.insert(sequence);
            lone.Queued(sequence, ++index);
            break;
          }
          // Its Acquire ends with it, whatever the result.
          const auto* withdraw = std::get_if<Withdraw>(&chosen->second);
          if (withdraw != nullptr) open.erase(withdraw->acquire);
          open.erase(sequence);
          lone.Answered(sequence, Outcome::kOk, ++index);
          break;
        }
      }
      while (!lone.commands().empty()) {
        const LockCommand command = lone.commands().front();
        const std::optional<HeaderOf> header = Header(command);
        lone.DropFirst();
        if (!header.has_value()) continue;
        over_below = std::max(over_below, header->first_outstanding);
        if (header->sequence == Sequence()) continue;
        open.emplace(header->sequence, command);
        if (queued.contains(header->sequence)) continue;
        EXPECT_GE(header->sequence, over_below)
            << "seed " << seed << ", step " << step;
      }
    }
  }
}

}  // namespace
}  // namespace cachalot
