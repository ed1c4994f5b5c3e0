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

// Which of the members that are present have shown that they exist, and since
// when: they answered a probe, or spoke on a stream from the address at which
// they listen. Whoever is only spoken of may be invented, so such members are
// few: each source may introduce kUnprovenMax of them at a time.
class MemberProofs {
 public:
  static constexpr size_t kUnprovenMax = 128;

  // True if `source` may introduce one more.
  bool MayIntroduce(const Address& source) const;
  // `source` told of `member`, which was not present before; `is_newcomer` if
  // it was not known either.
  void Add(NodeId member, const Address& source, bool is_newcomer);
  // `member` has shown that it exists. Without effect if it is not present.
  // True if this is the first sign of a newcomer.
  bool Prove(SlowInstant now, NodeId member);
  // `member` keeps its place among the proven, but as the last of them.
  void Demote(SlowInstant now, NodeId member);
  // `member` is not present any more.
  void Remove(NodeId member);

  // Never if it has not.
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

  void Settle(const Record& record);

  absl::btree_map<NodeId, Record> members_;
  absl::btree_map<Ip, size_t> unproven_;  // of each source; no zeros
};

}  // namespace cachalot

#endif  // ENGINE_MEMBERSHIP_MEMBER_PROOFS_H_
