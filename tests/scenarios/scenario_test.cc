// Runs every scenario and compares its trace with the one in the file.
//
//   tools/bazel run //tests/scenarios:scenario_test -- --rewrite
//
// writes the new traces into the files, for review as a diff. "expect" lines
// must hold in both cases.

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "tests/scenarios/run_scenario.h"

namespace cachalot::sim {
namespace {

constexpr char kFolder[] = "tests/scenarios";

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> ScenarioFiles() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

class ScenarioTest : public testing::TestWithParam<std::string> {};

TEST_P(ScenarioTest, TraceIsAsWritten) {
  const std::string text = ReadFile(GetParam());
  EXPECT_TRUE(absl::StartsWith(text, "# ")) << "begin with what it shows";
  const ScenarioResult result = RunScenario(text);
  for (const std::string& complaint : result.complaints) {
    ADD_FAILURE() << complaint;
  }
  EXPECT_EQ(result.text, text)
      << "if the new trace is right: "
         "tools/bazel run //tests/scenarios:scenario_test -- --rewrite";
}

std::string NameOf(const testing::TestParamInfo<std::string>& info) {
  return std::filesystem::path(info.param).stem();
}

INSTANTIATE_TEST_SUITE_P(Scenarios, ScenarioTest,
                         testing::ValuesIn(ScenarioFiles()), NameOf);

// Rewrites the files in the source tree; `bazel run` says where that is.
int Rewrite() {
  const char* workspace = std::getenv("BUILD_WORKSPACE_DIRECTORY");
  if (workspace == nullptr) {
    std::cerr << "run it with: tools/bazel run //tests/scenarios:scenario_test "
                 "-- --rewrite\n";
    return 2;
  }
  int failures = 0;
  std::filesystem::current_path(workspace);
  for (const std::string& path : ScenarioFiles()) {
    const std::string text = ReadFile(path);
    const ScenarioResult result = RunScenario(text);
    for (const std::string& complaint : result.complaints) {
      std::cerr << path << ": " << complaint << "\n";
      ++failures;
    }
    if (result.text == text) continue;
    std::ofstream(path) << result.text;
    std::cout << "rewrote " << path << "\n";
  }
  return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace cachalot::sim

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc > 1 && std::string(argv[1]) == "--rewrite") {
    return cachalot::sim::Rewrite();
  }
  return RUN_ALL_TESTS();
}
