#include "io/log.h"

#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "engine/address.h"
#include "engine/instant.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "io/log_event.h"
#include "tests/io/kept_log.h"

namespace cachalot {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

TEST(LogEventTest, TheListIsInTheOrderOfTheEnumAndNamesAreUnique) {
  std::vector<absl::string_view> names;
  for (size_t i = 0; i < LogEvents().size(); ++i) {
    const LogEventInfo& info = LogEvents()[i];
    EXPECT_EQ(static_cast<size_t>(info.event), i) << info.name;
    EXPECT_THAT(names, Not(testing::Contains(info.name)));
    names.push_back(info.name);
  }
  EXPECT_EQ(LogEvents().back().event, LogEvent::kLocalClientRefused);
}

TEST(LogTest, NoTextIsMadeIfNobodyListens) {
  const auto make = []() -> LogText {
    ADD_FAILURE() << "text was made";
    return {};
  };
  LogTo(nullptr, LogEvent::kStarted, make);
  KeptLog kept;
  const std::unique_ptr<Logger> logger =
      Logger::Create(LogLevel::kWarning, kept.Function()).value();
  LogTo(logger.get(), LogEvent::kStarted, make);
  RateLimitedLog limited(nullptr);
  limited.Write(FastInstant(), LogEvent::kStrangerRefused, Address(), make);
}

TEST(LoggerTest, WritesInOrderWhatIsAtItsLevel) {
  KeptLog kept;
  const std::unique_ptr<Logger> logger =
      Logger::Create(LogLevel::kInfo, kept.Function()).value();
  logger->Write(LogEvent::kDecision, {"debug"});
  logger->Write(LogEvent::kStarted, {"info"});
  logger->Write(LogEvent::kLockLost, {"warning"});
  EXPECT_TRUE(logger->Stop(absl::InfiniteDuration()));
  logger->Write(LogEvent::kStarted, {"too late"});
  EXPECT_THAT(kept.Messages(), ElementsAre("info", "warning"));
}

TEST(LoggerTest, AFunctionThatBlocksCostsRecordsThatAreCounted) {
  KeptLog kept;
  absl::Notification begun;
  absl::Notification go_on;
  const LogFunction keep = kept.Function();
  const std::unique_ptr<Logger> logger =
      Logger::Create(LogLevel::kInfo, [&](const LogRecord& record) {
        if (!begun.HasBeenNotified()) begun.Notify();
        go_on.WaitForNotification();
        keep(record);
      }).value();
  logger->Write(LogEvent::kStarted, {"first"});
  begun.WaitForNotification();
  for (size_t i = 0; i < Logger::kQueueMax + 17; ++i) {
    logger->Write(LogEvent::kStanding, {"more"});
  }
  EXPECT_EQ(logger->lost(), 17u);
  EXPECT_THAT(kept.Messages(), IsEmpty());
  go_on.Notify();
  EXPECT_TRUE(logger->Stop(absl::InfiniteDuration()));
  EXPECT_THAT(kept.Records(), SizeIs(Logger::kQueueMax + 2));
  EXPECT_EQ(kept.Records().back().event, LogEvent::kLinesLost);
  EXPECT_THAT(kept.Messages().back(), HasSubstr("17 lines lost"));
}

TEST(LoggerTest, NoTextIsMadeForAFullQueue) {
  absl::Notification begun;
  absl::Notification go_on;
  const std::unique_ptr<Logger> logger =
      Logger::Create(LogLevel::kInfo, [&](const LogRecord&) {
        if (!begun.HasBeenNotified()) begun.Notify();
        go_on.WaitForNotification();
      }).value();
  logger->Write(LogEvent::kStarted, {"first"});
  begun.WaitForNotification();
  int made = 0;
  for (size_t i = 0; i < 2 * Logger::kQueueMax; ++i) {
    LogTo(logger.get(), LogEvent::kLockLost, [&] {
      ++made;
      return LogText{"lost"};
    });
  }
  EXPECT_EQ(made, static_cast<int>(Logger::kQueueMax));
  EXPECT_EQ(logger->lost(), Logger::kQueueMax);
  go_on.Notify();
}

TEST(LoggerTest, StoppingIsBoundedAlsoWhileTheFunctionBlocks) {
  // Owned by the function, since it outlives the test's locals.
  auto go_on = std::make_shared<absl::Notification>();
  auto has_ended = std::make_shared<absl::Notification>();
  {
    const std::unique_ptr<Logger> logger =
        Logger::Create(LogLevel::kInfo, [go_on, has_ended](const LogRecord&) {
          go_on->WaitForNotification();
          has_ended->Notify();
        }).value();
    logger->Write(LogEvent::kStarted, {"blocks"});
    EXPECT_FALSE(logger->Stop(absl::Milliseconds(10)));
  }  // nor does the destructor wait
  go_on->Notify();
  has_ended->WaitForNotification();
}

// As the destructor of a member whose log is slow: it waits for one call, not
// for all that is queued.
TEST(LoggerTest, StoppingDoesNotWaitForAllThatIsQueued) {
  KeptLog kept;
  absl::Notification begun;
  absl::Notification never;
  const LogFunction keep = kept.Function();
  const std::unique_ptr<Logger> logger =
      Logger::Create(LogLevel::kInfo, [&](const LogRecord& record) {
        keep(record);
        if (begun.HasBeenNotified()) return;
        begun.Notify();
        never.WaitForNotificationWithTimeout(Logger::kLastWordsMax +
                                             absl::Milliseconds(50));
      }).value();
  logger->Write(LogEvent::kStarted, {"first"});
  begun.WaitForNotification();
  for (int i = 0; i < 3; ++i) logger->Write(LogEvent::kStanding, {"more"});
  EXPECT_TRUE(logger->Stop(absl::InfiniteDuration()));
  EXPECT_THAT(kept.Messages(), ElementsAre("first", HasSubstr("3 lines lost")));
  EXPECT_EQ(logger->lost(), 3u);
}

TEST(LoggerTest, AForkedChildWritesNothingAndEnds) {
  KeptLog kept;
  std::unique_ptr<Logger> logger =
      Logger::Create(LogLevel::kInfo, kept.Function()).value();
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);  // seconds, should it hang
    logger->Write(LogEvent::kStarted, {"child"});
    logger.reset();
    _exit(kept.Messages().empty() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(ToLineTest, HasDateZoneLevelAndEvent) {
  LogRecord record;
  record.time = absl::FromUnixMillis(1764329331123);
  record.level = LogLevel::kWarning;
  record.event = LogEvent::kLockLost;
  record.message = "lost a";
  EXPECT_EQ(ToLine(record, absl::UTCTimeZone()),
            "2025-11-28T11:28:51.123+00:00 warning lock_lost: lost a");
  EXPECT_THAT(ToLine(record, absl::FixedTimeZone(3600)),
              HasSubstr("2025-11-28T12:28:51.123+01:00"));
}

TEST(ToLineTest, NoMessageMakesASecondLine) {
  LogRecord record;
  record.message = "x\n2025-11-28T11:28:51.123+00:00 info\r\x1b[2J\x7f";
  EXPECT_THAT(ToLine(record, absl::UTCTimeZone()),
              HasSubstr("x\\x0a2025-11-28T11:28:51.123+00:00 "
                        "info\\x0d\\x1b[2J\\x7f"));
}

class RateLimitedLogTest : public testing::Test {
 protected:
  std::vector<std::string> Messages() {
    logger_->Stop(absl::InfiniteDuration());
    return kept_.Messages();
  }
  void Write(absl::Duration at, LogEvent event, uint8_t host) {
    log_.Write(FastInstant() + at, event, Address::V4(10, 0, 0, host, 7946),
               [&] { return LogText{absl::StrCat("host ", host)}; });
  }

  KeptLog kept_;
  const std::unique_ptr<Logger> logger_ =
      Logger::Create(LogLevel::kInfo, kept_.Function()).value();
  RateLimitedLog log_{
      logger_.get(),
      {.interval = absl::Seconds(60), .records_max = 3, .addresses_max = 4}};
};

TEST_F(RateLimitedLogTest, OneOfAnAddressInAnInterval) {
  for (int second = 0; second < 60; ++second) {
    Write(absl::Seconds(second), LogEvent::kStrangerRefused, 1);
  }
  Write(absl::Seconds(60), LogEvent::kStrangerRefused, 1);
  EXPECT_THAT(Messages(),
              ElementsAre("host 1", "host 1 (59 times more before)"));
  const LogRecord last = kept_.Records().back();
  EXPECT_EQ(last.fields[0].name, "address");
  EXPECT_EQ(std::get<std::string>(last.fields[0].value), "10.0.0.1:7946");
  EXPECT_EQ(last.fields[1].name, "repeats");
  EXPECT_EQ(std::get<uint64_t>(last.fields[1].value), 59u);
}

TEST_F(RateLimitedLogTest, WhatIsAboutNoAddressNamesNone) {
  for (int i = 0; i < 3; ++i) {
    log_.Write(FastInstant(), LogEvent::kDescriptorsShort, Address(), [] {
      return LogText{"short", {{"reason", std::string("short")}}};
    });
  }
  EXPECT_THAT(Messages(), ElementsAre("short"));
  EXPECT_EQ(FieldNames(kept_.Records()[0]), "reason, repeats, others");
}

TEST_F(RateLimitedLogTest, EventsAreCountedApart) {
  Write(absl::Seconds(1), LogEvent::kStrangerRefused, 1);
  Write(absl::Seconds(1), LogEvent::kPeerUnreachable, 1);
  EXPECT_THAT(Messages(), ElementsAre("host 1", "host 1"));
}

TEST_F(RateLimitedLogTest, ManyAddressesMakeFewRecords) {
  for (uint8_t host = 0; host < 200; ++host) {
    Write(absl::Seconds(1), LogEvent::kStrangerRefused, host);
  }
  Write(absl::Seconds(61), LogEvent::kStrangerRefused, 250);
  EXPECT_THAT(Messages(),
              ElementsAre("host 0", "host 1", "host 2",
                          "host 250 (and 197 from other addresses)"));
}

TEST_F(RateLimitedLogTest, MemoryIsBoundedAndWhatIsForgottenIsCounted) {
  Write(absl::Seconds(0), LogEvent::kStrangerRefused, 1);
  Write(absl::Seconds(1), LogEvent::kStrangerRefused, 1);
  for (uint8_t host = 2; host < 5; ++host) {
    Write(absl::Seconds(70), LogEvent::kStrangerRefused, host);
  }
  Write(absl::Seconds(140), LogEvent::kStrangerRefused, 5);
  Write(absl::Seconds(141), LogEvent::kStrangerRefused, 6);
  EXPECT_THAT(Messages(),
              ElementsAre("host 1", "host 2", "host 3", "host 4",
                          "host 5 (and 1 from other addresses)", "host 6"));
}

}  // namespace
}  // namespace cachalot
