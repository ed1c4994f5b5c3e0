#include "sim/clients/resource.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "engine/ids.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sim/world/chance.h"
#include "sim/world/choices.h"
#include "sim/world/host.h"
#include "sim/world/instant.h"
#include "sim/world/world.h"

namespace cachalot::sim {
namespace {

using ::testing::HasSubstr;
using ::testing::Optional;

constexpr HostId kHost(1);

FencingToken Token(uint64_t index) { return FencingToken(index); }

TEST(ResourceTest, RefusesATokenBelowTheHighest) {
  Resource resource;
  EXPECT_THAT(resource.Read(Token(1)), Optional(0));
  EXPECT_TRUE(resource.Write(Token(1), 1));
  EXPECT_TRUE(resource.Write(Token(2), 2));
  EXPECT_FALSE(resource.Write(Token(1), 9));
  EXPECT_EQ(resource.Read(Token(1)), std::nullopt);
  EXPECT_EQ(resource.value(), 2);
}

TEST(ResourceTest, AReadRaisesTheHighestTokenToo) {
  Resource resource;
  EXPECT_THAT(resource.Read(Token(2)), Optional(0));
  EXPECT_FALSE(resource.Write(Token(1), 1));
  EXPECT_EQ(resource.highest(), Token(2));
}

TEST(ResourceCheckerTest, AcceptsUpdatesOfOneHolderAfterAnother) {
  ResourceChecker checker;
  EXPECT_EQ(checker.ObserveRead("a", Token(1)), std::nullopt);
  EXPECT_EQ(checker.ObserveWrite("a", Token(1), 1), std::nullopt);
  EXPECT_EQ(checker.ObserveRead("b", Token(2)), std::nullopt);
  EXPECT_EQ(checker.ObserveWrite("b", Token(2), 2), std::nullopt);
  EXPECT_EQ(checker.CheckTotal(2), std::nullopt);
}

TEST(ResourceCheckerTest, RefusesALowerTokenAfterAHigherOne) {
  ResourceChecker checker;
  EXPECT_EQ(checker.ObserveRead("b", Token(2)), std::nullopt);
  EXPECT_THAT(checker.ObserveWrite("a", Token(1), 1),
              Optional(std::string("a was let in under 1 after b under 2")));
}

TEST(ResourceCheckerTest, RefusesOneTokenForTwoHolders) {
  ResourceChecker checker;
  EXPECT_EQ(checker.ObserveRead("a", Token(1)), std::nullopt);
  EXPECT_THAT(checker.ObserveRead("b", Token(1)),
              Optional(std::string("two holders have the token 1: a and "
                                   "b")));
}

TEST(ResourceCheckerTest, RefusesALostUpdate) {
  ResourceChecker checker;
  EXPECT_EQ(checker.ObserveWrite("a", Token(1), 1), std::nullopt);
  EXPECT_THAT(checker.ObserveWrite("b", Token(2), 1),
              Optional(std::string("an update was lost: b under 2 wrote 1 "
                                   "in the place of 1, which a under 1 had "
                                   "written")));
}

TEST(ResourceCheckerTest, RefusesAValueThatIsNotTheNumberOfWrites) {
  ResourceChecker checker;
  EXPECT_EQ(checker.ObserveWrite("a", Token(1), 1), std::nullopt);
  EXPECT_NE(checker.CheckTotal(0), std::nullopt);
}

// One machine, whose holders visit the resources of their locks.
class ResourcesTest : public testing::Test {
 protected:
  ResourcesTest() {
    HostOptions host;
    host.node.bootstrap = true;
    world_.AddHost(host);
    Start();
  }

  static ResourceOptions Options(Rate loss) {
    return {.uses = Rate::Percent(100),
            .travel = {absl::Milliseconds(2), absl::Milliseconds(2)},
            .think = {absl::Milliseconds(100), absl::Milliseconds(100)},
            .loss = loss};
  }
  void Start() {
    world_.Start(kHost);
    resources_.Started(kHost);
  }
  Holder MakeHolder(std::string client, uint64_t token) {
    return {.host = kHost,
            .process = resources_.process(kHost),
            .stream = token,
            .client = std::move(client),
            .lock = "k",
            .token = Token(token)};
  }
  // Runs all that is due in `time`; returns the last holder that was refused.
  std::optional<Holder> RunFor(absl::Duration time) {
    const RealInstant end = world_.now() + time;
    std::optional<Holder> refused;
    while (std::min(world_.NextDue(), resources_.NextDue()) <= end) {
      if (world_.NextDue() <= resources_.NextDue()) {
        world_.RunNext();
        continue;
      }
      world_.PassTime(resources_.NextDue());
      std::optional<Holder> holder = resources_.RunNext(world_);
      if (holder.has_value()) refused = std::move(holder);
    }
    world_.PassTime(end);
    return refused;
  }

