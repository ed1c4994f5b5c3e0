#ifndef IO_HOST_PORT_H_
#define IO_HOST_PORT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/address.h"

namespace cachalot {

// "HOST:PORT" as a person writes it, taken apart. Nothing is looked up.
struct HostPort {
  std::string text;  // as it was written
  std::string host;  // without brackets; may be empty
  uint16_t port = 0;
  // The address, if `host` is one and no name.
  std::optional<Address> literal;
};

// Reads "localhost:7946", "10.0.0.1:7946", "[fd00::1]:7946" or ":7946".
//
// Errors: InvalidArgument, quoting `text` and saying what to write instead: no
// port or one that is no number in [0, 65535]; a URL; an IPv6 address without
// brackets, with a zone or of link-local scope; a multicast address; what can
// be neither an address nor a host name.
absl::StatusOr<HostPort> ParseHostPort(absl::string_view text);

// OK if a node can be at `address`. Link-local IPv6 addresses are refused,
// since they mean nothing without a zone and an Address has no room for one;
// so are multicast addresses.
absl::Status CheckUnicast(const Address& address);

}  // namespace cachalot

#endif  // IO_HOST_PORT_H_
