#include "sim/explore/beginning.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/check.h"
#include "engine/client/client.h"
#include "engine/consensus/consensus.h"
#include "engine/node.h"
#include "engine/saved_state.h"

namespace cachalot::sim {
namespace {

constexpr Beginning kBeginnings[] = {Beginning::kBirth, Beginning::kFounded,
                                     Beginning::kLed, Beginning::kContended};

// Long enough for a lease to expire and for elections.
constexpr absl::Duration ProgressMax() { return absl::Minutes(1); }

// A healed world that needs more steps than this is in a livelock.
constexpr int kStepsMax = 20000;
// Founders have met by then, and no election timeout has ended yet.
constexpr absl::Duration SettlingTime() { return absl::Seconds(2); }

Budget Unlimited() {
  Budget budget;
  budget[Bounded::kWakes] = kUnlimited;
  budget[Bounded::kLateWakes] = kUnlimited;
  return budget;
}

NodeId NodeOf(uint64_t machine) { return NodeId{.high = machine, .low = 1}; }

// The disks of a cluster of all machines that has never had a leader.
std::vector<SavedState> FoundedDisks(uint64_t machines) {
  Snapshot birth;
  for (uint64_t i = 1; i <= machines; ++i) {
    birth.configuration.voters.push_back(
        {.id = NodeOf(i), .address = HostAddress(HostId(i))});
  }
  std::vector<SavedState> disks;
  for (uint64_t i = 1; i <= machines; ++i) {
    SavedState& disk = disks.emplace_back();
    disk.identity = {.node = NodeOf(i),
                     .cluster = ClusterId{.high = 1, .low = 1},
                     .token_base = FencingToken(1)};
    disk.snapshot = birth;
  }
  return disks;
}

bool IsSettled(const SmallWorld& world) {
  if (world.packets_under_way() > 0) return false;
  for (const HostId host : world.hosts()) {
    if (world.NextWake(host) < RealInstant() + SettlingTime()) return false;
  }
  return true;
}

// True if there is a leader and every machine has a session.
bool IsLed(const SmallWorld& world) {
  if (world.packets_under_way() > 0) return false;
  for (const HostId host : world.hosts()) {
    const Machine& machine = world.machine(host);
    if (!machine.is_up() || machine.saves_open() > 0) return false;
    if (!machine.node().client().has_session()) return false;
  }
  return true;
}

bool IsContended(const SmallWorld& world) {
  return world.IsHolding(1) && world.IsAsking(2) && IsLed(world);
}

bool AreDone(const SmallWorld& world) { return world.clients_are_done(); }

void MustTake(SmallWorld& world, const Choice& choice, TurnCache& turns) {
  const SmallWorld::TakeResult taken = world.Take(choice, turns);
  CHECK(!taken.complaint.has_value()) << *taken.complaint;
}

void MustReach(SmallWorld& world, TurnCache& turns,
               bool (*is_done)(const SmallWorld&)) {
  const Complaint complaint =
      RunWithoutFaults(world, ProgressMax(), turns, is_done);
  CHECK(!complaint.has_value()) << *complaint;
}

SmallWorld Founded(SmallOptions options) {
  const uint64_t machines = options.machines;
  SmallWorld world(std::move(options), FoundedDisks(machines));
  TurnCache turns(/*turns_max=*/0);
  world.SetBudget(/*operations=*/0, Unlimited());
  MustReach(world, turns, IsSettled);
  return world;
}

// Tries seeds until the last machine, which has no client, becomes the leader.
SmallWorld FindLed(SmallOptions options) {
  while (true) {
    ++options.machine.node.seed;
    SmallWorld world = Founded(options);
    TurnCache turns(/*turns_max=*/0);
    MustReach(world, turns, IsLed);
    const HostId last(options.machines);
    if (world.machine(last).node().consensus().leads()) return world;
  }
}

void Contend(SmallWorld& world) {
  TurnCache turns(/*turns_max=*/0);
  world.SetBudget(/*operations=*/1, Unlimited());
  MustTake(world, {.kind = Choice::Kind::kAsk, .which = 1}, turns);
  MustTake(world, {.kind = Choice::Kind::kAsk, .which = 2}, turns);
  while (!IsContended(world)) {
    const std::vector<Choice> choices = world.Choices();
    // Asking again would release the lock.
    const auto next = std::find_if(
        choices.begin(), choices.end(),
        [](const Choice& c) { return c.kind != Choice::Kind::kAsk; });
    MustTake(world, *next, turns);
  }
}

SmallWorld BeginWithoutBudget(SmallOptions options, Beginning beginning) {
  const uint64_t machines = options.machines;
  switch (beginning) {
    case Beginning::kBirth:
      for (uint64_t i = 1; i <= machines; ++i) {
        options.machine.node.founders.push_back(HostName(HostId(i)));
      }
      options.machine.node.bootstrap = true;
      return SmallWorld(std::move(options), std::vector<SavedState>(machines));
    case Beginning::kFounded:
      return Founded(std::move(options));
    case Beginning::kLed:
      return FindLed(std::move(options));
    case Beginning::kContended:
      break;
  }
  SmallWorld world = FindLed(std::move(options));
  Contend(world);
  return world;
}

}  // namespace

const char* BeginningName(Beginning beginning) {
  switch (beginning) {
    case Beginning::kBirth:
      return "birth";
    case Beginning::kFounded:
      return "founded";
    case Beginning::kLed:
      return "led";
    case Beginning::kContended:
      return "contended";
  }
  return "?";
}

std::optional<Beginning> ParseBeginning(absl::string_view name) {
  for (const Beginning beginning : kBeginnings) {
    if (name == BeginningName(beginning)) return beginning;
  }
  return std::nullopt;
}

SmallWorld Begin(SmallOptions options, Beginning beginning) {
  const uint8_t operations = options.operations;
  const Budget budget = options.budget;
  SmallWorld world = BeginWithoutBudget(std::move(options), beginning);
  world.SetBudget(operations, budget);
  return world;
}

Complaint RunWithoutFaults(SmallWorld& world, absl::Duration time,
                           TurnCache& turns,
                           bool (*is_done)(const SmallWorld&)) {
  const RealInstant until = world.now() + time;
  for (int step = 0; !is_done(world); ++step) {
    if (world.now() > until || step == kStepsMax) {
      return absl::StrCat("no progress within ", absl::FormatDuration(time),
                          " and ", step,
                          " steps though nothing fails any more");
    }
    SmallWorld::TakeResult taken = world.Take(world.Choices().front(), turns);
    if (taken.complaint.has_value()) return std::move(taken.complaint);
  }
  return std::nullopt;
}

Complaint CheckProgress(SmallWorld world, TurnCache& turns) {
  world.Heal();
  world.SetBudget(/*operations=*/1, Unlimited());
  return RunWithoutFaults(world, ProgressMax(), turns, AreDone);
}

}  // namespace cachalot::sim
