#ifndef IO_SEEDS_H_
#define IO_SEEDS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/address.h"
#include "io/host_port.h"
#include "io/local_network.h"

namespace cachalot {

// Takes the texts apart. A text that is there twice counts once.
//
// Errors: InvalidArgument, naming the seed: those of ParseHostPort(); no host;
// too many.
absl::StatusOr<std::vector<HostPort>> ParseSeeds(
    const std::vector<std::string>& texts);

// What is known of one seed's name.
struct SeedLookup {
  HostPort name;
  // As last found. A lookup that fails changes nothing: what was right a moment
  // ago is a better guess than nothing.
  std::vector<Address> addresses;
  bool is_answered = false;  // at least once, with addresses or without
  // Why the last lookup found nothing; OK if it did, or none has ended yet.
  absl::Status error;
};

// Where a member is reached: what of the seeds' addresses is its own.
struct OwnAddresses {
  Address bind;
  Address advertise;  // none: not known yet
};

struct SeedAddresses {
  // Not this member's own, each once. At most limits::kSeedsMax: if there are
  // more, each name has a fair share.
  std::vector<Address> others;
  // As found, of this member itself.
  std::vector<Address> own;
  // Every name is resolved, and all lead to this member.
  bool is_self_only = false;
  size_t left_out = 0;  // addresses beyond the limit
};

// Tells which of the addresses found are others'. One name may lead to this
// member and to others.
SeedAddresses SortSeeds(const std::vector<SeedLookup>& lookups,
                        const OwnAddresses& own, const LocalNetwork& network);

}  // namespace cachalot

#endif  // IO_SEEDS_H_
