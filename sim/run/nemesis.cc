#include "sim/run/nemesis.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "engine/address.h"
#include "engine/ids.h"
#include "engine/node.h"

namespace cachalot::sim {
namespace {

constexpr absl::Duration SlotLength() { return absl::Milliseconds(50); }
constexpr uint64_t kFlapsMax = 12;

// How often a cut link has stopped something.
uint64_t CutEffects(const World& world) {
  const NetworkCounters& counters = world.network().counters();
  return counters.datagrams_cut + counters.streams_stalled;
}

// How often a clogged link has held something back.
uint64_t ClogEffects(const World& world) {
  const NetworkCounters& counters = world.network().counters();
  return counters.datagrams_clogged + counters.streams_stalled;
}

// How many messages of another version nodes have received.
uint64_t OtherVersionsHeard(const World& world) {
  uint64_t heard = 0;
  for (const HostId host : world.hosts()) {
    const Node* node = world.node(host);
    if (node != nullptr) heard += node->stats().other_version;
  }
  return heard;
}

// The leader of the latest term, of the nodes that believe that they lead.
std::optional<HostId> FindLeader(const World& world) {
  std::optional<HostId> leader;
  Term term;
  for (const HostId host : world.hosts()) {
    const Node* node = world.node(host);
    if (node == nullptr || !node->consensus().leads()) continue;
    if (leader.has_value() && node->consensus().term() <= term) continue;
    leader = host;
    term = node->consensus().term();
  }
  return leader;
}

}  // namespace

Nemesis::Nemesis(NemesisOptions options, ChoiceSource* choices,
                 RealInstant begin)
    : options_(options), choices_(choices), chance_(choices, "fault") {
  const uint64_t total = std::accumulate(options_.weights.begin(),
                                         options_.weights.end(), uint64_t{0});
  const uint64_t slots_per_fault = std::max<uint64_t>(
      1, static_cast<uint64_t>(options_.fault_interval / SlotLength()));
  weights_.push_back(total == 0 ? 1 : total * (slots_per_fault - 1));
  weights_.insert(weights_.end(), options_.weights.begin(),
                  options_.weights.end());
  agenda_.Add(begin, NextSlot{});
}

void Nemesis::RunNext(World& world) {
  std::visit([&](const auto& due) { Handle(world, due); }, agenda_.TakeNext());
}

void Nemesis::UndoAll(World& world) {
  while (!agenda_.empty()) {
    const Due due = agenda_.TakeNext();
    // Mend and the types after it undo a fault.
    if (due.index() < Due(Mend{}).index()) continue;
    std::visit([&](const auto& undone) { Handle(world, undone); }, due);
  }
  world.network().MendAll(world.now());
  for (const HostId host : world.hosts()) {
    world.SetClockRates(host, 0, 0);
  }
}

// --- The schedule ------------------------------------------------------------

void Nemesis::Handle(World& world, const NextSlot&) {
  chance_ = Chance(choices_, "fault", slots_++);
  const std::optional<Fault> fault = DrawFault();
  if (fault.has_value()) {
    const RealInstant at =
        world.now() + chance_.Between(absl::ZeroDuration(),
                                      SlotLength() - absl::Nanoseconds(1));
    agenda_.Add(at, FaultDue{*fault});
  }
  agenda_.Add(world.now() + SlotLength(), NextSlot{});
}

void Nemesis::Handle(World& world, const FaultDue& due) {
  world.fault_counts().AddAttempted(due.fault);
  if (Inject(world, due.fault)) world.fault_counts().AddApplied(due.fault);
}

std::optional<Fault> Nemesis::DrawFault() {
  const uint64_t chosen = chance_.PickWeighted(weights_);
  if (chosen == 0) return std::nullopt;
  return static_cast<Fault>(chosen - 1);
}

bool Nemesis::Inject(World& world, Fault fault) {
  switch (fault) {
    case Fault::kPartition:
      return Partition(world);
    case Fault::kOneWayCut:
      return CutOneWay(world);
    case Fault::kManySidedCut:
      return CutManySided(world);
    case Fault::kFlapping:
      return BeginFlapping(world);
    case Fault::kClog:
      return ClogLinks(world);
    case Fault::kSwizzle:
      return Swizzle(world);
    case Fault::kReset:
      return Reset(world);
    case Fault::kCrash:
    case Fault::kWipe:
      return Crash(world, fault);
    case Fault::kCrashInSave:
    case Fault::kFailedSave:
      return CrashInSave(world, fault);
    case Fault::kPause:
    case Fault::kSuspend:
      return Pause(world, fault);
    case Fault::kSlowNode:
      return SlowNode(world);
    case Fault::kRollingRestart:
      return RestartAll(world);
    case Fault::kSlowDisk:
      return SlowDisk(world);
    case Fault::kClockRates:
      return ChangeClockRates(world);
    case Fault::kClockJump:
      return JumpClock(world);
    case Fault::kOtherVersion:
      return SpeakOtherVersion(world);
    case Fault::kLeave:
      return LeaveCluster(world);
    case Fault::kJoin:
      return Join(world);
    default:
      return false;  // injected elsewhere
  }
}

// --- Choosing a victim -------------------------------------------------------

std::vector<HostId> Nemesis::Running(const World& world) const {
  std::vector<HostId> running;
  for (const HostId host : world.hosts()) {
    if (world.node(host) != nullptr) running.push_back(host);
  }
  return running;
}

std::optional<HostId> Nemesis::PickAwake(const World& world) {
  const std::vector<HostId> running = Running(world);
  if (running.empty()) return std::nullopt;
  const HostId victim = PickFrom(world, running);
  if (world.IsPaused(victim)) return std::nullopt;
  return victim;
}

HostId Nemesis::PickAny(const World& world) {
  std::vector<HostId> hosts;
  for (const HostId host : world.hosts()) hosts.push_back(host);
  return PickFrom(world, hosts);
}

HostId Nemesis::PickFrom(const World& world, const std::vector<HostId>& hosts) {
  const uint64_t choice = chance_.Below(hosts.size() + (hosts.size() + 1) / 2);
  if (choice < hosts.size()) return hosts[choice];
  const std::optional<HostId> leader = FindLeader(world);
  const bool may_pick_leader =
      leader.has_value() &&
      std::find(hosts.begin(), hosts.end(), *leader) != hosts.end();
  return may_pick_leader ? *leader : hosts[choice - hosts.size()];
}

bool Nemesis::MayTakeDown(const World& world, bool loses_memory) const {
  size_t down = 0;
  for (const HostId host : world.hosts()) {
    const bool runs = world.node(host) != nullptr;
    if (!runs && world.WasStarted(host)) ++down;
  }
  if (down >= options_.down_max) return false;
  return !loses_memory || world.now() >= next_state_loss_;
}

// --- Links -------------------------------------------------------------------

bool Nemesis::Partition(World& world) {
  if (world.host_count() < 2 || world.network().HasCuts()) return false;
  const uint64_t sides = 2 + (chance_.Happens(Rate::Percent(20)) ? 1 : 0);
  std::vector<uint64_t> side_of;
  for (size_t i = 0; i < world.host_count(); ++i) {
    side_of.push_back(chance_.Below(sides));
  }
  const absl::Duration duration = chance_.Draw(options_.partition);
  const std::optional<HostId> leader = FindLeader(world);
  if (chance_.Happens(Rate::Percent(30)) && leader.has_value()) {
    // The leader is alone on its side, and may not notice for a while.
    const uint64_t side = side_of[leader->value() - 1];
    for (uint64_t& other : side_of) {
      if (other == side) other = (side + 1) % sides;
    }
    side_of[leader->value() - 1] = side;
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
  if (!world.network().HasCuts()) return false;  // all on one side
  world.NoteIntervention(text);
  agenda_.Add(world.now() + duration,
              Mend{Fault::kPartition, CutEffects(world)});
  return true;
}

bool Nemesis::CutOneWay(World& world) {
  if (world.host_count() < 2 || world.network().HasCuts()) return false;
  const HostId victim = PickAny(world);
  const bool is_deaf = chance_.Happens(Rate::Percent(50));
  for (const HostId other : world.hosts()) {
    if (other == victim || chance_.Happens(Rate::Percent(30))) continue;
    const Address a = HostAddress(is_deaf ? other : victim);
    const Address b = HostAddress(is_deaf ? victim : other);
    world.network().Cut(a, b);
  }
  if (!world.network().HasCuts()) return false;
  world.NoteIntervention(
      absl::StrCat(HostName(victim), is_deaf ? " is deaf" : " is mute"));
  agenda_.Add(world.now() + chance_.Draw(options_.partition),
              Mend{Fault::kOneWayCut, CutEffects(world)});
  return true;
}

bool Nemesis::CutManySided(World& world) {
  if (world.host_count() < 3 || world.network().HasCuts()) return false;
  std::string text = "cut off from each other:";
  for (const HostId a : world.hosts()) {
    for (const HostId b : world.hosts()) {
      if (b <= a || !chance_.Happens(Rate::Percent(40))) continue;
      absl::StrAppend(&text, " ", HostName(a), "|", HostName(b));
      world.network().Cut(HostAddress(a), HostAddress(b));
      world.network().Cut(HostAddress(b), HostAddress(a));
    }
  }
  if (!world.network().HasCuts()) return false;
  world.NoteIntervention(text);
  agenda_.Add(world.now() + chance_.Draw(options_.partition),
              Mend{Fault::kManySidedCut, CutEffects(world)});
  return true;
}

bool Nemesis::BeginFlapping(World& world) {
  if (world.host_count() < 2 || world.network().HasCuts()) return false;
  const HostId victim = PickAny(world);
  world.NoteIntervention(
      absl::StrCat("the links of ", HostName(victim), " flap"));
  Handle(world, Flap{victim, 2 * (1 + chance_.Below(kFlapsMax))});
  return true;
}

void Nemesis::Handle(World& world, const Flap& due) {
  // `left` is even while the links are up, odd while they are cut.
  if (due.left % 2 == 0) {
    if (due.left == 0 || world.network().HasCuts()) return;
    CutFromAll(world, due.host);
    agenda_.Add(world.now() + chance_.Draw(options_.flap),
                Mend{Fault::kFlapping, CutEffects(world)});
  }
  agenda_.Add(world.now() + chance_.Draw(options_.flap),
              Flap{due.host, due.left - 1});
}

void Nemesis::CutFromAll(World& world, HostId host) {
  for (const HostId other : world.hosts()) {
    world.network().Cut(HostAddress(host), HostAddress(other));
    world.network().Cut(HostAddress(other), HostAddress(host));
  }
}

void Nemesis::Handle(World& world, const Mend& due) {
  if (CutEffects(world) > due.seen) world.fault_counts().AddObserved(due.fault);
  world.network().MendAll(world.now());
  world.NoteIntervention("every link is mended");
}

bool Nemesis::ClogLinks(World& world) {
  if (world.host_count() < 2) return false;
  const HostId victim = PickAny(world);
  Handle(world, ClogHost{victim});
  agenda_.Add(world.now() + chance_.Draw(options_.partition),
              Unclog{victim, Fault::kClog, ClogEffects(world)});
  return true;
}

// Clogs the links from one machine.
void Nemesis::Handle(World& world, const ClogHost& due) {
  world.NoteIntervention(
      absl::StrCat("what ", HostName(due.host), " sends is held up"));
  for (const HostId other : world.hosts()) {
    world.network().Clog(HostAddress(due.host), HostAddress(other));
  }
}

void Nemesis::Handle(World& world, const Unclog& due) {
  if (ClogEffects(world) > due.seen) {
    world.fault_counts().AddObserved(due.fault);
  }
  world.NoteIntervention(
      absl::StrCat("what ", HostName(due.host), " sent comes through"));
  for (const HostId other : world.hosts()) {
    world.network().Unclog(world.now(), HostAddress(due.host),
                           HostAddress(other));
  }
}

// FoundationDB's "swizzled clogging": clogs some machines one after another and
// unclogs them in another order.
bool Nemesis::Swizzle(World& world) {
  if (world.host_count() < 2) return false;
  const absl::Duration length = chance_.Draw(options_.partition);
  for (const HostId host : world.hosts()) {
    if (!chance_.Happens(Rate::Percent(60))) continue;
    const absl::Duration begin = chance_.Between(absl::ZeroDuration(), length);
    const absl::Duration end = chance_.Between(absl::ZeroDuration(), length);
    agenda_.Add(world.now() + begin, ClogHost{host});
    agenda_.Add(world.now() + length + end,
                Unclog{host, Fault::kSwizzle, ClogEffects(world)});
    chance_.BeginItem();
  }
  return true;
}

bool Nemesis::Reset(World& world) {
  const HostId victim = PickAny(world);
  world.NoteIntervention(
      absl::StrCat("streams of ", HostName(victim), " are reset"));
  bool was_felt = false;
  for (const HostId host : world.hosts()) {
    const Address self = HostAddress(victim);
    const Address other = HostAddress(host);
    was_felt |= world.network().Reset(world.now(), self, other);
    was_felt |= world.network().Reset(world.now(), other, self);
  }
  if (was_felt) world.fault_counts().AddObserved(Fault::kReset);
  return true;
}

bool Nemesis::SpeakOtherVersion(World& world) {
  const HostId victim = PickAny(world);
  if (world.SpeaksOtherVersion(victim)) return false;
  world.NoteIntervention(
      absl::StrCat(HostName(victim), " speaks another version"));
  world.SetOtherVersion(victim, true);
  agenda_.Add(world.now() + chance_.Draw(options_.partition),
              EndOtherVersion{victim, OtherVersionsHeard(world)});
  return true;
}

void Nemesis::Handle(World& world, const EndOtherVersion& due) {
  if (OtherVersionsHeard(world) > due.seen) {
    world.fault_counts().AddObserved(Fault::kOtherVersion);
  }
  world.NoteIntervention(
      absl::StrCat(HostName(due.host), " speaks as the others do"));
  world.SetOtherVersion(due.host, false);
}

// --- Processes ---------------------------------------------------------------

bool Nemesis::Crash(World& world, Fault fault) {
  const std::vector<HostId> running = Running(world);
  if (running.empty()) return false;
  const HostId victim = chance_.Pick(running);
  const bool wipes = fault == Fault::kWipe;
  const bool forgets = wipes || !world.KeepsDisk(victim);
  if (!MayTakeDown(world, forgets)) return false;
  if (forgets) next_state_loss_ = world.now() + options_.state_loss_interval;
  world.Crash(victim);
  if (wipes) world.WipeDisk(victim);
  agenda_.Add(world.now() + chance_.Draw(options_.downtime),
              Restart{victim, fault});
  return true;
}

bool Nemesis::CrashInSave(World& world, Fault fault) {
  const std::optional<HostId> victim = PickAwake(world);
  if (!victim.has_value() || !world.KeepsDisk(*victim)) return false;
  if (!MayTakeDown(world, /*loses_memory=*/false)) return false;
  if (fault == Fault::kCrashInSave) {
    world.NoteIntervention(
        absl::StrCat(HostName(*victim), " will crash in a save"));
    world.CrashAtNextSave(*victim);
  } else {
    world.NoteIntervention(
        absl::StrCat("the disk of ", HostName(*victim), " will refuse"));
    world.FailNextSave(*victim);
  }
  agenda_.Add(
      world.now() + options_.downtime.max + chance_.Draw(options_.downtime),
      Restart{*victim, fault});
  // The world counts it as applied if there is a save.
  return false;
}

bool Nemesis::RestartAll(World& world) {
  const std::vector<HostId> running = Running(world);
  if (running.size() < 2) return false;
  absl::Duration gap = options_.downtime.max + chance_.Draw(options_.downtime);
  if (!world.KeepsDisk(running.front())) gap += options_.state_loss_interval;
  world.NoteIntervention("all machines are restarted in turn");
  absl::Duration after = absl::ZeroDuration();
  for (const HostId host : running) {
    agenda_.Add(world.now() + after, CrashInTurn{host});
    after += gap;
  }
  return true;
}

void Nemesis::Handle(World& world, const CrashInTurn& due) {
  if (world.node(due.host) == nullptr) return;
  const bool forgets = !world.KeepsDisk(due.host);
  if (!MayTakeDown(world, forgets)) return;
  if (forgets) next_state_loss_ = world.now() + options_.state_loss_interval;
  world.Crash(due.host);
  agenda_.Add(world.now() + chance_.Draw(options_.downtime),
              Restart{due.host, Fault::kRollingRestart});
}

// A process that was asked to leave and still runs is left alone.
void Nemesis::Handle(World& world, const Restart& due) {
  if (world.node(due.host) != nullptr) {
    world.Disarm(due.host);
    return;
  }
  const bool is_save_fault =
      due.fault == Fault::kCrashInSave || due.fault == Fault::kFailedSave;
  if (!is_save_fault) world.fault_counts().AddObserved(due.fault);
  world.Start(due.host);
}

bool Nemesis::Pause(World& world, Fault fault) {
  const std::optional<HostId> victim = PickAwake(world);
  if (!victim.has_value()) return false;
  const ClockPair& clock = world.clock(*victim);
  const int64_t slow_ppm = clock.slow.rate_ppm();
  world.Pause(*victim);
  if (fault == Fault::kSuspend) {
    world.SetClockRates(*victim, -1000000, clock.fast.rate_ppm());
  }
  agenda_.Add(world.now() + chance_.Draw(options_.pause),
              Resume{*victim, fault, slow_ppm});
  return true;
}

void Nemesis::Handle(World& world, const Resume& due) {
  if (due.fault == Fault::kSuspend) {
    world.SetClockRates(due.host, due.slow_ppm,
                        world.clock(due.host).fast.rate_ppm());
  }
  if (world.node(due.host) == nullptr || !world.IsPaused(due.host)) return;
  if (world.EventsWaiting(due.host) > 0) {
    world.fault_counts().AddObserved(due.fault);
  }
  world.Resume(due.host);
}

bool Nemesis::SlowNode(World& world) {
  const HostId victim = PickAny(world);
  world.NoteIntervention(absl::StrCat(HostName(victim), " is slow"));
  world.SlowDown(victim, options_.slow_turn);
  agenda_.Add(world.now() + chance_.Draw(options_.slowness),
              SpeedUp{victim, Fault::kSlowNode, world.steps()});
  return true;
}

bool Nemesis::SlowDisk(World& world) {
  const HostId victim = PickAny(world);
  if (!world.KeepsDisk(victim)) return false;
  world.SlowDisk(victim, options_.slow_save);
  world.NoteIntervention(
      absl::StrCat("the disk of ", HostName(victim), " is slow"));
  agenda_.Add(world.now() + chance_.Draw(options_.slowness),
              SpeedUp{victim, Fault::kSlowDisk, world.disk(victim).saves()});
  return true;
}

void Nemesis::Handle(World& world, const SpeedUp& due) {
  const bool is_disk = due.fault == Fault::kSlowDisk;
  const uint64_t seen = is_disk ? world.disk(due.host).saves() : world.steps();
  if (seen > due.seen) world.fault_counts().AddObserved(due.fault);
  if (is_disk) {
    world.SpeedUpDisk(due.host);
  } else {
    world.SpeedUp(due.host);
  }
}

bool Nemesis::LeaveCluster(World& world) {
  if (Running(world).size() < 2) return false;
  if (!options_.leaves_freely && !MayTakeDown(world, /*loses_memory=*/true)) {
    return false;
  }
  const std::vector<HostId> leavers = PickLeavers(world);
  if (leavers.empty()) return false;
  next_state_loss_ = world.now() + options_.state_loss_interval;
  for (const HostId leaver : leavers) {
    world.Leave(leaver);
    agenda_.Add(
        world.now() + options_.downtime.max + chance_.Draw(options_.downtime),
        Restart{leaver, Fault::kLeave});
  }
  return true;
}

// Usually one machine; sometimes several at once if `leaves_freely`. None if no
// member of the first leaver's cluster would stay.
std::vector<HostId> Nemesis::PickLeavers(const World& world) {
  const std::optional<HostId> first = PickAwake(world);
  if (!first.has_value()) return {};
  std::vector<HostId> leavers = {*first};
  const bool several =
      options_.leaves_freely && chance_.Happens(Rate::Percent(30));
  const ClusterId cluster = world.node(*first)->identity().cluster;
  std::vector<HostId> stayers;
  for (const HostId host : Running(world)) {
    const Node& node = *world.node(host);
    if (host == *first || node.is_leaving()) continue;
    if (several && chance_.Happens(Rate::Percent(50))) {
      leavers.push_back(host);
    } else if (node.identity().cluster == cluster) {
      stayers.push_back(host);
    }
  }
  if (stayers.empty()) return {};
  return leavers;
}

bool Nemesis::Join(World& world) {
  for (const HostId host : world.hosts()) {
    if (world.WasStarted(host)) continue;
    world.Start(host);
    world.fault_counts().AddObserved(Fault::kJoin);
    return true;
  }
  return false;
}

// --- Clocks ------------------------------------------------------------------

bool Nemesis::ChangeClockRates(World& world) {
  const HostId victim = PickAny(world);
  const int64_t slow =
      chance_.Around0(options_.slow_ppm_min, options_.slow_ppm_max);
  const int64_t fast =
      chance_.Around0(options_.fast_ppm_min, options_.fast_ppm_max);
  const ClockPair& clock = world.clock(victim);
  const bool changes =
      slow != clock.slow.rate_ppm() || fast != clock.fast.rate_ppm();
  world.SetClockRates(victim, slow, fast);
  world.NoteIntervention(absl::StrCat("the clocks of ", HostName(victim),
                                      " run at ", slow, " and ", fast, " ppm"));
  if (changes && world.node(victim) != nullptr) {
    world.fault_counts().AddObserved(Fault::kClockRates);
  }
  return true;
}

bool Nemesis::JumpClock(World& world) {
  const HostId victim = PickAny(world);
  const absl::Duration fast = chance_.Draw(options_.jump);
  const absl::Duration slow = options_.slow_clocks_jump
                                  ? chance_.Draw(options_.jump)
                                  : absl::ZeroDuration();
  world.JumpClocks(victim, slow, fast);
  world.NoteIntervention(absl::StrCat("the clocks of ", HostName(victim),
                                      " jump by ", absl::FormatDuration(slow),
                                      " and ", absl::FormatDuration(fast)));
  if (world.node(victim) != nullptr) {
    world.fault_counts().AddObserved(Fault::kClockJump);
  }
  return true;
}

}  // namespace cachalot::sim
