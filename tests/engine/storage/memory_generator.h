#ifndef TESTS_ENGINE_STORAGE_MEMORY_GENERATOR_H_
#define TESTS_ENGINE_STORAGE_MEMORY_GENERATOR_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "engine/memory.h"

namespace cachalot {

// A memory and the name of its cluster, of any size within the limits.
struct NamedMemory {
  std::string cluster_name;
  Memory memory;
};
NamedMemory DrawMemory(uint64_t seed);

// `bytes` with a number in it replaced: `size` bytes at `offset`, the least
// significant first.
std::string WithNumber(std::string bytes, size_t offset, size_t size,
                       uint64_t value);

// `bytes` with a checksum at the end that is right for the rest, as only
// somebody who forges a file would write it.
std::string Resealed(std::string bytes);

// CHECKs that `bytes`, as they are and resealed, are refused as a memory of
// `cluster_name`, or are what is written for a memory within the limits.
void CheckMemoryHarmless(absl::string_view cluster_name,
                         absl::string_view bytes);

}  // namespace cachalot

#endif  // TESTS_ENGINE_STORAGE_MEMORY_GENERATOR_H_
