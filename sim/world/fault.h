#ifndef SIM_WORLD_FAULT_H_
#define SIM_WORLD_FAULT_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace cachalot::sim {

// Everything that is done to a world. Their order is that of a choice log:
// first what the nemesis does, then what happens to single messages and turns,
// then what a plan has from the start.
enum class Fault : uint8_t {
  kPartition,       // two or three sides
  kOneWayCut,       // one machine is not heard, or hears nothing
  kManySidedCut,    // each link by itself: who hears whom is no equivalence
  kFlapping,        // a machine's links fail and come back, again and again
  kClog,            // what is sent on some links is held up, and comes at once
  kSwizzle,         // machines are clogged one by one, freed in another order
  kReset,           // of every stream of one machine
  kCrash,           // and starts again later, with its disk if it keeps one
  kCrashInSave,     // the same, while the disk is at work
  kFailedSave,      // the disk refuses: the process stops at once
  kWipe,            // as kCrash, but the disk is lost
  kPause,           // nothing runs, while input queues up
  kSuspend,         // the same, and the slow clock stands still
  kSlowNode,        // takes its time before each turn
  kRollingRestart,  // all machines in turn
  kSlowDisk,
  kClockRates,
  kClockJump,
  kOtherVersion,  // speaks another protocol version for a while
  kLeave,         // and starts again later
  kJoin,          // of a machine that was not there before
  kLoss,          // of a datagram; and so on
  kDuplication,
  kReordering,
  kCorruption,
  kFrameCorruption,
  kStreamReset,
  kStraggler,     // the tail of a broken stream comes behind the next one
  kStaleReading,  // a turn is held up after the clocks were read
  kNameConflict,  // a machine has another's name
  kDeadSeed,      // nobody lives at a seed's address
};
inline constexpr size_t kNemesisFaultCount = 21;
inline constexpr size_t kFaultCount = 31;

const char* FaultName(Fault fault);

// What came of one kind of fault. A fault that is never applied, or that no
// node could have noticed, tests nothing.
struct FaultCount {
  uint64_t attempted = 0;  // it was to happen
  uint64_t applied = 0;    // and could
  uint64_t observed = 0;   // and reached a node: something else went in

  friend bool operator==(const FaultCount&, const FaultCount&) = default;
};

class FaultLedger {
 public:
  void Attempt(Fault fault) { ++At(fault).attempted; }
  void Apply(Fault fault) { ++At(fault).applied; }
  void Observe(Fault fault) { ++At(fault).observed; }

  FaultCount& At(Fault fault) { return counts_[static_cast<size_t>(fault)]; }
  const FaultCount& At(Fault fault) const {
    return counts_[static_cast<size_t>(fault)];
  }
  void Add(const FaultLedger& other);

 private:
  std::array<FaultCount, kFaultCount> counts_{};
};

}  // namespace cachalot::sim

#endif  // SIM_WORLD_FAULT_H_