  ChoiceSource choices_{7};
  World world_{WorldOptions(), &choices_};
  Resources resources_{Options(Rate::Never()), &choices_};
};

TEST_F(ResourcesTest, AHolderReadsThinksAndWrites) {
  resources_.Use(world_.now(), MakeHolder("a", 1));
  RunFor(absl::Milliseconds(105));
  EXPECT_EQ(resources_.counters().reads, 1);
  EXPECT_EQ(resources_.counters().writes, 0);
  RunFor(absl::Milliseconds(2));
  EXPECT_EQ(resources_.counters().writes, 1);
  EXPECT_EQ(resources_.CheckTotals(), std::nullopt);
}

TEST_F(ResourcesTest, RefusesTheLateWriteOfAFormerHolder) {
  resources_.Use(world_.now(), MakeHolder("a", 1));
  RunFor(absl::Milliseconds(50));
  resources_.Use(world_.now(), MakeHolder("b", 2));
  const std::optional<Holder> refused = RunFor(absl::Seconds(1));
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->client, "a");
  EXPECT_EQ(resources_.counters().writes, 1);
  EXPECT_EQ(resources_.counters().writes_refused, 1);
  EXPECT_EQ(resources_.damage(), std::nullopt);
}

TEST_F(ResourcesTest, APausedHolderWritesAfterItResumes) {
  resources_.Use(world_.now(), MakeHolder("a", 1));
  RunFor(absl::Milliseconds(50));
  world_.Pause(kHost);
  RunFor(absl::Seconds(3));
  EXPECT_EQ(resources_.counters().writes, 0);
  world_.Resume(kHost);
  RunFor(absl::Milliseconds(20));
  EXPECT_EQ(resources_.counters().writes, 1);
}

TEST_F(ResourcesTest, ADeadHolderDoesNothingMore) {
  resources_.Use(world_.now(), MakeHolder("a", 1));
  RunFor(absl::Milliseconds(50));
  world_.Crash(kHost);
  Start();
  RunFor(absl::Seconds(1));
  EXPECT_EQ(resources_.counters().writes, 0);
}

TEST_F(ResourcesTest, AWriteInFlightArrivesAfterItsSenderDied) {
  resources_.Use(world_.now(), MakeHolder("a", 1));
  RunFor(absl::Milliseconds(105));
  world_.Crash(kHost);
  RunFor(absl::Milliseconds(2));
  EXPECT_EQ(resources_.counters().writes, 1);
}

TEST_F(ResourcesTest, AHolderMakesOneVisitAtATime) {
  resources_.Use(world_.now(), MakeHolder("a", 1));
  resources_.Use(world_.now(), MakeHolder("a", 1));
  RunFor(absl::Seconds(1));
  EXPECT_EQ(resources_.counters().writes, 1);
  resources_.Use(world_.now(), MakeHolder("a", 1));
  RunFor(absl::Seconds(1));
  EXPECT_EQ(resources_.counters().writes, 2);
  EXPECT_EQ(resources_.damage(), std::nullopt);
}

TEST_F(ResourcesTest, ReportsATokenThatTwoHoldersHave) {
  resources_.Use(world_.now(), MakeHolder("a", 1));
  resources_.Use(world_.now(), MakeHolder("b", 1));
  RunFor(absl::Seconds(1));
  EXPECT_THAT(resources_.damage(), Optional(HasSubstr("two holders")));
}

TEST_F(ResourcesTest, LosesMessages) {
  Resources lossy(Options(Rate::Percent(100)), &choices_);
  lossy.Started(kHost);
  lossy.Use(world_.now(), MakeHolder("a", 1));
  while (lossy.NextDue() != RealInstant::Never()) {
    world_.PassTime(std::min(lossy.NextDue(), world_.NextDue()));
    if (world_.NextDue() <= lossy.NextDue()) {
      world_.RunNext();
    } else {
      lossy.RunNext(world_);
    }
  }
  EXPECT_EQ(lossy.counters().lost, 1);
  EXPECT_EQ(lossy.counters().writes, 0);
}

}  // namespace
}  // namespace cachalot::sim
