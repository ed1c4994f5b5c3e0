// The limits that tools/sizing.md has are those of the code.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "engine/limits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "io/caller_limits.h"
#include "tests/purity/source_tree.h"

namespace cachalot {
namespace {

using testing::HasSubstr;

// 4194304 as "4,194,304".
std::string Grouped(uint64_t number) {
  std::string digits = absl::StrCat(number);
  for (size_t at = digits.size(); at > 3; at -= 3) {
    digits.insert(at - 3, ",");
  }
  return digits;
}

std::string InMiB(uint64_t bytes) { return absl::StrCat(bytes >> 20, " MiB"); }

TEST(SizingPageTest, HasTheLimitsOfTheCode) {
  const std::string keys =
      absl::StrCat("1 to ", limits::kKeyBytesMax, " bytes");
  const std::string ttls =
      absl::StrCat(absl::ToInt64Milliseconds(limits::TtlMin()), " ms to ",
                   absl::ToInt64Hours(limits::TtlMax()), " h");
  const std::string waits =
      absl::StrCat(absl::ToInt64Hours(limits::WaitMax()) / 24, " days;");
  ASSERT_EQ(limits::kOwnerBytesMax, limits::kNameBytesMax);
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"a key", keys},
      {"an owner, a name", absl::StrCat(limits::kNameBytesMax, " bytes")},
      {"a lease", ttls},
      {"a wait", waits},
      {"locks of a cluster", Grouped(limits::kLocksMax)},
      {"locks of one session (one process)",
       Grouped(limits::kLocksPerSessionMax)},
      {"who waits for one lock", Grouped(limits::kWaitersPerLockMax)},
      {"who waits, of one session", Grouped(limits::kWaitersPerSessionMax)},
      {"requests of one process for locks, unanswered",
       Grouped(CallerLimits().acquires_max)},
      {"sessions",
       absl::StrCat(Grouped(limits::kSessionsMax), "; ",
                    limits::kSessionsPerNodeMax, " of one process")},
      {"members", Grouped(limits::kMembersMax)},
      {"addresses in `--join`", absl::StrCat(limits::kSeedsMax)},
      {"a snapshot", absl::StrCat(limits::kSnapshotBytesMax >> 30, " GiB")},
      {"bytes appended and not committed", InMiB(limits::kUncommittedBytesMax)},
  };
  const std::string page = purity::SourceTree::Find().Read("tools/sizing.md");
  for (const auto& [what, limit] : rows) {
    EXPECT_THAT(page, HasSubstr(absl::StrCat("\n| ", what, " | ", limit)));
  }
  EXPECT_THAT(page, HasSubstr(absl::StrCat("up to ", limits::kLearnersMax,
                                           " learners")));
}

}  // namespace
}  // namespace cachalot
