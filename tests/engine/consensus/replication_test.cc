#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "engine/cluster_time.h"
#include "engine/consensus/consensus.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/limits.h"
#include "engine/saved_state.h"
#include "engine/wire/message.h"
#include "gtest/gtest.h"
#include "tests/engine/consensus/lone_consensus.h"
#include "tests/engine/consensus/parts.h"

// How entries reach a follower, when they count as committed, and what time
// they carry. Node 1 is the one that is tested. Rules are those of
// engine/consensus/README.md.

namespace cachalot {
namespace {

using Strings = std::vector<std::string>;

constexpr absl::Duration kHeartbeat = absl::Milliseconds(50);

// One entry of each term given; payloads are "a", "b", ...
std::vector<Entry> EntriesOf(const std::vector<uint64_t>& terms) {
  std::vector<Entry> entries;
  for (const uint64_t term : terms) {
    const char letter = static_cast<char>('a' + entries.size());
    entries.push_back(CommandEntry(term, std::string(1, letter)));
  }
  return entries;
}

LoneConsensus Follower(uint64_t term, const std::vector<uint64_t>& log) {
  LoneConsensus lone;
  lone.Restore(term, Voting({1, 2, 3}), EntriesOf(log));
  return lone;
}

Append AppendAfter(uint64_t term, uint64_t previous_index,
                   uint64_t previous_term, std::vector<Entry> entries = {},
                   uint64_t commit = 0) {
  return {.term = Term(term),
          .previous_index = LogIndex(previous_index),
          .previous_term = Term(previous_term),
          .commit = LogIndex(commit),
          .entries = std::move(entries)};
}

AppendReply Rejection(uint64_t term, uint64_t rejected, uint64_t index,
                      uint64_t hint_term) {
  return {.term = Term(term),
          .index = LogIndex(index),
          .hint_term = Term(hint_term),
          .rejected = LogIndex(rejected)};
}

// Of the last append to `to`: what it would prove if it was accepted.
LogIndex LastProven(LoneConsensus& lone, uint64_t to) {
  LogIndex proven;
  while (const std::optional<Append> append = lone.Take<Append>(to)) {
    proven = LogIndex(append->previous_index.value() + append->entries.size());
  }
  return proven;
}

// --- Followers --------------------------------------------------------------

TEST(FollowerTest, TakesEntriesThatGoOnFromItsOwn) {
  LoneConsensus lone = Follower(1, {1});
  lone.Receive(2, AppendAfter(2, 1, 1, {CommandEntry(2, "x")}));
  lone.SaveAll();
  EXPECT_EQ(lone.Payloads(), Strings({"a", "x"}));
  EXPECT_EQ(
      lone.Take<AppendReply>(2),
      (AppendReply{.term = Term(2), .accepted = true, .index = LogIndex(2)}));
  EXPECT_EQ(lone.machine().leader(), IdOf(2));
}

// Rule 11.
TEST(FollowerTest, AcceptsWhenItIsSavedAndRefusesAtOnce) {
  LoneConsensus lone = Follower(1, {1});
  lone.Receive(2, AppendAfter(1, 1, 1, {CommandEntry(1, "x")}));
  lone.Flush();
  EXPECT_FALSE(lone.Take<AppendReply>(2).has_value());
  // The same again, while it is on its way to the disk.
  lone.Receive(2, AppendAfter(1, 1, 1, {CommandEntry(1, "x")}));
  EXPECT_FALSE(lone.Take<AppendReply>(2).has_value());
  lone.Receive(2, AppendAfter(1, 7, 1));
  EXPECT_EQ(lone.Take<AppendReply>(2), Rejection(1, 7, 2, 1));
  lone.SaveNext();
  EXPECT_EQ(lone.disk().entries.size(), 2u);
  EXPECT_TRUE(lone.Take<AppendReply>(2)->accepted);
  EXPECT_TRUE(lone.Take<AppendReply>(2)->accepted);
}

TEST(FollowerTest, DropsWhatContradictsItsLeader) {
  LoneConsensus lone = Follower(2, {1, 2, 2, 2});
  lone.Receive(
      2, AppendAfter(3, 1, 1, {CommandEntry(2, "b"), CommandEntry(3, "x")}));
  lone.SaveAll();
  EXPECT_EQ(lone.Payloads(), Strings({"a", "b", "x"}));
  EXPECT_EQ(lone.Take<AppendReply>(2)->index, LogIndex(3));
  EXPECT_EQ(lone.disk().entries.size(), 3u);
}

// Appends may overtake each other: an older and shorter one is no reason to
// forget what a later one has brought.
TEST(FollowerTest, KeepsWhatAnOlderAppendDoesNotMention) {
  LoneConsensus lone = Follower(1, {1, 1, 1});
  lone.Receive(2, AppendAfter(1, 0, 0, {CommandEntry(1, "a")}));
  lone.SaveAll();
  EXPECT_EQ(lone.Payloads(), Strings({"a", "b", "c"}));
  EXPECT_EQ(lone.Take<AppendReply>(2)->index, LogIndex(1)) << "and no more";
}

// Rule 7 (Scylla #9965): what follows may be of another leader.
TEST(FollowerTest, CommitsNoFurtherThanTheAppendProves) {
  LoneConsensus lone = Follower(1, {1, 1, 1});
  lone.Receive(2, AppendAfter(2, 1, 1, {}, /*commit=*/3));
  EXPECT_EQ(lone.machine().commit(), LogIndex(1));
  lone.Receive(2, AppendAfter(2, 1, 1, {CommandEntry(1, "b")}, /*commit=*/9));
  EXPECT_EQ(lone.machine().commit(), LogIndex(2));
  lone.Receive(2, AppendAfter(2, 2, 1, {CommandEntry(2, "x")}, /*commit=*/2));
  EXPECT_EQ(lone.machine().commit(), LogIndex(2));
  EXPECT_EQ(lone.Payloads(), Strings({"a", "b", "x"}));
  lone.Receive(2, AppendAfter(2, 3, 2, {}, /*commit=*/1));
  EXPECT_EQ(lone.machine().commit(), LogIndex(2)) << "never back";
}

// Rule 13: index and term of the last own entry that may agree.
TEST(FollowerTest, RefusesWithAHint) {
  struct Case {
    uint64_t previous_index, previous_term, index, hint_term;
  };
  // The own log: terms 1 1 4 4 6.
  for (const Case& c : std::vector<Case>{{9, 6, 5, 6},
                                         {5, 5, 4, 4},
                                         {5, 3, 2, 1},
                                         {4, 2, 2, 1},
                                         {2, 3, 2, 1},
                                         {7, 4, 4, 4}}) {
    LoneConsensus lone = Follower(6, {1, 1, 4, 4, 6});
    lone.Receive(2, AppendAfter(7, c.previous_index, c.previous_term));
    EXPECT_EQ(lone.Take<AppendReply>(2),
              Rejection(7, c.previous_index, c.index, c.hint_term));
    EXPECT_EQ(lone.machine().last_index(), LogIndex(5)) << "nothing dropped";
  }
}

TEST(FollowerTest, WhatIsCompactedAgreesWithEveryLeader) {
  LoneConsensus lone = Follower(1, {});
  std::vector<Entry> entries = EntriesOf(std::vector<uint64_t>(20, 1));
  lone.Receive(2, AppendAfter(1, 0, 0, entries, /*commit=*/20));
  lone.Apply();
  lone.machine().StoreSnapshot(lone.now(), "table");
  lone.SaveAll();
  lone.Ignore();
  ASSERT_EQ(lone.machine().first_index(), LogIndex(17));

  lone.Receive(2, AppendAfter(1, 3, 1, {entries[3], entries[4]}));
  EXPECT_EQ(lone.Take<AppendReply>(2)->index, LogIndex(16));
  std::vector<Entry> across(entries.begin() + 3, entries.end());
  across.push_back(CommandEntry(1, "new"));
  lone.Receive(2, AppendAfter(1, 3, 1, across));
  lone.SaveAll();
  EXPECT_EQ(lone.Take<AppendReply>(2)->index, LogIndex(21));
  EXPECT_EQ(lone.machine().last_index(), LogIndex(21));
}

TEST(FollowerTest, CountsAndDropsWhatNoLeaderSends) {
  Entry late = CommandEntry(2, "x", 5);
  Entry configuration{.term = Term(2), .kind = EntryKind::kConfiguration};
  const std::vector<std::vector<Entry>> bad = {
      {CommandEntry(1, "x"), CommandEntry(0, "y")},       // its term falls
      {CommandEntry(9, "x")},                             // not yet
      {late, CommandEntry(2, "y", 4)},                    // its time falls
      {CommandEntry(2, "x"), std::move(configuration)}};  // does not decode
  for (const std::vector<Entry>& entries : bad) {
    LoneConsensus lone = Follower(1, {1});
    lone.Receive(2, AppendAfter(2, 1, 1, entries, /*commit=*/3));
    EXPECT_EQ(lone.machine().counters().malformed, 1u);
    EXPECT_EQ(lone.Payloads(), Strings({"a"}));
    EXPECT_EQ(lone.machine().commit(), LogIndex());
  }
}

TEST(FollowerTest, NeverDropsWhatIsCommitted) {
  LoneConsensus lone = Follower(1, {1, 1});
  lone.Receive(2, AppendAfter(1, 2, 1, {}, /*commit=*/2));
  lone.Receive(3, AppendAfter(2, 1, 1, {CommandEntry(2, "x")}));
  EXPECT_EQ(lone.machine().counters().malformed, 1u);
  EXPECT_EQ(lone.Payloads(), Strings({"a", "b"}));
}

// Rule 12: the save that ends late was of entries that are no more. The
// invariants, checked at every step, are what would break.
TEST(FollowerTest, ALateSaveDoesNotVouchForWhatReplacedItsEntries) {
  LoneConsensus lone = Follower(1, {1});
  lone.Receive(2, AppendAfter(1, 1, 1, EntriesOf({1, 1, 1, 1})));
  lone.Flush();
  lone.Receive(3, AppendAfter(2, 1, 1, {CommandEntry(2, "x")}));
  lone.Flush();
  ASSERT_EQ(lone.saves_in_flight(), 2u);
  lone.SaveNext();
  lone.machine().CheckInvariants();
  lone.SaveNext();
  EXPECT_EQ(lone.disk().entries.size(), 2u);
  EXPECT_EQ(lone.disk().entries.back().payload.view(), "x");
}

TEST(FollowerTest, ComesBackWithWhatWasSaved) {
  LoneConsensus lone = Follower(1, {1});
  lone.Receive(2, AppendAfter(3, 1, 1, {CommandEntry(3, "x")}));
  lone.SaveAll();
  lone.Receive(2, AppendAfter(3, 2, 3, {CommandEntry(3, "lost")}));
  lone.Flush();
  lone.CrashAndRestore();
  EXPECT_EQ(lone.Payloads(), Strings({"a", "x"}));
  EXPECT_EQ(lone.machine().term(), Term(3));
  EXPECT_EQ(lone.machine().configuration(), Voting({1, 2, 3}));
  EXPECT_EQ(lone.machine().commit(), LogIndex()) << "to be learnt again";
}

// --- Leaders: sending -------------------------------------------------------

TEST(LeaderTest, OpensItsTermWithAnEntry) {
  LoneConsensus lone;
  lone.Lead({1, 2, 3});
  EXPECT_EQ(lone.Payloads(), Strings({"", "opening"}))
      << "the first of all writes down who founded the cluster";
  EXPECT_EQ(lone.machine().log().configuration_index(), LogIndex(1));

  LoneConsensus later = Follower(5, {1, 4});
  later.Receive(
      2, AppendAfter(5, 2, 4, {ConfigurationEntry(5, Voting({1, 2, 3}))}));
  later.SaveAll();
  later.WinElection({3});
  EXPECT_EQ(later.Payloads(), Strings({"a", "b", "", "opening"}));
}

TEST(LeaderTest, LooksForAgreementWithOneAppendAtATime) {
  LoneConsensus lone;
  lone.Lead({1, 2, 3});
  const std::optional<Append> probe = lone.Take<Append>(2);
  ASSERT_TRUE(probe.has_value());
  EXPECT_EQ(probe->previous_index, LogIndex());
  EXPECT_TRUE(probe->entries.empty());
  lone.Propose("x");
  lone.Flush();
  EXPECT_FALSE(lone.Take<Append>(2).has_value());
  // The next goes out with the heartbeat, should it have been lost.
  lone.Pass(kHeartbeat);
  EXPECT_TRUE(lone.Take<Append>(2).has_value());
  lone.Acknowledge(2, LogIndex());
  lone.Flush();
  EXPECT_EQ(lone.Take<Append>(2)->entries.size(), 3u);
}

TEST(LeaderTest, SendsATurnAsOneAppendAndOneSave) {
  LoneConsensus lone = LeaderOfThree();
  for (const char* payload : {"x", "y", "z"}) lone.Propose(payload);
  EXPECT_EQ(lone.sent_count(), 0u);
  lone.Flush();
  EXPECT_EQ(lone.saves_in_flight(), 1u);
  EXPECT_EQ(lone.sent_count(), 2u);
  EXPECT_EQ(lone.Take<Append>(2)->entries.size(), 3u);
}

// Rule 11: an append promises nothing.
TEST(LeaderTest, AppendsOvertakeItsOwnDisk) {
  LoneConsensus lone = LeaderOfThree();
  lone.Propose("x");
  lone.Flush();
  EXPECT_EQ(lone.saves_in_flight(), 1u);
  EXPECT_TRUE(lone.Take<Append>(2).has_value());
}

TEST(LeaderTest, SendsAheadOfTheAnswersAsFarAsTheWindow) {
  LoneConsensus lone = LeaderOfThree();
  for (int i = 0; i < 6; ++i) {
    lone.Propose("x");
    lone.Flush();
  }
  for (uint64_t i = 0; i < 4; ++i) {
    EXPECT_EQ(lone.Take<Append>(2)->previous_index, LogIndex(2 + i));
  }
  EXPECT_FALSE(lone.Take<Append>(2).has_value());
  lone.Acknowledge(2, LogIndex(4));
  lone.Flush();
  const std::optional<Append> append = lone.Take<Append>(2);
  ASSERT_TRUE(append.has_value());
  EXPECT_EQ(append->previous_index, LogIndex(6));
  EXPECT_EQ(append->entries.size(), 2u) << "what gathered goes out as one";
}

// Rule 14: or a window that was lost would be waited for for ever.
TEST(LeaderTest, AFullWindowDoesNotSilenceTheHeartbeat) {
  LoneConsensus lone = LeaderOfThree();
  for (int i = 0; i < 6; ++i) {
    lone.Propose("x");
    lone.Flush();
  }
  lone.Ignore();  // all lost
  lone.Pass(kHeartbeat);
  const std::optional<Append> heartbeat = lone.Take<Append>(2);
  ASSERT_TRUE(heartbeat.has_value());
  EXPECT_TRUE(heartbeat->entries.empty());
  lone.Receive(2, Rejection(1, heartbeat->previous_index.value(), 2, 1));
  lone.Flush();
  EXPECT_EQ(lone.Take<Append>(2)->entries.size(), 6u);
}

TEST(LeaderTest, HoldsAppendsToTheirLimits) {
  LoneConsensus lone = LeaderOfThree();
  const std::string large(limits::kEntryBytesMax, 'x');
  for (int i = 0; i < 3; ++i) lone.Propose(large);
  lone.Flush();
  EXPECT_EQ(lone.Take<Append>(2)->entries.size(), 2u);
  EXPECT_EQ(lone.Take<Append>(2)->entries.size(), 1u);
  lone.AcknowledgeAll({2, 3});
  lone.Ignore();
  for (size_t i = 0; i < limits::kAppendEntriesMax + 1; ++i) lone.Propose("y");
  lone.Flush();
  EXPECT_EQ(lone.Take<Append>(2)->entries.size(), limits::kAppendEntriesMax);
  EXPECT_EQ(lone.Take<Append>(2)->entries.size(), 1u);
}

TEST(LeaderTest, TakesNoMoreThanItMayLeaveUncommitted) {
  LoneConsensus lone = LeaderOfThree();
  const std::string large(limits::kUncommittedBytesMax / 4, 'x');
  for (int i = 0; i < 5; ++i) lone.Propose(large);
  EXPECT_FALSE(lone.machine().Propose(lone.now(), "one too many"));
  lone.Flush();
  lone.AcknowledgeAll({2, 3});
  EXPECT_TRUE(lone.machine().Propose(lone.now(), "room again"));
}

TEST(LeaderTest, GoesBackByTheHintOfBothSides) {
  struct Case {
    uint64_t index, hint_term, next;
  };
  // The leader's log: terms 1 1 4 4 6 6, and its own entry of term 7.
  for (const Case& c : std::vector<Case>{{3, 1, 3},     // 1 1 1: agree at 2
                                         {2, 1, 3},     // 1 1
                                         {5, 5, 5},     // ... 4 5: agree at 4
                                         {5, 6, 6},     // agree at 5
                                         {6, 6, 6}}) {  // not at 6, it says
    LoneConsensus lone = Follower(6, {1, 1, 4, 4, 6, 6});
    lone.WinElection({2});
    lone.Ignore();
    lone.Receive(3, Rejection(7, 6, c.index, c.hint_term));
    lone.Flush();
    const std::optional<Append> append = lone.Take<Append>(3);
    ASSERT_TRUE(append.has_value());
    EXPECT_EQ(append->previous_index.Next(), LogIndex(c.next));
  }
}

TEST(LeaderTest, IgnoresRefusalsThatAreOvertaken) {
  LoneConsensus lone = LeaderOfThree();
  lone.Propose("x");
  lone.Flush();
  lone.Ignore();
  // It has accepted up to 2 since.
  lone.Receive(2, Rejection(1, 2, 1, 1));
  lone.Flush();
  EXPECT_EQ(lone.sent_count(), 0u);

  // A probe is out at another index than the one refused.
  LoneConsensus probing = Follower(6, {1, 1, 4, 4, 6, 6});
  probing.WinElection({2});
  probing.Ignore();
  probing.Receive(3, Rejection(7, 4, 2, 1));
  probing.Flush();
  EXPECT_EQ(probing.sent_count(), 0u);
  probing.Receive(3, Rejection(7, 6, 4, 4));
  probing.Flush();
  ASSERT_EQ(probing.Take<Append>(3)->previous_index, LogIndex(4));
  probing.Receive(3, Rejection(7, 6, 4, 4));  // doubled by the network
  probing.Flush();
  EXPECT_EQ(probing.sent_count(), 0u);
}

TEST(LeaderTest, LooksAnewWhereABrokenStreamLostItsTail) {
  LoneConsensus lone = LeaderOfThree();
  lone.Propose("x");
  lone.Flush();
  lone.Ignore();  // lost with the stream
  lone.machine().NoteLinkDown(IdOf(2));
  lone.Pass(kHeartbeat);
  EXPECT_EQ(LastProven(lone, 2), LogIndex(2));
  lone.Acknowledge(2, LogIndex(2));
  lone.Flush();
  EXPECT_EQ(LastProven(lone, 2), LogIndex(3));
}

TEST(LeaderTest, TriesALinkThatBrokeWithTheNextHeartbeat) {
  LoneConsensus lone = LeaderOfThree();
  lone.Propose("x");
  for (int i = 0; i < 3; ++i) {
    lone.machine().NoteLinkDown(IdOf(2));
    lone.Flush();
    lone.Ignore();
    lone.machine().NoteLinkDown(IdOf(2));  // nobody listens there
    lone.Flush();
    EXPECT_FALSE(lone.Take<Append>(2).has_value());
    lone.Pass(kHeartbeat);
    EXPECT_TRUE(lone.Take<Append>(2).has_value());
  }
}

TEST(LeaderTest, BelievesNobodyWhoHasMoreThanItSent) {
  LoneConsensus lone = LeaderOfThree();
  lone.Acknowledge(2, LogIndex(99));
  EXPECT_EQ(lone.machine().counters().malformed, 1u);
  EXPECT_EQ(lone.machine().commit(), LogIndex(2));
}

// --- Leaders: committing ----------------------------------------------------

TEST(CommitTest, CountsItsOwnEntryWhenItIsSaved) {
  LoneConsensus lone = LeaderOfThree();
  lone.Propose("x");
  lone.Flush();
  lone.Acknowledge(2, LogIndex(3));
  EXPECT_EQ(lone.machine().commit(), LogIndex(2));
  lone.SaveNext();
  EXPECT_EQ(lone.machine().commit(), LogIndex(3));
}

TEST(CommitTest, DoesNotNeedItsOwnDisk) {
  LoneConsensus lone = LeaderOfThree();
  lone.Propose("x");
  lone.Flush();
  lone.AcknowledgeAll({2, 3});
  EXPECT_EQ(lone.machine().commit(), LogIndex(3));
  lone.Apply();
  EXPECT_EQ(lone.applied(), Strings({"opening", "x"}));
}

TEST(CommitTest, CountsNoLearner) {
  LoneConsensus lone = LeaderOfThree();
  lone.machine().SetLearners(lone.now(), VotersOf({4}));
  lone.Propose("x");
  lone.SaveAll();
  lone.Acknowledge(4, LogIndex(3));
  EXPECT_EQ(lone.machine().commit(), LogIndex(2));
  lone.Acknowledge(9, LogIndex(3));
  EXPECT_EQ(lone.machine().commit(), LogIndex(2)) << "nor strangers";
}

TEST(CommitTest, CountsNoAnswerOfAnotherTerm) {
  LoneConsensus lone = Follower(4, {4});
  lone.WinElection({2});
  lone.Receive(
      2, AppendReply{.term = Term(4), .accepted = true, .index = LogIndex(2)});
  EXPECT_EQ(lone.machine().commit(), LogIndex());
}

// Rule 1 (Raft, figure 8): an entry of term 2 that a majority has may still be
// lost; one of the own term on top of it makes it safe.
TEST(CommitTest, EntriesOfFormerTermsCommitThroughOneOfItsOwn) {
  LoneConsensus lone;
  lone.Restore(3, Voting({1, 2, 3, 4, 5}), EntriesOf({1, 2}));
  lone.WinElection({2, 3});
  ASSERT_EQ(lone.machine().term(), Term(4));
  lone.Acknowledge(2, LogIndex(2));
  lone.Acknowledge(3, LogIndex(2));
  lone.Acknowledge(4, LogIndex(2));
  EXPECT_EQ(lone.machine().commit(), LogIndex());
  lone.Acknowledge(2, LogIndex(3));
  EXPECT_EQ(lone.machine().commit(), LogIndex());
  lone.Acknowledge(3, LogIndex(3));
  EXPECT_EQ(lone.machine().commit(), LogIndex(3));
}

// --- Reads (rule 2; dissertation, 6.4) --------------------------------------

using Reads = std::vector<uint64_t>;

TEST(ReadTest, WaitsForACommitInTheTerm) {
  LoneConsensus lone = Follower(4, {4});
  lone.WinElection({2});
  lone.machine().RequestRead(7);
  lone.Flush();
  lone.Ignore();
  lone.Acknowledge(2, LogIndex(1), /*read_round=*/1);
  lone.Apply();
  EXPECT_EQ(lone.machine().TakeReads(), Reads());
  lone.AcknowledgeAll({2});
  lone.Apply();
  lone.Flush();
  EXPECT_EQ(lone.Take<Append>(2)->read_round, 1u);
  lone.Acknowledge(2, LogIndex(2), /*read_round=*/1);
  EXPECT_EQ(lone.machine().TakeReads(), Reads({7}));
}

TEST(ReadTest, NeedsAQuorumThatHeardOfItsRound) {
  LoneConsensus lone = LeaderOfThree();
  lone.machine().RequestRead(7);
  EXPECT_TRUE(lone.machine().NeedsFlush());
  lone.Flush();
  EXPECT_EQ(lone.Take<Append>(2)->read_round, 1u);
  lone.Acknowledge(2, LogIndex(2), /*read_round=*/0);
  EXPECT_EQ(lone.machine().TakeReads(), Reads()) << "sent before the read came";
  lone.Acknowledge(2, LogIndex(2), /*read_round=*/2);
  EXPECT_EQ(lone.machine().TakeReads(), Reads()) << "never asked";
  lone.machine().RequestRead(8);
  lone.Flush();
  lone.Acknowledge(3, LogIndex(2), /*read_round=*/1);
  EXPECT_EQ(lone.machine().TakeReads(), Reads({7}));
  // A refusal, too, says who leads.
  lone.Receive(2, AppendReply{.term = Term(1), .read_round = 2});
  EXPECT_EQ(lone.machine().TakeReads(), Reads({8}));
}

TEST(ReadTest, CountsNoLearner) {
  LoneConsensus lone = LeaderOfThree();
  lone.machine().SetLearners(lone.now(), VotersOf({4}));
  lone.machine().RequestRead(7);
  lone.Flush();
  lone.Acknowledge(4, LogIndex(2), /*read_round=*/1);
  EXPECT_EQ(lone.machine().TakeReads(), Reads());
}

TEST(ReadTest, NeedsBothMajoritiesOfAJointConfiguration) {
  LoneConsensus lone = LeaderOfThree();
  lone.machine().ChangeVoters(lone.now(), VotersOf({1, 4, 5}));
  lone.machine().RequestRead(7);
  lone.Flush();
  lone.Acknowledge(2, LogIndex(2), 1);
  lone.Acknowledge(3, LogIndex(2), 1);
  EXPECT_EQ(lone.machine().TakeReads(), Reads());
  lone.Acknowledge(4, LogIndex(), 1);
  EXPECT_EQ(lone.machine().TakeReads(), Reads({7}));
}

TEST(ReadTest, SeesWhatWasCommittedWhenItCame) {
  LoneConsensus lone = LeaderOfThree();
  lone.Propose("x");
  lone.SaveAll();
  lone.Acknowledge(2, LogIndex(3));
  lone.machine().RequestRead(7);
  lone.Flush();
  lone.Acknowledge(2, LogIndex(3), 1);
  EXPECT_EQ(lone.machine().TakeReads(), Reads()) << "not applied yet";
  lone.Apply();
  EXPECT_EQ(lone.machine().TakeReads(), Reads({7}));
}

TEST(ReadTest, ALoneVoterReadsAtOnce) {
  LoneConsensus lone;
  lone.Lead({1});
  lone.Apply();
  lone.machine().RequestRead(7);
  lone.Flush();
  EXPECT_EQ(lone.machine().TakeReads(), Reads({7}));
}

TEST(ReadTest, IsLostWithItsLeader) {
  LoneConsensus lone = LeaderOfThree();
  lone.machine().RequestRead(7);
  lone.Flush();
  lone.machine().RequestRead(8);
  lone.Receive(2, AppendReply{.term = Term(9)});
  EXPECT_EQ(lone.machine().TakeReads(), Reads());
  EXPECT_EQ(lone.machine().TakeLostReads(), Reads({8, 7}));
  EXPECT_EQ(lone.machine().TakeLostReads(), Reads()) << "once";
}

// --- Cluster time (engine/client/README.md, lemma 1) ------------------------

ClusterTime After(absl::Duration time) { return ClusterTime() + time; }

TEST(TimeTest, GoesOnAtTheLeadersPace) {
  LoneConsensus lone = LeaderOfThree();
  const ClusterTime start = lone.machine().log().last_time();
  for (int i = 1; i <= 5; ++i) {
    lone.Pass(absl::Milliseconds(7));
    lone.Propose("x");
    EXPECT_EQ(lone.machine().log().last_time(),
              start + i * absl::Milliseconds(7));
  }
}

TEST(TimeTest, ANewLeaderGoesOnFromItsOwnLastEntry) {
  LoneConsensus lone = Follower(1, {1});
  lone.Pass(absl::Milliseconds(100));
  Entry entry = CommandEntry(1, "x");
  entry.time = After(absl::Seconds(30));
  lone.Receive(2, AppendAfter(1, 1, 1, {entry}));
  lone.SaveAll();
  const SlowInstant became_last = lone.now();
  EXPECT_EQ(lone.machine().TimeAt(became_last), After(absl::Seconds(30)));
  lone.WinElection({3});
  EXPECT_EQ(lone.machine().log().last_time(),
            After(absl::Seconds(30)) + (lone.now() - became_last));
}

// Cluster time that is also merged from heartbeats, as hybrid clocks do, broke
// leases in 472 of 1,500 runs of a small model.
TEST(TimeTest, NothingButANewLastEntryMovesIt) {
  LoneConsensus lone = Follower(1, {1});
  Entry entry = CommandEntry(1, "x");
  entry.time = After(absl::Seconds(30));
  const Append append = AppendAfter(1, 1, 1, {entry});
  lone.Receive(2, append);
  const SlowInstant became_last = lone.now();
  for (int i = 0; i < 10; ++i) {
    lone.Pass(absl::Milliseconds(100));
    lone.Receive(2, append);                         // doubled
    lone.Receive(2, AppendAfter(1, 2, 1, {}, 2));    // heartbeat
    lone.Receive(2, AppendAfter(1, 9, 1, {entry}));  // refused
    lone.Receive(3, VoteRequest{.term = Term(1)});
  }
  EXPECT_EQ(lone.machine().TimeAt(lone.now()),
            After(absl::Seconds(30)) + (lone.now() - became_last));
}

TEST(TimeTest, GivesUpTheTimeOfAnEntryThatIsTruncated) {
  LoneConsensus lone = Follower(1, {1});
  Entry far_ahead = CommandEntry(1, "x");
  far_ahead.time = After(absl::Hours(1));
  lone.Receive(2, AppendAfter(1, 1, 1, {far_ahead}));
  Entry instead = CommandEntry(2, "y");
  instead.time = After(absl::Seconds(1));
  lone.Pass(absl::Seconds(1));
  lone.Receive(3, AppendAfter(2, 1, 1, {instead}));
  EXPECT_EQ(lone.machine().TimeAt(lone.now()), After(absl::Seconds(1)));
}

TEST(TimeTest, StandsStillWhileItsProcessIsDown) {
  LoneConsensus lone = Follower(1, {1});
  Entry entry = CommandEntry(1, "x");
  entry.time = After(absl::Seconds(30));
  lone.Receive(2, AppendAfter(1, 1, 1, {entry}));
  lone.SaveAll();
  lone.Pass(absl::Hours(1));
  lone.CrashAndRestore();
  EXPECT_EQ(lone.machine().TimeAt(lone.now()), After(absl::Seconds(30)));
}

TEST(TimeTest, GoesOnBehindASnapshotFromItsInstallation) {
  LoneConsensus lone = Follower(1, {});
  lone.Receive(2, SnapshotChunk{.term = Term(1),
                                .index = LogIndex(9),
                                .index_term = Term(1),
                                .time = After(absl::Seconds(30)),
                                .configuration = Voting({1, 2, 3}),
                                .total = 1,
                                .bytes = "t"});
  lone.Apply();
  const SlowInstant installed = lone.now();
  lone.Pass(absl::Milliseconds(100));
  EXPECT_EQ(lone.machine().applied_time(), After(absl::Seconds(30)));
  EXPECT_EQ(lone.machine().TimeAt(lone.now()),
            After(absl::Seconds(30)) + (lone.now() - installed));
}

}  // namespace
}  // namespace cachalot
