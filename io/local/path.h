#ifndef IO_LOCAL_PATH_H_
#define IO_LOCAL_PATH_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "io/socket.h"

namespace cachalot {

// Where the agent that is bound to `port` listens for programs on its machine
// if it was not told otherwise: cachalot-PORT.sock in $XDG_RUNTIME_DIR, or in
// /tmp.
std::string DefaultLocalSocketPath(uint16_t port);

// `path` for bind() and connect().
// Errors: InvalidArgument (empty, or too long for the kernel).
absl::StatusOr<SocketAddress> ToUnixAddress(absl::string_view path);

}  // namespace cachalot

#endif  // IO_LOCAL_PATH_H_
