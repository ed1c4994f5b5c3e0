#include "sim/world/host.h"

#include "absl/strings/str_cat.h"

namespace cachalot::sim {

std::string HostName(HostId host) { return absl::StrCat("n", host.value()); }

Address HostAddress(HostId host) {
  return Address::V4(10, 0, static_cast<uint8_t>(host.value() >> 8),
                     static_cast<uint8_t>(host.value()), 7946);
}

}  // namespace cachalot::sim
