#ifndef ENGINE_MEMBERSHIP_MEMBER_PROOFS_H_
#define ENGINE_MEMBERSHIP_MEMBER_PROOFS_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/container/btree_map.h"
#include "engine/address.h"
#include "engine/fingerprint.h"
#include "engine/ids.h"
#include "engine/instant.h"

namespace cachalot {

// Which of the members that are present have proven that they exist, and since
// when: they answered a probe, or sent a message on a stream from the address
// at which they listen. A member that only others speak of may be invented, so
// each source may introduce at most kUnprovenMax such members at a time.
class MemberProofs {
 public:
  static constexpr size_t kUnprovenMax = 128;

  // True if `source` may introduce one more.
  bool MayIntroduce(const Address& source) const;
  // `source` told of `member`, which was not present before; `is_newcomer` if
  // it was not known either.
  void Add(NodeId member, const Address& source, bool is_newcomer);
  // `member` has proven that it exists. Without effect if it is not present.
  // True if this is the first proof of a newcomer.
  bool Prove(SlowInstant now, NodeId member);
  // `member` keeps its place among the proven, but as the last of them.
  void Demote(SlowInstant now, NodeId member);
  // `member` is not present any more.
  void Remove(NodeId member);

  // Since when `member` is proven; never if it is not.
  SlowInstant ProvenSince(NodeId member) const;
  // Present and not proven.
  size_t unproven() const;
  size_t size() const { return members_.size(); }

  void AddTo(Fingerprint& hash) const;

 private:
  using Ip = std::array<uint8_t, 16>;
  struct Record {
    Ip introduced_by{};
    bool is_newcomer = false;
    SlowInstant proven_since = SlowInstant::Never();
  };

  // `record`, if it is not proven, counts against its source no longer.
  void StopCounting(const Record& record);

  // One for each member that is present.
  absl::btree_map<NodeId, Record> members_;
  // How many unproven members each source has introduced; at least 1. It may
  // exceed kUnprovenMax: Add() is also called for members that come back, and
  // for the first ones that this node meets.
  absl::btree_map<Ip, size_t> unproven_;
};

}  // namespace cachalot

#endif  // ENGINE_MEMBERSHIP_MEMBER_PROOFS_H_
