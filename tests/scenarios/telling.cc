#include "tests/scenarios/telling.h"

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/scenarios/script.h"

namespace cachalot::sim {
namespace {

constexpr char kSeparator[] = "----";

}  // namespace

Telling Tell(const std::string& text) {
  Telling telling;
  Script script;
  std::string seen;
  bool in_seen = false;
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  if (lines.back().empty()) lines.pop_back();
  for (const std::string& line : lines) {
    if (in_seen && !line.empty()) continue;
    in_seen = false;
    absl::StrAppend(&telling.text, line, "\n");
    if (line == kSeparator) {
      absl::StrAppend(&telling.text, seen.empty() ? "nothing\n" : seen);
      seen.clear();
      in_seen = true;
      continue;
    }
    if (line.empty() || absl::StartsWith(line, "#")) continue;
    std::string more;
    const absl::Status status = script.Run(line, &more);
    absl::StrAppend(&seen, more);
    if (!status.ok()) {
      telling.complaints.push_back(
          absl::StrCat(line, ": ", status.message(), "\nseen:\n", seen));
    }
  }
  const absl::Status end = script.End();
  if (!end.ok()) {
    telling.complaints.push_back(absl::StrCat("at the end: ", end.message()));
  }
  return telling;
}

}  // namespace cachalot::sim
