#include "tests/purity/citations.h"

#include <algorithm>
#include <cstddef>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "tests/purity/source_tree.h"

namespace cachalot::purity {
namespace {

// Where rules of one kind are, and what stands before and behind the number.
struct RuleBook {
  std::string path;
  std::string before;
  std::string behind;
};

bool HasRule(const Files& files, const RuleBook& book,
             absl::string_view number) {
  const auto found = files.find(book.path);
  return found != files.end() &&
         absl::StrContains(found->second,
                           absl::StrCat(book.before, number, book.behind));
}

bool IsNumber(absl::string_view word) {
  if (word.empty()) return false;
  for (const char c : word) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(c))) return false;
  }
  return true;
}

// A letter, digits and perhaps one more letter, as in R3a.
bool IsLabel(absl::string_view word, char letter) {
  if (word.size() < 2 || word[0] != letter) return false;
  word.remove_prefix(1);
  const char last = word.back();
  if (letter == 'R' && last >= 'a' && last <= 'c') word.remove_suffix(1);
  return IsNumber(word);
}

// What names and paths consist of; everything else separates words.
bool IsWordCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         absl::StrContains("_./-", absl::string_view(&c, 1));
}

std::vector<std::string> WordsOf(absl::string_view text) {
  std::vector<std::string> words;
  size_t at = 0;
  while (at < text.size()) {
    size_t end = at;
    while (end < text.size() && IsWordCharacter(text[end])) ++end;
    if (end > at) {
      absl::string_view word = text.substr(at, end - at);
      while (absl::ConsumeSuffix(&word, ".")) {
      }
      if (!word.empty()) words.emplace_back(word);
    }
    at = end + 1;
  }
  return words;
}

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

// `path` from `folder`, without its dots.
std::string Join(const std::string& folder, const std::string& path) {
  std::vector<std::string> parts;
  for (const absl::string_view part :
       absl::StrSplit(absl::StrCat(folder, "/", path), '/')) {
    if (part.empty() || part == ".") continue;
    if (part == ".." && !parts.empty()) {
      parts.pop_back();
    } else {
      parts.emplace_back(part);
    }
  }
  return absl::StrJoin(parts, "/");
}

bool HasFileNamed(const Files& files, const std::string& name) {
  return std::any_of(files.begin(), files.end(), [&](const auto& file) {
    absl::string_view path = file.first;
    return absl::ConsumeSuffix(&path, name) &&
           (path.empty() || absl::EndsWith(path, "/"));
  });
}

bool HasDocument(const Files& files, const std::string& from,
                 const std::string& name) {
  const bool is_path = absl::StrContains(name, '/') || name == "README.md";
  if (!is_path) return HasFileNamed(files, name);
  return files.contains(Join("", name)) ||
         files.contains(Join(FolderOf(from), name));
}

// Whether `path` begins with a folder of the tree, and not with one that only
// users of the library have.
bool IsOfTheTree(const Files& files, const std::string& path) {
  const std::string top = path.substr(0, path.find('/') + 1);
  const auto found = files.lower_bound(top);
  return found != files.end() && absl::StartsWith(found->first, top);
}

// The numbers behind a word, as in "2 and 3" or "1 to 20".
std::vector<std::string> NumbersFrom(const std::vector<std::string>& words,
                                     size_t at) {
  std::vector<std::string> numbers;
  while (at < words.size() && IsNumber(words[at])) {
    numbers.push_back(words[at]);
    if (at + 2 >= words.size()) break;
    const std::string& next = words[at + 1];
    if (next != "and" && next != "or" && next != "to") break;
    at += 2;
  }
  return numbers;
}

std::vector<std::string> LostIn(const Files& files, const std::string& path,
                                absl::string_view text) {
  const RuleBook rules = {"engine/consensus/README.md", "### Rule ", ". "};
  const RuleBook lemmas = {"engine/client/README.md", "### Lemma ", ". "};
  const RuleBook membership = {"engine/membership/README.md", "### ", ". "};
  const RuleBook cases = {"engine/membership/README.md", "**", "**"};
  const RuleBook births = {"engine/README.md", "**", ". "};
  std::vector<std::string> lost;
  const auto complain = [&](absl::string_view what) {
    lost.push_back(absl::StrCat(path, ": ", what));
  };
  const std::vector<std::string> words = WordsOf(text);
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const std::string lower = absl::AsciiStrToLower(word);
    if (word.size() > 3 && absl::EndsWith(word, ".md")) {
      if (!HasDocument(files, path, word)) complain(word);
    } else if (lower == "rule" || lower == "rules") {
      for (const std::string& number : NumbersFrom(words, i + 1)) {
        if (!HasRule(files, rules, number)) complain("rule " + number);
      }
    } else if (lower == "lemma" || lower == "lemmas") {
      for (const std::string& number : NumbersFrom(words, i + 1)) {
        if (!HasRule(files, lemmas, number)) complain("lemma " + number);
      }
    } else if (IsLabel(word, 'R')) {
      if (!HasRule(files, membership, word) && !HasRule(files, cases, word)) {
        complain(word);
      }
    } else if (IsLabel(word, 'D')) {
      if (!HasRule(files, births, word)) complain(word);
    }
  }
  return lost;
}

