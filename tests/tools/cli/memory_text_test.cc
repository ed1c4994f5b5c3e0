#include "tools/cli/memory_text.h"

#include <string>

#include "absl/time/time.h"
#include "engine/address.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "io/agent_status.h"

namespace cachalot::tools {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

AgentStatus Seeking() {
  AgentStatus status;
  status.seeds = {Address::V4(10, 0, 0, 1, 7946), Address::V4(10, 0, 0, 2, 1)};
  return status;
}

TEST(MemoryTextTest, SaysWhatIsRememberedAndWhere) {
  AgentStatus status;
  EXPECT_THAT(MemoryInWords(status), HasSubstr("none"));
  status.memory.state_dir = "/a\n/b";
  EXPECT_EQ(MemoryInWords(status), "no cluster, in /a\\x0a/b");
  status.memory.cluster = {0x1122334455667788, 1};
  EXPECT_THAT(MemoryInWords(status), HasSubstr("cluster 1122334455667788"));
  status.memory.has_left = true;
  EXPECT_THAT(MemoryInWords(status), HasSubstr(", which it left, in "));
}

TEST(MemoryTextTest, WhoIsInAClusterHasNothingToDo) {
  AgentStatus status = Seeking();
  status.standing.joined = true;
  EXPECT_EQ(WhatToDo(status), "");
}

TEST(MemoryTextTest, WhoSeeksSaysWhere) {
  const std::string text = WhatToDo(Seeking());
  EXPECT_THAT(text, HasSubstr("10.0.0.1:7946, 10.0.0.2:1"));
  EXPECT_THAT(text, Not(HasSubstr("--force-bootstrap")));
  EXPECT_THAT(WhatToDo(AgentStatus()), HasSubstr("nowhere"));
}

TEST(MemoryTextTest, WhoRemembersAClusterSaysHowToForgetIt) {
  AgentStatus status = Seeking();
  status.memory = {.state_dir = "/s", .cluster = {0x1122334455667788, 1}};
  EXPECT_THAT(WhatToDo(status),
              AllOf(HasSubstr("10.0.0.1:7946"), HasSubstr("cluster 11223344"),
                    HasSubstr("--join"), HasSubstr("--force-bootstrap")));
}

TEST(MemoryTextTest, AQuarantineSaysHowLongAndHowToAvoidIt) {
  AgentStatus status = Seeking();
  status.standing.joined = true;
  status.quarantine = absl::Seconds(8);
  EXPECT_THAT(WhatToDo(status),
              AllOf(HasSubstr("wait for 8s"), HasSubstr("--state-dir"),
                    HasSubstr("--bootstrap")));
}

}  // namespace
}  // namespace cachalot::tools
