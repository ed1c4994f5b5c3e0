#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/purity/source_tree.h"

namespace cachalot::purity {
namespace {

// Runs `command` in a shell. Returns what it printed, on either stream, and
// its exit code.
std::pair<std::string, int> Shell(const std::string& command) {
  std::FILE* pipe = popen(absl::StrCat(command, " 2>&1").c_str(), "r");
  if (pipe == nullptr) return {"popen failed", -1};
  std::string output;
  char buffer[4096];
  while (std::fgets(buffer, sizeof buffer, pipe) != nullptr) output += buffer;
  return {output, pclose(pipe)};
}

std::string Temporary(const std::string& name) {
  return absl::StrCat(testing::TempDir(), "/", name);
}

void Write(const std::string& path, const std::string& text) {
  std::ofstream(path) << text;
}

class FormatTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(Shell("clang-format --version").second, 0)
        << "clang-format is missing; tools/bazel installs it "
           "(apt-get install clang-format)";
  }
};

TEST_F(FormatTest, TheWholeTreeIsFormatted) {
  const SourceTree tree = SourceTree::Find();
  std::string list;
  for (const std::string& path : tree.Files("")) {
    if (IsCpp(path)) absl::StrAppend(&list, tree.Absolute(path), "\n");
  }
  Write(Temporary("sources"), list);
  const auto [output, code] = Shell(absl::StrCat(
      "xargs -a '", Temporary("sources"), "' clang-format --dry-run -Werror"));
  EXPECT_EQ(code, 0) << output << "Run clang-format -i on these files.";
}

TEST_F(FormatTest, APlantedMisfitIsFound) {
  Write(Temporary("misfit.cc"), "int  f( ){return 1 ;}\n");
  EXPECT_NE(
      Shell(absl::StrCat("clang-format --style=Google --dry-run -Werror '",
                         Temporary("misfit.cc"), "'"))
          .second,
      0);
}

}  // namespace
}  // namespace cachalot::purity
