#ifndef ENGINE_CONSENSUS_PROGRESS_H_
#define ENGINE_CONSENSUS_PROGRESS_H_

#include <cstdint>
#include <deque>
#include <optional>

#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/saved_state.h"

namespace cachalot {

// What a leader knows of one follower.
struct Progress {
  enum class Mode : uint8_t {
    kProbe,      // looking for where the logs agree: one append at a time
    kReplicate,  // they agree: appends are sent ahead of the answers
    kSnapshot,   // too far behind for the log: chunks of a snapshot
  };

  Mode mode = Mode::kProbe;
  LogIndex match;               // known to be saved there
  LogIndex next = LogIndex(1);  // the first entry of the next append
  // kProbe: an append is out, and none is sent before its answer or the next
  // heartbeat.
  bool awaits_answer = false;
  // kReplicate: the last index of each append that is out, oldest first.
  std::deque<LogIndex> in_flight;
  // kSnapshot: what is being sent and how much of it has arrived.
  std::optional<Snapshot> snapshot;
  uint64_t snapshot_received = 0;

  uint64_t read_round = 0;  // the last one it confirmed
  SlowInstant last_answer;  // in this term; election day if none yet
  SlowInstant last_sent;
  // Since when it has been close behind; never if it is not.
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

  // Until there is a snapshot to send, none is.
  void BecomeSnapshot() {
    BecomeProbe();
    mode = Mode::kSnapshot;
  }

  friend bool operator==(const Progress&, const Progress&) = default;
};

}  // namespace cachalot

#endif  // ENGINE_CONSENSUS_PROGRESS_H_
