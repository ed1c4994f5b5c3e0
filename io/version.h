#ifndef IO_VERSION_H_
#define IO_VERSION_H_

#include "absl/strings/string_view.h"

namespace cachalot {

// The library's version, "0.9.0".
absl::string_view LibraryVersion();

// The version of the protocol. Members work together if theirs are the same;
// messages of another version are dropped and counted
// (AgentStatus::other_version).
int WireVersion();

}  // namespace cachalot

#endif  // IO_VERSION_H_
