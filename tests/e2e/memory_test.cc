// What agents remember after their end, and what they do with it.

#include "engine/memory.h"

#include <signal.h>
#include <stdlib.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "engine/ids.h"
#include "engine/options.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "io/state_dir.h"
#include "nlohmann/json.hpp"
#include "tools/base/child_process.h"
#include "tools/cli/agent_cluster.h"

namespace cachalot::tools {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr absl::Duration Patience() { return absl::Seconds(30); }

// One agent that names itself alone, again and again.
class MemoryTest : public testing::Test {
 protected:
  MemoryTest() {
    folder_ = "/tmp/cachalot-memory-XXXXXX";
    EXPECT_NE(mkdtemp(folder_.data()), nullptr);
    address_ = absl::StrCat("127.0.0.1:", FreePorts(1).value()[0]);
  }
  ~MemoryTest() override {
    agent_.reset();
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  std::string Path(const std::string& name) const {
    return absl::StrCat(folder_, "/", name);
  }
  std::string StateDirectory() const { return Path("state"); }

  std::vector<std::string> CommandLine(std::vector<std::string> flags) const {
    std::vector<std::string> line = {FindCachalot().value(),
                                     "agent",
                                     "--bind",
                                     address_,
                                     "--join",
                                     address_,
                                     "--socket",
                                     Path("socket"),
                                     "--birth-delay",
                                     "50ms",
                                     "--session-ttl",
                                     "1s"};
    if (has_state_dir_) {
      line.insert(line.end(), {"--state-dir", StateDirectory()});
    }
    line.insert(line.end(), flags.begin(), flags.end());
    return line;
  }
  void Start(std::vector<std::string> flags = {}) {
    agent_.emplace(ChildProcess::Start(CommandLine(std::move(flags))).value());
  }
  // One that is refused.
  CommandResult Run(std::vector<std::string> flags) const {
    return RunCommand(CommandLine(std::move(flags)), absl::Now() + Patience())
        .value();
  }
  void Kill() {
    agent_->Signal(SIGKILL);
    agent_->Wait(absl::Now() + Patience());
  }
  // Waits for a line of its log with `text` in it; all lines up to there.
  std::string AwaitLine(const std::string& text) {
    std::string lines;
    const absl::Time deadline = absl::Now() + Patience();
    while (const auto line = agent_->ReadLine(deadline)) {
      absl::StrAppend(&lines, *line, "\n");
      if (absl::StrContains(*line, text)) return lines;
    }
    ADD_FAILURE() << "no line with \"" << text << "\" in:\n" << lines;
    return lines;
  }
  std::string Ask(std::vector<std::string> command) const {
    command.insert(command.begin(), FindCachalot().value());
    command.insert(command.end(), {"--agent", Path("socket")});
    return RunCommand(std::move(command), absl::Now() + Patience())
        .value()
        .output;
  }
  json Status() const {
    return json::parse(Ask({"status", "--json"}), nullptr,
                       /*allow_exceptions=*/false);
  }
  uint64_t TakeAToken() const {
    const std::string text = Ask({"lock", "k", "--ttl", "1m", "--print-token"});
    uint64_t token = 0;
    EXPECT_TRUE(absl::SimpleAtoi(absl::StripSuffix(text, "\n"), &token))
        << text;
    return token;
  }

  std::string folder_;
  std::string address_;
  bool has_state_dir_ = true;
  std::optional<ChildProcess> agent_;
};

constexpr char kReady[] = "standing: ready";

TEST_F(MemoryTest, AFirstStartGrantsAtOnceAndRemembers) {
  Start();
  const std::string lines = AwaitLine(kReady);
  EXPECT_THAT(lines, HasSubstr("memory_read: start 1 with "));
  EXPECT_THAT(lines, HasSubstr("remembers no cluster"));
  EXPECT_THAT(lines, Not(HasSubstr("grants no lock for")));
  EXPECT_THAT(lines, Not(HasSubstr(" quarantined: ")));
  const json status = Status();
  EXPECT_EQ(status.value("state_dir", ""), StateDirectory());
  EXPECT_EQ(status.value("remembered", ""), status.value("cluster", "-"));
  EXPECT_EQ(status.value("to_do", "-"), "");
}

TEST_F(MemoryTest, WhoWasKilledFoundsNoSecondClusterUntilItIsForced) {
  Start();
  AwaitLine(kReady);
  const std::string first = Status().value("cluster", "");
  const uint64_t first_token = TakeAToken();
  Kill();

  Start();
  // By then it has listened a hundred times as long as a founder does.
  const std::string lines = AwaitLine("still_seeking: ");
  EXPECT_THAT(lines, HasSubstr("memory_read: start 2 with "));
  EXPECT_THAT(lines, Not(HasSubstr("cluster_founded")));
  EXPECT_THAT(lines, HasSubstr("founds no other"));
  const json status = Status();
  EXPECT_EQ(status.value("joined", true), false);
  EXPECT_EQ(status.value("remembered", ""), first);
  EXPECT_THAT(status.value("to_do", ""), AllOf(HasSubstr(first.substr(0, 8)),
                                               HasSubstr("it looks nowhere"),
                                               HasSubstr("--force-bootstrap")));
  EXPECT_THAT(Ask({"status"}), AllOf(HasSubstr(StateDirectory()),
                                     HasSubstr("--force-bootstrap")));
  Kill();

  const CommandResult refused = Run({"--bootstrap"});
  EXPECT_EQ(refused.exit_status.value, 2);
  EXPECT_THAT(
      refused.output,
      AllOf(HasSubstr("--bootstrap is for a cluster's first start"),
            HasSubstr(first.substr(0, 8)), HasSubstr("--force-bootstrap")));

  Start({"--force-bootstrap"});
  const std::string forced = AwaitLine(kReady);
  EXPECT_THAT(forced, AllOf(HasSubstr(" memory_forced: "),
                            HasSubstr(first.substr(0, 8))));
  EXPECT_THAT(forced, HasSubstr("grants no lock for"))
      << "holders of the first may still believe";
  EXPECT_NE(Status().value("cluster", first), first);
  EXPECT_GT(TakeAToken(), first_token);
}

// A clock that is set back a day must not bring tokens back.
TEST_F(MemoryTest, TokensRiseWhateverTheWallClockSays) {
  const uint64_t tomorrow =
      static_cast<uint64_t>(absl::ToUnixNanos(absl::Now() + absl::Hours(24)));
  {
    const auto state =
        StateDir::Open(StateDirectory(), kDefaultCluster).value();
    Memory memory = state->memory();
    memory.cluster = {1, 2};
    memory.tokens_seen = FencingToken(tomorrow);
    ASSERT_TRUE(state->Save(memory).ok());
  }
  Start({"--force-bootstrap"});
  AwaitLine(kReady);
  const uint64_t token = TakeAToken();
  EXPECT_GT(token, tomorrow);
  Kill();
  // And once more: it has remembered its own.
  Start({"--force-bootstrap"});
  AwaitLine(kReady);
  EXPECT_GT(TakeAToken(), token);
}

TEST_F(MemoryTest, WhoLeftLastFoundsAgainAtOnce) {
  Start();
  AwaitLine(kReady);
  const std::string first = Status().value("cluster", "");
  const uint64_t first_token = TakeAToken();
  EXPECT_THAT(Ask({"leave"}), HasSubstr("left"));
  agent_->Wait(absl::Now() + Patience());
  Start();
  const std::string lines = AwaitLine(kReady);
  EXPECT_THAT(lines, HasSubstr(", which is over"));
  EXPECT_THAT(lines, Not(HasSubstr("grants no lock for")));
  EXPECT_GT(TakeAToken(), first_token);
}

TEST_F(MemoryTest, WithoutAMemoryABirthIsQuarantinedAndSaysHowToAvoidIt) {
  has_state_dir_ = false;
  Start({"--state-dir="});
  const std::string lines = AwaitLine(" quarantined: ");
  EXPECT_THAT(lines, HasSubstr("memory_none: "));
  EXPECT_THAT(lines, HasSubstr("grants no lock for 1s"));
  const json status = Status();
  EXPECT_EQ(status.value("state_dir", "-"), "");
  if (!status.value("has_session", false)) {
    EXPECT_THAT(status.value("to_do", ""),
                AllOf(HasSubstr("wait for"), HasSubstr("--state-dir")));
  }
  AwaitLine(kReady);
  EXPECT_THAT(Ask({"status"}), HasSubstr("it has no --state-dir"));
}

TEST_F(MemoryTest, ADirectoryThatIsInUseIsRefused) {
  Start();
  AwaitLine("started: ");
  const CommandResult second = Run({"--name", "n2"});
  EXPECT_EQ(second.exit_status.value, 1);
  EXPECT_THAT(second.output,
              HasSubstr(absl::StrCat("in use by process ", agent_->pid())));
}

TEST_F(MemoryTest, AMemoryThatCannotBeUsedIsRefusedAndLeftAlone) {
  fs::create_directory(StateDirectory());
  const std::string file = absl::StrCat(StateDirectory(), "/memory");
  std::ofstream(file) << "Cachalot memory\n and no more";
  const CommandResult damaged = Run({});
  EXPECT_EQ(damaged.exit_status.value, 2);
  EXPECT_THAT(damaged.output, AllOf(HasSubstr(file), HasSubstr("is damaged")));
  std::ifstream left(file);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(left), {}),
            "Cachalot memory\n and no more");
  fs::remove(file);

