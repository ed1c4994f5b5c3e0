#include "tools/cli/state_place.h"

#include <stdlib.h>
#include <unistd.h>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "io/local/path.h"

namespace cachalot::tools {
namespace {

constexpr absl::string_view kPlain = "-_.@+";

// The standard says that paths which are not absolute are invalid.
std::string AbsoluteFromEnvironment(const char* variable) {
  const char* const value = getenv(variable);
  return value != nullptr && value[0] == '/' ? value : "";
}

std::string StateHomeOf(const std::string& home_of_user) {
  std::string state_home = AbsoluteFromEnvironment("XDG_STATE_HOME");
  if (!state_home.empty()) return state_home;
  // The user table first: sudo and cron change the environment.
  const std::string home =
      home_of_user.empty() ? AbsoluteFromEnvironment("HOME") : home_of_user;
  return home.empty() ? "" : absl::StrCat(home, "/.local/state");
}

}  // namespace

std::string FileNameOf(absl::string_view text) {
  std::string name;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_hidden = name.empty() && c == '.';
    if (!is_hidden &&
        (absl::ascii_isalnum(byte) || absl::StrContains(kPlain, c))) {
      name += c;
    } else {
      absl::StrAppend(&name, "%", absl::Hex(byte, absl::kZeroPad2));
    }
  }
  return name;
}

StatePlaces StatePlaces::OfThisUser() {
  const LocalSocketPlaces places = LocalSocketPlaces::OfThisUser();
  return {.user = places.user,
          .state_home = places.user == 0 ? "" : StateHomeOf(places.home)};
}

std::string StatePlaces::DirectoryOf(absl::string_view cluster,
                                     absl::string_view name,
                                     uint16_t port) const {
  const std::string& base = user == 0 ? var_lib : state_home;
  if (base.empty() || cluster.empty() || (name.empty() && port == 0)) return "";
  return absl::StrCat(base, "/cachalot/", FileNameOf(cluster), "/",
                      name.empty() ? absl::StrCat(port) : FileNameOf(name));
}

}  // namespace cachalot::tools
