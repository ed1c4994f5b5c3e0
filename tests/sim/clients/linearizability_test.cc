#include "sim/clients/linearizability.h"

#include <algorithm>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "engine/ids.h"
#include "engine/random.h"
#include "engine/request.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sim/clients/history.h"
#include "sim/world/instant.h"

namespace cachalot::sim {
namespace {

using ::testing::HasSubstr;

constexpr HistoryRules kWithLeases;
constexpr HistoryRules kWithoutLeases = {.leases_hold = false};
constexpr uint64_t kTriesMax = 100'000;

RealInstant At(int64_t milliseconds) {
  return RealInstant() + absl::Milliseconds(milliseconds);
}

FencingToken Token(uint64_t index) { return FencingToken(index); }

// From one millisecond to another; `to` < 0: there was no answer.
struct Span {
  int64_t from;
  int64_t to;
};

constexpr Span Since(int64_t from) { return {from, -1}; }

Operation Make(std::string client, OperationKind kind, Span span,
               Outcome outcome, uint64_t token) {
  Operation operation{.client = std::move(client),
                      .kind = kind,
                      .key = "k",
                      .called = At(span.from),
                      .outcome = outcome};
  if (span.to >= 0) operation.returned = At(span.to);
  if (token != 0) operation.token = Token(token);
  return operation;
}

Operation Try(std::string client, Span span, uint64_t token) {
  return Make(std::move(client), OperationKind::kTry, span, Outcome::kOk,
              token);
}
Operation Held(std::string client, Span span, uint64_t token) {
  return Make(std::move(client), OperationKind::kTry, span, Outcome::kHeld,
              token);
}
Operation Refused(std::string client, Span span, Outcome outcome) {
  return Make(std::move(client), OperationKind::kLock, span, outcome, 0);
}
Operation Renew(std::string client, Span span, Outcome outcome,
                uint64_t token) {
  return Make(std::move(client), OperationKind::kRenew, span, outcome, token);
}
Operation Release(std::string client, Span span, Outcome outcome,
                  uint64_t token) {
  return Make(std::move(client), OperationKind::kRelease, span, outcome, token);
}
Operation List(std::string client, Span span, uint64_t token) {
  return Make(std::move(client), OperationKind::kList, span, Outcome::kOk,
              token);
}
Operation Lost(std::string client, Span span, LossReason reason,
               uint64_t token) {
  Operation operation = Make(std::move(client), OperationKind::kLost, span,
                             Outcome::kUnknown, token);
  operation.loss = reason;
  return operation;
}

Operation Revoke(std::string client, Span span, Outcome outcome,
                 uint64_t token) {
  return Make(std::move(client), OperationKind::kRevoke, span, outcome, token);
}

std::string TextOf(const Operation& operation) {
  std::ostringstream out;
  out << operation;
  return out.str();
}

void ExpectPossible(const History& history,
                    const HistoryRules& rules = kWithLeases) {
  EXPECT_EQ(CheckHistory(history, rules).value_or(""), "");
  EXPECT_EQ(SearchOrder(history, rules, kTriesMax), Verdict::kPossible);
}

// The complaint names the operations at `first` and `second`.
void ExpectContradiction(const History& history, size_t first, size_t second,
                         const HistoryRules& rules = kWithLeases) {
  const std::string complaint =
      CheckHistory(history, rules).value_or("none at all");
  EXPECT_THAT(complaint, HasSubstr(TextOf(history[first])));
  EXPECT_THAT(complaint, HasSubstr(TextOf(history[second])));
}

// The same, and the search finds no order either.
void ExpectNoOrder(const History& history, size_t first, size_t second,
                   const HistoryRules& rules = kWithLeases) {
  ExpectContradiction(history, first, second, rules);
  EXPECT_EQ(SearchOrder(history, rules, kTriesMax), Verdict::kImpossible);
}

// --- Histories that are accepted ---------------------------------------------

TEST(LinearizabilityTest, AcceptsAnEmptyHistory) { ExpectPossible({}); }

TEST(LinearizabilityTest, AcceptsGrantsOneAfterAnother) {
  ExpectPossible({Try("a", {0, 10}, 1), Held("b", {5, 15}, 1),
                  Renew("a", {12, 14}, Outcome::kOk, 1),
                  Release("a", {20, 30}, Outcome::kOk, 1),
                  Try("b", {25, 40}, 2)});
}

TEST(LinearizabilityTest, AcceptsAReleaseThatTookEffectWithoutAnAnswer) {
  ExpectPossible({Try("a", {0, 1}, 1),
                  Release("a", Since(2), Outcome::kUnknown, 1),
                  Try("b", {100, 101}, 2)});
}

TEST(LinearizabilityTest, AcceptsAReleaseThatTookEffectAfterItsAnswer) {
  ExpectPossible({Try("a", {0, 1}, 1),
                  Release("a", {2, 3}, Outcome::kUnknown, 1),
                  Held("b", {50, 51}, 1), Try("b", {100, 101}, 2)});
}

TEST(LinearizabilityTest, AcceptsAGrantAfterTheLeaseOfADeadHolder) {
  ExpectPossible({Try("a", {0, 1}, 1),
                  Lost("a", Since(50), LossReason::kNone, 1),
                  Held("b", {49, 60}, 1), Try("b", {70, 80}, 2)});
}

TEST(LinearizabilityTest, AcceptsAHolderThatWasNeverToldOfItsGrant) {
  for (const Outcome outcome :
       {Outcome::kUnavailable, Outcome::kTimedOut, Outcome::kUnknown}) {
    ExpectPossible({Refused("a", {0, 10}, outcome), Held("b", {20, 30}, 1),
                    Held("c", {40, 50}, 1), Try("b", {60, 70}, 2)});
  }
}

TEST(LinearizabilityTest, AcceptsAHolderThatHadToAskTwice) {
  ExpectPossible({Try("a", {0, 100}, 5), Held("b", {10, 20}, 3)});
}

TEST(LinearizabilityTest, AcceptsAListBetweenTwoHolders) {
  ExpectPossible({Try("a", {0, 1}, 1), Release("a", {2, 3}, Outcome::kOk, 1),
                  List("c", {0, 10}, 0), Try("b", {3, 4}, 2)});
}

TEST(LinearizabilityTest, AcceptsARefusedRenewalAfterTheBeliefEnded) {
  ExpectPossible(
      {Try("a", {0, 1}, 1), Lost("a", {50, 55}, LossReason::kExpired, 1),
       Renew("a", {52, 56}, Outcome::kNotHeld, 1),
       Release("a", {60, 61}, Outcome::kNotHeld, 1), Held("b", {70, 71}, 1)});
}

TEST(LinearizabilityTest, AcceptsAWithdrawnRequest) {
  ExpectPossible({Refused("a", {0, 10}, Outcome::kWithdrawn),
                  Make("a", OperationKind::kWithdraw, {5, 5}, Outcome::kOk, 0),
                  Try("b", {20, 30}, 1)});
}

TEST(LinearizabilityTest, AcceptsARevokedLockThatIsGivenBack) {
  ExpectPossible({Try("a", {0, 10}, 1), Revoke("b", {20, 30}, Outcome::kOk, 1),
                  Held("c", {31, 33}, 1),
                  Lost("a", {35, 35}, LossReason::kReleased, 1),
                  Held("c", {36, 38}, 1), Try("c", {40, 50}, 2),
                  Lost("c", {55, 55}, LossReason::kExpired, 2),
                  Revoke("b", {60, 70}, Outcome::kNotHeld, 0)});
}

TEST(LinearizabilityTest, RefusesARevokeThatContradictsTheHolder) {
  ExpectNoOrder({Try("a", {0, 10}, 1), Release("a", {20, 30}, Outcome::kOk, 1),
                 Revoke("b", {40, 50}, Outcome::kOk, 1)},
                1, 2);
  ExpectNoOrder(
      {Try("a", {0, 10}, 1), Revoke("b", {40, 50}, Outcome::kNotHeld, 0),
       Renew("a", {60, 70}, Outcome::kOk, 1)},
      0, 1);
}

TEST(LinearizabilityTest, ChecksEachKeyOnItsOwn) {
  History history = {Try("a", {0, 1}, 1), Try("b", {2, 3}, 2)};
  history[1].key = "another";
  ExpectPossible(history);
}

TEST(LinearizabilityTest, IgnoresLeasesIfClocksLeaveTheirBound) {
  const History history = {Try("a", {0, 1}, 1), Try("b", {2, 3}, 2)};
  ExpectPossible(history, kWithoutLeases);
  ExpectNoOrder(history, 0, 1, kWithLeases);
}

// --- Histories that are refused ----------------------------------------------

TEST(LinearizabilityTest, RefusesTwoHoldersAtOneInstant) {
  ExpectNoOrder({Try("a", {0, 1}, 1), Try("b", {2, 3}, 2),
                 Release("a", {4, 5}, Outcome::kOk, 1)},
                2, 1);
}

TEST(LinearizabilityTest, RefusesAGrantBeforeTheLeaseHasEnded) {
  ExpectNoOrder(
      {Try("a", {0, 1}, 1), Lost("a", {50, 51}, LossReason::kExpired, 1),
       Try("b", {40, 49}, 2)},
      1, 2);
}

TEST(LinearizabilityTest, RefusesAGrantDuringTheLeaseOfADeadHolder) {
  ExpectNoOrder(
      {Try("a", {0, 1}, 1), Lost("a", Since(50), LossReason::kNone, 1),
       Try("b", {40, 49}, 2)},
      1, 2);
}

TEST(LinearizabilityTest, RefusesALowerTokenAfterAHigherOne) {
  ExpectNoOrder({Try("a", {0, 1}, 7), Release("a", {2, 3}, Outcome::kOk, 7),
                 Try("b", {4, 5}, 6)},
                2, 0, kWithoutLeases);
}

TEST(LinearizabilityTest, RefusesOneTokenForTwo) {
  ExpectContradiction(
      {Try("a", {0, 1}, 1), Release("a", {2, 3}, Outcome::kOk, 1),
       Try("b", {4, 5}, 1)},
      0, 2);
}

TEST(LinearizabilityTest, RefusesAGrantWithoutAToken) {
  ExpectContradiction({Try("a", {0, 1}, 0)}, 0, 0);
}

TEST(LinearizabilityTest, RefusesOneTokenForTwoKeys) {
  History history = {Try("a", {0, 1}, 1), Try("b", {4, 5}, 1)};
  history[1].key = "another";
  ExpectContradiction(history, 0, 1);
}

TEST(LinearizabilityTest, RefusesAnAnswerThatNamesAnEarlierHolder) {
  ExpectNoOrder({Try("a", {0, 1}, 1), Release("a", {2, 3}, Outcome::kOk, 1),
                 Held("b", {4, 5}, 1)},
                2, 1);
}

TEST(LinearizabilityTest, RefusesAnAnswerThatNamesALaterHolder) {
  ExpectNoOrder({Held("b", {0, 1}, 1), Try("a", {2, 3}, 1)}, 0, 1);
}

TEST(LinearizabilityTest, RefusesAHolderIfNobodyHadAsked) {
  const History history = {List("b", {0, 1}, 1)};
  ExpectNoOrder(history, 0, 0);
}

TEST(LinearizabilityTest, RefusesAnOldHolderAfterTheNextGrant) {
  ExpectNoOrder(
      {Try("a", {0, 1}, 1), Release("a", {2, 30}, Outcome::kUnknown, 1),
       Try("b", {5, 6}, 2), List("c", {10, 11}, 1)},
      3, 2);
}

TEST(LinearizabilityTest, RefusesAListThatShowsAHeldLockAsFree) {
  ExpectNoOrder({Try("a", {0, 1}, 1), List("c", {10, 11}, 0),
                 Release("a", {20, 21}, Outcome::kOk, 1)},
                1, 2);
}

TEST(LinearizabilityTest, RefusesAListThatShowsAnUnreleasedLockAsFree) {
  ExpectNoOrder({Try("a", {0, 1}, 1), List("c", {10, 11}, 0)}, 1, 0);
}

TEST(LinearizabilityTest, RefusesARenewalAfterARevokedLoss) {
  ExpectNoOrder(
      {Try("a", {0, 1}, 1), Lost("a", {5, 6}, LossReason::kRevoked, 1),
       Renew("a", {7, 8}, Outcome::kOk, 1)},
      1, 2);
}

TEST(LinearizabilityTest, RefusesARenewalAfterTheNextGrant) {
  ExpectNoOrder({Try("a", {0, 1}, 1), Try("b", {10, 11}, 2),
                 Renew("a", {20, 21}, Outcome::kOk, 1)},
                2, 1, kWithoutLeases);
}

TEST(LinearizabilityTest, RefusesARefusedRenewalDuringTheBelief) {
  ExpectContradiction(
      {Try("a", {0, 1}, 1), Renew("a", {2, 3}, Outcome::kNotHeld, 1)}, 0, 1);
}

TEST(LinearizabilityTest, RefusesAReleaseByAnother) {
  ExpectContradiction(
      {Try("a", {0, 1}, 1), Release("b", {2, 3}, Outcome::kOk, 1)}, 0, 1);
}

TEST(LinearizabilityTest, IgnoresARefusedReleaseByAnother) {
  ExpectNoOrder(
      {Try("a", {0, 1}, 1), Release("b", {2, 3}, Outcome::kNotHeld, 1),
       Try("b", {4, 5}, 2)},
      0, 2);
}

TEST(LinearizabilityTest, RefusesTwoReleasesOfOneGrant) {
  ExpectContradiction(
      {Try("a", {0, 1}, 1), Release("a", {2, 3}, Outcome::kOk, 1),
       Release("a", {4, 5}, Outcome::kOk, 1)},
      1, 2);
}

TEST(LinearizabilityTest, RefusesAReleaseOfNothing) {
  ExpectContradiction({Release("a", {2, 3}, Outcome::kOk, 1)}, 0, 0);
}

TEST(LinearizabilityTest, RefusesAWithdrawnOutcomeWithoutAWithdrawal) {
  ExpectContradiction(
      {Refused("a", {0, 10}, Outcome::kWithdrawn),
       Make("a", OperationKind::kWithdraw, {11, 11}, Outcome::kOk, 0),
       Make("b", OperationKind::kWithdraw, {5, 5}, Outcome::kOk, 0)},
      0, 0);
}

TEST(LinearizabilityTest, TheSearchIsUndecidedAfterTooManyTries) {
  History history;
  for (uint64_t i = 1; i <= 12; ++i) {
    history.push_back(Refused("a", {0, 100}, Outcome::kUnknown));
    history.push_back(Held("b", {0, 100}, i));
  }
  EXPECT_EQ(SearchOrder(history, kWithLeases, 5), Verdict::kUndecided);
  ExpectPossible(history);
}

// --- Comparison of the two checkers ------------------------------------------

// Generates a short history of one lock. It is valid by construction: each
// operation takes effect between its call and its return.
class RandomHistory {
 public:
  explicit RandomHistory(uint64_t seed) : random_(seed) {}