  { ASSERT_TRUE(StateDir::Open(StateDirectory(), "billing").ok()); }
  const CommandResult other = Run({"--cluster", "orders"});
  EXPECT_EQ(other.exit_status.value, 2);
  EXPECT_THAT(other.output, AllOf(HasSubstr("is of the cluster \"billing\""),
                                  HasSubstr("\"orders\"")));
}

TEST_F(MemoryTest, NothingToForgetWithoutADirectory) {
  has_state_dir_ = false;
  const CommandResult result = Run({"--state-dir=", "--force-bootstrap"});
  EXPECT_EQ(result.exit_status.value, 2);
  EXPECT_THAT(result.output, HasSubstr("--force-bootstrap overrules what"));
}

// --- Three agents -----------------------------------------------------------

class MemoryOfThreeTest : public testing::Test {
 protected:
  MemoryOfThreeTest()
      : cluster_(
            AgentCluster::Create({.size = 3, .session_ttl = absl::Seconds(1)})
                .value()) {
    EXPECT_TRUE(cluster_.StartAll().ok());
    const absl::Status status = cluster_.AwaitVoters(0, Patience());
    EXPECT_TRUE(status.ok()) << status;
  }

  json Status(int agent) const { return cluster_.Ask(agent, {"status"}).body; }
  std::string ClusterOf(int agent) const {
    return Status(agent).value("cluster", "");
  }
  bool IsReady(int agent) const {
    return Status(agent).value("has_session", false);
  }