// What follows `mark` on each line that has it.
std::string CommentsBehind(absl::string_view mark, absl::string_view text) {
  std::string comments;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const size_t at = line.find(mark);
    if (at == absl::string_view::npos) continue;
    absl::StrAppend(&comments, line.substr(at + mark.size()), "\n");
  }
  return comments;
}

std::string TextOf(const std::string& path, const std::string& content) {
  if (IsCpp(path)) return CommentsOfCpp(content);
  if (absl::EndsWith(path, ".md")) return content;
  if (absl::EndsWith(path, ".fbs")) return CommentsBehind("//", content);
  if (absl::EndsWith(path, ".patch")) {
    return content.substr(0, content.find("\n---"));
  }
  for (const char* ending : {"BUILD", ".bzl", ".sh", ".py", ".txt"}) {
    if (absl::EndsWith(path, ending)) return CommentsBehind("#", content);
  }
  return "";
}

// What stands in backquotes.
std::vector<std::string> QuotesIn(absl::string_view text) {
  std::vector<std::string> quotes;
  const std::vector<std::string> parts = absl::StrSplit(text, '`');
  for (size_t i = 1; i < parts.size(); i += 2) quotes.push_back(parts[i]);
  return quotes;
}

bool HasWord(absl::string_view text, absl::string_view word) {
  const auto is_part = [&](size_t at) {
    return at < text.size() &&
           (text[at] == '_' ||
            absl::ascii_isalnum(static_cast<unsigned char>(text[at])));
  };
  for (size_t at = text.find(word); at != absl::string_view::npos;
       at = text.find(word, at + 1)) {
    const bool begins = at == 0 || !is_part(at - 1);
    if (begins && !is_part(at + word.size())) return true;
  }
  return false;
}

bool IsPath(absl::string_view quote) {
  if (!absl::StrContains(quote, '/') || absl::StrContains(quote, ' ') ||
      absl::StartsWith(quote, "//") || absl::StartsWith(quote, "<")) {
    return false;
  }
  for (const char* ending : {".h", ".cc", ".md", ".txt", ".fbs", ".patch"}) {
    if (absl::EndsWith(quote, ending)) return !absl::StrContains(quote, '*');
  }
  return false;
}

// The last name of A::B(C).
std::string NameIn(absl::string_view quote) {
  quote = quote.substr(0, quote.find('('));
  const size_t colon = quote.rfind(':');
  return std::string(
      colon == absl::string_view::npos ? quote : quote.substr(colon + 1));
}

// All tests as Suite.Name.
std::set<std::string> TestsIn(const Files& files) {
  std::set<std::string> tests;
  for (const auto& [path, content] : files) {
    if (!absl::StartsWith(path, "tests/") || !absl::EndsWith(path, ".cc")) {
      continue;
    }
    for (absl::string_view line : absl::StrSplit(content, '\n')) {
      if (!absl::ConsumePrefix(&line, "TEST")) continue;
      const size_t open = line.find('(');
      if (open == absl::string_view::npos) continue;
      const std::vector<std::string> words = WordsOf(line.substr(open));
      if (words.size() >= 2) {
        tests.insert(absl::StrCat(words[0], ".", words[1]));
      }
    }
  }
  return tests;
}

bool HasJudge(const Files& files, const std::string& name) {
  for (const auto& [path, content] : files) {
    if (!absl::StartsWith(path, "sim/") || !absl::EndsWith(path, ".h")) {
      continue;
    }
    if (HasWord(content, name)) return true;
  }
  return false;
}

// The items of lists in `text`, without what separates them: "- Code: ...".
std::vector<std::string> ItemsIn(absl::string_view text) {
  std::vector<std::string> items;
  bool is_open = false;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (absl::StartsWith(line, "- ")) {
      items.emplace_back(line);
      is_open = true;
    } else if (is_open && absl::StartsWith(line, "  ")) {
      absl::StrAppend(&items.back(), " ", absl::StripAsciiWhitespace(line));
    } else {
      is_open = false;
    }
  }
  return items;
}

