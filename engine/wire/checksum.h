#ifndef ENGINE_WIRE_CHECKSUM_H_
#define ENGINE_WIRE_CHECKSUM_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace cachalot {

// XXH64 of `bytes` with seed 0 (Collet, xxHash specification 0.1.1), the same
// in every build. It detects damage, but no forgery.
//
// TCP's and UDP's own checksums have 16 bits and miss about one damaged packet
// in 65536 (Stone and Partridge, "When the CRC and TCP checksum disagree"). A
// term or an index that was damaged in this way would break Raft's safety.
uint64_t Checksum(absl::string_view bytes);

}  // namespace cachalot

#endif  // ENGINE_WIRE_CHECKSUM_H_
