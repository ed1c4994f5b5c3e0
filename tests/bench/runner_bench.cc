// How fast runs are judged, on one thread: what a budget of seeds depends on.

#include <cstdint>
#include <utility>

#include "absl/time/time.h"
#include "benchmark/benchmark.h"
#include "engine/check.h"
#include "sim/run/plan.h"
#include "sim/run/runner.h"
#include "sim/world/choices.h"
#include "sim/world/host.h"
#include "sim/world/world.h"

namespace cachalot::sim {
namespace {

void Count(benchmark::State& state, uint64_t events, absl::Duration simulated) {
  state.counters["events"] = benchmark::Counter(static_cast<double>(events),
                                                benchmark::Counter::kIsRate);
  state.counters["simulated_s"] = benchmark::Counter(
      absl::ToDoubleSeconds(simulated), benchmark::Counter::kIsRate);
}

// The first seeds of the swarm, with all their faults.
void BM_JudgedSeeds(benchmark::State& state) {
  uint64_t events = 0;
  absl::Duration simulated;
  for (auto _ : state) {
    for (uint64_t seed = 1; seed <= 40; ++seed) {
      const RunResult result = RunSeed(seed);
      CHECK(!result.failed()) << "seed " << seed;
      events += result.steps;
      simulated += result.simulated;
    }
  }
  Count(state, events, simulated);
}
BENCHMARK(BM_JudgedSeeds)->Unit(benchmark::kMillisecond);

// A minute of a healthy cluster whose clients take a few locks from each other.
void BM_SimulatedCluster(benchmark::State& state) {
  const auto nodes = static_cast<uint64_t>(state.range(0));
  Plan plan;
  plan.quiet = absl::Minutes(1);
  for (uint64_t i = 1; i <= nodes; ++i) {
    HostOptions options;
    if (i == 1) options.node.bootstrap = true;
    if (i > 1) options.node.seeds = {HostAddress(HostId(1))};
    plan.hosts.push_back(std::move(options));
  }
  plan.workload.clients_per_host =
      static_cast<uint64_t>(state.range(1)) / nodes;
  uint64_t events = 0;
  absl::Duration simulated;
  for (auto _ : state) {
    ChoiceSource choices(/*seed=*/1);
    const RunResult result = RunPlan(plan, &choices);
    CHECK(!result.failed()) << result.violation->sentence;
    events += result.steps;
    simulated += result.simulated;
  }
  Count(state, events, simulated);
}
BENCHMARK(BM_SimulatedCluster)
    ->ArgNames({"nodes", "clients"})
    ->Args({5, 20})
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace cachalot::sim
