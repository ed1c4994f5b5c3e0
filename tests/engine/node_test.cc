#include "engine/node.h"

#include <algorithm>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/locks/token_counter.h"
#include "engine/random.h"
#include "engine/wire/codec.h"
#include "engine/wire/message.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/test_cluster.h"

namespace cachalot {
namespace {

TEST(NodeTest, ALoneFounderLeadsAndGrants) {
  TestCluster cluster;
  cluster.Start(1, {1});
  ASSERT_TRUE(cluster.RunUntil([&] { return cluster.Leader() == 1; }));
  const Answer answer = cluster.Ask(1, Try("a"));
  EXPECT_EQ(answer.outcome, Outcome::kOk);
  EXPECT_EQ(answer.token, FencingToken(101 + TokenCounter::kStep));
}

TEST(NodeTest, ThreeNodesFindEachOtherAndAllVote) {
  TestCluster cluster;
  StartThree(cluster);
  for (const int i : {1, 2, 3}) {
    EXPECT_EQ(cluster.node(i).Members().size(), 3u);
    EXPECT_EQ(cluster.node(i).identity().cluster,
              cluster.node(1).identity().cluster);
  }
}

TEST(NodeTest, NodesThatWaitForTheirSeedFindItWhenItStartsLast) {
  TestCluster cluster;
  cluster.Start(2, {1});
  cluster.Start(3, {1});
  cluster.Run(absl::Seconds(20));
  EXPECT_EQ(cluster.Leader(), 0);
  cluster.Start(1, {1});
  EXPECT_TRUE(cluster.RunUntil([&] { return AllVote(cluster, {1, 2, 3}); }));
}

TEST(NodeTest, ThreeThatExpectEachOtherFoundOneCluster) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    TestCluster cluster(seed);
    for (const int i : {1, 2, 3}) {
      cluster.Start(i, {1, 2, 3}, [](NodeOptions& o) {
        o.founders = {"n1", "n2", "n3"};
      });
    }
    ASSERT_TRUE(cluster.RunUntil([&] {
      return AllVote(cluster, {1, 2, 3});
    })) << seed;
    EXPECT_EQ(cluster.node(1).identity().cluster,
              cluster.node(2).identity().cluster);
    EXPECT_EQ(cluster.node(1).identity().cluster,
              cluster.node(3).identity().cluster);
  }
}

TEST(NodeTest, OneHoldsAndTheOthersAreRefusedWithItsName) {
  TestCluster cluster;
  StartThree(cluster);
  const Answer first = cluster.Ask(1, Try("a"));
  ASSERT_EQ(first.outcome, Outcome::kOk);
  const Answer second = cluster.Ask(2, Try("a"));
  ASSERT_EQ(second.outcome, Outcome::kHeld);
  EXPECT_EQ(second.token, first.token);
  EXPECT_EQ(second.holder->holder_name, "n1");
  EXPECT_EQ(cluster.Ask(1, Try("a")).outcome, Outcome::kHeld);
}

TEST(NodeTest, AWaiterIsGrantedOnReleaseWithAHigherToken) {
  TestCluster cluster;
  StartThree(cluster);
  const Answer first = cluster.Ask(1, Try("a"));
  const RequestId waiter = cluster.Submit(2, Wait("a", absl::Seconds(20)));
  cluster.Run(absl::Seconds(1));
  EXPECT_FALSE(cluster.AnswerTo(waiter).has_value());
  const Answer released =
      cluster.Ask(1, ReleaseRequest{.key = "a", .token = first.token});
  EXPECT_EQ(released.outcome, Outcome::kOk);
  ASSERT_TRUE(
      cluster.RunUntil([&] { return cluster.AnswerTo(waiter).has_value(); }));
  EXPECT_EQ(cluster.AnswerTo(waiter)->outcome, Outcome::kOk);
  EXPECT_GT(cluster.AnswerTo(waiter)->token, first.token);
}

