#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/check.h"
#include "engine/client/client.h"
#include "engine/fingerprint.h"

// What this node believes of the locks it was granted (README.md of this
// folder: why belief ends before anybody else is granted the lock).

namespace cachalot {
namespace {

// Takes a few hundred microseconds.
constexpr size_t kHoldersToldPerStep = 2048;

// Adds the commands that have a number; the client keeps no others.
void AddTo(Fingerprint& hash, const LockCommand& command) {
  hash.Add(uint64_t{command.index()});
  std::visit(
      [&hash](const auto& c) {
        if constexpr (requires { c.first_outstanding, c.key; }) {
          hash.Add(c.session).Add(c.sequence).Add(c.first_outstanding);
          hash.Add(c.key);
        }
        if constexpr (requires { c.token; }) hash.Add(c.token);
        if constexpr (requires { c.ttl; }) hash.Add(c.ttl);
        if constexpr (requires { c.waits; }) hash.Add(uint64_t{c.waits});
        if constexpr (requires { c.acquire; }) hash.Add(c.acquire);
        if constexpr (requires { c.reason; }) hash.Add(c.reason);
      },
      command);
}

}  // namespace

absl::Duration BeliefSpan(absl::Duration ttl, const LeaseOptions& options) {
  constexpr int64_t kMillion = 1'000'000;
  // ttl * (1 - rho) / (1 + rho), rounded down. The grantor's clock may be fast
  // by rho, the holder's slow by rho.
  return ttl * (kMillion - options.rate_bound_ppm) /
             (kMillion + options.rate_bound_ppm) -
         options.slack;
}

// The latest moment of which it is known that it precedes the entry `grant`:
// the request was sent before that entry, and so was each keep-alive that was
// applied at a lower index (engine/client/README.md, lemma 4).
FastInstant Client::EarnedBefore(FastInstant first_sent, LogIndex grant) const {
  FastInstant earned = first_sent;
  for (const auto& [index, before_sending] : kept_) {
    if (index < grant) earned = std::max(earned, before_sending);
  }
  return earned;
}

// Belief in a grant counts from a moment before the entry that granted it
// (lemma 4).
void Client::OnGranted(FastInstant now, const Reply& reply) {
  const Sequence sequence = reply.sequence;
  const FencingToken token = reply.token;
  Operation& operation = operations_.at(sequence);
  const Acquire acquire = std::get<Acquire>(std::move(operation.command));
  const RequestId request = operation.request;
  const FastInstant answer_by = operation.answer_by;
  const absl::Duration span = BeliefSpan(acquire.ttl, options_);
  const FastInstant lease_end =
      EarnedBefore(operation.first_sent, reply.granted_at) + span;
  Finish(sequence);
  const FastInstant end = std::min(lease_end, session_belief_end_);
  if (lease_end - now >= span / 2 && end > now) {
    Hold(now, request, acquire, token, lease_end);
    return;
  }
  // Too little of the lease is known to be left: a waiter counts from the last
  // command before its grant, or the answer took long. Renew before handing it
  // out.
  Note([&] {
    return absl::StrCat("grant of ", acquire.key,
                        " is old news -> renew it first");
  });
  Renew renew;
  renew.key = acquire.key;
  renew.token = token;
  renew.ttl = acquire.ttl;
  const Sequence renewal = Begin(now, request, std::move(renew), answer_by);
  operations_.at(renewal).confirms = acquire;
  by_request_[request] = renewal;
}

void Client::OnConfirmed(FastInstant now, Sequence sequence, Outcome outcome) {
  Operation& operation = operations_.at(sequence);
  const Renew renew = std::get<Renew>(operation.command);
  Acquire acquire = *std::move(operation.confirms);
  const RequestId request = operation.request;
  const FastInstant answer_by = operation.answer_by;
  const FastInstant lease_end =
      operation.first_sent + BeliefSpan(renew.ttl, options_);
  Finish(sequence);
  if (outcome != Outcome::kOk) {
    TryAgain(now, request, std::move(acquire), answer_by);
    return;
  }
  if (std::min(lease_end, session_belief_end_) > now) {
    Hold(now, request, acquire, renew.token, lease_end);
    return;
  }
  Answer(request, Outcome::kUnavailable,
         "the cluster answers too slowly for this lease; it is given back");
  GiveBack(now, renew.key, renew.token);
}

void Client::Hold(FastInstant now, RequestId request, const Acquire& acquire,
                  FencingToken token, FastInstant lease_end) {
  const auto other = by_key_.find(acquire.key);
  if (other != by_key_.end()) {
    // The cluster took the old grant away; our belief in it was about to end.
    Lose(other->second, LossReason::kRevoked);
  }
  NoteSessionBelief(now);
  Answer(request, Outcome::kOk);
  output_.answers.back().answer.token = token;
  output_.answers.back().answer.lease_end = lease_end;
  // If this node joins another cluster, that one's tokens are to be above ours.
  tokens_seen_ = std::max(tokens_seen_, token);
  const Sequence sequence = acquire.sequence;
  Grant& grant = grants_[sequence];
  grant.request = request;
  grant.key = acquire.key;
  grant.token = token;
  grant.ttl = acquire.ttl;
  grant.lease_end = lease_end;
  grant.belief = Belief::kHeld;
  grant.next_check = FastInstant::Never();
  by_key_[acquire.key] = sequence;
  by_grant_[request] = sequence;
  Reconsider(now, sequence);
}

// An administrator took the lock. Nobody else is granted it before this node
// releases it.
void Client::OnMustRelease(FastInstant now, const Reply& reply) {
  if (const Grant* grant = FindGrant(reply.key, reply.token);
      grant != nullptr) {
    const Sequence sequence = by_key_.find(reply.key)->second;
    if (self_releasing_.contains(grant->request)) {
      TellRevoked(now, sequence, reply.text);
    } else {
      Lose(sequence, LossReason::kRevoked, reply.text);
      GiveBack(now, reply.key, reply.token);
    }
    return;
  }
  // Or the grant is being renewed before it is handed out: its caller has not
  // been told of it, and is put into the queue again.
  for (const auto& [sequence, operation] : operations_) {
    const auto* renew = std::get_if<Renew>(&operation.command);
    if (renew == nullptr || !operation.confirms.has_value() ||
        renew->token != reply.token) {
      continue;
    }
    const RequestId request = operation.request;
    Acquire again = *operation.confirms;
    const FastInstant answer_by = operation.answer_by;
    Finish(sequence);
    GiveBack(now, reply.key, reply.token);
    TryAgain(now, request, std::move(again), answer_by);
    return;
  }
}

// The holder releases it by itself. If it does not, belief ends with the lease,
// which can no longer be renewed.
void Client::TellRevoked(FastInstant now, Sequence sequence,
                         const std::string& reason) {
  Grant& grant = grants_.at(sequence);
  if (!grant.revoke_reason.empty()) return;  // told before
  grant.revoke_reason = reason;
  grant.belief = Belief::kSuspect;
  output_.notices.push_back(NotifyHolder{.request = grant.request,
                                         .key = grant.key,
                                         .token = grant.token,
                                         .belief = Belief::kSuspect,
                                         .reason = LossReason::kRevoked,
                                         .text = reason,
                                         .lease_end = grant.lease_end});
  Reconsider(now, sequence);
}

FastInstant Client::BeliefEnd(const Grant& grant) const {
  return std::min(grant.lease_end, session_belief_end_);
}

FastInstant Client::SessionSuspectFrom() const {
  return session_belief_end_ - keep_alive_interval_;
}

// Compares the grant's ends with `now`: loses it, or tells its holder if belief
// has changed, and sets when the lease is checked next.
void Client::Reconsider(FastInstant now, Sequence sequence) {
  Grant& grant = grants_.at(sequence);
  if (BeliefEnd(grant) <= now) {
    const std::string key = grant.key;
    const FencingToken token = grant.token;
    const std::string reason = grant.revoke_reason;
    Lose(sequence, reason.empty() ? LossReason::kExpired : LossReason::kRevoked,
         reason);
    // For the cluster the lease may still run: release what nobody uses.
    GiveBack(now, key, token);
    return;
  }
  const FastInstant lease_suspect_from = grant.lease_end - grant.ttl / 3;
  const bool lease_is_suspect = lease_suspect_from <= now;
  const Belief belief =
      lease_is_suspect || session_is_suspect_ || !grant.revoke_reason.empty()
          ? Belief::kSuspect
          : Belief::kHeld;
  if (belief != grant.belief) {
    grant.belief = belief;
    output_.notices.push_back(NotifyHolder{.request = grant.request,
                                           .key = grant.key,
                                           .token = grant.token,
                                           .belief = belief,
                                           .lease_end = grant.lease_end});
  }
  const FastInstant next_check =
      lease_is_suspect ? grant.lease_end : lease_suspect_from;
  if (next_check == grant.next_check) return;
  checks_.erase({grant.next_check, sequence});
  grant.next_check = next_check;
  checks_.insert({next_check, sequence});
}

void Client::TellLeaseMoved(const Grant& grant) {
  output_.notices.push_back(NotifyHolder{.request = grant.request,
                                         .key = grant.key,
                                         .token = grant.token,
                                         .belief = grant.belief,
                                         .lease_moved = true,
                                         .lease_end = grant.lease_end});
}

void Client::FireBelief(FastInstant now) {
  if (session_belief_end_ <= now) {
    while (!grants_.empty()) Reconsider(now, grants_.begin()->first);
  }
  while (!checks_.empty() && checks_.begin()->first <= now) {
    Reconsider(now, checks_.begin()->second);
  }
  NoteSessionBelief(now);
  if (tell_at_ <= now) TellHolders(now);
}

void Client::NoteSessionBelief(FastInstant now) {
  const bool is_suspect = SessionSuspectFrom() <= now;
  if (is_suspect == session_is_suspect_) return;
  session_is_suspect_ = is_suspect;
  untold_from_ = Sequence();
  TellHolders(now);
}

// kSuspect is a warning: it does no harm if some holders hear of it a little
// later, while a step that tells 100,000 of them would delay everything else.
void Client::TellHolders(FastInstant now) {
  tell_at_ = FastInstant::Never();
  if (!untold_from_.has_value()) return;
  auto next = grants_.lower_bound(*untold_from_);
  for (size_t told = 0; told < kHoldersToldPerStep; ++told) {
    if (next == grants_.end()) break;
    const Sequence sequence = next->first;
    Reconsider(now, sequence);
    next = grants_.upper_bound(sequence);
  }
  if (next == grants_.end()) {
    untold_from_.reset();
    return;
  }
  untold_from_ = next->first;
  tell_at_ = now + absl::Nanoseconds(1);
}

void Client::Lose(Sequence sequence, LossReason reason,
                  absl::string_view text) {
  const auto found = grants_.find(sequence);
  CHECK(found != grants_.end());
  Grant& grant = found->second;
  output_.notices.push_back(NotifyHolder{.request = grant.request,
                                         .key = grant.key,
                                         .token = grant.token,
                                         .belief = Belief::kLost,
                                         .reason = reason,
                                         .text = std::string(text)});
  checks_.erase({grant.next_check, sequence});
  by_key_.erase(grant.key);
  by_grant_.erase(grant.request);
  self_releasing_.erase(grant.request);
  grants_.erase(found);
}

void Client::LoseAll(LossReason reason) {
  while (!grants_.empty()) Lose(grants_.begin()->first, reason);
}

Client::Grant* Client::FindGrant(absl::string_view key, FencingToken token) {
  const auto named = by_key_.find(key);
  if (named == by_key_.end()) return nullptr;
  Grant& grant = grants_.at(named->second);
  return grant.token == token ? &grant : nullptr;
}

Client::Held Client::Describe(const Grant& grant) const {
  return Held{.request = grant.request,
              .key = grant.key,
              .token = grant.token,
              .lease_end = grant.lease_end,
              .belief_end = BeliefEnd(grant),
              .belief = grant.belief};
}

std::vector<Client::Held> Client::held() const {
  std::vector<Held> all;
  for (const auto& [sequence, grant] : grants_) all.push_back(Describe(grant));
  return all;
}

std::optional<Client::Held> Client::Find(RequestId request) const {
  const auto found = by_grant_.find(request);
  if (found == by_grant_.end()) return std::nullopt;
  return Describe(grants_.at(found->second));
}

void Client::CheckInvariants() const {
  CHECK(by_key_.size() == grants_.size());
  CHECK(by_grant_.size() == grants_.size());
  CHECK(checks_.size() == grants_.size());
  for (const auto& [sequence, grant] : grants_) {
    CHECK(by_key_.at(grant.key) == sequence);
    CHECK(by_grant_.at(grant.request) == sequence);
    CHECK(checks_.contains({grant.next_check, sequence}));
  }
  for (const auto& [request, sequence] : by_request_) {
    CHECK(operations_.at(sequence).request == request);
  }
  for (const auto& [sequence, operation] : operations_) {
    CHECK(undecided_.contains(sequence) !=
          (operation.queued && !operation.abandoned));
  }
  if (state_ == State::kNone) CHECK(grants_.empty());
}

uint64_t Client::Fingerprint() const {
  class Fingerprint hash;
  hash.Add(static_cast<uint64_t>(state_)).Add(session_).Add(leader_);
  hash.Add(asked_again_).Add(tokens_seen_).Add(session_first_sent_);
  hash.Add(session_belief_end_).Add(session_next_send_).Add(session_backoff_);
  hash.Add(close_by_).Add(renewal_).Add(last_sequence_).Add(last_read_);
  for (const auto& [renewal, sent] : keep_alives_) hash.Add(renewal).Add(sent);
  for (const auto& [index, sent] : kept_) hash.Add(index).Add(sent);
  for (const auto& [sequence, operation] : operations_) {
    hash.Add(sequence).Add(operation.request);
    AddTo(hash, operation.command);
    hash.Add(operation.first_sent).Add(operation.next_send);
    hash.Add(operation.backoff).Add(operation.answer_by);
    hash.Add(uint64_t{operation.queued} * 2 + uint64_t{operation.abandoned});
    hash.Add(uint64_t{operation.confirms.has_value()});
  }
  for (const auto& [number, read] : reads_) {
    hash.Add(number).Add(read.next_send).Add(read.backoff).Add(read.answer_by);
  }
  hash.Add(next_send_).Add(next_answer_by_);
  for (const auto& [sequence, grant] : grants_) {
    hash.Add(sequence).Add(grant.request).Add(grant.key).Add(grant.token);
    hash.Add(grant.ttl).Add(grant.lease_end).Add(grant.next_check);
    hash.Add(static_cast<uint64_t>(grant.belief)).Add(grant.revoke_reason);
  }
  for (const RequestId request : self_releasing_) hash.Add(request);
  hash.Add(uint64_t{session_is_suspect_}).Add(tell_at_);
  hash.Add(untold_from_.value_or(Sequence(UINT64_MAX)));
  hash.Add(uint64_t{has_output()});
  return hash.value();
}

}  // namespace cachalot
