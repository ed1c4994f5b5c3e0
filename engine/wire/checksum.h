#ifndef ENGINE_WIRE_CHECKSUM_H_
#define ENGINE_WIRE_CHECKSUM_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace cachalot {

// XXH64 of `bytes` with seed 0 (Collet, xxHash specification 0.1.1): finds
// damage, the same in every build. Not against forgery.
//
// TCP's and UDP's own sums are 16 bits wide and miss about one damaged packet
// in 65536 (Stone and Partridge, "When the CRC and TCP checksum disagree"); a
// term or an index changed in that way would break every promise made on it.
uint64_t Checksum(absl::string_view bytes);

}  // namespace cachalot

#endif  // ENGINE_WIRE_CHECKSUM_H_
