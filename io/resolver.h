#ifndef IO_RESOLVER_H_
#define IO_RESOLVER_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/address.h"

namespace cachalot {

// What an empty host in ":7946" stands for.
enum class EmptyHost {
  kEveryAddress,  // the wildcard: listen on all addresses
  kThisMachine,   // loopback: connect to a process here
};

// Turns "localhost:7946", "10.0.0.1:7946", "[::1]:7946" or ":7946" into the
// addresses that it names, IPv4 first: at least one, each once. Blocks while it
// asks the name service.
//
// Errors: InvalidArgument (not of this form, or the port is not a number in
// [0, 65535]), NotFound (no such host), Unavailable (the name service does not
// answer). Each message quotes `host_port`.
absl::StatusOr<std::vector<Address>> Resolve(absl::string_view host_port,
                                             EmptyHost empty_host);

}  // namespace cachalot

#endif  // IO_RESOLVER_H_
