#include "sim/workload.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "engine/client/client.h"
#include "engine/node.h"

namespace cachalot::sim {
namespace {

// How long a thread of a paused process waits before it looks again whether it
// runs.
constexpr absl::Duration Nap() { return absl::Milliseconds(10); }

// What the answer says of who holds the lock, or held it.
FencingToken TokenOf(const Operation& operation, const std::string& key,
                     const Answer& answer) {
  switch (operation.kind) {
    case OperationKind::kTry:
    case OperationKind::kLock:
      return answer.token;
    case OperationKind::kList: {
      const bool is_held = !answer.locks.empty() && answer.locks[0].key == key;
      return is_held ? answer.locks[0].token : FencingToken();
    }
    case OperationKind::kRenew:
    case OperationKind::kRelease:
    case OperationKind::kWithdraw:
    case OperationKind::kLost:
      break;
  }
  return operation.token;
}

}  // namespace

// --- Processes ---------------------------------------------------------------

void Workload::Started(const World& world, HostId host) {
  resources_.Started(host);
  const uint64_t process = resources_.process(host);
  seen_[host] = Seen();
  for (uint64_t i = 0; i < options_.clients_per_host; ++i) {
    const uint64_t stream = (host.value() * 1000 + process) * 100 + i;
    const ClientKey key(host, i);
    clients_.insert_or_assign(
        key, Client{.name = absl::StrCat(HostName(host), ".", process, "/", i),
                    .stream = stream,
                    .chance = Chance(choices_, "client", stream)});
    PlanNext(world, key, options_.think);
  }
}

void Workload::Stepped(const World& world, HostId host, const Event&,
                       const Actions& actions) {
  const Node& node = *world.node(host);
  Seen& seen = seen_[host];
  if (seen.cluster != node.identity().cluster) {
    const ClusterId before =
        std::exchange(seen.cluster, node.identity().cluster);
    NoteCluster(host, before, seen.cluster);
  }
  for (const Action& action : actions) Hear(world, host, action);
  const FastInstant end = node.client().session_belief_end();
  if (seen.session_belief_end == end) return;
  seen.session_belief_end = end;
  ForEachClient(host, [&](const ClientKey&, Client& client) {
    if (!client.token.IsNone()) NoteBelief(world, host, client);
  });
}

// What a client held stays locked for as long as it would have believed in it.
void Workload::Stopping(const World&, HostId host) {
  ForEachClient(host, [this](const ClientKey&, Client& client) {
    if (client.token.IsNone()) return;
    RecordLoss(client, client.believes_until, RealInstant::Never(),
               LossReason::kNone);
  });
  for (uint64_t i = 0; i < options_.clients_per_host; ++i) {
    const auto found = clients_.find({host, i});
    if (found == clients_.end()) continue;
    open_.erase(found->second.request);
    clients_.erase(found);
  }
}

template <typename Visitor>
void Workload::ForEachClient(HostId host, Visitor visit) {
  const auto begin = clients_.lower_bound({host, 0});
  const auto end = clients_.lower_bound({host.Next(), 0});
  for (auto it = begin; it != end; ++it) visit(it->first, it->second);
}

// --- What clients do ---------------------------------------------------------

RealInstant Workload::NextDue() const {
  return std::min(agenda_.NextDue(), resources_.NextDue());
}

void Workload::RunNext(World& world) {
  if (resources_.NextDue() < agenda_.NextDue()) {
    RunResource(world);
  } else {
    RunClient(world);
  }
}

void Workload::RunClient(World& world) {
  const Due due = agenda_.TakeNext();
  const auto found = clients_.find(due.client);
  if (found == clients_.end()) return;
  if (resources_.process(due.client.first) != due.process) return;
  if (world.IsPaused(due.client.first)) {
    agenda_.Add(world.now() + Nap(), due);
    return;
  }
  Client& client = found->second;
  if (due.withdrawn != RequestId()) {
    if (client.state == State::kAsking && client.request == due.withdrawn) {
      Withdraw(world, due.client, client);
    }
    return;
  }
  if (client.state != State::kIdle && client.state != State::kHolding) {
    return;  // until the answer comes
  }
  client.chance.BeginItem();
  if (!client.chance.Happens(Rate::Percent(100))) {
    PlanNext(world, due.client, options_.think);
  } else if (client.state == State::kIdle) {
    Begin(world, due.client, client);
  } else {
    GoOn(world, due.client, client);
  }
}

void Workload::PlanNext(const World& world, const ClientKey& key,
                        const Delay& delay) {
  Client& client = clients_.at(key);
  agenda_.Add(world.now() + client.chance.Draw(delay),
              Due{key, resources_.process(key.first), RequestId()});
}

void Workload::Begin(World& world, const ClientKey& key, Client& client) {
  if (is_stopped_) return;
  if (client.chance.Happens(options_.lists)) {
    LookUp(world, key, client);
  } else {
    Acquire(world, key, client);
  }
}

void Workload::LookUp(World& world, const ClientKey& key, Client& client) {
  client.key = absl::StrCat("key-", client.chance.Below(options_.keys));
  ListLocksRequest request;
  request.prefix = client.key;
  request.limit = 1;
  Ask(world, key, client, OperationKind::kList, std::move(request));
}

void Workload::Acquire(World& world, const ClientKey& key, Client& client) {
  AcquireRequest request;
  client.key = absl::StrCat("key-", client.chance.Below(options_.keys));
  request.key = client.key;
  request.ttl = client.chance.Draw(options_.ttl);
  if (client.chance.Happens(options_.waits)) {
    request.wait = client.chance.Draw(options_.wait);
  }
  const absl::Duration wait = request.wait;
  Ask(world, key, client,
      wait > absl::ZeroDuration() ? OperationKind::kLock : OperationKind::kTry,
      std::move(request));
  client.grant = client.request;
  if (client.chance.Happens(options_.withdraws)) {
    const RealInstant at =
        world.now() + client.chance.Between(absl::ZeroDuration(), wait);
    agenda_.Add(at, Due{key, resources_.process(key.first), client.request});
  }
}

// With what it holds.
void Workload::GoOn(World& world, const ClientKey& key, Client& client) {
  if (!is_stopped_ && client.chance.Happens(options_.renews)) {
    Ask(world, key, client, OperationKind::kRenew,
        RenewRequest{client.key, client.token,
                     client.chance.Draw(options_.ttl)});
    return;
  }
  if (!is_stopped_ && client.chance.Happens(options_.abandons)) {
    return;  // until it hears of the loss
  }
  Ask(world, key, client, OperationKind::kRelease,
      ReleaseRequest{client.key, client.token});
  client.state = State::kReleasing;
}

void Workload::Withdraw(World& world, const ClientKey& key,
                        const Client& client) {
  world.Withdraw(key.first, client.request);
  history_.push_back(Operation{.client = client.name,
                               .kind = OperationKind::kWithdraw,
                               .key = history_[client.operation].key,
                               .called = world.now(),
                               .returned = world.now(),
                               .outcome = Outcome::kOk});
}

void Workload::Ask(World& world, const ClientKey& key, Client& client,
                   OperationKind kind, Request request) {
  client.state = State::kAsking;
  client.request = world.Submit(key.first, std::move(request));
  open_[client.request] = key;
  client.operation = history_.size();
  history_.push_back(
      Operation{.client = client.name,
                .kind = kind,
                .key = client.token.IsNone()
                           ? LockName(client.key, seen_[key.first].cluster)
                           : client.lock,
                .called = world.now(),
                .token = client.token});
}

// --- What they are told ------------------------------------------------------

void Workload::Hear(const World& world, HostId host, const Action& action) {
  if (const auto* answer = std::get_if<AnswerRequest>(&action)) {
    HearAnswer(world, *answer);
  }
  if (const auto* change = std::get_if<NotifyHolder>(&action)) {
    if (change->belief == Belief::kLost) HearLoss(world, host, *change);
  }
}

void Workload::HearAnswer(const World& world, const AnswerRequest& answer) {
  const auto found = open_.find(answer.request);
  if (found == open_.end()) return;
  const ClientKey key = found->second;
  open_.erase(found);
  Client& client = clients_.at(key);
  Operation& operation = history_[client.operation];
  operation.returned = world.now();
  operation.outcome = answer.answer.outcome;
  operation.token = TokenOf(operation, client.key, answer.answer);
  // A renewal that was refused leaves the lease as it is.
  const bool still_holds =
      operation.kind == OperationKind::kRenew && !client.token.IsNone();
  if (operation.Grants() || still_holds) {
    Hold(world, key, client);
    return;
  }
  client.state = State::kIdle;
  client.token = FencingToken();
  client.grant = RequestId();
  PlanNext(world, key, options_.think);
}

// After a grant, or a renewal whatever came of it.
void Workload::Hold(const World& world, const ClientKey& key, Client& client) {
  const Operation& operation = history_[client.operation];
  client.state = State::kHolding;
  if (operation.Grants()) {
    client.token = operation.token;
    client.lock = operation.key;
    client.believes_until = world.now();
  }
  NoteBelief(world, key.first, client);
  if (operation.outcome == Outcome::kOk) {
    resources_.Use(world.now(), Holder{.host = key.first,
                                       .process = resources_.process(key.first),
                                       .stream = client.stream,
                                       .client = client.name,
                                       .lock = client.lock,
                                       .token = client.token});
  }
  PlanNext(world, key, options_.hold);
}

void Workload::HearLoss(const World& world, HostId host,
                        const NotifyHolder& notice) {
  ForEachClient(host, [&](const ClientKey& key, Client& client) {
    if (client.grant != notice.request || client.token.IsNone()) return;
    // Of a release the history tells already.
    if (notice.reason != LossReason::kReleased) {
      RecordLoss(client, std::min(client.believes_until, world.now()),
                 world.now(), notice.reason);
    }
    client.token = FencingToken();
    client.grant = RequestId();
    if (client.state != State::kHolding) return;
    client.state = State::kIdle;
    PlanNext(world, key, options_.think);
  });
}

void Workload::RecordLoss(const Client& client, RealInstant called,
                          RealInstant returned, LossReason reason) {
  history_.push_back(Operation{.client = client.name,
                               .kind = OperationKind::kLost,
                               .key = client.lock,
                               .called = called,
                               .returned = returned,
                               .loss = reason,
                               .token = client.token});
}

// --- What they know ----------------------------------------------------------

// By its clock as it runs now. Should the clock be bent later, the lease has
// been promised for so long all the same: any clock within the bound might have
// been the holder's.
void Workload::NoteBelief(const World& world, HostId host, Client& client) {
  const auto held = world.node(host)->client().Find(client.grant);
  if (!held.has_value()) return;
  client.believes_until =
      world.clock(host).fast.When(held->belief_end.nanoseconds());
}

// What was asked for in a cluster that gave way may have been granted there;
// it is asked for again in the other.
void Workload::NoteCluster(HostId host, ClusterId before, ClusterId cluster) {
  ForEachClient(host, [&](const ClientKey&, Client& client) {
    if (client.state != State::kAsking || !client.token.IsNone()) return;
    const Operation open = history_[client.operation];
    history_[client.operation].key = LockName(client.key, cluster);
    if (before.IsNone() || !open.IsAcquire()) return;
    history_.push_back(open);
  });
}

std::string Workload::LockName(const std::string& key, ClusterId cluster) {
  if (cluster.IsNone()) return key;
  auto found = std::find(clusters_.begin(), clusters_.end(), cluster);
  if (found == clusters_.end()) {
    clusters_.push_back(cluster);
    found = std::prev(clusters_.end());
  }
  if (found == clusters_.begin()) return key;
  return absl::StrCat(key, "@", found - clusters_.begin() + 1);
}

void Workload::RunResource(World& world) {
  const std::optional<Holder> refused = resources_.RunNext(world);
  if (wrong_.has_value()) return;
  wrong_ = resources_.damage();
  if (!wrong_.has_value() && refused.has_value() &&
      options_.rules.leases_hold && Believes(world, *refused)) {
    wrong_ =
        absl::StrCat("a holder was refused: what ", refused->lock,
                     " protects turned away ", refused->client, " under ",
                     refused->token.ToString(), ", who believes in its lock");
  }
}

bool Workload::Believes(const World& world, const Holder& holder) const {
  for (auto it = clients_.lower_bound({holder.host, 0});
       it != clients_.end() && it->first.first == holder.host; ++it) {
    const Client& client = it->second;
    if (client.name != holder.client || client.token != holder.token) continue;
    return client.state != State::kReleasing &&
           world.now() < client.believes_until;
  }
  return false;
}

Complaint Workload::Judge() const {
  if (wrong_.has_value()) return wrong_;
  Complaint complaint = resources_.CheckTotals();
  if (complaint.has_value()) return complaint;
  return CheckHistory(history_, options_.rules);
}

}  // namespace cachalot::sim
