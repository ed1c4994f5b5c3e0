#include "engine/consensus/voters.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "engine/saved_state.h"
#include "gtest/gtest.h"
#include "tests/engine/consensus/parts.h"

namespace cachalot {
namespace {

using State = VoterHealth::State;

// Who votes, how each member does, and who is to vote next. Members are
// numbered from 1; a letter says how each does: L the leader, l the leader who
// is leaving, p present, r a learner that is ready, c crashed, x leaving.
struct Situation {
  std::string name;
  std::vector<uint64_t> present;
  std::string members;
  int voters_max;
  std::vector<uint64_t> expected;  // empty: no change
};

std::ostream& operator<<(std::ostream& out, const Situation& situation) {
  return out << situation.name << " (" << situation.members << ")";
}

VoterHealth HealthOf(uint64_t node, char letter) {
  VoterHealth health{.voter = VoterOf(node)};
  health.is_leader = letter == 'L' || letter == 'l';
  if (letter == 'r') health.state = State::kReady;
  if (letter == 'c') health.state = State::kCrashed;
  if (letter == 'x' || letter == 'l') health.state = State::kLeaving;
  return health;
}

std::optional<std::vector<Voter>> Choose(const Situation& situation) {
  std::vector<VoterHealth> health;
  for (size_t i = 0; i < situation.members.size(); ++i) {
    if (situation.members[i] == ' ') continue;
    health.push_back(HealthOf(i + 1, situation.members[i]));
  }
  return ChooseVoters(VotersOf(situation.present), health,
                      situation.voters_max);
}

class VotersTest : public testing::TestWithParam<Situation> {};

TEST_P(VotersTest, Chooses) {
  const std::optional<std::vector<Voter>> chosen = Choose(GetParam());
  if (GetParam().expected.empty()) {
    EXPECT_FALSE(chosen.has_value());
    return;
  }
  ASSERT_TRUE(chosen.has_value());
  EXPECT_EQ(*chosen, VotersOf(GetParam().expected));
}

INSTANTIATE_TEST_SUITE_P(
    Growth, VotersTest,
    testing::Values(
        Situation{"alone", {1}, "L", 5, {}},
        Situation{"two are no better than one", {1}, "Lr", 5, {}},
        Situation{"one becomes three", {1}, "Lrr", 5, {1, 2, 3}},
        Situation{"four are no better than three", {1, 2, 3}, "Lppr", 5, {}},
        Situation{"three become five", {1, 2, 3}, "Lpprr", 5, {1, 2, 3, 4, 5}},
        Situation{"one becomes five at once", {1}, "Lrrrr", 5, {1, 2, 3, 4, 5}},
        Situation{"five are enough", {1, 2, 3, 4, 5}, "Lpppprr", 5, {}},
        Situation{"three if three are enough", {1}, "Lrrrr", 3, {1, 2, 3}},
        Situation{"one if one is enough", {1}, "Lrr", 1, {}},
        Situation{"two founders take in a third", {1, 2}, "Lpr", 5, {1, 2, 3}},
        Situation{"two founders stay while alone", {1, 2}, "Lp", 5, {}},
        Situation{"the leader stays, whatever its number",
                  {5},
                  "rrrrL",
                  3,
                  {1, 2, 5}}));

INSTANTIATE_TEST_SUITE_P(
    Crashes, VotersTest,
    testing::Values(
        Situation{"one of three, nobody ready", {1, 2, 3}, "Lpc", 5, {}},
        Situation{"one of three, one ready", {1, 2, 3}, "Lpcr", 5, {1, 2, 4}},
        Situation{"one of three, three ready",
                  {1, 2, 3},
                  "Lpcrrr",
                  5,
                  {1, 2, 4, 5, 6}},
        Situation{"one of five, nobody ready", {1, 2, 3, 4, 5}, "Lpppc", 5, {}},
        Situation{"one of five, one ready",
                  {1, 2, 3, 4, 5},
                  "Lpppcr",
                  5,
                  {1, 2, 3, 4, 6}},
        Situation{"two of five, nobody ready",
                  {1, 2, 3, 4, 5},
                  "Lppcc",
                  5,
                  {1, 2, 3}},
        Situation{
            "two of five, one ready", {1, 2, 3, 4, 5}, "Lppccr", 5, {1, 2, 3}},
        Situation{"two of five, two ready",
                  {1, 2, 3, 4, 5},
                  "Lppccrr",
                  5,
                  {1, 2, 3, 6, 7}},
        Situation{"one of two, one ready", {1, 2}, "Lcr", 5, {}},
        Situation{"one of two, two ready", {1, 2}, "Lcrr", 5, {1, 3, 4}},
        Situation{"one of one: nobody is left to ask", {1}, "c", 5, {}}));

INSTANTIATE_TEST_SUITE_P(
    Goodbyes, VotersTest,
    testing::Values(
        Situation{"one of three leaves one", {1, 2, 3}, "Lpx", 5, {1}},
        Situation{"the leader of three leaves one", {1, 2, 3}, "lpp", 5, {2}},
        Situation{"one of three, one ready", {1, 2, 3}, "Lxpr", 5, {1, 3, 4}},
        Situation{"the leader, one ready", {1, 2, 3}, "lppr", 5, {2, 3, 4}},
        Situation{
            "one of five leaves three", {1, 2, 3, 4, 5}, "Lpppx", 5, {1, 2, 3}},
        Situation{"the leader of five leaves three",
                  {1, 2, 3, 4, 5},
                  "ppplp",
                  5,
                  {1, 2, 3}},
        Situation{"two of three leave one", {1, 2, 3}, "Lxx", 5, {1}},
        Situation{"one leaves, one crashed", {1, 2, 3}, "Lcx", 5, {1}},
        Situation{"the last cannot go", {1}, "l", 5, {}},
        Situation{"nobody who stays can vote", {1, 2}, "xc", 5, {}},
        Situation{"a learner that is not ready does not count",
                  {1, 2, 3},
                  "Lxp ",
                  5,
                  {1}}));

// Every situation of up to three voters and three learners: what is chosen is
// odd, in order, no more than allowed, and made of members fit to vote.
TEST(VotersTest, NeverChoosesWhatCannotVote) {
  const std::string letters = "pcxr";
  for (uint64_t voters = 1; voters <= 3; ++voters) {
    for (uint32_t code = 0; code < 4096; ++code) {
      Situation situation{.voters_max = 3};
      for (uint64_t node = 1; node <= 6; ++node) {
        const char letter = letters[code >> (2 * (node - 1)) & 3];
        // A voter is no learner, and whatever a learner is, it is ready or not.
        const bool is_voter = node <= voters;
        if (is_voter) situation.present.push_back(node);
        situation.members += is_voter ? (letter == 'r' ? 'L' : letter)
                                      : (letter == 'r' ? 'r' : ' ');
      }
      const auto chosen = Choose(situation);
      if (!chosen.has_value()) continue;
      EXPECT_EQ(chosen->size() % 2, 1u) << situation;
      EXPECT_LE(chosen->size(), 3u) << situation;
      EXPECT_TRUE(std::is_sorted(chosen->begin(), chosen->end())) << situation;
      for (const Voter& voter : *chosen) {
        const char letter = situation.members[voter.id.low - 1];
        EXPECT_TRUE(letter == 'p' || letter == 'L' || letter == 'r')
            << situation << " chose " << voter.id.low;
      }
    }
  }
}

}  // namespace
}  // namespace cachalot
