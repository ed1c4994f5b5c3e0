#ifndef ENGINE_CONSENSUS_LOG_H_
#define ENGINE_CONSENSUS_LOG_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/container/btree_map.h"
#include "engine/cluster_time.h"
#include "engine/ids.h"
#include "engine/saved_state.h"

namespace cachalot {

// The entries that are kept, by index, after a base: the last entry that was
// compacted away. Also knows which configuration is in force at each entry: a
// configuration is in force from its append on, and if it is truncated the one
// before is in force again (rule 4). That of the base is kept apart from the
// entries.
//
// Invariants: indexes are dense; terms and times do not fall.
class Log {
 public:
  // Empty, from index 1, with no voters.
  Log() = default;

  LogIndex base_index() const { return base_index_; }
  LogIndex first_index() const { return base_index_.Next(); }
  LogIndex last_index() const {
    return LogIndex(base_index_.value() + entries_.size());
  }
  Term last_term() const;
  ClusterTime last_time() const;
  // The sum of the sizes of the payloads that are kept.
  uint64_t bytes() const { return bytes_; }
  size_t size() const { return entries_.size(); }

  // Null if `index` is not kept.
  const Entry* Find(LogIndex index) const;
  // The base's and the kept entries' terms.
  // REQUIRES: base_index() <= index <= last_index().
  Term TermAt(LogIndex index) const;
  ClusterTime TimeAt(LogIndex index) const;
  bool Matches(LogIndex index, Term term) const;
  // The last index at or below `index`, and not below the base, whose term is
  // at most `term`: where two logs may begin to agree (rule 13).
  LogIndex LastNotAbove(LogIndex index, Term term) const;

  // The newest configuration, and the index of the entry that set it: the
  // base's if that entry was compacted.
  const Configuration& configuration() const;
  LogIndex configuration_index() const;
  // The one in force at `index`. REQUIRES: base_index() <= index.
  const Configuration& ConfigurationAt(LogIndex index) const;
  // True if `id` votes at `index`, or in any configuration after it.
  // REQUIRES: base_index() <= index.
  bool VotesSince(LogIndex index, NodeId id) const;

  // REQUIRES: term and time are not below the last entry's; a configuration
  // entry comes with its decoded form.
  void Append(Entry entry, const Configuration* configuration = nullptr);
  // Drops `from` and all after it. REQUIRES: from > base_index().
  void Truncate(LogIndex from);
  // Drops the entries up to `index`, which becomes the base.
  // REQUIRES: base_index() <= index <= last_index().
  void Compact(LogIndex index);
  // Forgets everything and starts after a snapshot.
  void Reset(const Snapshot& snapshot);

  friend bool operator==(const Log&, const Log&) = default;

 private:
  size_t Offset(LogIndex index) const {
    return static_cast<size_t>(index.value() - base_index_.value() - 1);
  }

  // The last entry that was compacted away or covered by a snapshot; index 0,
  // term 0 and time 0 if there was none. Compact() and Reset() only; the index
  // does not fall.
  LogIndex base_index_;
  Term base_term_;
  ClusterTime base_time_;
  // entries_[i] has the index base_index_ + 1 + i.
  std::vector<Entry> entries_;
  // The sum of the sizes of their payloads.
  uint64_t bytes_ = 0;
  // By the entry that set it: the configuration in force at the base, and those
  // of the kept entries. Never empty; the last one is in force now.
  absl::btree_map<LogIndex, Configuration> configurations_ = {
      {LogIndex(), Configuration()}};
};

}  // namespace cachalot

#endif  // ENGINE_CONSENSUS_LOG_H_
