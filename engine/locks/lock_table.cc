#include "engine/locks/lock_table.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <variant>

#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "engine/check.h"
#include "engine/limits.h"

namespace cachalot {
namespace {

// Whether a lease may be this long. Others are refused and not shortened to the
// limits: the holder would believe in the length that it asked for.
bool IsTtl(absl::Duration ttl) {
  return limits::TtlMin() <= ttl && ttl <= limits::TtlMax();
}

bool IsValid(const OpenSession& command) {
  return IsTtl(command.ttl) && command.name.size() <= limits::kNameBytesMax;
}

bool IsValid(const Acquire& command) {
  return !command.key.empty() && command.key.size() <= limits::kKeyBytesMax &&
         command.owner.size() <= limits::kOwnerBytesMax && IsTtl(command.ttl);
}

bool IsValid(const Revoke& command) {
  return !command.key.empty() && command.key.size() <= limits::kKeyBytesMax &&
         !command.reason.empty() &&
         command.reason.size() <= limits::kReasonBytesMax;
}

Decided Busy(Limit limit) {
  return {.outcome = Outcome::kBusy, .limit = limit};
}

void ShowHolder(const HolderSeen& holder, Reply& reply) {
  reply.token = holder.token;
  reply.lease_remaining = holder.lease_remaining;
  reply.session_remaining = holder.session_remaining;
  reply.holder = holder.session;
  reply.holder_name = holder.name;
  reply.owner = holder.owner;
}

}  // namespace

std::vector<Reply> LockTable::Apply(LogIndex index, ClusterTime time,
                                    absl::Span<const LockCommand> commands) {
  std::vector<Reply> replies;
  replies.reserve(commands.size());
  Turn turn{.index = index, .time = time, .replies = &replies};
  Apply(commands, turn);
  return replies;
}

void LockTable::ApplyWithoutReplies(LogIndex index, ClusterTime time,
                                    absl::Span<const LockCommand> commands) {
  Turn turn{.index = index, .time = time, .replies = nullptr};
  Apply(commands, turn);
}

void LockTable::Apply(absl::Span<const LockCommand> commands, Turn& turn) {
  CHECK(turn.index > applied_) << turn.index << " after " << applied_;
  CHECK(turn.time >= time_) << turn.time << " after " << time_;
  applied_ = turn.index;
  time_ = turn.time;
  for (const LockCommand& command : commands) {
    std::visit([&](const auto& body) { Do(body, turn); }, command);
  }
}

Reply* LockTable::Turn::Tell(Reply::Kind kind, const SessionId& session) {
  if (replies == nullptr) return nullptr;
  Reply& reply = replies->emplace_back();
  reply.kind = kind;
  reply.session = session;
  reply.index = index;
  return &reply;
}

void LockTable::Turn::Answer(const SessionId& session, Sequence sequence,
                             const Decided& decided) {
  Reply* reply = Tell(Reply::Kind::kAnswered, session);
  if (reply == nullptr) return;
  reply->sequence = sequence;
  reply->outcome = decided.outcome;
  reply->token = decided.token;
  reply->granted_at = decided.granted_at;
  reply->limit = decided.limit;
  if (decided.holder != nullptr) ShowHolder(*decided.holder, *reply);
}

std::optional<ClusterTime> LockTable::NextDeadline() const {
  const std::optional<ClusterTime> session = sessions_.NextDeadline();
  const std::optional<ClusterTime> lock = locks_.NextDeadline();
  if (!session.has_value()) return lock;
  if (!lock.has_value()) return session;
  return std::min(*session, *lock);
}

Expire LockTable::Due(ClusterTime time, size_t limit) const {
  Expire expire;
  for (const SessionSlot slot : sessions_.Due(time, limit)) {
    expire.sessions.push_back({sessions_[slot].id, sessions_[slot].renewal});
  }
  for (const LockSlot slot : locks_.Due(time, limit)) {
    expire.locks.push_back({locks_[slot].key, locks_[slot].token});
  }
  return expire;
}

std::vector<LockInfo> LockTable::List(const ListLocksRequest& request,
                                      ClusterTime time, bool* more) const {
  const size_t limit =
      request.limit == 0
          ? limits::kListLocksMax
          : std::min<size_t>(request.limit, limits::kListLocksMax);
  const Locks::ByKey& by_key = locks_.by_key();
  auto next = request.after < request.prefix
                  ? by_key.lower_bound(request.prefix)
                  : by_key.upper_bound(request.after);
  std::vector<LockInfo> page;
  *more = false;
  for (; next != by_key.end(); ++next) {
    if (!absl::StartsWith(next->first, request.prefix)) break;
    if (page.size() == limit) {
      *more = true;
      break;
    }
    page.push_back(Describe(next->second, time));
  }
  return page;
}

std::optional<LockInfo> LockTable::Find(absl::string_view key,
                                        ClusterTime time) const {
  const std::optional<LockSlot> lock = locks_.Find(key);
  if (!lock.has_value()) return std::nullopt;
  return Describe(*lock, time);
}

std::vector<WaiterInfo> LockTable::ListWaiters(
    const ListWaitersRequest& request, bool* more) const {
  const size_t limit =
      request.limit == 0
          ? limits::kListWaitersMax
          : std::min<size_t>(request.limit, limits::kListWaitersMax);
  std::vector<WaiterInfo> page;
  *more = false;
  const std::optional<LockSlot> lock = locks_.Find(request.key);
  if (!lock.has_value()) return page;
  uint32_t place = 0;
  for (const auto& [ticket, claim] : locks_[*lock].queue) {
    if (place++ < request.skip) continue;
    if (page.size() == limit) {
      *more = true;
      break;
    }
    const Session& session = sessions_[claim.session];
    page.push_back({session.id, session.name, claim.owner});
  }
  return page;
}

void LockTable::CheckInvariants() const {
  const absl::Status audit = Audit();
  CHECK(audit.ok()) << audit;
}

void LockTable::Do(const OpenSession& command, Turn& turn) {
  const auto refuse = [&](const Decided& decided) {
    turn.Answer(command.session, Sequence(), decided);
  };
  if (!sessions_.Find(command.session).has_value()) {
    if (command.session.IsNone() || closed_.Contains(command.session)) {
      turn.Tell(Reply::Kind::kSessionGone, command.session);
      return;
    }
    if (!IsValid(command)) return refuse({.outcome = Outcome::kInvalid});
    if (turn.time < opens_at_) {
      if (Reply* reply =
              turn.Tell(Reply::Kind::kQuarantined, command.session)) {
        reply->session_remaining = opens_at_ - turn.time;
      }
      return;
    }
    if (sessions_.size() >= limits::kSessionsMax) {
      return refuse(Busy(Limit::kSessions));
    }
    if (sessions_.CountOf(command.session.node, limits::kSessionsPerNodeMax) ==
        limits::kSessionsPerNodeMax) {
      return refuse(Busy(Limit::kSessionsPerNode));
    }
    sessions_.Add({.id = command.session,
                   .name = command.name,
                   .ttl = command.ttl,
                   .deadline = turn.time + command.ttl});
  }
  tokens_.RaiseAbove(command.token_floor);
  if (Reply* reply = turn.Tell(Reply::Kind::kOpened, command.session)) {
    reply->token = tokens_.last();
  }
}

void LockTable::Do(const KeepAlive& command, Turn& turn) {
  const std::optional<SessionSlot> session = sessions_.Find(command.session);
  if (Reply* reply = turn.Tell(
          session.has_value() ? Reply::Kind::kKept : Reply::Kind::kSessionGone,
          command.session)) {
    reply->renewal = command.renewal;
    if (session.has_value()) reply->token = tokens_.last();
  }
  if (!session.has_value()) return;
  sessions_.Renew(*session, command.renewal, turn.time);
  sessions_.memos(*session).ForgetBelow(command.first_outstanding);
  // Before the repeated answers, which may include a refusal to renew: the
  // holder has to learn the reason first.
  const Session& kept = sessions_[*session];
  size_t room = kRepeatedPerKeepAlive;
  for (const FencingToken& token : kept.revoked) {
    if (room-- == 0) break;
    TellRevoked(kept.held.at(token), turn);
  }
  RepeatDecided(*session, turn);
}

void LockTable::Do(const CloseSession& command, Turn& turn) {
  turn.Tell(Reply::Kind::kClosed, command.session);
  const std::optional<SessionSlot> session = sessions_.Find(command.session);
  if (session.has_value()) {
    End(*session, turn);
  } else {
    // Its OpenSession may still arrive.
    closed_.Add(command.session, turn.time);
  }
}

void LockTable::Do(const Acquire& command, Turn& turn) {
  const std::optional<SessionSlot> session = Admit(command, turn);
  if (!session.has_value()) return;
  const auto decide = [&](Decided&& decided) {
    Decide(*session, command.sequence, std::move(decided), turn);
  };
  if (!IsValid(command)) return decide({.outcome = Outcome::kInvalid});
  if (sessions_[*session].held.size() >= limits::kLocksPerSessionMax) {
    return decide(Busy(Limit::kLocksPerSession));
  }
  if (locks_.size() >= limits::kLocksMax &&
      !locks_.Find(command.key).has_value()) {
    return decide(Busy(Limit::kLocks));
  }
  Claim claim{.session = *session,
              .acquire = command.sequence,
              .ttl = command.ttl,
              .owner = command.owner};
  const LockSlot slot = locks_.FindOrAdd(command.key);
  const Lock& lock = locks_[slot];
  if (lock.token.IsNone()) return Grant(slot, std::move(claim), turn);
  if (!command.waits) {
    return decide({.outcome = Outcome::kHeld,
                   .token = lock.token,
                   .holder = std::make_shared<const HolderSeen>(
                       SeeHolder(slot, turn.time))});
  }
  if (lock.queue.size() >= limits::kWaitersPerLockMax) {
    return decide(Busy(Limit::kWaitersPerLock));
  }
  if (sessions_[*session].memos.waiting() >= limits::kWaitersPerSessionMax) {
    return decide(Busy(Limit::kWaitersPerSession));
  }
  const Ticket ticket = locks_.Enqueue(slot, std::move(claim));
  sessions_.memos(*session).Put(command.sequence, Waiting{slot, ticket});
  TellQueued(command.session, command.sequence, slot, turn);
}

void LockTable::Do(const Renew& command, Turn& turn) {
  // Before the refusal, new or repeated: the holder has to learn the reason
  // first.
  const std::optional<SessionSlot> holder = sessions_.Find(command.session);
  if (holder.has_value() &&
      sessions_[*holder].revoked.contains(command.token)) {
    TellRevoked(sessions_[*holder].held.at(command.token), turn);
  }
  const std::optional<SessionSlot> session = Admit(command, turn);
  if (!session.has_value()) return;
  const auto decide = [&](Decided&& decided) {
    Decide(*session, command.sequence, std::move(decided), turn);
  };
  if (!IsTtl(command.ttl)) return decide({.outcome = Outcome::kInvalid});
  const std::optional<LockSlot> lock =
      FindHeld(*session, command.key, command.token);
  if (!lock.has_value() || !locks_[*lock].revoke_reason.empty()) {
    return decide({.outcome = Outcome::kNotHeld});
  }
  locks_.Extend(*lock, turn.time + command.ttl);
  decide({.outcome = Outcome::kOk, .token = command.token});
}

void LockTable::Do(const Release& command, Turn& turn) {
  const std::optional<SessionSlot> session = Admit(command, turn);
  if (!session.has_value()) return;
  const std::optional<LockSlot> lock =
      FindHeld(*session, command.key, command.token);
  const Outcome outcome = lock.has_value() ? Outcome::kOk : Outcome::kNotHeld;
  Decide(*session, command.sequence, {.outcome = outcome}, turn);
  if (lock.has_value()) PassOn(*lock, turn);
}

void LockTable::Do(const Withdraw& command, Turn& turn) {
  const std::optional<SessionSlot> session = Admit(command, turn);
  if (!session.has_value()) return;
  const Memos& memos = sessions_[*session].memos;
  const bool can_be_known =
      memos.IsForgotten(command.acquire) || memos.HasRoomFor(command.acquire);
  if (!can_be_known || command.acquire == command.sequence) {
    return Decide(*session, command.sequence, {.outcome = Outcome::kInvalid},
                  turn);
  }
  const Memo& memo = memos.Find(command.acquire);
  if (const auto* waiting = std::get_if<Waiting>(&memo)) {
    locks_.Dequeue(waiting->lock, waiting->ticket);
  }
  // An Acquire that arrives after its Withdraw must have no effect.
  const bool is_open = std::holds_alternative<Waiting>(memo) ||
                       (std::holds_alternative<Unseen>(memo) &&
                        !memos.IsForgotten(command.acquire));
  if (is_open) {
    Decide(*session, command.acquire, {.outcome = Outcome::kWithdrawn}, turn);
  }
  Decide(*session, command.sequence, {.outcome = Outcome::kOk}, turn);
  // The lock decides, not the memo, which may be forgotten while the lock is
  // held.
  const std::optional<LockSlot> lock = locks_.Find(command.key);
  if (!lock.has_value()) return;
  const Claim& holder = locks_[*lock].holder;
  if (holder.session == *session && holder.acquire == command.acquire) {
    PassOn(*lock, turn);
  }
}

void LockTable::Do(const Expire& command, Turn& turn) {
  for (const Expire::OfSession& part : command.sessions) {
    ExpireSession(part, turn);
  }
  for (const Expire::OfLock& part : command.locks) ExpireLock(part, turn);
}

void LockTable::Do(const BeginTerm& command, Turn& turn) {
  const bool is_first_term = tokens_.last().IsNone();
  if (is_first_term) opens_at_ = turn.time + command.quarantine;
  tokens_.RaiseAbove(command.token_base);
  sessions_.GiveGrace(turn.time, command.grace);
}

void LockTable::Do(const Revoke& command, Turn& turn) {
  const std::optional<SessionSlot> session = Admit(command, turn);
  if (!session.has_value()) return;
  const auto decide = [&](Decided&& decided) {
    Decide(*session, command.sequence, std::move(decided), turn);
  };
  if (!IsValid(command)) return decide({.outcome = Outcome::kInvalid});
  const std::optional<LockSlot> slot = locks_.Find(command.key);
  if (!slot.has_value()) return decide({.outcome = Outcome::kNotHeld});
  const Lock& lock = locks_[*slot];
  if (!command.token.IsNone() && command.token != lock.token) {
    return decide({.outcome = Outcome::kNotHeld});
  }
  if (lock.revoke_reason.empty()) {
    locks_.Revoke(*slot, command.reason);
    sessions_.revoked(lock.holder.session).insert(lock.token);
  }
  decide({.outcome = Outcome::kOk,
          .token = lock.token,
          .holder =
              std::make_shared<const HolderSeen>(SeeHolder(*slot, turn.time))});
  TellRevoked(*slot, turn);
}

// Has no effect if the session was renewed since the leader proposed this, or
// if the entry's own time is before the deadline (engine/client/README.md,
// lemma 2).
void LockTable::ExpireSession(const Expire::OfSession& part, Turn& turn) {
  const std::optional<SessionSlot> slot = sessions_.Find(part.session);
  if (!slot.has_value()) return;
  const Session& session = sessions_[*slot];
  if (session.renewal != part.renewal) return;
  if (turn.time < session.deadline) return;
  turn.Tell(Reply::Kind::kSessionGone, part.session);
  End(*slot, turn);
}

// The same for a lock: it names the grant, and a renewal has moved the
// deadline.
void LockTable::ExpireLock(const Expire::OfLock& part, Turn& turn) {
  const std::optional<LockSlot> slot = locks_.Find(part.key);
  if (!slot.has_value()) return;
  const Lock& lock = locks_[*slot];
  if (lock.token != part.token) return;
  if (turn.time < lock.deadline) return;
  const SessionId& holder = sessions_[lock.holder.session].id;
  if (Reply* reply = turn.Tell(Reply::Kind::kRevoked, holder)) {
    reply->token = part.token;
    reply->key = part.key;
  }
  PassOn(*slot, turn);
}

template <typename Command>
std::optional<SessionSlot> LockTable::Admit(const Command& command,
                                            Turn& turn) {
  const SessionId& id = command.session;
  const Sequence sequence = command.sequence;
  const std::optional<SessionSlot> session = sessions_.Find(id);
  if (!session.has_value()) {
    turn.Tell(Reply::Kind::kSessionGone, id);
    return std::nullopt;
  }
  sessions_.memos(*session).ForgetBelow(command.first_outstanding);
  const Memos& memos = sessions_[*session].memos;
  const Memo& memo = memos.Find(sequence);
  if (std::holds_alternative<Unseen>(memo)) {
    if (memos.IsForgotten(sequence)) {
      RepeatForgotten(*session, command, turn);
      return std::nullopt;
    }
    if (memos.HasRoomFor(sequence)) return session;
    turn.Answer(id, sequence, Busy(Limit::kRequestsPerSession));
    return std::nullopt;
  }
  if (const auto* decided = std::get_if<Decided>(&memo)) {
    turn.Answer(id, sequence, *decided);
  } else {
    TellQueued(id, sequence, std::get<Waiting>(memo).lock, turn);
  }
  return std::nullopt;
}

// Only a request that waited can be decided below the window before its session
// knows. The session asks again, and the lock itself has the answer.
void LockTable::RepeatForgotten(SessionSlot session, const Acquire& command,
                                Turn& turn) {
  Decided decided{.outcome = Outcome::kWithdrawn};
  const std::optional<LockSlot> lock = locks_.Find(command.key);
  if (lock.has_value()) {
    const Claim& holder = locks_[*lock].holder;
    if (holder.session == session && holder.acquire == command.sequence) {
      decided = {.outcome = Outcome::kOk,
                 .token = locks_[*lock].token,
                 .granted_at = locks_[*lock].granted_at};
    }
  }
  turn.Answer(command.session, command.sequence, decided);
}

std::optional<LockSlot> LockTable::FindHeld(SessionSlot session,
                                            absl::string_view key,
                                            FencingToken token) const {
  // By the token: the session's own grants are fewer than all locks.
  const auto& held = sessions_[session].held;
  const auto found = held.find(token);
  if (found == held.end() || locks_[found->second].key != key) {
    return std::nullopt;
  }
  return found->second;
}

void LockTable::LeaveQueues(SessionSlot session) {
  const Memos& memos = sessions_[session].memos;
  const auto leave = [this](const Memo& memo) {
    if (const auto* waiting = std::get_if<Waiting>(&memo)) {
      locks_.Dequeue(waiting->lock, waiting->ticket);
    }
  };
  for (const auto& [sequence, memo] : memos.waiting_below()) leave(memo);
  for (Sequence next = memos.first(); next < memos.end(); next = next.Next()) {
    leave(memos.Find(next));
  }
}

void LockTable::End(SessionSlot session, Turn& turn) {
  // First, or the session would be granted the locks that it releases.
  LeaveQueues(session);
  const auto& held = sessions_[session].held;
  while (!held.empty()) PassOn(held.begin()->second, turn);
  closed_.Add(sessions_[session].id, turn.time);
  sessions_.Remove(session);
}

void LockTable::Grant(LockSlot lock, Claim&& claim, Turn& turn) {
  const FencingToken token = tokens_.Next();
  auto& held = sessions_.held(claim.session);
  held.emplace_hint(held.end(), token, lock);
  Decide(claim.session, claim.acquire,
         {.outcome = Outcome::kOk, .token = token, .granted_at = turn.index},
         turn);
  const ClusterTime deadline = turn.time + claim.ttl;
  locks_.Grant(lock, token, turn.index, std::move(claim), deadline);
}

void LockTable::PassOn(LockSlot lock, Turn& turn) {
  const SessionSlot holder = locks_[lock].holder.session;
  sessions_.held(holder).erase(locks_[lock].token);
  if (!locks_[lock].revoke_reason.empty()) {
    sessions_.revoked(holder).erase(locks_[lock].token);
  }
  std::optional<Claim> next = locks_.TakeFirst(lock);
  if (next.has_value()) {
    Grant(lock, *std::move(next), turn);
  } else {
    locks_.Remove(lock);
  }
}

void LockTable::Decide(SessionSlot session, Sequence sequence,
                       Decided&& decided, Turn& turn) {
  turn.Answer(sessions_[session].id, sequence, decided);
  sessions_.memos(session).Put(sequence, std::move(decided));
}

void LockTable::RepeatDecided(SessionSlot session, Turn& turn) const {
  if (turn.replies == nullptr) return;
  const Memos& memos = sessions_[session].memos;
  size_t room = kRepeatedPerKeepAlive;
  for (Sequence next = memos.first(); next < memos.end() && room > 0;
       next = next.Next()) {
    if (const auto* decided = std::get_if<Decided>(&memos.Find(next))) {
      turn.Answer(sessions_[session].id, next, *decided);
      --room;
    }
  }
}

// A waiter is told who holds the lock, so that its caller can be told if the
// wait ends first.
void LockTable::TellQueued(const SessionId& session, Sequence sequence,
                           LockSlot lock, Turn& turn) const {
  Reply* reply = turn.Tell(Reply::Kind::kQueued, session);
  if (reply == nullptr) return;
  reply->sequence = sequence;
  ShowHolder(SeeHolder(lock, turn.time), *reply);
}

void LockTable::TellRevoked(LockSlot slot, Turn& turn) const {
  const Lock& lock = locks_[slot];
  Reply* reply =
      turn.Tell(Reply::Kind::kMustRelease, sessions_[lock.holder.session].id);
  if (reply == nullptr) return;
  reply->token = lock.token;
  reply->key = lock.key;
  reply->text = lock.revoke_reason;
}

HolderSeen LockTable::SeeHolder(LockSlot slot, ClusterTime time) const {
  const Lock& lock = locks_[slot];
  const Session& holder = sessions_[lock.holder.session];
  return {.session = holder.id,
          .name = holder.name,
          .owner = lock.holder.owner,
          .token = lock.token,
          .lease_remaining = lock.deadline - time,
          .session_remaining = holder.deadline - time};
}

LockInfo LockTable::Describe(LockSlot slot, ClusterTime time) const {
  const Lock& lock = locks_[slot];
  const Session& holder = sessions_[lock.holder.session];
  return {.key = lock.key,
          .token = lock.token,
          .holder = holder.id,
          .holder_name = holder.name,
          .owner = lock.holder.owner,
          .remaining = std::min(lock.deadline, holder.deadline) - time,
          .lease_remaining = lock.deadline - time,
          .session_remaining = holder.deadline - time,
          .waiters = static_cast<uint32_t>(lock.queue.size()),
          .revoke_reason = lock.revoke_reason};
}

absl::Status LockTable::Audit() const {
  absl::Status status = locks_.Audit();
  status.Update(sessions_.Audit());
  for (const auto& [id, slot] : sessions_.by_id()) {
    status.Update(AuditSession(slot));
  }
  for (const auto& [key, slot] : locks_.by_key()) {
    status.Update(AuditLock(slot));
  }
  return status;
}

absl::Status LockTable::AuditSession(SessionSlot slot) const {
  const Session& session = sessions_[slot];
  if (session.deadline > time_ + session.ttl) {
    return absl::InternalError("a session that outlives its ttl");
  }
  for (const auto& [token, lock] : session.held) {
    if (locks_[lock].token != token || locks_[lock].holder.session != slot) {
      return absl::InternalError("a session lists a lock of another");
    }
  }
  for (const FencingToken& token : session.revoked) {
    const auto held = session.held.find(token);
    if (held == session.held.end() ||
        locks_[held->second].revoke_reason.empty()) {
      return absl::InternalError("a session lists a lock that is not revoked");
    }
  }
  const auto has_its_place = [&](Sequence acquire, const Memo& memo) {
    const auto* waiting = std::get_if<Waiting>(&memo);
    if (waiting == nullptr) return true;
    const auto& queue = locks_[waiting->lock].queue;
    const auto place = queue.find(waiting->ticket);
    return place != queue.end() && place->second.session == slot &&
           place->second.acquire == acquire;
  };
  bool all_have = true;
  const Memos& memos = session.memos;
  for (const auto& [acquire, memo] : memos.waiting_below()) {
    all_have = all_have && has_its_place(acquire, memo);
  }
  for (Sequence next = memos.first(); next < memos.end(); next = next.Next()) {
    all_have = all_have && has_its_place(next, memos.Find(next));
  }
  return all_have
             ? absl::OkStatus()
             : absl::InternalError("a waiter without its place in the queue");
}

absl::Status LockTable::AuditLock(LockSlot slot) const {
  const Lock& lock = locks_[slot];
  if (lock.token > tokens_.last() || lock.granted_at > applied_) {
    return absl::InternalError("a grant that is yet to come");
  }
  if (lock.deadline > time_ + limits::TtlMax()) {
    return absl::InternalError("a lock that outlives every ttl");
  }
  const Session& holder = sessions_[lock.holder.session];
  const auto held = holder.held.find(lock.token);
  if (held == holder.held.end() || held->second != slot) {
    return absl::InternalError("a holder that does not list its lock");
  }
  if (holder.revoked.contains(lock.token) == lock.revoke_reason.empty()) {
    return absl::InternalError("a revoked lock that its session does not list");
  }
  if (!holder.memos.IsForgotten(lock.holder.acquire)) {
    const auto* decided =
        std::get_if<Decided>(&holder.memos.Find(lock.holder.acquire));
    if (decided == nullptr || decided->token != lock.token ||
        decided->granted_at != lock.granted_at) {
      return absl::InternalError("a holder that was not told of its grant");
    }
  }
  for (const auto& [ticket, claim] : lock.queue) {
    const auto* waiting = std::get_if<Waiting>(
        &sessions_[claim.session].memos.Find(claim.acquire));
    if (waiting == nullptr || waiting->ticket != ticket) {
      return absl::InternalError("a place in the queue for nobody");
    }
  }
  return absl::OkStatus();
}

}  // namespace cachalot
