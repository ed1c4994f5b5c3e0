// What it costs to judge a history of many clients that fight for one lock.

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "benchmark/benchmark.h"
#include "engine/check.h"
#include "engine/ids.h"
#include "engine/random.h"
#include "engine/request.h"
#include "sim/clients/history.h"
#include "sim/clients/linearizability.h"
#include "sim/world/instant.h"

namespace cachalot::sim {
namespace {

constexpr uint64_t kClients = 50;

// Each client tries again and again, and releases when it got the lock; each
// operation lasts long enough to overlap with those of all the others.
History Fight(size_t length) {
  Random random(1);
  History history;
  RealInstant now = RealInstant() + absl::Seconds(1);
  FencingToken token;
  std::string holder;
  while (history.size() < length) {
    now = now + absl::Milliseconds(1);
    const std::string client = absl::StrCat("n", random.Below(kClients), "/0");
    Operation operation{
        .client = client,
        .kind = OperationKind::kTry,
        .key = "contended",
        .called = now - random.Between(absl::ZeroDuration(),
                                       absl::Milliseconds(kClients)),
        .returned = now + random.Between(absl::ZeroDuration(),
                                         absl::Milliseconds(kClients))};
    if (holder.empty()) {
      token = FencingToken(history.size() + 1);
      holder = client;
      operation.outcome = Outcome::kOk;
    } else if (random.Chance(1, 2)) {
      operation.client = holder;
      operation.kind = OperationKind::kRelease;
      operation.outcome = Outcome::kOk;
      holder.clear();
    } else {
      operation.outcome = Outcome::kHeld;
    }
    operation.token = token;
    history.push_back(operation);
  }
  return history;
}

void JudgeAContendedLock(benchmark::State& state) {
  const History history = Fight(static_cast<size_t>(state.range(0)));
  for (auto _ : state) {
    CHECK(!CheckHistory(history, HistoryRules()).has_value());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(JudgeAContendedLock)->Arg(1'000)->Arg(10'000)->Arg(100'000);

void WriteAndReadBack(benchmark::State& state) {
  const History history = Fight(static_cast<size_t>(state.range(0)));
  for (auto _ : state) {
    const std::string lines = ToJsonLines(history);
    CHECK(ReadHistory(lines).value().size() == history.size());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(WriteAndReadBack)->Arg(1'000);

}  // namespace
}  // namespace cachalot::sim
