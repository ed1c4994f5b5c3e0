#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "engine/consensus/consensus.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/outbox.h"
#include "engine/saved_state.h"
#include "engine/wire/message.h"
#include "gtest/gtest.h"
#include "tests/engine/consensus/lone_consensus.h"
#include "tests/engine/consensus/parts.h"

// Learners, and how voters are changed: through a joint configuration, one
// change at a time (dissertation, 4.3). Node 1 is the one that is tested.

namespace cachalot {
namespace {

constexpr absl::Duration kHeartbeat = absl::Milliseconds(50);

void Change(LoneConsensus& lone, const std::vector<uint64_t>& voters) {
  lone.machine().ChangeVoters(lone.now(), VotersOf(voters));
  lone.SaveAll();
}

// How many of its entries set a configuration.
size_t ConfigurationsIn(const LoneConsensus& lone) {
  size_t count = 0;
  for (const std::string& payload : lone.Payloads()) count += payload.empty();
  return count;
}

// --- Learners ---------------------------------------------------------------

TEST(LearnerTest, ReceivesWhatVotersReceive) {
  LoneConsensus lone = LeaderOfThree();
  EXPECT_FALSE(lone.machine().AddressOf(IdOf(4)).has_value());
  lone.machine().SetLearners(lone.now(), VotersOf({4}));
  EXPECT_EQ(lone.machine().AddressOf(IdOf(4)), VoterOf(4).address);
  EXPECT_TRUE(lone.machine().NeedsFlush());
  lone.Flush();
  ASSERT_TRUE(lone.Take<Append>(4).has_value());
  lone.Acknowledge(4, LogIndex(2));
  lone.Propose("x");
  lone.Flush();
  EXPECT_EQ(lone.Take<Append>(4)->entries.size(), 1u);

  lone.machine().SetLearners(lone.now(), {});
  lone.Ignore();
  lone.Propose("y");
  lone.Flush();
  EXPECT_FALSE(lone.Take<Append>(4).has_value()) << "no longer";
}

TEST(LearnerTest, IsCloseWhileItLacksLittle) {
  LoneConsensus lone = LeaderOfThree();
  lone.machine().SetLearners(lone.now(), VotersOf({4}));
  lone.Flush();
  EXPECT_EQ(lone.machine().CloseSince(IdOf(4)), SlowInstant::Never());
  lone.Acknowledge(4, LogIndex(2));
  const SlowInstant close = lone.now();
  EXPECT_EQ(lone.machine().CloseSince(IdOf(4)), close);
  lone.Pass(absl::Milliseconds(10));
  lone.Acknowledge(4, LogIndex(2));
  EXPECT_EQ(lone.machine().CloseSince(IdOf(4)), close);
  EXPECT_EQ(lone.machine().LastAnswer(IdOf(4)), lone.now());
  for (int i = 0; i < 200; ++i) lone.Propose("x");
  lone.Acknowledge(4, LogIndex(2));
  EXPECT_EQ(lone.machine().CloseSince(IdOf(4)), SlowInstant::Never());
}

// --- When a change may begin (rules 3 and 4) --------------------------------

TEST(ChangeTest, WaitsForACommitInTheTerm) {
  LoneConsensus lone;
  lone.Lead({1, 2, 3});
  EXPECT_FALSE(lone.machine().CanChangeVoters());
  lone.Acknowledge(2, LogIndex(1));
  EXPECT_FALSE(lone.machine().CanChangeVoters()) << "not the opening entry";
  lone.Acknowledge(2, LogIndex(2));
  EXPECT_TRUE(lone.machine().CanChangeVoters());

  LoneConsensus follower;
  follower.Restore(1, Voting({1, 2, 3}), {});
  EXPECT_FALSE(follower.machine().CanChangeVoters());
}

TEST(ChangeDeathTest, OneAtATime) {
  LoneConsensus lone = LeaderOfThree();
  Change(lone, {1, 2, 4});
  EXPECT_FALSE(lone.machine().CanChangeVoters());
  EXPECT_DEATH(lone.machine().ChangeVoters(lone.now(), VotersOf({1, 2, 5})),
               "CanChangeVoters");
  lone.AcknowledgeAll({2, 3, 4});
  EXPECT_FALSE(lone.machine().CanChangeVoters()) << "its second half is out";
  lone.SaveAll();
  lone.AcknowledgeAll({2, 4});
  EXPECT_TRUE(lone.machine().CanChangeVoters());
}

// --- Its course -------------------------------------------------------------

TEST(ChangeTest, CountsFromTheMomentItIsAppended) {
  LoneConsensus lone = LeaderOfThree();
  Change(lone, {1, 4, 5});
  EXPECT_EQ(lone.machine().configuration(), Joint({1, 4, 5}, {1, 2, 3}));
  for (const uint64_t node : std::vector<uint64_t>{2, 3, 4, 5}) {
    EXPECT_TRUE(lone.machine().IsVoter(IdOf(node)));
    EXPECT_TRUE(lone.Take<Append>(node).has_value()) << node;
  }
}

TEST(ChangeTest, CommitsWithMajoritiesOfBothLists) {
  for (const std::vector<uint64_t>& late :
       {std::vector<uint64_t>{2}, std::vector<uint64_t>{3}}) {
    LoneConsensus lone = LeaderOfThree();
    Change(lone, {1, 4, 5});
    const LogIndex joint = lone.machine().last_index();
    lone.AcknowledgeAll({4, 5});
    EXPECT_LT(lone.machine().commit(), joint) << "a majority of the new alone";
    lone.AcknowledgeAll(late);
    EXPECT_EQ(lone.machine().commit(), joint);
  }
  LoneConsensus lone = LeaderOfThree();
  Change(lone, {1, 4, 5});
  lone.AcknowledgeAll({2, 3});
  EXPECT_LT(lone.machine().commit(), lone.machine().last_index())
      << "a majority of the old alone";
}

TEST(ChangeTest, EntersTheNewConfigurationWhenTheJointOneIsCommitted) {
  LoneConsensus lone = LeaderOfThree();
  Change(lone, {1, 2, 4});
  lone.AcknowledgeAll({2});
  EXPECT_EQ(lone.machine().configuration(), Voting({1, 2, 4}));
  EXPECT_FALSE(lone.machine().configuration_settled());
  EXPECT_EQ(ConfigurationsIn(lone), 3u);
  lone.SaveAll();
  lone.AcknowledgeAll({4});
  EXPECT_TRUE(lone.machine().configuration_settled());
  EXPECT_EQ(ConfigurationsIn(lone), 3u) << "once";
}

// Rule 16 (etcd #12582): whoever inherits a joint configuration finishes it,
// after a commit of its own, once.
TEST(ChangeTest, ANewLeaderFinishesWhatItInherits) {
  LoneConsensus lone;
  lone.Restore(2, Voting({1, 2, 3}),
               {ConfigurationEntry(1, Voting({1, 2, 3})), CommandEntry(1, "a"),
                ConfigurationEntry(2, Joint({1, 2, 4}, {1, 2, 3}))});
  lone.WinElection({2});
  ASSERT_TRUE(lone.machine().leads());
  lone.Acknowledge(2, LogIndex(3));
  EXPECT_TRUE(lone.machine().configuration().IsJoint()) << "not of this term";
  lone.Acknowledge(2, LogIndex(4));
  EXPECT_EQ(lone.machine().configuration(), Voting({1, 2, 4}));
  EXPECT_EQ(lone.machine().last_index(), LogIndex(5));
  lone.SaveAll();
  lone.AcknowledgeAll({2, 4});
  lone.Propose("x");
  lone.SaveAll();
  lone.AcknowledgeAll({2, 4});
  EXPECT_EQ(ConfigurationsIn(lone), 3u);
  EXPECT_TRUE(lone.machine().CanChangeVoters());
}

// It saw the joint configuration committed while it followed; its leader died
// before it could go on.
TEST(ChangeTest, ANewLeaderFinishesWhatItSawCommitted) {
  LoneConsensus lone;
  lone.Restore(2, Voting({1, 2, 3}),
               {ConfigurationEntry(2, Joint({1, 2, 4}, {1, 2, 3}))});
  lone.Receive(3, Append{.term = Term(2),
                         .previous_index = LogIndex(1),
                         .previous_term = Term(2),
                         .commit = LogIndex(1)});
  ASSERT_EQ(lone.machine().commit(), LogIndex(1));
  lone.WinElection({2});
  EXPECT_TRUE(lone.machine().configuration().IsJoint());
  lone.AcknowledgeAll({2});
  EXPECT_EQ(lone.machine().configuration(), Voting({1, 2, 4}));
}

// The same with both in the log that it inherits: nothing is left to do.
TEST(ChangeTest, ANewLeaderDoesNotFinishWhatIsFinished) {
  LoneConsensus lone;
  lone.Restore(2, Voting({1, 2, 3}),
               {ConfigurationEntry(2, Joint({1, 2, 4}, {1, 2, 3})),
                ConfigurationEntry(2, Voting({1, 2, 4}))});
  lone.WinElection({2});
  lone.AcknowledgeAll({2});
  EXPECT_EQ(ConfigurationsIn(lone), 2u);
  EXPECT_TRUE(lone.machine().CanChangeVoters());
}

// Rule 4.
TEST(ChangeTest, GoesBackWithItsEntry) {
  LoneConsensus lone;
  lone.Restore(1, Voting({1, 2, 3}), {CommandEntry(1, "a")});
  lone.Receive(
      2,
      Append{.term = Term(1),
             .previous_index = LogIndex(1),
             .previous_term = Term(1),
             .entries = {ConfigurationEntry(1, Joint({1, 2, 4}, {1, 2, 3}))}});
  EXPECT_TRUE(lone.machine().configuration().IsJoint());
  lone.Receive(3, Append{.term = Term(2),
                         .previous_index = LogIndex(1),
                         .previous_term = Term(1),
                         .entries = {CommandEntry(2, "x")}});
  EXPECT_EQ(lone.machine().configuration(), Voting({1, 2, 3}));
}

TEST(ChangeTest, IsRememberedOverARestart) {
  LoneConsensus lone = LeaderOfThree();
  Change(lone, {1, 2, 4});
  lone.CrashAndRestore();
  EXPECT_EQ(lone.machine().configuration(), Joint({1, 2, 4}, {1, 2, 3}));
}

TEST(ChangeTest, APromotedLearnerGoesOnFromWhereItWas) {
  LoneConsensus lone = LeaderOfThree();
  lone.machine().SetLearners(lone.now(), VotersOf({4, 5}));
  lone.Flush();
  lone.AcknowledgeAll({4, 5});
  lone.Ignore();
  Change(lone, {1, 2, 3, 4, 5});
  const std::optional<Append> append = lone.Take<Append>(4);
  ASSERT_TRUE(append.has_value());
  EXPECT_EQ(append->entries.size(), 1u) << "no probe first";
}

// An answer to what was sent long ago may have waited in a stream, with its
// sender cut off ever since.
TEST(LearnerTest, IsNotThoughtToHearUsForAnAnswerThatWasLongOnItsWay) {
  LoneConsensus lone;
  lone.Lead({1});
  lone.machine().SetLearners(lone.now(), VotersOf({4}));
  lone.Flush();
  lone.AcknowledgeAll({4});
  const SlowInstant heard = lone.now();
  ASSERT_EQ(lone.machine().CloseSince(IdOf(4)), heard);
  lone.Pass(kHeartbeat);
  const uint64_t round = lone.Take<Append>(4)->read_round;
  for (int i = 0; i < 100; ++i) lone.Pass(kHeartbeat);
  lone.Acknowledge(4, lone.machine().last_index(), round);
  EXPECT_EQ(lone.machine().LastAnswer(IdOf(4)), heard);
  // When it answers again, it has to keep up anew.
  lone.AcknowledgeAll({4});
  EXPECT_EQ(lone.machine().LastAnswer(IdOf(4)), lone.now());
  EXPECT_EQ(lone.machine().CloseSince(IdOf(4)), lone.now());
}

// --- Removals (rule 18) -----------------------------------------------------

// Or it would take itself for a voter, stand again and again, and wait in vain
// for permission to leave.
TEST(ChangeTest, TellsARemovedVoterThatItIsOne) {
  LoneConsensus lone = LeaderOfThree();
  Change(lone, {1, 2, 4});
  lone.AcknowledgeAll({3});
  lone.Ignore();
  lone.AcknowledgeAll({2});
  lone.SaveAll();
  ASSERT_EQ(lone.machine().configuration(), Voting({1, 2, 4}));
  const std::optional<Append> last = lone.Take<Append>(3);
  ASSERT_TRUE(last.has_value());
  ASSERT_EQ(last->entries.size(), 1u);
  EXPECT_EQ(last->entries[0].kind, EntryKind::kConfiguration);

  // Once the change is committed it hears of that, and of nothing more.
  lone.AcknowledgeAll({2});
  EXPECT_EQ(lone.Take<Append>(3)->commit, lone.machine().last_index());
  lone.Ignore();
  lone.Propose("x");
  lone.SaveAll();
  lone.Pass(kHeartbeat);
  EXPECT_FALSE(lone.Take<Append>(3).has_value());
}

TEST(ChangeTest, ARemovedVoterDoesNotCount) {
  LoneConsensus lone = LeaderOfThree();
  Change(lone, {1, 2, 4});
  lone.AcknowledgeAll({2});
  lone.SaveAll();
  const LogIndex before = lone.machine().commit();
  lone.AcknowledgeAll({3});
  EXPECT_EQ(lone.machine().commit(), before);
}

TEST(ChangeTest, ARemovedLeaderCommitsItsRemovalAndHandsOver) {
  LoneConsensus lone = LeaderOfThree();
  Change(lone, {2, 3, 4});
  lone.AcknowledgeAll({2, 3});
  lone.SaveAll();
  ASSERT_EQ(lone.machine().configuration(), Voting({2, 3, 4}));
  EXPECT_TRUE(lone.machine().leads()) << "until that is committed";
  lone.AcknowledgeAll({3});
  EXPECT_TRUE(lone.machine().leads()) << "its own log does not count";
  lone.Ignore();
  lone.AcknowledgeAll({4});
  EXPECT_EQ(lone.machine().role(), Consensus::Role::kFollower);
  const bool to_one_that_has_it = lone.Take<TimeoutNow>(3).has_value() ||
                                  lone.Take<TimeoutNow>(4).has_value();
  EXPECT_TRUE(to_one_that_has_it);
  EXPECT_FALSE(lone.Take<TimeoutNow>(2).has_value());
  lone.Pass(absl::Minutes(1));
  EXPECT_EQ(lone.machine().role(), Consensus::Role::kFollower) << "for good";
}

// It wins with the votes of those who do not have the change yet, commits the
// change that removes it, and goes.
TEST(ChangeTest, ANewLeaderThatWasRemovedFinishesAndHandsOver) {
  LoneConsensus lone;
  lone.Restore(2, Voting({1, 2, 3}),
               {ConfigurationEntry(2, Joint({2, 3, 4}, {1, 2, 3}))});
  lone.WinElection({2, 3});
  lone.AcknowledgeAll({2, 3});
  lone.SaveAll();
  ASSERT_EQ(lone.machine().configuration(), Voting({2, 3, 4}));
  lone.AcknowledgeAll({2, 3});
  EXPECT_FALSE(lone.machine().leads());
}

// --- Leaving ----------------------------------------------------------------

LeaveIntent AskedAt(SlowInstant at) {
  return {.asked_at = static_cast<uint64_t>(at.nanoseconds())};
}

TEST(LeaveTest, AVoterMayGoWhenThoseWhoStayHaveCommittedItsRemoval) {
  LoneConsensus lone = LeaderOfThree();
  const LeaveIntent intent = AskedAt(lone.now());
  lone.Receive(3, intent);
  EXPECT_TRUE(lone.machine().IsLeaving(IdOf(3)));
  Change(lone, {1, 2, 4});
  lone.AcknowledgeAll({2});
  lone.SaveAll();
  ASSERT_EQ(lone.machine().configuration(), Voting({1, 2, 4}));
  lone.Receive(3, intent);
  EXPECT_FALSE(lone.Take<LeaveReply>(3).has_value()) << "only appended so far";
  lone.AcknowledgeAll({4});
  const std::optional<LeaveReply> reply = lone.Take<LeaveReply>(3);
  ASSERT_TRUE(reply.has_value()) << "at once, without being asked again";
  EXPECT_EQ(reply->term, lone.machine().term());
  EXPECT_EQ(reply->asked_at, intent.asked_at);
  lone.Receive(3, intent);
  EXPECT_TRUE(lone.Take<LeaveReply>(3).has_value()) << "the first may be lost";
  EXPECT_TRUE(lone.machine().IsLeaving(IdOf(3))) << "nor made a voter again";
}

TEST(LeaveTest, ALearnerMayGoAtOnceUnlessItIsBeingMadeAVoter) {
  LoneConsensus lone = LeaderOfThree();
  lone.Receive(4, AskedAt(lone.now()));
  EXPECT_TRUE(lone.Take<LeaveReply>(4).has_value());
  Change(lone, {1, 2, 4});
  lone.Receive(4, AskedAt(lone.now()));
  EXPECT_FALSE(lone.Take<LeaveReply>(4).has_value());
}

TEST(LeaveTest, NobodyMayGoBeforeTheTermHasCommitted) {
  LoneConsensus lone;
  lone.Lead({1, 2, 3});
  lone.Receive(4, AskedAt(lone.now()));
  EXPECT_FALSE(lone.Take<LeaveReply>(4).has_value())
      << "an earlier leader may have begun to make it a voter";
  lone.AcknowledgeAll({2});
  lone.Receive(4, AskedAt(lone.now()));
  EXPECT_TRUE(lone.Take<LeaveReply>(4).has_value());
}

TEST(LeaveTest, IsForgottenWithTheTermAndAfterALongSilence) {
  LoneConsensus lone = LeaderOfThree();
  lone.Receive(2, AskedAt(lone.now()));
  lone.machine().ForgetSilentLeavers(lone.now() + absl::Seconds(3));
  EXPECT_TRUE(lone.machine().IsLeaving(IdOf(2)));
  lone.machine().ForgetSilentLeavers(lone.now() + absl::Seconds(5));
  EXPECT_FALSE(lone.machine().IsLeaving(IdOf(2)));

  lone.Receive(2, AskedAt(lone.now()));
  lone.Receive(2, AppendReply{.term = Term(9)});
  EXPECT_FALSE(lone.machine().IsLeaving(IdOf(2))) << "it asks the next leader";
  lone.Receive(2, AskedAt(lone.now()));
  EXPECT_FALSE(lone.machine().IsLeaving(IdOf(2)));
}

TEST(LeaveTest, AFollowerMayGoWithThePermissionOfItsLeader) {
  LoneConsensus lone;
  lone.Restore(5, Voting({2, 3, 4}), {});
  const auto permit = [&lone](uint64_t term, absl::Duration ago) {
    lone.Receive(2, LeaveReply{.term = Term(term),
                               .asked_at = AskedAt(lone.now() - ago).asked_at});
    return lone.machine().MayGo();
  };
  EXPECT_FALSE(lone.machine().MayGo());
  EXPECT_FALSE(permit(4, absl::ZeroDuration())) << "of a former leader";
  EXPECT_FALSE(permit(5, absl::Seconds(3))) << "it may have forgotten us";
  EXPECT_FALSE(permit(5, -absl::Seconds(1))) << "never asked";
  EXPECT_TRUE(permit(5, absl::Seconds(1)));
  // A later leader may make it a voter: it has to be asked.
  lone.Receive(3, Append{.term = Term(6)});
  EXPECT_FALSE(lone.machine().MayGo());
  EXPECT_TRUE(permit(7, absl::ZeroDuration())) << "of a leader not heard yet";
}

TEST(LeaveTest, ALeaderMayGoWhenItHasHandedOver) {
  LoneConsensus lone = LeaderOfThree();
  lone.Receive(1, AskedAt(lone.now()));
  Change(lone, {2, 3, 4});
  lone.AcknowledgeAll({2, 3});
  lone.SaveAll();
  EXPECT_FALSE(lone.machine().MayGo());
  lone.AcknowledgeAll({3, 4});
  EXPECT_TRUE(lone.machine().MayGo());
  EXPECT_FALSE(lone.Take<LeaveReply>(1).has_value()) << "it needs no letter";
}

TEST(LeaveTest, WhenAllLeaveAllAreLetGo) {
  LoneConsensus lone = LeaderOfThree();
  lone.Receive(1, AskedAt(lone.now()));
  lone.Receive(2, AskedAt(lone.now()));
  lone.Receive(3, AskedAt(lone.now()));
  Outbox out;
  lone.machine().LetAllGo(out);
  std::vector<NodeId> told;
  for (const Outgoing& outgoing : out.sends) told.push_back(outgoing.to);
  EXPECT_EQ(told, std::vector<NodeId>({IdOf(2), IdOf(3)}));
}

}  // namespace
}  // namespace cachalot