TEST(NodeTest, AWaitThatEndsIsAnsweredInTimeAndLeavesTheQueue) {
  TestCluster cluster;
  StartThree(cluster);
  const Answer first = cluster.Ask(1, Try("a"));
  const absl::Duration begun = cluster.now();
  const Answer waited = cluster.Ask(2, Wait("a", absl::Seconds(3)));
  EXPECT_EQ(waited.outcome, Outcome::kTimedOut);
  EXPECT_EQ(cluster.now() - begun, absl::Seconds(3));
  cluster.Run(absl::Seconds(1));
  cluster.Ask(1, ReleaseRequest{.key = "a", .token = first.token});
  EXPECT_EQ(cluster.Ask(3, Try("a")).outcome, Outcome::kOk);
}

TEST(NodeTest, ALockPassesOnWhenItsOwnLeaseEndsAndItsHolderKnewBefore) {
  TestCluster cluster;
  StartThree(cluster);
  const Answer first = cluster.Ask(1, Try("a", absl::Seconds(4)));
  const absl::Duration granted = cluster.now();
  const Answer second = cluster.Ask(2, Wait("a", absl::Seconds(20)));
  ASSERT_EQ(second.outcome, Outcome::kOk);
  EXPECT_GT(second.token, first.token);
  EXPECT_GE(cluster.now() - granted, absl::Milliseconds(3950));
  EXPECT_LE(cluster.now() - granted, absl::Milliseconds(4200));
  ASSERT_GE(cluster.notices().size(), 2u);
  EXPECT_EQ(cluster.notices()[0].second.belief, Belief::kSuspect);
  EXPECT_EQ(cluster.notices()[1].second.belief, Belief::kLost);
  EXPECT_EQ(cluster.notices()[1].second.reason, LossReason::kExpired);
}

TEST(NodeTest, ALeaseIsRenewed) {
  TestCluster cluster;
  StartThree(cluster);
  const Answer first = cluster.Ask(1, Try("a", absl::Seconds(4)));
  for (int i = 0; i < 5; ++i) {
    cluster.Run(absl::Seconds(3));
    EXPECT_EQ(cluster
                  .Ask(1, RenewRequest{.key = "a",
                                       .token = first.token,
                                       .ttl = absl::Seconds(4)})
                  .outcome,
              Outcome::kOk);
    EXPECT_EQ(cluster.Ask(2, Try("a")).outcome, Outcome::kHeld);
  }
}

TEST(NodeTest, TheLocksOfADeadProcessPassOnWhenItsSessionEnds) {
  TestCluster cluster;
  StartThree(cluster);
  const int holder = cluster.Leader() == 3 ? 2 : 3;
  ASSERT_EQ(cluster.Ask(holder, Try("a", absl::Hours(1))).outcome,
            Outcome::kOk);
  cluster.Run(absl::Seconds(5));
  const absl::Duration killed = cluster.now();
  cluster.Kill(holder);
  const int other = cluster.Leader();
  const Answer answer = cluster.Ask(other, Wait("a", absl::Seconds(30)));
  ASSERT_EQ(answer.outcome, Outcome::kOk);
  // The session lives for 10 s from its last keep-alive, 3.3 s ago at most.
  EXPECT_GE(cluster.now() - killed, absl::Seconds(6));
  EXPECT_LE(cluster.now() - killed, absl::Milliseconds(10500));
}

TEST(NodeTest, HeldLocksSurviveTheDeathOfTheLeader) {
  TestCluster cluster;
  StartThree(cluster);
  const int leader = cluster.Leader();
  const int holder = leader == 3 ? 2 : 3;
  const int third = 6 - leader - holder;
  const Answer first = cluster.Ask(holder, Try("a", absl::Hours(1)));
  cluster.Kill(leader);
  ASSERT_TRUE(cluster.RunUntil(
      [&] { return cluster.Leader() != 0 && cluster.Leader() != leader; }));
  EXPECT_EQ(cluster.Ask(third, Try("a")).outcome, Outcome::kHeld);
  cluster.Run(absl::Seconds(30));
  EXPECT_EQ(cluster.Ask(third, Try("a")).token, first.token);
  for (const auto& [node, notice] : cluster.notices()) {
    EXPECT_NE(notice.belief, Belief::kLost);
  }
}

