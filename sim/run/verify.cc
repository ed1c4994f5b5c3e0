#include "sim/run/verify.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/address.h"

namespace cachalot::sim {
namespace {

using Checkpoints = std::vector<Checkpoint>;

// The index of the first difference; nothing if the lists are equal.
std::optional<size_t> FirstUnequal(const Checkpoints& first,
                                   const Checkpoints& second) {
  const auto [a, b] =
      std::mismatch(first.begin(), first.end(), second.begin(), second.end());
  if (a == first.end() && b == second.end()) return std::nullopt;
  return static_cast<size_t>(a - first.begin());
}

uint64_t StepAt(const Checkpoints& checkpoints, size_t index) {
  return index < checkpoints.size() ? checkpoints[index].step : UINT64_MAX;
}

std::string LineAt(const Checkpoints& checkpoints, size_t index) {
  return index < checkpoints.size() ? checkpoints[index].line : "";
}

}  // namespace

void CheckpointTaker::Stepped(const World& world, HostId host,
                              const Event& event, const Actions&) {
  const uint64_t step = world.steps();
  if (step < options_.first || step > options_.last) return;
  if ((step - options_.first) % options_.every != 0) return;
  Checkpoint checkpoint = {.step = step, .hash = world.hash()};
  if (options_.with_lines) {
    const Describer describer(
        [&world](const Address& address) { return world.NameOf(address); });
    checkpoint.line =
        absl::StrCat("[", TimeText(world.now()), "] ", HostName(host), " < ",
                     describer.Describe(event));
  }
  checkpoints_.push_back(std::move(checkpoint));
}

std::optional<Difference> FindDifference(const Rerun& first,
                                         const Rerun& second) {
  CheckpointOptions options;
  const Checkpoints a = first(options);
  const Checkpoints b = second(options);
  const std::optional<size_t> unequal = FirstUnequal(a, b);
  if (!unequal.has_value()) return std::nullopt;
  options.first = *unequal == 0 ? 1 : a[*unequal - 1].step + 1;
  options.last = std::min(StepAt(a, *unequal), StepAt(b, *unequal));
  options.every = 1;
  options.with_lines = true;
  const Checkpoints fine_a = first(options);
  const Checkpoints fine_b = second(options);
  // A run that is not deterministic may differ at another step this time.
  const std::optional<size_t> place = FirstUnequal(fine_a, fine_b);
  if (!place.has_value()) return Difference{.step = options.last};
  return Difference{
      .step = std::min(StepAt(fine_a, *place), StepAt(fine_b, *place)),
      .first = LineAt(fine_a, *place),
      .second = LineAt(fine_b, *place)};
}

}  // namespace cachalot::sim
