#include "sim/report/record.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "engine/event.h"
#include "engine/request.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sim/run/runner.h"
#include "sim/world/chance.h"
#include "sim/world/choices.h"
#include "sim/world/host.h"
#include "sim/world/instant.h"
#include "sim/world/network.h"
#include "sim/world/world.h"

namespace cachalot::sim {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

// Three machines with a recorder; the first founds the cluster.
class RecordTest : public testing::Test {
 protected:
  void Begin(const NetworkOptions& network = {}) {
    WorldOptions options;
    options.network = network;
    world_ = std::make_unique<World>(options, &choices_);
    world_->AddWatcher(&recorder_, /*listens=*/true);
    for (uint64_t i = 1; i <= 3; ++i) {
      HostOptions host;
      host.node.bootstrap = i == 1;
      if (i != 1) host.node.seeds = {HostAddress(HostId(1))};
      world_->Start(world_->AddHost(host));
    }
    RunFor(absl::Seconds(3));
  }

  void RunFor(absl::Duration duration) {
    const RealInstant end = world_->now() + duration;
    while (world_->NextDue() <= end) world_->RunNext();
    world_->PassTime(end);
  }

  void Lock(HostId host, absl::Duration ttl) {
    AcquireRequest request;
    request.key = "door";
    request.ttl = ttl;
    request.wait = absl::Seconds(5);
    world_->Submit(host, request);
  }

  // False for messages that may still be in flight at the end.
  static bool IsOld(const Recording& run, const RecordedMessage& message) {
    return run.end - run.steps[message.sent].at > absl::Milliseconds(100);
  }

