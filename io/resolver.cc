#include "io/resolver.h"

#include <netdb.h>
#include <string.h>

#include <algorithm>
#include <memory>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "io/socket.h"

namespace cachalot {
namespace {

struct HostPort {
  std::string host;
  uint16_t port = 0;
};

absl::Status BadForm(absl::string_view text, absl::string_view problem) {
  return absl::InvalidArgumentError(
      absl::StrCat("\"", text, "\": ", problem,
                   "; write HOST:PORT, for example 127.0.0.1:7946, "
                   "[::1]:7946 or example.org:7946"));
}

bool ParsePort(absl::string_view text, uint16_t* port) {
  uint32_t value = 0;
  const bool is_number = !text.empty() && text.size() <= 5 &&
                         std::all_of(text.begin(), text.end(), [](char c) {
                           return '0' <= c && c <= '9';
                         });
  if (!is_number || !absl::SimpleAtoi(text, &value) || value > 65535) {
    return false;
  }
  *port = static_cast<uint16_t>(value);
  return true;
}

absl::StatusOr<HostPort> Split(absl::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return BadForm(text, "no port");
  HostPort result;
  if (!ParsePort(text.substr(colon + 1), &result.port)) {
    return BadForm(text, "the port is not a number from 0 to 65535");
  }
  absl::string_view host = text.substr(0, colon);
  const bool is_bracketed =
      host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (is_bracketed) {
    host = host.substr(1, host.size() - 2);
    if (host.empty()) return BadForm(text, "nothing between the brackets");
  } else if (host.find(':') != absl::string_view::npos) {
    return BadForm(text, "an IPv6 address needs brackets");
  }
  // The name service would stop at a zero byte and look up what is before it.
  if (host.find('\0') != absl::string_view::npos) {
    return BadForm(text, "a zero byte in the host");
  }
  result.host = std::string(host);
  return result;
}

absl::Status LookupError(absl::string_view text, const HostPort& name,
                         int error) {
  const std::string message = absl::StrCat("\"", text, "\": host \"", name.host,
                                           "\": ", gai_strerror(error));
  if (error == EAI_AGAIN) return absl::UnavailableError(message);
  return absl::NotFoundError(
      absl::StrCat(message, "; check the spelling, or write its IP address"));
}

struct FreeAddresses {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

std::vector<Address> ToAddresses(const addrinfo* list, uint16_t port) {
  std::vector<Address> addresses;
  for (const addrinfo* item = list; item != nullptr; item = item->ai_next) {
    SocketAddress socket_address;
    if (item->ai_addrlen > sizeof(socket_address.storage)) continue;
    memcpy(&socket_address.storage, item->ai_addr, item->ai_addrlen);
    Address address = FromSocketAddress(socket_address);
    address.port = port;
    if (std::find(addresses.begin(), addresses.end(), address) ==
        addresses.end()) {
      addresses.push_back(address);
    }
  }
  // Two members that both say "localhost" must mean the same address.
  std::stable_partition(addresses.begin(), addresses.end(),
                        [](const Address& address) { return address.IsV4(); });
  return addresses;
}

}  // namespace

absl::StatusOr<std::vector<Address>> Resolve(absl::string_view host_port,
                                             EmptyHost empty_host) {
  absl::StatusOr<HostPort> name = Split(host_port);
  if (!name.ok()) return name.status();
  if (name->host.empty() && empty_host == EmptyHost::kEveryAddress) {
    // The wildcards are no names: both families at once, or IPv4 where the
    // machine has nothing else.
    return std::vector<Address>{Address{.port = name->port},
                                Address::V4(0, 0, 0, 0, name->port)};
  }
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* raw = nullptr;
  const char* host = name->host.empty() ? nullptr : name->host.c_str();
  const int error =
      getaddrinfo(host, host == nullptr ? "0" : nullptr, &hints, &raw);
  if (error != 0) return LookupError(host_port, *name, error);
  const std::unique_ptr<addrinfo, FreeAddresses> list(raw);
  std::vector<Address> addresses = ToAddresses(list.get(), name->port);
  if (addresses.empty()) return LookupError(host_port, *name, EAI_NONAME);
  return addresses;
}

}  // namespace cachalot
