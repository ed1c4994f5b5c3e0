#include "sim/clients/workload.h"

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

constexpr absl::Duration SlotLength() { return absl::Milliseconds(10); }

int64_t SlotNanoseconds() { return absl::ToInt64Nanoseconds(SlotLength()); }

uint64_t SlotNumber(RealInstant now) {
  return static_cast<uint64_t>(now.nanoseconds() / SlotNanoseconds());
}

// The rate per slot of something that happens once per `mean`.
Rate OncePer(absl::Duration mean) {
  const int64_t ppm = 1000000 * SlotLength() / std::max(mean, SlotLength());
  return {static_cast<uint32_t>(ppm)};
}

// The token that belongs to the operation after this answer.
FencingToken TokenOf(const Operation& operation, const std::string& key,
                     const Answer& answer) {
  switch (operation.kind) {
    case OperationKind::kTry:
    case OperationKind::kLock:
    case OperationKind::kRevoke:
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
        key,
        Client{.name = absl::StrCat(HostName(host), ".", process, "/", i),
               .stream = stream,
               .chance = Chance(choices_, "client", host.value() * 100 + i)});
  }
  PlanSlot(host, world.now());
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

// The cluster must not expire a dead client's lock before its belief would have
// ended.
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
    std::visit([&](const auto& due) { Handle(world, due); },
               agenda_.TakeNext());
  }
}

// All clients of a machine share its slots.
void Workload::Handle(World& world, const Slot& slot) {
  if (IsGone(slot.host, slot.process)) return;
  PlanSlot(slot.host, world.now());
  if (world.IsPaused(slot.host)) return;
  const uint64_t number = SlotNumber(world.now());
  ForEachClient(slot.host, [&](const ClientKey& key, Client& client) {
    client.chance.BeginItem(number);
    if (!Decides(client)) return;
    const absl::Duration after = client.chance.Between(
        absl::ZeroDuration(), SlotLength() - absl::Nanoseconds(1));
    agenda_.Add(world.now() + after, Due{key, slot.process, RequestId()});
  });
}

// Whether the client acts in this slot, if it can.
bool Workload::Decides(Client& client) {
  switch (client.state) {
    case State::kIdle:
      return !is_stopped_ && client.chance.Happens(OncePer(options_.think));
    case State::kHolding:
      return is_stopped_ || client.chance.Happens(OncePer(options_.hold));
    case State::kAsking:
    case State::kAbandoning:
    case State::kReleasing:
      return false;  // until it is told something
  }
  return false;
}

void Workload::PlanSlot(HostId host, RealInstant now) {
  const int64_t next = (now.nanoseconds() / SlotNanoseconds() + 1);
  agenda_.Add(RealInstant::FromNanoseconds(next * SlotNanoseconds()),
              Slot{host, resources_.process(host)});
}

bool Workload::IsGone(HostId host, uint64_t process) const {
  return resources_.process(host) != process ||
         !clients_.contains(ClientKey(host, 0));
}

void Workload::Handle(World& world, const Due& due) {
  const auto [host, number] = due.client;
  if (IsGone(host, due.process)) return;
  Client& client = clients_.at(due.client);
  if (due.withdrawn != RequestId()) {
    if (world.IsPaused(host)) {
      agenda_.Add(world.now() + SlotLength(), due);
    } else if (client.state == State::kAsking &&
               client.request == due.withdrawn) {
      Withdraw(world, due.client, client);
    }
    return;
  }
  if (world.IsPaused(host)) return;
  if (client.state == State::kIdle) {
    BeginOperation(world, due.client, client);
  } else if (client.state == State::kHolding) {
    RenewOrRelease(world, due.client, client);
  }
}

void Workload::BeginOperation(World& world, const ClientKey& key,
                              Client& client) {
  if (is_stopped_) return;
  if (client.chance.Happens(options_.lists)) {
    LookUp(world, key, client);
  } else {
    Acquire(world, key, client);
  }
}

void Workload::LookUp(World& world, const ClientKey& key, Client& client) {
  client.key = absl::StrCat("key-", client.chance.Below(options_.keys));
  if (client.chance.Happens(options_.revokes)) {
    Ask(world, key, client, OperationKind::kRevoke,
        RevokeRequest{.key = client.key,
                      .reason = absl::StrCat("wanted by ", client.name)});
    return;
  }
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

// The next operation of a client that holds a lock.
void Workload::RenewOrRelease(World& world, const ClientKey& key,
                              Client& client) {
  if (!is_stopped_ && client.chance.Happens(options_.renews)) {
    Ask(world, key, client, OperationKind::kRenew,
        RenewRequest{client.key, client.token,
                     client.chance.Draw(options_.ttl)});
    return;
  }
  if (!is_stopped_ && client.chance.Happens(options_.abandons)) {
    client.state = State::kAbandoning;
    return;
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
  // A refused renewal does not change the lease.
  const bool still_holds =
      operation.kind == OperationKind::kRenew && !client.token.IsNone();
  if (operation.Grants() || still_holds) {
    Hold(world, key, client);
    return;
  }
  client.state = State::kIdle;
  client.token = FencingToken();
  client.grant = RequestId();
}

// After a grant, or after any answer to a renewal.
void Workload::Hold(const World& world, const ClientKey& key, Client& client) {
  const Operation& operation = history_[client.operation];
  client.state = State::kHolding;
  if (operation.Grants()) {
    client.token = operation.token;
    client.lock = operation.key;
    client.believes_until = world.read_at();
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
}

void Workload::HearLoss(const World& world, HostId host,
                        const NotifyHolder& notice) {
  ForEachClient(host, [&](const ClientKey&, Client& client) {
    if (client.grant != notice.request || client.token.IsNone()) return;
    // The history has the release already.
    if (notice.reason != LossReason::kReleased) {
      // A revoked lock is still granted to its holder until the holder gives it
      // back, which it does when it hears of the revocation.
      RecordLoss(client, std::min(client.believes_until, world.now()),
                 world.now(),
                 notice.text.empty() ? notice.reason : LossReason::kReleased);
    }
    client.token = FencingToken();
    client.grant = RequestId();
    if (client.state == State::kHolding || client.state == State::kAbandoning) {
      client.state = State::kIdle;
    }
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

// Computes the end of the belief from the current clock rate. If the rate
// changes later, the cluster must still have kept the lease that long, because
// any clock within the bound might have been the holder's. A belief that has
// ended when the answer is told is ignored: it was valid when the node read its
// clocks, and nobody saw when it ended.
void Workload::NoteBelief(const World& world, HostId host, Client& client) {
  const auto held = world.node(host)->client().Find(client.grant);
  if (!held.has_value()) return;
  const RealInstant until =
      world.clock(host).fast.When(held->belief_end.nanoseconds());
  if (until > world.now()) client.believes_until = until;
}

// The node has moved to another cluster. An open acquire may have been granted
// in the old one, and it is asked for again in the new one.
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
  if (complaint_.has_value()) return;
  complaint_ = resources_.damage();
  if (!complaint_.has_value() && refused.has_value() &&
      options_.rules.leases_hold && Believes(world, *refused)) {
    complaint_ =
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

Complaint Workload::Check() const {
  if (complaint_.has_value()) return complaint_;
  Complaint complaint = resources_.CheckTotals();
  if (complaint.has_value()) return complaint;
  return CheckHistory(history_, options_.rules);
}

}  // namespace cachalot::sim
