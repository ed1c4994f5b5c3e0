#include "io/endpoints.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "io/background_lookup.h"
#include "io/socket.h"

namespace cachalot {
namespace {

// A name service that is down answers after 5 to 30 s (resolv.conf(5)).
constexpr absl::Duration LookupMax() { return absl::Seconds(30); }

absl::Status Within(absl::string_view option, const absl::Status& status) {
  return absl::Status(status.code(),
                      absl::StrCat(option, " ", status.message()));
}

bool FitsFamily(const Address& address, const Address& bind) {
  if (bind.IsV4()) return address.IsV4();
  return bind.IsWildcard() || !address.IsV4();
}

// For a member that listens everywhere and was not told how it is reached.
Address ChooseAdvertised(const Address& bind,
                         const std::vector<SeedLookup>& seeds,
                         const LocalNetwork& network) {
  const SeedAddresses sorted = SortSeeds(seeds, {.bind = bind}, network);
  std::vector<Address> candidates = sorted.own;  // others know it by that name
  for (const Address& seed : sorted.others) {
    if (!seed.IsLoopback()) candidates.push_back(network.SourceTowards(seed));
  }
  for (const Address& address : network.Addresses()) {
    candidates.push_back(address);
  }
  for (Address& candidate : candidates) {
    candidate.port = 0;
    const bool is_useful = candidate != Address() && !candidate.IsLoopback() &&
                           !candidate.IsWildcard() &&
                           FitsFamily(candidate, bind);
    if (is_useful) return candidate;
  }
  // This machine is alone in its network.
  return Address::V4(127, 0, 0, 1, 0);
}

absl::StatusOr<Address> ResolveAdvertised(const std::string& text,
                                          const Address& bind,
                                          const std::vector<SeedLookup>& seeds,
                                          const HostLookup& lookup,
                                          const LocalNetwork& network) {
  const absl::StatusOr<HostPort> name = ParseHostPort(text);
  if (!name.ok()) return Within("advertised address", name.status());
  Address address;
  if (name->host.empty()) {
    address = bind.IsWildcard() ? ChooseAdvertised(bind, seeds, network) : bind;
    address.port = name->port;
  } else {
    const absl::StatusOr<std::vector<Address>> found =
        ResolveWithin(*name, EmptyHost::kThisMachine, lookup, LookupMax());
    if (!found.ok()) return Within("advertised address", found.status());
    const auto best =
        std::find_if(found->begin(), found->end(),
                     [&](const Address& a) { return a.IsV4() == bind.IsV4(); });
    const bool any_will_do = bind.IsWildcard() || best == found->end();
    address = any_will_do ? found->front() : *best;
  }
  if (address.IsWildcard()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "advertised address \"", text,
        "\": others cannot reach a wildcard; write one of this machine's"));
  }
  return address;
}

// A seed's address on another machine, if there is any.
const Address* FindRemote(const std::vector<Address>& seeds,
                          const LocalNetwork& network) {
  for (const Address& seed : seeds) {
    if (!seed.IsLoopback() && !network.IsLocal(seed)) return &seed;
  }
  return nullptr;
}

absl::Status CheckSeeds(const std::vector<SeedLookup>& lookups,
                        const SeedAddresses& sorted) {
  for (const SeedLookup& lookup : lookups) {
    // Port 0 can only mean this member itself, whose port is not known yet.
    const bool may_be_own =
        !lookup.addresses.empty() &&
        std::find_first_of(sorted.others.begin(), sorted.others.end(),
                           lookup.addresses.begin(),
                           lookup.addresses.end()) == sorted.others.end();
    if (lookup.name.port != 0 || may_be_own) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "seed \"", lookup.name.text, "\": write the port that it listens at"));
  }
  for (const Address& seed : sorted.others) {
    if (!seed.IsWildcard()) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "seed \"", seed.ToString(),
        "\": nobody is at a wildcard; write the address of a member"));
  }
  return absl::OkStatus();
}

