#ifndef ENGINE_SAVED_STATE_H_
#define ENGINE_SAVED_STATE_H_

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "engine/address.h"
#include "engine/cluster_time.h"
#include "engine/ids.h"
#include "engine/memory.h"
#include "engine/shared_bytes.h"

namespace cachalot {

// What a node saves: Raft's persistent state (Raft, figure 2), the cluster time
// of each entry, and, with a snapshot, the configuration in force there.

enum class EntryKind : uint8_t {
  kCommands,       // a batch for the lock table
  kConfiguration,  // the voters from here on
};

struct Entry {
  Term term;
  ClusterTime time;
  EntryKind kind = EntryKind::kCommands;
  SharedBytes payload;

  friend bool operator==(const Entry&, const Entry&) = default;
};

struct Voter {
  NodeId id;
  Address address;

  friend auto operator<=>(const Voter&, const Voter&) = default;
};

// Who votes. While `outgoing` is not empty the change is joint: a majority of
// both lists is needed (Raft dissertation, 4.3). Both lists are ordered by id.
struct Configuration {
  std::vector<Voter> voters;
  std::vector<Voter> outgoing;

  bool IsJoint() const { return !outgoing.empty(); }
  bool Contains(NodeId id) const;
  friend bool operator==(const Configuration&, const Configuration&) = default;
};

std::ostream& operator<<(std::ostream& out, const Configuration& config);

// A prefix of the log, replaced by the state that it produced.
struct Snapshot {
  LogIndex index;               // the last entry it covers
  Term term;                    // and that entry's term
  ClusterTime time;             // and that entry's cluster time
  Configuration configuration;  // as of that entry
  SharedBytes table;            // LockTable::Encode()

  friend bool operator==(const Snapshot&, const Snapshot&) = default;
};

// Who the node is. Saving a new identity deletes all that was saved under the
// earlier one, but for the memory.
struct Identity {
  NodeId node;
  ClusterId cluster;
  FencingToken token_base;  // above it are all tokens of the cluster
  // With which its first term begins (BeginTerm).
  absl::Duration quarantine;

  friend bool operator==(const Identity&, const Identity&) = default;
};

// One change of what is saved: all of it or nothing. Its parts are applied in
// the order of the fields.
struct StateChange {
  std::optional<Identity> identity;
  std::optional<Snapshot> snapshot;  // drops the entries up to its index,
  bool drops_log = false;            // or, if set, every entry
  // If `entries` is not empty: they stand at first, first + 1, ...; whatever
  // stood at `first` and after is dropped.
  LogIndex first;
  std::vector<Entry> entries;
  // Term and vote, if they changed.
  std::optional<Term> term;
  NodeId vote;  // with `term`: for whom in it; none if zero
  // Replaces what was remembered, of whatever identity. A driver that keeps
  // only a memory saves this part and no other.
  std::optional<Memory> memory;
};

// All that is on stable storage when a process starts.
struct SavedState {
  Identity identity;
  Term term;
  NodeId vote;
  std::optional<Snapshot> snapshot;
  LogIndex first = LogIndex(1);  // index of entries.front()
  std::vector<Entry> entries;
  std::optional<Memory> memory;

  // Applies one change. A driver that saves to memory needs nothing else.
  void Apply(const StateChange& change);
};

}  // namespace cachalot

#endif  // ENGINE_SAVED_STATE_H_
