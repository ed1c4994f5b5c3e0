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
  // Mean time from an answer to the next request: `think` without a lock,
  // `hold` with one.
  absl::Duration think = absl::Milliseconds(250);
  absl::Duration hold = absl::Milliseconds(250);
  Delay ttl = {absl::Seconds(1), absl::Seconds(5)};
  Delay wait = {absl::Milliseconds(10), absl::Seconds(3)};
  Rate waits = Rate::Percent(60);  // the other acquires do not wait
  Rate renews = Rate::Percent(30);
  Rate abandons = Rate::Percent(5);  // never releases
  Rate withdraws = Rate::Percent(10);
  Rate lists = Rate::Percent(5);
  Rate revokes = Rate::Percent(40);  // instead of a list
  ResourceOptions resources;
  HistoryRules rules;
};

// Clients on every machine that acquire, renew, release, abandon, list and
// revoke a few locks, and write the resources that these protect. A client
// lives in a process: if the process is cut off, paused or killed, so is the
// client. At the end Check() checks the answers that they got, and the
// resources.
class Workload : public Watcher {
 public:
  // `choices` is not owned and outlives the workload. Time is divided into
  // slots, and what a client does in a slot is one item of its stream; the
  // minimal choice is to do nothing. So removing an operation from a choice log
  // does not move the others.
  Workload(WorkloadOptions options, ChoiceSource* choices)
      : options_(options),
        choices_(choices),
        resources_(options.resources, choices) {}

  void Started(const World& world, HostId host) override;
  void Stepped(const World& world, HostId host, const Event& event,
               const Actions& actions) override;
  void Stopping(const World& world, HostId host) override;

  RealInstant NextDue() const;
  // Lets the client or the resource that is due act.
  void RunNext(World& world);

  // From now on clients release the locks they hold and acquire none.
  void Stop() { is_stopped_ = true; }

  // The first violation at a resource so far.
  const Complaint& complaint() const { return complaint_; }
  // At the end of a run: checks the resources and the whole history.
  Complaint Check() const;

  // If there are several clusters, the locks of the second and later ones are
  // separate: "key-1@2".
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
    std::string name;     // "n2.1/0": client 0 of the first process on n2
    uint64_t stream = 0;  // number of its choices for visits to the resource
    Chance chance;        // its other choices; the same stream in each process
    State state = State::kIdle;
    RequestId request;  // open, if kAsking or kReleasing
    RequestId grant;    // the acquire request of the lock it holds or asks for
    std::string key;    // the lock's key, as its node knows it
    std::string lock;   // the name of the held lock in the history
    FencingToken token;
    // When its lease ends at the current clock rate, if it is not renewed.
    RealInstant believes_until;
    size_t operation = 0;  // in history_
  };
  using ClientKey = std::pair<HostId, uint64_t>;

  // The state of a machine's node after its last step.
  struct Seen {
    ClusterId cluster;
    FastInstant session_belief_end;
  };

  struct Slot {
    HostId host;
    uint64_t process;
  };
  // A client acts. If `withdrawn` is set, it withdraws that request, if that is
  // still open; otherwise it does its next operation.
  struct Due {
    ClientKey client;
    uint64_t process;
    RequestId withdrawn;
  };

  // What clients do.
  void Handle(World& world, const Slot& slot);
  void Handle(World& world, const Due& due);
  bool Decides(Client& client);
  void PlanSlot(HostId host, RealInstant now);
  bool IsGone(HostId host, uint64_t process) const;
  void BeginOperation(World& world, const ClientKey& key, Client& client);
  void LookUp(World& world, const ClientKey& key, Client& client);
  void Acquire(World& world, const ClientKey& key, Client& client);
  void RenewOrRelease(World& world, const ClientKey& key, Client& client);
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
  Complaint complaint_;
};

}  // namespace cachalot::sim

#endif  // SIM_CLIENTS_WORKLOAD_H_
