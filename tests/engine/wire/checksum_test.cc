#include "engine/wire/checksum.h"

#include <string>

#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

namespace cachalot {
namespace {

std::string Rising(size_t size) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i);
  return bytes;
}

// As printed by xxhsum 0.8.1: others can check our bytes with its tools.
TEST(ChecksumTest, IsXxh64) {
  EXPECT_EQ(Checksum(""), 0xef46db3751d8e999u);
  EXPECT_EQ(Checksum("a"), 0xd24ec4f1a98c6e5bu);
  EXPECT_EQ(Checksum("abc"), 0x44bc2cf5ad770999u);
  EXPECT_EQ(Checksum(Rising(7)), 0x14cc643f630c72d2u);
  EXPECT_EQ(Checksum(Rising(31)), 0xc346d2b59b4d8ee1u);
  EXPECT_EQ(Checksum(Rising(32)), 0xcbf59c5116ff32b4u);
  EXPECT_EQ(Checksum(Rising(33)), 0x0c535d1acafb8eadu);
  EXPECT_EQ(Checksum(Rising(100)), 0x6ac1e58032166597u);
  EXPECT_EQ(Checksum(Rising(1000)), 0x6ef436b00eba4078u);
}

TEST(ChecksumTest, DoesNotDependOnAlignment) {
  const std::string bytes = Rising(100);
  for (size_t shift = 0; shift < 8; ++shift) {
    const std::string shifted = std::string(shift, '?') + bytes;
    EXPECT_EQ(Checksum(absl::string_view(shifted).substr(shift)),
              Checksum(bytes));
  }
}

}  // namespace
}  // namespace cachalot
