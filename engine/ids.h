#ifndef ENGINE_IDS_H_
#define ENGINE_IDS_H_

#include <compare>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <utility>

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
// One number in [1, 2^63), so that it fits a signed 64-bit column. How it is
// chosen: engine/locks/token_counter.h.
class FencingToken {
 public:
  static constexpr uint64_t kMax = (uint64_t{1} << 63) - 1;

  // None: below every token.
  constexpr FencingToken() = default;
  // REQUIRES: number <= kMax.
  constexpr explicit FencingToken(uint64_t number) : number_(number) {}

  constexpr uint64_t number() const { return number_; }
  // True of no granted token.
  constexpr bool IsNone() const { return number_ == 0; }
  // In decimal.
  std::string ToString() const;
  // What ToString() wrote; nothing if `text` is not a token.
  static std::optional<FencingToken> Parse(absl::string_view text);

  friend constexpr auto operator<=>(const FencingToken&,
                                    const FencingToken&) = default;
  friend std::ostream& operator<<(std::ostream& out, const FencingToken& t) {
    return out << t.number_;
  }
  template <typename H>
  friend H AbslHashValue(H state, const FencingToken& token) {
    return H::combine(std::move(state), token.number_);
  }

 private:
  uint64_t number_ = 0;
};

}  // namespace cachalot

#endif  // ENGINE_IDS_H_
