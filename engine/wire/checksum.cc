#include "engine/wire/checksum.h"

#include <array>
#include <bit>
#include <cstring>

namespace cachalot {
namespace {

constexpr uint64_t kPrime1 = 0x9e3779b185ebca87u;
constexpr uint64_t kPrime2 = 0xc2b2ae3d27d4eb4fu;
constexpr uint64_t kPrime3 = 0x165667b19e3779f9u;
constexpr uint64_t kPrime4 = 0x85ebca77c2b2ae63u;
constexpr uint64_t kPrime5 = 0x27d4eb2f165667c5u;

// Takes the next `Word`, little-endian, off the front.
template <typename Word>
Word Take(absl::string_view& bytes) {
  static_assert(std::endian::native == std::endian::little);
  Word word;
  std::memcpy(&word, bytes.data(), sizeof(word));
  bytes.remove_prefix(sizeof(word));
  return word;
}

uint64_t Round(uint64_t lane, uint64_t word) {
  return std::rotl(lane + word * kPrime2, 31) * kPrime1;
}

// The bulk, four independent lanes at a time.
uint64_t ConsumeStripes(absl::string_view& bytes) {
  std::array<uint64_t, 4> lanes = {kPrime1 + kPrime2, kPrime2, 0,
                                   uint64_t{0} - kPrime1};
  while (bytes.size() >= 32) {
    for (uint64_t& lane : lanes) lane = Round(lane, Take<uint64_t>(bytes));
  }
  uint64_t sum = std::rotl(lanes[0], 1) + std::rotl(lanes[1], 7) +
                 std::rotl(lanes[2], 12) + std::rotl(lanes[3], 18);
  for (const uint64_t lane : lanes) {
    sum = (sum ^ Round(0, lane)) * kPrime1 + kPrime4;
  }
  return sum;
}

uint64_t Avalanche(uint64_t sum) {
  sum = (sum ^ (sum >> 33)) * kPrime2;
  sum = (sum ^ (sum >> 29)) * kPrime3;
  return sum ^ (sum >> 32);
}

}  // namespace

uint64_t Checksum(absl::string_view bytes) {
  const uint64_t size = bytes.size();
  uint64_t sum = (size >= 32 ? ConsumeStripes(bytes) : kPrime5) + size;
  while (bytes.size() >= 8) {
    sum ^= Round(0, Take<uint64_t>(bytes));
    sum = std::rotl(sum, 27) * kPrime1 + kPrime4;
  }
  if (bytes.size() >= 4) {
    sum ^= Take<uint32_t>(bytes) * kPrime1;
    sum = std::rotl(sum, 23) * kPrime2 + kPrime3;
  }
  while (!bytes.empty()) {
    sum = std::rotl(sum ^ (Take<uint8_t>(bytes) * kPrime5), 11) * kPrime1;
  }
  return Avalanche(sum);
}

}  // namespace cachalot
