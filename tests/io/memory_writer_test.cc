#include "io/memory_writer.h"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "engine/ids.h"
#include "engine/memory.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "io/log.h"
#include "io/log_event.h"
#include "tests/io/kept_log.h"

namespace cachalot {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Never needed when all is well.
constexpr std::chrono::seconds kPatience(5);

// A disk that answers each write when it is told to, and with what.
class Disk {
 public:
  absl::Status Write(const Memory& memory) {
    std::unique_lock<std::mutex> lock(mutex_);
    begun_.push_back(memory.starts);
    has_changed_.notify_all();
    has_changed_.wait(
        lock, [this] { return !answers_.empty() || always_.has_value(); });
    const absl::Status answer =
        always_.has_value() ? *always_ : answers_.front();
    if (!always_.has_value()) answers_.pop_front();
    if (answer.ok()) written_.push_back(memory.starts);
    return answer;
  }

  void Answer(absl::Status status) {
    const std::lock_guard<std::mutex> lock(mutex_);
    answers_.push_back(std::move(status));
    has_changed_.notify_all();
  }
  void AlwaysAnswer(absl::Status status) {
    const std::lock_guard<std::mutex> lock(mutex_);
    always_ = std::move(status);
    has_changed_.notify_all();
  }
  // Waits until so many writes have begun, over all.
  void AwaitWrites(size_t count) {
    std::unique_lock<std::mutex> lock(mutex_);
    EXPECT_TRUE(has_changed_.wait_for(lock, kPatience,
                                      [&] { return begun_.size() >= count; }));
  }
  // The memories of the writes, by their numbers of starts.
  std::vector<uint64_t> begun() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return begun_;
  }
  std::vector<uint64_t> written() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return written_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable has_changed_;
  std::deque<absl::Status> answers_;
  std::optional<absl::Status> always_;
  std::vector<uint64_t> begun_;
  std::vector<uint64_t> written_;
};

absl::Status Full() { return absl::ResourceExhaustedError("the disk is full"); }

class MemoryWriterTest : public testing::Test {
 protected:
  MemoryWriterTest() {
    writer_ = MemoryWriter::Create(
                  {.write = [disk = disk_](
                                const Memory& m) { return disk->Write(m); },
                   .log = log_,
                   .retry_min = absl::Milliseconds(1),
                   .retry_max = absl::Milliseconds(2),
                   .repeat = absl::Hours(1)})
                  .value();
    writer_->set_on_saved([this](SaveId save) {
      const std::lock_guard<std::mutex> lock(mutex_);
      saved_.push_back(save.value());
      has_saved_.notify_all();
    });
  }

  ~MemoryWriterTest() override { disk_->AlwaysAnswer(absl::OkStatus()); }

  // Memories are told apart by their number of starts.
  void Save(uint64_t save) {
    writer_->Save(SaveId(save), {.starts = 100 + save});
  }
  void AwaitSaved(uint64_t save) {
    std::unique_lock<std::mutex> lock(mutex_);
    EXPECT_TRUE(has_saved_.wait_for(lock, kPatience, [&] {
      return !saved_.empty() && saved_.back() == save;
    }));
  }
  std::vector<uint64_t> saved() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return saved_;
  }

  const std::shared_ptr<Disk> disk_ = std::make_shared<Disk>();
  KeptLog records_;
  const std::shared_ptr<Logger> log_ =
      Logger::Create(LogLevel::kDebug, records_.Function()).value();
  std::mutex mutex_;
  std::condition_variable has_saved_;
  std::vector<uint64_t> saved_;
  std::unique_ptr<MemoryWriter> writer_;
};

TEST_F(MemoryWriterTest, ReportsASaveWhenItIsWrittenAndNotBefore) {
  Save(1);
  disk_->AwaitWrites(1);
  EXPECT_THAT(saved(), IsEmpty());
  disk_->Answer(absl::OkStatus());
  AwaitSaved(1);
  EXPECT_THAT(disk_->written(), ElementsAre(101));
  EXPECT_TRUE(writer_->Stop(absl::InfiniteDuration()));
  EXPECT_EQ(records_.Records().size(), 0);
}

