#include "tools/cli/log_output.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "io/log.h"
#include "io/log_event.h"
#include "io/socket.h"
#include "tools/base/json_text.h"

namespace cachalot::tools {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

LogRecord Record(std::string message) {
  LogRecord record;
  record.time = absl::FromUnixMillis(1764329331123);
  record.event = LogEvent::kStarted;
  record.message = std::move(message);
  return record;
}

struct Pipe {
  Pipe() {
    std::array<int, 2> ends;
    EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
    read_end = FileDescriptor(ends[0]);
    write_end = FileDescriptor(ends[1]);
  }
  // All that was written, once the write end is closed.
  std::string ReadAll() {
    write_end.Close();
    std::string text;
    std::array<char, 4096> buffer;
    ssize_t count = 0;
    while ((count = read(read_end.get(), buffer.data(), buffer.size())) > 0) {
      text.append(buffer.data(), static_cast<size_t>(count));
    }
    return text;
  }
  FileDescriptor read_end;
  FileDescriptor write_end;
};

TEST(FormatLogTest, JsonIsOneObjectWithTheFieldsAsTheyAre) {
  LogRecord record = Record("n1 listens");
  record.fields = {{"name", std::string("n\n1")},
                   {"locks", uint64_t{7}},
                   {"left_ms", int64_t{-3}},
                   {"joined", true},
                   {"key", std::string("\xff\x00", 2)}};
  const std::string line =
      FormatLog(record, LogFormat::kJson, absl::UTCTimeZone());
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const Json body = Json::parse(line);
  EXPECT_EQ(body["time"], "2025-11-28T11:28:51.123+00:00");
  EXPECT_EQ(body["level"], "info");
  EXPECT_EQ(body["event"], "started");
  EXPECT_EQ(body["message"], "n1 listens");
  EXPECT_EQ(body["name"], "n\n1");
  EXPECT_EQ(body["locks"], 7);
  EXPECT_EQ(body["left_ms"], -3);
  EXPECT_EQ(body["joined"], true);
  EXPECT_EQ(ReadText(body, "key"), std::string("\xff\x00", 2));
}

TEST(LogOutputTest, WritesALineForEachRecord) {
  Pipe pipe;
  LogOutput output(pipe.write_end.get(), LogFormat::kText, absl::UTCTimeZone());
  output.Write(Record("first"));
  output.Write(Record("second"));
  EXPECT_EQ(pipe.ReadAll(),
            "2025-11-28T11:28:51.123+00:00 info started: first\n"
            "2025-11-28T11:28:51.123+00:00 info started: second\n");
}

TEST(LogOutputTest, AReaderThatIsGoneCostsLinesAndNothingElse) {
  Pipe pipe;
  std::unique_ptr<Logger> logger =
      Logger::Create(LogLevel::kInfo, [output = std::make_shared<LogOutput>(
                                           pipe.write_end.get(),
                                           LogFormat::kText,
                                           absl::UTCTimeZone())](
                                          const LogRecord& record) {
        output->Write(record);
      }).value();
  pipe.read_end.Close();
  ASSERT_EQ(signal(SIGPIPE, SIG_DFL), SIG_DFL);  // it would end this process
  for (int i = 0; i < 100; ++i) logger->Write(Record("nobody reads this"));
  EXPECT_TRUE(logger->Stop(absl::InfiniteDuration()));
}

TEST(LogOutputTest, WhatWasLostIsToldWhenWritingWorksAgain) {
  const std::string path = absl::StrCat(testing::TempDir(), "/log_output_fifo");
  unlink(path.c_str());
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  FileDescriptor first_reader(open(path.c_str(), O_RDONLY | O_NONBLOCK));
  const FileDescriptor writer(open(path.c_str(), O_WRONLY));
  ASSERT_EQ(signal(SIGPIPE, SIG_IGN), SIG_DFL);
  LogOutput output(writer.get(), LogFormat::kText, absl::UTCTimeZone());
  first_reader.Close();
  for (int i = 0; i < 17; ++i) output.Write(Record("lost"));
  FileDescriptor second_reader(open(path.c_str(), O_RDONLY | O_NONBLOCK));
  output.Write(Record("heard"));
  std::array<char, 4096> buffer;
  const ssize_t count = read(second_reader.get(), buffer.data(), buffer.size());
  ASSERT_GT(count, 0);
  EXPECT_THAT(std::string(buffer.data(), static_cast<size_t>(count)),
              MatchesRegex(".*warning lines_lost: 17 lines lost: Broken pipe\n"
                           ".*: heard\n"));
  signal(SIGPIPE, SIG_DFL);
}

// /dev/full is a disk without space.
TEST(LogOutputTest, AFullDiskCostsLinesAndNothingElse) {
  const FileDescriptor full(open("/dev/full", O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(full.is_open());
  LogOutput output(full.get(), LogFormat::kText, absl::UTCTimeZone());
  for (int i = 0; i < 100; ++i) output.Write(Record("no space"));
}

TEST(LogOutputTest, APipeThatNobodyReadsFillsUpAndStoppingIsBounded) {
  auto pipe = std::make_shared<Pipe>();
  ASSERT_GE(fcntl(pipe->write_end.get(), F_SETPIPE_SZ, 4096), 0);
  std::unique_ptr<Logger> logger =
      Logger::Create(LogLevel::kInfo,
                     [pipe, output = std::make_shared<LogOutput>(
                                pipe->write_end.get(), LogFormat::kText,
                                absl::UTCTimeZone())](const LogRecord& record) {
                       output->Write(record);
                     })
          .value();
  for (size_t i = 0; i < 2 * Logger::kQueueMax; ++i) {
    logger->Write(Record(std::string(100, 'x')));
  }
  EXPECT_GT(logger->lost(), 0u);
  EXPECT_FALSE(logger->Stop(absl::Milliseconds(10)));
  logger.reset();
  // Let the thread end before the test does.
  std::array<char, 4096> buffer;
  while (pipe.use_count() > 1) {
    pollfd readable = {
        .fd = pipe->read_end.get(), .events = POLLIN, .revents = 0};
    if (poll(&readable, 1, 1) == 0) continue;
    ASSERT_GT(read(pipe->read_end.get(), buffer.data(), buffer.size()), 0);
  }
}

TEST(LogOutputTest, ANonBlockingDescriptorLosesNothing) {
  Pipe pipe;
  ASSERT_GE(fcntl(pipe.write_end.get(), F_SETPIPE_SZ, 4096), 0);
  ASSERT_EQ(fcntl(pipe.write_end.get(), F_SETFL, O_NONBLOCK), 0);
  constexpr int kLines = 200;
  std::string text;
  std::thread reader([&] {
    std::array<char, 512> buffer;
    ssize_t count = 0;
    while ((count = read(pipe.read_end.get(), buffer.data(), buffer.size())) >
           0) {
      text.append(buffer.data(), static_cast<size_t>(count));
    }
  });
  LogOutput output(pipe.write_end.get(), LogFormat::kText, absl::UTCTimeZone());
  for (int i = 0; i < kLines; ++i) output.Write(Record(std::string(100, 'x')));
  pipe.write_end.Close();
  reader.join();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), kLines);
  EXPECT_THAT(text, Not(HasSubstr("lost")));
}

}  // namespace
}  // namespace cachalot::tools
