#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "engine/client/client.h"
#include "engine/limits.h"
#include "engine/overloaded.h"

// The requests of callers, each from its submission to its only answer.

namespace cachalot {
namespace {

// Callers may use half of the requests that one session may have open. The rest
// are for undoing requests whose callers no longer wait.
constexpr size_t kCallersRequestsMax = limits::kRequestsPerSessionMax / 2;

std::string CheckKey(const std::string& key) {
  if (!key.empty() && key.size() <= limits::kKeyBytesMax) return "";
  return absl::StrCat("the key has ", key.size(), " bytes; it must have 1 to ",
                      limits::kKeyBytesMax);
}

std::string CheckTtl(absl::Duration ttl) {
  if (ttl >= limits::TtlMin() && ttl <= limits::TtlMax()) return "";
  return absl::StrCat("the ttl is ", absl::FormatDuration(ttl),
                      "; it must lie in ",
                      absl::FormatDuration(limits::TtlMin()), " to ",
                      absl::FormatDuration(limits::TtlMax()));
}

}  // namespace

void Client::Submit(FastInstant now, RequestId request, const Request& body) {
  if (state_ == State::kClosing || state_ == State::kClosed) {
    Answer(request, Outcome::kLeaving, "this node leaves the cluster");
    return;
  }
  if (operations_.size() + reads_.size() >= kCallersRequestsMax) {
    Answer(request, Outcome::kBusy,
           absl::StrCat("more than ", kCallersRequestsMax,
                        " requests of this node are open"));
    return;
  }
  std::visit(
      Overloaded{
          [&](const AcquireRequest& r) { SubmitAcquire(now, request, r); },
          [&](const RenewRequest& r) { SubmitRenew(now, request, r); },
          [&](const ReleaseRequest& r) { SubmitRelease(now, request, r); },
          [&](const RevokeRequest& r) { SubmitRevoke(now, request, r); },
          [&](const ListLocksRequest& r) {
            SubmitRead(now, request, Read{.what = r});
          },
          [&](const ListMembersRequest& r) {
            SubmitRead(now, request, Read{.what = r});
          },
          [&](const ListWaitersRequest& r) {
            std::string wrong = CheckKey(r.key);
            if (!wrong.empty()) {
              Answer(request, Outcome::kInvalid, std::move(wrong));
              return;
            }
            SubmitRead(now, request, Read{.what = r});
          }},
      body);
}

void Client::SubmitAcquire(FastInstant now, RequestId request,
                           const AcquireRequest& body) {
  std::string wrong = CheckKey(body.key);
  if (wrong.empty()) wrong = CheckTtl(body.ttl);
  if (wrong.empty() && body.owner.size() > limits::kOwnerBytesMax) {
    wrong = absl::StrCat("the owner has ", body.owner.size(),
                         " bytes; it may have ", limits::kOwnerBytesMax);
  }
  if (wrong.empty() && body.wait < absl::ZeroDuration()) {
    wrong = "the wait is negative";
  }
  if (!wrong.empty()) {
    Answer(request, Outcome::kInvalid, std::move(wrong));
    return;
  }
  const bool waits = body.wait > absl::ZeroDuration();
  const absl::Duration patience =
      waits ? std::min(body.wait, limits::WaitMax()) : options_.request_timeout;
  Acquire acquire;
  acquire.key = body.key;
  acquire.ttl = body.ttl;
  acquire.waits = waits;
  acquire.owner = body.owner;
  if (body.releases_itself) self_releasing_.insert(request);
  TryAgain(now, request, std::move(acquire), now + patience);
}

void Client::TryAgain(FastInstant now, RequestId request, Acquire&& acquire,
                      FastInstant answer_by) {
  const Sequence sequence = Begin(now, request, std::move(acquire), answer_by);
  by_request_[request] = sequence;
}

void Client::SubmitRenew(FastInstant now, RequestId request,
                         const RenewRequest& body) {
  std::string wrong = CheckKey(body.key);
  if (wrong.empty()) wrong = CheckTtl(body.ttl);
  if (!wrong.empty()) {
    Answer(request, Outcome::kInvalid, std::move(wrong));
    return;
  }
  if (FindGrant(body.key, body.token) == nullptr) {
    Answer(request, Outcome::kNotHeld);
    return;
  }
  Renew renew;
  renew.key = body.key;
  renew.token = body.token;
  renew.ttl = body.ttl;
  Begin(now, request, std::move(renew), now + options_.request_timeout);
}

void Client::SubmitRelease(FastInstant now, RequestId request,
                           const ReleaseRequest& body) {
  if (FindGrant(body.key, body.token) == nullptr) {
    Answer(request, Outcome::kNotHeld);
    return;
  }
  // Belief ends before the release is sent (lemma 5).
  Lose(by_key_.find(body.key)->second, LossReason::kReleased);
  Release release;
  release.key = body.key;
  release.token = body.token;
  Begin(now, request, std::move(release), now + options_.request_timeout);
}

void Client::SubmitRevoke(FastInstant now, RequestId request,
                          const RevokeRequest& body) {
  std::string wrong = CheckKey(body.key);
  if (wrong.empty() && body.reason.empty()) {
    wrong = "the reason is empty; its holder is to know why it loses the lock";
  }
  if (wrong.empty() && body.reason.size() > limits::kReasonBytesMax) {
    wrong = absl::StrCat("the reason has ", body.reason.size(),
                         " bytes; it may have ", limits::kReasonBytesMax);
  }
  if (!wrong.empty()) {
    Answer(request, Outcome::kInvalid, std::move(wrong));
    return;
  }
  Revoke revoke;
  revoke.key = body.key;
  revoke.token = body.token;
  revoke.reason = body.reason;
  Begin(now, request, std::move(revoke), now + options_.request_timeout);
}

void Client::SubmitRead(FastInstant now, RequestId request, Read read) {
  read.number = ++last_read_;
  PendingRead& pending = reads_[read.number];
  pending = PendingRead{.request = request,
                        .read = std::move(read),
                        .next_send = now,
                        .backoff = options_.retry_min,
                        .answer_by = now + options_.request_timeout};
  next_answer_by_ = std::min(next_answer_by_, pending.answer_by);
  next_send_ = now;
  SendDue(now);
}

Sequence Client::Begin(FastInstant now, RequestId request, LockCommand command,
                       FastInstant answer_by) {
  const Sequence sequence(++last_sequence_);
  Operation& operation =
      operations_.try_emplace(operations_.end(), sequence)->second;
  operation.request = request;
  operation.command = std::move(command);
  operation.next_send = now;
  operation.backoff = options_.retry_min;
  operation.answer_by = answer_by;
  undecided_.insert(undecided_.end(), sequence);
  next_answer_by_ = std::min(next_answer_by_, answer_by);
  // Otherwise it is sent when the session opens or a leader is known.
  if (CanSend() && state_ == State::kOpen) {
    SendOperation(now, sequence, operation);
  }
  return sequence;
}

void Client::Finish(Sequence sequence) {
  const auto found = operations_.find(sequence);
  if (found == operations_.end()) return;
  const auto named = by_request_.find(found->second.request);
  if (named != by_request_.end() && named->second == sequence) {
    by_request_.erase(named);
  }
  operations_.erase(found);
  undecided_.erase(sequence);
}

void Client::Answer(RequestId request, Outcome outcome, std::string text) {
  if (request == RequestId()) return;
  AnswerRequest& answer = output_.answers.emplace_back();
  answer.request = request;
  answer.answer.outcome = outcome;
  answer.answer.text = std::move(text);
  if (outcome != Outcome::kOk) self_releasing_.erase(request);
}

void Client::AnswerAll(Outcome outcome, absl::string_view text) {
  for (auto& [sequence, operation] : operations_) {
    Answer(operation.request, outcome, std::string(text));
  }
  for (auto& [number, read] : reads_) {
    Answer(read.request, outcome, std::string(text));
  }
  operations_.clear();
  undecided_.clear();
  by_request_.clear();
  reads_.clear();
}

void Client::Withdraw(FastInstant now, RequestId request) {
  const auto named = by_request_.find(request);
  if (named == by_request_.end()) return;  // answered, or not an Acquire
  Answer(request, Outcome::kWithdrawn);
  Abandon(now, named->second);
}

// The caller of an Acquire has been answered without the lock. If the lock is
// granted later, it is released.
void Client::Abandon(FastInstant now, Sequence sequence) {
  Operation& operation = operations_.at(sequence);
  by_request_.erase(operation.request);
  operation.request = RequestId();
  if (operation.confirms.has_value()) {
    const Renew renew = std::get<Renew>(operation.command);
    Finish(sequence);
    GiveBack(now, renew.key, renew.token);
    return;
  }
  if (operation.first_sent == FastInstant::Never()) {
    Finish(sequence);
    return;
  }
  operation.abandoned = true;
  operation.next_send = FastInstant::Never();
  undecided_.insert(sequence);
  cachalot::Withdraw withdraw;
  withdraw.key = std::get<Acquire>(operation.command).key;
  withdraw.acquire = sequence;
  Begin(now, RequestId(), std::move(withdraw), FastInstant::Never());
}

void Client::GiveBack(FastInstant now, const std::string& key,
                      FencingToken token) {
  Release release;
  release.key = key;
  release.token = token;
  Begin(now, RequestId(), std::move(release), FastInstant::Never());
}

void Client::OnDeadline(FastInstant now, Sequence sequence) {
  Operation& operation = operations_.at(sequence);
  operation.answer_by = FastInstant::Never();
  const RequestId request = operation.request;
  const bool was_sent = operation.first_sent != FastInstant::Never();
  const bool is_acquire = std::holds_alternative<Acquire>(operation.command);
  if (is_acquire || operation.confirms.has_value()) {
    AnswerLate(now, operation);
    Abandon(now, sequence);
    return;
  }
  if (was_sent) {
    Answer(request, Outcome::kUnknown,
           "no answer came in time; it may have happened, or may yet");
    operation.request = RequestId();
    return;
  }
  if (std::holds_alternative<Release>(operation.command)) {
    Answer(request, Outcome::kUnknown,
           "no leader was reached; the lock is free when its lease ends");
    operation.request = RequestId();
    return;
  }
  Answer(request, Outcome::kUnavailable, "no leader was reached");
  Finish(sequence);
}

// Answers the caller of an Acquire that has waited for as long as it wanted to.
void Client::AnswerLate(FastInstant now, const Operation& operation) {
  const RequestId request = operation.request;
  if (operation.confirms.has_value()) {
    if (operation.confirms->waits) {
      return Answer(request, Outcome::kTimedOut, "the wait ended first");
    }
    return Answer(request, Outcome::kUnavailable,
                  "the cluster answers too slowly to make sure of the lock; it "
                  "is given back");
  }
  const FastInstant sent = operation.first_sent;
  if (sent == FastInstant::Never()) {
    return Answer(request, Outcome::kUnavailable, "no leader was reached");
  }
  const bool waits = std::get<Acquire>(operation.command).waits;
  if (operation.queued) {
    Answer(request, Outcome::kTimedOut, "the wait ended first");
    if (!operation.holder.has_value() || request == RequestId()) return;
    std::optional<LockInfo>& holder = output_.answers.back().answer.holder;
    holder = operation.holder;
    for (absl::Duration* left : {&holder->remaining, &holder->lease_remaining,
                                 &holder->session_remaining}) {
      *left =
          std::max(*left - (now - operation.holder_seen), absl::ZeroDuration());
    }
  } else if (waits && now - sent < options_.retry_min) {
    // The wait was shorter than an answer takes: the leader may well be alive.
    Answer(request, Outcome::kTimedOut,
           "the wait ended before the leader answered");
  } else {
    Answer(request, Outcome::kUnavailable,
           "the leader did not answer; the lock is not held");
  }
}

// An Acquire that waits is sent again each KeepAliveInterval(), and once more
// shortly before its wait ends, so that the answer names the latest holder.
FastInstant Client::NextLook(FastInstant now,
                             const Operation& operation) const {
  const FastInstant before_end = operation.answer_by == FastInstant::Never()
                                     ? FastInstant::Never()
                                     : operation.answer_by - options_.retry_min;
  const FastInstant next = now + KeepAliveInterval();
  return now < before_end ? std::min(next, before_end) : next;
}

}  // namespace cachalot