TEST(NodeTest, AKilledNodeComesBackAndVotesAgain) {
  TestCluster cluster;
  StartThree(cluster);
  for (int round = 0; round < 6; ++round) {
    const int victim = round % 3 + 1;
    cluster.Kill(victim);
    cluster.Run(absl::Seconds(1));
    cluster.Start(victim, {1, 2, 3},
                  [](NodeOptions& o) { o.bootstrap = false; });
    ASSERT_TRUE(cluster.RunUntil([&] {
      return AllVote(cluster, {1, 2, 3});
    })) << "round "
        << round;
    EXPECT_GE(cluster.node(victim).consensus().counters().snapshots_installed,
              1u);
  }
}

TEST(NodeTest, ASeedThatRestartsWithItselfComesBackToItsCluster) {
  TestCluster cluster;
  StartThree(cluster);
  const Answer held = cluster.Ask(2, Try("a", absl::Hours(1)));
  const ClusterId before = cluster.node(2).identity().cluster;
  cluster.Kill(1);
  cluster.Start(1, {1});
  ASSERT_TRUE(cluster.RunUntil([&] { return AllVote(cluster, {1, 2, 3}); }));
  EXPECT_EQ(cluster.node(1).identity().cluster, before);
  EXPECT_EQ(cluster.Ask(1, Try("a")).token, held.token);
}

TEST(NodeTest, TheYoungerOfTwoClustersGivesWayAndTokensRise) {
  TestCluster cluster;
  StartThree(cluster);
  cluster.CutOff(1);
  cluster.Kill(1);
  cluster.Run(absl::Seconds(12));
  // Born in isolation: nobody can tell it of the cluster it has forgotten.
  cluster.Start(1, {1});
  ASSERT_TRUE(
      cluster.RunUntil([&] { return cluster.node(1).client().has_session(); }));
  const Answer younger = cluster.Ask(1, Try("b", absl::Hours(1)));
  ASSERT_EQ(younger.outcome, Outcome::kOk);
  cluster.Reconnect(1);
  ASSERT_TRUE(cluster.RunUntil([&] { return AllVote(cluster, {1, 2, 3}); }));
  EXPECT_TRUE(std::any_of(
      cluster.notices().begin(), cluster.notices().end(),
      [](const auto& n) { return n.second.reason == LossReason::kDissolved; }));
  EXPECT_GT(cluster.Ask(2, Try("b")).token, younger.token);
}

// Whoever survives the loss of a majority is of no cluster that can agree on
// anything: it comes over to one that can.
TEST(NodeTest, ASurvivorOfALostMajorityJoinsTheNextBirth) {
  TestCluster cluster;
  StartThree(cluster);
  const Answer old = cluster.Ask(3, Try("a", absl::Hours(1)));
  cluster.Kill(1);
  cluster.Kill(2);
  cluster.Run(absl::Seconds(25));
  cluster.Start(1, {1});
  cluster.Start(2, {1});
  ASSERT_TRUE(cluster.RunUntil([&] { return AllVote(cluster, {1, 2, 3}); }));
  const Answer answer = cluster.Ask(3, Try("a"));
  EXPECT_EQ(answer.outcome, Outcome::kOk);
  EXPECT_GT(answer.token, old.token);
}

TEST(NodeTest, FoundersThatHearEachOtherBadlyFoundOneClusterAllTheSame) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    TestCluster cluster(seed);
    Random random(seed, "loss");
    cluster.filter = [&](int, const Address&, const std::string&) {
      return cluster.now() > absl::Seconds(8) || random.Chance(1, 2);
    };
    for (const int i : {1, 2, 3}) {
      cluster.Start(i, {1, 2, 3}, [](NodeOptions& o) {
        o.founders = {"n1", "n2", "n3"};
      });
    }
    ASSERT_TRUE(cluster.RunUntil(
        [&] {
          return AllVote(cluster, {1, 2, 3});
        },
        absl::Seconds(60)))
        << seed;
  }
}

