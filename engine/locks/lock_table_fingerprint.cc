// A hash of all that LockTable::Encode() writes, without encoding it: the
// simulator compares tables after each entry.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <variant>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engine/locks/lock_table.h"

namespace cachalot {

class LockTable::Hasher {
 public:
  explicit Hasher(const LockTable& table) : table_(table) {}

  uint64_t Run() {
    Add(table_.last_token());
    Add(table_.applied_.value());
    Add(table_.time_);
    Add(table_.opens_at_);
    Add(table_.sessions_.size());
    for (const auto& [id, slot] : table_.sessions_.by_id()) {
      Add(table_.sessions_[slot]);
    }
    for (const auto& [node, last] : table_.closed_.by_node()) {
      Add(SessionId{node, last.number});
      Add(last.time);
    }
    Add(table_.locks_.size());
    for (const auto& [key, slot] : table_.locks_.by_key()) {
      Add(table_.locks_[slot]);
    }
    return hash_;
  }

 private:
  // Mixes in one word, in the manner of splitmix64. The same in every build,
  // unlike absl::Hash.
  void Add(uint64_t word) {
    hash_ = (hash_ ^ word) * 0x9e3779b97f4a7c15u;
    hash_ = (hash_ ^ (hash_ >> 32)) * 0xd6e8feb86659fd93u;
    hash_ ^= hash_ >> 32;
  }

  void Add(absl::string_view bytes) {
    Add(bytes.size());
    while (!bytes.empty()) {
      uint64_t word = 0;
      const size_t size = std::min(bytes.size(), sizeof word);
      std::memcpy(&word, bytes.data(), size);
      bytes.remove_prefix(size);
      Add(word);
    }
  }

  void Add(ClusterTime time) { Add(time.nanoseconds()); }

  void Add(absl::Duration duration) {
    Add(static_cast<uint64_t>(absl::ToInt64Nanoseconds(duration)));
  }

  void Add(const SessionId& id) {
    Add(id.node.high);
    Add(id.node.low);
    Add(id.number);
  }

  void Add(FencingToken token) { Add(token.number()); }

  void Add(const Session& session) {
    Add(session.id);
    Add(session.name);
    Add(session.ttl);
    Add(session.renewal);
    Add(session.deadline);
    Add(uint64_t{session.grace_used});
    const Memos& all = session.memos;
    Add(all.first().value());
    for (Sequence next = all.first(); next < all.end(); next = next.Next()) {
      const auto* decided = std::get_if<Decided>(&all.Find(next));
      if (decided != nullptr) Add(next, *decided);
    }
  }

  void Add(Sequence sequence, const Decided& decided) {
    Add(sequence.value());
    Add(static_cast<uint64_t>(decided.outcome));
    Add(decided.token);
    Add(decided.granted_at.value());
    Add(static_cast<uint64_t>(decided.limit));
    if (decided.holder == nullptr) return;
    Add(decided.holder->session);
    Add(decided.holder->name);
    Add(decided.holder->owner);
    Add(decided.holder->token);
    Add(decided.holder->lease_remaining);
    Add(decided.holder->session_remaining);
  }

  void Add(const Lock& lock) {
    Add(lock.key);
    Add(lock.token);
    Add(lock.granted_at.value());
    Add(lock.holder);
    Add(lock.deadline);
    Add(lock.revoke_reason);
    Add(lock.queue.size());
    for (const auto& [ticket, claim] : lock.queue) Add(claim);
  }

  void Add(const Claim& claim) {
    // Slots differ between equal tables.
    Add(table_.sessions_[claim.session].id);
    Add(claim.acquire.value());
    Add(claim.ttl);
    Add(claim.owner);
  }

  const LockTable& table_;
  uint64_t hash_ = 0;
};

uint64_t LockTable::Fingerprint() const { return Hasher(*this).Run(); }

}  // namespace cachalot
