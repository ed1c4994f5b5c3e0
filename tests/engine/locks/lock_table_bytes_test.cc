// What LockTable::Decode makes of bytes that are not a table: a refusal, or a
// table in which every invariant holds.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engine/command.h"
#include "engine/ids.h"
#include "engine/locks/lock_table.h"
#include "engine/random.h"
#include "gtest/gtest.h"
#include "tests/engine/locks/command_generator.h"

namespace cachalot {
namespace {

// A table after a random history.
LockTable MakeTable(uint64_t seed) {
  CommandGenerator generator(seed);
  LockTable table;
  ClusterTime time;
  for (uint64_t i = 1; i <= 60; ++i) {
    time = time + absl::Milliseconds(100);
    generator.Learn(table.Apply(LogIndex(i), time, generator.NextEntry()));
  }
  return table;
}

// True if they are refused.
bool Refuses(absl::string_view bytes) {
  const absl::StatusOr<LockTable> table = LockTable::Decode(bytes);
  if (!table.ok()) {
    EXPECT_EQ(table.status().code(), absl::StatusCode::kInvalidArgument);
    return true;
  }
  table->CheckInvariants();
  return false;
}

TEST(LockTableBytesTest, NothingIsNotATable) { EXPECT_TRUE(Refuses("")); }

TEST(LockTableBytesTest, AnotherKindOfBytesIsNotATable) {
  std::string bytes = MakeTable(1).Encode();
  bytes[4] = 'X';  // the identifier
  EXPECT_TRUE(Refuses(bytes));
}

TEST(LockTableBytesTest, APartIsNotATable) {
  const std::string bytes = MakeTable(2).Encode();
  ASSERT_FALSE(Refuses(bytes));
  for (size_t size = 0; size < bytes.size(); ++size) {
    // The end may be padding that nobody reads.
    if (!Refuses(absl::string_view(bytes).substr(0, size))) {
      EXPECT_GE(size + 8, bytes.size());
    }
  }
}

TEST(LockTableBytesTest, TheBytesMayBeginAnywhere) {
  const LockTable table = MakeTable(3);
  const std::string bytes = table.Encode();
  for (size_t shift = 0; shift < 8; ++shift) {
    const std::string shifted = std::string(shift, 'x') + bytes;
    const absl::StatusOr<LockTable> decoded =
        LockTable::Decode(absl::string_view(shifted).substr(shift));
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(decoded->Fingerprint(), table.Fingerprint());
  }
}

TEST(LockTableBytesTest, ChangedBytesDoNoHarm) {
  Random random(4);
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const std::string bytes = MakeTable(seed).Encode();
    for (int i = 0; i < 300; ++i) {
      std::string changed = bytes;
      for (uint64_t n = 1 + random.Below(3); n > 0; --n) {
        changed[random.Below(changed.size())] =
            static_cast<char>(random.Below(256));
      }
      Refuses(changed);
    }
  }
}

TEST(LockTableBytesTest, RandomBytesAreNotATable) {
  Random random(5);
  for (int i = 0; i < 5000; ++i) {
    std::string bytes(random.Below(300), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random.Below(256));
    if (bytes.size() >= 8) bytes.replace(4, 4, "CLKT");
    EXPECT_TRUE(Refuses(bytes));
  }
}

// Replaces the number, which is there once, in a table's bytes.
std::string Replace(const std::string& bytes, ClusterTime is,
                    ClusterTime becomes) {
  const auto as_bytes = [](ClusterTime time) {
    std::string text;
    for (int shift = 0; shift < 64; shift += 8) {
      text += static_cast<char>(time.nanoseconds() >> shift & 0xff);
    }
    return text;
  };
  const size_t place = bytes.find(as_bytes(is));
  EXPECT_NE(place, std::string::npos);
  return std::string(bytes).replace(place, 8, as_bytes(becomes));
}

// A leader waits for the next deadline; one so far away that the difference
// wraps would never let it rest.
TEST(LockTableBytesTest, ADeadlineThatNoTtlLeadsToIsNotATable) {
  const SessionId session{.node = NodeId{.high = 1, .low = 1}, .number = 1};
  const ClusterTime now(1000);
  LockTable table;
  table.Apply(LogIndex(1), now,
              {OpenSession{.session = session, .ttl = absl::Seconds(5)},
               Acquire{.session = session,
                       .sequence = Sequence(1),
                       .key = "key",
                       .ttl = absl::Seconds(9)}});
  const ClusterTime of_session = now + absl::Seconds(5);
  const ClusterTime of_lock = now + absl::Seconds(9);
  const ClusterTime end(UINT64_MAX);
  const std::string bytes = table.Encode();
  EXPECT_FALSE(Refuses(Replace(bytes, of_session, now)));
  EXPECT_TRUE(Refuses(Replace(bytes, of_session, end)));
  EXPECT_FALSE(Refuses(Replace(bytes, of_lock, now)));
  EXPECT_TRUE(Refuses(Replace(bytes, of_lock, end)));
}

// Which of a table's bytes are where: found by changing each.
TEST(LockTableBytesTest, EveryChangedBitIsRefusedOrMakesAValidTable) {
  const SessionId session{.node = NodeId{.high = 1, .low = 1}, .number = 1};
  LockTable table;
  const auto acquire = [&](uint64_t sequence, const char* key, bool waits) {
    return Acquire{.session = session,
                   .sequence = Sequence(sequence),
                   .key = key,
                   .ttl = absl::Seconds(9),
                   .waits = waits,
                   .owner = "own"};
  };
  table.Apply(LogIndex(1), ClusterTime(1000),
              {OpenSession{.session = session, .ttl = absl::Seconds(5)},
               acquire(1, "a", false), acquire(2, "b", false),
               acquire(3, "b", true), acquire(4, "a", false),
               Revoke{.session = session,
                      .sequence = Sequence(5),
                      .key = "b",
                      .reason = "why"}});
  const std::string bytes = table.Encode();
  ASSERT_FALSE(Refuses(bytes));
  for (size_t place = 0; place < bytes.size(); ++place) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = bytes;
      changed[place] ^= static_cast<char>(1 << bit);
      Refuses(changed);
    }
  }
}

