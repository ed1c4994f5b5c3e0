#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "io/socket.h"
#include "nlohmann/json.hpp"
#include "tools/base/child_process.h"
#include "tools/cli/agent_cluster.h"

namespace cachalot::tools {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

constexpr absl::Duration Patience() { return absl::Seconds(30); }

// A founder, whose log goes where a shell sends it.
class AgentLogTest : public testing::Test {
 protected:
  AgentLogTest() {
    folder_ = "/tmp/cachalot-log-XXXXXX";
    EXPECT_NE(mkdtemp(folder_.data()), nullptr);
    address_ = absl::StrCat("127.0.0.1:", FreePorts(1).value()[0]);
  }
  ~AgentLogTest() override {
    agent_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  std::string Path(const std::string& name) const {
    return absl::StrCat(folder_, "/", name);
  }
  std::string Socket() const { return Path("socket"); }

  // `output`: as a shell has it, "> FILE".
  void Start(const std::string& flags, const std::string& output) {
    const std::string command = absl::StrCat(
        "exec ", FindCachalot().value(), " agent --bind ", address_, " --join ",
        address_, " --birth-delay 50ms --state-dir ", Path("state"),
        " --socket ", Socket(), " ", flags, " ", output);
    agent_.emplace(ChildProcess::Start({"/bin/sh", "-c", command}).value());
  }
  CommandResult Ask(std::vector<std::string> command) {
    command.insert(command.begin(), FindCachalot().value());
    command.insert(command.end(), {"--agent", Socket()});
    return RunCommand(std::move(command), absl::Now() + Patience()).value();
  }
  void AwaitReady() {
    ASSERT_TRUE(Eventually("the agent to be ready", Patience(), [&] {
                  return absl::StrContains(Ask({"status"}).output, "ready");
                }).ok());
  }
  // Its exit code.
  int Leave() {
    EXPECT_EQ(Ask({"leave"}).exit_status.value, 0);
    const std::optional<ExitStatus> end =
        agent_->Wait(absl::Now() + Patience());
    return end.has_value() ? end->value : -1;
  }
  std::vector<std::string> LinesOf(const std::string& file) {
    std::stringstream text;
    text << std::ifstream(Path(file)).rdbuf();
    return absl::StrSplit(text.str(), '\n', absl::SkipEmpty());
  }

  std::string folder_;
  std::string address_;
  std::optional<ChildProcess> agent_;
};

TEST_F(AgentLogTest, LinesHaveADateALevelAndAnEvent) {
  Start("--name n1", absl::StrCat("> ", Path("log")));
  AwaitReady();
  EXPECT_EQ(Leave(), 0);
  const std::vector<std::string> lines = LinesOf("log");
  for (const std::string& line : lines) {
    EXPECT_THAT(line, MatchesRegex("20[0-9][0-9]-[01][0-9]-[0-3][0-9]T"
                                   "[0-2][0-9]:[0-5][0-9]:[0-6][0-9]"
                                   "\\.[0-9][0-9][0-9][-+][0-9][0-9]:[0-9][0-9]"
                                   " (info|warning) [a-z_]+: .+"));
  }
  EXPECT_THAT(lines, Contains(HasSubstr("started: n1 listens on")));
  EXPECT_THAT(lines, Contains(HasSubstr("cluster_founded: ")));
  EXPECT_THAT(lines, Contains(HasSubstr("leadership_won: ")));
  EXPECT_THAT(lines,
              Contains(HasSubstr("standing: ready: locks can be taken")));
  EXPECT_THAT(lines.back(), HasSubstr(" left: left"));
}

TEST_F(AgentLogTest, JsonLinesAreObjects) {
  Start("--log-format json --log-level debug", absl::StrCat("> ", Path("log")));
  AwaitReady();
  EXPECT_EQ(Ask({"try", "k\xff"}).exit_status.value, 0);
  EXPECT_EQ(Leave(), 0);
  std::vector<std::string> events;
  for (const std::string& line : LinesOf("log")) {
    const json body = json::parse(line, nullptr, /*allow_exceptions=*/false);
    ASSERT_TRUE(body.is_object()) << line;
    EXPECT_TRUE(body.contains("time")) << line;
    EXPECT_TRUE(body.contains("message")) << line;
    events.push_back(body.value("event", ""));
    if (events.back() == "lock_granted") {
      EXPECT_EQ(body.value("key_base64", ""), "a/8=");
    }
  }
  EXPECT_THAT(events, Contains("lock_granted"));
  EXPECT_THAT(events, Contains("decision"));
  EXPECT_THAT(events, Contains("left"));
}

TEST_F(AgentLogTest, TheLevelDecidesWhatIsTold) {
  Start("--log-level warning", absl::StrCat("> ", Path("log")));
  AwaitReady();
  EXPECT_EQ(Ask({"try", "k", "--ttl", "100ms"}).exit_status.value, 0);
  ASSERT_TRUE(Eventually("the loss to be told", Patience(), [&] {
                return !LinesOf("log").empty();
              }).ok());
  EXPECT_EQ(Leave(), 0);
  for (const std::string& line : LinesOf("log")) {
    EXPECT_THAT(line, HasSubstr(" warning "));
  }
  EXPECT_THAT(LinesOf("log"), Contains(HasSubstr("lock_lost: lost k")));
}

TEST_F(AgentLogTest, ANameForgesNoLine) {
  Start(
      "--name \"$(printf 'x\\n2026-01-01T00:00:00.000+00:00 info left: '"
      "'left\\033[2J')\"",
      absl::StrCat("> ", Path("log")));
  AwaitReady();
  EXPECT_THAT(Ask({"members"}).output,
              AllOf(HasSubstr("x\\x0a2026"), Not(HasSubstr("\x1b"))));
  EXPECT_THAT(Ask({"status"}).output,
              AllOf(HasSubstr("x\\x0a2026"), Not(HasSubstr("\x1b"))));
  EXPECT_EQ(Leave(), 0);
  for (const std::string& line : LinesOf("log")) {
    EXPECT_THAT(line, Not(HasSubstr("\x1b")));
    EXPECT_FALSE(absl::StartsWith(line, "2026-01-01T00:00:00.000")) << line;
  }
}

TEST_F(AgentLogTest, AnAgentOfAnotherClusterIsRefusedAndNamedOnBothSides) {
  Start("--cluster production", absl::StrCat("> ", Path("log")));
  AwaitReady();
  const std::string stray = absl::StrCat(
      "exec ", FindCachalot().value(), " agent --bind 127.0.0.1:0 --join ",
      address_, " --socket ", Path("stray"),
      " --state-dir= --cluster staging > ", Path("stray.log"));
  const ChildProcess other =
      ChildProcess::Start({"/bin/sh", "-c", stray}).value();
  const auto tells = [this](const std::string& name, const char* text) {
    const std::vector<std::string> lines = LinesOf(name);
    return std::any_of(lines.begin(), lines.end(),
                       [text](const std::string& line) {
                         return absl::StrContains(line, text);
                       });
  };
  ASSERT_TRUE(
      Eventually("both to say why they do not meet", Patience(), [&] {
        return tells("log", "its cluster is named staging, ours production") &&
               tells("stray.log", "its cluster is named production, ours stag");
      }).ok());
  EXPECT_THAT(Ask({"members"}).output, Not(HasSubstr("staging")));
  EXPECT_THAT(Ask({"status", "--json"}).output,
              HasSubstr("\"cluster_name\":\"production\""));
  EXPECT_EQ(Ask({"try", "k"}).exit_status.value, 0);
}

TEST_F(AgentLogTest, AReaderThatGoesAwayDoesNotEndTheAgent) {
  ASSERT_EQ(mkfifo(Path("fifo").c_str(), 0600), 0);
  FileDescriptor reader(
      open(Path("fifo").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  Start("--log-level debug", absl::StrCat("> ", Path("fifo")));
  AwaitReady();
  reader.Close();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Ask({"try", absl::StrCat("k", i)}).exit_status.value, 0);
  }
  // Somebody reads again.
  FileDescriptor second(
      open(Path("fifo").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  EXPECT_EQ(Leave(), 0);
  std::array<char, 1 << 16> buffer;
  const ssize_t count = read(second.get(), buffer.data(), buffer.size());
  ASSERT_GT(count, 0);
  EXPECT_THAT(std::string(buffer.data(), static_cast<size_t>(count)),
              HasSubstr("lines lost: Broken pipe"));
}

TEST_F(AgentLogTest, AReaderThatReadsNothingDoesNotStopTheAgent) {
  ASSERT_EQ(mkfifo(Path("fifo").c_str(), 0600), 0);
  const FileDescriptor reader(
      open(Path("fifo").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_GE(fcntl(reader.get(), F_SETPIPE_SZ, 4096), 0);
  Start("--log-level debug", absl::StrCat("> ", Path("fifo")));
  AwaitReady();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Ask({"try", absl::StrCat("k", i)}).exit_status.value, 0);
  }
  EXPECT_EQ(Leave(), 0);
}

TEST_F(AgentLogTest, AFullDiskAndAClosedOutputDoNotStopTheAgent) {
  for (const char* output : {"> /dev/full", ">&-", ">&- 2>&- <&-"}) {
    Start("--log-level debug", output);
    AwaitReady();
    EXPECT_EQ(Ask({"try", "k"}).exit_status.value, 0) << output;
    EXPECT_EQ(Leave(), 0) << output;
  }
}

struct BadFlag {
  std::vector<std::string> flags;
  std::string named;
};

TEST(AgentFlagsTest, AnErrorNamesTheFlagAndItsRange) {
  const std::vector<BadFlag> cases = {
      {{"--session-ttl", "1ms"}, "--session-ttl is 1ms, must be in [1s, 24h]"},
      {{"--heartbeat", "0"}, "--heartbeat is 0"},
      {{"--election-timeout", "10ms"}, "--election-timeout is 10ms"},
      {{"--heartbeat", "1s"}, "--election-timeout is 250ms, must be in [3s"},
      {{"--voters", "4"}, "--voters must be odd"},
      {{"--voters", "11"}, "--voters is 11, must be in [1, 9]"},
      {{"--probe-timeout", "1s"},
       "--probe-timeout must be less than half of --probe-interval"},
      {{"--probe-interval", "1ms"}, "--probe-interval is 1ms"},
      {{"--leave-timeout", "2h"}, "--leave-timeout is 2h"},
      {{"--birth-delay", "2h"}, "--birth-delay is 2h"},
      {{"--clock-error", "-1"}, "--clock-error is -1"},
      {{"--request-timeout", "0"}, "--request-timeout is 0"},
      {{"--pause-tolerance", "2h"}, "--pause-tolerance is 2h"},
      {{"--promote-after", "25h"}, "--promote-after is 25h"},
      {{"--replace-voter-after", "25h"}, "--replace-voter-after is 25h"},
      {{"--forget-after", "1ms"}, "--forget-after is 1ms"},
      {{"--founders", "n1,n2,n1"}, "--founders must be different names"},
      {{"--name", std::string(300, 'n')}, "the length of --name is 300"},
      {{"--log-level", "loud"}, "--log-level: \"loud\" is none of debug"},
      {{"--log-format", "xml"}, "--log-format: \"xml\" is none of text, json"},
      {{"--heartbeat", "soon"}, "\"soon\" is not a duration"},
  };
  for (const BadFlag& each : cases) {
    std::vector<std::string> command = {FindCachalot().value(),
                                        "agent",
                                        "--bind",
                                        "127.0.0.1:0",
                                        "--join",
                                        "127.0.0.1:7946",
                                        "--socket",
                                        "/tmp/cachalot-no-such-agent.sock",
                                        "--state-dir="};
    command.insert(command.end(), each.flags.begin(), each.flags.end());
    const CommandResult result =
        RunCommand(std::move(command), absl::Now() + Patience()).value();
    EXPECT_EQ(result.exit_status.value, 2) << each.named;
    EXPECT_THAT(result.output, HasSubstr(each.named));
  }
}

TEST(AgentFlagsTest, WhoFoundsNothingMustNameAnother) {
  const CommandResult result =
      RunCommand({FindCachalot().value(), "agent", "--bind", "127.0.0.1:7946",
                  "--join", "127.0.0.1:7946", "--founders", "n2,n3", "--socket",
                  "/tmp/cachalot-no-such-agent.sock", "--state-dir="},
                 absl::Now() + Patience())
          .value();
  EXPECT_EQ(result.exit_status.value, 2);
  EXPECT_THAT(result.output,
              AllOf(HasSubstr("--founders"), HasSubstr("--join")));
}

TEST(VersionTest, SaysWhichVersionAndWhichWireVersion) {
  const CommandResult result = RunCommand({FindCachalot().value(), "--version"},
                                          absl::Now() + Patience())
                                   .value();
  EXPECT_EQ(result.exit_status.value, 0);
  EXPECT_THAT(result.output, MatchesRegex("cachalot [0-9]+\\.[0-9]+\\.[0-9]+ "
                                          "\\(wire version [0-9]+\\)\n"));
}

}  // namespace
}  // namespace cachalot::tools
