#include "tests/readme/fencing.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "cachalot/coordinator.h"
#include "gtest/gtest.h"

namespace {

TEST(FencingTest, TheFunctionOfThePageHandsItsTokenOn) {
  cachalot::CoordinatorOptions options;
  options.bind = "127.0.0.1:0";
  options.seeds = {"127.0.0.1:0"};
  options.bootstrap = true;
  options.birth_delay = absl::ZeroDuration();
  const auto coordinator =
      cachalot::Coordinator::Create(std::move(options)).value();
  Account account;
  ASSERT_TRUE(SetBalance(*coordinator, account, 50).ok());
  ASSERT_TRUE(SetBalance(*coordinator, account, 70).ok());
  ASSERT_EQ(account.tokens().size(), 2u);

  EXPECT_TRUE(
      absl::IsFailedPrecondition(account.Write(50, account.tokens()[0])))
      << "late, of the first holder";
  EXPECT_EQ(account.balance(), 70);
}

}  // namespace
