#ifndef IO_ENDPOINTS_H_
#define IO_ENDPOINTS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/address.h"
#include "io/host_port.h"
#include "io/local_network.h"
#include "io/resolver.h"
#include "io/seeds.h"

namespace cachalot {

// Where a member listens and is reached.
struct Endpoints {
  Address bind;
  // Port 0: the one that will be bound. Loopback only if nothing says that
  // there are other machines.
  Address advertise;
  // What works, but probably not as it is meant: one sentence each.
  std::vector<std::string> warnings;

  OwnAddresses own() const { return {.bind = bind, .advertise = advertise}; }
};

// Where to listen.
struct BindAddress {
  HostPort name;  // as it was written
  Address address;
};

// Waits for the name service, but not for ever.
// Errors: those of Resolve(), the text naming the option.
absl::StatusOr<BindAddress> ResolveBind(
    const std::string& bind, const HostLookup& lookup = LookUpHost,
    const LocalNetwork& network = SystemNetwork());

// Makes sense of what CoordinatorOptions say of the same names. `seeds`: as
// far as they are looked up. Waits for the name of `advertise` as above.
//
// Without `advertise` a member that listens everywhere is advertised at an
// address of this machine that is not loopback, if there is any: the one that a
// seed's name gives it; the one from which a seed is reached; that of the
// default route; that of the first interface.
//
// Errors: those of Resolve(), the text naming the option; InvalidArgument (a
// seed without a port, an address that nobody can reach: a wildcard, or
// loopback though a seed is on another machine).
absl::StatusOr<Endpoints> ResolveEndpoints(
    const BindAddress& bind, const std::string& advertise,
    const std::vector<SeedLookup>& seeds, const HostLookup& lookup = LookUpHost,
    const LocalNetwork& network = SystemNetwork());

}  // namespace cachalot

#endif  // IO_ENDPOINTS_H_