  ChoiceSource choices_{7};
  Recorder recorder_;
  std::unique_ptr<World> world_;
};

TEST_F(RecordTest, EachDeliveredMessageIsReceivedOnceByItsTarget) {
  Begin();
  const Recording run = recorder_.Take();
  ASSERT_THAT(run.messages, SizeIs(testing::Gt(20)));
  for (const RecordedMessage& message : run.messages) {
    if (!IsOld(run, message)) continue;
    ASSERT_THAT(message.taken, SizeIs(1)) << message.text;
    const RecordedStep& taken = run.steps[message.taken.front()];
    EXPECT_EQ(taken.host, message.to);
    EXPECT_EQ(run.steps[message.sent].host, message.from);
    EXPECT_GT(taken.at, run.steps[message.sent].at);
    EXPECT_EQ(taken.message, &message - run.messages.data());
  }
}

TEST_F(RecordTest, LostDatagramsAreNeverReceived) {
  NetworkOptions network;
  network.loss = Rate::Percent(100);
  Begin(network);
  uint64_t datagrams = 0;
  for (const RecordedMessage& message : recorder_.Take().messages) {
    if (!message.is_datagram) continue;
    ++datagrams;
    EXPECT_THAT(message.taken, IsEmpty()) << message.text;
  }
  EXPECT_GT(datagrams, 0);
}

TEST_F(RecordTest, DuplicatedDatagramsAreReceivedTwice) {
  NetworkOptions network;
  network.duplication = Rate::Percent(100);
  Begin(network);
  const Recording run = recorder_.Take();
  uint64_t pings = 0;
  for (const RecordedMessage& message : run.messages) {
    // A Ping that came twice is answered twice, by Acks that nobody can tell
    // apart.
    if (message.kind != "Ping" || !IsOld(run, message)) continue;
    ++pings;
    EXPECT_THAT(message.taken, SizeIs(2)) << message.text;
  }
  EXPECT_GT(pings, 0);
}

TEST_F(RecordTest, MessagesHaveAKindAndAFamily) {
  Begin();
  std::vector<std::string> kinds;
  for (const RecordedMessage& message : recorder_.Take().messages) {
    kinds.push_back(message.kind);
    EXPECT_NE(message.family, MessageFamily::kNoise) << message.text;
  }
  EXPECT_THAT(kinds, Contains("Ping"));
  EXPECT_THAT(kinds, Contains("Append"));
  EXPECT_THAT(kinds, Contains("Forward"));
}

TEST_F(RecordTest, CutsLastUntilTheyAreMended) {
  Begin();
  const RealInstant begin = world_->now();
  world_->network().Cut(HostAddress(HostId(1)), HostAddress(HostId(2)));
  world_->NoteIntervention("n2 is deaf");
  RunFor(absl::Seconds(1));
  world_->network().MendAll(world_->now());
  world_->NoteIntervention("mended");
  RunFor(absl::Seconds(1));
  const Recording run = recorder_.Take();
  ASSERT_THAT(run.cuts, SizeIs(1));
  EXPECT_EQ(run.cuts[0].span.begin, begin);
  EXPECT_EQ(run.cuts[0].span.end, begin + absl::Seconds(1));
  EXPECT_EQ(run.cuts[0].text, "n2 is deaf");
  EXPECT_THAT(run.cuts[0].links,
              ElementsAre(testing::Pair(HostId(1), HostId(2))));
}

TEST_F(RecordTest, PausesLastUntilTheProcessResumes) {
  Begin();
  const RealInstant begin = world_->now();
  world_->Pause(HostId(2));
  RunFor(absl::Milliseconds(300));
  world_->Resume(HostId(2));
  RunFor(absl::Seconds(1));
  const Recording run = recorder_.Take();
  ASSERT_THAT(run.pauses, SizeIs(1));
  EXPECT_EQ(run.pauses[0].host, HostId(2));
  EXPECT_EQ(run.pauses[0].span.begin, begin);
  EXPECT_EQ(run.pauses[0].span.end, begin + absl::Milliseconds(300));
}

TEST_F(RecordTest, RolesEndWhenTheProcessCrashes) {
  Begin();
  const RealInstant death = world_->now();
  world_->Crash(HostId(1));
  RunFor(absl::Seconds(1));
  const Recording run = recorder_.Take();
  std::vector<std::string> roles;
  for (const RoleSpan& role : run.roles) {
    if (role.host != HostId(1)) continue;
    roles.push_back(role.role);
    EXPECT_LE(role.span.end, death);
  }
  EXPECT_THAT(roles, Contains("seeking"));
  EXPECT_EQ(roles.back(), "leader");
}

TEST_F(RecordTest, AGrantBeginsAHoldAndABeliefAndEndsTheWait) {
  Begin();
  Lock(HostId(2), absl::Minutes(1));
  RunFor(absl::Seconds(1));
  Lock(HostId(3), absl::Minutes(1));
  RunFor(absl::Seconds(1));
  const Recording run = recorder_.Take();
  ASSERT_THAT(run.holds, SizeIs(1));
  EXPECT_EQ(run.holds[0].key, "door");
  EXPECT_EQ(run.holds[0].holder, HostId(2));
  EXPECT_EQ(run.holds[0].span.end, run.end);
  ASSERT_THAT(run.beliefs, SizeIs(1));
  EXPECT_EQ(run.beliefs[0].holder, HostId(2));
  EXPECT_EQ(run.beliefs[0].token, run.holds[0].token);
  EXPECT_GE(run.beliefs[0].span.begin, run.holds[0].span.begin);
  ASSERT_THAT(run.waits, SizeIs(2));
  EXPECT_EQ(run.waits[0].outcome, "ok");
  EXPECT_EQ(run.waits[0].span.end, run.beliefs[0].span.begin);
  EXPECT_EQ(run.waits[1].outcome, "");
}

TEST_F(RecordTest, APausedHoldersBeliefEndsByItsClock) {
  Begin();
  Lock(HostId(2), absl::Seconds(2));
  RunFor(absl::Seconds(1));
  world_->Pause(HostId(2));
  RunFor(absl::Minutes(1));
  const Recording run = recorder_.Take();
  ASSERT_THAT(run.beliefs, Not(IsEmpty()));
  EXPECT_LT(run.beliefs.back().span.end,
            run.beliefs.front().span.begin + absl::Seconds(2));
}

TEST_F(RecordTest, DecisionsBelongToTheirStep) {
  Begin();
  const Recording run = recorder_.Take();
  const auto founding = std::find_if(
      run.steps.begin(), run.steps.end(), [](const RecordedStep& step) {
        return std::any_of(step.decisions.begin(), step.decisions.end(),
                           [](const std::string& decision) {
                             return decision.find("found cluster") == 0;
                           });
      });
  ASSERT_NE(founding, run.steps.end());
  EXPECT_EQ(founding->host, HostId(1));
}

TEST_F(RecordTest, AStepThatDoesNotReturnIsTheLast) {
  Begin();
  recorder_.Stepping(*world_, HostId(3), LeaveRequested{});
  recorder_.Noted(*world_, HostId(3), "asked to leave");
  const Recording run = recorder_.Take();
  EXPECT_EQ(run.steps.back().host, HostId(3));
  EXPECT_EQ(run.steps.back().event, "is asked to leave");
  EXPECT_THAT(run.steps.back().decisions, ElementsAre("asked to leave"));
}

TEST(RecordingTest, RecordingDoesNotChangeTheRun) {
  Recorder recorder;
  const RunResult watched =
      RunSeed(3, {.harm_max = absl::Seconds(2), .watchers = {&recorder}});
  EXPECT_EQ(watched.hash, RunSeed(3, {.harm_max = absl::Seconds(2)}).hash);
  EXPECT_FALSE(recorder.Take().steps.empty());
}

}  // namespace
}  // namespace cachalot::sim
