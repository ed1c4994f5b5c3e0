// All Markdown pages: their links lead somewhere, and the commands that they
// show have the flags that they are shown with.

#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/purity/source_tree.h"
#include "tools/base/child_process.h"
#include "tools/cli/agent_cluster.h"

namespace cachalot {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> Pages() {
  std::vector<std::string> pages;
  for (const std::string& path : purity::SourceTree::Find().Files("")) {
    if (absl::EndsWith(path, ".md")) pages.push_back(path);
  }
  return pages;
}

// All matches of `pattern`'s first group.
std::vector<std::string> FindAll(const std::string& text,
                                 const std::string& pattern) {
  const std::regex regex(pattern);
  std::vector<std::string> found;
  for (std::sregex_iterator i(text.begin(), text.end(), regex), end; i != end;
       ++i) {
    found.push_back((*i)[1]);
  }
  return found;
}

// --- Links -------------------------------------------------------------------

// "a/b/../c/./d" as "a/c/d"; "" is the top.
std::string Normal(const std::string& path) {
  std::vector<std::string> parts;
  for (const absl::string_view part : absl::StrSplit(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == ".." && !parts.empty()) {
      parts.pop_back();
    } else {
      parts.emplace_back(part);
    }
  }
  std::string normal;
  for (const std::string& part : parts) {
    absl::StrAppend(&normal, normal.empty() ? "" : "/", part);
  }
  return normal;
}

// Files and folders, without '/' at the end.
std::set<std::string> FilesAndFolders() {
  std::set<std::string> all = {""};
  for (const std::string& path : purity::SourceTree::Find().Files("")) {
    for (size_t at = path.size(); at != std::string::npos;
         at = at == 0 ? std::string::npos : path.rfind('/', at - 1)) {
      all.insert(path.substr(0, at));
    }
  }
  return all;
}

// The anchors that GitHub makes of a page's headings.
std::set<std::string> AnchorsOf(const std::string& page) {
  std::set<std::string> anchors;
  for (const std::string& heading :
       FindAll(absl::StrCat("\n", page), "\n#+ ([^\n]+)")) {
    std::string anchor;
    for (const char c : heading) {
      const auto byte = static_cast<unsigned char>(c);
      if (absl::ascii_isalnum(byte) || c == '-' || c == '_') {
        anchor += absl::ascii_tolower(byte);
      }
      if (c == ' ') anchor += '-';
    }
    anchors.insert(anchor);
  }
  return anchors;
}

// The links of `page`, which is at `path`, that lead nowhere.
std::vector<std::string> BrokenLinks(const std::string& path,
                                     const std::string& page,
                                     const std::set<std::string>& known) {
  const std::string folder = path.substr(0, path.rfind('/') + 1);
  std::vector<std::string> broken;
  for (const std::string& link : FindAll(page, "\\]\\(([^)\\s]+)\\)")) {
    if (absl::StrContains(link, "://")) continue;
    const size_t hash = link.find('#');
    const std::string file = link.substr(0, hash);
    const std::string target = file.empty() ? path : Normal(folder + file);
    bool leads_somewhere = known.contains(target);
    if (leads_somewhere && hash != std::string::npos) {
      leads_somewhere =
          AnchorsOf(target == path ? page
                                   : purity::SourceTree::Find().Read(target))
              .contains(link.substr(hash + 1));
    }
    if (!leads_somewhere) broken.push_back(absl::StrCat(path, ": ", link));
  }
  return broken;
}

TEST(LinksTest, LeadSomewhere) {
  const purity::SourceTree tree = purity::SourceTree::Find();
  const std::set<std::string> known = FilesAndFolders();
  EXPECT_GT(Pages().size(), 10u);
  for (const std::string& path : Pages()) {
    EXPECT_THAT(BrokenLinks(path, tree.Read(path), known), IsEmpty());
  }
}

TEST(LinksTest, BrokenOnesAreFound) {
  const std::string page =
      "# A page\n[a](b.h) [c](d.h) [e](../f/g.h) [h](#a-page) [i](#no-page)\n"
      "[j](https://example.org) [k](../f) [l](../../f)\n";
  EXPECT_THAT(
      BrokenLinks("x/README.md", page, {"x", "x/b.h", "f", "x/README.md"}),
      ElementsAre("x/README.md: d.h", "x/README.md: ../f/g.h",
                  "x/README.md: #no-page", "x/README.md: ../../f"));
}

// --- Commands ----------------------------------------------------------------

// The flags of each command, as its --help has them.
class Flags {
 public:
  bool Has(const std::string& command, const std::string& flag) {
    if (!of_.contains(command)) {
      const std::string help =
          tools::RunCommand({tools::FindCachalot().value(), command, "--help"},
                            absl::Now() + absl::Seconds(30))
              .value()
              .output;
      const std::vector<std::string> flags = FindAll(help, "(--[a-z][a-z-]+)");
      of_[command] = {flags.begin(), flags.end()};
    }
    return of_[command].contains(flag);
  }

 private:
  std::map<std::string, std::set<std::string>> of_;
};

// "COMMAND --flag" of each flag in `page` that its command does not have.
std::vector<std::string> UnknownFlags(const std::string& page, Flags& flags) {
  std::vector<std::string> unknown;
  const std::string joined =
      std::regex_replace(page, std::regex("\\\\\n\\s*"), "");
  const std::regex line(
      "cachalot (agent|run|lock|try|renew|release|locks|members|status|leave)"
      "\\b([^\n`#|;\"]*)");
  for (std::sregex_iterator i(joined.begin(), joined.end(), line), end;
       i != end; ++i) {
    const std::string command = (*i)[1];
    std::string rest = (*i)[2];
    rest = rest.substr(0, rest.find(" -- "));
    for (const std::string& flag : FindAll(rest, "\\s(--[a-z][a-z-]+)")) {
      if (flags.Has(command, flag)) continue;
      unknown.push_back(absl::StrCat(command, " ", flag));
    }
  }
  return unknown;
}

TEST(CommandsTest, HaveTheFlagsThatPagesShow) {
  const purity::SourceTree tree = purity::SourceTree::Find();
  Flags flags;
  for (const std::string& path : Pages()) {
    EXPECT_THAT(UnknownFlags(tree.Read(path), flags), IsEmpty()) << path;
  }
}

TEST(CommandsTest, UnknownFlagsAreFound) {
  Flags flags;
  EXPECT_THAT(UnknownFlags("`cachalot run x --wait 1s \\\n  --weight 2 -- y "
                           "--z`, cachalot leave --force",
                           flags),
              ElementsAre("run --weight", "leave --force"));
}

}  // namespace
}  // namespace cachalot
