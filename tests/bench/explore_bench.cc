#include <cstdint>

#include "benchmark/benchmark.h"
#include "engine/check.h"
#include "engine/node.h"
#include "sim/explore/beginning.h"
#include "sim/explore/choice.h"
#include "sim/explore/explorer.h"
#include "sim/explore/small_world.h"
#include "sim/explore/turn_cache.h"
#include "sim/explore/walker.h"
#include "sim/world/host.h"

namespace cachalot::sim {
namespace {

SmallWorld Led() { return Begin({}, Beginning::kLed); }

// What a snapshot of a node costs.
void BM_CopyNode(benchmark::State& state) {
  const SmallWorld world = Led();
  const Node& node = world.machine(HostId(3)).node();
  for (auto _ : state) {
    Node copy = node;
    benchmark::DoNotOptimize(copy);
  }
  state.counters["bytes_inline"] = sizeof(Node);
}
BENCHMARK(BM_CopyNode);

void BM_FingerprintOfNode(benchmark::State& state) {
  const SmallWorld world = Led();
  const Node& node = world.machine(HostId(3)).node();
  for (auto _ : state) benchmark::DoNotOptimize(node.Fingerprint());
}
BENCHMARK(BM_FingerprintOfNode);

void BM_CopyWorld(benchmark::State& state) {
  const SmallWorld world = Led();
  for (auto _ : state) {
    SmallWorld copy = world;
    benchmark::DoNotOptimize(copy);
  }
  state.counters["bytes_inline"] = sizeof(SmallWorld);
}
BENCHMARK(BM_CopyWorld);

// One transition of a copy, its turn looked up or taken anew.
void BM_Transition(benchmark::State& state) {
  const SmallWorld world = Led();
  TurnCache turns(static_cast<size_t>(state.range(0)));
  const Choice choice = world.Choices().front();
  for (auto _ : state) {
    SmallWorld copy = world;
    copy.Take(choice, turns);
    benchmark::DoNotOptimize(copy.ComputeFingerprint());
  }
}
BENCHMARK(BM_Transition)->ArgName("turns_known")->Arg(0)->Arg(1000);

void BM_Explore(benchmark::State& state) {
  const SmallWorld world = Led();
  uint64_t states = 0;
  for (auto _ : state) {
    const ExploreResult result = Explorer({.states_max = 100000}).Run(world);
    CHECK(!result.violation.has_value());
    states += result.states;
  }
  state.SetItemsProcessed(static_cast<int64_t>(states));
}
BENCHMARK(BM_Explore)->Unit(benchmark::kMillisecond);

void BM_WalkByPriorities(benchmark::State& state) {
  const SmallWorld world = Led();
  uint64_t steps = 0;
  for (auto _ : state) {
    const WalkResult result =
        Walker({.schedules = 100, .length = 50, .progress_every = 0})
            .Run(world);
    CHECK(!result.violation.has_value());
    steps += result.steps;
  }
  state.SetItemsProcessed(static_cast<int64_t>(steps));
}
BENCHMARK(BM_WalkByPriorities)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace cachalot::sim
