// LockTable against random histories: beside the judge's model of its rules,
// through its bytes and back, and with every message sent twice.

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "engine/cluster_time.h"
#include "engine/command.h"
#include "engine/ids.h"
#include "engine/locks/lock_table.h"
#include "engine/random.h"
#include "engine/request.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sim/judge/lock_model.h"
#include "tests/engine/locks/command_generator.h"
#include "tests/engine/locks/print_reply.h"

namespace cachalot {
namespace {

using sim::LockModel;

constexpr uint64_t kSeeds = 320;
constexpr uint64_t kEntries = 100;

// One history: what is drawn besides the commands.
class History {
 public:
  explicit History(uint64_t seed) : generator(seed), random(seed, "history") {}

  // To the next entry.
  void Advance() {
    index = LogIndex(index.value() + 1 + random.Below(2));
    time = time + random.Between(absl::ZeroDuration(), absl::Seconds(1));
  }
  // Now and then so far that closed sessions are forgotten.
  void AdvanceFar() {
    Advance();
    if (random.Chance(1, 100)) time = time + absl::Hours(30);
  }

  CommandGenerator generator;
  Random random;
  LogIndex index;
  ClusterTime time;
};

const char* const kKeysAndPrefixes[] = {"",  "a/", "a/1", "a/3",
                                        "b", "b/", "b/2", "c"};

const char* AnyOf(Random& random, absl::Span<const char* const> words) {
  return words[random.Below(words.size())];
}

void ExpectSamePages(const LockTable& table, const LockModel& model,
                     ClusterTime time, Random& random) {
  bool table_has_more = false;
  bool model_has_more = false;
  const ListLocksRequest page{.prefix = AnyOf(random, kKeysAndPrefixes),
                              .after = AnyOf(random, kKeysAndPrefixes),
                              .limit = static_cast<uint32_t>(random.Below(4))};
  for (const ListLocksRequest& asked : {ListLocksRequest(), page}) {
    EXPECT_EQ(table.List(asked, time, &table_has_more),
              model.List(asked, time, &model_has_more));
    EXPECT_EQ(table_has_more, model_has_more);
  }
  const ListWaitersRequest waiters{
      .key = AnyOf(random, kKeysAndPrefixes),
      .skip = static_cast<uint32_t>(random.Below(3)),
      .limit = static_cast<uint32_t>(random.Below(3))};
  EXPECT_EQ(table.ListWaiters(waiters, &table_has_more),
            model.ListWaiters(waiters, &model_has_more));
  EXPECT_EQ(table_has_more, model_has_more);
}

void ExpectSame(const LockTable& table, const LockModel& model,
                History& history) {
  EXPECT_EQ(model.Compare(table), std::nullopt);
  Random& random = history.random;
  const ClusterTime later =
      history.time + random.Between(absl::ZeroDuration(), absl::Seconds(5));
  const size_t limit = random.Below(6);
  EXPECT_EQ(table.Due(later, limit), model.Due(later, limit));
  ExpectSamePages(table, model, later, random);
}

// The entry's commands, with what is due as a leader would find it.
std::vector<LockCommand> Draw(History& history, const LockTable& table) {
  std::vector<LockCommand> commands = history.generator.NextEntry();
  if (history.random.Chance(1, 3)) {
    Expire due = table.Due(history.time, 1 + history.random.Below(4));
    if (!due.empty()) commands.push_back(std::move(due));
  }
  return commands;
}

// Counts what happened, so that histories in which nothing happens show.
struct Seen {
  uint64_t granted = 0;
  uint64_t granted_after_wait = 0;
  uint64_t sessions_expired = 0;
  std::map<LockModel::End, uint64_t> ended;

