#ifndef ENGINE_MEMBERSHIP_TIMING_H_
#define ENGINE_MEMBERSHIP_TIMING_H_

#include <cstddef>

#include "absl/time/time.h"
#include "engine/options.h"

namespace cachalot {

// How long and how often, depending on the number of members: those that are
// alive or suspect, and this node. Integers only, so the same in every build.

// The least k with 2^k >= n. REQUIRES: n > 0.
int Log2Ceiling(size_t n);

// How many times each member sends a fact: ceil(3 * ln(members + 1)). Since
// targets are taken in turn, this reaches all members unless many datagrams are
// lost (R8).
int GossipSendsMax(size_t members);

// How many other members have to share a suspicion before it lasts only for the
// minimum. 0 in a group so small that nobody may be left to share it.
int ConfirmationsWanted(size_t members);

// How long an accusation takes to reach the accused, and the denial to come
// back: 2 * gossip_interval * (log2(members) / 2 + 1.5).
absl::Duration DenialTime(const MembershipOptions& options, size_t members);

// How long a suspicion lasts at least.
absl::Duration SuspicionMin(const MembershipOptions& options, size_t members);

// The time between two exchanges of whole lists. Above 64 members it grows with
// the logarithm of their number, to limit the bytes that each member sends.
absl::Duration PushPullInterval(const MembershipOptions& options,
                                size_t members);

}  // namespace cachalot

#endif  // ENGINE_MEMBERSHIP_TIMING_H_
