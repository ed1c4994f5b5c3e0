#ifndef ENGINE_MAJORITY_WATCH_H_
#define ENGINE_MAJORITY_WATCH_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/time/time.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/options.h"
#include "engine/saved_state.h"

namespace cachalot {

// Whether a majority of the voters answers a node that knows no leader.
//
// What others say does not count, nor does the member list: only messages that
// came from the voters themselves. While there is no leader, voters that are
// silent are asked a few times in the time after which they count as missing,
// so a live voter that can be reached is never missing.
//
// It costs nothing while a leader is known. Not thread-safe. A value.
class MajorityWatch {
 public:
  // What the node knows at the end of a step.
  struct Facts {
    const Configuration& configuration;  // at the end of its log
    NodeId self;
    bool follows = false;    // knows the leader from the log, or leads
    bool is_served = false;  // another node answers its requests as the leader
    // It has known a leader in this cluster, or has a log of it.
    bool has_history = false;
  };
  enum class News : uint8_t { kNone, kLost, kBack };

  // A majority that has not answered for so long is lost: longer than elections
  // take.
  static absl::Duration Patience(const ConsensusOptions& options);

  explicit MajorityWatch(const ConsensusOptions& options)
      : patience_(Patience(options)) {}

  // Whether no leader is known, so that NoteHeard() is to be called.
  bool is_watching() const { return leaderless_since_.has_value(); }
  // A message came from a voter.
  void NoteHeard(SlowInstant now, NodeId voter) { heard_[voter] = now; }
  // The node was stepped `lateness` too late. Messages of that time may be
  // waiting, so it does not count.
  void NoteStall(absl::Duration lateness);
  // To be called after each step. Adds to `to_ask` the voters that are to be
  // sent something which they answer.
  News Update(SlowInstant now, const Facts& facts, std::vector<Voter>* to_ask);
  SlowInstant NextDeadline() const { return next_look_; }

  // Since when no leader has been known; nothing: one is known.
  std::optional<SlowInstant> leaderless_since() const {
    return leaderless_since_;
  }
  // Since when the majority has been lost; nothing: it is not.
  std::optional<SlowInstant> lost_since() const { return lost_since_; }
  // Whether `id` has been heard lately.
  bool Answers(SlowInstant now, NodeId id) const;
  // When `id` was last heard; if it was not since the leader was lost: then.
  // REQUIRES: leaderless_since().
  SlowInstant LastHeard(NodeId id) const;
  // A hash of the whole state, the same in every build.
  uint64_t Fingerprint() const;

  friend bool operator==(const MajorityWatch&, const MajorityWatch&) = default;

 private:
  bool HasQuorum(SlowInstant now, const Facts& facts) const;
  News Rest();

  absl::Duration patience_;  // fixed
  // Whether this node receives the log: it is a voter, or has followed a
  // leader. Another member knows only an old list of voters, if any.
  bool is_part_ = false;
  // When it last followed a leader; while it is served by a leader that it does
  // not follow.
  std::optional<SlowInstant> last_followed_;
  std::optional<SlowInstant> leaderless_since_;
  std::optional<SlowInstant> lost_since_;
  // From then on silence counts: leaderless_since_, and later by the time for
  // which this node was asleep since.
  SlowInstant evidence_from_;
  // Voters that were heard since the leader was lost.
  absl::btree_map<NodeId, SlowInstant> heard_;
  // When silent voters are asked next; never while a leader is known.
  SlowInstant next_look_ = SlowInstant::Never();
};

}  // namespace cachalot

#endif  // ENGINE_MAJORITY_WATCH_H_
