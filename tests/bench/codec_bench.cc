// What it costs to speak and to understand.

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "benchmark/benchmark.h"
#include "engine/address.h"
#include "engine/cluster_time.h"
#include "engine/command.h"
#include "engine/ids.h"
#include "engine/saved_state.h"
#include "engine/shared_bytes.h"
#include "engine/wire/checksum.h"
#include "engine/wire/codec.h"
#include "engine/wire/message.h"

namespace cachalot {
namespace {

constexpr NodeId kFrom{.high = 0x1234567890abcdefu, .low = 1};
constexpr NodeId kTo{.high = 0xfedcba0987654321u, .low = 2};

Envelope Wrap(Message message) {
  return {.cluster = {.high = 3, .low = 4},
          .from = kFrom,
          .to = kTo,
          .from_address = Address::V4(127, 0, 0, 1, 7946),
          .message = std::move(message)};
}

std::vector<LockCommand> Acquires(int64_t count) {
  std::vector<LockCommand> commands;
  for (int64_t i = 0; i < count; ++i) {
    const auto number = static_cast<uint64_t>(i);
    commands.push_back(
        Acquire{.session = {.node = kFrom, .number = 1},
                .sequence = Sequence(1'000'000 + number),
                .first_outstanding = Sequence(1'000'000),
                .key = absl::StrCat("orders/invoice-", 10'000 + i),
                .ttl = absl::Seconds(30),
                .waits = true,
                .owner = "worker-7"});
  }
  return commands;
}

Append AppendOf(const std::vector<LockCommand>& commands) {
  return {.term = Term(7),
          .previous_index = LogIndex(123'456),
          .previous_term = Term(7),
          .commit = LogIndex(123'450),
          .read_round = 99,
          .entries = {{.term = Term(7),
                       .time = ClusterTime(1'000'000'000),
                       .payload = SharedBytes(EncodeCommands(commands))}}};
}

Replies RepliesOf(int64_t count) {
  Replies replies;
  for (int64_t i = 0; i < count; ++i) {
    const auto number = static_cast<uint64_t>(i);
    replies.replies.push_back(
        {.kind = Reply::Kind::kAnswered,
         .session = {.node = kFrom, .number = 1},
         .sequence = Sequence(1'000'000 + number),
         .token = FencingToken(1'763'913'600'000'000'000 + number),
         .index = LogIndex(123'457)});
  }
  return replies;
}

Gossip GossipOf(int64_t count) {
  Gossip gossip;
  for (int64_t i = 0; i < count; ++i) {
    gossip.facts.push_back({.id = kTo,
                            .address = Address::V4(10, 0, 0, 1, 7946),
                            .name = absl::StrCat("host-", i),
                            .incarnation = 3});
  }
  return gossip;
}

// Both ways, as one round of replication has them: commands into the entry,
// the entry onto the wire, off it again, and applied.
void BM_AppendBothWays(benchmark::State& state) {
  const std::vector<LockCommand> commands = Acquires(state.range(0));
  size_t size = 0;
  for (auto _ : state) {
    const std::string bytes = Encode(Wrap(AppendOf(commands)));
    size = bytes.size();
    const Envelope envelope = Decode(bytes).value();
    benchmark::DoNotOptimize(DecodeCommands(
        std::get<Append>(envelope.message).entries[0].payload.view()));
  }
  state.counters["bytes"] = static_cast<double>(size);
}
BENCHMARK(BM_AppendBothWays)->Arg(1)->Arg(64)->Arg(256);

void BM_Encode(benchmark::State& state, const Envelope& envelope) {
  size_t size = 0;
  for (auto _ : state) {
    const std::string bytes = Encode(envelope);
    size = bytes.size();
    benchmark::DoNotOptimize(bytes.data());
  }
  state.counters["bytes"] = static_cast<double>(size);
}
BENCHMARK_CAPTURE(BM_Encode, heartbeat, Wrap(Append{.term = Term(1)}));
BENCHMARK_CAPTURE(BM_Encode, append_64, Wrap(AppendOf(Acquires(64))));
BENCHMARK_CAPTURE(BM_Encode, forward_64,
                  Wrap(Forward{.commands = Acquires(64)}));
BENCHMARK_CAPTURE(BM_Encode, replies_64, Wrap(RepliesOf(64)));
BENCHMARK_CAPTURE(BM_Encode, gossip_8, Wrap(GossipOf(8)));

void BM_Decode(benchmark::State& state, const Envelope& envelope) {
  const std::string bytes = Encode(envelope);
  for (auto _ : state) benchmark::DoNotOptimize(Decode(bytes));
}
BENCHMARK_CAPTURE(BM_Decode, heartbeat, Wrap(Append{.term = Term(1)}));
BENCHMARK_CAPTURE(BM_Decode, append_64, Wrap(AppendOf(Acquires(64))));
BENCHMARK_CAPTURE(BM_Decode, forward_64,
                  Wrap(Forward{.commands = Acquires(64)}));
BENCHMARK_CAPTURE(BM_Decode, replies_64, Wrap(RepliesOf(64)));
BENCHMARK_CAPTURE(BM_Decode, gossip_8, Wrap(GossipOf(8)));

void BM_EncodeCommands(benchmark::State& state) {
  const std::vector<LockCommand> commands = Acquires(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(EncodeCommands(commands));
}
BENCHMARK(BM_EncodeCommands)->Arg(1)->Arg(64)->Arg(256);

void BM_DecodeCommands(benchmark::State& state) {
  const std::string bytes = EncodeCommands(Acquires(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(DecodeCommands(bytes));
}
BENCHMARK(BM_DecodeCommands)->Arg(1)->Arg(64)->Arg(256);

void BM_Checksum(benchmark::State& state) {
  const std::string bytes(static_cast<size_t>(state.range(0)), 'x');
  for (auto _ : state) benchmark::DoNotOptimize(Checksum(bytes));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Checksum)->Arg(128)->Arg(8192);

}  // namespace
}  // namespace cachalot
