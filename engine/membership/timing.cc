#include "engine/membership/timing.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "engine/check.h"

namespace cachalot {
namespace {

// floor(e^(k/3)) for k = 0, 1, ...: 3 * ln(x) rises above k when the whole
// number x rises above the k-th of them.
constexpr std::array<size_t, 26> kExponentials = {
    1,  1,   1,   2,   3,   5,   7,   10,  14,   20,   28,   39,   54,
    76, 106, 148, 207, 289, 403, 563, 785, 1096, 1530, 2135, 2980, 4160};

}  // namespace

int Log2Ceiling(size_t n) {
  CHECK(n > 0);
  int k = 0;
  while ((uint64_t{1} << k) < n) ++k;
  return k;
}

int GossipSendsMax(size_t members) {
  const auto above =
      std::lower_bound(kExponentials.begin(), kExponentials.end(), members + 1);
  return static_cast<int>(above - kExponentials.begin());
}

int ConfirmationsWanted(size_t members) {
  if (members <= 3) return 0;
  return static_cast<int>(std::min<size_t>(3, (members - 1) / 2));
}

absl::Duration DenialTime(const MembershipOptions& options, size_t members) {
  return options.gossip_interval * (Log2Ceiling(members) + 3);
}

absl::Duration SuspicionMin(const MembershipOptions& options, size_t members) {
  return options.pause_tolerance + DenialTime(options, members);
}

absl::Duration PushPullInterval(const MembershipOptions& options,
                                size_t members) {
  return options.push_pull_interval * std::max(1, Log2Ceiling(members) - 5);
}

}  // namespace cachalot
