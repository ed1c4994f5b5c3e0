#include "io/resolver.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>

#include <algorithm>
#include <exception>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "io/socket.h"

namespace cachalot {
namespace {

struct FreeAddresses {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

absl::Status LookupError(int error, int error_number) {
  char buffer[128];
  switch (error) {
    case EAI_NONAME:
    case EAI_NODATA:
      return absl::NotFoundError(
          "no such host; check the spelling, or write its IP address");
    case EAI_SYSTEM:
      return absl::UnavailableError(
          strerror_r(error_number, buffer, sizeof(buffer)));
    default:  // EAI_AGAIN, EAI_FAIL, EAI_MEMORY: later it may do
      return absl::UnavailableError(gai_strerror(error));
  }
}

// A lookup of the embedder's may throw; it must not end the process.
absl::StatusOr<std::vector<Address>> CallLookup(const HostLookup& lookup,
                                                const std::string& host) {
  try {
    return lookup(host);
  } catch (const std::exception& e) {
    return absl::UnavailableError(absl::StrCat("the lookup threw: ", e.what()));
  } catch (...) {
    return absl::UnavailableError("the lookup threw");
  }
}

std::vector<Address> Usable(const std::vector<Address>& found, uint16_t port) {
  std::vector<Address> usable;
  for (Address address : found) {
    address.port = port;
    const bool is_new =
        std::find(usable.begin(), usable.end(), address) == usable.end();
    if (is_new && CheckUnicast(address).ok()) usable.push_back(address);
  }
  // Two members that both say "localhost" must mean the same address.
  std::stable_partition(usable.begin(), usable.end(),
                        [](const Address& address) { return address.IsV4(); });
  return usable;
}

}  // namespace

absl::StatusOr<std::vector<Address>> LookUpHost(const std::string& host) {
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* raw = nullptr;
  const int error = getaddrinfo(host.c_str(), nullptr, &hints, &raw);
  if (error != 0) return LookupError(error, errno);
  const std::unique_ptr<addrinfo, FreeAddresses> list(raw);
  std::vector<Address> addresses;
  for (const addrinfo* item = raw; item != nullptr; item = item->ai_next) {
    SocketAddress socket_address;
    const bool is_ip =
        item->ai_family == AF_INET || item->ai_family == AF_INET6;
    if (!is_ip || item->ai_addrlen > sizeof(socket_address.storage)) continue;
    memcpy(&socket_address.storage, item->ai_addr, item->ai_addrlen);
    addresses.push_back(FromSocketAddress(socket_address));
  }
  return addresses;
}

absl::StatusOr<std::vector<Address>> Resolve(const HostPort& name,
                                             EmptyHost empty_host,
                                             const HostLookup& lookup) {
  if (name.literal.has_value()) return std::vector<Address>{*name.literal};
  if (name.host.empty() && empty_host == EmptyHost::kEveryAddress) {
    // The wildcards are no names: both families at once, or IPv4 where the
    // machine has nothing else.
    return std::vector<Address>{Address{.port = name.port},
                                Address::V4(0, 0, 0, 0, name.port)};
  }
  const std::string host = name.host.empty() ? "localhost" : name.host;
  const absl::StatusOr<std::vector<Address>> found = CallLookup(lookup, host);
  if (!found.ok()) {
    return absl::Status(found.status().code(),
                        absl::StrCat("\"", name.text, "\": host \"", host,
                                     "\": ", found.status().message()));
  }
  std::vector<Address> usable = Usable(*found, name.port);
  if (!usable.empty()) return usable;
  return absl::NotFoundError(absl::StrCat(
      "\"", name.text, "\": host \"", host, "\" has ",
      found->empty() ? "no address"
                     : "link-local or multicast addresses only, which cannot "
                       "be used",
      "; write its IP address"));
}

absl::StatusOr<std::vector<Address>> Resolve(absl::string_view host_port,
                                             EmptyHost empty_host,
                                             const HostLookup& lookup) {
  absl::StatusOr<HostPort> name = ParseHostPort(host_port);
  if (!name.ok()) return name.status();
  return Resolve(*name, empty_host, lookup);
}

}  // namespace cachalot
