#ifndef TESTS_ENGINE_CONSENSUS_LONE_CONSENSUS_H_
#define TESTS_ENGINE_CONSENSUS_LONE_CONSENSUS_H_

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "engine/action.h"
#include "engine/consensus/consensus.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/options.h"
#include "engine/outbox.h"
#include "engine/saved_state.h"
#include "engine/wire/message.h"

namespace cachalot {

// One Consensus: the test plays all other nodes, the clock and the disk. Knows
// of no rule but that promises wait for their saves, as Node does it.
class LoneConsensus {
 public:
  // Limits small enough to be met.
  static ConsensusOptions Options();

  explicit LoneConsensus(uint64_t node = 1,
                         ConsensusOptions options = Options());

  Consensus& machine() { return machine_; }
  const Consensus& machine() const { return machine_; }
  SlowInstant now() const { return now_; }

  // --- Beginnings -----------------------------------------------------------

  // A follower with this log behind it, all of it saved.
  void Restore(uint64_t term, const Configuration& founders,
               const std::vector<Entry>& entries, uint64_t vote = 0);
  // Leads `founders` with the votes of a majority of them; its log holds the
  // founding configuration and the opening entry, saved and acknowledged by
  // nobody.
  void Lead(const std::vector<uint64_t>& founders);
  // Waits out the election timer and wins with the votes of `others`.
  void WinElection(const std::vector<uint64_t>& others);
  // The process dies and comes back with what was saved.
  void CrashAndRestore();

  // --- What happens to it ---------------------------------------------------

  void Pass(absl::Duration time);
  // Passes time until its own deadline, and fires.
  void PassToDeadline();
  void Receive(uint64_t from, const ConsensusMessage& message);
  void Propose(const std::string& payload);
  // Ends the turn.
  void Flush();
  // The oldest order to save is done. REQUIRES: there is one.
  void SaveNext();
  // Flushes and saves until nothing is left to do.
  void SaveAll();
  // Applies what is committed; installs a snapshot that has arrived.
  void Apply();

  // The log up to `index` is acknowledged by `from`, in answer to what was sent
  // to it last, or to what carried `read_round`.
  void Acknowledge(uint64_t from, LogIndex index,
                   std::optional<uint64_t> read_round = std::nullopt);
  // As above, for the whole log, by each of them.
  void AcknowledgeAll(const std::vector<uint64_t>& from);

  // --- Results --------------------------------------------------------------

  // Takes the oldest message of a type that was sent to `to`, or to anybody.
  template <typename Message>
  std::optional<Message> Take(uint64_t to) {
    for (auto it = sent_.begin(); it != sent_.end(); ++it) {
      if (it->to.low != to) continue;
      if (auto* message = std::get_if<Message>(&it->message)) {
        Message taken = std::move(*message);
        sent_.erase(it);
        return taken;
      }
    }
    return std::nullopt;
  }
  // Forgets what was sent so far.
  void Ignore() { sent_.clear(); }
  size_t sent_count() const { return sent_.size(); }
  // Promises that wait for a save.
  size_t withheld_count() const { return withheld_.size(); }
  size_t saves_in_flight() const { return orders_.size(); }
  const SavedState& disk() const { return disk_; }
  // Payloads of the commands applied, in order.
  const std::vector<std::string>& applied() const { return applied_; }
  // Payloads of the whole log kept, in order; "" for configurations.
  std::vector<std::string> Payloads() const;

 private:
  Consensus Make();
  void Collect(Outbox out);

  uint64_t node_;
  ConsensusOptions options_;
  uint64_t restarts_ = 0;
  SlowInstant now_ = SlowInstant() + absl::Hours(1);
  Consensus machine_;
  std::vector<Outgoing> sent_;
  std::deque<Outgoing> withheld_;
  std::deque<SaveState> orders_;
  SavedState disk_;
  std::vector<std::string> applied_;
  std::map<NodeId, uint64_t> rounds_;  // last sent to each
};

// Leads {1, 2, 3} in term 1 with 2 and 3 up to date and the log committed: the
// founding configuration and the opening entry.
LoneConsensus LeaderOfThree();

}  // namespace cachalot

#endif  // TESTS_ENGINE_CONSENSUS_LONE_CONSENSUS_H_