TEST(LockTableBytesTest, ManyLocksAreShortAndComeBackAsTheyWere) {
  const SessionId session{.node = NodeId{.high = 1, .low = 1}, .number = 1};
  LockTable table;
  constexpr uint64_t kLocks = 5000;
  std::vector<LockCommand> commands = {
      OpenSession{.session = session, .ttl = absl::Seconds(5)}};
  for (uint64_t i = 1; i <= kLocks; ++i) {
    commands.push_back(Acquire{.session = session,
                               .sequence = Sequence(i),
                               .first_outstanding = Sequence(i),
                               .key = absl::StrCat("key-", i),
                               .ttl = absl::Seconds(9)});
  }
  table.Apply(LogIndex(1), ClusterTime(1000), commands);
  const std::string bytes = table.Encode();
  EXPECT_LE(bytes.size(), kLocks * 100);
  const absl::StatusOr<LockTable> decoded = LockTable::Decode(bytes);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->Fingerprint(), table.Fingerprint());
  EXPECT_EQ(decoded->Encode(), bytes);
}

// A table that was changed and accepted is a table like any other.
TEST(LockTableBytesTest, AnAcceptedTableWorks) {
  Random random(6);
  int accepted = 0;
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    const std::string bytes = MakeTable(seed).Encode();
    for (int i = 0; i < 100; ++i) {
      std::string changed = bytes;
      changed[random.Below(changed.size())] ^= 1;
      absl::StatusOr<LockTable> table = LockTable::Decode(changed);
      if (!table.ok()) continue;
      ++accepted;
      CommandGenerator generator(seed);
      for (uint64_t n = 1; n <= 30; ++n) {
        // After whatever entry and time the table says.
        const LogIndex index(UINT64_MAX - 100 + n);
        generator.Learn(table->Apply(index, ClusterTime(UINT64_MAX),
                                     generator.NextEntry()));
      }
      table->CheckInvariants();
    }
  }
  EXPECT_GT(accepted, 0);
}

}  // namespace
}  // namespace cachalot
