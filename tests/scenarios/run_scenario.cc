#include "tests/scenarios/run_scenario.h"

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/scenarios/script.h"

namespace cachalot::sim {
namespace {

constexpr char kSeparator[] = "----";

}  // namespace

ScenarioResult RunScenario(const std::string& text) {
  ScenarioResult result;
  Script script;
  std::string trace;
  bool in_trace = false;
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  if (lines.back().empty()) lines.pop_back();
  for (const std::string& line : lines) {
    if (in_trace && !line.empty()) continue;
    in_trace = false;
    absl::StrAppend(&result.text, line, "\n");
    if (line == kSeparator) {
      absl::StrAppend(&result.text, trace.empty() ? "nothing\n" : trace);
      trace.clear();
      in_trace = true;
      continue;
    }
    if (line.empty() || absl::StartsWith(line, "#")) continue;
    std::string lines_of_trace;
    const absl::Status status = script.Run(line, &lines_of_trace);
    absl::StrAppend(&trace, lines_of_trace);
    if (!status.ok()) {
      result.complaints.push_back(
          absl::StrCat(line, ": ", status.message(), "\ntrace:\n", trace));
    }
  }
  const absl::Status end = script.End();
  if (!end.ok()) {
    result.complaints.push_back(absl::StrCat("at the end: ", end.message()));
  }
  return result;
}

}  // namespace cachalot::sim
