#ifndef TOOLS_CLI_FLAG_NAMES_H_
#define TOOLS_CLI_FLAG_NAMES_H_

#include <string>

#include "absl/strings/string_view.h"

namespace cachalot::tools {

// `text`, in which the library speaks of its options by the names of their
// fields ("lease.session_ttl is 1ms, must be in [1s, 24h]"), with the names of
// the agent's flags instead ("--session-ttl is 1ms, ..."). Text that does not
// begin with such a name stays as it is.
std::string NameFlags(absl::string_view text);

}  // namespace cachalot::tools

#endif  // TOOLS_CLI_FLAG_NAMES_H_
