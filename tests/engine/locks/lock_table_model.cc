#include "tests/engine/locks/lock_table_model.h"

#include <algorithm>
#include <tuple>
#include <variant>

#include "absl/strings/match.h"
#include "engine/limits.h"

namespace cachalot {
namespace {

constexpr size_t kRepeatedPerKeepAlive = 256;

bool IsTtl(absl::Duration ttl) {
  return ttl >= limits::TtlMin() && ttl <= limits::TtlMax();
}

}  // namespace

std::vector<Reply> LockTableModel::Apply(
    LogIndex index, ClusterTime time, absl::Span<const LockCommand> commands) {
  index_ = index;
  time_ = time;
  grants_ = 0;
  replies_.clear();
  for (const LockCommand& command : commands) {
    std::visit([this](const auto& body) { Do(body); }, command);
  }
  return replies_;
}

std::optional<ClusterTime> LockTableModel::NextDeadline() const {
  std::vector<ClusterTime> deadlines;
  for (const Session& session : sessions_) {
    deadlines.push_back(session.deadline);
  }
  for (const Lock& lock : locks_) deadlines.push_back(lock.deadline);
  if (deadlines.empty()) return std::nullopt;
  return *std::min_element(deadlines.begin(), deadlines.end());
}

Expire LockTableModel::Due(ClusterTime time, size_t limit) const {
  std::vector<std::tuple<ClusterTime, SessionId, uint64_t>> sessions;
  for (const Session& session : sessions_) {
    if (session.deadline > time) continue;
    sessions.emplace_back(session.deadline, session.id, session.renewal);
  }
  std::sort(sessions.begin(), sessions.end());
  std::vector<std::tuple<ClusterTime, FencingToken, std::string>> locks;
  for (const Lock& lock : locks_) {
    if (lock.deadline > time) continue;
    locks.emplace_back(lock.deadline, lock.token, lock.acquire.key);
  }
  std::sort(locks.begin(), locks.end());
  sessions.resize(std::min(limit, sessions.size()));
  locks.resize(std::min(limit, locks.size()));
  Expire expire;
  for (const auto& [deadline, id, renewal] : sessions) {
    expire.sessions.push_back({id, renewal});
  }
  for (const auto& [deadline, token, key] : locks) {
    expire.locks.push_back({key, token});
  }
  return expire;
}

std::vector<LockInfo> LockTableModel::List(const ListLocksRequest& request,
                                           ClusterTime time, bool* more) const {
  std::vector<LockInfo> all;
  for (const Lock& lock : locks_) {
    const std::string& key = lock.acquire.key;
    if (!absl::StartsWith(key, request.prefix)) continue;
    if (key <= request.after) continue;
    all.push_back(Describe(lock, time));
  }
  std::sort(all.begin(), all.end(),
            [](const LockInfo& a, const LockInfo& b) { return a.key < b.key; });
  size_t limit = limits::kListLocksMax;
  if (request.limit != 0 && request.limit < limit) limit = request.limit;
  *more = all.size() > limit;
  if (*more) all.resize(limit);
  return all;
}

std::vector<WaiterInfo> LockTableModel::ListWaiters(
    const ListWaitersRequest& request, bool* more) const {
  std::vector<WaiterInfo> all;
  for (const Acquire& acquire : waiting_) {
    if (acquire.key != request.key) continue;
    all.push_back(
        {acquire.session, FindSession(acquire.session)->name, acquire.owner});
  }
  all.erase(all.begin(),
            all.begin() + std::min<ptrdiff_t>(request.skip, std::ssize(all)));
  size_t limit = limits::kListWaitersMax;
  if (request.limit != 0 && request.limit < limit) limit = request.limit;
  *more = all.size() > limit;
  if (*more) all.resize(limit);
  return all;
}

void LockTableModel::Do(const OpenSession& command) {
  if (FindSession(command.session) == nullptr) {
    if (command.session.number == 0 || WasClosed(command.session)) {
      return Say(Reply::Kind::kSessionGone, command.session);
    }
    if (!IsTtl(command.ttl) || command.name.size() > limits::kNameBytesMax) {
      Say(Reply::Kind::kAnswered, command.session);
      replies_.back().outcome = Outcome::kInvalid;
      return;
    }
    const auto of_its_node = std::count_if(
        sessions_.begin(), sessions_.end(), [&](const Session& session) {
          return session.id.node == command.session.node;
        });
    if (static_cast<size_t>(of_its_node) >= limits::kSessionsPerNodeMax) {
      Say(Reply::Kind::kAnswered, command.session);
      replies_.back().outcome = Outcome::kBusy;
      replies_.back().limit = Limit::kSessionsPerNode;
      return;
    }
    Session session;
    session.id = command.session;
    session.name = command.name;
    session.ttl = command.ttl;
    session.deadline = time_ + command.ttl;
    sessions_.push_back(session);
  }
  if (command.epoch_floor > epoch_ && command.epoch_floor.value() < uint64_t{1}
                                                                        << 40) {
    epoch_ = command.epoch_floor.Next();
  }
  Say(Reply::Kind::kOpened, command.session);
}

void LockTableModel::Do(const KeepAlive& command) {
  Session* session = FindSession(command.session);
  Say(session == nullptr ? Reply::Kind::kSessionGone : Reply::Kind::kKept,
      command.session);
  replies_.back().renewal = command.renewal;
  if (session == nullptr) return;
  if (command.renewal > session->renewal) {
    session->renewal = command.renewal;
    session->grace_used = false;
    session->deadline = std::max(session->deadline, time_ + session->ttl);
  }
  MoveFirst(*session, command.first_outstanding);
  std::vector<const Lock*> revoked;
  for (const Lock& lock : locks_) {
    const bool is_its_own = lock.acquire.session == command.session;
    if (is_its_own && !lock.revoke_reason.empty()) revoked.push_back(&lock);
  }
  std::sort(revoked.begin(), revoked.end(),
            [](const Lock* a, const Lock* b) { return a->token < b->token; });
  for (const Lock* lock : revoked) SayMustRelease(*lock);
  std::vector<Reply> repeated = session->decided;
  std::sort(
      repeated.begin(), repeated.end(),
      [](const Reply& a, const Reply& b) { return a.sequence < b.sequence; });
  if (repeated.size() > kRepeatedPerKeepAlive) {
    repeated.resize(kRepeatedPerKeepAlive);
  }
  for (Reply& reply : repeated) {
    reply.index = index_;
    replies_.push_back(reply);
  }
}

void LockTableModel::Do(const CloseSession& command) {
  Say(Reply::Kind::kClosed, command.session);
  if (FindSession(command.session) != nullptr) {
    EndSession(command.session);
  } else {
    Remember(command.session);
  }
}

void LockTableModel::Do(const Acquire& command) {
  if (!Admit(command)) return;
  if (command.key.empty() || command.key.size() > limits::kKeyBytesMax ||
      command.owner.size() > limits::kOwnerBytesMax || !IsTtl(command.ttl)) {
    return Decide(command.session, command.sequence, Outcome::kInvalid);
  }
  const Lock* lock = FindLock(command.key);
  if (lock == nullptr) return Grant(command);
  if (command.waits) {
    waiting_.push_back(command);
    Say(Reply::Kind::kQueued, command.session);
    replies_.back().sequence = command.sequence;
    Show(command.key, replies_.back());
    return;
  }
  Reply reply;
  reply.outcome = Outcome::kHeld;
  Show(command.key, reply);
  Decide(command.session, command.sequence, reply);
}

void LockTableModel::Do(const Renew& command) {
  for (const Lock& held : locks_) {
    if (held.token == command.token &&
        held.acquire.session == command.session &&
        !held.revoke_reason.empty()) {
      SayMustRelease(held);
    }
  }
  if (!Admit(command)) return;
  if (!IsTtl(command.ttl)) {
    return Decide(command.session, command.sequence, Outcome::kInvalid);
  }
  Lock* lock = FindLock(command.key);
  if (lock == nullptr || lock->token != command.token ||
      lock->acquire.session != command.session ||
      !lock->revoke_reason.empty()) {
    return Decide(command.session, command.sequence, Outcome::kNotHeld);
  }
  lock->deadline = std::max(lock->deadline, time_ + command.ttl);
  Reply reply;
  reply.token = command.token;
  Decide(command.session, command.sequence, reply);
}

void LockTableModel::Do(const Release& command) {
  if (!Admit(command)) return;
  const Lock* lock = FindLock(command.key);
  if (lock == nullptr || lock->token != command.token ||
      lock->acquire.session != command.session) {
    return Decide(command.session, command.sequence, Outcome::kNotHeld);
  }
  Decide(command.session, command.sequence, Outcome::kOk);
  Free(command.key);
}

void LockTableModel::Do(const Withdraw& command) {
  if (!Admit(command)) return;
  const Sequence first = FindSession(command.session)->first_outstanding;
  if (command.acquire == command.sequence ||
      command.acquire.value() >=
          first.value() + limits::kRequestsPerSessionMax) {
    return Decide(command.session, command.sequence, Outcome::kInvalid);
  }
  const bool decided = FindDecided(command.session, command.acquire) != nullptr;
  const bool waited = IsWaiting(command.session, command.acquire);
  Leave(command.session, command.acquire);
  if (waited || (!decided && command.acquire >= first)) {
    Decide(command.session, command.acquire, Outcome::kWithdrawn);
  }
  Decide(command.session, command.sequence, Outcome::kOk);
  const Lock* lock = FindLock(command.key);
  if (lock != nullptr && lock->acquire.session == command.session &&
      lock->acquire.sequence == command.acquire) {
    Free(command.key);
  }
}

void LockTableModel::Do(const Expire& command) {
  for (const Expire::OfSession& part : command.sessions) {
    const Session* session = FindSession(part.session);
    if (session == nullptr || session->renewal != part.renewal ||
        time_ < session->deadline) {
      continue;
    }
    Say(Reply::Kind::kSessionGone, part.session);
    EndSession(part.session);
  }
  for (const Expire::OfLock& part : command.locks) {
    const Lock* lock = FindLock(part.key);
    if (lock == nullptr || lock->token != part.token ||
        time_ < lock->deadline) {
      continue;
    }
    Say(Reply::Kind::kRevoked, lock->acquire.session);
    replies_.back().token = part.token;
    replies_.back().key = part.key;
    Free(part.key);
  }
}

void LockTableModel::Do(const BeginTerm& command) {
  if (command.epoch.value() < uint64_t{1} << 40) {
    epoch_ = std::max(epoch_, command.epoch);
  }
  for (Session& session : sessions_) {
    if (session.grace_used) continue;
    session.grace_used = true;
    session.deadline = std::max(session.deadline,
                                time_ + std::min(session.ttl, command.grace));
  }
}

void LockTableModel::Do(const Revoke& command) {
  if (!Admit(command)) return;
  if (command.key.empty() || command.key.size() > limits::kKeyBytesMax ||
      command.reason.empty() ||
      command.reason.size() > limits::kReasonBytesMax) {
    return Decide(command.session, command.sequence, Outcome::kInvalid);
  }
  Lock* lock = FindLock(command.key);
  if (lock == nullptr ||
      (!command.token.IsNone() && lock->token != command.token)) {
    return Decide(command.session, command.sequence, Outcome::kNotHeld);
  }
  if (lock->revoke_reason.empty()) lock->revoke_reason = command.reason;
  Reply reply;
  Show(command.key, reply);
  Decide(command.session, command.sequence, reply);
  SayMustRelease(*lock);
}

template <typename Command>
bool LockTableModel::Admit(const Command& command) {
  Session* session = FindSession(command.session);
  if (session == nullptr) {
    Say(Reply::Kind::kSessionGone, command.session);
    return false;
  }
  MoveFirst(*session, command.first_outstanding);
  if (IsWaiting(command.session, command.sequence)) {
    Say(Reply::Kind::kQueued, command.session);
    replies_.back().sequence = command.sequence;
    const auto waiting = std::find_if(
        waiting_.begin(), waiting_.end(), [&](const Acquire& acquire) {
          return acquire.session == command.session &&
                 acquire.sequence == command.sequence;
        });
    Show(waiting->key, replies_.back());
    return false;
  }
  if (command.sequence < session->first_outstanding) {
    if constexpr (std::is_same_v<Command, Acquire>) {
      Say(Reply::Kind::kAnswered, command.session);
      replies_.back().sequence = command.sequence;
      replies_.back().outcome = Outcome::kWithdrawn;
      const Lock* lock = FindLock(command.key);
      if (lock != nullptr && lock->acquire.session == command.session &&
          lock->acquire.sequence == command.sequence) {
        replies_.back().outcome = Outcome::kOk;
        replies_.back().token = lock->token;
      }
    }
    return false;
  }
  if (command.sequence.value() >=
      session->first_outstanding.value() + limits::kRequestsPerSessionMax) {
    Say(Reply::Kind::kAnswered, command.session);
    replies_.back().sequence = command.sequence;
    replies_.back().outcome = Outcome::kBusy;
    replies_.back().limit = Limit::kRequestsPerSession;
    return false;
  }
  const Reply* decided = FindDecided(command.session, command.sequence);
  if (decided != nullptr) {
    replies_.push_back(*decided);
    replies_.back().index = index_;
    return false;
  }
  return true;
}

void LockTableModel::Decide(const SessionId& session, Sequence sequence,
                            Reply reply) {
  reply.kind = Reply::Kind::kAnswered;
  reply.session = session;
  reply.sequence = sequence;
  reply.index = index_;
  replies_.push_back(reply);
  Session* asker = FindSession(session);
  if (sequence >= asker->first_outstanding) asker->decided.push_back(reply);
}

void LockTableModel::Decide(const SessionId& session, Sequence sequence,
                            Outcome outcome) {
  Reply reply;
  reply.outcome = outcome;
  Decide(session, sequence, reply);
}

void LockTableModel::SayMustRelease(const Lock& lock) {
  Say(Reply::Kind::kMustRelease, lock.acquire.session);
  replies_.back().key = lock.acquire.key;
  replies_.back().token = lock.token;
  replies_.back().text = lock.revoke_reason;
}

void LockTableModel::Say(Reply::Kind kind, const SessionId& session) {
  Reply reply;
  reply.kind = kind;
  reply.session = session;
  reply.index = index_;
  replies_.push_back(reply);
}

void LockTableModel::Remember(const SessionId& session) {
  if (session.number == 0 || WasClosed(session)) return;
  std::erase_if(closed_, [&](const Closed& closed) {
    return closed.id.node == session.node ||
           closed.time + absl::Hours(48) < time_;
  });
  closed_.push_back({session, time_});
}

bool LockTableModel::WasClosed(const SessionId& session) const {
  return std::any_of(closed_.begin(), closed_.end(), [&](const Closed& closed) {
    return closed.id.node == session.node && closed.id.number >= session.number;
  });
}

void LockTableModel::MoveFirst(Session& session, Sequence first) {
  if (first <= session.first_outstanding) return;
  session.first_outstanding = first;
  std::erase_if(session.decided,
                [&](const Reply& reply) { return reply.sequence < first; });
}

void LockTableModel::Leave(const SessionId& session, Sequence sequence) {
  std::erase_if(waiting_, [&](const Acquire& acquire) {
    return acquire.session == session && acquire.sequence == sequence;
  });
}

void LockTableModel::EndSession(const SessionId& id) {
  std::erase_if(waiting_,
                [&](const Acquire& acquire) { return acquire.session == id; });
  std::vector<std::pair<FencingToken, std::string>> held;
  for (const Lock& lock : locks_) {
    if (lock.acquire.session == id) {
      held.emplace_back(lock.token, lock.acquire.key);
    }
  }
  std::sort(held.begin(), held.end());
  for (const auto& [token, key] : held) Free(key);
  std::erase_if(sessions_,
                [&](const Session& session) { return session.id == id; });
  Remember(id);
}

void LockTableModel::Grant(const Acquire& acquire) {
  const FencingToken token{epoch_, index_, grants_++};
  locks_.push_back({acquire, token, time_ + acquire.ttl, ""});
  Reply reply;
  reply.token = token;
  Decide(acquire.session, acquire.sequence, reply);
}

void LockTableModel::Free(const std::string& key) {
  std::erase_if(locks_,
                [&](const Lock& lock) { return lock.acquire.key == key; });
  const auto first =
      std::find_if(waiting_.begin(), waiting_.end(),
                   [&](const Acquire& acquire) { return acquire.key == key; });
  if (first == waiting_.end()) return;
  const Acquire acquire = *first;
  waiting_.erase(first);
  Grant(acquire);
}

LockTableModel::Session* LockTableModel::FindSession(const SessionId& id) {
  for (Session& session : sessions_) {
    if (session.id == id) return &session;
  }
  return nullptr;
}

const LockTableModel::Session* LockTableModel::FindSession(
    const SessionId& id) const {
  return const_cast<LockTableModel*>(this)->FindSession(id);
}

LockTableModel::Lock* LockTableModel::FindLock(const std::string& key) {
  for (Lock& lock : locks_) {
    if (lock.acquire.key == key) return &lock;
  }
  return nullptr;
}

const Reply* LockTableModel::FindDecided(const SessionId& id,
                                         Sequence sequence) const {
  for (const Reply& reply : FindSession(id)->decided) {
    if (reply.sequence == sequence) return &reply;
  }
  return nullptr;
}

bool LockTableModel::IsWaiting(const SessionId& id, Sequence sequence) const {
  return std::any_of(
      waiting_.begin(), waiting_.end(), [&](const Acquire& acquire) {
        return acquire.session == id && acquire.sequence == sequence;
      });
}

// Who holds `key`.
void LockTableModel::Show(const std::string& key, Reply& reply) {
  const LockInfo info = Describe(*FindLock(key), time_);
  reply.token = info.token;
  reply.lease_remaining = info.lease_remaining;
  reply.session_remaining = info.session_remaining;
  reply.holder = info.holder;
  reply.holder_name = info.holder_name;
  reply.owner = info.owner;
}

LockInfo LockTableModel::Describe(const Lock& lock, ClusterTime time) const {
  const Session& holder = *FindSession(lock.acquire.session);
  LockInfo info;
  info.key = lock.acquire.key;
  info.token = lock.token;
  info.holder = holder.id;
  info.holder_name = holder.name;
  info.owner = lock.acquire.owner;
  info.remaining = std::min(lock.deadline, holder.deadline) - time;
  info.lease_remaining = lock.deadline - time;
  info.session_remaining = holder.deadline - time;
  info.waiters = static_cast<uint32_t>(std::count_if(
      waiting_.begin(), waiting_.end(),
      [&](const Acquire& acquire) { return acquire.key == lock.acquire.key; }));
  info.revoke_reason = lock.revoke_reason;
  return info;
}

}  // namespace cachalot
