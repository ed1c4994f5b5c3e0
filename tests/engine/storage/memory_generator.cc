#include "tests/engine/storage/memory_generator.h"

#include <utility>

#include "absl/status/statusor.h"
#include "engine/address.h"
#include "engine/check.h"
#include "engine/ids.h"
#include "engine/limits.h"
#include "engine/random.h"
#include "engine/storage/memory_file.h"
#include "engine/wire/checksum.h"

namespace cachalot {
namespace {

constexpr size_t kChecksumBytes = 8;

void CheckOne(absl::string_view cluster_name, absl::string_view bytes) {
  const absl::StatusOr<Memory> memory = DecodeMemory(cluster_name, bytes);
  if (memory.ok()) CHECK(EncodeMemory(cluster_name, *memory) == bytes);
}

}  // namespace

NamedMemory DrawMemory(uint64_t seed) {
  Random random(seed, "memory");
  NamedMemory drawn;
  const size_t name_size =
      static_cast<size_t>(random.Between(1, limits::kNameBytesMax));
  for (size_t i = 0; i < name_size; ++i) {
    drawn.cluster_name += static_cast<char>(random.Below(256));
  }
  Memory& memory = drawn.memory;
  memory.starts = random.Between(1, kStartsMax);
  if (random.Chance(4, 5)) memory.cluster = {random.Next(), random.Next()};
  memory.tokens_seen = FencingToken(random.Next() >> (1 + random.Below(63)));
  const uint64_t peers =
      random.Chance(1, 5) ? limits::kSeedsMax : random.Below(6);
  for (uint64_t i = 0; i < peers; ++i) {
    Address peer;
    for (uint8_t& byte : peer.ip)
      byte = static_cast<uint8_t>(random.Below(256));
    peer.port = static_cast<uint16_t>(random.Between(1, 65535));
    memory.peers.push_back(peer);
  }
  memory.has_left = random.Chance(1, 3);
  memory.is_over = random.Chance(1, 3);
  return drawn;
}

std::string WithNumber(std::string bytes, size_t offset, size_t size,
                       uint64_t value) {
  for (size_t i = 0; i < size; ++i) {
    bytes.at(offset + i) = static_cast<char>(value >> (8 * i) & 0xff);
  }
  return bytes;
}

std::string Resealed(std::string bytes) {
  if (bytes.size() < kChecksumBytes) return bytes;
  const size_t end = bytes.size() - kChecksumBytes;
  const uint64_t checksum = Checksum(absl::string_view(bytes.data(), end));
  return WithNumber(std::move(bytes), end, kChecksumBytes, checksum);
}

void CheckMemoryHarmless(absl::string_view cluster_name,
                         absl::string_view bytes) {
  CheckOne(cluster_name, bytes);
  CheckOne(cluster_name, Resealed(std::string(bytes)));
}

}  // namespace cachalot
