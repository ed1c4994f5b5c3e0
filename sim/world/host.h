#ifndef SIM_WORLD_HOST_H_
#define SIM_WORLD_HOST_H_

#include <string>

#include "engine/address.h"
#include "engine/strong_id.h"

namespace cachalot::sim {

// One machine: an address, clocks, a disk, and room for one process at a time.
// The first is 1 and called "n1".
using HostId = StrongId<struct HostKind>;

std::string HostName(HostId host);
Address HostAddress(HostId host);

}  // namespace cachalot::sim

#endif  // SIM_WORLD_HOST_H_
