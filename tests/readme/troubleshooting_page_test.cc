// Each message that tools/troubleshooting.md quotes is one that the programs
// print: its parts are in the string literals of the source.

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "io/log_event.h"
#include "tests/purity/source_tree.h"

namespace cachalot {
namespace {

constexpr char kPage[] = "tools/troubleshooting.md";

// Past the gap between two literals that begins at `at`, of spaces, one line
// break or more and perhaps a comma; `at` if it is none.
size_t SkipGap(const std::string& code, size_t at) {
  const size_t end = code.find_first_not_of(" \n,", at);
  if (end == std::string::npos || code[end] != '"') return at;
  const std::string gap = code.substr(at, end - at);
  return absl::StrContains(gap, "\n") ? end + 1 : at;
}

// `code`, in which the pieces of a literal, and literals that an absl::StrCat()
// has one after the other, are joined.
std::string JoinLiterals(const std::string& code) {
  std::string joined;
  for (size_t at = 0; at < code.size(); ++at) {
    if (code[at] == '"') {
      const size_t next = SkipGap(code, at + 1);
      if (next != at + 1) {
        at = next - 1;
        continue;
      }
    }
    joined += code[at];
  }
  return absl::StrReplaceAll(joined, {{"\\\"", "\""}});
}

std::string JoinedSource() {
  const purity::SourceTree tree = purity::SourceTree::Find();
  std::string source;
  for (const char* folder : {"engine", "io", "tools"}) {
    for (const std::string& path : tree.Files(folder)) {
      if (purity::IsCpp(path)) source += JoinLiterals(tree.Read(path));
    }
  }
  return source;
}

// What stands between backquotes in the first cells of the page's tables.
std::vector<std::string> QuotedMessages() {
  std::vector<std::string> messages;
  const std::string page = purity::SourceTree::Find().Read(kPage);
  for (const absl::string_view line : absl::StrSplit(page, '\n')) {
    if (!absl::StartsWith(line, "| ")) continue;
    const std::vector<std::string> cells = absl::StrSplit(line, '|');
    const std::vector<std::string> parts = absl::StrSplit(cells[1], '`');
    for (size_t i = 1; i < parts.size(); i += 2) messages.push_back(parts[i]);
  }
  return messages;
}

bool IsLogEvent(const std::string& text) {
  for (const LogEventInfo& info : LogEvents()) {
    if (text == info.name) return true;
  }
  return false;
}

TEST(TroubleshootingPageTest, QuotesWhatTheProgramsPrint) {
  const std::string source = JoinedSource();
  const std::vector<std::string> messages = QuotedMessages();
  EXPECT_GT(messages.size(), 30u);
  for (const std::string& message : messages) {
    if (IsLogEvent(message)) continue;
    for (const absl::string_view part : absl::StrSplit(message, "...")) {
      EXPECT_TRUE(absl::StrContains(source, part))
          << "of \"" << message << "\": nothing prints \"" << part << "\"";
    }
  }
}

TEST(TroubleshootingPageTest, FindsWhatNothingPrints) {
  EXPECT_FALSE(absl::StrContains(
      JoinedSource(), std::string("no such ") + "message is printed"));
}

}  // namespace
}  // namespace cachalot
