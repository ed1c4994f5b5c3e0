#include "io/kept_memory.h"

#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "engine/ids.h"
#include "engine/memory.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "io/log.h"
#include "io/log_event.h"
#include "io/state_dir.h"
#include "tests/io/kept_log.h"

namespace cachalot {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class KeptMemoryTest : public testing::Test {
 protected:
  KeptMemoryTest() {
    std::string folder = absl::StrCat(testing::TempDir(), "/kept.XXXXXX");
    base_ = mkdtemp(folder.data());
  }
  ~KeptMemoryTest() override { std::filesystem::remove_all(base_); }

  MemoryChoice InDirectory() const {
    return {.state_dir = absl::StrCat(base_, "/state"), .cluster = "orders"};
  }
  // As a process leaves it that was in a cluster.
  void Leave() const {
    const auto state =
        StateDir::Open(InDirectory().state_dir, "orders").value();
    Memory memory = state->memory();
    memory.cluster = {1, 2};
    memory.tokens_seen = FencingToken(77);
    ASSERT_TRUE(state->Save(memory).ok());
  }
  absl::StatusOr<KeptMemory> Open(const MemoryChoice& choice) {
    return OpenMemory(choice, log_);
  }
  std::vector<LogEvent> Events() {
    log_->Stop(absl::InfiniteDuration());
    std::vector<LogEvent> events;
    for (const LogRecord& record : records_.Records()) {
      events.push_back(record.event);
    }
    return events;
  }

  std::string base_;
  KeptLog records_;
  const std::shared_ptr<Logger> log_ =
      Logger::Create(LogLevel::kDebug, records_.Function()).value();
};

TEST_F(KeptMemoryTest, WithoutADirectoryNothingIsKept) {
  const KeptMemory kept = Open({.cluster = "orders"}).value();
  EXPECT_FALSE(kept.memory.has_value());
  EXPECT_EQ(kept.writer, nullptr);
  EXPECT_FALSE(kept.remembers_cluster());
  EXPECT_THAT(Events(), ElementsAre(LogEvent::kMemoryNone));
}

TEST_F(KeptMemoryTest, WhatTheWriterIsGivenIsThereAtTheNextStart) {
  {
    KeptMemory kept = Open(InDirectory()).value();
    EXPECT_FALSE(kept.remembers_cluster());
    EXPECT_EQ(kept.memory->starts, 1);
    Memory memory = *kept.memory;
    memory.cluster = {1, 2};
    kept.writer->Save(SaveId(1), memory);
    EXPECT_TRUE(kept.writer->Stop(absl::InfiniteDuration()));
  }
  const KeptMemory kept = Open(InDirectory()).value();
  EXPECT_TRUE(kept.remembers_cluster());
  EXPECT_EQ(kept.memory->starts, 2);
  EXPECT_THAT(Events(),
              ElementsAre(LogEvent::kMemoryRead, LogEvent::kMemoryRead));
}

TEST_F(KeptMemoryTest, BootstrapIsForAMemoryWithoutACluster) {
  MemoryChoice choice = InDirectory();
  choice.bootstrap = true;
  EXPECT_TRUE(Open(choice).ok());
  Leave();
  const absl::Status refused = Open(choice).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  const std::string text(refused.message());
  EXPECT_THAT(text, HasSubstr(choice.state_dir));
  EXPECT_THAT(text, HasSubstr("leave it out"));
  EXPECT_THAT(text, HasSubstr("force_bootstrap"));
  choice.bootstrap = false;
  EXPECT_TRUE(Open(choice)->remembers_cluster()) << "nothing was forgotten";
}

// The node overrules it. Should the process die before it has founded another
// cluster, it still remembers this one.
TEST_F(KeptMemoryTest, ForceIsToldAndChangesNothingYet) {
  Leave();
  MemoryChoice choice = InDirectory();
  choice.force_bootstrap = true;
  choice.bootstrap = true;  // says nothing more
  EXPECT_TRUE(Open(choice)->remembers_cluster());
  EXPECT_THAT(Events(),
              ElementsAre(LogEvent::kMemoryRead, LogEvent::kMemoryForced));
}

TEST_F(KeptMemoryTest, ForceNeedsADirectory) {
  EXPECT_EQ(
      Open({.cluster = "orders", .force_bootstrap = true}).status().code(),
      absl::StatusCode::kInvalidArgument);
}

TEST_F(KeptMemoryTest, TheDirectoryIsFreeWhenTheWriterIsGone) {
  absl::StatusOr<KeptMemory> kept = Open(InDirectory());
  ASSERT_TRUE(kept.ok());
  EXPECT_EQ(Open(InDirectory()).status().code(),
            absl::StatusCode::kAlreadyExists);
  kept->writer.reset();
  EXPECT_TRUE(Open(InDirectory()).ok());
}

}  // namespace
}  // namespace cachalot