// A learner's leader may die, and the next not know of the learner.
TEST(NodeTest, ALearnerForgetsALeaderThatIsSilent) {
  TestCluster cluster;
  cluster.Start(1, {1});
  cluster.Start(2, {1});
  ASSERT_TRUE(cluster.RunUntil([&] {
    return cluster.node(2).consensus().leader() == cluster.node(1).id();
  }));
  cluster.Kill(1);
  cluster.Run(absl::Seconds(2));
  EXPECT_TRUE(cluster.node(2).consensus().leader().IsNone());
}

TEST(NodeTest, AHolderThatIsCutOffLosesBeliefBeforeAnotherIsGranted) {
  TestCluster cluster;
  StartThree(cluster);
  const int holder = cluster.Leader();
  ASSERT_EQ(cluster.Ask(holder, Try("a", absl::Hours(1))).outcome,
            Outcome::kOk);
  cluster.Run(absl::Seconds(5));
  cluster.CutOff(holder);
  const int other = holder == 1 ? 2 : 1;
  const RequestId waiter = cluster.Submit(other, Wait("a", absl::Seconds(60)));
  const auto lost = [&] {
    return std::any_of(
        cluster.notices().begin(), cluster.notices().end(), [&](const auto& n) {
          return n.first == holder && n.second.belief == Belief::kLost;
        });
  };
  ASSERT_TRUE(cluster.RunUntil(
      [&] { return lost() || cluster.AnswerTo(waiter).has_value(); }));
  EXPECT_TRUE(lost());
  EXPECT_FALSE(cluster.AnswerTo(waiter).has_value());
  ASSERT_TRUE(
      cluster.RunUntil([&] { return cluster.AnswerTo(waiter).has_value(); }));
  EXPECT_EQ(cluster.AnswerTo(waiter)->outcome, Outcome::kOk);
}

TEST(NodeTest, LeavingFreesLocksAtOnceAndHandsOverTheVote) {
  TestCluster cluster;
  StartThree(cluster);
  const int leaver = cluster.Leader();
  const int other = leaver == 1 ? 2 : 1;
  ASSERT_EQ(cluster.Ask(leaver, Try("a", absl::Hours(1))).outcome,
            Outcome::kOk);
  const absl::Duration asked = cluster.now();
  cluster.Deliver(leaver, LeaveRequested());
  ASSERT_TRUE(cluster.RunUntil([&] { return cluster.has_left(leaver); }));
  EXPECT_LE(cluster.now() - asked, absl::Seconds(2));
  EXPECT_EQ(cluster.Ask(leaver, Try("b")).outcome, Outcome::kLeaving);
  cluster.Kill(leaver);
  EXPECT_EQ(cluster.Ask(other, Wait("a", absl::Seconds(2))).outcome,
            Outcome::kOk);
}

// Answers of theirs that waited in their streams arrive when they have long
// been cut off.
TEST(NodeTest, LearnersAreNotPromotedByAnswersThatWereLongOnTheirWay) {
  TestCluster cluster;
  cluster.Start(1, {1});
  cluster.Start(2, {1});
  cluster.Start(3, {1});
  const auto is_close = [&](int i) {
    return cluster.node(1).consensus().CloseSince(cluster.node(i).id()) !=
           SlowInstant::Never();
  };
  ASSERT_TRUE(cluster.RunUntil(
      [&] { return cluster.Leader() == 1 && is_close(2) && is_close(3); }));
  std::vector<std::string> late;
  bool is_cut = false;
  cluster.filter = [&](int from, const Address& to, const std::string& bytes) {
    if (from != 1 && to != TestCluster::AddressOf(1)) return true;
    const absl::StatusOr<Envelope> envelope = Decode(bytes);
    const bool is_answer =
        std::holds_alternative<AppendReply>(envelope->message);
    if (!is_cut && is_answer) late.push_back(bytes);
    return !is_cut && !is_answer;
  };
  cluster.Run(absl::Milliseconds(300));
  is_cut = true;
  ASSERT_GE(late.size(), 2u);
  for (const std::string& bytes : late) {
    cluster.Run(absl::Milliseconds(300));
    cluster.Deliver(
        1, FrameReceived{.from = TestCluster::AddressOf(2), .bytes = bytes});
    cluster.Run(absl::Milliseconds(200));
  }
  EXPECT_EQ(cluster.node(1).consensus().configuration().voters.size(), 1u);
  EXPECT_FALSE(cluster.node(1).consensus().configuration().IsJoint());
}