TEST_F(MemoryWriterTest, TheNewestReplacesThoseThatWait) {
  Save(1);
  disk_->AwaitWrites(1);
  Save(3);
  Save(4);
  Save(7);
  disk_->Answer(absl::OkStatus());
  disk_->Answer(absl::OkStatus());
  AwaitSaved(7);
  EXPECT_THAT(saved(), ElementsAre(1, 7));
  EXPECT_THAT(disk_->written(), ElementsAre(101, 107));
}

TEST_F(MemoryWriterTest, TriesAgainAndReportsNothingMeanwhile) {
  Save(1);
  for (size_t i = 1; i <= 5; ++i) {
    disk_->AwaitWrites(i);
    ASSERT_THAT(saved(), IsEmpty());
    disk_->Answer(Full());
  }
  disk_->AwaitWrites(6);
  EXPECT_EQ(writer_->problem(), "the disk is full");
  disk_->Answer(absl::OkStatus());
  AwaitSaved(1);
  EXPECT_EQ(writer_->problem(), "");
}

TEST_F(MemoryWriterTest, ATryThatIsRepeatedWritesTheNewest) {
  Save(1);
  disk_->AwaitWrites(1);
  Save(2);
  disk_->Answer(Full());
  disk_->AwaitWrites(2);
  disk_->Answer(absl::OkStatus());
  AwaitSaved(2);
  EXPECT_THAT(disk_->begun(), ElementsAre(101, 102));
}

TEST_F(MemoryWriterTest, SaysOnceThatItFailsAndOnceThatItIsOver) {
  Save(1);
  for (int i = 0; i < 3; ++i) disk_->Answer(Full());
  disk_->Answer(absl::OkStatus());
  AwaitSaved(1);
  EXPECT_TRUE(writer_->Stop(absl::InfiniteDuration()));
  log_->Stop(absl::InfiniteDuration());
  ASSERT_EQ(records_.Records().size(), 2);
  EXPECT_EQ(records_.Records().at(0).event, LogEvent::kMemoryUnsaved);
  EXPECT_EQ(records_.Records().at(0).level, LogLevel::kError);
  EXPECT_THAT(records_.Records().at(0).message, HasSubstr("the disk is full"));
  EXPECT_EQ(records_.Records().at(1).event, LogEvent::kMemorySaved);
  EXPECT_THAT(records_.Records().at(1).message, HasSubstr("3 failures"));
}

TEST_F(MemoryWriterTest, WhatIsPendingIsWrittenAtTheEnd) {
  disk_->Answer(absl::OkStatus());
  disk_->Answer(absl::OkStatus());
  Save(1);
  Save(2);
  EXPECT_TRUE(writer_->Stop(absl::InfiniteDuration()));
  EXPECT_EQ(disk_->written().back(), 102);
  Save(3);  // too late
  EXPECT_EQ(disk_->written().back(), 102);
}

TEST_F(MemoryWriterTest, TriesOnceMoreAtTheEndAndGivesUp) {
  Save(1);
  disk_->AwaitWrites(1);
  disk_->Answer(Full());
  disk_->AwaitWrites(2);
  disk_->AlwaysAnswer(Full());
  EXPECT_FALSE(writer_->Stop(absl::InfiniteDuration()));
  EXPECT_THAT(saved(), IsEmpty());
}

TEST_F(MemoryWriterTest, LeavesADiskThatHangsToItself) {
  Save(1);
  disk_->AwaitWrites(1);
  EXPECT_FALSE(writer_->Stop(absl::Milliseconds(1)));
  // It may answer yet: nobody is told.
  disk_->Answer(absl::OkStatus());
  EXPECT_THAT(saved(), IsEmpty());
}

TEST_F(MemoryWriterTest, StopsAtOnceWithNothingToWrite) {
  EXPECT_TRUE(writer_->Stop(absl::InfiniteDuration()));
  EXPECT_TRUE(writer_->Stop(absl::InfiniteDuration())) << "it has ended";
}

}  // namespace
}  // namespace cachalot
