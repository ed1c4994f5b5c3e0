#include "io/escape.h"

#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace cachalot {
namespace {

std::string AllBytes() {
  std::string text;
  for (int byte = 0; byte < 256; ++byte) text += static_cast<char>(byte);
  return text;
}

TEST(EscapeTest, PrintableTextStaysAsItIs) {
  for (const char* text :
       {"", "nightly-backup", "a key with spaces", "/path?q=\"x\"&y='z'",
        "Schl\xc3\xbcssel", "\xe9\x8d\xb5", "\xf0\x9f\x94\x91"}) {
    EXPECT_EQ(Escape(text), text);
  }
}

TEST(EscapeTest, WhatATerminalWouldActOnIsWrittenInHex) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"two\nlines", "two\\x0alines"},
      {"\x1b[31mred", "\\x1b[31mred"},
      {"back\\slash", "back\\\\slash"},
      {std::string("\0", 1), "\\x00"},
      {"\x7f", "\\x7f"},
      {" both ends ", "\\x20both ends\\x20"},
      {" ", "\\x20"},
      {"\xff\xfe", "\\xff\\xfe"},
      {"\xc2\x9b"
       "31m",
       "\\xc2\\x9b"
       "31m"},  // CSI of C1
      {"\xe2\x80\xae"
       "evil",
       "\\xe2\\x80\\xaeevil"},  // right-to-left
      {"a\xe2\x80\x8b"
       "b",
       "a\\xe2\\x80\\x8b"
       "b"},                                         // zero width
      {"\xe2\x80\xa8", "\\xe2\\x80\\xa8"},           // line separator
      {"\xc0\xaf", "\\xc0\\xaf"},                    // overlong
      {"\xed\xa0\x80", "\\xed\\xa0\\x80"},           // surrogate
      {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},  // above U+10FFFF
      {"\xe9\x8d", "\\xe9\\x8d"},                    // cut short
  };
  for (const auto& [text, escaped] : cases) EXPECT_EQ(Escape(text), escaped);
}

TEST(EscapeTest, EveryByteAndEveryPairComesBack) {
  EXPECT_EQ(Unescape(Escape(AllBytes())), AllBytes());
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const std::string text = {static_cast<char>(first),
                                static_cast<char>(second)};
      ASSERT_EQ(Unescape(Escape(text)), text) << first << " " << second;
    }
  }
}

TEST(EscapeTest, EveryCodePointComesBackAndPrintsOnOneLine) {
  for (uint32_t value = 0x80; value <= 0x10ffff; value += 7) {
    std::string text;
    if (value < 0x800) {
      text = {static_cast<char>(0xc0 | value >> 6),
              static_cast<char>(0x80 | (value & 0x3f))};
    } else if (value < 0x10000) {
      text = {static_cast<char>(0xe0 | value >> 12),
              static_cast<char>(0x80 | (value >> 6 & 0x3f)),
              static_cast<char>(0x80 | (value & 0x3f))};
    } else {
      text = {static_cast<char>(0xf0 | value >> 18),
              static_cast<char>(0x80 | (value >> 12 & 0x3f)),
              static_cast<char>(0x80 | (value >> 6 & 0x3f)),
              static_cast<char>(0x80 | (value & 0x3f))};
    }
    ASSERT_EQ(Unescape(Escape(text)), text) << value;
    ASSERT_EQ(IsUtf8(text), value < 0xd800 || value > 0xdfff) << value;
    ASSERT_TRUE(IsUtf8(Escape(text))) << value;
  }
}

TEST(UnescapeTest, OtherBackslashesAreRefused) {
  for (const char* text : {"\\", "a\\", "\\n", "\\x", "\\x1", "\\xg0", "\\x0g",
                           "\\X00", "\\101", "\\\\\\"}) {
    EXPECT_EQ(Unescape(text), std::nullopt) << text;
  }
}

TEST(UnescapeTest, ReadsBothCasesOfHexDigits) {
  EXPECT_EQ(Unescape("\\xfF\\x0A"), "\xff\n");
}

TEST(DisplayWidthTest, CountsColumns) {
  EXPECT_EQ(DisplayWidth(""), 0u);
  EXPECT_EQ(DisplayWidth("key"), 3u);
  EXPECT_EQ(DisplayWidth("Schl\xc3\xbcssel"), 9u);
  EXPECT_EQ(DisplayWidth("\xe9\x8d\xb5"), 2u);
  EXPECT_EQ(DisplayWidth("\\xff"), 4u);
}

}  // namespace
}  // namespace cachalot
