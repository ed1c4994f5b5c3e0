#ifndef ENGINE_IDS_H_
#define ENGINE_IDS_H_

#include <compare>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <utility>

#include "absl/numeric/int128.h"
#include "absl/strings/string_view.h"
#include "engine/strong_id.h"

namespace cachalot {

// 128 bits drawn at random. Zero means "none".
template <typename Kind>
struct WideId {
  uint64_t high = 0;
  uint64_t low = 0;

  constexpr bool IsNone() const { return high == 0 && low == 0; }
  // 32 hexadecimal digits.
  std::string ToString() const;
  // The first eight of them: enough for a person to tell members apart.
  std::string ToShortString() const;

  friend constexpr auto operator<=>(const WideId&, const WideId&) = default;
  friend std::ostream& operator<<(std::ostream& out, const WideId& id) {
    return out << id.ToShortString();
  }
  template <typename H>
  friend H AbslHashValue(H state, const WideId& id) {
    return H::combine(std::move(state), id.high, id.low);
  }
};

// One process, from start to end. A process that kept nothing on disk comes
// back under another id: no process speaks under an id whose promises it has
// forgotten (engine/README.md, D1).
using NodeId = WideId<struct NodeKind>;

// One cluster, from birth to loss. Messages of another cluster are dropped.
using ClusterId = WideId<struct ClusterKind>;

using Term = StrongId<struct TermKind>;          // Raft: one leader at most
using LogIndex = StrongId<struct LogIndexKind>;  // Raft: first entry is 1

// Numbers the orders to save (SaveState); completed in this order.
using SaveId = StrongId<struct SaveKind>;

// Names a caller's request between a driver and its node. The driver chooses
// it and does not use it again while the node runs.
using RequestId = StrongId<struct RequestKind>;

// Numbers the requests of one session, from 1, without gaps: what makes
// retries exactly-once (Raft dissertation, 6.3).
using Sequence = StrongId<struct SequenceKind>;

// Rises from each cluster to the next, so that fencing tokens keep rising when
// a log starts again at 1: the seconds of wall-clock time when the cluster was
// founded, or more (NodeOptions::birth_epoch).
using Epoch = StrongId<struct EpochKind>;

// A session of a node with the cluster. It owns the node's locks and its places
// in queues.
struct SessionId {
  NodeId node;
  uint64_t number = 0;  // the node's first session is 1

  bool IsNone() const { return number == 0; }
  friend constexpr auto operator<=>(const SessionId&,
                                    const SessionId&) = default;
  friend std::ostream& operator<<(std::ostream& out, const SessionId& id) {
    return out << id.node << "/" << id.number;
  }
};

// Rises with every grant in the cluster, across leaders, restarts and births.
// A protected resource remembers the highest token it has seen and refuses
// lower ones: a holder that was paused past its lease can then do no damage.
//
// Ordered by epoch, then by the index of the log entry that granted, then by
// the position of the grant within that entry.
struct FencingToken {
  Epoch epoch;
  LogIndex index;
  uint32_t sequence = 0;

  // True of no granted token.
  constexpr bool IsNone() const { return index == LogIndex(); }
  // "1763913600.17.0".
  std::string ToString() const;
  // The same order as one number: epoch * 2^80 + index * 2^32 + sequence.
  // Below 2^128 while the epoch is below 2^48 and the index below 2^48.
  absl::uint128 ToNumber() const;
  // Reads either form; nothing if `text` is neither.
  static std::optional<FencingToken> Parse(absl::string_view text);

  friend constexpr auto operator<=>(const FencingToken&,
                                    const FencingToken&) = default;
  friend std::ostream& operator<<(std::ostream& out, const FencingToken& t) {
    return out << t.ToString();
  }
};

}  // namespace cachalot

#endif  // ENGINE_IDS_H_
