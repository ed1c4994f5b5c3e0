#ifndef IO_ENDPOINTS_H_
#define IO_ENDPOINTS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/address.h"

namespace cachalot {

// Where a member listens, is reached, and finds others.
struct Endpoints {
  Address bind;
  // Port 0: the one that will be bound.
  Address advertise;
  // Without this member's own addresses.
  std::vector<Address> seeds;
  // One of the seeds' texts meant this member itself.
  bool has_own_seed = false;
};

// Makes sense of what CoordinatorOptions say of the same names.
//
// Errors: those of Resolve(), the text naming the option; InvalidArgument (a
// seed without a port, too many seeds, an address that nobody can reach).
absl::StatusOr<Endpoints> ResolveEndpoints(
    const std::string& bind, const std::string& advertise,
    const std::vector<std::string>& seeds);

}  // namespace cachalot

#endif  // IO_ENDPOINTS_H_
