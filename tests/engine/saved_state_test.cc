#include "engine/saved_state.h"

#include <string>
#include <vector>

#include "engine/ids.h"
#include "engine/shared_bytes.h"
#include "gtest/gtest.h"

namespace cachalot {
namespace {

Entry EntryOf(uint64_t term) {
  return {.term = Term(term),
          .payload = SharedBytes(std::string(1, static_cast<char>(term)))};
}

StateChange Appending(uint64_t first, const std::vector<uint64_t>& terms) {
  StateChange change{.first = LogIndex(first)};
  for (const uint64_t term : terms) change.entries.push_back(EntryOf(term));
  return change;
}

StateChange Snapshotting(uint64_t index, bool drops_log) {
  return {.snapshot = Snapshot{.index = LogIndex(index), .term = Term(1)},
          .drops_log = drops_log};
}

std::vector<uint64_t> Terms(const SavedState& state) {
  std::vector<uint64_t> terms;
  for (const Entry& entry : state.entries) terms.push_back(entry.term.value());
  return terms;
}

TEST(SavedStateTest, AppendsEntries) {
  SavedState state;
  state.Apply(Appending(1, {1, 1}));
  state.Apply(Appending(3, {2}));
  EXPECT_EQ(state.first, LogIndex(1));
  EXPECT_EQ(Terms(state), (std::vector<uint64_t>{1, 1, 2}));
}

TEST(SavedStateTest, ReplacesATailThatConflicts) {
  SavedState state;
  state.Apply(Appending(1, {1, 1, 1, 1}));
  state.Apply(Appending(2, {2}));
  EXPECT_EQ(Terms(state), (std::vector<uint64_t>{1, 2}));
}

TEST(SavedStateTest, SnapshotTakesThePlaceOfAPrefix) {
  SavedState state;
  state.Apply(Appending(1, {1, 2, 3}));
  state.Apply(Snapshotting(2, /*drops_log=*/false));
  EXPECT_EQ(state.first, LogIndex(3));
  EXPECT_EQ(Terms(state), (std::vector<uint64_t>{3}));
}

TEST(SavedStateTest, SnapshotPastTheEndLeavesNoEntries) {
  SavedState state;
  state.Apply(Appending(1, {1}));
  state.Apply(Snapshotting(9, /*drops_log=*/false));
  EXPECT_EQ(state.first, LogIndex(10));
  EXPECT_TRUE(state.entries.empty());
}

TEST(SavedStateTest, SnapshotFromAnotherHistoryDropsTheLog) {
  SavedState state;
  state.Apply(Appending(1, {1, 2, 3}));
  state.Apply(Snapshotting(1, /*drops_log=*/true));
  EXPECT_EQ(state.first, LogIndex(2));
  EXPECT_TRUE(state.entries.empty());
}

TEST(SavedStateTest, SnapshotAndWhatFollowsItComeInOneChange) {
  SavedState state;
  StateChange change = Appending(6, {2});
  change.snapshot = Snapshot{.index = LogIndex(5), .term = Term(1)};
  state.Apply(change);
  EXPECT_EQ(state.first, LogIndex(6));
  EXPECT_EQ(Terms(state), (std::vector<uint64_t>{2}));
}

TEST(SavedStateTest, KeepsTermAndVoteTogether) {
  const NodeId candidate{.high = 1};
  SavedState state;
  state.Apply({.term = Term(3), .vote = candidate});
  EXPECT_EQ(state.vote, candidate);
  state.Apply(Appending(1, {3}));
  EXPECT_EQ(state.vote, candidate);
  state.Apply({.term = Term(4)});
  EXPECT_EQ(state.term, Term(4));
  EXPECT_TRUE(state.vote.IsNone());
}

TEST(SavedStateTest, KeepsTheIdentity) {
  const Identity identity{.node = {.high = 1},
                          .cluster = {.low = 2},
                          .token_base = FencingToken(3)};
  SavedState state;
  state.Apply({.identity = identity});
  state.Apply(Appending(1, {1}));
  EXPECT_EQ(state.identity, identity);
}

TEST(SavedStateDeathTest, RefusesAGap) {
  SavedState state;
  state.Apply(Appending(1, {1}));
  EXPECT_DEATH(state.Apply(Appending(3, {1})), "a gap before 3");
}

TEST(ConfigurationTest, ContainsTheVotersOfBothLists) {
  const Configuration joint{.voters = {{.id = {.high = 1}}},
                            .outgoing = {{.id = {.high = 2}}}};
  EXPECT_TRUE(joint.IsJoint());
  EXPECT_TRUE(joint.Contains({.high = 1}));
  EXPECT_TRUE(joint.Contains({.high = 2}));
  EXPECT_FALSE(joint.Contains({.high = 3}));
}

TEST(ConfigurationTest, PrintsWhereItComesFromAndGoes) {
  const Configuration joint{
      .voters = {{.id = {.high = uint64_t{0xb} << 32}},
                 {.id = {.high = uint64_t{0xc} << 32}}},
      .outgoing = {{.id = {.high = uint64_t{0xa} << 32}}}};
  testing::Message text;
  text << joint;
  EXPECT_EQ(text.GetString(), "{0000000a}->{0000000b 0000000c}");
}

}  // namespace
}  // namespace cachalot
