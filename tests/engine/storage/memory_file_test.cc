#include "engine/storage/memory_file.h"

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"
#include "engine/address.h"
#include "engine/ids.h"
#include "engine/limits.h"
#include "engine/memory.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/storage/memory_generator.h"

namespace cachalot {
namespace {

using testing::HasSubstr;

constexpr absl::string_view kName = "orders";

Memory Example() {
  return {.starts = 3,
          .cluster = {0x0102030405060708, 0x090a0b0c0d0e0f10},
          .tokens_seen = FencingToken(0x1122334455667788),
          .peers = {Address::V4(10, 0, 0, 7, 7946)},
          .has_left = true};
}

std::string Bytes() { return EncodeMemory(kName, Example()); }

absl::StatusCode CodeOf(absl::string_view bytes) {
  return DecodeMemory(kName, bytes).status().code();
}

TEST(MemoryFileTest, WhatIsWrittenIsRead) {
  EXPECT_EQ(DecodeMemory(kName, Bytes()).value(), Example());
  EXPECT_EQ(DecodeMemory("x", EncodeMemory("x", Memory())).value(), Memory());
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    const NamedMemory drawn = DrawMemory(seed);
    const std::string bytes = EncodeMemory(drawn.cluster_name, drawn.memory);
    EXPECT_LE(bytes.size(), kMemoryFileBytesMax);
    EXPECT_EQ(DecodeMemory(drawn.cluster_name, bytes).value(), drawn.memory);
  }
}

// The file of a release is read by all later ones: README.md has this layout.
TEST(MemoryFileTest, TheFormatStaysAsItIs) {
  EXPECT_EQ(absl::BytesToHexString(Bytes()),
            // "Cachalot memory\n", format 1
            "43616368616c6f74206d656d6f72790a"
            "01000000"
            // 6 bytes of name, has left, 1 peer
            "06"
            "01"
            "0100"
            // starts; the cluster's halves; the token
            "0300000000000000"
            "0807060504030201"
            "100f0e0d0c0b0a09"
            "8877665544332211"
            // "orders", [::ffff:10.0.0.7]:7946
            "6f7264657273"
            "00000000000000000000ffff0a000007"
            "0a1f"
            // XXH64
            "2b474d80cc5b402d");
}

TEST(MemoryFileTest, EachFlippedBitIsNoticed) {
  const std::string whole = Bytes();
  for (size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    std::string bytes = whole;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    const bool is_magic = bit / 8 < 16;
    EXPECT_EQ(CodeOf(bytes), is_magic ? absl::StatusCode::kInvalidArgument
                                      : absl::StatusCode::kDataLoss)
        << "bit " << bit;
  }
}

TEST(MemoryFileTest, EachLostEndIsNoticed) {
  const std::string whole = Bytes();
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(CodeOf(absl::string_view(whole).substr(0, size)),
              absl::StatusCode::kDataLoss)
        << size << " bytes";
  }
}

// As some file systems leave a file whose bytes were not written in time.
TEST(MemoryFileTest, ZerosInThePlaceOfAnEndAreNoticed) {
  const std::string whole = Bytes();
  for (size_t from = 16; from < whole.size(); ++from) {
    std::string bytes = whole;
    bytes.replace(from, std::string::npos, whole.size() - from, '\0');
    EXPECT_EQ(CodeOf(bytes), absl::StatusCode::kDataLoss) << from;
  }
}

TEST(MemoryFileTest, WhatFollowsIsNoticed) {
  EXPECT_EQ(CodeOf(Bytes() + '\0'), absl::StatusCode::kDataLoss);
  EXPECT_EQ(CodeOf(Resealed(Bytes() + '\0')), absl::StatusCode::kDataLoss);
  EXPECT_EQ(CodeOf(Bytes() + Bytes()), absl::StatusCode::kDataLoss);
  EXPECT_EQ(CodeOf("Cachalot memory\n" + std::string(1 << 20, 'x')),
            absl::StatusCode::kDataLoss);
}

TEST(MemoryFileTest, AnotherFileIsNotTakenForOne) {
  const std::vector<std::string> others = {"hello", "cachalot memory\n",
                                           "\x7f"
                                           "ELF",
                                           std::string(100, '\0'), "{}"};
  for (const std::string& bytes : others) {
    EXPECT_EQ(CodeOf(bytes), absl::StatusCode::kInvalidArgument) << bytes;
  }
}

TEST(MemoryFileTest, ALaterFormatIsToldFromDamage) {
  const std::string later = WithNumber(Bytes(), 16, 4, kMemoryFormat + 1);
  EXPECT_EQ(CodeOf(later), absl::StatusCode::kDataLoss) << "its checksum";
  const absl::Status status = DecodeMemory(kName, Resealed(later)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(status.message()), HasSubstr("has format 2"));
  // Whatever it has become.
  EXPECT_EQ(CodeOf(Resealed("Cachalot memory\n" + std::string(4, '\x7f') +
                            "something else" + std::string(8, '\0'))),
            absl::StatusCode::kUnimplemented);
  EXPECT_EQ(CodeOf(Resealed(WithNumber(Bytes(), 16, 4, 0))),
            absl::StatusCode::kDataLoss)
      << "there is no format 0";
}

TEST(MemoryFileTest, AnotherClusterIsNamed) {
  const absl::Status status = DecodeMemory("billing", Bytes()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("\"orders\""));
  EXPECT_THAT(std::string(status.message()), HasSubstr("\"billing\""));
  EXPECT_EQ(DecodeMemory("order", Bytes()).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(MemoryFileTest, AForgedFileKeepsToTheLimits) {
  struct Case {
    const char* what;
    size_t offset;
    size_t size;
    uint64_t value;
  };
  const Case cases[] = {
      {"no name", 20, 1, 0},
      {"a name that is too long", 20, 1, limits::kNameBytesMax + 1},
      {"a name beyond the end", 20, 1, 64},
      {"an unknown flag", 21, 1, 4},
      {"more peers than there are", 22, 2, 2},
      {"fewer peers than there are", 22, 2, 0},
      {"too many peers", 22, 2, 65535},
      {"no start", 24, 8, 0},
      {"more starts than can be", 24, 8, kStartsMax + 1},
      {"a token that is none", 48, 8, uint64_t{1} << 63},
      {"a peer without a port", 56 + 6 + 16, 2, 0},
  };
  for (const Case& c : cases) {
    const std::string forged =
        Resealed(WithNumber(Bytes(), c.offset, c.size, c.value));
    EXPECT_EQ(CodeOf(forged), absl::StatusCode::kDataLoss) << c.what;
    CheckMemoryHarmless(kName, forged);
  }
}

}  // namespace
}  // namespace cachalot
