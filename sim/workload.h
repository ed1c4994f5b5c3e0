#ifndef SIM_WORKLOAD_H_
#define SIM_WORKLOAD_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/time/time.h"
#include "engine/action.h"
#include "engine/ids.h"
#include "engine/request.h"
#include "sim/agenda.h"
#include "sim/chance.h"
#include "sim/choices.h"
#include "sim/instant.h"
#include "sim/world.h"

namespace cachalot::sim {

struct WorkloadOptions {
  uint64_t clients_per_host = 2;
  uint64_t keys = 2;
  Delay think = {absl::Milliseconds(10), absl::Milliseconds(500)};
  Delay hold = {absl::Milliseconds(1), absl::Milliseconds(500)};
  Delay ttl = {absl::Seconds(1), absl::Seconds(5)};
  Delay wait = {absl::Milliseconds(10), absl::Seconds(3)};
  Rate waits = Rate::Percent(60);  // else tries
  Rate renews = Rate::Percent(30);
  Rate abandons = Rate::Percent(5);  // never releases
  Rate withdraws = Rate::Percent(10);
  Rate lists = Rate::Percent(5);
};

// One operation of a client, for the record.
struct Operation {
  HostId host;
  uint64_t client = 0;
  const char* name = "";
  std::string key;
  RealInstant called;
  // Never(): its process was gone before the answer came.
  RealInstant returned = RealInstant::Never();
  Outcome outcome = Outcome::kUnknown;
  FencingToken token;
};

// Clients on every machine that take, renew, release, abandon and list a few
// locks. They live in the processes: what cuts off, pauses or kills a process
// does so to its clients.
class Workload : public Watcher {
 public:
  // `choices` is not owned and outlives the workload. A client's turn is an
  // item of its stream; the dullest is that it does nothing.
  Workload(WorkloadOptions options, ChoiceSource* choices)
      : options_(options), choices_(choices) {}

  void Started(const World& world, HostId host) override;
  void Stopping(const World& world, HostId host) override;

  RealInstant NextDue() const { return agenda_.NextDue(); }
  // The client that is due does what it does next.
  void RunNext(World& world);
  void Hear(const World& world, const Notice& notice);

  // From here on clients release what they hold and ask for nothing more.
  void Stop() { is_stopped_ = true; }

  const std::vector<Operation>& history() const { return history_; }

 private:
  enum class State : uint8_t { kIdle, kAsking, kHolding, kReleasing };

  struct Client {
    uint64_t number;
    Chance chance;
    State state = State::kIdle;
    RequestId request;  // open, if kAsking or kReleasing
    RequestId grant;    // the acquire of what is held
    std::string key;
    FencingToken token;
    size_t operation = 0;  // in history_
  };
  using ClientKey = std::pair<HostId, uint64_t>;

  struct Due {
    ClientKey client;
    uint64_t process;
    // Withdraws this request, if it is still open; none: the next operation.
    RequestId withdrawn;
  };

  void PlanNext(const World& world, const ClientKey& key, const Delay& delay);
  void Begin(World& world, const ClientKey& key, Client& client);
  void Acquire(World& world, const ClientKey& key, Client& client);
  void GoOn(World& world, const ClientKey& key, Client& client);
  void Ask(World& world, const ClientKey& key, Client& client, const char* name,
           Request request);
  void HearAnswer(const World& world, HostId host, const AnswerRequest& answer);
  void HearLoss(const World& world, HostId host, const NotifyHolder& notice);

  WorkloadOptions options_;
  ChoiceSource* choices_;
  bool is_stopped_ = false;
  Agenda<Due> agenda_;
  std::map<ClientKey, Client> clients_;
  std::map<HostId, uint64_t> processes_;
  absl::btree_map<RequestId, ClientKey> open_;
  std::vector<Operation> history_;
};

}  // namespace cachalot::sim

#endif  // SIM_WORKLOAD_H_
