#include <iostream>
#include <string>

#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "io/coordinator.h"

// The lines of io/README.md, as they stand there.
void SetLog(cachalot::CoordinatorOptions& options) {
#include "tests/readme/log_example.inc"
}

namespace cachalot {
namespace {

TEST(ReadmeTest, TheLogExampleLogs) {
  CoordinatorOptions options;
  options.bind = "127.0.0.1:0";
  options.seeds = {"127.0.0.1:0"};
  options.bootstrap = true;
  options.birth_delay = absl::ZeroDuration();
  options.name = "n1";
  SetLog(options);
  testing::internal::CaptureStderr();
  {
    const auto coordinator = Coordinator::Create(options);
    ASSERT_TRUE(coordinator.ok()) << coordinator.status();
    ASSERT_TRUE((*coordinator)->Leave().ok());
  }
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, testing::HasSubstr("info started: n1 listens on 127.0.0.1"));
  EXPECT_THAT(log, testing::HasSubstr("info left: left\n"));
}

}  // namespace
}  // namespace cachalot