  History Generate(size_t length) {
    while (history_.size() < length) AddNext();
    return std::move(history_);
  }

 private:
  void AddNext();
  void AddWhileFree();
  void AddWhileHeld();
  void End();
  Span Around() {
    const int64_t from = now_ - static_cast<int64_t>(random_.Below(30));
    return {from, now_ + static_cast<int64_t>(random_.Below(30))};
  }
  std::string Anybody() {
    return std::string(1, static_cast<char>('a' + random_.Below(4)));
  }
  void Add(Operation operation) { history_.push_back(std::move(operation)); }

  Random random_;
  int64_t now_ = 1000;  // mutations may go back from it
  History history_;
  std::string holder_;  // empty: one that was never told, if token_ is set
  uint64_t token_ = 0;
  uint64_t last_ = 0;
};

void RandomHistory::AddNext() {
  now_ += static_cast<int64_t>(random_.Below(15));
  if (token_ == 0) {
    AddWhileFree();
  } else {
    AddWhileHeld();
  }
}

void RandomHistory::AddWhileFree() {
  switch (random_.Below(6)) {
    case 0:
      return Add(List(Anybody(), Around(), 0));
    case 1: {
      const Span span = Around();
      Add(Refused(Anybody(), random_.Chance(1, 2) ? span : Since(span.from),
                  Outcome::kUnknown));
      holder_ = "";
      break;
    }
    default:
      holder_ = Anybody();
      Add(Try(holder_, Around(), last_ + 1));
  }
  token_ = ++last_;
}

void RandomHistory::AddWhileHeld() {
  switch (random_.Below(7)) {
    case 0:
      return Add(Held(Anybody(), Around(), token_));
    case 1:
      return Add(List(Anybody(), Around(), token_));
    case 2:
      return Add(Refused(Anybody(), Around(), Outcome::kTimedOut));
    case 3:
      if (holder_.empty()) return;
      return Add(Renew(holder_, Around(), Outcome::kOk, token_));
    default:
      return End();
  }
}

void RandomHistory::End() {
  const uint64_t token = std::exchange(token_, 0);
  if (holder_.empty()) return;
  const Span span = Around();
  switch (random_.Below(5)) {
    case 0:
      return Add(Release(holder_, Since(span.from), Outcome::kUnknown, token));
    case 1:
      return Add(Release(holder_, span, Outcome::kNotHeld, token));
    case 2:
      return Add(Lost(holder_, span, LossReason::kRevoked, token));
    case 3:
      return Add(Lost(holder_, span, LossReason::kExpired, token));
    default:
      return Add(Release(holder_, span, Outcome::kOk, token));
  }
}

// Changes one or two things in a history; the result may still be valid.
class Mutation {
 public:
  explicit Mutation(uint64_t seed) : random_(seed) {}

