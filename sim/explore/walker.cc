#include "sim/explore/walker.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "engine/check.h"
#include "engine/fingerprint.h"
#include "sim/explore/beginning.h"
#include "sim/judge/complaint.h"

namespace cachalot::sim {
namespace {

// Initial priorities are above this, lowered ones below.
constexpr uint64_t kPriorityMin = 1u << 20;
// With even draws one choice in so many is a fault, if a fault is possible.
constexpr uint64_t kFaultOdds = 12;

}  // namespace

Walker::Schedule::Schedule(const WalkOptions& options, uint64_t number,
                           const Budget& budget)
    : random(options.seed, "schedule", number), lowest(kPriorityMin) {
  for (uint64_t& priority : priorities) {
    priority = std::max(kPriorityMin + 1, random.Next());
  }
  for (uint64_t i = 1; i < options.depth; ++i) {
    changes.push_back(random.Below(options.length));
  }
  std::sort(changes.begin(), changes.end());
  for (size_t i = 0; i < kBoundedCount; ++i) {
    const auto what = static_cast<Bounded>(i);
    if (what == Bounded::kWakes) continue;
    for (uint16_t n = 0; n < budget[what]; ++n) {
      faults.emplace_back(random.Below(options.length), what);
    }
  }
  std::sort(faults.begin(), faults.end());
}

WalkResult Walker::Run(const SmallWorld& world) {
  for (uint64_t i = 1; i <= options_.schedules; ++i) {
    Schedule schedule(options_, i, world.budget());
    const bool must_progress =
        options_.progress_every > 0 && i % options_.progress_every == 0;
    Walk(world, schedule, must_progress);
    ++result_.schedules;
    if (result_.violation.has_value()) break;
  }
  return result_;
}

void Walker::Walk(SmallWorld world, Schedule& schedule, bool must_progress) {
  path_.clear();
  Complaint complaint;
  while (path_.size() < options_.length && !complaint.has_value()) {
    if (world.Choices().empty()) break;
    const Choice choice = Draw(world, schedule);
    path_.push_back(choice);
    ++result_.steps;
    complaint = world.Take(choice, turns_).complaint;
  }
  result_.hash =
      Fingerprint().Add(result_.hash).Add(world.ComputeFingerprint()).value();
  if (!complaint.has_value() && must_progress) {
    ++result_.progress_checks;
    complaint = CheckProgress(std::move(world), turns_);
  }
  if (complaint.has_value()) {
    result_.violation = BadPath{*std::move(complaint), path_};
  }
}

Choice Walker::Draw(const SmallWorld& world, Schedule& schedule) const {
  return options_.depth == 0 ? DrawEvenly(world, schedule)
                             : DrawHighest(world, schedule);
}

Choice Walker::DrawEvenly(const SmallWorld& world, Schedule& schedule) const {
  std::vector<Choice> choices = world.Choices();
  const auto faults = std::stable_partition(
      choices.begin(), choices.end(),
      [&](const Choice& c) { return !world.CostOf(c).has_value(); });
  const auto free_count = static_cast<uint64_t>(faults - choices.begin());
  const bool is_fault =
      free_count == 0 ||
      (free_count < choices.size() && schedule.random.Chance(1, kFaultOdds));
  const uint64_t picked =
      is_fault ? free_count + schedule.random.Below(choices.size() - free_count)
               : schedule.random.Below(free_count);
  return choices[static_cast<size_t>(picked)];
}

Choice Walker::DrawHighest(const SmallWorld& world, Schedule& schedule) const {
  const uint64_t step = path_.size();
  std::vector<Choice> choices = world.Choices();
  // A fault that is due waits until it is possible.
  for (auto fault = schedule.faults.begin();
       fault != schedule.faults.end() && fault->first <= step; ++fault) {
    std::vector<Choice> fitting;
    std::copy_if(
        choices.begin(), choices.end(), std::back_inserter(fitting),
        [&](const Choice& c) { return world.CostOf(c) == fault->second; });
    if (fitting.empty()) continue;
    schedule.faults.erase(fault);
    return fitting[schedule.random.Below(fitting.size())];
  }
  const auto priority_of = [&](const Choice& choice) {
    if (world.CostOf(choice).has_value()) return uint64_t{0};
    return schedule.priorities[SourceOf(world, choice)];
  };
  const Choice highest = *std::max_element(
      choices.begin(), choices.end(), [&](const Choice& a, const Choice& b) {
        return priority_of(a) < priority_of(b);
      });
  uint64_t& priority = schedule.priorities[SourceOf(world, highest)];
  const bool changes =
      !schedule.changes.empty() && schedule.changes.front() <= step;
  if (changes) {
    schedule.changes.erase(schedule.changes.begin());
    priority = --schedule.lowest;
  } else if (highest.kind == Choice::Kind::kWake) {
    priority = std::max(kPriorityMin + 1, schedule.random.Next());
  }
  return highest;
}

size_t Walker::SourceOf(const SmallWorld& world, const Choice& choice) {
  size_t source = 0;
  if (choice.kind == Choice::Kind::kDeliver) {
    const Packet& packet = world.packet(choice.which);
    const uint64_t link =
        (packet.from.value() - 1) * 8 + (packet.to.value() - 1);
    source = static_cast<size_t>(link + (packet.is_frame ? 0 : 64));
  } else {
    source = 128 + static_cast<size_t>(choice.kind) * 16 + choice.which;
  }
  CHECK(source < kSources);
  return source;
}

}  // namespace cachalot::sim
