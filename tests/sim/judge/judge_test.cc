#include "sim/judge/judge.h"

#include <algorithm>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "engine/action.h"
#include "engine/client/client.h"
#include "engine/cluster_time.h"
#include "engine/command.h"
#include "engine/consensus/consensus.h"
#include "engine/event.h"
#include "engine/ids.h"
#include "engine/node.h"
#include "engine/request.h"
#include "engine/wire/codec.h"
#include "engine/wire/message.h"
#include "gtest/gtest.h"
#include "sim/judge/convergence.h"
#include "sim/judge/lock_model.h"
#include "sim/world/choices.h"
#include "sim/world/host.h"
#include "sim/world/instant.h"
#include "sim/world/world.h"

// The judge in a world of three machines. What no correct node does is put into
// a node's mouth: the judge is told of a step that never was.

namespace cachalot::sim {
namespace {

static_assert(std::is_copy_constructible_v<Judge>);
static_assert(std::is_copy_assignable_v<Judge>);

constexpr HostId kFirst(1);
constexpr RequestId kNoRequest(1'000'000);

class JudgeTest : public testing::Test {
 protected:
  JudgeTest() : choices_(1), world_(WorldOptions(), &choices_) {
    world_.AddWatcher(&judge_);
    for (uint64_t i = 1; i <= 3; ++i) {
      HostOptions host;
      host.node.bootstrap = host.node.is_own_seed = i == 1;
      host.node.birth_delay = absl::Milliseconds(10);
      host.node.lease.session_ttl = absl::Seconds(3);
      if (i != 1) host.node.seeds = {HostAddress(kFirst)};
      host.keeps_disk = true;
      hosts_[i - 1] = world_.AddHost(std::move(host));
      world_.Start(hosts_[i - 1]);
    }
    Run(absl::Seconds(5));
  }

  void Run(absl::Duration span) {
    const RealInstant end = world_.now() + span;
    while (world_.NextDue() <= end) world_.RunNext();
    world_.PassTime(end);
  }

  // The answer, or nothing if there is none yet.
  std::optional<Answer> Take(RequestId request) {
    for (const Notice& notice : world_.TakeNotices()) {
      const auto* answer = std::get_if<AnswerRequest>(&notice.what);
      if (answer != nullptr && answer->request == request) {
        return answer->answer;
      }
    }
    return std::nullopt;
  }

  FencingToken Lock(HostId host, std::string key, absl::Duration ttl) {
    AcquireRequest acquire;
    acquire.key = std::move(key);
    acquire.ttl = ttl;
    acquire.wait = absl::Seconds(5);
    last_ = world_.Submit(host, std::move(acquire));
    Run(absl::Seconds(1));
    const std::optional<Answer> answer = Take(last_);
    return answer.has_value() ? answer->token : FencingToken();
  }

  // What the judge says of a step in which the first node does this.
  std::string Claim(Action action, const Event& event = TimeAdvanced()) {
    Actions actions;
    actions.push_back(std::move(action));
    const size_t before = judge_.violations().size();
    judge_.Stepped(world_, kFirst, event, actions);
    const auto& all = judge_.violations();
    return all.size() == before ? "" : all[before].sentence;
  }

  std::string Claim(Message message) {
    const Node& node = *world_.node(kFirst);
    return Claim(
        SendFrame{.bytes = Encode(Envelope{.cluster = node.identity().cluster,
                                           .from = node.id(),
                                           .to = world_.node(hosts_[1])->id(),
                                           .from_address = HostAddress(kFirst),
                                           .message = std::move(message)})});
  }

  std::string Lose(const FencingToken& token, LossReason reason) {
    return Claim(NotifyHolder{.request = last_,
                              .key = "a",
                              .token = token,
                              .belief = Belief::kLost,
                              .reason = reason});
  }

