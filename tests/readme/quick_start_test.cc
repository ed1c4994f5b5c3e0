#include "tests/readme/quick_start.h"

#include <string>

#include "absl/status/statusor.h"
#include "engine/address.h"
#include "gtest/gtest.h"
#include "io/socket.h"

std::string OwnAddress() {
  // Found once, so that the program is its own seed; free again by then.
  static const std::string address = [] {
    const absl::StatusOr<cachalot::BoundSockets> sockets =
        cachalot::BindSockets(cachalot::Address::V4(127, 0, 0, 1, 0));
    return sockets.ok() ? sockets->address.ToString() : std::string();
  }();
  return address;
}

namespace {

TEST(ReadmeTest, TheQuickStartTakesALock) {
  testing::internal::CaptureStdout();
  EXPECT_EQ(QuickStart(), 0);
  EXPECT_NE(testing::internal::GetCapturedStdout().find("mine for"),
            std::string::npos);
}

}  // namespace
