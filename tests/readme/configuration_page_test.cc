// tools/configuration.md against what it describes: the agent's --help, the
// fields of the options in the headers, and the ranges that are checked.

#include <climits>
#include <cstdint>
#include <functional>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "engine/address.h"
#include "engine/check.h"
#include "engine/options.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/purity/source_tree.h"
#include "tools/base/child_process.h"
#include "tools/cli/agent_cluster.h"

namespace cachalot {
namespace {

using testing::HasSubstr;
using testing::UnorderedElementsAreArray;

constexpr char kPage[] = "tools/configuration.md";

// One option: of the page, of --help or of a header.
struct Option {
  std::string name;
  std::string type;
  std::string default_value;
  std::string allowed;  // of the page alone
  std::string flag;     // of the page alone

  std::string Line() const {
    return absl::StrCat(name, " | ", type, " | ", default_value);
  }
};

std::vector<std::string> LinesOf(const std::vector<Option>& options) {
  std::vector<std::string> lines;
  for (const Option& option : options) lines.push_back(option.Line());
  return lines;
}

// --- The page ----------------------------------------------------------------

std::string WithoutQuotes(absl::string_view cell) {
  return absl::StrReplaceAll(absl::StripAsciiWhitespace(cell), {{"`", ""}});
}

// The rows of the table below each heading, by heading.
std::map<std::string, std::vector<Option>> TablesOfThePage() {
  std::map<std::string, std::vector<Option>> tables;
  std::string heading;
  const std::string page = purity::SourceTree::Find().Read(kPage);
  for (const absl::string_view line : absl::StrSplit(page, '\n')) {
    if (absl::StartsWith(line, "#")) {
      heading =
          std::string(absl::StripAsciiWhitespace(line.substr(line.find(' '))));
    }
    if (!absl::StartsWith(line, "| `")) continue;
    const std::vector<std::string> cells = absl::StrSplit(line, '|');
    if (cells.size() < 7) continue;  // of the environment
    EXPECT_FALSE(absl::StripAsciiWhitespace(cells[cells.size() - 2]).empty())
        << line;
    tables[heading].push_back(
        {.name = WithoutQuotes(cells[1]),
         .type = WithoutQuotes(cells[2]),
         .default_value = WithoutQuotes(cells[3]),
         .allowed = WithoutQuotes(cells[4]),
         .flag = cells.size() == 8 ? WithoutQuotes(cells[5]) : ""});
  }
  return tables;
}

// --- --help ------------------------------------------------------------------

// "description [default]" taken apart.
std::string DefaultOf(const std::string& description) {
  if (!absl::EndsWith(description, "]")) return "";
  const size_t begin = description.rfind('[');
  return description.substr(begin + 1, description.size() - begin - 2);
}

std::vector<Option> FlagsOfTheAgent() {
  const std::string help =
      tools::RunCommand({tools::FindCachalot().value(), "agent", "--help"},
                        absl::Now() + absl::Seconds(30))
          .value()
          .output;
  // A description that does not fit beside its flag is on the next line.
  const std::string joined =
      std::regex_replace(help, std::regex("\n {10,}"), "  ");
  std::vector<Option> flags;
  for (const absl::string_view line : absl::StrSplit(joined, '\n')) {
    if (!absl::StartsWith(line, "  --")) continue;
    const std::vector<std::string> words =
        absl::StrSplit(line, absl::MaxSplits(' ', 4));
    CHECK(words.size() == 5) << line;
    flags.push_back({.name = words[2],
                     .type = words[3],
                     .default_value = DefaultOf(words[4])});
  }
  return flags;
}

// --- The headers -------------------------------------------------------------

// "absl::Seconds(10)" as the page has it: "10s".
std::string InWords(const std::string& value) {
  std::smatch match;
  static const std::regex kDuration("absl::(\\w+)\\((\\d*)\\)");
  static const std::regex kShift("uint64_t\\{(\\d+)\\} << (\\d+)");
  if (std::regex_match(value, match, kDuration)) {
    const std::map<std::string, std::string> units = {{"Milliseconds", "ms"},
                                                      {"Seconds", "s"},
                                                      {"Minutes", "m"},
                                                      {"Hours", "h"}};
    if (match[1] == "InfiniteDuration") return "infinite";
    return absl::StrCat(match[2].str(), units.at(match[1]));
  }
  if (std::regex_match(value, match, kShift)) {
    return absl::StrCat(std::stoull(match[1]) << std::stoull(match[2]));
  }
  if (absl::StartsWith(value, "LogLevel::k")) {
    return absl::AsciiStrToLower(value.substr(11));
  }
  if (value == "nullptr") return "null";
  if (value == "kDefaultCluster") return kDefaultCluster;
  return absl::StrReplaceAll(value, {{"'", ""}});
}

// The header that defines `name`, wherever it is.
std::string BodyOf(const std::string& name) {
  const purity::SourceTree tree = purity::SourceTree::Find();
  const std::string begin = absl::StrCat("\nstruct ", name, " {\n");
  for (const char* folder : {"engine", "io"}) {
    for (const std::string& path : tree.Files(folder)) {
      if (!absl::EndsWith(path, ".h")) continue;
      const std::string text = tree.Read(path);
      const size_t at = text.find(begin);
      if (at == std::string::npos) continue;
      return text.substr(at + begin.size(),
                         text.find("\n};", at) - at - begin.size());
    }
  }
  ADD_FAILURE() << "no header defines " << name;
  return "";
}

std::vector<Option> FieldsOf(const std::string& name) {
  std::string code;
  for (const absl::string_view line : absl::StrSplit(BodyOf(name), '\n')) {
    absl::StrAppend(&code, line.substr(0, line.find("//")), " ");
  }
  static const std::regex kField(
      "\\s*([^=]+[^\\s=])\\s+(\\w+)(\\s*=\\s*(.+))?\\s*");
  std::vector<Option> fields;
  for (const std::string& field :
       std::vector<std::string>(absl::StrSplit(code, ';'))) {
    std::smatch match;
    if (!std::regex_match(field, match, kField)) continue;
    fields.push_back({.name = match[2],
                      .type = match[1],
                      .default_value = InWords(match[4])});
  }
  EXPECT_FALSE(fields.empty()) << name;
  return fields;
}

// --- Ranges ------------------------------------------------------------------

// Makes a field far too large, or far too small.
using Spoil = std::function<void(NodeOptions&, bool is_large)>;

void SetExtreme(absl::Duration& value, bool is_large) {
  value = is_large ? absl::InfiniteDuration() : -absl::Seconds(1);
}
void SetExtreme(int& value, bool is_large) {
  value = is_large ? INT_MAX : INT_MIN;
}
void SetExtreme(int64_t& value, bool is_large) {
  value = is_large ? INT64_MAX : INT64_MIN;
}

template <typename Group, typename Value>
Spoil Of(Group NodeOptions::*group, Value Group::*field) {
  return [=](NodeOptions& options, bool is_large) {
    SetExtreme(options.*group.*field, is_large);
  };
}
template <typename Value>
Spoil Of(Value NodeOptions::*field) {
  return [=](NodeOptions& options, bool is_large) {
    SetExtreme(options.*field, is_large);
  };
}

// All fields that have a range.
std::map<std::string, Spoil> Ranged() {
  constexpr auto kLease = &NodeOptions::lease;
  constexpr auto kConsensus = &NodeOptions::consensus;
  constexpr auto kMembership = &NodeOptions::membership;
  using L = LeaseOptions;
  using C = ConsensusOptions;
  using M = MembershipOptions;
  return {
      {"birth_delay", Of(&NodeOptions::birth_delay)},
      {"session_ttl", Of(kLease, &L::session_ttl)},
      {"rate_bound_ppm", Of(kLease, &L::rate_bound_ppm)},
      {"slack", Of(kLease, &L::slack)},
      {"retry_min", Of(kLease, &L::retry_min)},
      {"retry_max", Of(kLease, &L::retry_max)},
      {"request_timeout", Of(kLease, &L::request_timeout)},
      {"leave_timeout", Of(kLease, &L::leave_timeout)},
      {"heartbeat_interval", Of(kConsensus, &C::heartbeat_interval)},
      {"election_timeout", Of(kConsensus, &C::election_timeout)},
      {"appends_in_flight_max", Of(kConsensus, &C::appends_in_flight_max)},
      {"voters_max", Of(kConsensus, &C::voters_max)},
      {"replace_voter_after", Of(kConsensus, &C::replace_voter_after)},
      {"promote_after", Of(kConsensus, &C::promote_after)},
      {"probe_interval", Of(kMembership, &M::probe_interval)},
      {"probe_timeout", Of(kMembership, &M::probe_timeout)},
      {"indirect_probes", Of(kMembership, &M::indirect_probes)},
      {"pause_tolerance", Of(kMembership, &M::pause_tolerance)},
      {"suspicion_max_multiplier",
       Of(kMembership, &M::suspicion_max_multiplier)},
      {"gossip_interval", Of(kMembership, &M::gossip_interval)},
      {"gossip_fanout", Of(kMembership, &M::gossip_fanout)},
      {"push_pull_interval", Of(kMembership, &M::push_pull_interval)},
      {"join_retry_min", Of(kMembership, &M::join_retry_min)},
      {"join_retry_max", Of(kMembership, &M::join_retry_max)},
      {"reconnect_interval", Of(kMembership, &M::reconnect_interval)},
      {"reap_after", Of(kMembership, &M::reap_after)},
  };
}

NodeOptions Fitting() {
  NodeOptions options;
  options.address = Address::V4(127, 0, 0, 1, 7946);
  return options;
}

// --- Tests -------------------------------------------------------------------

TEST(ConfigurationPageTest, HasEachFlagOfTheAgent) {
  EXPECT_THAT(LinesOf(TablesOfThePage()["The agent"]),
              UnorderedElementsAreArray(LinesOf(FlagsOfTheAgent())));
}

TEST(ConfigurationPageTest, HasEachVariableOfTheEnvironment) {
  const purity::SourceTree tree = purity::SourceTree::Find();
  std::set<std::string> variables;
  const std::regex name("CACHALOT_[A-Z_]+");
  for (const std::string& path : tree.Files("tools")) {
    if (!absl::EndsWith(path, ".cc")) continue;
    const std::string code = tree.Read(path);
    for (std::sregex_iterator i(code.begin(), code.end(), name), end; i != end;
         ++i) {
      variables.insert(i->str());
    }
  }
  EXPECT_GE(variables.size(), 4u);
  const std::string page = tree.Read(kPage);
  for (const std::string& variable : variables) {
    EXPECT_THAT(page, HasSubstr(absl::StrCat("`", variable, "`")));
  }
}

TEST(ConfigurationPageTest, HasEachFieldOfTheOptions) {
  auto tables = TablesOfThePage();
  for (const char* name :
       {"CoordinatorOptions", "LeaseOptions", "ConsensusOptions",
        "MembershipOptions", "CallerLimits", "SeedTiming", "LockOptions"}) {
    EXPECT_THAT(LinesOf(tables[name]),
                UnorderedElementsAreArray(LinesOf(FieldsOf(name))))
        << name;
  }
}

TEST(ConfigurationPageTest, HasTheRangesThatAreChecked) {
  ASSERT_TRUE(Validate(Fitting()).ok()) << Validate(Fitting());
  std::map<std::string, Spoil> ranged = Ranged();
  for (const auto& [heading, options] : TablesOfThePage()) {
    if (heading == "The agent") continue;
    for (const Option& option : options) {
      if (!absl::StartsWith(option.allowed, "[")) continue;
      const auto spoil = ranged.find(option.name);
      ASSERT_NE(spoil, ranged.end()) << option.name;
      for (const bool is_large : {false, true}) {
        NodeOptions bad = Fitting();
        spoil->second(bad, is_large);
        EXPECT_THAT(std::string(Validate(bad).message()),
                    HasSubstr(absl::StrCat("must be in ", option.allowed)))
            << option.name;
      }
      ranged.erase(spoil);
    }
  }
  for (const auto& [name, spoil] : ranged) {
    ADD_FAILURE() << "the page has no range of " << name;
  }
}

TEST(ConfigurationPageTest, FlagsAreAsTheirFields) {
  auto tables = TablesOfThePage();
  std::map<std::string, Option> flags;
  for (const Option& flag : tables["The agent"]) flags[flag.name] = flag;
  for (const auto& [heading, options] : tables) {
    for (const Option& option : options) {
      if (option.flag.empty()) continue;
      ASSERT_TRUE(flags.contains(option.flag)) << option.flag;
      const Option& flag = flags[option.flag];
      if (absl::StartsWith(option.allowed, "[")) {
        EXPECT_EQ(flag.allowed, option.allowed) << option.flag;
      }
      // A flag without a value is off unless it is given.
      if (option.type == "bool") continue;
      if (!option.default_value.empty()) {
        EXPECT_EQ(flag.default_value, option.default_value) << option.flag;
      }
    }
  }
}

}  // namespace
}  // namespace cachalot