// "- Code: `A::B`, `C` in `path`; ...": names, then the file that has them.
std::vector<std::string> LostCode(const Files& files, const std::string& item) {
  std::vector<std::string> lost;
  std::vector<std::string> names;
  for (const std::string& quote : QuotesIn(item)) {
    const auto file = files.find(quote);
    if (file == files.end()) {
      names.push_back(NameIn(quote));
      continue;
    }
    for (const std::string& name : names) {
      if (!HasWord(file->second, name)) {
        lost.push_back(absl::StrCat(name, " is not in ", quote));
      }
    }
    names.clear();
  }
  return lost;
}

}  // namespace

std::string CommentsOfCpp(absl::string_view code) {
  std::string comments;
  size_t at = 0;
  while (at < code.size()) {
    const absl::string_view rest = code.substr(at);
    if (absl::StartsWith(rest, "//")) {
      const size_t end = std::min(rest.find('\n'), rest.size());
      absl::StrAppend(&comments, rest.substr(2, end - 2), "\n");
      at += end;
    } else if (absl::StartsWith(rest, "R\"")) {
      const size_t open = rest.find('(');
      if (open == absl::string_view::npos) break;
      const std::string close =
          absl::StrCat(")", rest.substr(2, open - 2), "\"");
      const size_t end = rest.find(close, open);
      if (end == absl::string_view::npos) break;
      at += end + close.size();
    } else if (rest[0] == '"') {
      size_t end = 1;
      while (end < rest.size() && rest[end] != '"' && rest[end] != '\n') {
        end += rest[end] == '\\' ? 2 : 1;
      }
      at += end + 1;
    } else if (absl::StartsWith(rest, "'\"'")) {
      at += 3;
    } else {
      ++at;
    }
  }
  return comments;
}

std::vector<std::string> LostCitations(const Files& files) {
  std::vector<std::string> lost;
  for (const auto& [path, content] : files) {
    for (std::string& complaint : LostIn(files, path, TextOf(path, content))) {
      lost.push_back(std::move(complaint));
    }
  }
  return lost;
}

std::vector<std::string> UnnamedBugs(const Files& files) {
  std::set<std::string> named;
  for (const auto& [path, content] : files) {
    const bool is_rule_book =
        absl::StartsWith(path, "engine/") && absl::EndsWith(path, ".md");
    if (!is_rule_book) continue;
    for (std::string& quote : QuotesIn(content)) named.insert(std::move(quote));
  }
  std::vector<std::string> unnamed;
  for (const auto& [path, content] : files) {
    absl::string_view name = path;
    const bool is_of_engine = absl::ConsumePrefix(&name, "tests/mutants/") &&
                              absl::ConsumeSuffix(&name, ".patch") &&
                              absl::StrContains(content, "+++ b/engine/");
    if (is_of_engine && !named.contains(std::string(name))) {
      unnamed.emplace_back(name);
    }
  }
  return unnamed;
}

std::vector<std::string> LostReferences(const Files& files,
                                        const std::string& readme) {
  std::vector<std::string> lost;
  const auto complain = [&](absl::string_view what) {
    lost.push_back(absl::StrCat(readme, ": ", what));
  };
  const std::string& text = files.at(readme);
  for (const std::string& quote : QuotesIn(text)) {
    if (!IsPath(quote) || !IsOfTheTree(files, quote)) continue;
    if (!HasDocument(files, readme, quote)) {
      complain(absl::StrCat("there is no ", quote));
    }
  }
  const std::set<std::string> tests = TestsIn(files);
  for (const std::string& item : ItemsIn(text)) {
    if (absl::StartsWith(item, "- Code: ")) {
      for (const std::string& what : LostCode(files, item)) complain(what);
    }
    for (const std::string& quote : QuotesIn(item)) {
      if (IsPath(quote) || absl::StrContains(quote, ' ')) continue;
      if (absl::StartsWith(item, "- Tests: ") && !tests.contains(quote)) {
        complain(absl::StrCat("there is no test ", quote));
      }
      if (absl::StartsWith(item, "- Judges: ") &&
          !HasJudge(files, NameIn(quote))) {
        complain(absl::StrCat("there is no judge ", quote));
      }
      if (absl::StartsWith(item, "- Planted bugs: ") &&
          !files.contains(absl::StrCat("tests/mutants/", quote, ".patch"))) {
        complain(absl::StrCat("there is no planted bug ", quote));
      }
    }
  }
  return lost;
}

}  // namespace cachalot::purity
