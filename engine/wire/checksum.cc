#include "engine/wire/checksum.h"

#include <bit>
#include <cstring>

namespace cachalot {
namespace {

constexpr uint64_t kPrime1 = 0x9e3779b185ebca87u;
constexpr uint64_t kPrime2 = 0xc2b2ae3d27d4eb4fu;
constexpr uint64_t kPrime3 = 0x165667b19e3779f9u;
constexpr uint64_t kPrime4 = 0x85ebca77c2b2ae63u;
constexpr uint64_t kPrime5 = 0x27d4eb2f165667c5u;

// Reads the little-endian `Word` at `next` and moves `next` past it.
template <typename Word>
Word Take(const char*& next) {
  static_assert(std::endian::native == std::endian::little);
  Word word;
  std::memcpy(&word, next, sizeof(word));
  next += sizeof(word);
  return word;
}

uint64_t Round(uint64_t lane, uint64_t word) {
  return std::rotl(lane + word * kPrime2, 31) * kPrime1;
}

uint64_t Merge(uint64_t sum, uint64_t lane) {
  return (sum ^ Round(0, lane)) * kPrime1 + kPrime4;
}

// The bulk: four independent lanes, each in its own register.
// REQUIRES: there are 32 bytes or more.
uint64_t ConsumeStripes(const char*& next, const char* end) {
  uint64_t a = kPrime1 + kPrime2;
  uint64_t b = kPrime2;
  uint64_t c = 0;
  uint64_t d = uint64_t{0} - kPrime1;
  do {
    a = Round(a, Take<uint64_t>(next));
    b = Round(b, Take<uint64_t>(next));
    c = Round(c, Take<uint64_t>(next));
    d = Round(d, Take<uint64_t>(next));
  } while (end - next >= 32);
  const uint64_t sum =
      std::rotl(a, 1) + std::rotl(b, 7) + std::rotl(c, 12) + std::rotl(d, 18);
  return Merge(Merge(Merge(Merge(sum, a), b), c), d);
}

uint64_t Avalanche(uint64_t sum) {
  sum = (sum ^ (sum >> 33)) * kPrime2;
  sum = (sum ^ (sum >> 29)) * kPrime3;
  return sum ^ (sum >> 32);
}

}  // namespace

uint64_t Checksum(absl::string_view bytes) {
  const char* next = bytes.data();
  const char* const end = next + bytes.size();
  uint64_t sum = bytes.size() >= 32 ? ConsumeStripes(next, end) : kPrime5;
  sum += bytes.size();
  while (end - next >= 8) {
    sum ^= Round(0, Take<uint64_t>(next));
    sum = std::rotl(sum, 27) * kPrime1 + kPrime4;
  }
  if (end - next >= 4) {
    sum ^= Take<uint32_t>(next) * kPrime1;
    sum = std::rotl(sum, 23) * kPrime2 + kPrime3;
  }
  while (next != end) {
    sum = std::rotl(sum ^ (Take<uint8_t>(next) * kPrime5), 11) * kPrime1;
  }
  return Avalanche(sum);
}

}  // namespace cachalot