  void Add(const LockModel::Effects& effects) {
    granted += effects.granted;
    granted_after_wait += effects.granted_after_wait;
    sessions_expired += effects.sessions_expired;
    for (const LockModel::Ended& grant : effects.ended) ++ended[grant.how];
  }
};

TEST(LockTablePropertyTest, DoesWhatTheModelDoes) {
  Seen seen;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    History history(seed);
    LockTable table;
    LockModel model;
    for (uint64_t i = 0; i < kEntries && !testing::Test::HasFailure(); ++i) {
      history.AdvanceFar();
      const std::vector<LockCommand> commands = Draw(history, table);
      const std::vector<Reply> replies =
          table.Apply(history.index, history.time, commands);
      const LockModel::Effects& effects =
          model.Apply(history.index, history.time, commands);
      EXPECT_EQ(replies, effects.replies);
      history.generator.Learn(replies);
      table.CheckInvariants();
      ExpectSame(table, model, history);
      seen.Add(effects);
    }
  }
  EXPECT_GT(seen.granted, kSeeds * 16);
  EXPECT_GT(seen.granted_after_wait, kSeeds);
  EXPECT_GT(seen.sessions_expired, kSeeds * 4);
  EXPECT_GT(seen.ended[LockModel::End::kReleased], kSeeds * 2);
  EXPECT_GT(seen.ended[LockModel::End::kExpired], kSeeds * 2);
  EXPECT_GT(seen.ended[LockModel::End::kWithdrawn], kSeeds * 2);
  EXPECT_GT(seen.ended[LockModel::End::kSessionOver], kSeeds * 2);
}

TEST(LockTablePropertyTest, BytesAndBackChangeNothingThatFollows) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    History history(seed);
    LockTable table;
    LockTable restored;
    for (uint64_t i = 0; i < kEntries && !testing::Test::HasFailure(); ++i) {
      history.AdvanceFar();
      const std::vector<LockCommand> commands = Draw(history, table);
      const std::vector<Reply> replies =
          table.Apply(history.index, history.time, commands);
      EXPECT_EQ(replies, restored.Apply(history.index, history.time, commands));
      history.generator.Learn(replies);
      const std::string bytes = table.Encode();
      EXPECT_TRUE(bytes == restored.Encode());
      EXPECT_EQ(table.Due(history.time, 10), restored.Due(history.time, 10));
      if (!history.random.Chance(1, 8)) continue;
      absl::StatusOr<LockTable> decoded = LockTable::Decode(bytes);
      ASSERT_TRUE(decoded.ok()) << decoded.status();
      restored = *std::move(decoded);
      restored.CheckInvariants();
      EXPECT_EQ(table.Fingerprint(), restored.Fingerprint());
    }
  }
}

TEST(LockTablePropertyTest, ACopyGoesItsOwnWay) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    History history(seed);
    LockTable table;
    for (uint64_t i = 0; i < kEntries && !testing::Test::HasFailure(); ++i) {
      history.AdvanceFar();
      const std::vector<LockCommand> commands = Draw(history, table);
      LockTable copy = table;
      const uint64_t before = table.Fingerprint();
      const std::vector<Reply> replies =
          copy.Apply(history.index, history.time, commands);
      copy.CheckInvariants();
      EXPECT_EQ(table.Fingerprint(), before);
      EXPECT_EQ(table.Apply(history.index, history.time, commands), replies);
      EXPECT_EQ(table.Fingerprint(), copy.Fingerprint());
      history.generator.Learn(replies);
      if (history.random.Chance(1, 2)) table = std::move(copy);
    }
  }
}

// Whether the same command may come again at any time. Not the leader's own:
// they look at the time. Not what was refused for want of a session or of room
// among the memos: it leaves no trace, and its sender knows it.
bool MayComeAgain(const LockCommand& command,
                  const std::vector<Reply>& replies) {
  if (std::holds_alternative<Expire>(command)) return false;
  if (std::holds_alternative<BeginTerm>(command)) return false;
  const SessionId sender = std::visit(
      [](const auto& body) {
        if constexpr (requires { body.session; }) return body.session;
        return SessionId();
      },
      command);
  return std::none_of(replies.begin(), replies.end(), [&](const Reply& reply) {
    return reply.session == sender &&
           (reply.kind == Reply::Kind::kSessionGone ||
            reply.outcome == Outcome::kBusy ||
            reply.outcome == Outcome::kInvalid);
  });
}

TEST(LockTablePropertyTest, DuplicatesChangeNothing) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    History history(seed);
    LockTable table;
    LockTable doubled;
    std::vector<LockCommand> sent;
    for (uint64_t i = 0; i < kEntries && !testing::Test::HasFailure(); ++i) {
      history.Advance();
      std::vector<LockCommand> commands = Draw(history, table);
      const std::vector<Reply> replies =
          table.Apply(history.index, history.time, commands);
      history.generator.Learn(replies);
      for (const LockCommand& command : commands) {
        if (MayComeAgain(command, replies)) sent.push_back(command);
      }
      for (uint64_t n = sent.empty() ? 0 : history.random.Below(4); n > 0;
           --n) {
        commands.push_back(sent[history.random.Below(sent.size())]);
      }
      doubled.Apply(history.index, history.time, commands);
      EXPECT_TRUE(table.Encode() == doubled.Encode());
    }
  }
}

}  // namespace
}  // namespace cachalot