// More members than the leader replicates to: the others forward, and stay.
TEST(NodeTest, MembersWithoutTheLogTakeLocksToo) {
  constexpr int kNodes = 26;
  TestCluster cluster;
  for (int i = 1; i <= kNodes; ++i) cluster.Start(i, {1});
  const auto all_have_sessions = [&] {
    for (int i = 1; i <= kNodes; ++i) {
      if (!cluster.node(i).client().has_session()) return false;
    }
    return true;
  };
  ASSERT_TRUE(cluster.RunUntil(all_have_sessions));
  std::vector<NodeId> ids;
  for (int i = 1; i <= kNodes; ++i) ids.push_back(cluster.node(i).id());
  cluster.Run(absl::Seconds(40));
  const NodeId leader = cluster.node(cluster.Leader()).id();
  int without_log = 0;
  for (int i = 1; i <= kNodes; ++i) {
    const Node& node = cluster.node(i);
    EXPECT_EQ(node.id(), ids[static_cast<size_t>(i - 1)]);
    const bool has_log = node.consensus().last_index() > LogIndex();
    if (!has_log) ++without_log;
    EXPECT_EQ(node.has_table_copy(), has_log) << i;
    EXPECT_EQ(node.leader(), leader) << i;
    EXPECT_EQ(cluster.Ask(i, Try(std::to_string(i))).outcome, Outcome::kOk);
    const Answer local = node.LocalLocks({}, cluster.NowAt());
    if (has_log) {
      EXPECT_EQ(local.outcome, Outcome::kOk) << i;
    } else {
      EXPECT_EQ(local.outcome, Outcome::kUnavailable) << i;
      EXPECT_THAT(local.text, testing::HasSubstr("without --local")) << i;
    }
  }
  EXPECT_GT(without_log, 0);
}

// Starts more nodes than voters and learners together. Returns one that has no
// log; 0 if all have it.
int StartOneWithoutLog(TestCluster& cluster) {
  constexpr int kNodes = 26;
  for (int i = 1; i <= kNodes; ++i) cluster.Start(i, {1});
  cluster.Run(absl::Seconds(8));
  for (int i = kNodes; i > 0; --i) {
    if (cluster.node(i).consensus().last_index() == LogIndex()) return i;
  }
  return 0;
}

// It asks the leader that answered, and does not search for another.
TEST(NodeTest, AMemberWithoutTheLogStaysWithTheLeaderThatAnswersIt) {
  TestCluster cluster;
  const int other = StartOneWithoutLog(cluster);
  ASSERT_NE(other, 0);
  int asked = 0;
  cluster.filter = [&](int from, const Address&, const std::string& bytes) {
    const absl::StatusOr<Envelope> envelope = Decode(bytes);
    const bool is_forward =
        envelope.ok() && std::holds_alternative<Forward>(envelope->message);
    if (from == other && is_forward) ++asked;
    return true;
  };
  cluster.Run(absl::Seconds(15));
  EXPECT_LE(asked, 7) << "a keep-alive every 3.3 s, and no more";
  // And finds the next one when this one is gone.
  const int first = cluster.Leader();
  cluster.Kill(first);
  EXPECT_TRUE(cluster.RunUntil(
      [&] {
        return cluster.Leader() != 0 && cluster.Leader() != first &&
               cluster.node(other).leader() ==
                   cluster.node(cluster.Leader()).id();
      },
      absl::Seconds(8)));
  EXPECT_TRUE(cluster.node(other).client().has_session());
  EXPECT_EQ(cluster.Ask(other, Try("k")).outcome, Outcome::kOk);
}

