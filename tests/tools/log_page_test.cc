#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "io/log_event.h"

namespace cachalot {
namespace {

// "event | level | fields" of each row of the page's table of events.
std::vector<std::string> RowsOfThePage() {
  std::stringstream page;
  page << std::ifstream("tools/README.md").rdbuf();
  std::vector<std::string> rows;
  for (const absl::string_view line : absl::StrSplit(page.str(), '\n')) {
    if (!absl::StartsWith(line, "| `")) continue;
    std::vector<std::string> cells;
    for (const absl::string_view cell : absl::StrSplit(line, '|')) {
      cells.emplace_back(absl::StripAsciiWhitespace(cell));
    }
    if (cells.size() < 6) continue;
    EXPECT_NE(cells[4], "") << line;
    rows.push_back(absl::StrCat(cells[1], " | ", cells[2], " | ", cells[3]));
  }
  return rows;
}

TEST(LogPageTest, ThePageHasEachEventWithItsLevelAndFields) {
  std::vector<std::string> events;
  for (const LogEventInfo& info : LogEvents()) {
    events.push_back(absl::StrCat(
        "`", info.name, "` | ", LogLevelName(info.level), " | ", info.fields));
  }
  EXPECT_EQ(RowsOfThePage(), events);
}

}  // namespace
}  // namespace cachalot
