#ifndef IO_RESOLVER_H_
#define IO_RESOLVER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/address.h"
#include "io/host_lookup.h"
#include "io/host_port.h"

namespace cachalot {

// What an empty host in ":7946" stands for.
enum class EmptyHost {
  kEveryAddress,  // the wildcard: listen on all addresses
  kThisMachine,   // loopback: connect to a process here
};

// Asks the machine's name service (getaddrinfo), which knows DNS and
// /etc/hosts.
//
// Errors: NotFound (no such host), Unavailable (the name service does not
// answer).
absl::StatusOr<std::vector<Address>> LookUpHost(const std::string& host);

// The addresses that `name` stands for, IPv4 first: at least one, each once.
// Those that no node can be at (CheckUnicast()) are left out. Blocks while
// `lookup` does; an address needs none.
//
// Errors: those of `lookup`, quoting `name`; NotFound (no usable address).
absl::StatusOr<std::vector<Address>> Resolve(
    const HostPort& name, EmptyHost empty_host,
    const HostLookup& lookup = LookUpHost);

// The same of a text. Errors: also those of ParseHostPort().
absl::StatusOr<std::vector<Address>> Resolve(
    absl::string_view host_port, EmptyHost empty_host,
    const HostLookup& lookup = LookUpHost);

}  // namespace cachalot

#endif  // IO_RESOLVER_H_
