#include "tools/cli/flag_names.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/strip.h"

namespace cachalot::tools {
namespace {

struct FlagName {
  absl::string_view field;
  absl::string_view flag;
};

constexpr FlagName kFlagNames[] = {
    {"founders", "--founders"},
    {"bootstrap", "--bootstrap"},
    {"force_bootstrap", "--force-bootstrap"},
    {"birth_delay", "--birth-delay"},
    {"session_ttl", "--session-ttl"},
    {"request_timeout", "--request-timeout"},
    {"leave_timeout", "--leave-timeout"},
    {"rate_bound_ppm", "--clock-error"},
    {"heartbeat_interval", "--heartbeat"},
    {"election_timeout", "--election-timeout"},
    {"voters_max", "--voters"},
    {"promote_after", "--promote-after"},
    {"replace_voter_after", "--replace-voter-after"},
    {"probe_interval", "--probe-interval"},
    {"probe_timeout", "--probe-timeout"},
    {"pause_tolerance", "--pause-tolerance"},
    {"reap_after", "--forget-after"},
    {"name's size", "the length of --name"},
    {"seeds' count", "the number of addresses of --join"},
};

bool IsOfWord(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_';
}

// Past the group's name, if `text` begins with one.
absl::string_view WithoutGroup(absl::string_view text) {
  for (const absl::string_view group :
       {"membership.", "consensus.", "lease."}) {
    if (absl::ConsumePrefix(&text, group)) break;
  }
  return text;
}

// The flag of the field with whose name `text` begins, as a whole word; null.
const FlagName* FindAt(absl::string_view text) {
  const auto found = std::find_if(std::begin(kFlagNames), std::end(kFlagNames),
                                  [&](const FlagName& name) {
                                    return absl::StartsWith(text, name.field) &&
                                           (text.size() == name.field.size() ||
                                            !IsOfWord(text[name.field.size()]));
                                  });
  return found == std::end(kFlagNames) ? nullptr : found;
}

}  // namespace

std::string NameFlags(absl::string_view text) {
  // Anything else may quote what a person typed.
  const bool is_about_a_field = FindAt(WithoutGroup(text)) != nullptr;
  if (!is_about_a_field) return std::string(text);
  std::string named;
  while (!text.empty()) {
    const absl::string_view rest = WithoutGroup(text);
    if (const FlagName* name = FindAt(rest)) {
      named.append(name->flag.data(), name->flag.size());
      text = rest.substr(name->field.size());
      continue;
    }
    // To the end of this word, and one further.
    size_t end = 0;
    while (end < text.size() && IsOfWord(text[end])) ++end;
    end = std::min(end + 1, text.size());
    named.append(text.data(), end);
    text.remove_prefix(end);
  }
  return named;
}

}  // namespace cachalot::tools
