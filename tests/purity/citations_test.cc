#include "tests/purity/citations.h"

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/purity/source_tree.h"

namespace cachalot::purity {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

Files TheTree() {
  const SourceTree tree = SourceTree::Find();
  Files files;
  for (const std::string& path : tree.Files("")) {
    files[path] = tree.Read(path);
  }
  return files;
}

// A small tree with one rule of each kind.
Files SmallTree() {
  return {
      {"engine/consensus/README.md",
       "### Rule 7. Of votes\n### Rule 8. More\n"},
      {"engine/client/README.md", "### Lemma 1. Of time\n"},
      {"engine/membership/README.md", "### R3. Of ears\n- **R3a**: two\n"},
      {"engine/README.md", "- **D1. An id is one process.**\n"},
  };
}

std::vector<std::string> LostWith(const std::string& path,
                                  const std::string& content) {
  Files files = SmallTree();
  files[path] = content;
  return LostCitations(files);
}

TEST(CitationsTest, EverythingCitedIsInTheTree) {
  const Files files = TheTree();
  EXPECT_GT(files.size(), 300) << "the sources were not found";
  EXPECT_THAT(LostCitations(files), IsEmpty());
}

TEST(CitationsTest, WhatReadmesSayOfTheCodeIsTrueOfIt) {
  const Files files = TheTree();
  for (const auto& [path, content] : files) {
    if (!absl::EndsWith(path, ".md")) continue;
    EXPECT_THAT(LostReferences(files, path), IsEmpty());
  }
}

// The name is in two parts so that this file cites nothing that is not there.
TEST(CitationsTest, ADocumentThatIsNotThereIsFound) {
  EXPECT_THAT(LostWith("io/a.h",
                       "// As gone"
                       ".md says (2.1).\n"),
              ElementsAre("io/a.h: gone"
                          ".md"));
  EXPECT_THAT(LostWith("engine/client/a.h", "// README.md has the proof.\n"),
              IsEmpty());
  EXPECT_THAT(LostWith("io/a.h", "// README.md has the proof.\n"), SizeIs(1));
  EXPECT_THAT(LostWith("sim/README.md", "[tour](../engine/README.md)\n"),
              IsEmpty());
}

TEST(CitationsTest, ANumberThatIsNotThereIsFound) {
  EXPECT_THAT(LostWith("io/a.h", "int a;  // never again (rule 9)\n"),
              ElementsAre("io/a.h: rule 9"));
  EXPECT_THAT(LostWith("io/a.h", "// Rules 7 and 9 of it.\n"),
              ElementsAre("io/a.h: rule 9"));
  EXPECT_THAT(LostWith("io/a.h", "// the proof's\n// lemma\n// 2\n"),
              ElementsAre("io/a.h: lemma 2"));
  EXPECT_THAT(LostWith("io/a.h", "// R3b, D1 and D2\n"),
              ElementsAre("io/a.h: R3b", "io/a.h: D2"));
  EXPECT_THAT(LostWith("io/a.h", "// rules 7 to 8, lemma 1, R3, R3a, D1.\n"),
              IsEmpty());
}

TEST(CitationsTest, OtherTextThanCommentsMaySayAnything) {
  EXPECT_THAT(LostWith("io/a.cc",
                       "f(\"// gone"
                       ".md\", R\"(// rule 9)\");\n"),
              IsEmpty());
  EXPECT_EQ(CommentsOfCpp("a('\"');  // b\n"), " b\n");
  EXPECT_THAT(LostWith("io/BUILD", "x = 'rule 9'  # rule 7\n"), IsEmpty());
  EXPECT_THAT(LostWith("io/BUILD", "x = 1  # rule 9\n"), SizeIs(1));
}

TEST(CitationsTest, EveryPlantedBugOfTheEngineBreaksARuleThatIsWrittenDown) {
  EXPECT_THAT(UnnamedBugs(TheTree()), IsEmpty());
  Files files = SmallTree();
  files["tests/mutants/fast.patch"] =
      "Is fast.\n--- a/engine/x.cc\n"
      "+++ b/engine/x.cc\n";
  EXPECT_THAT(UnnamedBugs(files), ElementsAre("fast"));
  files["engine/client/README.md"] += "- Planted bugs: `fast`.\n";
  EXPECT_THAT(UnnamedBugs(files), IsEmpty());
}

TEST(CitationsTest, AReadmeThatNamesWhatIsNotThereIsFound) {
  Files files = SmallTree();
  files["engine/a.cc"] = "void Node::Settle() {}\n";
  files["tests/engine/a_test.cc"] = "TEST(NodeTest, Settles) {\n";
  files["tests/mutants/unsettled.patch"] = "Never settles.\n";
  files["sim/judge/checkers.h"] = "class OneBirth {};\n";
  files["engine/README.md"] =
      "- Code: `Node::Settle` in `engine/a.cc`\n"
      "- Tests: `NodeTest.Settles`\n"
      "- Judges: `OneBirth`\n"
      "- Planted bugs: `unsettled`\n";
  EXPECT_THAT(LostReferences(files, "engine/README.md"), IsEmpty());
  files["engine/README.md"] =
      "- Code: `Node::Set` in `engine/a.cc`, and `engine/b.cc`\n"
      "- Tests: `NodeTest.Settle`\n"
      "- Judges: `TwoBirths`\n"
      "- Planted bugs:\n"
      "  `settled`\n";
  const std::vector<std::string> lost =
      LostReferences(files, "engine/README.md");
  EXPECT_THAT(lost, SizeIs(5));
  EXPECT_THAT(lost, Contains(HasSubstr("Set is not in engine/a.cc")));
}

}  // namespace
}  // namespace cachalot::purity
