#include "tests/readme/keeping.h"

#include <memory>
#include <stop_token>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cachalot/coordinator.h"
#include "gtest/gtest.h"

namespace {

cachalot::Coordinator* member = nullptr;
std::string holder;  // whoever held the lock that the function runs under

std::string OwnerOf(const std::string& key) {
  const auto locks = member->GetLocks(key);
  return locks.ok() && locks->size() == 1 ? "held by " + (*locks)[0].holder_name
                                          : "not held";
}

class KeepingTest : public testing::Test {
 protected:
  KeepingTest() {
    cachalot::CoordinatorOptions options;
    options.bind = "127.0.0.1:0";
    options.seeds = {"127.0.0.1:0"};
    options.bootstrap = true;
    options.name = "n1";
    options.birth_delay = absl::Milliseconds(20);
    coordinator_ = cachalot::Coordinator::Create(std::move(options)).value();
    member = coordinator_.get();
    EXPECT_TRUE(member->Connect(absl::Seconds(30)).ok());
    holder.clear();
  }

  std::unique_ptr<cachalot::Coordinator> coordinator_;
};

TEST_F(KeepingTest, TheBackupRunsUnderItsLock) {
  EXPECT_TRUE(BackUpOnce(*coordinator_).ok());
  EXPECT_EQ(holder, "held by n1");
  EXPECT_EQ(OwnerOf("backup"), "not held");
}

TEST_F(KeepingTest, TheShardIsKept) {
  {
    const auto shard = KeepShard(*coordinator_, {});
    ASSERT_TRUE(shard.ok()) << shard.status();
    EXPECT_EQ(OwnerOf("shard-7"), "held by n1");
    std::stop_source shutdown;
    shutdown.request_stop();
    EXPECT_TRUE(absl::IsCancelled(
        KeepShard(*coordinator_, shutdown.get_token()).status()));
  }
  EXPECT_TRUE(coordinator_->Lock("shard-7", absl::Seconds(1)).ok());
}

TEST_F(KeepingTest, TheLeaderLeads) {
  EXPECT_TRUE(Lead(*coordinator_, {}).ok());
  EXPECT_EQ(holder, "held by n1");
  EXPECT_EQ(OwnerOf("election/scheduler"), "not held");
}

}  // namespace

void BackUp(std::stop_token stop) {
  EXPECT_FALSE(stop.stop_requested());
  holder = OwnerOf("backup");
}

void Schedule(std::stop_token stop) {
  EXPECT_FALSE(stop.stop_requested());
  holder = OwnerOf("election/scheduler");
}
