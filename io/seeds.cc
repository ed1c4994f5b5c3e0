#include "io/seeds.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/limits.h"
#include "io/socket.h"

namespace cachalot {
namespace {

// True if a message to `seed` would come back to the member.
bool IsOwn(const Address& seed, const OwnAddresses& own,
           const LocalNetwork& network) {
  if (seed == own.bind || seed == own.advertise) return true;
  return seed.port == own.bind.port && own.bind.IsWildcard() &&
         network.IsLocal(seed);
}

bool HasOtherFamily(const Address& address, const std::vector<Address>& in) {
  return std::any_of(in.begin(), in.end(), [&](const Address& other) {
    return other.IsV4() != address.IsV4();
  });
}

// Divides one name's addresses into the member's own and others'.
void Divide(const std::vector<Address>& addresses, const OwnAddresses& own,
            const LocalNetwork& network, std::vector<Address>* ours,
            std::vector<Address>* others) {
  for (const Address& address : addresses) {
    (IsOwn(address, own, network) ? ours : others)->push_back(address);
  }
  // "localhost" is 127.0.0.1 and ::1: a name that leads to us by one protocol
  // means us by the other too, though we listen at the first only.
  const auto alias = std::stable_partition(
      others->begin(), others->end(), [&](const Address& address) {
        return !HasOtherFamily(address, *ours) || !network.IsLocal(address);
      });
  ours->insert(ours->end(), alias, others->end());
  others->erase(alias, others->end());
}

}  // namespace

absl::StatusOr<std::vector<HostPort>> ParseSeeds(
    const std::vector<std::string>& texts) {
  std::vector<HostPort> seeds;
  for (const std::string& text : texts) {
    absl::StatusOr<HostPort> seed = ParseHostPort(text);
    if (!seed.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("seed ", seed.status().message()));
    }
    if (seed->host.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("seed \"", text,
                       "\": no host before the port; for a process on this "
                       "machine write localhost",
                       text));
    }
    const bool is_new =
        std::none_of(seeds.begin(), seeds.end(),
                     [&](const HostPort& s) { return s.text == text; });
    if (is_new) seeds.push_back(*std::move(seed));
  }
  if (seeds.size() > limits::kSeedsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat(seeds.size(), " seeds are given; at most ",
                     limits::kSeedsMax, " are allowed, and a few suffice"));
  }
  return seeds;
}

SeedAddresses SortSeeds(const std::vector<SeedLookup>& lookups,
                        const OwnAddresses& own, const LocalNetwork& network) {
  SeedAddresses result;
  std::vector<std::vector<Address>> by_name;
  bool is_complete = !lookups.empty();
  for (const SeedLookup& lookup : lookups) {
    if (lookup.addresses.empty()) is_complete = false;
    Divide(lookup.addresses, own, network, &result.own,
           &by_name.emplace_back());
  }
  // The first address of each name, then the second of each, and so on.
  size_t longest = 0;
  for (const auto& found : by_name) longest = std::max(longest, found.size());
  for (size_t i = 0; i < longest; ++i) {
    for (const auto& found : by_name) {
      if (i >= found.size()) continue;
      const bool is_new = std::find(result.others.begin(), result.others.end(),
                                    found[i]) == result.others.end();
      if (!is_new) continue;
      if (result.others.size() < limits::kSeedsMax) {
        result.others.push_back(found[i]);
      } else {
        ++result.left_out;
      }
    }
  }
  result.is_self_only = is_complete && result.others.empty();
  return result;
}

}  // namespace cachalot
