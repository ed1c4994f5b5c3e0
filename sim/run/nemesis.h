#ifndef SIM_RUN_NEMESIS_H_
#define SIM_RUN_NEMESIS_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "sim/world/agenda.h"
#include "sim/world/chance.h"
#include "sim/world/choices.h"
#include "sim/world/fault.h"
#include "sim/world/host.h"
#include "sim/world/instant.h"
#include "sim/world/world.h"

namespace cachalot::sim {

struct NemesisOptions {
  // Relative frequencies, in the order of Fault; zero: never.
  std::array<uint64_t, kNemesisFaultCount> weights{};
  // Mean time from one fault to the next.
  absl::Duration fault_interval = absl::Seconds(1);
  Delay partition = {absl::Milliseconds(50), absl::Seconds(5)};
  Delay flap = {absl::Milliseconds(20), absl::Milliseconds(400)};
  Delay downtime = {absl::Milliseconds(10), absl::Seconds(5)};
  Delay pause = {absl::Milliseconds(10), absl::Seconds(3)};
  Delay slowness = {absl::Milliseconds(100), absl::Seconds(3)};
  // Some saves take longer than an election.
  Delay slow_save = {absl::Milliseconds(1), absl::Milliseconds(200),
                     Rate::Percent(20), absl::Seconds(2)};
  // Some turns start later than an election takes.
  Delay slow_turn = {absl::Milliseconds(1), absl::Milliseconds(60),
                     Rate::Percent(10), absl::Milliseconds(600)};
  // How far a clock jumps. Only fast clocks jump, unless `slow_clocks_jump`:
  // then clocks break their bound.
  Delay jump = {absl::Milliseconds(1), absl::Seconds(20)};
  bool slow_clocks_jump = false;
  // How many machines may be down at once, and the shortest time between two
  // losses of a node's state. The cluster needs that time to choose other
  // voters; without it most runs would end with the loss of the majority.
  uint64_t down_max = 1;
  absl::Duration state_loss_interval;
  // Nobody dies, so leaving never loses the majority: `down_max` and
  // `state_loss_interval` do not limit it, and all machines but one may be
  // gone.
  bool leaves_freely = false;
  // The range of clock rates, relative to real time (sim/world/clock.h).
  int64_t slow_ppm_min = -1000;
  int64_t slow_ppm_max = 1000;
  int64_t fast_ppm_min = -1000;
  int64_t fast_ppm_max = 1000;
};

// Injects random faults into a world, and undoes them.
//
// Time is divided into slots, with at most one new fault in each. So removing a
// fault from a choice log does not move the others. World::fault_counts()
// counts the faults.
class Nemesis {
 public:
  // `choices` is not owned and outlives the nemesis.
  Nemesis(NemesisOptions options, ChoiceSource* choices, RealInstant begin);

  RealInstant NextDue() const { return agenda_.NextDue(); }
  void RunNext(World& world);

  // Undoes all faults, sets clocks to the rate of real time, and injects no
  // more.
  void UndoAll(World& world);

 private:
  struct NextSlot {};
  struct FaultDue {
    Fault fault;
  };
  // The links of a machine fail or recover, `left` more times.
  struct Flap {
    HostId host;
    uint64_t left;
  };
  struct CrashInTurn {
    HostId host;
  };
  struct ClogHost {
    HostId host;
  };
  // The structs from here on undo a fault. `seen` is the value of a counter
  // when the fault was injected: if it has grown since, a node has noticed the
  // fault.
  struct Mend {
    Fault fault;
    uint64_t seen;
  };
  struct Unclog {
    HostId host;
    Fault fault;
    uint64_t seen;
  };
  struct Restart {
    HostId host;
    Fault fault;
  };
  struct Resume {
    HostId host;
    Fault fault;
    int64_t slow_ppm;
  };
  struct SpeedUp {
    HostId host;
    Fault fault;
    uint64_t seen;
  };
  struct EndOtherVersion {
    HostId host;
    uint64_t seen;
  };
  using Due =
      std::variant<NextSlot, FaultDue, Flap, CrashInTurn, ClogHost, Mend,
                   Unclog, Restart, Resume, SpeedUp, EndOtherVersion>;

  void Handle(World& world, const NextSlot& due);
  void Handle(World& world, const FaultDue& due);
  void Handle(World& world, const Flap& due);
  void Handle(World& world, const CrashInTurn& due);
  void Handle(World& world, const ClogHost& due);
  void Handle(World& world, const Mend& due);
  void Handle(World& world, const Unclog& due);
  void Handle(World& world, const Restart& due);
  void Handle(World& world, const Resume& due);
  void Handle(World& world, const SpeedUp& due);
  void Handle(World& world, const EndOtherVersion& due);

  std::optional<Fault> DrawFault();
  // Returns false if the fault was not possible.
  bool Inject(World& world, Fault fault);
  bool Partition(World& world);
  bool CutOneWay(World& world);
  bool CutManySided(World& world);
  bool BeginFlapping(World& world);
  bool ClogLinks(World& world);
  bool Swizzle(World& world);
  bool Reset(World& world);
  bool Crash(World& world, Fault fault);
  bool CrashInSave(World& world, Fault fault);
  bool Pause(World& world, Fault fault);
  bool SlowNode(World& world);
  bool RestartAll(World& world);
  bool SlowDisk(World& world);
  bool ChangeClockRates(World& world);
  bool JumpClock(World& world);
  bool SpeakOtherVersion(World& world);
  bool LeaveCluster(World& world);
  std::vector<HostId> PickLeavers(const World& world);
  bool Join(World& world);

  std::vector<HostId> Running(const World& world) const;
  // A random running machine; nothing if none runs or the chosen one is paused.
  std::optional<HostId> PickAwake(const World& world);
  HostId PickAny(const World& world);
  // One of `hosts`; the leader more often than others, because faults of the
  // leader find more bugs.
  HostId PickFrom(const World& world, const std::vector<HostId>& hosts);
  bool MayTakeDown(const World& world, bool loses_memory) const;
  void CutFromAll(World& world, HostId host);

  NemesisOptions options_;
  ChoiceSource* choices_;
  // The weight of "no fault", and then those of the faults in their order.
  std::vector<uint64_t> weights_;
  uint64_t slots_ = 0;  // so far
  Chance chance_;       // of the current slot
  Agenda<Due> agenda_;
  RealInstant next_state_loss_;  // not before this
};

}  // namespace cachalot::sim

#endif  // SIM_RUN_NEMESIS_H_
