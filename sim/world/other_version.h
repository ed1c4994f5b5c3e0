#ifndef SIM_WORLD_OTHER_VERSION_H_
#define SIM_WORLD_OTHER_VERSION_H_

#include <string>

#include "absl/strings/string_view.h"

namespace cachalot::sim {

// The same message, as a build with the next protocol version would send it. In
// a cluster of mixed versions each side drops the messages of the other.
// REQUIRES: `bytes` were encoded by engine/wire/codec.h.
std::string AsOtherVersion(std::string bytes);

}  // namespace cachalot::sim

#endif  // SIM_WORLD_OTHER_VERSION_H_
