// What it costs a client to keep many locks: the steps that must not touch each
// of them.

#include <cstdint>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "benchmark/benchmark.h"
#include "engine/check.h"
#include "engine/client/client.h"
#include "engine/command.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/options.h"
#include "engine/request.h"

namespace cachalot {
namespace {

// A client that holds `locks` locks, and the leader that answers it.
class Holder {
 public:
  explicit Holder(uint64_t locks)
      : client_(LeaseOptions(), NodeId{0, 1}, "bench", nullptr) {
    client_.NoteLeader(now_, NodeId{0, 2});
    client_.Join(now_, FencingToken(1));
    Answer();
    for (uint64_t i = 1; i <= locks; ++i) {
      client_.Submit(now_, RequestId(i),
                     AcquireRequest{.key = absl::StrCat("shard-", i),
                                    .ttl = absl::Hours(20)});
      Answer();
    }
    CHECK(client_.held_count() == locks);
  }

  // Lets time pass, as a driver does.
  void Pass(absl::Duration time) {
    const FastInstant end = now_ + time;
    while (client_.NextDeadline() <= end) {
      now_ = client_.NextDeadline();
      client_.FireTimers(now_);
      Answer();
    }
    now_ = end;
  }

  void Renew(RequestId request) {
    const Client::Held held = *client_.Find(request);
    client_.Submit(
        now_, RequestId(++renewals_ + (uint64_t{1} << 40)),
        RenewRequest{
            .key = held.key, .token = held.token, .ttl = absl::Hours(20)});
    Answer();
  }

  const Client& client() const { return client_; }

 private:
  void Answer() {
    for (const LockCommand& command : client_.Take().commands) {
      Reply reply;
      reply.session = client_.session();
      reply.index = LogIndex(++index_);
      if (std::holds_alternative<OpenSession>(command)) {
        reply.kind = Reply::Kind::kOpened;
      } else if (const auto* keep = std::get_if<KeepAlive>(&command)) {
        reply.kind = Reply::Kind::kKept;
        reply.renewal = keep->renewal;
      } else if (const auto* acquire = std::get_if<Acquire>(&command)) {
        reply.sequence = acquire->sequence;
        reply.token = FencingToken(reply.index.value());
        reply.granted_at = reply.index;
      } else if (const auto* renew = std::get_if<cachalot::Renew>(&command)) {
        reply.sequence = renew->sequence;
        reply.token = renew->token;
      }
      client_.Receive(now_, reply);
    }
    benchmark::DoNotOptimize(client_.Take());
  }

  FastInstant now_ = FastInstant() + absl::Hours(1);
  Client client_;
  uint64_t index_ = 0;
  uint64_t renewals_ = 0;
};

// One interval of keep-alives, with all that falls due in it.
void BM_KeepAlive(benchmark::State& state) {
  Holder holder(static_cast<uint64_t>(state.range(0)));
  for (auto unused : state) holder.Pass(absl::Seconds(10) / 3);
  CHECK(holder.client().held_count() == static_cast<size_t>(state.range(0)));
}
BENCHMARK(BM_KeepAlive)->Arg(1)->Arg(1000)->Arg(100000)->Iterations(2000);

void BM_Find(benchmark::State& state) {
  const Holder holder(static_cast<uint64_t>(state.range(0)));
  uint64_t next = 0;
  for (auto unused : state) {
    next = next % static_cast<uint64_t>(state.range(0)) + 1;
    benchmark::DoNotOptimize(holder.client().Find(RequestId(next)));
  }
}
BENCHMARK(BM_Find)->Arg(1)->Arg(1000)->Arg(100000);

void BM_Renew(benchmark::State& state) {
  Holder holder(static_cast<uint64_t>(state.range(0)));
  uint64_t next = 0;
  for (auto unused : state) {
    next = next % static_cast<uint64_t>(state.range(0)) + 1;
    holder.Renew(RequestId(next));
  }
}
BENCHMARK(BM_Renew)->Arg(1)->Arg(1000)->Arg(100000);

}  // namespace
}  // namespace cachalot
