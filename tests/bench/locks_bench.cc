// What it costs the lock table to apply a command, with many locks held.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "benchmark/benchmark.h"
#include "engine/cluster_time.h"
#include "engine/command.h"
#include "engine/ids.h"
#include "engine/locks/lock_table.h"
#include "engine/random.h"

namespace cachalot {
namespace {

constexpr uint64_t kSessions = 64;

std::string KeyOf(uint64_t number) {
  return absl::StrCat("service/shard-", number);
}

// A table and the clients that keep it busy.
class Busy {
 public:
  explicit Busy(uint64_t locks) : locks_(locks) {
    for (uint64_t s = 1; s <= kSessions; ++s) {
      Apply({OpenSession{.session = {NodeId{0, s}, 1},
                         .ttl = absl::Seconds(10),
                         .name = absl::StrCat("node", s)}});
    }
    for (uint64_t i = 0; i < locks; ++i) Apply({MakeAcquire(KeyOf(2 * i))});
  }

  // A key between those that are held.
  std::string FreeKey() { return KeyOf(2 * random_.Below(locks_) + 1); }

  Acquire MakeAcquire(std::string key) {
    const uint64_t session = 1 + random_.Below(kSessions);
    const Sequence sequence(++sequences_[session]);
    return {.session = {NodeId{0, session}, 1},
            .sequence = sequence,
            .first_outstanding = sequence,
            .key = std::move(key),
            .ttl = absl::Seconds(10),
            .owner = "bench"};
  }

  Release MakeRelease(const Acquire& acquire, const FencingToken& token) {
    const Sequence sequence(++sequences_[acquire.session.node.low]);
    return {.session = acquire.session,
            .sequence = sequence,
            .first_outstanding = sequence,
            .key = acquire.key,
            .token = token};
  }

  std::vector<Reply> Apply(const std::vector<LockCommand>& commands) {
    index_ = index_.Next();
    time_ = time_ + absl::Microseconds(10);
    return table_.Apply(index_, time_, commands);
  }

  const LockTable& table() const { return table_; }

 private:
  uint64_t locks_;
  Random random_{1};
  LockTable table_;
  LogIndex index_;
  ClusterTime time_;
  std::vector<uint64_t> sequences_ = std::vector<uint64_t>(kSessions + 1);
};

// Batches of 64 as one entry, all of them acquired and then all released: the
// time of one such pair.
void BM_AcquireAndRelease(benchmark::State& state) {
  constexpr size_t kBatch = 64;
  Busy busy(static_cast<uint64_t>(state.range(0)));
  for (auto unused : state) {
    state.PauseTiming();
    std::vector<LockCommand> acquires;
    for (size_t i = 0; i < kBatch; ++i) {
      acquires.push_back(busy.MakeAcquire(busy.FreeKey()));
    }
    state.ResumeTiming();
    const std::vector<Reply> grants = busy.Apply(acquires);
    state.PauseTiming();
    std::vector<LockCommand> releases;
    for (size_t i = 0; i < kBatch; ++i) {
      releases.push_back(
          busy.MakeRelease(std::get<Acquire>(acquires[i]), grants[i].token));
    }
    state.ResumeTiming();
    benchmark::DoNotOptimize(busy.Apply(releases));
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kBatch));
}
BENCHMARK(BM_AcquireAndRelease)->Arg(1)->Arg(1000)->Arg(100000);

void BM_Encode(benchmark::State& state) {
  const Busy busy(static_cast<uint64_t>(state.range(0)));
  size_t bytes = 0;
  for (auto unused : state) bytes = busy.table().Encode().size();
  state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(BM_Encode)->Arg(1000)->Arg(100000)->Unit(benchmark::kMillisecond);

void BM_Decode(benchmark::State& state) {
  const std::string bytes =
      Busy(static_cast<uint64_t>(state.range(0))).table().Encode();
  for (auto unused : state) {
    benchmark::DoNotOptimize(LockTable::Decode(bytes));
  }
}
BENCHMARK(BM_Decode)->Arg(1000)->Arg(100000)->Unit(benchmark::kMillisecond);

void BM_Copy(benchmark::State& state) {
  const Busy busy(static_cast<uint64_t>(state.range(0)));
  for (auto unused : state) {
    benchmark::DoNotOptimize(LockTable(busy.table()));
  }
}
BENCHMARK(BM_Copy)->Arg(10)->Arg(1000)->Arg(100000);

}  // namespace
}  // namespace cachalot
