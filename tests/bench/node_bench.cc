// What a step costs, and how much faster than life a cluster is simulated.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "benchmark/benchmark.h"
#include "engine/check.h"
#include "engine/node.h"
#include "sim/world/choices.h"
#include "sim/world/host.h"
#include "sim/world/world.h"

namespace cachalot {
namespace {

// A cluster of one, and a driver that saves at once.
class LoneNode {
 public:
  LoneNode() {
    NodeOptions options;
    options.seed = 1;
    options.address = Address::V4(10, 0, 0, 1, 7946);
    options.bootstrap = true;
    node_ = Node::Create(std::move(options), now_).value();
    while (!node_->client().has_session()) {
      Pass(absl::Milliseconds(1));
      Turn({TimeAdvanced()});
    }
  }

  void Pass(absl::Duration time) {
    now_.slow = now_.slow + time;
    now_.fast = now_.fast + time;
  }

  // Steps the events and ends the turn; returns the tokens that were granted.
  std::vector<FencingToken> Turn(const std::vector<Event>& events) {
    granted_.clear();
    for (const Event& event : events) Step(event);
    Step(TurnEnded());
    return granted_;
  }

 private:
  void Step(const Event& event) {
    std::optional<SaveId> save;
    for (const Action& action : node_->Step(now_, event)) {
      if (const auto* order = std::get_if<SaveState>(&action)) {
        save = order->save;
      } else if (const auto* told = std::get_if<AnswerRequest>(&action)) {
        CHECK(told->answer.outcome == Outcome::kOk) << told->answer.text;
        if (!told->answer.token.IsNone()) {
          granted_.push_back(told->answer.token);
        }
      }
    }
    if (save.has_value()) Step(StateSaved{*save});
  }

  Now now_;
  std::optional<Node> node_;
  std::vector<FencingToken> granted_;
};

// Nothing to do: the price of the door.
void BM_IdleStep(benchmark::State& state) {
  LoneNode node;
  for (auto _ : state) {
    node.Pass(absl::Microseconds(1));
    node.Turn({});
  }
}
BENCHMARK(BM_IdleStep);

// Lock and release, `range` of each in a turn, through client, consensus, codec
// and lock table.
void BM_LockAndRelease(benchmark::State& state) {
  LoneNode node;
  uint64_t request = 0;
  std::vector<std::string> keys;
  for (int64_t i = 0; i < state.range(0); ++i) {
    keys.push_back(absl::StrCat("key-", i));
  }
  for (auto _ : state) {
    node.Pass(absl::Microseconds(100));
    std::vector<Event> events;
    for (const std::string& key : keys) {
      events.push_back(RequestSubmitted{
          .request = RequestId(++request),
          .body = AcquireRequest{.key = key, .ttl = absl::Seconds(30)}});
    }
    const std::vector<FencingToken> tokens = node.Turn(events);
    CHECK(tokens.size() == keys.size());
    events.clear();
    for (size_t i = 0; i < keys.size(); ++i) {
      events.push_back(RequestSubmitted{
          .request = RequestId(++request),
          .body = ReleaseRequest{.key = keys[i], .token = tokens[i]}});
    }
    node.Turn(events);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_LockAndRelease)->Arg(1)->Arg(64)->Arg(256);

// One second of a quiet cluster, without judges.
void BM_SimulatedSecond(benchmark::State& state) {
  sim::ChoiceSource choices(/*seed=*/1);
  sim::World world(sim::WorldOptions(), &choices);
  for (int64_t i = 0; i < state.range(0); ++i) {
    sim::HostOptions options;
    if (i == 0) options.node.bootstrap = true;
    if (i > 0) options.node.seeds = {sim::HostAddress(sim::HostId(1))};
    world.Start(world.AddHost(std::move(options)));
  }
  sim::RealInstant until = world.now();
  const auto run_second = [&] {
    until = until + absl::Seconds(1);
    while (world.NextDue() <= until) world.RunNext();
  };
  for (int i = 0; i < 10; ++i) run_second();
  const uint64_t steps = world.steps();
  for (auto _ : state) run_second();
  state.counters["events"] = benchmark::Counter(
      static_cast<double>(world.steps() - steps), benchmark::Counter::kIsRate);
}
BENCHMARK(BM_SimulatedSecond)->Arg(3)->Arg(5);

}  // namespace
}  // namespace cachalot