  ChoiceSource choices_;
  Judge judge_ = Judge({.tables_every = 1, .invariants_every = 1});
  World world_;
  HostId hosts_[3];
  RequestId last_;
};

#define EXPECT_SAYS(sentence, part)                     \
  do {                                                  \
    const std::string said = (sentence);                \
    EXPECT_TRUE(absl::StrContains(said, part)) << said; \
  } while (false)

TEST_F(JudgeTest, HasNothingToSayOfACorrectWorldAndCountsWhatItSaw) {
  const FencingToken token = Lock(kFirst, "a", absl::Seconds(2));
  ASSERT_FALSE(token.IsNone());
  AcquireRequest second;
  second.key = "a";
  second.ttl = absl::Seconds(2);
  second.wait = absl::Seconds(5);
  world_.Submit(hosts_[1], second);
  Run(absl::Milliseconds(200));
  world_.Submit(kFirst, ReleaseRequest{"a", token});
  Run(absl::Milliseconds(200));
  world_.Crash(hosts_[1]);
  Run(absl::Seconds(10));
  EXPECT_TRUE(judge_.violations().empty())
      << judge_.violations().front().sentence;
  const JudgeCounters& counters = judge_.counters();
  EXPECT_EQ(counters.grants, 2u);
  EXPECT_EQ(counters.grants_told, 2u);
  EXPECT_EQ(counters.waits, 1u);
  EXPECT_EQ(counters.grants_after_wait, 1u);
  EXPECT_EQ(counters.releases, 1u);
  EXPECT_EQ(counters.losses, 1u);
  EXPECT_EQ(counters.lock_expiries, 1u);
  EXPECT_EQ(counters.sessions_opened, 3u);
  EXPECT_EQ(counters.sessions_expired, 1u);
  EXPECT_GE(counters.elections, 1u);
  EXPECT_GE(counters.configuration_changes, 1u);
  EXPECT_GT(counters.promises, 0u);
}

TEST_F(JudgeTest, ACopyGoesOnByItself) {
  Judge copy = judge_;
  copy.Complain(world_, kFirst, "something");
  EXPECT_EQ(copy.violations().size(), 1u);
  EXPECT_TRUE(judge_.violations().empty());
}

TEST_F(JudgeTest, SeesAVoteThatIsNotSaved) {
  const Term next = world_.node(kFirst)->consensus().term().Next();
  EXPECT_SAYS(Claim(VoteReply{.term = next, .granted = true}),
              "sent before it was saved");
}

TEST_F(JudgeTest, SeesAnAcceptedAppendThatIsNotSaved) {
  const Consensus& consensus = world_.node(kFirst)->consensus();
  EXPECT_SAYS(Claim(AppendReply{.term = consensus.term(),
                                .accepted = true,
                                .index = consensus.last_index().Next()}),
              "accepted before they were saved");
}

TEST_F(JudgeTest, SeesAnInstalledSnapshotThatIsNotSaved) {
  const Consensus& consensus = world_.node(kFirst)->consensus();
  EXPECT_SAYS(Claim(SnapshotReply{.term = consensus.term().Next(),
                                  .index = consensus.commit(),
                                  .received = 1}),
              "a snapshot up to");
}

TEST_F(JudgeTest, SeesAPromiseUnderANameThatIsNotSaved) {
  const HostId fresh = world_.AddHost(HostOptions());
  world_.Start(fresh);
  Actions actions;
  actions.push_back(SendFrame{
      .bytes = Encode(
          Envelope{.cluster = world_.node(kFirst)->identity().cluster,
                   .from = world_.node(fresh)->id(),
                   .to = world_.node(kFirst)->id(),
                   .from_address = HostAddress(fresh),
                   .message = AppendReply{.term = Term(), .accepted = true}})});
  judge_.Stepped(world_, fresh, TimeAdvanced(), actions);
  ASSERT_FALSE(judge_.violations().empty());
  EXPECT_SAYS(judge_.violations().front().sentence, "before its id was saved");
}

TEST_F(JudgeTest, SeesASecondAnswer) {
  EXPECT_SAYS(Claim(AnswerRequest{.request = kNoRequest}), "answered twice");
}

TEST_F(JudgeTest, SeesAGrantThatTheTableDoesNotHave) {
  AcquireRequest acquire;
  acquire.key = "a";
  judge_.Stepped(world_, kFirst, RequestSubmitted{kNoRequest, acquire}, {});
  AnswerRequest answer{.request = kNoRequest};
  answer.answer.outcome = Outcome::kOk;
  answer.answer.token = FencingToken(1);
  EXPECT_SAYS(Claim(answer), "the node believes in 0 locks");
}

TEST_F(JudgeTest, SeesALossWhoseReasonIsNotTrue) {
  const FencingToken token = Lock(kFirst, "a", absl::Seconds(20));
  ASSERT_FALSE(token.IsNone());
  const Judge before = judge_;
  for (const auto& [reason, part] :
       {std::pair(LossReason::kExpired, "its belief had not ended"),
        std::pair(LossReason::kRevoked, "the cluster has it granted"),
        std::pair(LossReason::kReleased, "nobody released it"),
        std::pair(LossReason::kLeft, "was not asked to leave")}) {
    judge_ = before;
    EXPECT_SAYS(Lose(token, reason), part);
  }
}

TEST_F(JudgeTest, SeesABeliefThatEndsWithoutAWord) {
  const FencingToken token = Lock(kFirst, "a", absl::Seconds(2));
  ASSERT_FALSE(token.IsNone());
  // As if the node had told its caller, and went on to believe.
  EXPECT_SAYS(Claim(NotifyHolder{.request = last_,
                                 .key = "a",
                                 .token = token,
                                 .belief = Belief::kLost,
                                 .reason = LossReason::kReleased},
                    RequestSubmitted{kNoRequest, ReleaseRequest{"a", token}}),
              "the node believes in 1 locks");
}

// The holder's clock runs at half of its speed: it believes for too long.
TEST_F(JudgeTest, SeesABeliefThatOutlivesItsLease) {
  world_.SetClockRates(kFirst, 0, -500'000);
  Lock(kFirst, "a", absl::Seconds(10));
  ASSERT_FALSE(judge_.violations().empty());
  EXPECT_SAYS(judge_.violations().front().sentence, "but its lease may end");
}

TEST_F(JudgeTest, SeesTwoWhoBelieveInOneLock) {
  ASSERT_FALSE(Lock(kFirst, "a", absl::Seconds(3)).IsNone());
  world_.SetClockRates(kFirst, 0, -900'000);
  world_.Pause(kFirst);  // it is not told that its lease is over
  Run(absl::Seconds(5));
  ASSERT_FALSE(Lock(hosts_[1], "a", absl::Seconds(1)).IsNone());
  const auto& all = judge_.violations();
  EXPECT_TRUE(std::any_of(all.begin(), all.end(), [](const Violation& v) {
    return absl::StrContains(v.sentence, "two holders of a");
  }));
  EXPECT_TRUE(std::any_of(all.begin(), all.end(), [](const Violation& v) {
    return absl::StrContains(v.sentence, "took it away");
  }));
}

TEST_F(JudgeTest, ClocksBeyondTheirBoundAreNobodysFault) {
  judge_ = Judge({.clocks_in_bound = false});
  // What it has not seen from the beginning it cannot judge.
  for (const HostId host : hosts_) {
    world_.Crash(host);
    world_.WipeDisk(host);
  }
  for (const HostId host : hosts_) {
    world_.SetClockRates(host, 100'000, -500'000);
    world_.Start(host);
  }
  Run(absl::Seconds(15));  // longer than the quarantine by the slowest clock
  EXPECT_FALSE(Lock(kFirst, "a", absl::Seconds(10)).IsNone());
  EXPECT_TRUE(judge_.violations().empty())
      << judge_.violations().front().sentence;
}

TEST_F(JudgeTest, AWorldLeftAloneSettles) {
  Run(absl::Seconds(5));
  EXPECT_EQ(judge_.Unsettled(world_), "");
}

TEST_F(JudgeTest, AWorldWithADeadMemberIsUnsettledUntilItIsForgotten) {
  Lock(hosts_[1], "a", absl::Seconds(20));
  world_.Crash(hosts_[1]);
  EXPECT_SAYS(judge_.Unsettled(world_), "which is gone");
  Run(absl::Seconds(20));
  EXPECT_EQ(judge_.Unsettled(world_), "");
}

TEST_F(JudgeTest, ASessionThatNobodyOwnsUnsettlesTheWorld) {
  LockModel model;
  model.Apply(LogIndex(1), ClusterTime(),
              {OpenSession{.session = {{9, 9}, 1}, .ttl = absl::Seconds(3)}});
  EXPECT_SAYS(FindLeftover(world_, model), "is nobody's");
}

TEST_F(JudgeTest, ALockInWhichNobodyBelievesUnsettlesTheWorld) {
  const SessionId session = world_.node(kFirst)->client().session();
  LockModel model;
  const OpenSession open = {.session = session, .ttl = absl::Seconds(3)};
  const Acquire acquire = {.session = session,
                           .sequence = Sequence(1),
                           .key = "a",
                           .ttl = absl::Seconds(3)};
  model.Apply(LogIndex(1), ClusterTime(), {open, acquire});
  EXPECT_SAYS(FindLeftover(world_, model), "nobody believes");
}

}  // namespace
}  // namespace cachalot::sim