TEST(NodeTest, AMemberWithoutTheLogFreesItsLocksWhenItLeaves) {
  TestCluster cluster;
  const int other = StartOneWithoutLog(cluster);
  ASSERT_NE(other, 0);
  ASSERT_EQ(cluster.Ask(other, Try("k")).outcome, Outcome::kOk);
  const RequestId waiter = cluster.Submit(1, Wait("k", absl::Minutes(1)));
  cluster.Deliver(other, LeaveRequested());
  EXPECT_TRUE(
      cluster.RunUntil([&] { return cluster.AnswerTo(waiter).has_value(); },
                       absl::Milliseconds(100)));
}

// --- Who speaks for whom ----------------------------------------------------

// As node `from` would send it.
void Forge(TestCluster& cluster, int from, int to, Message message) {
  const Node& sender = cluster.node(from);
  Envelope envelope{.cluster = sender.identity().cluster,
                    .from = sender.id(),
                    .to = cluster.node(to).id(),
                    .from_address = TestCluster::AddressOf(from),
                    .message = std::move(message)};
  cluster.Deliver(to, FrameReceived{.from = TestCluster::AddressOf(from),
                                    .bytes = Encode(envelope)});
}

struct ThreeNodes {
  ThreeNodes() {
    StartThree(cluster);
    leader = cluster.Leader();
    holder = leader == 1 ? 2 : 1;
    stranger = 6 - leader - holder;
  }
  // One in which the holder never takes the stranger for the leader.
  TestCluster cluster{/*seed=*/4};
  int leader, holder, stranger;
};

TEST(SpokesmanTest, ACommandForTheSessionOfAnotherIsDropped) {
  ThreeNodes three;
  TestCluster& cluster = three.cluster;
  const FencingToken token = cluster.Ask(three.holder, Try("k")).token;
  const SessionId victim = cluster.node(three.holder).client().session();
  Acquire acquire;
  acquire.session = victim;
  acquire.sequence = Sequence(100);
  acquire.key = "other";
  acquire.ttl = absl::Seconds(5);
  Renew renew;
  renew.session = victim;
  renew.sequence = Sequence(101);
  renew.key = "k";
  renew.token = token;
  renew.ttl = absl::Hours(1);
  Release release;
  release.session = victim;
  release.sequence = Sequence(102);
  release.key = "k";
  release.token = token;
  Withdraw withdraw;
  withdraw.session = victim;
  withdraw.sequence = Sequence(103);
  withdraw.key = "k";
  withdraw.acquire = Sequence(1);
  SessionId next = victim;
  ++next.number;
  const std::vector<LockCommand> commands = {
      OpenSession{.session = next, .ttl = absl::Seconds(10), .name = "x"},
      KeepAlive{.session = victim,
                .renewal = 1000,
                .first_outstanding = Sequence(1000)},
      CloseSession{.session = victim},
      acquire,
      renew,
      release,
      withdraw};
  for (const LockCommand& command : commands) {
    Forge(cluster, three.stranger, three.leader,
          Forward{.commands = {command}});
  }
  cluster.Run(absl::Seconds(2));
  const Node& leader = cluster.node(three.leader);
  EXPECT_EQ(leader.stats().impersonations, commands.size());
  const std::optional<LockInfo> lock =
      leader.table().Find("k", leader.table().time());
  ASSERT_TRUE(lock.has_value());
  EXPECT_EQ(lock->token, token);
  EXPECT_EQ(lock->holder, victim);
  EXPECT_LT(lock->lease_remaining, absl::Minutes(1));
  EXPECT_EQ(leader.table().lock_count(), 1u);
  EXPECT_EQ(leader.table().session_count(), 3u);
  EXPECT_EQ(cluster.Ask(three.stranger, Try("k")).outcome, Outcome::kHeld);
  EXPECT_EQ(
      cluster.Ask(three.holder, ReleaseRequest{.key = "k", .token = token})
          .outcome,
      Outcome::kOk);
}

