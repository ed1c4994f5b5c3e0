#include "io/escape.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"

namespace cachalot {
namespace {

struct CodePoint {
  uint32_t value = 0;
  size_t bytes = 0;  // 0: not UTF-8
};

// The code point that `text` begins with.
CodePoint FirstCodePoint(absl::string_view text) {
  if (text.empty()) return {};
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return {first, 1};
  size_t bytes = 0;
  uint32_t value = 0;
  uint32_t smallest = 0;  // below it the form is overlong
  if ((first & 0xe0) == 0xc0) {
    bytes = 2, value = first & 0x1f, smallest = 0x80;
  } else if ((first & 0xf0) == 0xe0) {
    bytes = 3, value = first & 0x0f, smallest = 0x800;
  } else if ((first & 0xf8) == 0xf0) {
    bytes = 4, value = first & 0x07, smallest = 0x10000;
  } else {
    return {};
  }
  if (text.size() < bytes) return {};
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    value = value << 6 | (byte(i) & 0x3f);
  }
  const bool is_surrogate = value >= 0xd800 && value <= 0xdfff;
  if (value < smallest || is_surrogate || value > 0x10ffff) return {};
  return {value, bytes};
}

struct Range {
  uint32_t first;
  uint32_t last;
};

template <size_t kSize>
bool IsIn(uint32_t value, const Range (&ranges)[kSize]) {
  return std::any_of(std::begin(ranges), std::end(ranges), [&](Range range) {
    return value >= range.first && value <= range.last;
  });
}

// Characters that move the cursor, reorder what is around them or cannot be
// seen: general categories Cc, Cf, Zl, Zp, spaces other than U+0020, variation
// selectors, combining marks (which would change the character before them),
// private use and non-characters.
constexpr Range kUnprintable[] = {
    {0x0000, 0x001f},   {0x007f, 0x00a0},   {0x00ad, 0x00ad},
    {0x0300, 0x036f},   {0x0483, 0x0489},   {0x0591, 0x05bd},
    {0x0600, 0x0605},   {0x061c, 0x061c},   {0x06dd, 0x06dd},
    {0x070f, 0x070f},   {0x08e2, 0x08e2},   {0x115f, 0x1160},
    {0x1680, 0x1680},   {0x17b4, 0x17b5},   {0x180b, 0x180f},
    {0x1ab0, 0x1aff},   {0x1dc0, 0x1dff},   {0x2000, 0x200f},
    {0x2028, 0x202f},   {0x205f, 0x206f},   {0x20d0, 0x20ff},
    {0x2800, 0x2800},   {0x3000, 0x3000},   {0x3164, 0x3164},
    {0xe000, 0xf8ff},   {0xfe00, 0xfe0f},   {0xfe20, 0xfe2f},
    {0xfeff, 0xfeff},   {0xffa0, 0xffa0},   {0xfff0, 0xfffb},
    {0xfffe, 0xffff},   {0x110bd, 0x110bd}, {0x13430, 0x1343f},
    {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0x10ffff},
};

// Characters of two columns (Unicode's East Asian Width W and F, in blocks).
constexpr Range kWide[] = {
    {0x1100, 0x115e},   {0x2e80, 0x303e},   {0x3041, 0xa4cf},
    {0xa960, 0xa97f},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},
    {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},
    {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff},
    {0x20000, 0x3fffd},
};

void AppendByte(std::string& text, char byte) {
  constexpr char kDigits[] = "0123456789abcdef";
  const auto value = static_cast<uint8_t>(byte);
  text += {'\\', 'x', kDigits[value >> 4], kDigits[value & 0xf]};
}

}  // namespace

std::string Escape(absl::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const CodePoint point = FirstCodePoint(text.substr(at));
    const size_t bytes = std::max<size_t>(point.bytes, 1);
    const bool is_at_an_end = at == 0 || at + 1 == text.size();
    if (point.value == '\\') {
      escaped += "\\\\";
    } else if (point.bytes == 0 || IsIn(point.value, kUnprintable) ||
               (point.value == ' ' && is_at_an_end)) {
      for (size_t i = 0; i < bytes; ++i) AppendByte(escaped, text[at + i]);
    } else {
      escaped.append(text.data() + at, bytes);
    }
    at += bytes;
  }
  return escaped;
}

std::optional<std::string> Unescape(absl::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  while (!text.empty()) {
    if (text[0] != '\\') {
      bytes += text[0];
      text.remove_prefix(1);
    } else if (text.substr(0, 2) == "\\\\") {
      bytes += '\\';
      text.remove_prefix(2);
    } else if (text.size() >= 4 && text[1] == 'x' &&
               absl::ascii_isxdigit(static_cast<unsigned char>(text[2])) &&
               absl::ascii_isxdigit(static_cast<unsigned char>(text[3]))) {
      bytes += absl::HexStringToBytes(text.substr(2, 2));
      text.remove_prefix(4);
    } else {
      return std::nullopt;
    }
  }
  return bytes;
}

bool IsUtf8(absl::string_view text) {
  while (!text.empty()) {
    const size_t bytes = FirstCodePoint(text).bytes;
    if (bytes == 0) return false;
    text.remove_prefix(bytes);
  }
  return true;
}

size_t DisplayWidth(absl::string_view text) {
  size_t width = 0;
  while (!text.empty()) {
    const CodePoint point = FirstCodePoint(text);
    width += IsIn(point.value, kWide) ? 2 : 1;
    text.remove_prefix(std::max<size_t>(point.bytes, 1));
  }
  return width;
}

}  // namespace cachalot
