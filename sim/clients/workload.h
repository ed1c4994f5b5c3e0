#ifndef SIM_CLIENTS_WORKLOAD_H_
#define SIM_CLIENTS_WORKLOAD_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/time/time.h"
#include "engine/action.h"
#include "engine/event.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/request.h"
#include "sim/clients/history.h"
#include "sim/clients/linearizability.h"
#include "sim/clients/resource.h"
#include "sim/judge/checkers.h"
#include "sim/world/agenda.h"
#include "sim/world/chance.h"
#include "sim/world/choices.h"
#include "sim/world/host.h"
#include "sim/world/instant.h"
#include "sim/world/world.h"

namespace cachalot::sim {

struct WorkloadOptions {
  uint64_t clients_per_host = 2;
  uint64_t keys = 2;
  // In the mean, from an answer to the next request: with a lock, and without.
  absl::Duration think = absl::Milliseconds(250);
  absl::Duration hold = absl::Milliseconds(250);
  Delay ttl = {absl::Seconds(1), absl::Seconds(5)};
  Delay wait = {absl::Milliseconds(10), absl::Seconds(3)};
  Rate waits = Rate::Percent(60);  // else tries
  Rate renews = Rate::Percent(30);
  Rate abandons = Rate::Percent(5);  // never releases
  Rate withdraws = Rate::Percent(10);
  Rate lists = Rate::Percent(5);
  Rate revokes = Rate::Percent(40);  // of what would be lists
  ResourceOptions resources;
  HistoryRules rules;
};

// Clients on every machine that take, renew, release, abandon and look up a few
// locks, and write what these protect. They live in the processes: what cuts
// off, pauses or kills a process does so to its clients. They are judged by
// what they are told, and by what becomes of the resources.
class Workload : public Watcher {
 public:
  // `choices` is not owned and outlives the workload. Time is divided into
  // slots, and what a client does in one is an item of its stream; the dullest
  // is that it does nothing. So an operation that is left out of a choice log
  // moves none of the others.
  Workload(WorkloadOptions options, ChoiceSource* choices)
      : options_(options),
        choices_(choices),
        resources_(options.resources, choices) {}

  void Started(const World& world, HostId host) override;
  void Stepped(const World& world, HostId host, const Event& event,
               const Actions& actions) override;
  void Stopping(const World& world, HostId host) override;

  RealInstant NextDue() const;
  // The client, or the resource, that is due does what it does next.
  void RunNext(World& world);

  // From here on clients release what they hold and ask for nothing more.
  void Stop() { is_stopped_ = true; }

  // The first wrong that was done to a resource, or to a holder at one.
  const Complaint& wrong() const { return wrong_; }
  // At the end, of all that clients were told.
  Complaint Judge() const;

  // Locks of a cluster that was founded apart from the first have names of
  // their own: "key-1@2".
  const History& history() const { return history_; }
  History TakeHistory() { return std::move(history_); }
  const ResourceCounters& resources() const { return resources_.counters(); }

 private:
  enum class State : uint8_t {
    kIdle,
    kAsking,
    kHolding,
    kAbandoning,  // holds, and never releases
    kReleasing,
  };

  struct Client {
    std::string name;     // "n2.1/0": of the first process on n2
    uint64_t stream = 0;  // of what it does to the resource
    Chance chance;        // of the client, whatever process it lives in
    State state = State::kIdle;
    RequestId request;  // open, if kAsking or kReleasing
    RequestId grant;    // the acquire of what is held, or asked for
    std::string key;    // as its node knows it
    std::string lock;   // and as the history does, of what is held
    FencingToken token;
    // When its lease ends as its clock runs now, if it is not renewed.
    RealInstant believes_until;
    size_t operation = 0;  // in history_
  };
  using ClientKey = std::pair<HostId, uint64_t>;

  // What was seen of a machine's node after its last step.
  struct Seen {
    ClusterId cluster;
    FastInstant session_belief_end;
  };

  struct Slot {
    HostId host;
    uint64_t process;
  };
  // Withdraws this request, if it is still open; none: does what comes next.
  struct Due {
    ClientKey client;
    uint64_t process;
    RequestId withdrawn;
  };

  // What clients do.
  void Happen(World& world, const Slot& slot);
  void Happen(World& world, const Due& due);
  bool Decides(Client& client);
  void PlanSlot(HostId host, RealInstant now);
  bool IsGone(HostId host, uint64_t process) const;
  void Begin(World& world, const ClientKey& key, Client& client);
  void LookUp(World& world, const ClientKey& key, Client& client);
  void Acquire(World& world, const ClientKey& key, Client& client);
  void GoOn(World& world, const ClientKey& key, Client& client);
  void Withdraw(World& world, const ClientKey& key, const Client& client);
  void Ask(World& world, const ClientKey& key, Client& client,
           OperationKind kind, Request request);

  // What they are told.
  void Hear(const World& world, HostId host, const Action& action);
  void HearAnswer(const World& world, const AnswerRequest& answer);
  void HearLoss(const World& world, HostId host, const NotifyHolder& notice);
  void Hold(const World& world, const ClientKey& key, Client& client);
  void RecordLoss(const Client& client, RealInstant called,
                  RealInstant returned, LossReason reason);

  // What they know.
  void NoteBelief(const World& world, HostId host, Client& client);
  void NoteCluster(HostId host, ClusterId before, ClusterId cluster);
  std::string LockName(const std::string& key, ClusterId cluster);
  void RunResource(World& world);
  bool Believes(const World& world, const Holder& holder) const;

  template <typename Visitor>
  void ForEachClient(HostId host, Visitor visit);

  WorkloadOptions options_;
  ChoiceSource* choices_;
  bool is_stopped_ = false;
  Agenda<std::variant<Slot, Due>> agenda_;
  Resources resources_;
  std::map<ClientKey, Client> clients_;
  std::map<HostId, Seen> seen_;
  std::vector<ClusterId> clusters_;  // in the order in which they were seen
  absl::btree_map<RequestId, ClientKey> open_;
  History history_;
  Complaint wrong_;
};

}  // namespace cachalot::sim

#endif  // SIM_CLIENTS_WORKLOAD_H_
