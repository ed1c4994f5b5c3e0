#ifndef SIM_EXPLORE_MACHINE_H_
#define SIM_EXPLORE_MACHINE_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "engine/action.h"
#include "engine/event.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/node.h"
#include "engine/options.h"
#include "engine/saved_state.h"
#include "sim/judge/complaint.h"
#include "sim/world/host.h"

namespace cachalot::sim {

// A message in flight. Immutable, and shared by all worlds in which it is in
// flight.
struct Packet {
  Packet(HostId from, HostId to, bool is_frame, std::string bytes);

  HostId from;
  HostId to;
  bool is_frame;  // of a stream; otherwise a datagram
  std::string bytes;
  uint64_t fingerprint;  // of all fields
};
using PacketPointer = std::shared_ptr<const Packet>;

// Options of the machines of a small world.
struct MachineOptions {
  // The machine fills in name, address and token base, and derives a seed for
  // each process from the seed here.
  NodeOptions node;
  bool keeps_disk = true;
  // Saves finish in the turn that orders them; otherwise each is a choice.
  bool saves_at_once = true;
};

// --- What can happen to a machine --------------------------------------------

struct Started {};
struct Crashed {
  uint64_t saves_kept = 0;  // how many open saves reach the disk
};
struct PacketArrived {
  PacketPointer packet;
};
struct SaveDone {};  // the first open save
struct EventGiven {
  Event event;  // any other event
};
using Stimulus =
    std::variant<Started, Crashed, PacketArrived, SaveDone, EventGiven>;

uint64_t FingerprintOf(const Stimulus& stimulus);

class Machine;

// The result of one stimulus: all that is visible outside the machine.
struct Turn {
  std::shared_ptr<const Machine> machine;
  std::vector<PacketPointer> sent;
  std::vector<AnswerRequest> answers;
  std::vector<NotifyHolder> notices;

  // For the judge.
  std::optional<Term> leads;  // the term in which the node became leader
  // Entries that the node learned to be committed, with their hashes.
  std::vector<std::pair<LogIndex, uint64_t>> commits;
  // The hash of the lock table, if entries were applied.
  std::optional<std::pair<LogIndex, uint64_t>> table;
  Complaint complaint;  // a property that this machine alone broke
};

// One machine of a small world: its process, if one runs, and its disk. An
// immutable value: a stimulus creates a new machine. The result of a turn
// depends only on the machine, the stimulus and the clock readings.
class Machine {
 public:
  // No process runs yet; the disk holds `disk`.
  Machine(HostId id, MachineOptions options, SavedState disk);

  // REQUIRES: the stimulus is possible. For example, only a machine without a
  // process can be Started.
  Turn Take(const Now& now, const Stimulus& stimulus) const;

  HostId id() const { return id_; }
  bool is_up() const { return node_.has_value(); }
  // REQUIRES: is_up().
  const Node& node() const { return *node_; }
  const SavedState& disk() const { return disk_; }
  size_t saves_open() const { return saves_.size(); }
  Deadline NextDeadline() const;

  // Hash of the whole state: machines with equal hashes behave equally.
  uint64_t fingerprint() const;

 private:
  void Start(const Now& now);
  void Crash(uint64_t saves_kept);
  void FinishSave();
  void Step(const Now& now, const Event& event, Turn& turn);
  void Perform(Action action, Turn& turn);
  void Send(const Address& to, bool is_frame, std::string bytes, Turn& turn);
  void NoteChanges(const Machine& before, Turn& turn) const;
  uint64_t ComputeFingerprint() const;

  HostId id_;
  std::shared_ptr<const MachineOptions> options_;
  uint64_t processes_ = 0;  // started so far
  std::optional<Node> node_;
  SavedState disk_;
  std::deque<SaveState> saves_;  // ordered and not finished
  // Computed when it is first asked for.
  mutable std::optional<uint64_t> fingerprint_;
};

}  // namespace cachalot::sim

#endif  // SIM_EXPLORE_MACHINE_H_
