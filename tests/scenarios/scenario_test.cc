// Tells every scenario and compares what was seen with what is written in it.
//
//   bazel run //tests/scenarios:scenario_test -- --rewrite
//
// writes what was seen into the files; the diff is the review. What a scenario
// expects ("expect ...") holds in both.

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
#include "tests/scenarios/telling.h"

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

TEST_P(ScenarioTest, GoesAsItIsWritten) {
  const std::string text = ReadFile(GetParam());
  EXPECT_TRUE(absl::StartsWith(text, "# ")) << "begin with what it shows";
  const Telling telling = Tell(text);
  for (const std::string& complaint : telling.complaints) {
    ADD_FAILURE() << complaint;
  }
  EXPECT_EQ(telling.text, text)
      << "if the new trace is right: "
         "tools/bazel run //tests/scenarios:scenario_test -- --rewrite";
}

std::string NameOf(const testing::TestParamInfo<std::string>& info) {
  return std::filesystem::path(info.param).stem();
}

INSTANTIATE_TEST_SUITE_P(Scenarios, ScenarioTest,
                         testing::ValuesIn(ScenarioFiles()), NameOf);

// Into the source tree, which Bazel names when it runs us.
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
    const Telling telling = Tell(text);
    for (const std::string& complaint : telling.complaints) {
      std::cerr << path << ": " << complaint << "\n";
      ++failures;
    }
    if (telling.text == text) continue;
    std::ofstream(path) << telling.text;
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
