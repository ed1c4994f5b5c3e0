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

// What one node has sent to another, on its way. Never changed, and shared by
// all worlds in which it is under way.
struct Packet {
  Packet(HostId from, HostId to, bool is_frame, std::string bytes);

  HostId from;
  HostId to;
  bool is_frame;  // of a stream; else a datagram
  std::string bytes;
  uint64_t fingerprint;  // of all of it
};
using PacketPointer = std::shared_ptr<const Packet>;

// How machines of a small world are made.
struct MachineOptions {
  // Name, address and birth epoch are filled in, and from its seed each process
  // gets one of its own.
  NodeOptions node;
  bool keeps_disk = true;
  // Saves are done in the turn that orders them; else they are choices.
  bool saves_at_once = true;
};

// --- What can befall a machine ----------------------------------------------

struct Started {};
struct Crashed {
  uint64_t saves_kept = 0;  // of the orders that were not done
};
struct PacketArrived {
  PacketPointer packet;
};
struct SaveDone {};  // the first that was not
struct Told {
  Event event;  // neither packet nor save
};
using Stimulus = std::variant<Started, Crashed, PacketArrived, SaveDone, Told>;

uint64_t FingerprintOf(const Stimulus& stimulus);

class Machine;

// What came of one stimulus: all that others can see of it.
struct Turn {
  std::shared_ptr<const Machine> machine;
  std::vector<PacketPointer> sent;
  std::vector<AnswerRequest> answers;
  std::vector<NotifyHolder> notices;

  // For the judge.
  std::optional<Term> leads;  // since this turn
  // Entries that the node knows to be committed since this turn, hashed.
  std::vector<std::pair<LogIndex, uint64_t>> commits;
  // The lock table, hashed, if entries were applied.
  std::optional<std::pair<LogIndex, uint64_t>> table;
  Complaint complaint;  // what is wrong on this machine alone
};

// One machine of a small world: its process, if one runs, and its disk. A value
// that is never changed: what befalls it makes another. How a turn ends depends
// on the machine, the stimulus and the clocks' reading, and on nothing else.
class Machine {
 public:
  // Nothing runs, and the disk holds `disk`.
  Machine(HostId id, MachineOptions options, SavedState disk);

  // The stimulus must be possible: no process is started where one runs.
  Turn Take(const Now& now, const Stimulus& stimulus) const;

  HostId id() const { return id_; }
  bool is_up() const { return node_.has_value(); }
  // REQUIRES: is_up().
  const Node& node() const { return *node_; }
  const SavedState& disk() const { return disk_; }
  size_t saves_open() const { return saves_.size(); }
  Deadline NextDeadline() const;

  // Of the whole state; two machines with the same go on in the same way.
  uint64_t fingerprint() const;

 private:
  void Start(const Now& now);
  void Crash(uint64_t saves_kept);
  void FinishSave();
  void Step(const Now& now, const Event& event, Turn& turn);
  void Perform(Action action, Turn& turn);
  void Send(const Address& to, bool is_frame, std::string bytes, Turn& turn);
  void Observe(const Machine& before, Turn& turn) const;
  uint64_t ComputeFingerprint() const;

  HostId id_;
  std::shared_ptr<const MachineOptions> options_;
  uint64_t processes_ = 0;  // started so far
  std::optional<Node> node_;
  SavedState disk_;
  std::deque<SaveState> saves_;  // ordered and not done
  // Found when it is first asked for.
  mutable std::optional<uint64_t> fingerprint_;
};

}  // namespace cachalot::sim

#endif  // SIM_EXPLORE_MACHINE_H_
