#ifndef SIM_NEMESIS_H_
#define SIM_NEMESIS_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "sim/agenda.h"
#include "sim/chance.h"
#include "sim/choices.h"
#include "sim/instant.h"
#include "sim/world.h"

namespace cachalot::sim {

enum class Fault : uint8_t {
  kPartition,  // two or three sides
  kOneWayCut,  // one machine is not heard, or hears nothing
  kCrash,      // and starts again later, with its disk if it keeps one
  kWipe,       // as kCrash, but the disk is lost
  kPause,
  kReset,  // of every stream of one machine
  kSlowDisk,
  kClockRates,
  kLeave,  // and starts again later
};
inline constexpr size_t kFaultCount = 9;

const char* FaultName(Fault fault);

struct NemesisOptions {
  // Relative to each other; zero: never.
  std::array<uint64_t, kFaultCount> weights{};
  // From one fault to the next, in the mean.
  absl::Duration calm = absl::Seconds(1);
  Delay partition = {absl::Milliseconds(50), absl::Seconds(5)};
  Delay downtime = {absl::Milliseconds(10), absl::Seconds(5)};
  Delay pause = {absl::Milliseconds(10), absl::Seconds(3)};
  Delay slow_disk = {absl::Milliseconds(100), absl::Seconds(3)};
  Delay slow_save = {absl::Milliseconds(1), absl::Milliseconds(200)};
  // Machines that may be down at once; and from one loss of memory to the
  // next, so that the cluster can choose other voters: without such mercy most
  // runs would end with the loss of the majority.
  uint64_t down_max = 1;
  absl::Duration mercy;
  // Clock rates stay within these of real time (sim/clock.h).
  int64_t slow_ppm_min = -1000;
  int64_t slow_ppm_max = 1000;
  int64_t fast_ppm_min = -1000;
  int64_t fast_ppm_max = 1000;
};

// Does harm by chance, and undoes it.
//
// Time is divided into slots, and in each there is a fault or, mostly, none: so
// a fault that is left out of a choice log moves none of the others.
class Nemesis {
 public:
  // `choices` is not owned and outlives the nemesis.
  Nemesis(NemesisOptions options, ChoiceSource* choices, RealInstant begin);

  RealInstant NextDue() const { return agenda_.NextDue(); }
  void RunNext(World& world);

  // Everything is mended, resumed and started, and nothing more is done.
  void Rest(World& world);

  // How often each fault was done.
  const std::array<uint64_t, kFaultCount>& done() const { return done_; }

 private:
  struct NextSlot {};
  struct Strike {
    Fault fault;
  };
  struct Mend {};
  struct Restart {
    HostId host;
  };
  struct Resume {
    HostId host;
  };
  struct SpeedUpDisk {
    HostId host;
  };
  using Due =
      std::variant<NextSlot, Strike, Mend, Restart, Resume, SpeedUpDisk>;

  void Happen(World& world, const NextSlot& due);
  void Happen(World& world, const Strike& due);
  void Happen(World& world, const Mend& due);
  void Happen(World& world, const Restart& due);
  void Happen(World& world, const Resume& due);
  void Happen(World& world, const SpeedUpDisk& due);

  std::optional<Fault> DrawFault();
  // False if there was nobody to do it to.
  bool Do(World& world, Fault fault);
  bool Partition(World& world);
  bool CutOneWay(World& world);
  bool Crash(World& world, bool wipes);
  bool Pause(World& world);
  bool Reset(World& world);
  bool SlowDisk(World& world);
  bool BendClock(World& world);
  bool LeaveCluster(World& world);

  std::vector<HostId> Running(const World& world) const;
  bool MayLose(const World& world, bool loses_memory) const;
  void Say(World& world, std::string what);

  NemesisOptions options_;
  ChoiceSource* choices_;
  // 0 for no fault, and then the faults in their order.
  std::vector<uint64_t> weights_;
  uint64_t slots_ = 0;  // so far
  Chance chance_;       // of the present slot
  Agenda<Due> agenda_;
  RealInstant next_loss_;
  std::array<uint64_t, kFaultCount> done_{};
};

}  // namespace cachalot::sim

#endif  // SIM_NEMESIS_H_
