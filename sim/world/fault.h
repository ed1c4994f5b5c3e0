#ifndef SIM_WORLD_FAULT_H_
#define SIM_WORLD_FAULT_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace cachalot::sim {

// Every kind of fault. The values are part of choice logs, so their order must
// not change: first the faults that the nemesis injects, then those of single
// messages and turns, then those that a plan has from the start.
enum class Fault : uint8_t {
  kPartition,       // two or three sides
  kOneWayCut,       // one machine is not heard, or hears nothing
  kManySidedCut,    // each link at random: a hears b and b hears c, not a and c
  kFlapping,        // a machine's links fail and recover, several times
  kClog,            // messages of some links are held back, then all delivered
  kSwizzle,         // clogs machines one by one, unclogs in another order
  kReset,           // of every stream of one machine
  kCrash,           // restarts later, with its disk if it keeps one
  kCrashInSave,     // as kCrash, while a save is open
  kFailedSave,      // the disk reports an error: the process stops at once
  kWipe,            // as kCrash, and the disk is lost
  kPause,           // the process does not run, and its input queues up
  kSuspend,         // as kPause, and the slow clock stands still
  kSlowNode,        // each turn starts late
  kRollingRestart,  // all machines, one after another
  kSlowDisk,
  kClockRates,
  kClockJump,
  kOtherVersion,  // sends another protocol version for a while
  kLeave,         // leaves, and starts again later
  kJoin,          // a machine that was not there before starts
  kLoss,          // of a datagram
  kDuplication,
  kReordering,
  kCorruption,
  kFrameCorruption,
  kStreamReset,
  kStraggler,     // the tail of a broken stream arrives after the next stream
  kStaleReading,  // a turn is delayed after the clocks were read
  kNameConflict,  // two machines have the same name
  kDeadSeed,      // no process ever listened at a seed's address
};
inline constexpr size_t kNemesisFaultCount = 21;
inline constexpr size_t kFaultCount = 31;

const char* FaultName(Fault fault);

// How often one kind of fault was injected. A fault that is never applied, or
// that no node could notice, tests nothing.
struct FaultCount {
  uint64_t attempted = 0;  // chance chose it
  uint64_t applied = 0;    // and it was possible
  uint64_t observed = 0;   // and it changed the input of a node

  friend bool operator==(const FaultCount&, const FaultCount&) = default;
};

// The counts of all kinds of faults.
class FaultCounts {
 public:
  void AddAttempted(Fault fault) { ++At(fault).attempted; }
  void AddApplied(Fault fault) { ++At(fault).applied; }
  void AddObserved(Fault fault) { ++At(fault).observed; }

  FaultCount& At(Fault fault) { return counts_[static_cast<size_t>(fault)]; }
  const FaultCount& At(Fault fault) const {
    return counts_[static_cast<size_t>(fault)];
  }
  void Add(const FaultCounts& other);

 private:
  std::array<FaultCount, kFaultCount> counts_{};
};

}  // namespace cachalot::sim

#endif  // SIM_WORLD_FAULT_H_
