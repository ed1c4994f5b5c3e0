#include "sim/world/other_version.h"

#include <cstdint>
#include <cstring>

#include "engine/check.h"
#include "engine/wire/checksum.h"
#include "engine/wire/codec.h"
#include "engine/wire/wire_generated.h"
#include "flatbuffers/flatbuffers.h"

namespace cachalot::sim {

std::string AsOtherVersion(std::string bytes) {
  uint64_t sum = 0;
  CHECK(bytes.size() > sizeof(sum));
  const size_t size = bytes.size() - sizeof(sum);
  // FlatBuffers omits default values; the version is never the default.
  auto* root = reinterpret_cast<flatbuffers::Table*>(
      flatbuffers::GetMutableRoot<wire::Envelope>(bytes.data()));
  uint8_t* field = root->GetAddressOf(wire::Envelope::VT_PROTOCOL_VERSION);
  CHECK(field != nullptr);
  const uint16_t version =
      flatbuffers::EndianScalar(static_cast<uint16_t>(kProtocolVersion + 1));
  std::memcpy(field, &version, sizeof(version));
  sum = flatbuffers::EndianScalar(
      Checksum(absl::string_view(bytes.data(), size)));
  std::memcpy(bytes.data() + size, &sum, sizeof(sum));
  return bytes;
}

}  // namespace cachalot::sim