// Loopback means another machine to everybody else.
absl::Status CheckLoopback(const HostPort& bind, const std::string& advertise,
                           const SeedAddresses& seeds,
                           const LocalNetwork& network, Endpoints* endpoints) {
  const Address* remote = FindRemote(seeds.others, network);
  const std::string port = absl::StrCat(":", endpoints->bind.port);
  if (remote != nullptr && endpoints->advertise.IsLoopback()) {
    const bool is_told = !advertise.empty();
    return absl::InvalidArgumentError(absl::StrCat(
        is_told ? "advertised address \"" : "bind address \"",
        is_told ? advertise : bind.text, "\" means ",
        endpoints->advertise.HostToString(),
        " on this machine, which other machines cannot reach, and the seed ",
        remote->ToString(), " is on another; ", is_told ? "advertise" : "bind",
        " the address by which others reach this machine",
        is_told ? "" : absl::StrCat(", or \"", port, "\" for all of them")));
  }
  if (!endpoints->bind.IsLoopback()) return absl::OkStatus();
  if (remote != nullptr) {
    endpoints->warnings.push_back(absl::StrCat(
        "bound to ", endpoints->bind.ToString(),
        ", from where datagrams to other machines (seed ", remote->ToString(),
        ") cannot be sent: bind \"", port, "\" for all addresses"));
  } else if (!bind.literal.has_value() && bind.host != "localhost" &&
             endpoints->advertise.IsLoopback()) {
    endpoints->warnings.push_back(absl::StrCat(
        "bind address \"", bind.text, "\" means ",
        endpoints->bind.HostToString(),
        " on this machine (see /etc/hosts): other machines cannot reach this "
        "member; bind the machine's address in its network, or \"",
        port, "\" for all of them"));
  }
  return absl::OkStatus();
}

// Debian's 127.0.1.1 again: this machine's name as a seed, and nobody there.
void WarnOfLoopbackSeeds(const std::vector<SeedLookup>& seeds,
                         const SeedAddresses& sorted, Endpoints* endpoints) {
  if (endpoints->bind.IsWildcard() || endpoints->bind.IsLoopback()) return;
  for (const SeedLookup& seed : seeds) {
    for (const Address& address : seed.addresses) {
      const bool is_own = std::find(sorted.own.begin(), sorted.own.end(),
                                    address) != sorted.own.end();
      if (is_own || !address.IsLoopback()) continue;
      if (address.port != endpoints->bind.port) continue;
      endpoints->warnings.push_back(absl::StrCat(
          "seed \"", seed.name.text, "\" means ", address.HostToString(),
          " on this machine, but this member listens at ",
          endpoints->bind.ToString(),
          ": if the seed is to be this member itself, write that address"));
    }
  }
}

}  // namespace

absl::StatusOr<BindAddress> ResolveBind(const std::string& bind,
                                        const HostLookup& lookup,
                                        const LocalNetwork& network) {
  const absl::StatusOr<HostPort> name = ParseHostPort(bind);
  if (!name.ok()) return Within("bind address", name.status());
  const absl::StatusOr<std::vector<Address>> candidates =
      ResolveWithin(*name, EmptyHost::kEveryAddress, lookup, LookupMax());
  if (!candidates.ok()) return Within("bind address", candidates.status());
  // Of "localhost" on a machine without IPv6, and the like. What is loopback
  // only comes last: Debian gives the host's own name 127.0.1.1.
  const Address* best = nullptr;
  for (const Address& candidate : *candidates) {
    if (!network.IsLocal(candidate)) continue;
    if (best == nullptr || (best->IsLoopback() && !candidate.IsLoopback())) {
      best = &candidate;
    }
  }
  return BindAddress{*name, best != nullptr ? *best : candidates->front()};
}

absl::StatusOr<Endpoints> ResolveEndpoints(const BindAddress& bind,
                                           const std::string& advertise,
                                           const std::vector<SeedLookup>& seeds,
                                           const HostLookup& lookup,
                                           const LocalNetwork& network) {
  Endpoints endpoints;
  endpoints.bind = bind.address;
  if (!advertise.empty()) {
    const absl::StatusOr<Address> advertised =
        ResolveAdvertised(advertise, bind.address, seeds, lookup, network);
    if (!advertised.ok()) return advertised.status();
    endpoints.advertise = *advertised;
  } else if (bind.address.IsWildcard()) {
    endpoints.advertise = ChooseAdvertised(bind.address, seeds, network);
  } else {
    endpoints.advertise = bind.address;
  }
  if (endpoints.advertise.port == 0) {
    endpoints.advertise.port = endpoints.bind.port;
  }
  const SeedAddresses sorted = SortSeeds(seeds, endpoints.own(), network);
  if (absl::Status status = CheckSeeds(seeds, sorted); !status.ok())
    return status;
  const absl::Status status =
      CheckLoopback(bind.name, advertise, sorted, network, &endpoints);
  if (!status.ok()) return status;
  WarnOfLoopbackSeeds(seeds, sorted, &endpoints);
  return endpoints;
}

}  // namespace cachalot
