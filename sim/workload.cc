#include "sim/workload.h"

#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"

namespace cachalot::sim {

void Workload::Started(const World& world, HostId host) {
  const uint64_t process = ++processes_[host];
  for (uint64_t i = 0; i < options_.clients_per_host; ++i) {
    const uint64_t stream = (host.value() * 1000 + process) * 100 + i;
    const ClientKey key(host, i);
    clients_.insert_or_assign(
        key, Client{.number = i, .chance = Chance(choices_, "client", stream)});
    PlanNext(world, key, options_.think);
  }
}

void Workload::Stopping(const World&, HostId host) {
  for (uint64_t i = 0; i < options_.clients_per_host; ++i) {
    const auto found = clients_.find({host, i});
    if (found == clients_.end()) continue;
    open_.erase(found->second.request);
    clients_.erase(found);
  }
}

void Workload::PlanNext(const World& world, const ClientKey& key,
                        const Delay& delay) {
  Client& client = clients_.at(key);
  agenda_.Add(world.now() + client.chance.Draw(delay),
              Due{key, processes_[key.first], RequestId()});
}

void Workload::RunNext(World& world) {
  const Due due = agenda_.TakeNext();
  const auto found = clients_.find(due.client);
  if (found == clients_.end()) return;
  if (processes_[due.client.first] != due.process) return;
  Client& client = found->second;
  if (due.withdrawn != RequestId()) {
    if (client.state == State::kAsking && client.request == due.withdrawn) {
      world.Withdraw(due.client.first, due.withdrawn);
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

void Workload::Begin(World& world, const ClientKey& key, Client& client) {
  if (is_stopped_) return;
  if (client.chance.Happens(options_.lists)) {
    Ask(world, key, client, "list", ListLocksRequest{});
    return;
  }
  Acquire(world, key, client);
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
  const char* name = wait > absl::ZeroDuration() ? "lock" : "try";
  Ask(world, key, client, name, std::move(request));
  client.grant = client.request;
  if (client.chance.Happens(options_.withdraws)) {
    const RealInstant at =
        world.now() + client.chance.Between(absl::ZeroDuration(), wait);
    agenda_.Add(at, Due{key, processes_[key.first], client.request});
  }
}

// With what it holds.
void Workload::GoOn(World& world, const ClientKey& key, Client& client) {
  if (!is_stopped_ && client.chance.Happens(options_.renews)) {
    Ask(world, key, client, "renew",
        RenewRequest{client.key, client.token,
                     client.chance.Draw(options_.ttl)});
    return;
  }
  if (!is_stopped_ && client.chance.Happens(options_.abandons)) {
    return;  // until it hears of the loss
  }
  Ask(world, key, client, "release", ReleaseRequest{client.key, client.token});
  client.state = State::kReleasing;
}

void Workload::Ask(World& world, const ClientKey& key, Client& client,
                   const char* name, Request request) {
  client.state = State::kAsking;
  client.request = world.Submit(key.first, std::move(request));
  open_[client.request] = key;
  client.operation = history_.size();
  history_.push_back(Operation{.host = key.first,
                               .client = client.number,
                               .name = name,
                               .key = client.key,
                               .called = world.now()});
}

void Workload::Hear(const World& world, const Notice& notice) {
  if (const auto* answer = std::get_if<AnswerRequest>(&notice.what)) {
    HearAnswer(world, notice.host, *answer);
  }
  if (const auto* change = std::get_if<NotifyHolder>(&notice.what)) {
    if (change->belief == Belief::kLost) {
      HearLoss(world, notice.host, *change);
    }
  }
}

void Workload::HearAnswer(const World& world, HostId,
                          const AnswerRequest& answer) {
  const auto found = open_.find(answer.request);
  if (found == open_.end()) return;
  const ClientKey key = found->second;
  open_.erase(found);
  Client& client = clients_.at(key);
  Operation& operation = history_[client.operation];
  operation.returned = world.now();
  operation.outcome = answer.answer.outcome;
  operation.token = answer.answer.token;
  const bool is_grant = client.request == client.grant;
  const bool still_holds = client.state == State::kAsking &&
                           client.token == answer.answer.token &&
                           !client.token.IsNone();
  if (answer.answer.outcome == Outcome::kOk && (is_grant || still_holds)) {
    client.state = State::kHolding;
    client.token = answer.answer.token;
    PlanNext(world, key, options_.hold);
    return;
  }
  client.state = State::kIdle;
  client.token = FencingToken();
  client.grant = RequestId();
  PlanNext(world, key, options_.think);
}

void Workload::HearLoss(const World& world, HostId host,
                        const NotifyHolder& notice) {
  for (uint64_t i = 0; i < options_.clients_per_host; ++i) {
    const auto found = clients_.find({host, i});
    if (found == clients_.end()) continue;
    Client& client = found->second;
    if (client.grant != notice.request) continue;
    client.token = FencingToken();
    client.grant = RequestId();
    if (client.state != State::kHolding) return;
    client.state = State::kIdle;
    PlanNext(world, found->first, options_.think);
    return;
  }
}

}  // namespace cachalot::sim
