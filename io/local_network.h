#ifndef IO_LOCAL_NETWORK_H_
#define IO_LOCAL_NETWORK_H_

#include <vector>

#include "engine/address.h"

namespace cachalot {

// What this machine knows of its own addresses. Ports are ignored, and 0 in
// what is returned. Replaced in tests.
class LocalNetwork {
 public:
  virtual ~LocalNetwork() = default;
  // True if `address` is one of this machine's.
  virtual bool IsLocal(const Address& address) const = 0;
  // The address of ours from which the kernel would send to `peer`; none (no
  // IP and no port) if it knows no way. Sends nothing.
  virtual Address SourceTowards(const Address& peer) const = 0;
  // Of interfaces that are up, without loopback and link-local ones. That of
  // the default route first, IPv4 before IPv6.
  virtual std::vector<Address> Addresses() const = 0;
};

// As the kernel has it.
const LocalNetwork& SystemNetwork();

}  // namespace cachalot

#endif  // IO_LOCAL_NETWORK_H_