  History Of(History history) {
    for (uint64_t i = random_.Between(1, 2); i > 0; --i) Change(history);
    return history;
  }

 private:
  void Change(History& history) {
    Operation& one = Pick(history);
    Operation& other = Pick(history);
    switch (random_.Below(5)) {
      case 0:
        return Shift(one);
      case 1:
        return std::swap(one.token, other.token);
      case 2:
        one.token = other.token;
        return;
      case 3:
        return std::swap(one.returned, other.returned);
      default:
        history.erase(history.begin() +
                      static_cast<std::ptrdiff_t>(&one - history.data()));
    }
  }
  void Shift(Operation& operation) {
    const absl::Duration by = absl::Milliseconds(random_.Between(1, 80));
    const bool is_back = random_.Chance(1, 2);
    operation.called = operation.called + (is_back ? -by : by);
    operation.returned = operation.returned + (is_back ? -by : by);
  }
  Operation& Pick(History& history) {
    return history[static_cast<size_t>(random_.Below(history.size()))];
  }

  Random random_;
};

bool IsWellFormed(const History& history) {
  return std::all_of(history.begin(), history.end(),
                     [](const Operation& o) { return o.called <= o.returned; });
}

class AgreementTest : public testing::TestWithParam<HistoryRules> {};

TEST_P(AgreementTest, AcceptsEveryValidRandomHistory) {
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    const History history = RandomHistory(seed).Generate(4 + seed % 12);
    ASSERT_EQ(CheckHistory(history, GetParam()).value_or(""), "")
        << "seed " << seed;
    ASSERT_EQ(SearchOrder(history, GetParam(), kTriesMax), Verdict::kPossible)
        << "seed " << seed;
  }
}

TEST_P(AgreementTest, AgreesWithTheSearchOnMutatedHistories) {
  uint64_t accepted = 0;
  uint64_t refused = 0;
  for (uint64_t seed = 0; seed < 8000; ++seed) {
    const History history =
        Mutation(seed).Of(RandomHistory(seed).Generate(4 + seed % 12));
    if (!IsWellFormed(history) || CheckAnswers(history).has_value()) continue;
    const Complaint complaint = CheckOrder(history, GetParam());
    const Verdict verdict = SearchOrder(history, GetParam(), kTriesMax);
    ASSERT_NE(verdict, Verdict::kUndecided) << "seed " << seed;
    ASSERT_EQ(complaint.has_value(), verdict == Verdict::kImpossible)
        << "seed " << seed << ": " << complaint.value_or("accepted");
    ++(complaint.has_value() ? refused : accepted);
  }
  EXPECT_GT(accepted, 1000);
  EXPECT_GT(refused, 500);
}

INSTANTIATE_TEST_SUITE_P(Rules, AgreementTest,
                         testing::Values(kWithLeases, kWithoutLeases),
                         [](const auto& rules) {
                           return rules.param.leases_hold ? "WithLeases"
                                                          : "WithoutLeases";
                         });

}  // namespace
}  // namespace cachalot::sim
