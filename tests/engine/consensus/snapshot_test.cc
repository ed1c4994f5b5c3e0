#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "engine/cluster_time.h"
#include "engine/consensus/consensus.h"
#include "engine/ids.h"
#include "engine/limits.h"
#include "engine/saved_state.h"
#include "engine/wire/message.h"
#include "gtest/gtest.h"
#include "tests/engine/consensus/lone_consensus.h"
#include "tests/engine/consensus/parts.h"

// The log's older part, replaced by what it led to: when it is cut, and how it
// reaches those who need it. Node 1 is the one that is tested.

namespace cachalot {
namespace {

using Strings = std::vector<std::string>;

constexpr absl::Duration kHeartbeat = absl::Milliseconds(50);

// Two and a half chunks.
std::string Table() {
  std::string table(limits::kSnapshotChunkBytes * 5 / 2, ' ');
  for (size_t i = 0; i < table.size(); ++i) {
    table[i] = static_cast<char>('a' + i % 26);
  }
  return table;
}

// Chunk number `number` of the snapshot of Table() up to index 9.
SnapshotChunk Chunk(uint64_t number, uint64_t term = 3) {
  const uint64_t offset = number * limits::kSnapshotChunkBytes;
  return {.term = Term(term),
          .index = LogIndex(9),
          .index_term = Term(2),
          .time = ClusterTime(900),
          .configuration = Voting({2, 3, 4}),
          .offset = offset,
          .total = Table().size(),
          .bytes = Table().substr(offset, limits::kSnapshotChunkBytes)};
}

void ReceiveAll(LoneConsensus& lone) {
  for (uint64_t number = 0; number < 3; ++number) {
    lone.Receive(2, Chunk(number));
  }
}

LoneConsensus Newcomer() { return LoneConsensus(); }

// What the last chunk sent was answered with.
std::optional<uint64_t> Received(LoneConsensus& lone) {
  const std::optional<SnapshotReply> reply = lone.Take<SnapshotReply>(2);
  if (!reply.has_value()) return std::nullopt;
  return reply->received;
}

// --- On its way in ----------------------------------------------------------

TEST(SnapshotInTest, IsPutTogetherFromItsChunks) {
  LoneConsensus lone = Newcomer();
  lone.Receive(2, Chunk(0));
  EXPECT_EQ(Received(lone), limits::kSnapshotChunkBytes);
  lone.Receive(2, Chunk(1));
  EXPECT_EQ(Received(lone), 2 * limits::kSnapshotChunkBytes);
  EXPECT_EQ(lone.machine().arrived_snapshot(), nullptr);
  lone.Receive(2, Chunk(2));
  ASSERT_NE(lone.machine().arrived_snapshot(), nullptr);
  EXPECT_EQ(lone.machine().arrived_snapshot()->table.view(), Table());
  lone.Apply();
  EXPECT_EQ(lone.machine().commit(), LogIndex(9));
  EXPECT_EQ(lone.machine().applied(), LogIndex(9));
  EXPECT_EQ(lone.machine().last_index(), LogIndex(9));
  EXPECT_EQ(lone.machine().TermAt(LogIndex(9)), Term(2));
  EXPECT_EQ(lone.machine().applied_time(), ClusterTime(900));
  EXPECT_EQ(lone.machine().configuration(), Voting({2, 3, 4}));
}

TEST(SnapshotInTest, AsksForWhatIsMissingWhateverComes) {
  LoneConsensus lone = Newcomer();
  lone.Receive(2, Chunk(1));
  EXPECT_EQ(Received(lone), 0u) << "the first was lost";
  lone.Receive(2, Chunk(0));
  lone.Receive(2, Chunk(0));
  lone.Receive(2, Chunk(2));
  EXPECT_EQ(Received(lone), limits::kSnapshotChunkBytes);
  EXPECT_EQ(Received(lone), limits::kSnapshotChunkBytes) << "doubled";
  EXPECT_EQ(Received(lone), limits::kSnapshotChunkBytes) << "out of order";
  lone.Receive(2, Chunk(1));
  lone.Receive(2, Chunk(2));
  ASSERT_NE(lone.machine().arrived_snapshot(), nullptr);
  EXPECT_EQ(lone.machine().arrived_snapshot()->table.view(), Table());
}

TEST(SnapshotInTest, AnotherSnapshotBeginsAnew) {
  LoneConsensus lone = Newcomer();
  lone.Receive(2, Chunk(0));
  lone.Ignore();
  lone.Receive(3, Chunk(1, /*term=*/4));
  EXPECT_EQ(lone.Take<SnapshotReply>(3)->received, 0u) << "of another leader";
  lone.Receive(3, Chunk(0, 4));
  SnapshotChunk later = Chunk(1, 4);
  later.index = LogIndex(10);
  lone.Ignore();
  lone.Receive(3, later);
  EXPECT_EQ(lone.Take<SnapshotReply>(3)->received, 0u) << "of another index";
}

// Rule 11: to say that it is here is to promise that it stays.
TEST(SnapshotInTest, IsAnsweredWhenItIsSaved) {
  LoneConsensus lone = Newcomer();
  ReceiveAll(lone);
  lone.Ignore();
  lone.Apply();
  lone.Flush();
  EXPECT_EQ(Received(lone), std::nullopt);
  // Asked again meanwhile.
  lone.Receive(2, Chunk(2));
  EXPECT_EQ(Received(lone), std::nullopt);
  lone.SaveNext();
  EXPECT_EQ(Received(lone), Table().size());
  EXPECT_EQ(Received(lone), Table().size());
  EXPECT_EQ(lone.disk().snapshot->index, LogIndex(9));
  lone.CrashAndRestore();
  EXPECT_EQ(lone.machine().applied(), LogIndex(9));
  EXPECT_EQ(lone.machine().configuration(), Voting({2, 3, 4}));
}

TEST(SnapshotInTest, IsNotNeededWhereTheLogIsFurther) {
  LoneConsensus lone;
  lone.Restore(2, Voting({1, 2, 3}),
               std::vector<Entry>(12, CommandEntry(2, "x", 900)));
  lone.Receive(2, Append{.term = Term(3),
                         .previous_index = LogIndex(12),
                         .previous_term = Term(2),
                         .commit = LogIndex(10)});
  lone.Receive(2, Chunk(0));
  lone.SaveAll();
  EXPECT_EQ(Received(lone), Table().size());
  EXPECT_EQ(lone.machine().arrived_snapshot(), nullptr);
  EXPECT_EQ(lone.machine().last_index(), LogIndex(12));
}

TEST(SnapshotInTest, ReplacesALogThatContradictsIt) {
  LoneConsensus lone;
  lone.Restore(1, Voting({1, 2, 3}),
               std::vector<Entry>(12, CommandEntry(1, "x")));
  ReceiveAll(lone);
  lone.Apply();
  EXPECT_EQ(lone.machine().last_index(), LogIndex(9));
  EXPECT_EQ(lone.machine().log().last_term(), Term(2));
  lone.SaveAll();
  EXPECT_TRUE(lone.disk().entries.empty());
  lone.CrashAndRestore();
  EXPECT_EQ(lone.machine().last_index(), LogIndex(9));
}

TEST(SnapshotInTest, KeepsWhatGoesOnFromIt) {
  LoneConsensus lone;
  lone.Restore(2, Voting({1, 2, 3}),
               std::vector<Entry>(12, CommandEntry(2, "x", 900)));
  ReceiveAll(lone);
  lone.Apply();
  lone.SaveAll();
  EXPECT_EQ(lone.Payloads(), Strings({"x", "x", "x"}));
  EXPECT_EQ(lone.machine().commit(), LogIndex(9));
  EXPECT_EQ(lone.disk().first, LogIndex(10));
  EXPECT_EQ(lone.disk().entries.size(), 3u);
}

// Entries that were ordered to be saved, or were about to be, when a snapshot
// drops them.
TEST(SnapshotInTest, DropsEntriesThatAreOnTheirWayToTheDisk) {
  LoneConsensus lone = Newcomer();
  lone.Receive(3, Append{.term = Term(1), .entries = {CommandEntry(1, "x")}});
  lone.Flush();
  lone.Receive(3, Append{.term = Term(1),
                         .previous_index = LogIndex(1),
                         .previous_term = Term(1),
                         .entries = {CommandEntry(1, "y")}});
  ReceiveAll(lone);
  lone.Apply();
  lone.Receive(2, Append{.term = Term(3),
                         .previous_index = LogIndex(9),
                         .previous_term = Term(2),
                         .entries = {CommandEntry(3, "z", 901)}});
  lone.SaveAll();
  EXPECT_EQ(lone.disk().first, LogIndex(10));
  ASSERT_EQ(lone.disk().entries.size(), 1u);
  EXPECT_EQ(lone.disk().entries[0].payload.view(), "z");
}

TEST(SnapshotInTest, CountsAndDropsWhatNoLeaderSends) {
  SnapshotChunk of_the_future = Chunk(0);
  of_the_future.index_term = Term(4);
  SnapshotChunk of_nobody = Chunk(0);
  of_nobody.configuration = Configuration();
  for (const SnapshotChunk& bad : {of_the_future, of_nobody}) {
    LoneConsensus lone = Newcomer();
    lone.Receive(2, bad);
    EXPECT_EQ(lone.machine().counters().malformed, 1u);
    EXPECT_FALSE(Received(lone).has_value());
  }
}

// The entries kept behind it would be older than it: the table that it brings
// could not take them.
TEST(SnapshotInTest, RefusesAnotherTimeForAnEntryOfTheLog) {
  for (const uint64_t time : {899u, 901u}) {
    LoneConsensus lone;
    lone.Restore(2, Voting({1, 2, 3}),
                 std::vector<Entry>(12, CommandEntry(2, "x", time)));
    ReceiveAll(lone);
    EXPECT_EQ(lone.machine().counters().malformed, 3u);
    EXPECT_EQ(lone.machine().arrived_snapshot(), nullptr);
    EXPECT_FALSE(Received(lone).has_value());
  }
}

// As above, of a leader that first names one time and then, when there are such
// entries, theirs.
TEST(SnapshotInTest, BeginsAnewWithAnotherTime) {
  LoneConsensus lone = Newcomer();
  lone.Receive(2, Chunk(0));
  lone.Receive(
      2, Append{.term = Term(3),
                .entries = std::vector<Entry>(12, CommandEntry(2, "x", 5))});
  lone.Ignore();
  for (const uint64_t number : {1u, 2u}) {
    SnapshotChunk chunk = Chunk(number);
    chunk.time = ClusterTime(5);
    lone.Receive(2, chunk);
    EXPECT_EQ(Received(lone), 0u);
  }
  EXPECT_EQ(lone.machine().arrived_snapshot(), nullptr);
}

TEST(SnapshotInTest, RefusesOneThatFallsBehindWhatIsCommitted) {
  const Entry later = CommandEntry(2, "x", 901);
  const Entry of_later_term = CommandEntry(3, "x", 900);
  for (const Entry& committed : {later, of_later_term}) {
    LoneConsensus lone;
    lone.Restore(2, Voting({1, 2, 3}), {committed});
    lone.Receive(2, Append{.term = Term(3),
                           .previous_index = LogIndex(1),
                           .previous_term = committed.term,
                           .commit = LogIndex(1)});
    lone.Apply();
    ReceiveAll(lone);
    EXPECT_EQ(lone.machine().counters().malformed, 3u);
    EXPECT_EQ(lone.machine().arrived_snapshot(), nullptr);
  }
}

TEST(SnapshotInTest, OneThatDoesNotDecodeIsForgotten) {
  LoneConsensus lone = Newcomer();
  ReceiveAll(lone);
  lone.Ignore();
  lone.machine().RejectSnapshot();
  EXPECT_EQ(lone.machine().arrived_snapshot(), nullptr);
  EXPECT_EQ(lone.machine().last_index(), LogIndex());
  lone.Receive(2, Chunk(2));
  EXPECT_EQ(Received(lone), 0u) << "from the beginning, please";
}

// --- Compaction -------------------------------------------------------------

// Leads alone, with this many entries applied.
LoneConsensus LeaderOf(uint64_t entries, const std::vector<uint64_t>& voters) {
  LoneConsensus lone;
  lone.Lead(voters);
  while (lone.machine().last_index() < LogIndex(entries)) {
    lone.Propose(std::to_string(lone.machine().last_index().value() + 1));
  }
  lone.SaveAll();
  for (const uint64_t voter : voters) {
    if (voter != 1) lone.AcknowledgeAll({voter});
  }
  lone.SaveAll();
  lone.Apply();
  lone.Ignore();
  return lone;
}

// The options: eight entries to compact, four to keep besides.
TEST(CompactionTest, IsWantedWhenTheLogHasGrown) {
  EXPECT_FALSE(LeaderOf(11, {1}).machine().wants_compaction());
  EXPECT_TRUE(LeaderOf(12, {1}).machine().wants_compaction());
}

TEST(CompactionTest, KeepsTheLastEntriesForThoseWhoLag) {
  LoneConsensus lone = LeaderOf(12, {1});
  lone.machine().StoreSnapshot(lone.now(), "table");
  EXPECT_EQ(lone.machine().first_index(), LogIndex(9));
  EXPECT_FALSE(lone.machine().wants_compaction());
  lone.SaveAll();
  EXPECT_EQ(lone.disk().snapshot->index, LogIndex(12));
  EXPECT_EQ(lone.disk().snapshot->configuration, Voting({1}));
  EXPECT_TRUE(lone.disk().entries.empty()) << "the disk keeps none";
}

TEST(CompactionTest, LeavesWhatIsNotApplied) {
  LoneConsensus lone = LeaderOf(12, {1, 2, 3});
  lone.Propose("13");
  lone.Propose("14");
  lone.machine().StoreSnapshot(lone.now(), "table");
  lone.SaveAll();
  EXPECT_EQ(lone.disk().first, LogIndex(13));
  EXPECT_EQ(lone.disk().entries.size(), 2u);
  lone.CrashAndRestore();
  EXPECT_EQ(lone.Payloads(), Strings({"13", "14"}));
  EXPECT_EQ(lone.machine().applied(), LogIndex(12));
  EXPECT_EQ(lone.machine().configuration(), Voting({1, 2, 3}));
}

TEST(CompactionTest, AppendsGoOnBehindIt) {
  LoneConsensus lone = LeaderOf(12, {1, 2, 3});
  lone.machine().StoreSnapshot(lone.now(), "table");
  lone.Propose("13");
  lone.SaveAll();
  EXPECT_EQ(lone.Take<Append>(2)->previous_index, LogIndex(12));
  lone.AcknowledgeAll({2});
  lone.Apply();
  EXPECT_EQ(lone.applied().back(), "13");
}

// --- On its way out ---------------------------------------------------------

// Leads 1, 2, 3, with all seven entries of its log; 3 has said that its own is
// empty.
LoneConsensus LeaderWithANewcomer() {
  LoneConsensus lone;
  lone.Lead({1, 2, 3});
  for (int i = 0; i < 5; ++i) lone.Propose("x");
  lone.SaveAll();
  lone.AcknowledgeAll({2});
  lone.Apply();
  lone.SaveAll();
  lone.Ignore();
  lone.Receive(3, AppendReply{.term = Term(1)});
  lone.Flush();
  return lone;
}

TEST(SnapshotOutTest, IsWantedForANewcomer) {
  LoneConsensus lone = LeaderWithANewcomer();
  ASSERT_TRUE(lone.machine().wants_snapshot());
  lone.machine().StoreSnapshot(lone.now(), Table());
  EXPECT_FALSE(lone.machine().wants_snapshot());
  EXPECT_TRUE(lone.machine().NeedsFlush());
  lone.Flush();
  const std::optional<SnapshotChunk> chunk = lone.Take<SnapshotChunk>(3);
  ASSERT_TRUE(chunk.has_value());
  EXPECT_EQ(chunk->index, LogIndex(7));
  EXPECT_EQ(chunk->total, Table().size());
  EXPECT_EQ(chunk->configuration, Voting({1, 2, 3}));
  EXPECT_EQ(chunk->bytes.size(), limits::kSnapshotChunkBytes);
}

SnapshotReply Has(uint64_t bytes) {
  return {.term = Term(1), .index = LogIndex(7), .received = bytes};
}

TEST(SnapshotOutTest, IsSentChunkByChunk) {
  LoneConsensus lone = LeaderWithANewcomer();
  lone.machine().StoreSnapshot(lone.now(), Table());
  std::string table;
  lone.Flush();
  while (const auto chunk = lone.Take<SnapshotChunk>(3)) {
    EXPECT_EQ(chunk->offset, table.size());
    EXPECT_FALSE(lone.Take<SnapshotChunk>(3).has_value()) << "one at a time";
    table += chunk->bytes;
    lone.Receive(3, Has(table.size()));
    lone.Flush();
  }
  EXPECT_EQ(table, Table());
  lone.Ignore();
  lone.Propose("y");
  lone.Flush();
  const std::optional<Append> append = lone.Take<Append>(3);
  ASSERT_TRUE(append.has_value());
  EXPECT_EQ(append->previous_index, LogIndex(7));
  EXPECT_EQ(append->entries.size(), 1u);
}

TEST(SnapshotOutTest, ALostChunkIsSentAgain) {
  LoneConsensus lone = LeaderWithANewcomer();
  lone.machine().StoreSnapshot(lone.now(), Table());
  lone.Flush();
  lone.Receive(3, Has(limits::kSnapshotChunkBytes));
  lone.Flush();
  lone.Ignore();  // the second is lost
  for (int i = 0; i < 3; ++i) {
    lone.Pass(kHeartbeat);
    lone.Acknowledge(2, LogIndex(7));
  }
  EXPECT_FALSE(lone.Take<SnapshotChunk>(3).has_value()) << "not at once";
  lone.Pass(kHeartbeat);
  EXPECT_EQ(lone.Take<SnapshotChunk>(3)->offset, limits::kSnapshotChunkBytes);
}

TEST(SnapshotOutTest, GoesWhereTheReceiverSays) {
  LoneConsensus lone = LeaderWithANewcomer();
  lone.machine().StoreSnapshot(lone.now(), Table());
  lone.Flush();
  lone.Receive(3, Has(limits::kSnapshotChunkBytes));
  lone.Flush();
  lone.Ignore();
  lone.Receive(3, Has(0));  // it came back from a crash
  lone.Flush();
  EXPECT_EQ(lone.Take<SnapshotChunk>(3)->offset, 0u);
}

// A follower that waits for a chunk gets heartbeats, or it would start an
// election.
TEST(SnapshotOutTest, TheHeartbeatGoesOn) {
  LoneConsensus lone = LeaderWithANewcomer();
  lone.Ignore();
  lone.Pass(kHeartbeat);
  EXPECT_TRUE(lone.Take<Append>(3).has_value()) << "before there is one";
  lone.machine().StoreSnapshot(lone.now(), Table());
  lone.Flush();
  lone.Ignore();
  lone.Pass(kHeartbeat);
  EXPECT_TRUE(lone.Take<Append>(3).has_value()) << "during one";
}

// Its heartbeats ask a newcomer for nothing, so its consent says nothing.
TEST(SnapshotOutTest, AHeartbeatDoesNotEndIt) {
  LoneConsensus lone = LeaderWithANewcomer();
  lone.machine().StoreSnapshot(lone.now(), Table());
  lone.Flush();
  lone.Pass(kHeartbeat);
  lone.Acknowledge(3, LogIndex());
  lone.Ignore();
  lone.Receive(3, Has(limits::kSnapshotChunkBytes));
  lone.Flush();
  EXPECT_FALSE(lone.Take<Append>(3).has_value());
  EXPECT_EQ(lone.Take<SnapshotChunk>(3)->offset, limits::kSnapshotChunkBytes);
}

TEST(SnapshotOutTest, GoesToWhoeverLacksWhatIsCompacted) {
  LoneConsensus lone = LeaderOf(30, {1, 2, 3});
  lone.machine().NoteLinkDown(IdOf(3));
  lone.machine().StoreSnapshot(lone.now(), Table());
  // 3 is another disk's: it has forgotten all but the first ten.
  lone.Pass(kHeartbeat);
  lone.Ignore();
  lone.Receive(3, AppendReply{.term = Term(1),
                              .index = LogIndex(10),
                              .hint_term = Term(1),
                              .rejected = LogIndex(30)});
  lone.Flush();
  EXPECT_EQ(lone.Take<SnapshotChunk>(3)->index, LogIndex(30));
}

TEST(SnapshotOutTest, ANewLeaderStartsItsOwn) {
  LoneConsensus lone = LeaderWithANewcomer();
  lone.Receive(2, AppendReply{.term = Term(5)});
  EXPECT_FALSE(lone.machine().wants_snapshot());
}

}  // namespace
}  // namespace cachalot
