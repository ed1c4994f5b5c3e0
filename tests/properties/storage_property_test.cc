// Properties of the memory file: what is written is read, and what was changed
// since is refused, or is another file that could have been written.

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/memory.h"
#include "engine/storage/memory_file.h"
#include "gtest/gtest.h"
#include "rapidcheck/gtest.h"
#include "tests/engine/storage/memory_generator.h"

namespace cachalot {
namespace {

std::string Encoded(const NamedMemory& drawn) {
  return EncodeMemory(drawn.cluster_name, drawn.memory);
}

bool IsRefused(const NamedMemory& drawn, const std::string& bytes) {
  const absl::Status status = DecodeMemory(drawn.cluster_name, bytes).status();
  return absl::IsDataLoss(status) || absl::IsInvalidArgument(status);
}

RC_GTEST_PROP(MemoryFileProperty, EveryMemoryComesBack, (uint64_t seed)) {
  const NamedMemory drawn = DrawMemory(seed);
  const std::string bytes = Encoded(drawn);
  RC_ASSERT(bytes.size() <= kMemoryFileBytesMax);
  RC_ASSERT(DecodeMemory(drawn.cluster_name, bytes).value() == drawn.memory);
}

RC_GTEST_PROP(MemoryFileProperty, DamageIsNoticed, (uint64_t seed)) {
  const NamedMemory drawn = DrawMemory(seed);
  std::string bytes = Encoded(drawn);
  const size_t place = *rc::gen::inRange<size_t>(0, bytes.size());
  const int damage = *rc::gen::inRange(1, 256);
  bytes[place] = static_cast<char>(bytes[place] ^ damage);
  RC_ASSERT(IsRefused(drawn, bytes));
}

RC_GTEST_PROP(MemoryFileProperty, ALostEndIsNoticed, (uint64_t seed)) {
  const NamedMemory drawn = DrawMemory(seed);
  const std::string bytes = Encoded(drawn);
  const size_t size = *rc::gen::inRange<size_t>(0, bytes.size());
  RC_ASSERT(IsRefused(drawn, bytes.substr(0, size)));
}

// CheckMemoryHarmless() CHECKs: it fails by dying.
RC_GTEST_PROP(MemoryFileProperty, AForgedFileIsRefusedOrCouldBeWritten,
              (uint64_t seed)) {
  const NamedMemory drawn = DrawMemory(seed);
  std::string bytes = Encoded(drawn);
  const int changes = *rc::gen::inRange(1, 5);
  for (int i = 0; i < changes; ++i) {
    const size_t place = *rc::gen::inRange<size_t>(16, bytes.size());
    bytes[place] = static_cast<char>(*rc::gen::inRange(0, 256));
  }
  CheckMemoryHarmless(drawn.cluster_name, bytes);
}

}  // namespace
}  // namespace cachalot
