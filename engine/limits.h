#ifndef ENGINE_LIMITS_H_
#define ENGINE_LIMITS_H_

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

// Everything that can grow, and how far. What arrives from the network is held
// to the same limits as what a caller asks.
namespace cachalot::limits {

inline constexpr size_t kKeyBytesMax = 1024;
inline constexpr size_t kNameBytesMax = 64;     // a member's name
inline constexpr size_t kOwnerBytesMax = 64;    // a caller's label
inline constexpr size_t kReasonBytesMax = 256;  // why a lock is revoked

// A lock's and a session's time to live.
inline constexpr absl::Duration TtlMin() { return absl::Milliseconds(100); }
inline constexpr absl::Duration TtlMax() { return absl::Hours(24); }
// The longest wait in a queue; a longer one is shortened to it.
inline constexpr absl::Duration WaitMax() { return absl::Hours(24 * 7); }

// One datagram, under the least MTU that is common (Ethernet less tunnels).
inline constexpr size_t kDatagramBytesMax = 1400;
// One frame of a stream: a batch of entries or a chunk of a snapshot.
inline constexpr size_t kFrameBytesMax = size_t{4} << 20;
// One log entry: the commands of one turn. Fits a frame with room to spare.
inline constexpr size_t kEntryBytesMax = size_t{512} << 10;
// Entries in one append.
inline constexpr size_t kAppendBytesMax = size_t{1} << 20;
inline constexpr size_t kAppendEntriesMax = 1024;
inline constexpr size_t kSnapshotChunkBytes = size_t{256} << 10;
inline constexpr uint64_t kSnapshotBytesMax = uint64_t{1} << 32;

// Tokens begin at nanoseconds of wall-clock time. No node founds or joins a
// cluster whose tokens begin later than in the year 2116, or opens its session
// with such a floor: half of all tokens are left for what is granted from
// there.
inline constexpr uint64_t kTokenFloorMax = uint64_t{1} << 62;

inline constexpr size_t kMembersMax = 4096;
inline constexpr size_t kSeedsMax = 64;
inline constexpr size_t kVotersMax = 9;
inline constexpr size_t kLearnersMax = 16;

// Limits of the whole cluster, and of one node's share of it, so that a faulty
// or hostile node leaves room for the others. A session ends in one step, which
// takes longer the more locks it has: kLocksPerSessionMax bounds that, too.
inline constexpr size_t kSessionsMax = 65536;
inline constexpr size_t kSessionsPerNodeMax = 8;
inline constexpr size_t kLocksMax = size_t{1} << 22;
inline constexpr size_t kLocksPerSessionMax = size_t{1} << 18;
inline constexpr size_t kWaitersPerLockMax = 65536;
inline constexpr size_t kWaitersPerSessionMax = kWaitersPerLockMax / 4;
// Requests of one session that are unanswered or whose answers are kept.
inline constexpr size_t kRequestsPerSessionMax = 16384;
inline constexpr size_t kListLocksMax = 1000;
inline constexpr size_t kListWaitersMax = 1000;

// Commands that wait for the end of the turn: a Forward beyond them is answered
// with Redirect::busy. And bytes that are appended but not committed: commands
// beyond them are dropped. In both cases the client sends them again later.
inline constexpr size_t kProposalsPerTurnMax = 65536;
inline constexpr size_t kUncommittedBytesMax = size_t{64} << 20;

}  // namespace cachalot::limits

#endif  // ENGINE_LIMITS_H_
