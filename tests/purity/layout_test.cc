#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/purity/source_tree.h"

namespace cachalot::purity {
namespace {

using testing::IsEmpty;
using testing::IsSupersetOf;

bool IsText(const std::string& path) {
  for (const char* ending :
       {".h", ".cc", ".fbs", ".md", ".bzl", ".sh", ".txt", "BUILD", "WORKSPACE",
        "tools/bazel", ".ci/run", ".bazelrc"}) {
    if (absl::EndsWith(path, ending)) return true;
  }
  return false;
}

// Somebody's home or working folder; in two parts so that this file is clean.
std::vector<std::string> MachinePaths() {
  std::vector<std::string> paths;
  for (const char* folder : {"root/", "home/", "work/"}) {
    paths.push_back(absl::StrCat("/", folder));
  }
  return paths;
}

// Lines of `text` in which a machine's path begins, not the middle of another.
std::vector<std::string> LinesWithMachinePaths(const std::string& path,
                                               const std::string& text) {
  std::vector<std::string> found;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    for (const std::string& machine_path : MachinePaths()) {
      const size_t at = line.find(machine_path);
      if (at == absl::string_view::npos) continue;
      const char before = at == 0 ? ' ' : line[at - 1];
      if (std::isalnum(static_cast<unsigned char>(before)) != 0) continue;
      found.push_back(absl::StrCat(path, ": ", line));
    }
  }
  return found;
}

TEST(LayoutTest, TheTopLevelHoldsTheHouseAndDotFiles) {
  const std::vector<std::string> house = {"BUILD",  "README.md", "WORKSPACE",
                                          "engine", "io",        "sim",
                                          "tests",  "tools"};
  std::vector<std::string> visible = SourceTree::Find().TopLevel();
  visible.erase(
      std::remove_if(visible.begin(), visible.end(),
                     [](const std::string& name) { return name[0] == '.'; }),
      visible.end());
  EXPECT_THAT(house, IsSupersetOf(visible));
}

TEST(LayoutTest, NoFileSpeaksOfAMachinesPaths) {
  const SourceTree tree = SourceTree::Find();
  for (const std::string& path : tree.Files("")) {
    if (!IsText(path)) continue;
    EXPECT_THAT(LinesWithMachinePaths(path, tree.Read(path)), IsEmpty());
  }
}

TEST(LayoutTest, APlantedPathIsFound) {
  const std::string planted = absl::StrCat("see /", "home/me/notes");
  EXPECT_EQ(LinesWithMachinePaths("a.h", planted).size(), 1);
  EXPECT_THAT(LinesWithMachinePaths("a.h", "a frame/home/ward"), IsEmpty());
}

}  // namespace
}  // namespace cachalot::purity
