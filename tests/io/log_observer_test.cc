#include "io/log_observer.h"

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "engine/address.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/member.h"
#include "engine/node.h"
#include "engine/observer.h"
#include "engine/options.h"
#include "engine/request.h"
#include "engine/survival.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "io/agent_status.h"
#include "io/log.h"
#include "io/log_event.h"
#include "io/service_log.h"
#include "tests/io/kept_log.h"

namespace cachalot {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr NodeId kOne{.high = 1, .low = 1};
constexpr NodeId kTwo{.high = 2, .low = 2};
constexpr ClusterId kOurs{.high = 3, .low = 3};
constexpr ClusterId kTheirs{.high = 4, .low = 4};

// Runs `write` with a log and returns what it wrote.
template <typename Write>
std::vector<LogRecord> Written(const Write& write,
                               LogLevel level = LogLevel::kDebug) {
  KeptLog kept;
  const std::unique_ptr<Logger> log =
      Logger::Create(level, kept.Function()).value();
  write(log.get());
  log->Stop(absl::InfiniteDuration());
  return kept.Records();
}

std::string MessageOf(const Observation& observation) {
  const std::vector<LogRecord> records = Written(
      [&](Logger* log) { LogObserver(log, nullptr).Observe(observation); });
  if (records.size() != 1) return "not one record";
  return records[0].message;
}

MemberChanged Change(std::string name, MemberState state, MemberState was,
                     bool is_new = false) {
  return {.id = kOne,
          .name = std::move(name),
          .address = Address::V4(10, 0, 0, 1, 7946),
          .state = state,
          .was = was,
          .is_new = is_new,
          .reported_by = kTwo};
}

// One of each kind.
std::vector<Observation> AllKinds() {
  using enum MemberState;
  return {
      LeaderLost{kOne, Term(3), absl::Milliseconds(312)},
      ElectionStarted{Term(4), ElectionStarted::Reason::kNoLeader},
      LeadershipWon{Term(4)},
      LeadershipLost{Term(4), LeadershipLost::Reason::kNoQuorum, NodeId()},
      LeaderFollowed{kTwo, Term(5)},
      VotersChanged{{kOne, kTwo}, {kOne}},
      Change("n1", kAlive, kAlive, true),
      Change("n1", kSuspect, kAlive),
      Change("n1", kFailed, kSuspect),
      Change("n1", kAlive, kSuspect),
      Change("n1", kLeft, kAlive),
      Isolated{absl::Seconds(3)},
      IsolationEnded{kTwo},
      MajorityLost{{.kind = Outage::Kind::kMajorityLost,
                    .voters = 2,
                    .missing = {{.id = kOne}}}},
      MajorityBack{absl::Seconds(9)},
      Stalled{absl::Seconds(2)},
      ClusterFounded{kOurs, FencingToken(7), absl::Seconds(10), {kOne}},
      FoundersDiffer{.id = kOne, .name = "n1", .theirs = {"n1"}},
      QuarantineMet{absl::Seconds(10)},
      ClusterJoined{kOurs, FencingToken(7)},
      ClusterDissolved{kOurs, ClusterDissolved::Reason::kOtherIsOlder, kTheirs},
      SessionOpened{{kOne, 1}},
      SessionLost{{kOne, 1}, LossReason::kRevoked},
      ExpiryProposed{{{kOne, 1}}, 2},
  };
}

void WriteService(Logger* log) {
  LogStarted(log, {.name = "n1"}, "/run/cachalot.sock");
  LogStanding(log, {});
  LogLeaving(log);
  LogLeft(log);
  LogWaiting(log, {.key = "k", .wait = absl::Seconds(1), .owner = "o"});
  LogAcquired(log, "k", "o", {.outcome = Outcome::kOk});
  LogAcquired(log, "k", "o", {.outcome = Outcome::kTimedOut});
  LogRenewed(log, "k", {}, absl::Seconds(1), {.outcome = Outcome::kOk});
  for (const Belief belief : {Belief::kSuspect, Belief::kHeld}) {
    LogBelief(log, "k", "o", {}, belief, LossReason::kNone);
  }
  LogBelief(log, "k", "o", {}, Belief::kSuspect, LossReason::kRevoked);
  LogBelief(log, "k", "o", {}, Belief::kLost, LossReason::kReleased);
  LogBelief(log, "k", "o", {}, Belief::kLost, LossReason::kExpired);
}

TEST(LogObserverTest, EachRecordHasTheFieldsOfItsEvent) {
  const std::vector<LogRecord> records = Written([](Logger* log) {
    LogObserver observer(log, nullptr);
    observer.Note("decided");
    for (const Observation& each : AllKinds()) observer.Observe(each);
    WriteService(log);
  });
  std::set<LogEvent> seen;
  for (const LogRecord& record : records) {
    seen.insert(record.event);
    EXPECT_EQ(FieldNames(record), InfoOf(record.event).fields) << record.event;
    EXPECT_EQ(record.level, InfoOf(record.event).level) << record.event;
    EXPECT_NE(record.message, "") << record.event;
  }
  // All but lines_lost, survival_changed, still_seeking and those of the
  // network.
  EXPECT_EQ(seen.size(), 24u + 1 + 12);
}

TEST(LogObserverTest, SaysWhatHappenedAndWhy) {
  using enum MemberState;
  EXPECT_EQ(
      MessageOf(LeaderLost{kOne, Term(3), absl::Milliseconds(312)}),
      "heard nothing from the leader, " + kOne.ToShortString() + ", for 312ms");
  EXPECT_THAT(
      MessageOf(ElectionStarted{Term(4), ElectionStarted::Reason::kFounding}),
      HasSubstr("term 4: it founds the cluster"));
  EXPECT_THAT(MessageOf(LeadershipLost{
                  Term(4), LeadershipLost::Reason::kNoQuorum, NodeId()}),
              HasSubstr("too few voters answered"));
  EXPECT_THAT(MessageOf(Change("n1", kFailed, kSuspect)),
              HasSubstr("n1 (" + kOne.ToShortString() +
                        " at 10.0.0.1:7946) has failed, says"));
  EXPECT_THAT(MessageOf(Change("n1", kAlive, kFailed)),
              HasSubstr("is a member"));
  EXPECT_THAT(MessageOf(ClusterDissolved{
                  kOurs, ClusterDissolved::Reason::kOtherIsOlder, kTheirs}),
              HasSubstr("gives up cluster " + kOurs.ToShortString() + " for " +
                        kTheirs.ToShortString() + ": the other is older"));
  EXPECT_THAT(MessageOf(Stalled{absl::Milliseconds(1234)}),
              HasSubstr("ran 1.234s late"));
  EXPECT_THAT(MessageOf(ExpiryProposed{{}, 1}), HasSubstr("expires 1 lock"));
}

TEST(LogObserverTest, WhoFindsNoClusterSaysWhereItLooked) {
  NodeOptions options;
  options.seed = 1;
  options.address = Address::V4(10, 0, 0, 1, 7946);
  options.seeds = {Address::V4(10, 0, 0, 9, 7946)};
  options.name = "n1";
  options.founders = {"n1", "n2", "n3"};
  const absl::StatusOr<Node> node = Node::Create(options, Now());
  ASSERT_TRUE(node.ok()) << node.status();
  const std::vector<LogRecord> records = Written([&](Logger* log) {
    LogObserver observer(log, nullptr);
    observer.set_node(&*node);
    for (int second = 0; second < 70; ++second) {
      observer.Look(FastInstant() + absl::Seconds(second));
    }
  });
  ASSERT_EQ(records.size(), 2u);
  for (const LogRecord& record : records) {
    EXPECT_EQ(record.event, LogEvent::kStillSeeking);
  }
  EXPECT_EQ(records[0].message,
            "no cluster found for 5s: nobody answers at 10.0.0.9:7946; waits "
            "for all founders: n1, n2, n3");
  EXPECT_THAT(records[1].message, HasSubstr("no cluster found for 1m5s"));
}

// It is heard and cannot be reached: a change in every second.
TEST(LogObserverTest, AMemberThatFlapsMakesFewLinesButAtDebugLevel) {
  NodeOptions options;
  options.seed = 1;
  options.address = Address::V4(10, 0, 0, 9, 7946);
  options.bootstrap = true;
  const absl::StatusOr<Node> node = Node::Create(options, Now());
  ASSERT_TRUE(node.ok()) << node.status();
  const auto flap = [&](Logger* log) {
    LogObserver observer(log, nullptr);
    observer.set_node(&*node);
    for (int second = 0; second < 300; ++second) {
      observer.Look(FastInstant() + absl::Seconds(second));
      const bool is_odd = second % 2 == 1;
      observer.Observe(
          Change("n1", is_odd ? MemberState::kAlive : MemberState::kSuspect,
                 is_odd ? MemberState::kSuspect : MemberState::kAlive));
    }
  };
  const auto count = [](const std::vector<LogRecord>& records, LogEvent event) {
    return std::count_if(
        records.begin(), records.end(),
        [event](const LogRecord& record) { return record.event == event; });
  };
  const std::vector<LogRecord> few = Written(flap, LogLevel::kInfo);
  const auto told = count(few, LogEvent::kMemberSuspected) +
                    count(few, LogEvent::kMemberRecovered);
  EXPECT_GE(told, 20);
  EXPECT_LE(told, 30);
  EXPECT_THAT(few.back().message, HasSubstr("(it changed 19 times more"));
  EXPECT_GE(count(Written(flap), LogEvent::kDecision), 270);
}

TEST(LogObserverTest, WhoWasGoneBeforeIsNoNews) {
  EXPECT_THAT(Written([](Logger* log) {
                LogObserver(log, nullptr)
                    .Observe(Change("n1", MemberState::kLeft,
                                    MemberState::kLeft, true));
              }),
              IsEmpty());
}

TEST(LogObserverTest, NamesCannotForgeLines) {
  const std::string evil = "x\n2026-11-28T08:00:00.000+00:00 info \x1b[2J";
  const std::vector<LogRecord> records = Written([&](Logger* log) {
    LogObserver(log, nullptr)
        .Observe(Change(evil, MemberState::kAlive, MemberState::kAlive, true));
    LogAcquired(log, evil, evil,
                {.outcome = Outcome::kHeld,
                 .holder = LockInfo{.holder_name = evil},
                 .text = evil});
    LogStarted(log, {.name = evil}, evil);
  });
  ASSERT_EQ(records.size(), 3u);
  for (const LogRecord& record : records) {
    EXPECT_THAT(record.message, Not(HasSubstr("\n")));
    EXPECT_THAT(record.message, Not(HasSubstr("\x1b")));
    EXPECT_THAT(record.message, HasSubstr("x\\x0a2026"));
  }
  // Exactly as it is, for machines.
  EXPECT_EQ(std::get<std::string>(records[0].fields[0].value), evil);
}

class CountingObserver : public Observer {
 public:
  explicit CountingObserver(bool wants_notes) : wants_notes_(wants_notes) {}
  bool WantsNotes() const override { return wants_notes_; }
  void Note(absl::string_view) override { ++notes; }
  void Observe(const Observation&) override { ++observations; }
  int notes = 0;
  int observations = 0;

 private:
  const bool wants_notes_;
};

TEST(LogObserverTest, AnotherObserverIsToldToo) {
  CountingObserver next(/*wants_notes=*/true);
  Written(
      [&](Logger* log) {
        LogObserver observer(log, &next);
        EXPECT_TRUE(observer.WantsNotes());
        observer.Note("decided");
        observer.Observe(LeadershipWon{Term(1)});
      },
      LogLevel::kInfo);
  EXPECT_EQ(next.notes, 1);
  EXPECT_EQ(next.observations, 1);
}

TEST(LogObserverTest, NotesAreWantedAtDebugLevelOnly) {
  Written(
      [](Logger* log) { EXPECT_FALSE(LogObserver(log, nullptr).WantsNotes()); },
      LogLevel::kInfo);
  Written(
      [](Logger* log) { EXPECT_TRUE(LogObserver(log, nullptr).WantsNotes()); });
}

}  // namespace
}  // namespace cachalot
