#ifndef ENGINE_CONSENSUS_PROGRESS_H_
#define ENGINE_CONSENSUS_PROGRESS_H_

#include <cstdint>
#include <deque>
#include <optional>

#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/saved_state.h"

namespace cachalot {

// What a leader knows of one follower, for one term. The leader changes it when
// it sends and when it is answered (consensus_leader.cc).
//
// Invariant: match < next, and match <= the leader's last index.
struct Progress {
  enum class Mode : uint8_t {
    kProbe,      // looking for where the logs agree: one append at a time
    kReplicate,  // they agree: appends are sent ahead of the answers
    kSnapshot,   // too far behind for the log: chunks of a snapshot
  };

  Mode mode = Mode::kProbe;
  // The follower's log agrees with the leader's up to here and is saved up to
  // here. A voter counts towards commitment with this. Never falls in a term.
  LogIndex match;
  // The first entry of the next append. kReplicate: runs ahead of the answers.
  // A refusal or a broken stream moves it back, never below match + 1.
  LogIndex next = LogIndex(1);
  // kProbe: an append is out, and none is sent before its answer or the next
  // heartbeat. kSnapshot: the same of a chunk.
  bool awaits_answer = false;
  // kReplicate: the last index of each append with entries that is out, rising.
  // At most ConsensusOptions::appends_in_flight_max. Empty in the other modes.
  std::deque<LogIndex> in_flight;
  // kSnapshot: what is being sent, once there is one, and how many bytes of its
  // table the follower has said that it has.
  std::optional<Snapshot> snapshot;
  uint64_t snapshot_received = 0;

  // The highest round that it has answered (Consensus::Leader::read_round).
  // Never falls in a term.
  uint64_t read_round = 0;
  // When it last answered something that was sent within the last election
  // timeout; at first, when the leader first knew it. CheckQuorum counts it.
  SlowInstant last_answer;
  // The follower has answered in this term, so last_answer is not the initial
  // value. Never becomes false again.
  bool has_answered = false;
  // When it was last sent an append or a chunk; an empty append to a follower
  // in kSnapshot does not count.
  SlowInstant last_sent;
  // Since when it has lacked few enough entries to be made a voter without
  // delaying commits; never if it lacks more, or fell silent.
  SlowInstant close_since = SlowInstant::Never();

  void BecomeProbe() {
    mode = Mode::kProbe;
    next = match.Next();
    awaits_answer = false;
    in_flight.clear();
    snapshot.reset();
    snapshot_received = 0;
  }

  void BecomeReplicate() {
    BecomeProbe();
    mode = Mode::kReplicate;
  }

  // Replicate() chooses the snapshot, as soon as there is one that is fresh.
  void BecomeSnapshot() {
    BecomeProbe();
    mode = Mode::kSnapshot;
  }

  friend bool operator==(const Progress&, const Progress&) = default;
};

}  // namespace cachalot

#endif  // ENGINE_CONSENSUS_PROGRESS_H_
