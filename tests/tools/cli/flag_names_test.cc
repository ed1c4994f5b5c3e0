#include "tools/cli/flag_names.h"

#include "gtest/gtest.h"

namespace cachalot::tools {
namespace {

TEST(NameFlagsTest, FieldsBecomeFlags) {
  EXPECT_EQ(NameFlags("lease.session_ttl is 1ms, must be in [1s, 24h]"),
            "--session-ttl is 1ms, must be in [1s, 24h]");
  EXPECT_EQ(NameFlags("membership.probe_timeout must be less than half of "
                      "probe_interval"),
            "--probe-timeout must be less than half of --probe-interval");
  EXPECT_EQ(NameFlags("consensus.voters_max must be odd"),
            "--voters must be odd");
  EXPECT_EQ(NameFlags("voters_max is 12, must be in [1, 9]"),
            "--voters is 12, must be in [1, 9]");
  EXPECT_EQ(NameFlags("name's size is 300, must be in [0, 255]"),
            "the length of --name is 300, must be in [0, 255]");
}

TEST(NameFlagsTest, OtherTextStaysAsItIs) {
  for (const char* text : {"", "bind 127.0.0.1:7946: Address already in use",
                           "\"lease.session_ttl\" is no host",
                           "consensus.compact_after_bytes must be above 0",
                           "session_ttls are not known", "lease."}) {
    EXPECT_EQ(NameFlags(text), text);
  }
}

}  // namespace
}  // namespace cachalot::tools
