#include "engine/address.h"

#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace cachalot {
namespace {

constexpr size_t kGroups = 8;
using Groups = std::array<uint16_t, kGroups>;

bool ParseDecimal(absl::string_view text, uint32_t max, uint32_t* value) {
  if (text.empty() || text.size() > 5) return false;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
  }
  return absl::SimpleAtoi(text, value) && *value <= max;
}

std::optional<Address> ParseV4(absl::string_view host) {
  const std::vector<absl::string_view> parts = absl::StrSplit(host, '.');
  if (parts.size() != 4) return std::nullopt;
  std::array<uint8_t, 4> bytes;
  for (size_t i = 0; i < bytes.size(); ++i) {
    uint32_t byte = 0;
    if (!ParseDecimal(parts[i], 255, &byte)) return std::nullopt;
    bytes[i] = static_cast<uint8_t>(byte);
  }
  return Address::V4(bytes[0], bytes[1], bytes[2], bytes[3], 0);
}

// Reads "a:b:c" into groups; an empty text is no groups.
bool ParseGroups(absl::string_view text, std::vector<uint16_t>* groups) {
  if (text.empty()) return true;
  for (const absl::string_view part : absl::StrSplit(text, ':')) {
    uint32_t group = 0;
    if (part.empty() || part.size() > 4 || !absl::SimpleHexAtoi(part, &group)) {
      return false;
    }
    groups->push_back(static_cast<uint16_t>(group));
  }
  return true;
}

std::optional<Address> ParseV6(absl::string_view host) {
  const std::vector<absl::string_view> halves = absl::StrSplit(host, "::");
  std::vector<uint16_t> head;
  std::vector<uint16_t> tail;
  if (halves.size() > 2 || !ParseGroups(halves[0], &head)) return std::nullopt;
  if (halves.size() == 2 && !ParseGroups(halves[1], &tail)) return std::nullopt;
  const size_t given = head.size() + tail.size();
  if (halves.size() == 1 ? given != kGroups : given >= kGroups) {
    return std::nullopt;
  }
  head.resize(kGroups - tail.size());
  head.insert(head.end(), tail.begin(), tail.end());
  Address address;
  for (size_t i = 0; i < kGroups; ++i) {
    address.ip[2 * i] = static_cast<uint8_t>(head[i] >> 8);
    address.ip[2 * i + 1] = static_cast<uint8_t>(head[i]);
  }
  return address;
}

// RFC 5952: the longest run of two or more zero groups becomes "::".
std::string FormatV6(const std::array<uint8_t, 16>& ip) {
  Groups groups;
  for (size_t i = 0; i < kGroups; ++i) {
    groups[i] = static_cast<uint16_t>(ip[2 * i] << 8 | ip[2 * i + 1]);
  }
  size_t run_start = kGroups;
  size_t run_length = 1;
  for (size_t i = 0; i < kGroups;) {
    size_t end = i;
    while (end < kGroups && groups[end] == 0) ++end;
    if (end - i > run_length) {
      run_start = i;
      run_length = end - i;
    }
    i = end == i ? i + 1 : end;
  }
  std::string text;
  for (size_t i = 0; i < kGroups; ++i) {
    if (i == run_start) {
      text += "::";
      i += run_length - 1;
      continue;
    }
    if (!text.empty() && !absl::EndsWith(text, ":")) text += ':';
    absl::StrAppend(&text, absl::Hex(groups[i]));
  }
  return text;
}

}  // namespace

Address Address::V4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port) {
  Address address;
  address.ip = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d};
  address.port = port;
  return address;
}

std::optional<Address> Address::Parse(absl::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return std::nullopt;
  uint32_t port = 0;
  if (!ParseDecimal(text.substr(colon + 1), 65535, &port)) return std::nullopt;
  absl::string_view host = text.substr(0, colon);
  std::optional<Address> address;
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    address = ParseV6(host.substr(1, host.size() - 2));
  } else {
    address = ParseV4(host);
  }
  if (address.has_value()) address->port = static_cast<uint16_t>(port);
  return address;
}

bool Address::IsV4() const {
  for (size_t i = 0; i < 10; ++i) {
    if (ip[i] != 0) return false;
  }
  return ip[10] == 0xff && ip[11] == 0xff;
}

bool Address::IsWildcard() const {
  return std::all_of(ip.begin() + (IsV4() ? 12 : 0), ip.end(),
                     [](uint8_t byte) { return byte == 0; });
}

bool Address::IsLoopback() const {
  if (IsV4()) return ip[12] == 127;
  constexpr std::array<uint8_t, 16> kV6 = {0, 0, 0, 0, 0, 0, 0, 0,
                                           0, 0, 0, 0, 0, 0, 0, 1};
  return ip == kV6;
}

std::string Address::ToString() const {
  return absl::StrCat(HostToString(), ":", port);
}

std::string Address::HostToString() const {
  if (IsV4()) {
    return absl::StrCat(ip[12], ".", ip[13], ".", ip[14], ".", ip[15]);
  }
  return absl::StrCat("[", FormatV6(ip), "]");
}

}  // namespace cachalot