// The rest of what it brings is served.
TEST(SpokesmanTest, WhatComesWithAStolenCommandIsServed) {
  ThreeNodes three;
  TestCluster& cluster = three.cluster;
  Acquire own;
  own.session = cluster.node(three.stranger).client().session();
  own.sequence = Sequence(1);
  own.key = "own";
  own.ttl = absl::Seconds(5);
  constexpr FencingToken kAbove(uint64_t{1} << 40);
  Forge(
      cluster, three.stranger, three.leader,
      Forward{.commands = {
                  CloseSession{
                      .session = cluster.node(three.holder).client().session()},
                  BeginTerm{.grace = absl::Seconds(5), .token_base = kAbove},
                  own}});
  cluster.Run(absl::Seconds(1));
  const Node& leader = cluster.node(three.leader);
  EXPECT_EQ(leader.stats().impersonations, 1u);
  EXPECT_EQ(leader.table().session_count(), 3u);
  EXPECT_LT(leader.table().last_token(), kAbove);
  EXPECT_TRUE(leader.table().Find("own", leader.table().time()).has_value());
}

TEST(SpokesmanTest, AnswersCountOnlyFromWhomWeAsked) {
  ThreeNodes three;
  TestCluster& cluster = three.cluster;
  const FencingToken token = cluster.Ask(three.holder, Try("k")).token;
  const Node& holder = cluster.node(three.holder);
  const SessionId session = holder.client().session();
  Reply gone;
  gone.kind = Reply::Kind::kSessionGone;
  gone.session = session;
  Reply revoked;
  revoked.kind = Reply::Kind::kRevoked;
  revoked.session = session;
  revoked.key = "k";
  revoked.token = token;
  Reply kept;
  kept.kind = Reply::Kind::kKept;
  kept.session = session;
  kept.index = LogIndex(1000);
  // So that its next keep-alive is without an answer.
  cluster.filter = [&](int from, const Address&, const std::string& bytes) {
    const absl::StatusOr<Envelope> envelope = Decode(bytes);
    return from != three.leader || !envelope.ok() ||
           !std::holds_alternative<Replies>(envelope->message);
  };
  cluster.Run(absl::Seconds(4));
  const FastInstant end = holder.client().session_belief_end();
  for (uint64_t renewal = 1; renewal < 10; ++renewal) {
    kept.renewal = renewal;
    Forge(cluster, three.stranger, three.holder, Replies{.replies = {kept}});
  }
  Forge(cluster, three.stranger, three.holder,
        Replies{.replies = {gone, revoked}});
  Forge(cluster, three.stranger, three.holder, Redirect{.busy = true});
  EXPECT_EQ(holder.stats().unasked, 11u);
  EXPECT_EQ(holder.client().session(), session);
  EXPECT_EQ(holder.client().session_belief_end(), end);
  EXPECT_EQ(holder.client().held_count(), 1u);
  cluster.filter = nullptr;
  cluster.Run(absl::Seconds(4));
  EXPECT_GT(holder.client().session_belief_end(), end);
}

