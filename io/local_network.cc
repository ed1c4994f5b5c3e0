#include "io/local_network.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>

#include "io/host_port.h"
#include "io/socket.h"

namespace cachalot {
namespace {

// Addresses of documentation (RFC 5737, RFC 3849): nobody has them, so the way
// to them is the default route.
Address FarAway(bool is_v4) {
  if (is_v4) return Address::V4(203, 0, 113, 1, 9);
  return Address{
      .ip = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1},
      .port = 9};
}

struct FreeInterfaces {
  void operator()(ifaddrs* list) const { freeifaddrs(list); }
};

bool IsV4LinkLocal(const Address& address) {
  return address.IsV4() && address.ip[12] == 169 && address.ip[13] == 254;
}

bool IsUseful(const Address& address) {
  return address != Address() && !address.IsLoopback() &&
         !address.IsWildcard() && CheckUnicast(address).ok();
}

std::vector<Address> InterfaceAddresses() {
  ifaddrs* raw = nullptr;
  if (getifaddrs(&raw) != 0) return {};
  const std::unique_ptr<ifaddrs, FreeInterfaces> list(raw);
  std::vector<Address> addresses;
  for (const ifaddrs* item = raw; item != nullptr; item = item->ifa_next) {
    if (item->ifa_addr == nullptr || (item->ifa_flags & IFF_UP) == 0) continue;
    const int family = item->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    SocketAddress name;
    name.length =
        family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    memcpy(&name.storage, item->ifa_addr, name.length);
    Address address = FromSocketAddress(name);
    address.port = 0;
    addresses.push_back(address);
  }
  return addresses;
}

class KernelNetwork : public LocalNetwork {
 public:
  bool IsLocal(const Address& address) const override {
    const int family = FamilyOf(address);
    const FileDescriptor fd(socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const SocketAddress name =
        ToSocketAddress(Address{.ip = address.ip, .port = 0}, family);
    return fd.is_open() && bind(fd.get(), name.get(), name.length) == 0;
  }

  Address SourceTowards(const Address& peer) const override {
    const int family = FamilyOf(peer);
    const FileDescriptor fd(socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const SocketAddress name = ToSocketAddress(peer, family);
    if (!fd.is_open() || connect(fd.get(), name.get(), name.length) != 0) {
      return Address();
    }
    Address source = LocalAddress(fd.get());
    source.port = 0;
    return source;
  }

  std::vector<Address> Addresses() const override {
    std::vector<Address> found = {SourceTowards(FarAway(/*is_v4=*/true)),
                                  SourceTowards(FarAway(/*is_v4=*/false))};
    for (const Address& address : InterfaceAddresses()) {
      found.push_back(address);
    }
    std::vector<Address> addresses;
    for (const Address& address : found) {
      const bool is_new = std::find(addresses.begin(), addresses.end(),
                                    address) == addresses.end();
      if (is_new && IsUseful(address)) addresses.push_back(address);
    }
    std::stable_partition(addresses.begin(), addresses.end(),
                          [](const Address& a) { return a.IsV4(); });
    // What a machine gave itself because nobody else did.
    std::stable_partition(addresses.begin(), addresses.end(),
                          [](const Address& a) { return !IsV4LinkLocal(a); });
    return addresses;
  }
};

}  // namespace

const LocalNetwork& SystemNetwork() {
  static const KernelNetwork network;
  return network;
}

}  // namespace cachalot
