#include "io/host_port.h"

#include <arpa/inet.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace cachalot {
namespace {

// RFC 1035, 2.3.4: of a host name in its written form, and of one part of it.
constexpr size_t kHostBytesMax = 253;
constexpr size_t kLabelBytesMax = 63;
// Longer texts are not repeated in full.
constexpr size_t kQuotedBytesMax = 300;

constexpr char kForms[] =
    "write HOST:PORT, for example 127.0.0.1:7946, [::1]:7946 or "
    "example.org:7946";

// As the functions of ascii.h want it.
unsigned char Byte(char c) { return static_cast<unsigned char>(c); }

std::string Quote(absl::string_view text) {
  const bool is_long = text.size() > kQuotedBytesMax;
  return absl::StrCat("\"", absl::CHexEscape(text.substr(0, kQuotedBytesMax)),
                      is_long ? "...\"" : "\"");
}

absl::Status BadForm(absl::string_view text, absl::string_view problem,
                     absl::string_view advice = kForms) {
  return absl::InvalidArgumentError(
      absl::StrCat(Quote(text), ": ", problem, "; ", advice));
}

bool ParsePort(absl::string_view text, uint16_t* port) {
  uint32_t value = 0;
  const bool is_number =
      !text.empty() && text.size() <= 5 &&
      std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
  if (!is_number || !absl::SimpleAtoi(text, &value) || value > 65535) {
    return false;
  }
  *port = static_cast<uint16_t>(value);
  return true;
}

// What is wrong with all of `text`, before it is taken apart; "" if nothing.
absl::string_view ProblemOfText(absl::string_view text) {
  // The name service would stop at a zero byte and look up what is before it.
  if (text.find('\0') != absl::string_view::npos) {
    return "a zero byte in the host";
  }
  for (const char c : text) {
    if (absl::ascii_isspace(Byte(c))) return "a space in the address";
    if (absl::ascii_iscntrl(Byte(c)))
      return "a control character in the address";
  }
  if (absl::StrContains(text, "://")) return "this is a URL";
  return "";
}

absl::StatusOr<Address> ParseV6(absl::string_view text,
                                absl::string_view host) {
  if (host.empty()) return BadForm(text, "nothing between the brackets");
  if (absl::StrContains(host, '%')) {
    return BadForm(text, "IPv6 zones (%eth0) are not supported",
                   "write a global or unique local address (fd00::...) of the "
                   "machine, or its IPv4 address");
  }
  in6_addr bytes;
  if (inet_pton(AF_INET6, std::string(host).c_str(), &bytes) != 1) {
    return BadForm(text, "what is between the brackets is no IPv6 address",
                   "brackets are for IPv6 addresses only, as in [::1]:7946");
  }
  Address address;
  std::copy(std::begin(bytes.s6_addr), std::end(bytes.s6_addr),
            address.ip.begin());
  return address;
}

// "1.2.3" and "010.0.0.1" are addresses to some programs (inet_aton), and not
// the ones that a person expects.
bool LooksLikeV4(absl::string_view host) {
  return !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
    return absl::ascii_isdigit(Byte(c)) || c == '.';
  });
}

absl::StatusOr<Address> ParseV4(absl::string_view text,
                                absl::string_view host) {
  in_addr bytes;
  if (inet_pton(AF_INET, std::string(host).c_str(), &bytes) != 1) {
    return BadForm(text, absl::StrCat("\"", host, "\" is no IPv4 address"),
                   "write four numbers from 0 to 255, as in 10.0.0.1:7946");
  }
  const auto* b = reinterpret_cast<const uint8_t*>(&bytes);
  return Address::V4(b[0], b[1], b[2], b[3], 0);
}