// It was asked while it led.
TEST(SpokesmanTest, AFormerLeaderMayStillAnswerWhatItWasAsked) {
  ThreeNodes three;
  TestCluster& cluster = three.cluster;
  const int former = three.leader;
  // The answer is kept back until somebody else leads.
  std::vector<std::string> kept_back;
  cluster.filter = [&](int from, const Address& to, const std::string& bytes) {
    const absl::StatusOr<Envelope> envelope = Decode(bytes);
    const bool is_answer =
        from == former && to == TestCluster::AddressOf(three.holder) &&
        envelope.ok() && std::holds_alternative<Replies>(envelope->message);
    if (is_answer) kept_back.push_back(bytes);
    return !is_answer;
  };
  const RequestId request = cluster.Submit(three.holder, Try("k"));
  cluster.Run(absl::Milliseconds(50));
  ASSERT_FALSE(kept_back.empty());
  EXPECT_FALSE(cluster.AnswerTo(request).has_value());
  cluster.CutOff(former);
  ASSERT_TRUE(cluster.RunUntil(
      [&] { return cluster.Leader() != former && cluster.Leader() != 0; }));
  if (!cluster.AnswerTo(request).has_value()) {
    cluster.Deliver(three.holder,
                    FrameReceived{.from = TestCluster::AddressOf(former),
                                  .bytes = kept_back.front()});
  }
  EXPECT_TRUE(cluster.AnswerTo(request).has_value());
  EXPECT_EQ(cluster.node(three.holder).stats().unasked, 0u);
}

TEST(NodeTest, ListsAreTheLeadersAndLinearizable) {
  TestCluster cluster;
  StartThree(cluster);
  const Answer held = cluster.Ask(2, Try("a"));
  const Answer listed = cluster.Ask(3, ListLocksRequest());
  ASSERT_EQ(listed.outcome, Outcome::kOk);
  ASSERT_EQ(listed.locks.size(), 1u);
  EXPECT_EQ(listed.locks[0].token, held.token);
  EXPECT_EQ(listed.locks[0].holder_name, "n2");
  const Answer members = cluster.Ask(3, ListMembersRequest());
  ASSERT_EQ(members.outcome, Outcome::kOk);
  EXPECT_EQ(members.members.size(), 3u);
}

TEST(NodeTest, RequestsThatBreakALimitAreRefusedWithAReason) {
  TestCluster cluster;
  StartThree(cluster);
  EXPECT_EQ(cluster.Ask(1, Try("")).outcome, Outcome::kInvalid);
  const Answer long_key = cluster.Ask(1, Try(std::string(1025, 'k')));
  EXPECT_EQ(long_key.outcome, Outcome::kInvalid);
  EXPECT_NE(long_key.text.find("1024"), std::string::npos);
  EXPECT_EQ(cluster.Ask(1, Try(std::string(1024, 'k'))).outcome, Outcome::kOk);
  EXPECT_EQ(cluster.Ask(1, Try("a", absl::Milliseconds(99))).outcome,
            Outcome::kInvalid);
  EXPECT_EQ(cluster.Ask(1, Try("a", absl::Hours(25))).outcome,
            Outcome::kInvalid);
  const Answer renew =
      cluster.Ask(1, RenewRequest{.key = "a", .ttl = absl::Seconds(1)});
  EXPECT_EQ(renew.outcome, Outcome::kNotHeld);
  EXPECT_EQ(cluster.Ask(1, ReleaseRequest{.key = "a"}).outcome,
            Outcome::kNotHeld);
}

TEST(NodeTest, GarbageIsCountedAndDropped) {
  TestCluster cluster;
  StartThree(cluster);
  cluster.Deliver(1, DatagramReceived{.bytes = "garbage"});
  cluster.Deliver(1, FrameReceived{.bytes = std::string(100, '\0')});
  EXPECT_EQ(cluster.node(1).stats().undecodable, 2u);
  EXPECT_EQ(cluster.Ask(1, Try("a")).outcome, Outcome::kOk);
}

TEST(NodeTest, ACopyGoesOnByItself) {
  TestCluster cluster;
  StartThree(cluster);
  const Node copy = cluster.node(1);
  EXPECT_EQ(copy.Fingerprint(), cluster.node(1).Fingerprint());
  cluster.Ask(1, Try("a"));
  EXPECT_NE(copy.Fingerprint(), cluster.node(1).Fingerprint());
}

}  // namespace
}  // namespace cachalot
