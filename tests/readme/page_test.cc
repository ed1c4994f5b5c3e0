// Runs the shell commands of the pages for users, against a real agent.
//
// A block that begins with "```sh" is run by Bash; what it prints must be what
// the "```text" block below it says, but for "..." (anything) and the width of
// gaps. The blocks between two headings are one script.

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "tools/base/child_process.h"
#include "tools/cli/agent_cluster.h"

namespace cachalot::tools {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration Patience() { return absl::Seconds(60); }

constexpr char kEndOfBlock[] = "@@ end of block";

struct Block {
  std::string commands;
  std::vector<std::string> output;  // as the page has it
  bool is_quiet = true;             // the page says nothing of what it prints
};

struct Section {
  std::string page;
  std::string heading;
  std::vector<Block> blocks;
};

void PrintTo(const Section& section, std::ostream* out) {
  *out << section.page << ": " << section.heading;
}

// The sections of `page` that have commands.
std::vector<Section> SectionsOf(const std::string& page) {
  std::ifstream file(page);
  std::vector<Section> sections(1);
  std::string fence;  // of the block that is being read; empty: none
  for (std::string line; std::getline(file, line);) {
    if (fence.empty() && absl::StartsWith(line, "```")) {
      fence = line;
      if (fence == "```sh") sections.back().blocks.emplace_back();
    } else if (line == "```") {
      fence.clear();
    } else if (fence == "```sh") {
      absl::StrAppend(&sections.back().blocks.back().commands, line, "\n");
    } else if (fence == "```text" && !sections.back().blocks.empty()) {
      sections.back().blocks.back().output.push_back(line);
      sections.back().blocks.back().is_quiet = false;
    } else if (fence.empty() && absl::StartsWith(line, "## ")) {
      sections.push_back({.page = page, .heading = line.substr(3)});
    }
  }
  std::erase_if(sections, [](const Section& s) { return s.blocks.empty(); });
  return sections;
}

std::vector<Section> AllSections() {
  std::vector<Section> all;
  for (const char* page : {"tools/cookbook.md", "tools/fencing.md"}) {
    for (Section& section : SectionsOf(page)) all.push_back(std::move(section));
  }
  return all;
}

// `line` with each gap as one space, and none at its ends.
std::string Narrow(absl::string_view line) {
  return absl::StrJoin(absl::StrSplit(line, ' ', absl::SkipEmpty()), " ");
}

bool IsAs(const std::string& line, const std::string& written) {
  std::string pattern;
  for (const char c : Narrow(written)) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c))) pattern += '\\';
    pattern += c;
  }
  pattern = std::regex_replace(pattern, std::regex(R"((\\\.){3})"), ".*");
  return std::regex_match(Narrow(line), std::regex(pattern));
}

class PageTest : public testing::TestWithParam<Section> {
 protected:
  static void SetUpTestSuite() {
    agents_ = std::make_unique<AgentCluster>(
        AgentCluster::Create({.size = 1}).value());
    ASSERT_TRUE(agents_->StartAll().ok());
    ASSERT_TRUE(agents_->AwaitVoters(0, Patience()).ok());
  }
  static void TearDownTestSuite() { agents_.reset(); }

  // What each block printed, after whether all of them succeeded.
  std::pair<bool, std::vector<std::string>> Run(const Section& section) {
    std::string folder =
        absl::StrCat(::testing::TempDir(), "/page-test-XXXXXX");
    EXPECT_NE(mkdtemp(folder.data()), nullptr);
    std::ofstream script(absl::StrCat(folder, "/script.sh"));
    script << "set -eu\nexec 2>&1\n";
    for (const Block& block : section.blocks) {
      script << block.commands << "echo '" << kEndOfBlock << "'\n";
    }
    script.close();
    const fs::path program = fs::absolute(FindCachalot().value());
    const CommandResult result =
        RunCommand({"/usr/bin/env", "-C", folder,
                    absl::StrCat("CACHALOT_AGENT=", agents_->SocketOf(0)),
                    absl::StrCat("PATH=", program.parent_path().string(), ":",
                                 getenv("PATH")),
                    "/bin/bash", "script.sh"},
                   absl::Now() + Patience())
            .value();
    const std::vector<std::string> outputs =
        absl::StrSplit(result.output, absl::StrCat(kEndOfBlock, "\n"));
    return {result.exit_status.ok(), outputs};
  }

  static std::unique_ptr<AgentCluster> agents_;
};

std::unique_ptr<AgentCluster> PageTest::agents_;

TEST_P(PageTest, PrintsWhatThePageSays) {
  const auto [succeeded, outputs] = Run(GetParam());
  EXPECT_TRUE(succeeded) << absl::StrJoin(outputs, "");
  ASSERT_EQ(outputs.size(), GetParam().blocks.size() + 1)
      << absl::StrJoin(outputs, "");
  for (size_t i = 0; i < GetParam().blocks.size(); ++i) {
    const Block& block = GetParam().blocks[i];
    if (block.is_quiet) continue;
    const std::vector<std::string> lines =
        absl::StrSplit(outputs[i], '\n', absl::SkipEmpty());
    ASSERT_EQ(lines.size(), block.output.size()) << outputs[i];
    for (size_t j = 0; j < lines.size(); ++j) {
      EXPECT_TRUE(IsAs(lines[j], block.output[j]))
          << "printed: " << lines[j] << "\nwritten: " << block.output[j];
    }
  }
}

std::string NameOf(const testing::TestParamInfo<Section>& info) {
  std::string name;
  for (const char c : info.param.heading) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c))) name += c;
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(Pages, PageTest, testing::ValuesIn(AllSections()),
                         NameOf);

TEST(PagesTest, TheCookbookHasRecipes) {
  EXPECT_GE(SectionsOf("tools/cookbook.md").size(), 10u);
}

}  // namespace
}  // namespace cachalot::tools
