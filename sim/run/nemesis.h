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
  // Relative to each other; zero: never. In the order of Fault.
  std::array<uint64_t, kNemesisFaultCount> weights{};
  // From one fault to the next, in the mean.
  absl::Duration calm = absl::Seconds(1);
  Delay partition = {absl::Milliseconds(50), absl::Seconds(5)};
  Delay flap = {absl::Milliseconds(20), absl::Milliseconds(400)};
  Delay downtime = {absl::Milliseconds(10), absl::Seconds(5)};
  Delay pause = {absl::Milliseconds(10), absl::Seconds(3)};
  Delay slowness = {absl::Milliseconds(100), absl::Seconds(3)};
  // Some take longer than an election.
  Delay slow_save = {absl::Milliseconds(1), absl::Milliseconds(200),
                     Rate::Percent(20), absl::Seconds(2)};
  // Now and then longer than an election takes.
  Delay slow_turn = {absl::Milliseconds(1), absl::Milliseconds(60),
                     Rate::Percent(10), absl::Milliseconds(600)};
  // How far a clock jumps that may: the fast one, or either if clocks are to
  // break their bound.
  Delay jump = {absl::Milliseconds(1), absl::Seconds(20)};
  bool slow_clocks_jump = false;
  // Machines that may be down at once; and from one loss of memory to the
  // next, so that the cluster can choose other voters: without such mercy most
  // runs would end with the loss of the majority.
  uint64_t down_max = 1;
  absl::Duration mercy;
  // Nobody dies, so leaving costs nothing: no mercy is needed for it, and the
  // machines may all be gone but one.
  bool leaves_freely = false;
  // Clock rates stay within these of real time (sim/world/clock.h).
  int64_t slow_ppm_min = -1000;
  int64_t slow_ppm_max = 1000;
  int64_t fast_ppm_min = -1000;
  int64_t fast_ppm_max = 1000;
};

// Does harm by chance, and undoes it.
//
// Time is divided into slots, and in each there is a fault or, mostly, none: so
// a fault that is left out of a choice log moves none of the others. What came
// of the faults is in the world's ledger.
class Nemesis {
 public:
  // `choices` is not owned and outlives the nemesis.
  Nemesis(NemesisOptions options, ChoiceSource* choices, RealInstant begin);

  RealInstant NextDue() const { return agenda_.NextDue(); }
  void RunNext(World& world);

  // Everything is mended, resumed and started, clocks run true, and nothing
  // more is done.
  void Rest(World& world);

 private:
  struct NextSlot {};
  struct Strike {
    Fault fault;
  };
  // The links fail or come back, `left` times.
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
  // From here on: what undoes a fault. `seen` is what a counter showed when the
  // fault was done.
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
  struct SpeakAsOthers {
    HostId host;
    uint64_t seen;
  };
  using Due = std::variant<NextSlot, Strike, Flap, CrashInTurn, ClogHost, Mend,
                           Unclog, Restart, Resume, SpeedUp, SpeakAsOthers>;

  void Happen(World& world, const NextSlot& due);
  void Happen(World& world, const Strike& due);
  void Happen(World& world, const Flap& due);
  void Happen(World& world, const CrashInTurn& due);
  void Happen(World& world, const ClogHost& due);
  void Happen(World& world, const Mend& due);
  void Happen(World& world, const Unclog& due);
  void Happen(World& world, const Restart& due);
  void Happen(World& world, const Resume& due);
  void Happen(World& world, const SpeedUp& due);
  void Happen(World& world, const SpeakAsOthers& due);

  std::optional<Fault> DrawFault();
  // False if there was nobody to do it to.
  bool Do(World& world, Fault fault);
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
  bool BendClock(World& world);
  bool JumpClock(World& world);
  bool SpeakOtherwise(World& world);
  bool LeaveCluster(World& world);
  std::vector<HostId> PickLeavers(const World& world);
  bool Join(World& world);

  std::vector<HostId> Running(const World& world) const;
  // One of those that run and are not paused; nothing if there is none.
  std::optional<HostId> PickAwake(const World& world);
  HostId PickAny(const World& world);
  // One of `hosts`; whoever leads more often than others: it has most to lose.
  HostId PickOf(const World& world, const std::vector<HostId>& hosts);
  bool MayLose(const World& world, bool loses_memory) const;
  void CutFromAll(World& world, HostId host);
  void Say(World& world, const std::string& what);

  NemesisOptions options_;
  ChoiceSource* choices_;
  // 0 for no fault, and then the faults in their order.
  std::vector<uint64_t> weights_;
  uint64_t slots_ = 0;  // so far
  Chance chance_;       // of the present slot
  Agenda<Due> agenda_;
  RealInstant next_loss_;
};

}  // namespace cachalot::sim

#endif  // SIM_RUN_NEMESIS_H_
