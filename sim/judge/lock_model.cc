#include "sim/judge/lock_model.h"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <type_traits>
#include <variant>

#include "absl/strings/match.h"
#include "engine/check.h"
#include "engine/limits.h"

namespace cachalot::sim {
namespace {

// Tokens of one cluster differ by a multiple of it.
constexpr uint64_t kTokenStep = 65536;

// What one KeepAlive repeats at most, of each kind.
constexpr size_t kRepeatedPerKeepAlive = 256;

// For how long a session that is over is remembered.
constexpr absl::Duration ClosedMemory() { return absl::Hours(48); }

bool IsTtl(absl::Duration ttl) {
  return limits::TtlMin() <= ttl && ttl <= limits::TtlMax();
}

bool IsKey(const std::string& key) {
  return !key.empty() && key.size() <= limits::kKeyBytesMax;
}

// How many of a page may be listed. `asked`: 0 is the maximum.
size_t PageLimit(uint32_t asked, size_t max) {
  return asked == 0 ? max : std::min<size_t>(asked, max);
}

// Whether a session whose window begins at `first` has room for `sequence`.
bool IsInWindow(Sequence first, Sequence sequence) {
  return sequence >= first && sequence != Sequence(UINT64_MAX) &&
         sequence.value() - first.value() < limits::kRequestsPerSessionMax;
}

std::string Describe(const Reply* reply) {
  if (reply == nullptr) return "nothing";
  return Say(ReplyKindName(reply->kind), " ", reply->session, " #",
             reply->sequence, " ", reply->outcome, " ", reply->token);
}

}  // namespace

const LockModel::Effects& LockModel::Apply(
    LogIndex index, ClusterTime time, absl::Span<const LockCommand> commands) {
  CHECK(index > index_) << index << " after " << index_;
  index_ = index;
  time_ = time;
  effects_ = Effects();
  for (const LockCommand& command : commands) {
    std::visit([this](const auto& body) { Do(body); }, command);
  }
  return effects_;
}

// --- Sessions ----------------------------------------------------------------

void LockModel::Do(const OpenSession& command) {
  const SessionId& id = command.session;
  if (Find(id) == nullptr) {
    if (id.IsNone() || IsClosed(id)) {
      return Tell(MakeReply(Reply::Kind::kSessionGone, id));
    }
    if (!IsTtl(command.ttl) || command.name.size() > limits::kNameBytesMax) {
      return Answer(id, Sequence(), Outcome::kInvalid);
    }
    if (time_ < opens_at_) {
      Reply reply = MakeReply(Reply::Kind::kQuarantined, id);
      reply.session_remaining = opens_at_ - time_;
      return Tell(std::move(reply));
    }
    if (sessions_.size() >= limits::kSessionsMax) {
      return Answer(id, Sequence(), Outcome::kBusy, Limit::kSessions);
    }
    const auto of_its_node = std::count_if(
        sessions_.begin(), sessions_.end(),
        [&id](const auto& open) { return open.first.node == id.node; });
    if (static_cast<size_t>(of_its_node) >= limits::kSessionsPerNodeMax) {
      return Answer(id, Sequence(), Outcome::kBusy, Limit::kSessionsPerNode);
    }
    Session& session = sessions_[id];
    session.name = command.name;
    session.ttl = command.ttl;
    session.deadline = time_ + command.ttl;
    effects_.leases.push_back({.session = id, .ttl = command.ttl});
    ++effects_.sessions_opened;
  }
  // Tokens from here on are above all that the opener may have been granted in
  // another cluster.
  RaiseTokens(command.token_floor);
  Reply reply = MakeReply(Reply::Kind::kOpened, id);
  reply.token = last_token_;
  Tell(std::move(reply));
}

void LockModel::Do(const KeepAlive& command) {
  const SessionId& id = command.session;
  Session* session = Find(id);
  Reply reply = MakeReply(
      session != nullptr ? Reply::Kind::kKept : Reply::Kind::kSessionGone, id);
  reply.renewal = command.renewal;
  if (session != nullptr) reply.token = last_token_;
  Tell(reply);
  if (session == nullptr) return;
  if (command.renewal > session->renewal) {
    session->renewal = command.renewal;
    session->had_grace = false;
    session->deadline = std::max(session->deadline, time_ + session->ttl);
    effects_.leases.push_back({.session = id, .ttl = session->ttl});
  }
  Forget(*session, command.first_outstanding);
  // The holder may not have heard that a lock was revoked. It is told so before
  // a refused renewal is repeated.
  size_t repeated = 0;
  for (const auto& [token, key] : session->held) {
    const Lock& lock = locks_.at(key);
    if (lock.revoke_reason.empty()) continue;
    if (repeated++ == kRepeatedPerKeepAlive) break;
    TellRevoked(key, lock);
  }
  // Replies may have been lost: the oldest are repeated.
  repeated = 0;
  for (const auto& [sequence, answer] : session->decided) {
    if (repeated++ == kRepeatedPerKeepAlive) break;
    Repeat(answer);
  }
}

void LockModel::Do(const CloseSession& command) {
  const SessionId& id = command.session;
  Tell(MakeReply(Reply::Kind::kClosed, id));
  if (Find(id) == nullptr) {
    Close(id);  // its OpenSession may arrive later
  } else {
    EndSession(id);
    ++effects_.sessions_closed;
  }
}

void LockModel::Do(const BeginTerm& command) {
  // The first term is the one before which there is no token.
  if (last_token_.IsNone()) opens_at_ = time_ + command.quarantine;
  RaiseTokens(command.token_base);
  for (auto& [id, session] : sessions_) {
    if (session.had_grace) continue;
    session.had_grace = true;
    const absl::Duration grace = std::min(session.ttl, command.grace);
    session.deadline = std::max(session.deadline, time_ + grace);
  }
}

void LockModel::EndSession(const SessionId& id) {
  // It leaves every queue first, or it might be granted a lock that it gives
  // up.
  const Session session = sessions_.at(id);  // a copy: PassOn() changes it
  for (const auto& [acquire, key] : session.waiting) {
    LeaveQueue(locks_.at(key), id, acquire);
  }
  for (const auto& [token, key] : session.held) {
    PassOn(key, End::kSessionOver);
  }
  sessions_.erase(id);
  Close(id);
}

// --- Requests ----------------------------------------------------------------

void LockModel::Do(const Acquire& command) {
  Session* session = Admit(command);
  if (session == nullptr) return;
  const SessionId& id = command.session;
  if (!IsKey(command.key) || !IsTtl(command.ttl) ||
      command.owner.size() > limits::kOwnerBytesMax) {
    return Decide(id, command.sequence, Outcome::kInvalid);
  }
  if (session->held.size() >= limits::kLocksPerSessionMax) {
    return Refuse(id, command.sequence, Limit::kLocksPerSession);
  }
  const auto found = locks_.find(command.key);
  Claim claim = {id, command.sequence, command.ttl, command.owner};
  if (found == locks_.end()) {
    if (locks_.size() >= limits::kLocksMax) {
      return Refuse(id, command.sequence, Limit::kLocks);
    }
    return Grant(command.key, std::move(claim));
  }
  Lock& lock = found->second;
  if (!command.waits) {
    Reply refusal = MakeReply(Reply::Kind::kAnswered, id);
    refusal.sequence = command.sequence;
    refusal.outcome = Outcome::kHeld;
    ShowHolder(lock, refusal);
    return Decide(std::move(refusal));
  }
  if (lock.queue.size() >= limits::kWaitersPerLockMax) {
    return Refuse(id, command.sequence, Limit::kWaitersPerLock);
  }
  if (session->waiting.size() >= limits::kWaitersPerSessionMax) {
    return Refuse(id, command.sequence, Limit::kWaitersPerSession);
  }
  lock.queue.push_back(std::move(claim));
  session->waiting[command.sequence] = command.key;
  TellQueued(id, command.sequence, lock);
  ++effects_.queued;
}

void LockModel::Do(const Renew& command) {
  const SessionId& id = command.session;
  // A holder that renews a revoked lock is told the reason each time.
  const Session* asking = Find(id);
  if (asking != nullptr) {
    const auto held = asking->held.find(command.token);
    if (held != asking->held.end() &&
        !locks_.at(held->second).revoke_reason.empty()) {
      TellRevoked(held->second, locks_.at(held->second));
    }
  }
  if (Admit(command) == nullptr) return;
  if (!IsTtl(command.ttl)) {
    return Decide(id, command.sequence, Outcome::kInvalid);
  }
  Lock* lock = FindHeld(id, command.key, command.token);
  if (lock == nullptr || !lock->revoke_reason.empty()) {
    return Decide(id, command.sequence, Outcome::kNotHeld);
  }
  lock->deadline = std::max(lock->deadline, time_ + command.ttl);
  effects_.leases.push_back({id, command.token, command.ttl});
  Decide(id, command.sequence, Outcome::kOk, command.token);
}

void LockModel::Do(const Release& command) {
  if (Admit(command) == nullptr) return;
  const SessionId& id = command.session;
  if (FindHeld(id, command.key, command.token) == nullptr) {
    return Decide(id, command.sequence, Outcome::kNotHeld);
  }
  Decide(id, command.sequence, Outcome::kOk);
  PassOn(command.key, End::kReleased);
}

void LockModel::Do(const Withdraw& command) {
  Session* session = Admit(command);
  if (session == nullptr) return;
  const SessionId& id = command.session;
  const Sequence acquire = command.acquire;
  const bool is_forgotten = acquire < session->first;
  if (acquire == command.sequence ||
      (!is_forgotten && !IsInWindow(session->first, acquire))) {
    return Decide(id, command.sequence, Outcome::kInvalid);
  }
  const auto waits = session->waiting.find(acquire);
  if (waits != session->waiting.end()) {
    LeaveQueue(locks_.at(waits->second), id, acquire);
    Decide(id, acquire, Outcome::kWithdrawn);
  } else if (!is_forgotten && !session->decided.contains(acquire)) {
    // It has not arrived yet, and is not to be granted when it does.
    Decide(id, acquire, Outcome::kWithdrawn);
  }
  Decide(id, command.sequence, Outcome::kOk);
  const auto lock = locks_.find(command.key);
  if (lock != locks_.end() && IsOf(lock->second.holder, id, acquire)) {
    PassOn(command.key, End::kWithdrawn);
  }
}

void LockModel::Do(const Expire& command) {
  for (const Expire::OfSession& part : command.sessions) {
    const Session* session = Find(part.session);
    if (session == nullptr || session->renewal != part.renewal) continue;
    if (time_ < session->deadline) continue;
    Tell(MakeReply(Reply::Kind::kSessionGone, part.session));
    EndSession(part.session);
    ++effects_.sessions_expired;
  }
  for (const Expire::OfLock& part : command.locks) {
    const auto found = locks_.find(part.key);
    if (found == locks_.end() || found->second.token != part.token) continue;
    if (time_ < found->second.deadline) continue;
    Reply reply =
        MakeReply(Reply::Kind::kRevoked, found->second.holder.session);
    reply.token = part.token;
    reply.key = part.key;
    Tell(std::move(reply));
    PassOn(part.key, End::kExpired);
  }
}

// The holder keeps the lock and is told to release it.
void LockModel::Do(const Revoke& command) {
  if (Admit(command) == nullptr) return;
  const SessionId& id = command.session;
  if (!IsKey(command.key) || command.reason.empty() ||
      command.reason.size() > limits::kReasonBytesMax) {
    return Decide(id, command.sequence, Outcome::kInvalid);
  }
  const auto found = locks_.find(command.key);
  if (found == locks_.end() ||
      (!command.token.IsNone() && command.token != found->second.token)) {
    return Decide(id, command.sequence, Outcome::kNotHeld);
  }
  Lock& lock = found->second;
  if (lock.revoke_reason.empty()) lock.revoke_reason = command.reason;
  Reply answer = MakeReply(Reply::Kind::kAnswered, id);
  answer.sequence = command.sequence;
  ShowHolder(lock, answer);
  Decide(std::move(answer));
  TellRevoked(command.key, lock);
}

template <typename Command>
LockModel::Session* LockModel::Admit(const Command& command) {
  const SessionId& id = command.session;
  const Sequence sequence = command.sequence;
  Session* session = Find(id);
  if (session == nullptr) {
    Tell(MakeReply(Reply::Kind::kSessionGone, id));
    return nullptr;
  }
  Forget(*session, command.first_outstanding);
  const auto waits = session->waiting.find(sequence);
  if (waits != session->waiting.end()) {
    TellQueued(id, sequence, locks_.at(waits->second));
    return nullptr;
  }
  const auto decided = session->decided.find(sequence);
  if (decided != session->decided.end()) {
    Repeat(decided->second);
    return nullptr;
  }
  if (sequence < session->first) {
    if constexpr (std::is_same_v<Command, Acquire>) AnswerForgotten(command);
    return nullptr;
  }
  if (IsInWindow(session->first, sequence)) return session;
  Answer(id, sequence, Outcome::kBusy, Limit::kRequestsPerSession);
  return nullptr;
}

// It may have waited below the window and been granted: then it holds the lock.
void LockModel::AnswerForgotten(const Acquire& command) {
  const auto lock = locks_.find(command.key);
  const bool holds =
      lock != locks_.end() &&
      IsOf(lock->second.holder, command.session, command.sequence);
  if (!holds) {
    return Answer(command.session, command.sequence, Outcome::kWithdrawn);
  }
  Reply reply = MakeReply(Reply::Kind::kAnswered, command.session);
  reply.sequence = command.sequence;
  reply.token = lock->second.token;
  reply.granted_at = lock->second.granted_at;
  Tell(std::move(reply));
}

void LockModel::Forget(Session& session, Sequence first) {
  session.first = std::max(session.first, first);
  session.decided.erase(session.decided.begin(),
                        session.decided.lower_bound(session.first));
}

// --- Locks -------------------------------------------------------------------

void LockModel::Grant(const std::string& key, Claim claim) {
  const FencingToken token(last_token_.number() + kTokenStep);
  last_token_ = token;
  const SessionId id = claim.session;
  Session& session = sessions_.at(id);
  session.held[token] = key;
  effects_.leases.push_back({id, token, claim.ttl});
  ++effects_.granted;
  if (session.waiting.contains(claim.acquire)) ++effects_.granted_after_wait;
  Reply answer = MakeReply(Reply::Kind::kAnswered, id);
  answer.sequence = claim.acquire;
  answer.token = token;
  answer.granted_at = index_;
  Decide(std::move(answer));
  Lock& lock = locks_[key];
  lock.token = token;
  lock.granted_at = index_;
  lock.deadline = time_ + claim.ttl;
  lock.revoke_reason.clear();
  lock.holder = std::move(claim);
}

void LockModel::PassOn(const std::string& key, End how) {
  Lock& lock = locks_.at(key);
  const SessionId holder = lock.holder.session;
  effects_.ended.push_back({holder, key, lock.token, how});
  sessions_.at(holder).held.erase(lock.token);
  if (lock.queue.empty()) {
    locks_.erase(key);
    return;
  }
  Claim next = std::move(lock.queue.front());
  lock.queue.pop_front();
  Grant(key, std::move(next));
}

void LockModel::LeaveQueue(Lock& lock, const SessionId& id, Sequence acquire) {
  const auto place = std::find_if(
      lock.queue.begin(), lock.queue.end(),
      [&](const Claim& claim) { return IsOf(claim, id, acquire); });
  CHECK(place != lock.queue.end()) << id << " #" << acquire;
  lock.queue.erase(place);
}

bool LockModel::IsOf(const Claim& claim, const SessionId& id,
                     Sequence acquire) {
  return claim.session == id && claim.acquire == acquire;
}

LockModel::Session* LockModel::Find(const SessionId& id) {
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : &found->second;
}

LockModel::Lock* LockModel::FindHeld(const SessionId& id,
                                     const std::string& key,
                                     const FencingToken& token) {
  const auto found = locks_.find(key);
  if (found == locks_.end()) return nullptr;
  Lock& lock = found->second;
  return lock.holder.session == id && lock.token == token ? &lock : nullptr;
}

bool LockModel::IsClosed(const SessionId& id) const {
  const auto found = closed_.find(id.node);
  return found != closed_.end() && id.number <= found->second.number;
}

void LockModel::Close(const SessionId& id) {
  if (id.IsNone() || IsClosed(id)) return;
  closed_[id.node] = {id.number, time_};
  std::erase_if(closed_, [this](const auto& closed) {
    return closed.second.time + ClosedMemory() < time_;
  });
  if (closed_.size() <= limits::kSessionsMax) return;
  closed_.erase(std::min_element(closed_.begin(), closed_.end(),
                                 [](const auto& a, const auto& b) {
                                   return std::tie(a.second.time, a.first) <
                                          std::tie(b.second.time, b.first);
                                 }));
}

// The next token is above `floor`, and differs from the last by whole steps.
void LockModel::RaiseTokens(FencingToken floor) {
  if (floor > FencingToken(limits::kTokenFloorMax)) return;
  if (last_token_.IsNone()) {
    last_token_ = floor;
    return;
  }
  const uint64_t lower = last_token_.number() % kTokenStep;
  uint64_t number = floor.number() - floor.number() % kTokenStep + lower;
  if (number > floor.number()) {
    if (number < kTokenStep) return;
    number -= kTokenStep;
  }
  last_token_ = std::max(last_token_, FencingToken(number));
}

// --- Replies -----------------------------------------------------------------

Reply LockModel::MakeReply(Reply::Kind kind, const SessionId& session) const {
  Reply reply;
  reply.kind = kind;
  reply.session = session;
  reply.index = index_;
  return reply;
}

void LockModel::ShowHolder(const Lock& lock, Reply& reply) const {
  const Session& holder = sessions_.at(lock.holder.session);
  reply.token = lock.token;
  reply.holder = lock.holder.session;
  reply.holder_name = holder.name;
  reply.owner = lock.holder.owner;
  reply.lease_remaining = lock.deadline - time_;
  reply.session_remaining = holder.deadline - time_;
}

void LockModel::TellQueued(const SessionId& session, Sequence sequence,
                           const Lock& lock) {
  Reply reply = MakeReply(Reply::Kind::kQueued, session);
  reply.sequence = sequence;
  ShowHolder(lock, reply);
  Tell(std::move(reply));
}

void LockModel::TellRevoked(const std::string& key, const Lock& lock) {
  Reply reply = MakeReply(Reply::Kind::kMustRelease, lock.holder.session);
  reply.token = lock.token;
  reply.key = key;
  reply.text = lock.revoke_reason;
  Tell(std::move(reply));
}

void LockModel::Answer(const SessionId& session, Sequence sequence,
                       Outcome outcome, Limit limit) {
  Reply reply = MakeReply(Reply::Kind::kAnswered, session);
  reply.sequence = sequence;
  reply.outcome = outcome;
  reply.limit = limit;
  Tell(std::move(reply));
}

void LockModel::Decide(const SessionId& session, Sequence sequence,
                       Outcome outcome, const FencingToken& token) {
  Reply reply = MakeReply(Reply::Kind::kAnswered, session);
  reply.sequence = sequence;
  reply.outcome = outcome;
  reply.token = token;
  Decide(std::move(reply));
}

void LockModel::Decide(Reply answer) {
  Session& session = sessions_.at(answer.session);
  session.waiting.erase(answer.sequence);
  if (answer.sequence >= session.first) {
    session.decided[answer.sequence] = answer;
  }
  Tell(std::move(answer));
}

void LockModel::Refuse(const SessionId& session, Sequence sequence,
                       Limit limit) {
  Reply reply = MakeReply(Reply::Kind::kAnswered, session);
  reply.sequence = sequence;
  reply.outcome = Outcome::kBusy;
  reply.limit = limit;
  Decide(std::move(reply));
}

// The reply has the index of the entry that asked again.
void LockModel::Repeat(Reply answer) {
  answer.index = index_;
  Tell(std::move(answer));
}

// --- Views -------------------------------------------------------------------

FencingToken LockModel::HolderOf(absl::string_view key) const {
  const auto found = locks_.find(key);
  return found == locks_.end() ? FencingToken() : found->second.token;
}

std::string LockModel::RevokeReasonOf(absl::string_view key) const {
  const auto found = locks_.find(key);
  return found == locks_.end() ? "" : found->second.revoke_reason;
}

std::vector<LockModel::Holdings> LockModel::sessions() const {
  std::vector<Holdings> all;
  for (const auto& [id, session] : sessions_) {
    Holdings& owned = all.emplace_back();
    owned.session = id;
    for (const auto& [token, key] : session.held) owned.held.push_back(token);
    owned.waiting = session.waiting.size();
  }
  return all;
}

std::optional<ClusterTime> LockModel::NextDeadline() const {
  std::optional<ClusterTime> next;
  const auto note = [&next](ClusterTime deadline) {
    if (!next.has_value() || deadline < *next) next = deadline;
  };
  for (const auto& [id, session] : sessions_) note(session.deadline);
  for (const auto& [key, lock] : locks_) note(lock.deadline);
  return next;
}

Expire LockModel::Due(ClusterTime time, size_t limit) const {
  std::vector<std::tuple<ClusterTime, SessionId, uint64_t>> sessions;
  for (const auto& [id, session] : sessions_) {
    if (time < session.deadline) continue;
    sessions.emplace_back(session.deadline, id, session.renewal);
  }
  std::vector<std::tuple<ClusterTime, FencingToken, std::string>> locks;
  for (const auto& [key, lock] : locks_) {
    if (time < lock.deadline) continue;
    locks.emplace_back(lock.deadline, lock.token, key);
  }
  std::sort(sessions.begin(), sessions.end());
  std::sort(locks.begin(), locks.end());
  sessions.resize(std::min(limit, sessions.size()));
  locks.resize(std::min(limit, locks.size()));
  Expire due;
  for (const auto& [deadline, id, renewal] : sessions) {
    due.sessions.push_back({id, renewal});
  }
  for (const auto& [deadline, token, key] : locks) {
    due.locks.push_back({key, token});
  }
  return due;
}

std::vector<LockInfo> LockModel::List(const ListLocksRequest& request,
                                      ClusterTime time, bool* more) const {
  const size_t limit = PageLimit(request.limit, limits::kListLocksMax);
  std::vector<LockInfo> page;
  *more = false;
  for (const auto& [key, lock] : locks_) {
    if (!absl::StartsWith(key, request.prefix)) continue;
    if (key <= request.after) continue;
    *more = page.size() == limit;
    if (*more) break;
    page.push_back(InfoOf(key, lock, time));
  }
  return page;
}

std::vector<WaiterInfo> LockModel::ListWaiters(
    const ListWaitersRequest& request, bool* more) const {
  const size_t limit = PageLimit(request.limit, limits::kListWaitersMax);
  std::vector<WaiterInfo> page;
  *more = false;
  const auto found = locks_.find(request.key);
  if (found == locks_.end()) return page;
  const std::deque<Claim>& queue = found->second.queue;
  for (size_t place = request.skip; place < queue.size(); ++place) {
    *more = page.size() == limit;
    if (*more) break;
    const Claim& claim = queue[place];
    page.push_back(
        {claim.session, sessions_.at(claim.session).name, claim.owner});
  }
  return page;
}

LockInfo LockModel::InfoOf(const std::string& key, const Lock& lock,
                           ClusterTime time) const {
  const Session& holder = sessions_.at(lock.holder.session);
  return {.key = key,
          .token = lock.token,
          .holder = lock.holder.session,
          .holder_name = holder.name,
          .owner = lock.holder.owner,
          .remaining = std::min(lock.deadline, holder.deadline) - time,
          .lease_remaining = lock.deadline - time,
          .session_remaining = holder.deadline - time,
          .waiters = static_cast<uint32_t>(lock.queue.size()),
          .revoke_reason = lock.revoke_reason};
}

bool LockModel::HasQueue(const LockTable& table, const std::string& key) const {
  bool table_has_more = false;
  bool model_has_more = false;
  return table.ListWaiters({.key = key}, &table_has_more) ==
             ListWaiters({.key = key}, &model_has_more) &&
         table_has_more == model_has_more;
}

Complaint LockModel::Compare(const LockTable& table) const {
  if (table.session_count() != sessions_.size()) {
    return Say("the table has ", table.session_count(), " sessions after ",
               index_, ", the model ", sessions_.size());
  }
  if (table.lock_count() != locks_.size()) {
    return Say("the table has ", table.lock_count(), " locks after ", index_,
               ", the model ", locks_.size());
  }
  if (table.last_token() != last_token_) {
    return Say("the table has given tokens up to ", table.last_token(),
               ", the model up to ", last_token_);
  }
  if (table.NextDeadline() != NextDeadline()) {
    return Say("the table and the model differ in the next deadline",
               " after entry ", index_);
  }
  for (const auto& [key, lock] : locks_) {
    const bool is_same = table.Find(key, time_) == InfoOf(key, lock, time_);
    if (!is_same) {
      return Say("the table and the model differ in lock ", key,
                 " after entry ", index_);
    }
    if (!lock.queue.empty() && !HasQueue(table, key)) {
      return Say("the table and the model differ in who waits for ", key,
                 " after entry ", index_);
    }
  }
  return std::nullopt;
}

Complaint CheckReplies(LogIndex index, const std::vector<Reply>& model,
                       const std::vector<Reply>& table) {
  if (model == table) return std::nullopt;
  const auto [expected, actual] =
      std::mismatch(model.begin(), model.end(), table.begin(), table.end());
  return Say("entry ", index, ": the model replies \"",
             Describe(expected == model.end() ? nullptr : &*expected),
             "\", the table \"",
             Describe(actual == table.end() ? nullptr : &*actual), "\"");
}

}  // namespace cachalot::sim
