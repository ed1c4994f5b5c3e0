#include "io/election.h"

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "engine/ids.h"
#include "engine/request.h"
#include "gtest/gtest.h"
#include "io/coordinator.h"
#include "tests/io/members.h"

namespace cachalot {
namespace {

ElectionOptions Candidate(std::string label) {
  ElectionOptions options;
  options.label = std::move(label);
  return options;
}

std::string LeaderOf(const Election& election) {
  const absl::StatusOr<std::optional<std::string>> leader = election.Leader();
  EXPECT_TRUE(leader.ok()) << leader.status();
  return leader->value_or("nobody");
}

// Two candidates in two members.
class ElectionTest : public testing::Test {
 protected:
  ElectionTest()
      : first_(StartFounder()),
        second_(StartFounder(Member({first_->address().ToString()}))) {}

  std::unique_ptr<Coordinator> first_;
  std::unique_ptr<Coordinator> second_;
};

TEST_F(ElectionTest, OneLeadsUntilItResigns) {
  Election ann(first_.get(), "scheduler", Candidate("ann"));
  Election bob(second_.get(), "scheduler", Candidate("bob"));
  Election other(second_.get(), "scheduler-2", Candidate("eve"));
  EXPECT_EQ(LeaderOf(ann), "nobody");
  EXPECT_FALSE(ann.is_leader());
  EXPECT_TRUE(ann.token().IsNone());
  EXPECT_TRUE(ann.stop_token().stop_requested());
  ASSERT_TRUE(other.Campaign().ok());

  ASSERT_TRUE(ann.Campaign().ok());
  EXPECT_TRUE(ann.Campaign().ok());  // it leads already
  EXPECT_TRUE(ann.is_leader());
  EXPECT_EQ(LeaderOf(bob), "ann");
  const FencingToken token = ann.token();
  const std::stop_token in_office = ann.stop_token();
  EXPECT_FALSE(in_office.stop_requested());
  EXPECT_FALSE(bob.Campaign(absl::Milliseconds(50)).ok());

  std::thread challenger([&] { EXPECT_TRUE(bob.Campaign().ok()); });
  while (first_->GetLocks("election/scheduler")->at(0).waiters == 0) {
    std::this_thread::yield();
  }
  EXPECT_TRUE(ann.Resign().ok());
  EXPECT_TRUE(in_office.stop_requested());
  EXPECT_FALSE(ann.is_leader());
  challenger.join();
  EXPECT_TRUE(bob.is_leader());
  EXPECT_GT(bob.token(), token);
  EXPECT_EQ(LeaderOf(ann), "bob");
  EXPECT_TRUE(ann.Resign().ok());  // without effect
  EXPECT_EQ(LeaderOf(ann), "bob");
}

TEST_F(ElectionTest, TheNextIsElectedWhenTheLeadersMemberLeaves) {
  absl::Notification is_lost;
  LossReason reason = LossReason::kNone;
  ElectionOptions options = Candidate("bob");
  options.on_lost = [&](LossReason why) {
    reason = why;
    is_lost.Notify();
  };
  Election bob(second_.get(), "scheduler", std::move(options));
  Election ann(first_.get(), "scheduler");
  ASSERT_TRUE(bob.Campaign().ok());
  EXPECT_TRUE(second_->Leave().ok());
  EXPECT_TRUE(is_lost.WaitForNotificationWithTimeout(LongWait()));
  EXPECT_EQ(reason, LossReason::kLeft);
  EXPECT_FALSE(bob.is_leader());
  EXPECT_TRUE(bob.stop_token().stop_requested());
  EXPECT_TRUE(ann.Campaign().ok());
  EXPECT_EQ(LeaderOf(ann), first_->name());
  EXPECT_TRUE(absl::IsFailedPrecondition(bob.Campaign()));
}

TEST_F(ElectionTest, ADestroyedCandidateLeadsNoMore) {
  Election ann(first_.get(), "scheduler", Candidate("ann"));
  {
    Election bob(second_.get(), "scheduler", Candidate("bob"));
    ASSERT_TRUE(bob.Campaign().ok());
  }
  EXPECT_TRUE(ann.Campaign().ok());
}

TEST_F(ElectionTest, ACampaignIsCancelled) {
  Election ann(first_.get(), "scheduler", Candidate("ann"));
  Election bob(second_.get(), "scheduler", Candidate("bob"));
  ASSERT_TRUE(ann.Campaign().ok());
  std::stop_source source;
  absl::Status status;
  std::thread challenger([&] {
    status = bob.Campaign(absl::InfiniteDuration(), source.get_token());
  });
  while (first_->GetLocks("election/")->at(0).waiters == 0) {
    std::this_thread::yield();
  }
  // One campaign at a time.
  EXPECT_TRUE(absl::IsFailedPrecondition(bob.Campaign()));
  source.request_stop();
  challenger.join();
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
}

TEST_F(ElectionTest, ANameHasOneTo1000Bytes) {
  for (const size_t bytes : {size_t{0}, size_t{1001}}) {
    Election misnamed(first_.get(), std::string(bytes, 'x'));
    const absl::Status status = misnamed.Campaign();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_TRUE(absl::IsInvalidArgument(misnamed.Leader().status()));
    EXPECT_FALSE(misnamed.is_leader());
  }
  Election longest(first_.get(), std::string(1000, 'x'));
  EXPECT_TRUE(longest.Campaign().ok());
}

TEST_F(ElectionTest, ALabelIsAsLongAsAnOwner) {
  Election long_label(first_.get(), "scheduler",
                      Candidate(std::string(65, 'x')));
  const absl::Status status = long_label.Campaign();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
}

}  // namespace
}  // namespace cachalot
