// What an embedder sees: "cachalot/..." and Abseil, nothing else of ours.

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "cachalot/coordinator.h"
#include "cachalot/election.h"
#include "cachalot/embedded_coordinator.h"
#include "cachalot/version.h"
#include "gtest/gtest.h"

// A file of the embedder's that has the same name as one of ours would do this.
#if defined(IO_COORDINATOR_H_) || defined(ENGINE_IDS_H_)
#error "an include guard without a prefix"
#endif

namespace cachalot {
namespace {

CoordinatorOptions Founder() {
  CoordinatorOptions options;
  options.bind = "127.0.0.1:0";
  options.seeds = {options.bind};
  options.bootstrap = true;
  options.birth_delay = absl::Milliseconds(20);
  return options;
}

TEST(PublicHeadersTest, AreEnoughToTakeALock) {
  auto coordinator = Coordinator::Create(Founder());
  ASSERT_TRUE(coordinator.ok()) << coordinator.status();
  const absl::StatusOr<HeldLock> lock =
      (*coordinator)->Lock("key", absl::Seconds(30));
  ASSERT_TRUE(lock.ok()) << lock.status();
  EXPECT_FALSE(lock->token().IsNone());
}

TEST(PublicHeadersTest, AreEnoughToEmbedAMember) {
  auto member = EmbeddedCoordinator::Create(Founder());
  ASSERT_TRUE(member.ok()) << member.status();
  EXPECT_GE((*member)->fd(), 0);
  (*member)->Process();
}

TEST(PublicHeadersTest, SayWhichVersionThisIs) {
  EXPECT_TRUE(absl::StrContains(LibraryVersion(), "."));
  EXPECT_GT(WireVersion(), 0);
}

}  // namespace
}  // namespace cachalot
