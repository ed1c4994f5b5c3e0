#ifndef TESTS_FUZZ_TAPE_H_
#define TESTS_FUZZ_TAPE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace cachalot {

// Reads a fuzzer's bytes as decisions, from front to back. A small decision
// takes one byte, so a change of one byte changes one decision. After the end
// all decisions are 0.
class Tape {
 public:
  // `bytes` outlives the tape.
  explicit Tape(absl::string_view bytes) : rest_(bytes) {}

  bool empty() const { return rest_.empty(); }

  uint8_t Byte() {
    if (rest_.empty()) return 0;
    const char byte = rest_.front();
    rest_.remove_prefix(1);
    return static_cast<uint8_t>(byte);
  }
  // In [0, bound). REQUIRES: 0 < bound <= 256.
  size_t Below(size_t bound) { return Byte() % bound; }
  bool Flip() { return Byte() % 2 != 0; }
  uint64_t Number() {
    uint64_t number = 0;
    for (int i = 0; i < 8; ++i) number = number << 8 | Byte();
    return number;
  }
  // The next `size` bytes, or all that are left.
  std::string Bytes(size_t size) {
    const absl::string_view taken =
        rest_.substr(0, std::min(size, rest_.size()));
    rest_.remove_prefix(taken.size());
    return std::string(taken);
  }

  // REQUIRES: 0 < items.size() <= 256.
  template <typename T>
  const T& Pick(const std::vector<T>& items) {
    return items[Below(items.size())];
  }

 private:
  absl::string_view rest_;
};

}  // namespace cachalot

#endif  // TESTS_FUZZ_TAPE_H_
