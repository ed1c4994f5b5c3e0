#include "tests/purity/include_rules.h"

#include <algorithm>
#include <iterator>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/types/span.h"

namespace cachalot::purity {

namespace {

// Containers, algorithms and words for values: nothing that asks the machine.
constexpr absl::string_view kStandardInEngine[] = {
    "algorithm", "array",      "bit",     "compare",
    "concepts",  "cstddef",    "cstdint", "cstring",
    "deque",     "functional", "iosfwd",  "initializer_list",
    "iterator",  "limits",     "map",     "memory",
    "numeric",   "optional",   "ostream", "set",
    "sstream",   "string",     "tuple",   "type_traits",
    "utility",   "variant",    "vector",
};

// absl/time/time.h is arithmetic; absl/time/clock.h asks the machine.
// absl/hash/ is seeded by addresses and differs from process to process.
constexpr absl::string_view kAbseilInEngine[] = {
    "absl/algorithm/",  "absl/base/",    "absl/cleanup/", "absl/container/",
    "absl/functional/", "absl/memory/",  "absl/meta/",    "absl/numeric/",
    "absl/status/",     "absl/strings/", "absl/types/",   "absl/time/time.h",
    "flatbuffers/",
};

struct Exception {
  absl::string_view path;
  absl::string_view include;
};

// CHECK says why on its way down.
constexpr Exception kExceptions[] = {
    {"engine/check.cc", "cstdio"},
    {"engine/check.cc", "cstdlib"},
    {"engine/check.cc", "iostream"},
};

// Time, threads, chance and hash order, for which the simulator has its own.
constexpr absl::string_view kBannedInSimulator[] = {
    "atomic",
    "chrono",
    "condition_variable",
    "ctime",
    "future",
    "mutex",
    "random",
    "shared_mutex",
    "sys/",
    "thread",
    "time.h",
    "unistd.h",
    "unordered_map",
    "unordered_set",
    "absl/hash/",
    "absl/random/",
    "absl/synchronization/",
    "absl/time/clock.h",
};

// Ways to the same things without an include of one's own.
constexpr absl::string_view kBannedWords[] = {
    "__DATE__",        "__TIME__",     "absl::BitGen",       "absl::Hash<",
    "absl::Now(",      "getenv(",      "std::chrono",        "std::hash<",
    "std::mt19937",    "std::mutex",   "std::random_device", "std::thread",
    "std::unordered_", "thread_local",
};

// They go by the wall clock, which may be set: io/wait_deadline.h does not.
constexpr absl::string_view kBannedInPrograms[] = {
    "AwaitWithDeadline(",
    "AwaitWithTimeout(",
    "LockWhenWithDeadline(",
    "LockWhenWithTimeout(",
    "WaitForNotificationWithDeadline(",
    "WaitForNotificationWithTimeout(",
    "WaitWithDeadline(",
    "WaitWithTimeout(",
};

struct FolderRule {
  absl::string_view folder;
  // Prefixes of ours that its files may include; a trailing "*" stands for
  // files directly in that folder.
  std::vector<absl::string_view> may_include;
};

// The first rule that fits a file's folder holds.
const std::vector<FolderRule>& FolderRules() {
  static const auto* const rules = new std::vector<FolderRule>{
      {"engine/membership/",
       {"engine/*", "engine/wire/", "engine/membership/"}},
      {"engine/consensus/", {"engine/*", "engine/wire/", "engine/consensus/"}},
      {"engine/locks/", {"engine/*", "engine/wire/", "engine/locks/"}},
      {"engine/client/", {"engine/*", "engine/wire/", "engine/client/"}},
      {"engine/storage/",
       {"engine/*", "engine/wire/checksum.h", "engine/storage/"}},
      {"engine/wire/", {"engine/*", "engine/wire/"}},
      {"engine/", {"engine/"}},
      {"io/", {"engine/", "io/"}},
      {"sim/world/", {"engine/", "sim/world/"}},
      {"sim/judge/", {"engine/", "sim/world/", "sim/judge/"}},
      {"sim/clients/", {"engine/", "sim/world/", "sim/judge/", "sim/clients/"}},
      {"sim/run/",
       {"engine/", "sim/world/", "sim/judge/", "sim/clients/", "sim/run/"}},
      {"sim/report/",
       {"engine/", "sim/world/", "sim/judge/", "sim/clients/", "sim/run/",
        "sim/report/"}},
      // It has a world of its own: parts of world/ are enough, without world.h.
      {"sim/explore/",
       {"engine/", "sim/world/clock.h", "sim/world/describe.h",
        "sim/world/host.h", "sim/world/instant.h", "sim/world/trace.h",
        "sim/judge/", "sim/explore/"}},
      {"sim/", {"engine/", "sim/"}},
      {"tools/base/", {"engine/", "io/", "tools/base/"}},
      {"tools/cli/",
       {"engine/", "io/", "tools/base/", "tools/install/", "tools/cli/"}},
      {"tools/examples/",
       {"engine/", "io/", "tools/base/", "tools/cli/agent_cluster.h",
        "tools/examples/"}},
      {"tools/benchmark/",
       {"engine/", "io/", "tools/base/", "tools/cli/agent_cluster.h",
        "tools/benchmark/"}},
      {"tools/simulator/",
       {"engine/", "sim/", "tools/base/", "tools/install/",
        "tools/simulator/"}},
      {"tools/", {"engine/", "io/", "sim/", "tools/"}},
  };
  return *rules;
}

// `#include "a/b.h"` -> "a/b.h", `#include <vector>` -> "vector".
std::optional<absl::string_view> Included(absl::string_view line) {
  line = absl::StripLeadingAsciiWhitespace(line);
  if (!absl::ConsumePrefix(&line, "#")) return std::nullopt;
  line = absl::StripLeadingAsciiWhitespace(line);
  if (!absl::ConsumePrefix(&line, "include")) return std::nullopt;
  line = absl::StripLeadingAsciiWhitespace(line);
  if (!absl::ConsumePrefix(&line, "<") && !absl::ConsumePrefix(&line, "\"")) {
    return line;  // a macro: on no list
  }
  return line.substr(0, line.find_first_of(">\""));
}

template <typename List>
bool Contains(const List& list, absl::string_view word) {
  return std::find(std::begin(list), std::end(list), word) != std::end(list);
}

template <typename List>
bool ContainsPrefixOf(const List& list, absl::string_view word) {
  return std::any_of(
      std::begin(list), std::end(list),
      [&](absl::string_view prefix) { return absl::StartsWith(word, prefix); });
}

// Whether `include` is one of our own headers.
bool IsOurs(absl::string_view include) {
  return ContainsPrefixOf(
      std::vector<absl::string_view>{"engine/", "io/", "sim/", "tools/",
                                     "tests/"},
      include);
}

bool Fits(absl::string_view pattern, absl::string_view include) {
  if (!absl::ConsumeSuffix(&pattern, "*")) {
    return absl::StartsWith(include, pattern);
  }
  return absl::ConsumePrefix(&include, pattern) &&
         !absl::StrContains(include, '/');
}

bool FolderMayInclude(absl::string_view path, absl::string_view include) {
  for (const FolderRule& rule : FolderRules()) {
    if (!absl::StartsWith(path, rule.folder)) continue;
    return std::any_of(
        rule.may_include.begin(), rule.may_include.end(),
        [&](absl::string_view pattern) { return Fits(pattern, include); });
  }
  return true;
}

bool IsException(absl::string_view path, absl::string_view include) {
  return std::any_of(std::begin(kExceptions), std::end(kExceptions),
                     [&](const Exception& exception) {
                       return exception.path == path &&
                              exception.include == include;
                     });
}

bool MayInclude(absl::string_view path, absl::string_view include) {
  if (IsOurs(include)) return FolderMayInclude(path, include);
  if (absl::StartsWith(path, "engine/")) {
    return Contains(kStandardInEngine, include) ||
           ContainsPrefixOf(kAbseilInEngine, include) ||
           IsException(path, include);
  }
  if (absl::StartsWith(path, "sim/")) {
    return !ContainsPrefixOf(kBannedInSimulator, include);
  }
  return true;
}

absl::Span<const absl::string_view> BannedWords(absl::string_view path) {
  if (absl::StartsWith(path, "engine/") || absl::StartsWith(path, "sim/")) {
    return kBannedWords;
  }
  const bool is_program =
      absl::StartsWith(path, "io/") || absl::StartsWith(path, "tools/");
  // Stand-ins for other people's libraries declare what those have.
  if (!is_program || absl::StartsWith(path, "tools/deps/")) return {};
  return kBannedInPrograms;
}

}  // namespace

std::vector<std::string> Violations(absl::string_view path,
                                    absl::string_view text) {
  std::vector<std::string> violations;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    const auto report = [&](absl::string_view what) {
      violations.push_back(absl::StrCat(path, ":", number, ": ", what));
    };
    if (const auto include = Included(line); include.has_value()) {
      if (!MayInclude(path, *include)) {
        report(absl::StrCat("may not include ", *include));
      }
      continue;
    }
    const absl::string_view code = line.substr(0, line.find("//"));
    for (absl::string_view word : BannedWords(path)) {
      if (absl::StrContains(code, word)) {
        report(absl::StrCat("may not use ", word));
      }
    }
  }
  return violations;
}

}  // namespace cachalot::purity
