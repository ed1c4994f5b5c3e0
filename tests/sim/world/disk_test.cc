#include "sim/world/disk.h"

#include <optional>
#include <set>

#include "absl/time/time.h"
#include "engine/action.h"
#include "engine/ids.h"
#include "engine/saved_state.h"
#include "gtest/gtest.h"
#include "sim/world/chance.h"
#include "sim/world/choices.h"
#include "sim/world/instant.h"

namespace cachalot::sim {
namespace {

constexpr Delay kSlow = {absl::Milliseconds(1), absl::Milliseconds(9)};

SaveState TermOrder(uint64_t save, uint64_t term) {
  SaveState order;
  order.save = SaveId(save);
  order.change.term = Term(term);
  return order;
}

SaveState IdentityOrder(uint64_t save) {
  SaveState order;
  order.save = SaveId(save);
  order.change.identity = Identity{.node = NodeId{1, 1}};
  return order;
}

TEST(DiskTest, FinishesSavesInTheirOrder) {
  ChoiceSource choices(1);
  Disk disk(kSlow, Chance(&choices, "disk"));
  RealInstant last;
  for (uint64_t i = 1; i <= 100; ++i) {
    const RealInstant done = disk.Save(RealInstant(), TermOrder(i, i));
    EXPECT_GE(done, last);
    last = done;
  }
  EXPECT_EQ(disk.FinishDue(last), SaveId(100));
  EXPECT_EQ(disk.contents().term, Term(100));
}

TEST(DiskTest, FinishesNoSaveBeforeItIsDue) {
  ChoiceSource choices(2);
  Disk disk(kSlow, Chance(&choices, "disk"));
  const RealInstant done = disk.Save(RealInstant(), TermOrder(1, 7));
  const RealInstant before = done - absl::Nanoseconds(1);
  EXPECT_EQ(disk.FinishDue(before), std::nullopt);
  EXPECT_EQ(disk.contents().term, Term());
  EXPECT_EQ(disk.FinishDue(done), SaveId(1));
}

TEST(DiskTest, KeepsARandomPrefixAtACrash) {
  std::set<uint64_t> kept;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    ChoiceSource choices(seed);
    Disk disk(kSlow, Chance(&choices, "disk"));
    for (uint64_t i = 1; i <= 3; ++i) {
      disk.Save(RealInstant(), TermOrder(i, i));
    }
    disk.Crash();
    EXPECT_EQ(disk.orders_open(), 0u);
    kept.insert(disk.contents().term.value());
  }
  EXPECT_EQ(kept, (std::set<uint64_t>{0, 1, 2, 3}));
}

TEST(DiskTest, KeepsFinishedSavesAtACrash) {
  ChoiceSource choices(3);
  Disk disk(kSlow, Chance(&choices, "disk"));
  const RealInstant done = disk.Save(RealInstant(), TermOrder(1, 5));
  disk.FinishDue(done);
  disk.Crash();
  EXPECT_EQ(disk.contents().term, Term(5));
}

TEST(DiskTest, KeepsNothingUsefulWithoutAnIdentity) {
  ChoiceSource choices(4);
  Disk disk(Delay{}, Chance(&choices, "disk"));
  disk.FinishDue(disk.Save(RealInstant(), TermOrder(1, 5)));
  EXPECT_FALSE(disk.Kept().has_value());
  disk.FinishDue(disk.Save(RealInstant(), IdentityOrder(2)));
  EXPECT_TRUE(disk.Kept().has_value());
}

TEST(DiskTest, IsEmptyAfterAWipe) {
  ChoiceSource choices(5);
  Disk disk(Delay{}, Chance(&choices, "disk"));
  disk.FinishDue(disk.Save(RealInstant(), IdentityOrder(1)));
  disk.Wipe();
  EXPECT_FALSE(disk.Kept().has_value());
}

}  // namespace
}  // namespace cachalot::sim
