#ifndef ENGINE_MEMBERSHIP_TIMING_H_
#define ENGINE_MEMBERSHIP_TIMING_H_

#include <cstddef>

#include "absl/time/time.h"
#include "engine/options.h"

namespace cachalot {

// How long and how often, given how many members there are: alive or suspect,
// oneself included. Integers only: the same in every build.

// The least k with 2^k >= n. REQUIRES: n > 0.
int Log2Ceiling(size_t n);

// How many times each member passes a fact on: ceil(3 * ln(members + 1)).
// With targets taken in turn that leaves nobody out but for heavy loss (R8).
int GossipSendsMax(size_t members);

// How many members have to share a suspicion before it is held for the minimum
// only. None in a group so small that nobody may be left to share it.
int ConfirmationsWanted(size_t members);

// How long an accusation takes to reach the accused, and the denial to come
// back: 2 * gossip_interval * (log2(members) / 2 + 1.5).
absl::Duration DenialTime(const MembershipOptions& options, size_t members);

// How long a suspicion lasts at least.
absl::Duration SuspicionMin(const MembershipOptions& options, size_t members);

// Between two exchanges of whole lists. Grows with the lists beyond 64 members,
// so that the bytes of each member's exchanges do not grow with their square.
absl::Duration PushPullInterval(const MembershipOptions& options,
                                size_t members);

}  // namespace cachalot

#endif  // ENGINE_MEMBERSHIP_TIMING_H_
