#include "engine/consensus/log.h"

#include <cstdint>
#include <string>
#include <vector>

#include "engine/cluster_time.h"
#include "engine/ids.h"
#include "engine/saved_state.h"
#include "gtest/gtest.h"
#include "tests/engine/consensus/parts.h"

namespace cachalot {
namespace {

// One entry for each term given; entry i has the time i and the payload "xi".
Log LogOfTerms(const std::vector<uint64_t>& terms) {
  Log log;
  for (const uint64_t term : terms) {
    const uint64_t index = log.last_index().Next().value();
    log.Append(CommandEntry(term, "x" + std::to_string(index), index));
  }
  return log;
}

TEST(LogTest, IsEmptyAtFirst) {
  const Log log;
  EXPECT_EQ(log.last_index(), LogIndex());
  EXPECT_EQ(log.first_index(), LogIndex(1));
  EXPECT_EQ(log.last_term(), Term());
  EXPECT_EQ(log.last_time(), ClusterTime());
  EXPECT_TRUE(log.configuration().voters.empty());
  EXPECT_TRUE(log.Matches(LogIndex(), Term())) << "all logs agree before one";
  EXPECT_EQ(log.Find(LogIndex(1)), nullptr);
}

TEST(LogTest, FindsWhatWasAppended) {
  const Log log = LogOfTerms({1, 1, 3});
  EXPECT_EQ(log.last_index(), LogIndex(3));
  EXPECT_EQ(log.last_term(), Term(3));
  EXPECT_EQ(log.last_time(), ClusterTime(3));
  EXPECT_EQ(log.Find(LogIndex(2))->payload.view(), "x2");
  EXPECT_EQ(log.Find(LogIndex(4)), nullptr);
  EXPECT_TRUE(log.Matches(LogIndex(2), Term(1)));
  EXPECT_FALSE(log.Matches(LogIndex(2), Term(3)));
  EXPECT_FALSE(log.Matches(LogIndex(4), Term(3)));
}

TEST(LogTest, CountsTheBytesThatItKeeps) {
  Log log = LogOfTerms({1, 1, 1, 1});
  EXPECT_EQ(log.bytes(), 8u);
  log.Truncate(LogIndex(4));
  EXPECT_EQ(log.bytes(), 6u);
  log.Compact(LogIndex(2));
  EXPECT_EQ(log.bytes(), 2u);
  log.Reset(Snapshot{.index = LogIndex(9), .term = Term(2)});
  EXPECT_EQ(log.bytes(), 0u);
}

TEST(LogTest, RemembersTermAndTimeOfTheLastCompactedEntry) {
  Log log = LogOfTerms({1, 2, 2, 3});
  log.Compact(LogIndex(2));
  EXPECT_EQ(log.base_index(), LogIndex(2));
  EXPECT_EQ(log.first_index(), LogIndex(3));
  EXPECT_EQ(log.TermAt(LogIndex(2)), Term(2));
  EXPECT_EQ(log.TimeAt(LogIndex(2)), ClusterTime(2));
  EXPECT_EQ(log.Find(LogIndex(2)), nullptr);
  EXPECT_EQ(log.Find(LogIndex(3))->payload.view(), "x3");
  EXPECT_TRUE(log.Matches(LogIndex(2), Term(2)));
  EXPECT_FALSE(log.Matches(LogIndex(1), Term(1))) << "no longer known";

  log.Compact(LogIndex(4));
  EXPECT_EQ(log.size(), 0u);
  EXPECT_EQ(log.last_index(), LogIndex(4));
  EXPECT_EQ(log.last_term(), Term(3));
  EXPECT_EQ(log.last_time(), ClusterTime(4));
}

TEST(LogTest, CompactingToTheBaseChangesNothing) {
  Log log = LogOfTerms({1, 2});
  log.Compact(LogIndex(1));
  const Log before = log;
  log.Compact(LogIndex(1));
  EXPECT_EQ(log, before);
}

TEST(LogTest, HintsAtTheLastEntryOfNoLaterTerm) {
  const Log log = LogOfTerms({1, 1, 4, 4, 6});
  EXPECT_EQ(log.LastNotAbove(LogIndex(5), Term(6)), LogIndex(5));
  EXPECT_EQ(log.LastNotAbove(LogIndex(5), Term(5)), LogIndex(4));
  EXPECT_EQ(log.LastNotAbove(LogIndex(5), Term(3)), LogIndex(2));
  EXPECT_EQ(log.LastNotAbove(LogIndex(3), Term(6)), LogIndex(3));
  EXPECT_EQ(log.LastNotAbove(LogIndex(99), Term(9)), LogIndex(5));
  EXPECT_EQ(log.LastNotAbove(LogIndex(5), Term()), LogIndex());
}

TEST(LogTest, HintsNotBelowTheBase) {
  Log log = LogOfTerms({4, 4, 5, 6});
  log.Compact(LogIndex(2));
  EXPECT_EQ(log.LastNotAbove(LogIndex(4), Term(1)), LogIndex(2));
}

TEST(LogTest, AConfigurationCountsFromItsEntryOn) {
  Log log = LogOfTerms({1, 1});
  AppendTo(log, ConfigurationEntry(1, Voting({1, 2, 3}), 2));
  log.Append(CommandEntry(1, "x", 3));
  EXPECT_EQ(log.configuration(), Voting({1, 2, 3}));
  EXPECT_EQ(log.configuration_index(), LogIndex(3));
  EXPECT_EQ(log.ConfigurationAt(LogIndex(2)), Configuration());
  EXPECT_EQ(log.ConfigurationAt(LogIndex(3)), Voting({1, 2, 3}));
  EXPECT_EQ(log.ConfigurationAt(LogIndex(4)), Voting({1, 2, 3}));
}

TEST(LogTest, ATruncatedConfigurationGivesWayToTheOneBefore) {
  Log log;
  AppendTo(log, ConfigurationEntry(1, Voting({1}), 1));
  AppendTo(log, ConfigurationEntry(1, Joint({1, 2, 3}, {1}), 2));
  log.Append(CommandEntry(1, "x", 3));
  log.Truncate(LogIndex(3));
  EXPECT_EQ(log.configuration(), Joint({1, 2, 3}, {1})) << "still there";
  log.Truncate(LogIndex(2));
  EXPECT_EQ(log.configuration(), Voting({1}));
  EXPECT_EQ(log.configuration_index(), LogIndex(1));
}

// canonical/raft #250: the entry that was needed for the way back had been
// compacted away.
TEST(LogTest, ATruncatedConfigurationGivesWayToOneThatWasCompacted) {
  Log log;
  AppendTo(log, ConfigurationEntry(1, Voting({1, 2, 3}), 1));
  log.Append(CommandEntry(1, "x", 2));
  AppendTo(log, ConfigurationEntry(1, Joint({1, 2, 4}, {1, 2, 3}), 3));
  log.Compact(LogIndex(2));
  EXPECT_EQ(log.ConfigurationAt(LogIndex(2)), Voting({1, 2, 3}));
  log.Truncate(LogIndex(3));
  EXPECT_EQ(log.configuration(), Voting({1, 2, 3}));
  EXPECT_EQ(log.configuration_index(), LogIndex(2));
}

TEST(LogTest, KnowsWhoHasVotedSince) {
  Log log;
  AppendTo(log, ConfigurationEntry(1, Voting({1, 2}), 1));
  AppendTo(log, ConfigurationEntry(1, Joint({2, 3}, {1, 2}), 2));
  AppendTo(log, ConfigurationEntry(1, Voting({2, 3}), 3));
  EXPECT_TRUE(log.VotesSince(LogIndex(1), IdOf(1)));
  EXPECT_TRUE(log.VotesSince(LogIndex(2), IdOf(1)));
  EXPECT_FALSE(log.VotesSince(LogIndex(3), IdOf(1)));
  EXPECT_TRUE(log.VotesSince(LogIndex(1), IdOf(3)));
  EXPECT_FALSE(log.VotesSince(LogIndex(), IdOf(4)));
}

TEST(LogTest, StartsBehindASnapshotWithItsConfiguration) {
  Log log = LogOfTerms({1, 1, 1});
  const Snapshot snapshot{.index = LogIndex(7),
                          .term = Term(4),
                          .time = ClusterTime(70),
                          .configuration = Voting({2, 3, 4})};
  log.Reset(snapshot);
  EXPECT_EQ(log.last_index(), LogIndex(7));
  EXPECT_EQ(log.last_term(), Term(4));
  EXPECT_EQ(log.last_time(), ClusterTime(70));
  EXPECT_EQ(log.configuration(), Voting({2, 3, 4}));
  EXPECT_EQ(log.configuration_index(), LogIndex(7));
  log.Append(CommandEntry(4, "next", 71));
  EXPECT_EQ(log.last_index(), LogIndex(8));
}

TEST(LogDeathTest, RefusesTermsAndTimesThatFall) {
  Log log = LogOfTerms({2});
  EXPECT_DEATH(log.Append(CommandEntry(1, "x", 5)), "term");
  EXPECT_DEATH(log.Append(CommandEntry(2, "x", 0)), "time");
}

TEST(LogDeathTest, KeepsItsBase) {
  Log log = LogOfTerms({1, 1, 1});
  log.Compact(LogIndex(2));
  EXPECT_DEATH(log.Truncate(LogIndex(2)), "base");
  EXPECT_DEATH(log.Compact(LogIndex(1)), "base");
  EXPECT_DEATH(log.Compact(LogIndex(4)), "last_index");
}

}  // namespace
}  // namespace cachalot
