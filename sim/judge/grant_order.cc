#include "sim/judge/grant_order.h"

#include <algorithm>
#include <variant>

#include "engine/request.h"

namespace cachalot::sim {

Complaint GrantOrder::ObserveEntry(const std::vector<LockCommand>& commands,
                                   const std::vector<Reply>& replies) {
  for (const LockCommand& command : commands) ObserveCommand(command);
  Complaint complaint;
  for (const Reply& reply : replies) {
    complaint = Either(std::move(complaint), ObserveReply(reply));
  }
  complaint = Either(std::move(complaint), CheckWakeUps());
  touched_.clear();
  return complaint;
}

// A sequence number belongs to one request: a retry asks for the same.
void GrantOrder::ObserveCommand(const LockCommand& command) {
  using Kind = Asked::Kind;
  if (const auto* acquire = std::get_if<Acquire>(&command)) {
    asked_.try_emplace({acquire->session, acquire->sequence},
                       Asked{.kind = Kind::kAcquire, .key = acquire->key});
  }
  if (const auto* release = std::get_if<Release>(&command)) {
    asked_.try_emplace({release->session, release->sequence},
                       Asked{.kind = Kind::kRelease,
                             .key = release->key,
                             .token = release->token});
  }
  if (const auto* withdraw = std::get_if<Withdraw>(&command)) {
    asked_.try_emplace({withdraw->session, withdraw->sequence},
                       Asked{.kind = Kind::kWithdraw,
                             .key = withdraw->key,
                             .acquire = withdraw->acquire});
  }
}

Complaint GrantOrder::ObserveReply(const Reply& reply) {
  switch (reply.kind) {
    case Reply::Kind::kOpened:
      if (!sessions_[reply.session].is_over) return std::nullopt;
      return Say("session ", reply.session, " came back after it was over");
    case Reply::Kind::kClosed:
      sessions_[reply.session];  // it may never have been opened
      EndSession(reply.session);
      return std::nullopt;
    case Reply::Kind::kSessionGone:
      EndSession(reply.session);
      return std::nullopt;
    case Reply::Kind::kRevoked:
      if (locks_[reply.key].token == reply.token) Free(reply.key);
      return std::nullopt;
    case Reply::Kind::kMustRelease:
      return std::nullopt;  // the holder keeps it for now
    case Reply::Kind::kQueued:
      ObserveQueued(reply);
      return std::nullopt;
    case Reply::Kind::kAnswered:
      return ObserveAnswer(reply);
    case Reply::Kind::kKept:
    case Reply::Kind::kQuarantined:
      return std::nullopt;
  }
  return std::nullopt;
}

Complaint GrantOrder::ObserveAnswer(const Reply& reply) {
  const RequestKey request(reply.session, reply.sequence);
  const auto found = asked_.find(request);
  if (found == asked_.end()) return std::nullopt;  // a renewal
  Asked& asked = found->second;
  const bool is_ok = reply.outcome == Outcome::kOk;
  switch (asked.kind) {
    case Asked::Kind::kAcquire:
      if (is_ok) return ObserveGrant(request, asked, reply.token);
      LeaveQueue(request, asked.key);
      return std::nullopt;
    case Asked::Kind::kRelease:
      if (is_ok && locks_[asked.key].token == asked.token) Free(asked.key);
      return std::nullopt;
    case Asked::Kind::kWithdraw: {
      if (!is_ok) return std::nullopt;
      const RequestKey acquire(reply.session, asked.acquire);
      LeaveQueue(acquire, asked.key);
      const Lock& lock = locks_[asked.key];
      if (lock.is_held && lock.holder == acquire) Free(asked.key);
      return std::nullopt;
    }
  }
  return std::nullopt;
}

void GrantOrder::ObserveQueued(const Reply& reply) {
  const RequestKey request(reply.session, reply.sequence);
  const auto found = asked_.find(request);
  if (found == asked_.end()) return;
  const std::string& key = found->second.key;
  std::deque<RequestKey>& queue = locks_[key].queue;
  if (std::find(queue.begin(), queue.end(), request) != queue.end()) return;
  queue.push_back(request);
  sessions_[reply.session].keys.insert(key);
  touched_.insert(key);
}

Complaint GrantOrder::ObserveGrant(const RequestKey& request, Asked& asked,
                                   const FencingToken& token) {
  const auto& [session, sequence] = request;
  if (!asked.grant.IsNone()) {
    if (asked.grant == token) return std::nullopt;  // a retry
    return Say(session, " #", sequence, " was granted ", asked.key,
               " twice, with ", asked.grant, " and ", token);
  }
  asked.grant = token;
  Session& owner = sessions_[session];
  if (owner.is_over) {
    return Say(asked.key, " was granted to ", session, ", which is over");
  }
  owner.keys.insert(asked.key);
  if (token <= last_token_) {
    return Say("token ", token, " of ", asked.key, " does not rise above ",
               last_token_);
  }
  last_token_ = token;
  Lock& lock = locks_[asked.key];
  if (lock.is_held) {
    return Say(asked.key, " was granted to ", session, " #", sequence,
               " while ", lock.holder.first, " #", lock.holder.second,
               " held it");
  }
  lock.is_held = true;
  lock.holder = request;
  lock.token = token;
  if (lock.queue.empty()) return std::nullopt;
  if (lock.queue.front() == request) {
    lock.queue.pop_front();
    return std::nullopt;
  }
  return Say(asked.key, " was granted to ", session, " #", sequence, " before ",
             lock.queue.front().first, " #", lock.queue.front().second,
             ", who had waited longer");
}

void GrantOrder::Free(const std::string& key) {
  Lock& lock = locks_[key];
  lock.is_held = false;
  lock.token = FencingToken();
  touched_.insert(key);
}

void GrantOrder::LeaveQueue(const RequestKey& request, const std::string& key) {
  std::deque<RequestKey>& queue = locks_[key].queue;
  const auto place = std::find(queue.begin(), queue.end(), request);
  if (place != queue.end()) queue.erase(place);
}

void GrantOrder::EndSession(const SessionId& id) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end() || found->second.is_over) return;
  found->second.is_over = true;
  for (const std::string& key : found->second.keys) {
    Lock& lock = locks_[key];
    const auto end = std::remove_if(
        lock.queue.begin(), lock.queue.end(),
        [&id](const RequestKey& waiter) { return waiter.first == id; });
    lock.queue.erase(end, lock.queue.end());
    if (lock.is_held && lock.holder.first == id) Free(key);
  }
  found->second.keys.clear();
  // Of a session that is over, no request is answered.
  asked_.erase(asked_.lower_bound({id, Sequence()}),
               asked_.upper_bound({id, Sequence(UINT64_MAX)}));
}

Complaint GrantOrder::CheckWakeUps() {
  for (const std::string& key : touched_) {
    const Lock& lock = locks_[key];
    if (lock.is_held || lock.queue.empty()) continue;
    return Say(key, " is free, and ", lock.queue.front().first, " #",
               lock.queue.front().second, " waits for it");
  }
  return std::nullopt;
}

}  // namespace cachalot::sim