absl::Status CheckName(absl::string_view text, absl::string_view host) {
  if (std::any_of(host.begin(), host.end(),
                  [](char c) { return !absl::ascii_isascii(Byte(c)); })) {
    return BadForm(text, "letters outside ASCII in the host",
                   "write an internationalized name in its ASCII form, which "
                   "begins with xn--");
  }
  for (const char c : host) {
    if (absl::ascii_isalnum(Byte(c)) || c == '-' || c == '.' || c == '_')
      continue;
    if (host == "*") {
      return BadForm(text, "\"*\" is no host",
                     "to listen on all addresses leave the host out, as in "
                     ":7946");
    }
    return BadForm(text, absl::StrCat("'", absl::string_view(&c, 1),
                                      "' cannot be in a host name"));
  }
  if (host.size() > kHostBytesMax + (absl::EndsWith(host, ".") ? 1 : 0)) {
    return BadForm(text, absl::StrCat("a host name has at most ", kHostBytesMax,
                                      " characters"));
  }
  // One dot at the end is right: the name is then not searched for in the
  // domains of resolv.conf.
  absl::string_view labels = host;
  if (absl::EndsWith(labels, ".")) labels.remove_suffix(1);
  for (const absl::string_view label : absl::StrSplit(labels, '.')) {
    if (label.empty()) {
      return BadForm(text, "a dot too many in the host name");
    }
    if (label.size() > kLabelBytesMax) {
      return BadForm(text, absl::StrCat("no part of a host name has more than ",
                                        kLabelBytesMax, " characters"));
    }
  }
  return absl::OkStatus();
}

// Sets `result->literal` if the host is an address.
absl::Status ReadHost(absl::string_view text, bool is_bracketed,
                      HostPort* result) {
  absl::StatusOr<Address> address = Address();
  if (is_bracketed) {
    address = ParseV6(text, result->host);
  } else if (LooksLikeV4(result->host)) {
    address = ParseV4(text, result->host);
  } else {
    return result->host.empty() ? absl::OkStatus()
                                : CheckName(text, result->host);
  }
  if (!address.ok()) return address.status();
  address->port = result->port;
  const absl::Status is_unicast = CheckUnicast(*address);
  if (!is_unicast.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(Quote(text), ": ", is_unicast.message()));
  }
  result->literal = *address;
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckUnicast(const Address& address) {
  const bool is_v4 = address.IsV4();
  if (!is_v4 && address.ip[0] == 0xfe && (address.ip[1] & 0xc0) == 0x80) {
    return absl::InvalidArgumentError(
        "a link-local IPv6 address needs a zone, which is not supported; write "
        "a global or unique local address (fd00::...) of the machine, or its "
        "IPv4 address");
  }
  const bool is_multicast =
      is_v4 ? (address.ip[12] & 0xf0) == 0xe0 : address.ip[0] == 0xff;
  const bool is_broadcast =
      is_v4 && std::all_of(address.ip.begin() + 12, address.ip.end(),
                           [](uint8_t byte) { return byte == 0xff; });
  if (is_multicast || is_broadcast) {
    return absl::InvalidArgumentError(
        "this is the address of many machines; write the address of one");
  }
  return absl::OkStatus();
}

absl::StatusOr<HostPort> ParseHostPort(absl::string_view text) {
  const absl::string_view problem = ProblemOfText(text);
  if (!problem.empty()) return BadForm(text, problem);
  const size_t colon = text.rfind(':');
  // The colon may be one of an IPv6 address without a port.
  if (colon == absl::string_view::npos || absl::EndsWith(text, "]")) {
    return BadForm(text, "no port");
  }
  HostPort result;
  result.text = std::string(text);
  absl::string_view host = text.substr(0, colon);
  const bool is_bracketed =
      host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (!is_bracketed && absl::StrContains(host, ':')) {
    return BadForm(text, "an IPv6 address needs brackets");
  }
  if (!ParsePort(text.substr(colon + 1), &result.port)) {
    return BadForm(text, "the port is not a number from 0 to 65535");
  }
  if (is_bracketed) host = host.substr(1, host.size() - 2);
  result.host = std::string(host);
  const absl::Status is_host = ReadHost(text, is_bracketed, &result);
  if (!is_host.ok()) return is_host;
  return result;
}

}  // namespace cachalot
