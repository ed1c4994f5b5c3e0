#ifndef TOOLS_CLI_STATE_PLACE_H_
#define TOOLS_CLI_STATE_PLACE_H_

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace cachalot::tools {

// Where an agent keeps what it remembers unless --state-dir says otherwise:
//
//   root         /var/lib/cachalot/CLUSTER/AGENT
//   other users  $XDG_STATE_HOME/cachalot/CLUSTER/AGENT, or below
//                ~/.local/state if that is not set (XDG Base Directory)
//
// AGENT is the agent's name, or its port if it has none. So two agents of one
// machine have different places, unless they are given the same name.
struct StatePlaces {
  uid_t user = 0;
  std::string var_lib = "/var/lib";
  std::string state_home;  // of a user who is not root; empty: none is known

  // Of the effective user of this process.
  static StatePlaces OfThisUser();

  // Empty if there is none: no name and port 0, or a user without a home.
  std::string DirectoryOf(absl::string_view cluster, absl::string_view name,
                          uint16_t port) const;
};

// `text` as the name of a file: letters, digits and "-_.@+" stay, as long as
// they are not a dot in the first place; each other byte becomes %NN.
std::string FileNameOf(absl::string_view text);

}  // namespace cachalot::tools

#endif  // TOOLS_CLI_STATE_PLACE_H_
