#ifndef IO_HOST_LOOKUP_H_
#define IO_HOST_LOOKUP_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/address.h"

namespace cachalot {

// The addresses of a host name, their ports 0. Called on threads of its own,
// several at a time; may block for as long as it takes.
using HostLookup = std::function<absl::StatusOr<std::vector<Address>>(
    const std::string& host)>;

}  // namespace cachalot

#endif  // IO_HOST_LOOKUP_H_
