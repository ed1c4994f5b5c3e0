#include "engine/client/client.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/check.h"
#include "engine/fingerprint.h"
#include "engine/limits.h"
#include "engine/overloaded.h"

// The session, and what is sent to and heard from the leader. Callers' requests
// are in client_requests.cc, what the node believes of its locks in
// client_belief.cc.

namespace cachalot {
namespace {

// The least time between two occasions on which all that is open is sent again:
// two nodes that each believe that the other leads must not send without pause.
constexpr absl::Duration LeaderPatience() { return absl::Milliseconds(25); }
constexpr size_t kKeepAlivesRemembered = 16;

// The part that all numbered commands have.
template <typename Command>
void SetHeader(Command& command, SessionId session, Sequence sequence) {
  command.session = session;
  command.sequence = sequence;
}

// Which limit was reached, for a person.
std::string LimitText(Limit limit) {
  switch (limit) {
    case Limit::kNone:
      return "";
    case Limit::kSessions:
      return absl::StrCat("the cluster has ", limits::kSessionsMax,
                          " sessions, the most that it may have");
    case Limit::kSessionsPerNode:
      return absl::StrCat("this member has ", limits::kSessionsPerNodeMax,
                          " sessions, the most that one may have: they end "
                          "when they are not kept alive");
    case Limit::kLocks:
      return absl::StrCat("the cluster has ", limits::kLocksMax,
                          " locks, the most that it may have");
    case Limit::kLocksPerSession:
      return absl::StrCat("this member holds ", limits::kLocksPerSessionMax,
                          " locks, the most that one may hold");
    case Limit::kWaitersPerLock:
      return absl::StrCat(limits::kWaitersPerLockMax,
                          " requests wait for this lock, the most that may");
    case Limit::kWaitersPerSession:
      return absl::StrCat(limits::kWaitersPerSessionMax,
                          " requests of this member wait for locks, the most "
                          "that may");
    case Limit::kRequestsPerSession:
      return absl::StrCat("this member has ", limits::kRequestsPerSessionMax,
                          " requests that are not done, the most that one may "
                          "have");
  }
  return "";
}

// Who holds `key`, as `reply` says.
LockInfo HolderOf(const std::string& key, const Reply& reply) {
  return {.key = key,
          .token = reply.token,
          .holder = reply.holder,
          .holder_name = reply.holder_name,
          .owner = reply.owner,
          .remaining = std::min(reply.lease_remaining, reply.session_remaining),
          .lease_remaining = reply.lease_remaining,
          .session_remaining = reply.session_remaining};
}

}  // namespace

Client::Client(LeaseOptions options, NodeId self, std::string name,
               Observer* observer)
    : options_(options),
      keep_alive_interval_(options.session_ttl / 3),
      self_(self),
      name_(std::move(name)),
      observer_(observer) {}

// --- The session ------------------------------------------------------------

void Client::Join(FastInstant now, FencingToken token_floor) {
  CHECK(state_ == State::kNone);
  tokens_seen_ = std::max(tokens_seen_, token_floor);
  OpenAnother(now);
}

void Client::OpenAnother(FastInstant now) {
  NumberSession(now);
  SendSession(now);
}

// Begins a session that is asked for from `now` on.
void Client::NumberSession(FastInstant now) {
  state_ = State::kOpening;
  session_ = SessionId{.node = self_, .number = session_.number + 1};
  session_first_sent_ = FastInstant::Never();
  session_belief_end_ = now;
  session_next_send_ = now;
  session_backoff_ = options_.retry_min;
  keep_alives_.clear();
  kept_.clear();
}

// `now` was read before the command is sent: belief counts from it (lemma 3).
void Client::SendSession(FastInstant now) {
  if (!CanSend() || session_next_send_ > now) return;
  switch (state_) {
    case State::kNone:
    case State::kClosed:
      return;
    case State::kOpening:
      if (session_first_sent_ == FastInstant::Never()) {
        session_first_sent_ = now;
      }
      output_.commands.push_back(OpenSession{.session = session_,
                                             .ttl = options_.session_ttl,
                                             .name = name_,
                                             .token_floor = tokens_seen_});
      break;
    case State::kOpen:
      keep_alives_.emplace_back(++renewal_, now);
      if (keep_alives_.size() > kKeepAlivesRemembered) keep_alives_.pop_front();
      output_.commands.push_back(
          KeepAlive{.session = session_,
                    .renewal = renewal_,
                    .first_outstanding = FirstOutstanding()});
      break;
    case State::kClosing:
      output_.commands.push_back(CloseSession{.session = session_});
      break;
  }
  session_next_send_ = now + session_backoff_;
  session_backoff_ =
      std::min({session_backoff_ * 2, options_.retry_max, KeepAliveInterval()});
}

// Belief ends before the close is sent (lemma 5).
void Client::Leave(FastInstant now) {
  if (state_ == State::kClosing || state_ == State::kClosed) return;
  LoseAll(LossReason::kLeft);
  AnswerAll(Outcome::kLeaving, "this node leaves the cluster");
  const bool never_asked =
      state_ == State::kOpening && session_first_sent_ == FastInstant::Never();
  if (state_ == State::kNone || never_asked) {
    state_ = State::kClosed;
    return;
  }
  state_ = State::kClosing;
  close_by_ = now + options_.leave_timeout;
  session_next_send_ = now;
  session_backoff_ = options_.retry_min;
  SendSession(now);
}

void Client::Dissolve(FastInstant now, NodeId self) {
  LoseAll(LossReason::kDissolved);
  self_ = self;
  leader_ = NodeId();
  if (state_ != State::kClosing && state_ != State::kClosed) {
    state_ = State::kNone;
  }
  session_next_send_ = FastInstant::Never();
  session_belief_end_ = now;
  keep_alives_.clear();
  kept_.clear();
  OnSessionGone(now);
}

void Client::OnSessionGone(FastInstant now) {
  // Nothing will ever be granted to the old session: Acquires can be sent again
  // in the next one, and what was to be released is free.
  std::vector<std::pair<Sequence, Operation>> old(
      std::make_move_iterator(operations_.begin()),
      std::make_move_iterator(operations_.end()));
  operations_.clear();
  undecided_.clear();
  by_request_.clear();
  for (auto& [sequence, operation] : old) {
    if (operation.request == RequestId()) continue;
    if (auto* acquire = std::get_if<Acquire>(&operation.command)) {
      TryAgain(now, operation.request, std::move(*acquire),
               operation.answer_by);
    } else if (operation.confirms.has_value()) {
      TryAgain(now, operation.request, *std::move(operation.confirms),
               operation.answer_by);
    } else if (!std::holds_alternative<Revoke>(operation.command)) {
      Answer(operation.request, Outcome::kNotHeld, "the session has expired");
    } else if (operation.first_sent == FastInstant::Never()) {
      Begin(now, operation.request, std::move(operation.command),
            operation.answer_by);
    } else {
      // Not sent again: another holder may have the lock by now.
      Answer(operation.request, Outcome::kUnknown,
             "this node's session ended before the answer came; see who holds "
             "the lock");
    }
  }
}

// --- Talking to the leader --------------------------------------------------

void Client::NoteLeader(FastInstant now, NodeId leader) {
  if (leader == leader_) return;
  leader_ = leader;
  if (!leader.IsNone()) AskAgain(now);
}

void Client::NoteLinkDown(FastInstant now) { AskAgain(now); }

void Client::NoteBusy(FastInstant now) {
  // Looks for what is due after retry_min; each request keeps its own retry
  // time.
  next_send_ = std::min(next_send_, now + options_.retry_min);
}

// Sends all that is open again: at once, or LeaderPatience() after the last
// time.
void Client::AskAgain(FastInstant now) {
  if (asked_again_ <= now) {
    asked_again_ = std::max(now, asked_again_ + LeaderPatience());
  }
  session_next_send_ = asked_again_;
  session_backoff_ = options_.retry_min;
  for (auto& [sequence, operation] : operations_) {
    if (!operation.abandoned) operation.next_send = asked_again_;
    operation.backoff = options_.retry_min;
  }
  for (auto& [number, read] : reads_) {
    read.next_send = asked_again_;
    read.backoff = options_.retry_min;
  }
  next_send_ = asked_again_;
  SendSession(now);
  SendDue(now);
}

Sequence Client::FirstOutstanding() const {
  return undecided_.empty() ? Sequence(last_sequence_ + 1)
                            : *undecided_.begin();
}

void Client::SendDue(FastInstant now) {
  if (!CanSend() || next_send_ > now) return;
  next_send_ = FastInstant::Never();
  if (state_ == State::kOpen) {
    for (auto& [sequence, operation] : operations_) {
      if (operation.next_send <= now) {
        SendOperation(now, sequence, operation);
      } else {
        next_send_ = std::min(next_send_, operation.next_send);
      }
    }
  }
  for (auto& [number, pending] : reads_) {
    if (pending.next_send <= now) {
      output_.reads.push_back(pending.read);
      pending.next_send = now + pending.backoff;
      pending.backoff = std::min(pending.backoff * 2, options_.retry_max);
    }
    next_send_ = std::min(next_send_, pending.next_send);
  }
}

void Client::SendOperation(FastInstant now, Sequence sequence,
                           Operation& operation) {
  if (operation.first_sent == FastInstant::Never()) operation.first_sent = now;
  operation.next_send = now + operation.backoff;
  operation.backoff = std::min(operation.backoff * 2, options_.retry_max);
  if (operation.queued) operation.next_send = NextLook(now, operation);
  next_send_ = std::min(next_send_, operation.next_send);
  std::visit(
      [&](auto& command) {
        using Command = std::decay_t<decltype(command)>;
        if constexpr (requires(Command c) {
                        c.first_outstanding;
                        c.sequence;
                      }) {
          SetHeader(command, session_, sequence);
          command.first_outstanding = FirstOutstanding();
        }
      },
      operation.command);
  output_.commands.push_back(operation.command);
}

void Client::Receive(FastInstant now, const Reply& reply) {
  if (reply.session != session_) return;  // of a session that is over
  switch (reply.kind) {
    case Reply::Kind::kOpened:
      if (state_ != State::kOpening) return;
      state_ = State::kOpen;
      tokens_seen_ = std::max(tokens_seen_, reply.token);
      Observe([&] { return SessionOpened{session_}; });
      session_belief_end_ =
          session_first_sent_ + BeliefSpan(options_.session_ttl, options_);
      session_next_send_ = session_first_sent_ + KeepAliveInterval();
      session_backoff_ = options_.retry_min;
      kept_.emplace_back(reply.index, session_first_sent_);
      next_send_ = now;
      SendSession(now);
      SendDue(now);
      return;
    case Reply::Kind::kKept:
      OnKept(now, reply);
      return;
    case Reply::Kind::kClosed:
      if (state_ == State::kClosing) state_ = State::kClosed;
      return;
    case Reply::Kind::kAnswered:
      OnAnswered(now, reply);
      return;
    case Reply::Kind::kQueued: {
      const auto found = operations_.find(reply.sequence);
      if (found == operations_.end() || found->second.abandoned) return;
      Operation& operation = found->second;
      const auto* acquire = std::get_if<Acquire>(&operation.command);
      if (acquire == nullptr || !acquire->waits) return;
      operation.queued = true;
      operation.holder = HolderOf(acquire->key, reply);
      operation.holder_seen = now;
      operation.next_send = NextLook(now, operation);
      next_send_ = std::min(next_send_, operation.next_send);
      undecided_.erase(reply.sequence);
      return;
    }
    case Reply::Kind::kSessionGone:
      if (state_ == State::kClosing) {
        state_ = State::kClosed;
        return;
      }
      if (state_ != State::kOpen && state_ != State::kOpening) return;
      Note([&] { return "session is gone -> open another"; });
      if (state_ == State::kOpen) {
        Observe([&] { return SessionLost{session_, LossReason::kRevoked}; });
      }
      LoseAll(LossReason::kRevoked);
      state_ = State::kNone;
      OnSessionGone(now);
      OpenAnother(now);
      return;
    case Reply::Kind::kRevoked:
      if (FindGrant(reply.key, reply.token) != nullptr) {
        Lose(by_key_.find(reply.key)->second, LossReason::kRevoked);
      }
      return;
    case Reply::Kind::kMustRelease:
      OnMustRelease(now, reply);
      return;
    case Reply::Kind::kQuarantined:
      if (state_ != State::kOpening) return;
      Observe([&] { return QuarantineMet{reply.session_remaining}; });
      // Under another number: an OpenSession of this one that is still under
      // way may open it after the quarantine, and belief counts from when the
      // first was sent (lemma 3).
      quarantine_end_ = now + reply.session_remaining;
      NumberSession(quarantine_end_);
      return;
  }
}

// Belief in the session counts from before the keep-alive was sent, not from
// its answer (lemma 3).
void Client::OnKept(FastInstant now, const Reply& reply) {
  if (state_ != State::kOpen) return;
  const auto sent = std::find_if(
      keep_alives_.begin(), keep_alives_.end(),
      [&reply](const auto& k) { return k.first == reply.renewal; });
  if (sent == keep_alives_.end()) return;
  tokens_seen_ = std::max(tokens_seen_, reply.token);
  const FastInstant before_sending = sent->second;
  keep_alives_.erase(keep_alives_.begin(), std::next(sent));
  session_belief_end_ =
      std::max(session_belief_end_,
               before_sending + BeliefSpan(options_.session_ttl, options_));
  // If other keep-alives are unanswered, the last of them has set when the next
  // is due: otherwise answers that were delayed and arrive together would each
  // cause another one.
  if (keep_alives_.empty()) {
    session_next_send_ = before_sending + KeepAliveInterval();
    session_backoff_ = options_.retry_min;
  }
  kept_.emplace_back(reply.index, before_sending);
  if (kept_.size() > kKeepAlivesRemembered) kept_.pop_front();
  NoteSessionBelief(now);
  SendSession(now);  // the answer may have taken longer than the interval
}

void Client::OnAnswered(FastInstant now, const Reply& reply) {
  const auto found = operations_.find(reply.sequence);
  if (found == operations_.end()) return;  // answered before
  Operation& operation = found->second;
  const RequestId request = operation.request;
  if (auto* withdraw = std::get_if<cachalot::Withdraw>(&operation.command)) {
    // If it was refused it is sent again: nothing else undoes the Acquire.
    if (reply.outcome != Outcome::kOk) return;
    Finish(withdraw->acquire);
    Finish(reply.sequence);
    return;
  }
  if (auto* acquire = std::get_if<Acquire>(&operation.command)) {
    if (operation.abandoned) return;  // its Withdraw undoes it
    switch (reply.outcome) {
      case Outcome::kOk:
        OnGranted(now, reply);
        return;
      case Outcome::kHeld: {
        Answer(request, Outcome::kHeld);
        cachalot::Answer& answer = output_.answers.back().answer;
        answer.token = reply.token;
        answer.holder = HolderOf(acquire->key, reply);
        Finish(reply.sequence);
        return;
      }
      case Outcome::kWithdrawn: {
        // It was granted, and the grant ended before this node heard of it.
        Acquire again = *acquire;
        const FastInstant answer_by = operation.answer_by;
        Finish(reply.sequence);
        TryAgain(now, request, std::move(again), answer_by);
        return;
      }
      case Outcome::kNotHeld:
      case Outcome::kTimedOut:
      case Outcome::kUnavailable:
      case Outcome::kUnknown:
      case Outcome::kInvalid:
      case Outcome::kLeaving:
      case Outcome::kBusy:
        Answer(request, reply.outcome, LimitText(reply.limit));
        Finish(reply.sequence);
        return;
    }
  }
  if (auto* revoke = std::get_if<Revoke>(&operation.command)) {
    std::string text = LimitText(reply.limit);
    if (reply.outcome == Outcome::kNotHeld) {
      text = revoke->token.IsNone() ? "nobody holds the lock"
                                    : "the lock is not held under this token";
    }
    Answer(request, reply.outcome, std::move(text));
    if (request != RequestId() && reply.outcome == Outcome::kOk) {
      cachalot::Answer& answer = output_.answers.back().answer;
      answer.token = reply.token;
      answer.holder = HolderOf(revoke->key, reply);
      answer.holder->revoke_reason = revoke->reason;
    }
    Finish(reply.sequence);
    return;
  }
  if (auto* renew = std::get_if<Renew>(&operation.command)) {
    if (operation.confirms.has_value()) {
      OnConfirmed(now, reply.sequence, reply.outcome);
      return;
    }
    Grant* grant = FindGrant(renew->key, renew->token);
    if (grant != nullptr && reply.outcome == Outcome::kOk) {
      // From the first copy that was sent: it may be the one that took effect.
      grant->ttl = renew->ttl;
      grant->lease_end =
          std::max(grant->lease_end,
                   operation.first_sent + BeliefSpan(renew->ttl, options_));
      Reconsider(now, by_key_.find(renew->key)->second);
      grant = FindGrant(renew->key, renew->token);
      // A caller that still waits learns the lease's end from the answer.
      if (grant != nullptr && request == RequestId()) TellLeaseMoved(*grant);
    } else if (grant != nullptr && reply.outcome == Outcome::kNotHeld &&
               grant->revoke_reason.empty()) {
      Lose(by_key_.find(renew->key)->second, LossReason::kRevoked);
      grant = nullptr;
    }
    const bool lost = grant == nullptr && reply.outcome == Outcome::kOk;
    Answer(request, lost ? Outcome::kNotHeld : reply.outcome);
    if (request != RequestId()) {
      output_.answers.back().answer.token = renew->token;
      if (grant != nullptr) {
        output_.answers.back().answer.lease_end = grant->lease_end;
      }
    }
    Finish(reply.sequence);
    return;
  }
  // Release. If it was refused with kBusy it is sent again: its caller has
  // given up the lock, and nothing else would release it.
  if (reply.outcome == Outcome::kBusy) return;
  Answer(request, reply.outcome);
  Finish(reply.sequence);
}

void Client::Receive(FastInstant /*now*/, const ReadResult& result) {
  const auto found = reads_.find(result.number);
  if (found == reads_.end()) return;
  Answer(found->second.request, Outcome::kOk);
  cachalot::Answer& answer = output_.answers.back().answer;
  answer.locks = result.locks;
  answer.more = result.more;
  answer.members = result.members;
  answer.waiters = result.waiters;
  answer.holder = result.holder;
  reads_.erase(found);
}

// --- Timers -----------------------------------------------------------------

void Client::FireTimers(FastInstant now) {
  // Belief first: nothing that happens at this instant may extend a belief that
  // ends at this instant.
  FireBelief(now);
  if (close_by_ <= now && state_ == State::kClosing) state_ = State::kClosed;
  if (next_answer_by_ <= now) {
    next_answer_by_ = FastInstant::Never();
    std::vector<Sequence> late;
    for (const auto& [sequence, operation] : operations_) {
      if (operation.answer_by <= now) {
        late.push_back(sequence);
      } else {
        next_answer_by_ = std::min(next_answer_by_, operation.answer_by);
      }
    }
    for (const Sequence sequence : late) OnDeadline(now, sequence);
    for (auto it = reads_.begin(); it != reads_.end();) {
      if (it->second.answer_by <= now) {
        Answer(it->second.request, Outcome::kUnavailable,
               "no leader answered in time");
        it = reads_.erase(it);
      } else {
        next_answer_by_ = std::min(next_answer_by_, it->second.answer_by);
        ++it;
      }
    }
  }
  SendSession(now);
  SendDue(now);
}

FastInstant Client::NextDeadline() const {
  FastInstant next = std::min(next_answer_by_, tell_at_);
  if (!checks_.empty()) next = std::min(next, checks_.begin()->first);
  if (!grants_.empty()) {
    next = std::min(
        next, session_is_suspect_ ? session_belief_end_ : SessionSuspectFrom());
  }
  if (state_ == State::kClosing) next = std::min(next, close_by_);
  if (CanSend()) {
    if (state_ != State::kNone && state_ != State::kClosed) {
      next = std::min(next, session_next_send_);
    }
    if (state_ == State::kOpen || !reads_.empty()) {
      next = std::min(next, next_send_);
    }
  }
  return next;
}

}  // namespace cachalot
