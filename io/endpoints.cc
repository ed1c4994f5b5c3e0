#include "io/endpoints.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/limits.h"
#include "io/resolver.h"
#include "io/socket.h"

namespace cachalot {
namespace {

absl::Status Within(const char* option, const absl::Status& status) {
  return absl::Status(status.code(),
                      absl::StrCat(option, " ", status.message()));
}

// True if `address`, whatever its port, is one of this machine's.
bool IsLocal(Address address) {
  address.port = 0;
  const int family = FamilyOf(address);
  const FileDescriptor fd(socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const SocketAddress name = ToSocketAddress(address, family);
  return fd.is_open() && bind(fd.get(), name.get(), name.length) == 0;
}

// The address of ours from which the kernel would send to `peer`; none if it
// knows no way. Sends nothing.
Address SourceTowards(const Address& peer) {
  const int family = FamilyOf(peer);
  const FileDescriptor fd(socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const SocketAddress name = ToSocketAddress(peer, family);
  if (!fd.is_open() || connect(fd.get(), name.get(), name.length) != 0) {
    return Address();
  }
  return LocalAddress(fd.get());
}

absl::StatusOr<Address> ResolveBind(const std::string& bind) {
  const absl::StatusOr<std::vector<Address>> candidates =
      Resolve(bind, EmptyHost::kEveryAddress);
  if (!candidates.ok()) return Within("bind address", candidates.status());
  // Of "localhost" on a machine without IPv6, and the like.
  const auto usable =
      std::find_if(candidates->begin(), candidates->end(), IsLocal);
  return usable != candidates->end() ? *usable : candidates->front();
}

// True if a message to `seed` would come back to a member bound at `bind`.
bool IsOwn(const Address& seed, const Endpoints& endpoints) {
  if (seed == endpoints.bind || seed == endpoints.advertise) return true;
  return seed.port == endpoints.bind.port && IsWildcard(endpoints.bind) &&
         IsLocal(seed);
}

absl::Status AddSeed(const std::string& text, Endpoints* endpoints) {
  const absl::StatusOr<std::vector<Address>> addresses =
      Resolve(text, EmptyHost::kThisMachine);
  if (!addresses.ok()) return Within("seed", addresses.status());
  const auto own =
      std::find_if(addresses->begin(), addresses->end(),
                   [&](const Address& a) { return IsOwn(a, *endpoints); });
  if (own != addresses->end()) {
    endpoints->has_own_seed = true;
    // Others were probably given the same name for us.
    if (endpoints->advertise == Address()) endpoints->advertise = *own;
    return absl::OkStatus();
  }
  if (addresses->front().port == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("seed \"", text, "\": write the port that it listens at"));
  }
  endpoints->seeds.insert(endpoints->seeds.end(), addresses->begin(),
                          addresses->end());
  return absl::OkStatus();
}

// For a member that listens everywhere and was not told how it is reached.
Address ChooseAdvertised(const Endpoints& endpoints) {
  for (const Address& seed : endpoints.seeds) {
    Address source = SourceTowards(seed);
    if (source == Address()) continue;
    source.port = endpoints.bind.port;
    return source;
  }
  return Address::V4(127, 0, 0, 1, endpoints.bind.port);
}

}  // namespace

absl::StatusOr<Endpoints> ResolveEndpoints(
    const std::string& bind, const std::string& advertise,
    const std::vector<std::string>& seeds) {
  Endpoints endpoints;
  absl::StatusOr<Address> bound = ResolveBind(bind);
  if (!bound.ok()) return bound.status();
  endpoints.bind = *bound;
  if (!advertise.empty()) {
    const absl::StatusOr<std::vector<Address>> addresses =
        Resolve(advertise, EmptyHost::kThisMachine);
    if (!addresses.ok()) {
      return Within("advertised address", addresses.status());
    }
    endpoints.advertise = addresses->front();
    if (endpoints.advertise.port == 0) {
      endpoints.advertise.port = endpoints.bind.port;
    }
  } else if (!IsWildcard(endpoints.bind)) {
    endpoints.advertise = endpoints.bind;
  }
  for (const std::string& seed : seeds) {
    const absl::Status added = AddSeed(seed, &endpoints);
    if (!added.ok()) return added;
  }
  if (endpoints.seeds.size() > limits::kSeedsMax) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the seeds have ", endpoints.seeds.size(), " addresses; at most ",
        limits::kSeedsMax, " are allowed"));
  }
  if (endpoints.advertise == Address()) {
    endpoints.advertise = ChooseAdvertised(endpoints);
  }
  if (IsWildcard(endpoints.advertise)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "advertised address \"", advertise,
        "\": others cannot reach a wildcard; write one of this machine's"));
  }
  return endpoints;
}

}  // namespace cachalot
