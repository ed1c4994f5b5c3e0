#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "engine/client/client.h"
#include "engine/command.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/limits.h"
#include "engine/options.h"
#include "engine/random.h"
#include "engine/request.h"
#include "gtest/gtest.h"
#include "tests/engine/client/lone_client.h"

// What a holder believes of its locks, and until when: its belief has to end
// before anybody else can be granted (engine/client/README.md, lemmas 3 to 5).

namespace cachalot {
namespace {

using Strings = std::vector<std::string>;

absl::Duration Span(absl::Duration ttl) {
  return BeliefSpan(ttl, LoneClient::Options());
}

const absl::Duration kSessionTtl = LoneClient::Options().session_ttl;
constexpr absl::Duration kTick = absl::Nanoseconds(1);

// --- Its length -------------------------------------------------------------

TEST(BeliefSpanTest, IsTheTtlLessTheErrorOfTwoClocksAndTheSlack) {
  LeaseOptions options;
  options.rate_bound_ppm = 0;
  options.slack = absl::Milliseconds(2);
  EXPECT_EQ(BeliefSpan(absl::Seconds(10), options), absl::Milliseconds(9998));
  options.rate_bound_ppm = 100'000;
  EXPECT_EQ(BeliefSpan(absl::Seconds(11), options), absl::Milliseconds(8998));
}

// span / (1 - rho) <= ttl / (1 + rho): on a holder's slowest clock it ends
// before the lease does on a grantor's fastest.
TEST(BeliefSpanTest, IsRoundedDown) {
  Random random(1);
  for (int i = 0; i < 20'000; ++i) {
    LeaseOptions options;
    options.rate_bound_ppm = static_cast<int64_t>(random.Below(100'001));
    options.slack = absl::ZeroDuration();
    const absl::Duration ttl =
        random.Between(limits::TtlMin(), limits::TtlMax());
    const absl::Duration span = BeliefSpan(ttl, options);
    const int64_t slow = 1'000'000 - options.rate_bound_ppm;
    const int64_t fast = 1'000'000 + options.rate_bound_ppm;
    EXPECT_LE(span * fast, ttl * slow) << ttl;
    EXPECT_GE((span + kTick) * fast, ttl * slow) << "and by no more than that";
  }
}

TEST(BeliefSpanTest, IsPositiveForTheShortestTtlAndTheWorstClocks) {
  LeaseOptions options;
  options.rate_bound_ppm = 100'000;
  options.slack = limits::TtlMin() / 2;
  EXPECT_GT(BeliefSpan(limits::TtlMin(), options), absl::ZeroDuration());
}

// --- The session's ----------------------------------------------------------

TEST(SessionBeliefTest, CountsFromTheFirstSendOfItsOpening) {
  LoneClient lone;
  lone.Lead(2);
  const FastInstant first_sent = lone.now();
  lone.Join();
  lone.Pass(absl::Milliseconds(450));  // sent again twice
  lone.Opened(1);
  EXPECT_EQ(lone.client().session_belief_end(), first_sent + Span(kSessionTtl));
}

TEST(SessionBeliefTest, CountsFromTheSendOfTheKeepAliveThatIsAnswered) {
  LoneClient lone;
  lone.Open();
  lone.AnswerKeepAlives(false);
  const FastInstant opened = lone.now();
  lone.Pass(absl::Milliseconds(3250));  // at 3 s, 3.1 s; then 3.3 s
  ASSERT_EQ(lone.Sent<KeepAlive>()->renewal, 1u);
  ASSERT_EQ(lone.Sent<KeepAlive>()->renewal, 2u);
  const FastInstant second = opened + absl::Milliseconds(3100);
  lone.Kept(2, 10);
  EXPECT_EQ(lone.client().session_belief_end(), second + Span(kSessionTtl));
  lone.Kept(1, 11);
  lone.Kept(2, 12);
  lone.Kept(9, 13);
  EXPECT_EQ(lone.client().session_belief_end(), second + Span(kSessionTtl))
      << "old, doubled and unasked answers change nothing";
}

TEST(SessionBeliefTest, AnAnswerThatTookLongIsWorthLess) {
  LoneClient lone;
  lone.Open();
  lone.AnswerKeepAlives(false);
  lone.Pass(absl::Seconds(3));
  const FastInstant sent = lone.now();
  lone.Sleep(absl::Seconds(4));  // longer than the interval
  lone.Kept(1, 10);
  EXPECT_EQ(lone.client().session_belief_end(), sent + Span(kSessionTtl));
}

TEST(SessionBeliefTest, AnswersOfAnotherSessionDoNotCount) {
  LoneClient lone;
  lone.Open();
  lone.AnswerKeepAlives(false);
  lone.Pass(absl::Seconds(3));
  const FastInstant before = lone.client().session_belief_end();
  Reply reply = lone.ReplyOf(Reply::Kind::kKept, 10);
  reply.renewal = 1;
  reply.session.number += 1;
  lone.Receive(reply);
  EXPECT_EQ(lone.client().session_belief_end(), before);
}

// --- A grant's --------------------------------------------------------------

TEST(GrantBeliefTest, CountsFromTheSendOfTheRequest) {
  LoneClient lone;
  lone.Open();
  const FastInstant sent = lone.now();
  const RequestId request = lone.Try("k");
  lone.Pass(absl::Seconds(1));  // sent again meanwhile, more than once
  lone.Answered(lone.Sent<Acquire>()->sequence, Outcome::kOk, 10);
  ASSERT_TRUE(lone.Find(request).has_value());
  EXPECT_EQ(lone.Find(request)->belief_end, sent + Span(absl::Seconds(5)));
  EXPECT_EQ(lone.AnswerTo(request)->token, LoneClient::Token(10));
}

TEST(GrantBeliefTest, EndsWithTheSessionIfThatIsEarlier) {
  LoneClient lone;
  lone.Open();
  const RequestId request = lone.Take("k", 10, absl::Hours(1));
  EXPECT_EQ(lone.Find(request)->belief_end, lone.client().session_belief_end());
}

// It waited for long; the last thing that is known to lie before its grant is
// the keep-alive with the highest index below the grant's.
TEST(GrantBeliefTest, AWaitersCountsFromTheLastKeepAliveBeforeItsGrant) {
  struct Case {
    uint64_t granted_at;
    absl::Duration earned;  // after the request
  };
  // Keep-alives: sent at 3 s, applied at 20; sent at 6 s, applied at 30.
  for (const Case& c : std::vector<Case>{{31, absl::Seconds(6)},
                                         {30, absl::Seconds(3)},
                                         {21, absl::Seconds(3)}}) {
    LoneClient lone;
    lone.Open();
    const FastInstant start = lone.now();
    const absl::Duration ttl = absl::Seconds(8);
    const RequestId request = lone.Wait("k", absl::Minutes(1), ttl);
    const Sequence sequence = lone.Sent<Acquire>()->sequence;
    lone.Queued(sequence, 10);
    lone.AnswerKeepAlives(false);
    lone.Pass(absl::Seconds(3));
    lone.Kept(1, 20);
    lone.Pass(absl::Seconds(3));
    lone.Kept(2, 30);
    lone.Answered(sequence, Outcome::kOk, c.granted_at);
    ASSERT_TRUE(lone.Find(request).has_value()) << c.granted_at;
    EXPECT_EQ(lone.Find(request)->belief_end, start + c.earned + Span(ttl));
  }
}

// A retry is told of the grant as it was made.
TEST(GrantBeliefTest, AnAnswerThatIsRepeatedIsAsOldAsTheGrant) {
  LoneClient lone;
  lone.Open();
  const FastInstant sent = lone.now();
  const RequestId request = lone.Wait("k", absl::Minutes(1), absl::Seconds(8));
  const Sequence sequence = lone.Sent<Acquire>()->sequence;
  lone.Pass(absl::Seconds(3));  // a keep-alive is applied meanwhile
  Reply reply = lone.ReplyOf(Reply::Kind::kAnswered, 2000);
  reply.sequence = sequence;
  reply.token = LoneClient::Token(10);
  lone.Receive(reply);
  EXPECT_EQ(lone.Find(request)->belief_end, sent + Span(absl::Seconds(8)));
}

// --- Grants that come late are renewed before they are handed out -----------

// Granted 4 s after the request, of a lease of 5 s.
struct StaleGrant {
  StaleGrant() {
    lone.Open();
    request = lone.Wait("k", absl::Minutes(1));
    const Sequence sequence = lone.Sent<Acquire>()->sequence;
    lone.Pass(absl::Seconds(4));
    lone.Ignore();
    renewed_at = lone.now();
    lone.Answered(sequence, Outcome::kOk, 10);
    EXPECT_EQ(lone.OutcomeOf(request), std::nullopt);
    EXPECT_TRUE(lone.client().held().empty());
    renew = *lone.Sent<Renew>();
    EXPECT_EQ(renew.key, "k");
    EXPECT_EQ(renew.token, LoneClient::Token(10));
    EXPECT_EQ(renew.ttl, absl::Seconds(5));
  }

  LoneClient lone;
  RequestId request;
  FastInstant renewed_at;
  Renew renew;
};

TEST(StaleGrantTest, CountsFromItsRenewal) {
  StaleGrant stale;
  stale.lone.Pass(absl::Milliseconds(50));
  stale.lone.Answered(stale.renew.sequence, Outcome::kOk, 10);
  EXPECT_EQ(stale.lone.OutcomeOf(stale.request), Outcome::kOk);
  EXPECT_EQ(stale.lone.Find(stale.request)->belief_end,
            stale.renewed_at + Span(absl::Seconds(5)));
}

TEST(StaleGrantTest, ThatCannotBeRenewedIsAskedForAgain) {
  StaleGrant stale;
  stale.lone.Answered(stale.renew.sequence, Outcome::kNotHeld);
  EXPECT_EQ(stale.lone.OutcomeOf(stale.request), std::nullopt);
  const std::optional<Acquire> again = stale.lone.Sent<Acquire>();
  ASSERT_TRUE(again.has_value());
  EXPECT_GT(again->sequence, stale.renew.sequence);
  EXPECT_TRUE(again->waits);
  stale.lone.Answered(again->sequence, Outcome::kOk, 2000);
  EXPECT_EQ(stale.lone.OutcomeOf(stale.request), Outcome::kOk);
}

TEST(StaleGrantTest, WhoseRenewalTakesTooLongIsGivenBack) {
  StaleGrant stale;
  stale.lone.Pass(absl::Seconds(5));
  stale.lone.Ignore();
  stale.lone.Answered(stale.renew.sequence, Outcome::kOk, 10);
  EXPECT_EQ(stale.lone.OutcomeOf(stale.request), Outcome::kUnavailable);
  EXPECT_EQ(stale.lone.Sent<Release>()->token, LoneClient::Token(10));
  EXPECT_TRUE(stale.lone.client().held().empty());
}

// A try never waits, whatever makes its answer late.
TEST(StaleGrantTest, OfATryWhoseRenewalTakesTooLongIsUnavailable) {
  LoneClient lone;
  lone.Open();
  const RequestId request = lone.Try("k");
  const Sequence sequence = lone.Sent<Acquire>()->sequence;
  lone.Pass(absl::Seconds(4));
  lone.Answered(sequence, Outcome::kOk, 10);
  ASSERT_TRUE(lone.Sent<Renew>().has_value());
  lone.Pass(absl::Seconds(1));
  EXPECT_EQ(lone.OutcomeOf(request), Outcome::kUnavailable);
  EXPECT_EQ(lone.Sent<Release>()->token, LoneClient::Token(10));
  EXPECT_TRUE(lone.client().held().empty());
}

TEST(StaleGrantTest, OfAWaiterWhoseRenewalTakesTooLongIsTimedOut) {
  LoneClient lone;
  lone.Open();
  const RequestId request = lone.Wait("k", absl::Seconds(5));
  const Sequence sequence = lone.Sent<Acquire>()->sequence;
  lone.Queued(sequence, 9);
  lone.Pass(absl::Seconds(4));
  lone.Answered(sequence, Outcome::kOk, 10);
  ASSERT_TRUE(lone.Sent<Renew>().has_value());
  lone.Pass(absl::Seconds(1));
  EXPECT_EQ(lone.OutcomeOf(request), Outcome::kTimedOut);
  EXPECT_EQ(lone.Sent<Release>()->token, LoneClient::Token(10));
}

TEST(StaleGrantTest, WhoseCallerHasGoneIsGivenBack) {
  StaleGrant stale;
  stale.lone.Withdraw(stale.request);
  EXPECT_EQ(stale.lone.OutcomeOf(stale.request), Outcome::kWithdrawn);
  EXPECT_EQ(stale.lone.Sent<Release>()->token, LoneClient::Token(10));
  stale.lone.Answered(stale.renew.sequence, Outcome::kOk, 10);
  EXPECT_TRUE(stale.lone.client().held().empty());
}

// The notice counts only while the session does (etcd #9921).
TEST(StaleGrantTest, OfASessionThatIsPastItsBeliefIsNotHandedOut) {
  LoneClient lone;
  lone.Open();
  lone.AnswerKeepAlives(false);
  lone.Pass(Span(kSessionTtl) - absl::Milliseconds(5));
  const RequestId request = lone.Try("k");
  const Sequence sequence = lone.Sent<Acquire>()->sequence;
  lone.Pass(absl::Milliseconds(5));
  lone.Answered(sequence, Outcome::kOk, 10);
  EXPECT_EQ(lone.OutcomeOf(request), std::nullopt);
  EXPECT_TRUE(lone.client().held().empty());
}

// --- HELD, SUSPECT, LOST ----------------------------------------------------

TEST(BeliefStateTest, RunsOutInOrderAndOnce) {
  LoneClient lone;
  lone.Open();
  const FastInstant sent = lone.now();
  const RequestId request = lone.Take("k", 10, absl::Seconds(6));
  const FastInstant end = sent + Span(absl::Seconds(6));
  const FastInstant suspect = end - absl::Seconds(2);  // a third of it
  lone.Pass(suspect - lone.now() - kTick);
  EXPECT_EQ(lone.Told(request), Strings());
  EXPECT_EQ(lone.Find(request)->belief, Belief::kHeld);
  lone.Pass(kTick);
  EXPECT_EQ(lone.Told(request), Strings({"SUSPECT"}));
  lone.Pass(end - lone.now() - kTick);
  EXPECT_EQ(lone.Find(request)->belief, Belief::kSuspect);
  lone.Ignore();
  lone.Pass(kTick);
  EXPECT_EQ(lone.Told(request), Strings({"SUSPECT", "LOST expired"}));
  EXPECT_FALSE(lone.Find(request).has_value());
  EXPECT_EQ(lone.Sent<Release>()->token, LoneClient::Token(10))
      << "should it live on with the grantor, nobody uses it";
  lone.Pass(absl::Minutes(1));
  lone.Revoked("k", LoneClient::Token(10));
  EXPECT_EQ(lone.Told(request).size(), 2u) << "one loss, one reason";
}

TEST(BeliefStateTest, APauseEndsItBeforeAnythingElseHappens) {
  LoneClient lone;
  lone.Open();
  const RequestId request = lone.Take("k", 10, absl::Seconds(6));
  lone.Sleep(absl::Seconds(6));
  EXPECT_EQ(lone.Told(request), Strings({"LOST expired"}));
}

TEST(BeliefStateTest, RunsOutWithTheSession) {
  LoneClient lone;
  lone.Open();
  lone.AnswerKeepAlives(false);
  const FastInstant end = lone.client().session_belief_end();
  const RequestId request = lone.Take("k", 10, absl::Hours(1));
  lone.Pass(end - absl::Seconds(3) - lone.now());
  EXPECT_EQ(lone.Told(request), Strings({"SUSPECT"}));
  lone.Pass(absl::Seconds(3));
  EXPECT_EQ(lone.Told(request), Strings({"SUSPECT", "LOST expired"}));
}

TEST(BeliefStateTest, AKeepAliveMakesSureAgain) {
  LoneClient lone;
  lone.Open();
  lone.AnswerKeepAlives(false);
  const RequestId request = lone.Take("k", 10, absl::Hours(1));
  lone.Pass(absl::Seconds(7));
  EXPECT_EQ(lone.Told(request), Strings({"SUSPECT"}));
  uint64_t last = 0;
  while (const auto sent = lone.Sent<KeepAlive>()) last = sent->renewal;
  lone.Kept(last, 20);
  EXPECT_EQ(lone.Told(request), Strings({"SUSPECT", "HELD"}));
}

// --- Many -------------------------------------------------------------------

// More than are told in one step.
std::vector<RequestId> TakeMany(LoneClient& lone) {
  std::vector<RequestId> requests;
  for (uint64_t i = 0; i < 10'000; ++i) {
    requests.push_back(lone.Take(absl::StrCat("k", i), 10 + i, absl::Hours(1)));
  }
  return requests;
}

TEST(ManyLocksTest, EachIsFoundWithItsOwnEndAndTheSessions) {
  LoneClient lone;
  lone.Open();
  const FastInstant taken = lone.now();
  const std::vector<RequestId> requests = TakeMany(lone);
  EXPECT_EQ(lone.client().held_count(), requests.size());
  for (const RequestId request : requests) {
    const std::optional<Client::Held> held = lone.Find(request);
    ASSERT_TRUE(held.has_value());
    EXPECT_EQ(held->request, request);
    EXPECT_EQ(held->lease_end, taken + Span(absl::Hours(1)));
    EXPECT_EQ(held->belief_end, lone.client().session_belief_end());
  }
  lone.Release("k17", LoneClient::Token(27));
  EXPECT_FALSE(lone.Find(requests[17]).has_value());
  EXPECT_EQ(lone.client().held_count(), requests.size() - 1);
}

TEST(ManyLocksTest, AreToldThatTheSessionIsSuspectThenSureThenOver) {
  LoneClient lone;
  lone.Open();
  const std::vector<RequestId> requests = TakeMany(lone);
  lone.Pass(absl::Seconds(30));
  for (const RequestId request : requests) {
    ASSERT_EQ(lone.Told(request), Strings()) << "while keep-alives arrive";
  }
  lone.AnswerKeepAlives(false);
  lone.Pass(lone.client().session_belief_end() - kSessionTtl / 3 - lone.now() +
            absl::Milliseconds(1));
  EXPECT_EQ(lone.Find(requests.front())->belief, Belief::kSuspect);
  EXPECT_EQ(lone.Find(requests.back())->belief, Belief::kSuspect);
  lone.AnswerKeepAlives(true);
  lone.Pass(absl::Seconds(2));  // the next is answered
  EXPECT_EQ(lone.Find(requests.front())->belief, Belief::kHeld);
  EXPECT_EQ(lone.Find(requests.back())->belief, Belief::kHeld);
  lone.AnswerKeepAlives(false);
  const FastInstant end = lone.client().session_belief_end();
  lone.Pass(end - lone.now() - kTick);
  EXPECT_EQ(lone.client().held_count(), requests.size());
  lone.Pass(kTick);
  EXPECT_EQ(lone.client().held_count(), 0u);
  for (const RequestId request : {requests.front(), requests.back()}) {
    EXPECT_EQ(lone.Told(request),
              Strings({"SUSPECT", "HELD", "SUSPECT", "LOST expired"}));
  }
}

// The news came while holders were still being told the news before.
TEST(ManyLocksTest, AreToldTheLastOfNewsThatFollowOneAnother) {
  LoneClient lone;
  lone.Open();
  const std::vector<RequestId> requests = TakeMany(lone);
  lone.AnswerKeepAlives(false);
  const FastInstant suspect_from =
      lone.client().session_belief_end() - kSessionTtl / 3;
  lone.Pass(suspect_from - lone.now());
  EXPECT_EQ(lone.Find(requests.front())->belief, Belief::kSuspect);
  EXPECT_EQ(lone.Find(requests.back())->belief, Belief::kHeld);
  lone.Kept(lone.Sent<KeepAlive>()->renewal, 20'000);
  lone.Pass(absl::Milliseconds(1));
  for (const RequestId request : requests) {
    ASSERT_EQ(lone.Find(request)->belief, Belief::kHeld);
  }
  EXPECT_EQ(lone.Told(requests.front()), Strings({"SUSPECT", "HELD"}));
  EXPECT_EQ(lone.Told(requests.back()), Strings());
}

TEST(BeliefStateTest, ARenewalMakesSureAgain) {
  LoneClient lone;
  lone.Open();
  const RequestId request = lone.Take("k", 10, absl::Seconds(6));
  lone.Pass(absl::Seconds(5));
  const FastInstant sent = lone.now();
  const RequestId renew = lone.Renew("k", LoneClient::Token(10));
  lone.Pass(absl::Milliseconds(150));
  lone.Answered(lone.Sent<Renew>()->sequence, Outcome::kOk, 10);
  EXPECT_EQ(lone.OutcomeOf(renew), Outcome::kOk);
  EXPECT_EQ(lone.Told(request), Strings({"SUSPECT", "HELD"}));
  EXPECT_EQ(lone.Find(request)->belief_end, sent + Span(absl::Seconds(5)));
}

TEST(BeliefStateTest, AShorterRenewalDoesNotShorten) {
  LoneClient lone;
  lone.Open();
  const RequestId request = lone.Take("k", 10, absl::Seconds(6));
  const FastInstant before = lone.Find(request)->belief_end;
  lone.Renew("k", LoneClient::Token(10), absl::Seconds(1));
  lone.Answered(lone.Sent<Renew>()->sequence, Outcome::kOk, 10);
  EXPECT_EQ(lone.Find(request)->belief_end, before);
}

// --- What was lost stays lost (redis-semaphore #175) ------------------------

TEST(LossTest, ALateKeepAliveDoesNotBringItBack) {
  LoneClient lone;
  lone.Open();
  lone.AnswerKeepAlives(false);
  const RequestId request = lone.Take("k", 10, absl::Hours(1));
  lone.Pass(kSessionTtl);
  lone.Ignore();
  lone.Pass(absl::Seconds(2));
  lone.Kept(lone.Sent<KeepAlive>()->renewal, 20);
  EXPECT_EQ(lone.Told(request), Strings({"SUSPECT", "LOST expired"}));
  EXPECT_FALSE(lone.Find(request).has_value());
  EXPECT_EQ(lone.Sent<Release>()->token, LoneClient::Token(10));
}

// At the very instant at which belief ends, too.
TEST(LossTest, AnAnswerAtTheEndComesTooLate) {
  LoneClient lone;
  lone.Open();
  const FastInstant sent = lone.now();
  const RequestId request = lone.Take("k", 10);
  const RequestId renew = lone.Renew("k", LoneClient::Token(10));
  const Sequence sequence = lone.Sent<Renew>()->sequence;
  lone.Pass(sent + Span(absl::Seconds(5)) - lone.now());
  EXPECT_EQ(lone.Told(request).back(), "LOST expired");
  lone.Answered(sequence, Outcome::kOk, 10);
  EXPECT_FALSE(lone.Find(request).has_value());
  EXPECT_NE(lone.OutcomeOf(renew), Outcome::kOk);
}

TEST(LossTest, ARevocationEndsBeliefAtOnce) {
  LoneClient lone;
  lone.Open();
  const RequestId request = lone.Take("k", 10);
  lone.Revoked("k", LoneClient::Token(9));
  lone.Revoked("other", LoneClient::Token(10));
  EXPECT_TRUE(lone.Find(request).has_value()) << "of another grant";
  lone.Ignore();
  lone.Revoked("k", LoneClient::Token(10));
  EXPECT_EQ(lone.Told(request), Strings({"LOST revoked"}));
  EXPECT_FALSE(lone.Sent<Release>().has_value()) << "nothing to give back";
}

TEST(LossTest, ARenewalThatFindsItGoneEndsBelief) {
  LoneClient lone;
  lone.Open();
  const RequestId request = lone.Take("k", 10);
  const RequestId renew = lone.Renew("k", LoneClient::Token(10));
  lone.Answered(lone.Sent<Renew>()->sequence, Outcome::kNotHeld);
  EXPECT_EQ(lone.OutcomeOf(renew), Outcome::kNotHeld);
  EXPECT_EQ(lone.Told(request), Strings({"LOST revoked"}));
}

// The cluster knows better than we do that the first is over.
Reply MustRelease(const LoneClient& lone, const std::string& key,
                  FencingToken token, const std::string& reason) {
  Reply reply = lone.ReplyOf(Reply::Kind::kMustRelease, 20);
  reply.key = key;
  reply.token = token;
  reply.text = reason;
  return reply;
}

TEST(LossTest, ALockThatIsTakenAwayIsGivenBackWithTheReasonTold) {
  LoneClient lone;
  lone.Open();
  const RequestId request = lone.Take("k", 10);
  const RequestId other = lone.Take("other", 11);
  lone.Ignore();
  const Reply reply = MustRelease(lone, "k", LoneClient::Token(10), "it hangs");
  lone.Receive(reply);
  EXPECT_EQ(lone.Told(request), Strings({"LOST revoked (it hangs)"}));
  EXPECT_FALSE(lone.Find(request).has_value());
  EXPECT_TRUE(lone.Find(other).has_value());
  const std::optional<Release> release = lone.Sent<Release>();
  ASSERT_TRUE(release.has_value());
  EXPECT_EQ(release->key, "k");
  EXPECT_EQ(release->token, LoneClient::Token(10));
  lone.Receive(reply);  // with the next keep-alive
  EXPECT_EQ(lone.Sent<Release>(), std::nullopt);
  EXPECT_EQ(lone.Told(request).size(), 1u);
  lone.Answered(release->sequence, Outcome::kOk);
  EXPECT_EQ(lone.client().requests_in_flight(), 0u);
}

TEST(LossTest, AFormerGrantThatIsTakenAwayDoesNotHarmTheNext) {
  LoneClient lone;
  lone.Open();
  const RequestId request = lone.Take("k", 10);
  lone.Receive(MustRelease(lone, "k", LoneClient::Token(9), "it hangs"));
  EXPECT_EQ(lone.Told(request), Strings());
  EXPECT_TRUE(lone.Find(request).has_value());
}

TEST(LossTest, ARenewalOnItsWayFindsTheLockTakenAway) {
  LoneClient lone;
  lone.Open();
  const RequestId request = lone.Take("k", 10);
  const RequestId renewal = lone.Renew("k", LoneClient::Token(10));
  const Sequence sequence = lone.Sent<Renew>()->sequence;
  lone.Receive(MustRelease(lone, "k", LoneClient::Token(10), "it hangs"));
  lone.Answered(sequence, Outcome::kNotHeld);
  EXPECT_EQ(lone.OutcomeOf(renewal), Outcome::kNotHeld);
  EXPECT_EQ(lone.Told(request), Strings({"LOST revoked (it hangs)"}));
}

// The renewal's caller was told kUnknown; the holder is told of the longer
// lease.
TEST(RenewTest, AnAnswerThatComesTooLateMovesTheLease) {
  LoneClient lone;
  lone.Open();
  const RequestId request = lone.Take("k", 10, absl::Seconds(20));
  const RequestId renewal =
      lone.Renew("k", LoneClient::Token(10), absl::Minutes(1));
  const Sequence sequence = lone.Sent<Renew>()->sequence;
  lone.Ignore();
  lone.Pass(LoneClient::Options().request_timeout);
  ASSERT_EQ(lone.OutcomeOf(renewal), Outcome::kUnknown);
  ASSERT_EQ(lone.Told(request), Strings());
  const FastInstant before = lone.Find(request)->lease_end;
  lone.Answered(sequence, Outcome::kOk);
  EXPECT_GT(lone.Find(request)->lease_end, before);
  EXPECT_EQ(lone.Told(request), Strings({"HELD, lease moved"}));
}

// A holder that ends what it does under the lock before it releases it.
struct SelfReleasing {
  SelfReleasing() {
    lone.Open();
    request = lone.Submit(AcquireRequest{
        .key = "k", .ttl = absl::Seconds(5), .releases_itself = true});
    lone.Answered(lone.Sent<Acquire>()->sequence, Outcome::kOk, 10);
    lone.Ignore();
    lone.Receive(MustRelease(lone, "k", LoneClient::Token(10), "it hangs"));
  }
  LoneClient lone;
  RequestId request;
};

TEST(SelfReleaseTest, TheHolderIsToldAndKeepsTheLockUntilItReleasesIt) {
  SelfReleasing holder;
  LoneClient& lone = holder.lone;
  EXPECT_EQ(lone.Told(holder.request), Strings({"SUSPECT revoked (it hangs)"}));
  EXPECT_TRUE(lone.Find(holder.request).has_value());
  EXPECT_EQ(lone.Sent<Release>(), std::nullopt);
  // Repeated with the next keep-alive, and told once.
  lone.Receive(MustRelease(lone, "k", LoneClient::Token(10), "it hangs"));
  EXPECT_EQ(lone.Told(holder.request).size(), 1u);
  const RequestId release = lone.Release("k", LoneClient::Token(10));
  lone.Answered(lone.Sent<Release>()->sequence, Outcome::kOk);
  EXPECT_EQ(lone.OutcomeOf(release), Outcome::kOk);
  EXPECT_EQ(lone.Told(holder.request).back(), "LOST released");
}

TEST(SelfReleaseTest, ARefusedRenewalDoesNotEndBelief) {
  SelfReleasing holder;
  LoneClient& lone = holder.lone;
  const RequestId renewal = lone.Renew("k", LoneClient::Token(10));
  lone.Answered(lone.Sent<Renew>()->sequence, Outcome::kNotHeld);
  EXPECT_EQ(lone.OutcomeOf(renewal), Outcome::kNotHeld);
  EXPECT_TRUE(lone.Find(holder.request).has_value());
}

TEST(SelfReleaseTest, WithoutAReleaseBeliefEndsWithTheLease) {
  SelfReleasing holder;
  LoneClient& lone = holder.lone;
  lone.Pass(absl::Seconds(6));
  EXPECT_EQ(lone.Told(holder.request).back(), "LOST revoked (it hangs)");
  EXPECT_FALSE(lone.Find(holder.request).has_value());
  EXPECT_EQ(lone.Sent<Release>()->token, LoneClient::Token(10));
}

TEST(SelfReleaseTest, WhatTheClusterHasTakenIsLostAtOnce) {
  SelfReleasing holder;
  holder.lone.Revoked("k", LoneClient::Token(10));
  EXPECT_FALSE(holder.lone.Find(holder.request).has_value());
}

TEST(StaleGrantTest, ThatIsTakenAwayIsGivenBackAndItsCallerQueuesAgain) {
  StaleGrant stale;
  stale.lone.Receive(
      MustRelease(stale.lone, "k", LoneClient::Token(10), "it hangs"));
  EXPECT_EQ(stale.lone.OutcomeOf(stale.request), std::nullopt);
  EXPECT_EQ(stale.lone.Sent<Release>()->token, LoneClient::Token(10));
  const std::optional<Acquire> again = stale.lone.Sent<Acquire>();
  ASSERT_TRUE(again.has_value());
  stale.lone.Answered(stale.renew.sequence, Outcome::kNotHeld);
  stale.lone.Answered(again->sequence, Outcome::kOk, 2000);
  EXPECT_EQ(stale.lone.OutcomeOf(stale.request), Outcome::kOk);
  EXPECT_EQ(stale.lone.AnswerTo(stale.request)->token, LoneClient::Token(2000));
}

TEST(LossTest, ASecondGrantOfAKeyEndsTheFirst) {
  LoneClient lone;
  lone.Open();
  const RequestId first = lone.Take("k", 10);
  const RequestId second = lone.Take("k", 20);
  EXPECT_EQ(lone.Told(first), Strings({"LOST revoked"}));
  EXPECT_EQ(lone.client().held().size(), 1u);
  EXPECT_TRUE(lone.Find(second).has_value());
}

TEST(LossTest, BeliefEndsBeforeAReleaseIsSent) {
  LoneClient lone;
  lone.Open();
  const RequestId request = lone.Take("k", 10);
  Client& client = lone.client();
  client.Submit(lone.now(), RequestId(99),
                ReleaseRequest{.key = "k", .token = LoneClient::Token(10)});
  EXPECT_FALSE(client.Find(request).has_value());
  const Client::Output output = client.Take();
  ASSERT_EQ(output.notices.size(), 1u);
  EXPECT_EQ(output.notices[0].reason, LossReason::kReleased);
  EXPECT_EQ(output.commands.size(), 1u);
  EXPECT_TRUE(output.answers.empty()) << "not before the cluster has it";
}

}  // namespace
}  // namespace cachalot
