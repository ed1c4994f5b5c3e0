#include "sim/nemesis.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "engine/address.h"

namespace cachalot::sim {

namespace {

constexpr absl::Duration SlotLength() { return absl::Milliseconds(50); }

}  // namespace

const char* FaultName(Fault fault) {
  switch (fault) {
    case Fault::kPartition:
      return "partition";
    case Fault::kOneWayCut:
      return "one-way cut";
    case Fault::kCrash:
      return "crash";
    case Fault::kWipe:
      return "wipe";
    case Fault::kPause:
      return "pause";
    case Fault::kReset:
      return "reset";
    case Fault::kSlowDisk:
      return "slow disk";
    case Fault::kClockRates:
      return "clock rates";
    case Fault::kLeave:
      return "leave";
  }
  return "?";
}

Nemesis::Nemesis(NemesisOptions options, ChoiceSource* choices,
                 RealInstant begin)
    : options_(options), choices_(choices), chance_(choices, "fault") {
  const uint64_t total = std::accumulate(options_.weights.begin(),
                                         options_.weights.end(), uint64_t{0});
  const uint64_t slots_per_fault = std::max<uint64_t>(
      1, static_cast<uint64_t>(options_.calm / SlotLength()));
  weights_.push_back(total == 0 ? 1 : total * (slots_per_fault - 1));
  weights_.insert(weights_.end(), options_.weights.begin(),
                  options_.weights.end());
  agenda_.Add(begin, NextSlot{});
}

void Nemesis::RunNext(World& world) {
  std::visit([&](const auto& due) { Happen(world, due); }, agenda_.TakeNext());
}

void Nemesis::Rest(World& world) {
  while (!agenda_.empty()) {
    const Due due = agenda_.TakeNext();
    if (std::holds_alternative<NextSlot>(due)) continue;
    if (std::holds_alternative<Strike>(due)) continue;
    std::visit([&](const auto& undone) { Happen(world, undone); }, due);
  }
  world.network().MendAll(world.now());
}

// --- Doing -------------------------------------------------------------------

void Nemesis::Happen(World& world, const NextSlot&) {
  chance_ = Chance(choices_, "fault", slots_++);
  const std::optional<Fault> fault = DrawFault();
  if (fault.has_value()) {
    const RealInstant at =
        world.now() + chance_.Between(absl::ZeroDuration(),
                                      SlotLength() - absl::Nanoseconds(1));
    agenda_.Add(at, Strike{*fault});
  }
  agenda_.Add(world.now() + SlotLength(), NextSlot{});
}

void Nemesis::Happen(World& world, const Strike& due) {
  if (Do(world, due.fault)) ++done_[static_cast<size_t>(due.fault)];
}

std::optional<Fault> Nemesis::DrawFault() {
  const uint64_t chosen = chance_.PickWeighted(weights_);
  if (chosen == 0) return std::nullopt;
  return static_cast<Fault>(chosen - 1);
}

bool Nemesis::Do(World& world, Fault fault) {
  switch (fault) {
    case Fault::kPartition:
      return Partition(world);
    case Fault::kOneWayCut:
      return CutOneWay(world);
    case Fault::kCrash:
      return Crash(world, /*wipes=*/false);
    case Fault::kWipe:
      return Crash(world, /*wipes=*/true);
    case Fault::kPause:
      return Pause(world);
    case Fault::kReset:
      return Reset(world);
    case Fault::kSlowDisk:
      return SlowDisk(world);
    case Fault::kClockRates:
      return BendClock(world);
    case Fault::kLeave:
      return LeaveCluster(world);
  }
  return false;
}

std::vector<HostId> Nemesis::Running(const World& world) const {
  std::vector<HostId> running;
  for (uint64_t i = 1; i <= world.host_count(); ++i) {
    if (world.node(HostId(i)) != nullptr) running.push_back(HostId(i));
  }
  return running;
}

bool Nemesis::MayLose(const World& world, bool loses_memory) const {
  const size_t down = world.host_count() - Running(world).size();
  if (down >= options_.down_max) return false;
  return !loses_memory || world.now() >= next_loss_;
}

void Nemesis::Say(World& world, std::string what) { world.Say(what); }

bool Nemesis::Partition(World& world) {
  if (world.host_count() < 2 || world.network().HasCuts()) return false;
  const uint64_t sides = 2 + (chance_.Happens(Rate::Percent(20)) ? 1 : 0);
  std::vector<uint64_t> side_of;
  for (size_t i = 0; i < world.host_count(); ++i) {
    side_of.push_back(chance_.Below(sides));
  }
  std::string text = "partition:";
  for (size_t i = 0; i < side_of.size(); ++i) {
    absl::StrAppend(&text, " ", HostName(HostId(i + 1)), "@", side_of[i]);
    for (size_t j = 0; j < side_of.size(); ++j) {
      if (side_of[i] == side_of[j]) continue;
      world.network().Cut(HostAddress(HostId(i + 1)),
                          HostAddress(HostId(j + 1)));
    }
  }
  Say(world, text);
  agenda_.Add(world.now() + chance_.Draw(options_.partition), Mend{});
  return true;
}

bool Nemesis::CutOneWay(World& world) {
  if (world.host_count() < 2 || world.network().HasCuts()) return false;
  const HostId victim(1 + chance_.Below(world.host_count()));
  const bool is_deaf = chance_.Happens(Rate::Percent(50));
  for (uint64_t i = 1; i <= world.host_count(); ++i) {
    const HostId other(i);
    if (other == victim || chance_.Happens(Rate::Percent(30))) continue;
    const Address a = HostAddress(is_deaf ? other : victim);
    const Address b = HostAddress(is_deaf ? victim : other);
    world.network().Cut(a, b);
  }
  Say(world, absl::StrCat(HostName(victim), is_deaf ? " is deaf" : " is mute"));
  agenda_.Add(world.now() + chance_.Draw(options_.partition), Mend{});
  return true;
}

bool Nemesis::Crash(World& world, bool wipes) {
  const std::vector<HostId> running = Running(world);
  if (running.empty()) return false;
  const HostId victim = chance_.Pick(running);
  const bool forgets = wipes || !world.KeepsDisk(victim);
  if (!MayLose(world, forgets)) return false;
  if (forgets) next_loss_ = world.now() + options_.mercy;
  world.Crash(victim);
  if (wipes) world.WipeDisk(victim);
  agenda_.Add(world.now() + chance_.Draw(options_.downtime), Restart{victim});
  return true;
}

bool Nemesis::Pause(World& world) {
  const std::vector<HostId> running = Running(world);
  if (running.empty()) return false;
  const HostId victim = chance_.Pick(running);
  if (world.IsPaused(victim)) return false;
  world.Pause(victim);
  agenda_.Add(world.now() + chance_.Draw(options_.pause), Resume{victim});
  return true;
}

bool Nemesis::Reset(World& world) {
  const HostId victim(1 + chance_.Below(world.host_count()));
  Say(world, absl::StrCat("streams of ", HostName(victim), " are reset"));
  for (uint64_t i = 1; i <= world.host_count(); ++i) {
    const Address self = HostAddress(victim);
    const Address other = HostAddress(HostId(i));
    world.network().Reset(world.now(), self, other);
    world.network().Reset(world.now(), other, self);
  }
  return true;
}

bool Nemesis::SlowDisk(World& world) {
  const HostId victim(1 + chance_.Below(world.host_count()));
  if (!world.KeepsDisk(victim)) return false;
  world.SlowDisk(victim, options_.slow_save);
  Say(world, absl::StrCat("the disk of ", HostName(victim), " is slow"));
  agenda_.Add(world.now() + chance_.Draw(options_.slow_disk),
              SpeedUpDisk{victim});
  return true;
}

bool Nemesis::BendClock(World& world) {
  const HostId victim(1 + chance_.Below(world.host_count()));
  const int64_t slow =
      chance_.Around0(options_.slow_ppm_min, options_.slow_ppm_max);
  const int64_t fast =
      chance_.Around0(options_.fast_ppm_min, options_.fast_ppm_max);
  world.SetClockRates(victim, slow, fast);
  Say(world, absl::StrCat("the clocks of ", HostName(victim), " run at ", slow,
                          " and ", fast, " ppm"));
  return true;
}

bool Nemesis::LeaveCluster(World& world) {
  const std::vector<HostId> running = Running(world);
  if (running.size() < 2) return false;
  if (!MayLose(world, /*loses_memory=*/true)) return false;
  const HostId victim = chance_.Pick(running);
  if (world.IsPaused(victim)) return false;
  next_loss_ = world.now() + options_.mercy;
  world.Leave(victim);
  agenda_.Add(
      world.now() + options_.downtime.max + chance_.Draw(options_.downtime),
      Restart{victim});
  return true;
}

// --- Undoing -----------------------------------------------------------------

void Nemesis::Happen(World& world, const Mend&) {
  world.network().MendAll(world.now());
  Say(world, "every link is mended");
}

// A process that was asked to leave and has not yet is let go on.
void Nemesis::Happen(World& world, const Restart& due) {
  if (world.node(due.host) == nullptr) world.Start(due.host);
}

void Nemesis::Happen(World& world, const Resume& due) {
  if (world.node(due.host) != nullptr && world.IsPaused(due.host)) {
    world.Resume(due.host);
  }
}

void Nemesis::Happen(World& world, const SpeedUpDisk& due) {
  world.SpeedUpDisk(due.host);
}

}  // namespace cachalot::sim