  uint64_t TokenOf(int agent) const {
    const json lock =
        cluster_.Ask(agent, {"lock", "k", "--ttl", "1m"}, Patience()).body;
    FencingToken token;
    token = FencingToken::Parse(lock.value("token", "")).value_or(token);
    EXPECT_FALSE(token.IsNone()) << lock;
    return token.number();
  }

  AgentCluster cluster_;
};

TEST_F(MemoryOfThreeTest, OneThatWasKilledFindsItsClusterByItsMemoryAlone) {
  const std::string first = ClusterOf(0);
  cluster_.Kill(2);
  ASSERT_TRUE(cluster_.Start(2, {}, {"127.0.0.1:1"}).ok());
  EXPECT_TRUE(Eventually("the third to be back", Patience(), [&] {
                return IsReady(2) && ClusterOf(2) == first;
              }).ok());
}

TEST_F(MemoryOfThreeTest, AfterALostMajorityTheFoundersAreForced) {
  const std::string first = ClusterOf(0);
  const uint64_t token = TokenOf(0);
  for (int i = 0; i < 3; ++i) cluster_.Kill(i);
  for (const int i : {1, 2}) ASSERT_TRUE(cluster_.Start(i).ok());
  for (const int i : {1, 2}) {
    EXPECT_TRUE(Eventually("what to do", Patience(), [&] {
                  return absl::StrContains(Status(i).value("to_do", ""),
                                           "--force-bootstrap");
                }).ok());
  }
  for (const int i : {1, 2}) cluster_.Kill(i);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(cluster_.Start(i, {"--force-bootstrap"}).ok());
  }
  const absl::Status all_vote = cluster_.AwaitVoters(0, Patience());
  EXPECT_TRUE(all_vote.ok()) << all_vote;
  EXPECT_NE(ClusterOf(0), first);
  EXPECT_EQ(ClusterOf(1), ClusterOf(0));
  EXPECT_EQ(ClusterOf(2), ClusterOf(0));
  EXPECT_GT(TokenOf(1), token);
}

}  // namespace
}  // namespace cachalot::tools
