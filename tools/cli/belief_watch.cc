#include "tools/cli/belief_watch.h"

#include <time.h>

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/check.h"
#include "io/wait_deadline.h"

namespace cachalot::tools {

namespace {

int64_t Read(clockid_t clock) {
  timespec time;
  CHECK(clock_gettime(clock, &time) == 0);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// What is left of an answer: the agent's clocks and ours are the same
// machine's; this is for what each misses between two readings.
absl::Duration Cautious(absl::Duration belief) {
  return belief - belief / 1000 - absl::Milliseconds(2);
}

LocalRequest Question(LocalOperation operation, const std::string& key,
                      FencingToken token) {
  return {.operation = operation, .key = key, .token = token};
}

}  // namespace

BeliefInstant BeliefInstant::Now() {
  return {.boottime = Read(CLOCK_BOOTTIME), .raw = Read(CLOCK_MONOTONIC_RAW)};
}

absl::Duration BeliefInstant::Until() const {
  const BeliefInstant now = Now();
  return absl::Nanoseconds(std::min(boottime - now.boottime, raw - now.raw));
}

BeliefWatch::BeliefWatch(ClientOptions options, std::string key,
                         FencingToken token, BeliefInstant end,
                         absl::Duration span)
    : options_(std::move(options)),
      key_(std::move(key)),
      token_(token),
      end_(end),
      span_(span),
      next_turn_(BeliefInstant::Now()) {}

void BeliefWatch::Turn() {
  if (loss_.has_value()) return;
  if (next_turn_.Until() <= absl::ZeroDuration()) {
    next_turn_ = BeliefInstant::Now() + Interval();
    if (client_ == nullptr) Connect();
    if (client_ != nullptr && question_ == 0) Ask();
  }
  while (client_ != nullptr && !loss_.has_value()) {
    const absl::StatusOr<LocalReply> reply =
        client_->Receive(absl::ZeroDuration());
    if (reply.ok()) {
      Take(*reply);
    } else {
      if (!absl::IsDeadlineExceeded(reply.status())) client_ = nullptr;
      break;
    }
  }
  if (client_ == nullptr) question_ = 0;
}

absl::Duration BeliefWatch::UntilTurn() const {
  if (loss_.has_value()) return absl::InfiniteDuration();
  return std::max(next_turn_.Until(), absl::ZeroDuration());
}

void BeliefWatch::Connect() {
  absl::StatusOr<std::unique_ptr<LocalClient>> client =
      ConnectToAgent(options_, WaitDeadline::After(absl::ZeroDuration()));
  if (!client.ok()) return;
  client_ = *std::move(client);
  loss_request_ =
      client_->Send(Question(LocalOperation::kAwaitLoss, key_, token_));
  revocation_request_ =
      client_->Send(Question(LocalOperation::kAwaitRevocation, key_, token_));
}

void BeliefWatch::Ask() {
  asked_at_ = BeliefInstant::Now();
  question_ = client_->Send(Question(LocalOperation::kCheck, key_, token_));
  if (!client_->Flush(absl::ZeroDuration()).ok()) client_ = nullptr;
}

void BeliefWatch::Take(const LocalReply& reply) {
  const bool is_answer = reply.id == question_;
  if (is_answer) question_ = 0;
  if (reply.answer.outcome == Outcome::kNotHeld) {
    loss_ = Loss{.reason = reply.loss, .text = reply.answer.text};
    client_ = nullptr;
    return;
  }
  if (reply.answer.outcome != Outcome::kOk) return;
  if (reply.id == revocation_request_) return TakeRevocation(reply);
  if (!is_answer) return;
  span_ = std::max(span_, reply.belief);
  const BeliefInstant end = asked_at_ + Cautious(reply.belief);
  // A lock that is revoked is not renewed: its end is the earliest that we know
  // of.
  const bool is_later = end.Until() > end_.Until();
  if (is_later != revocation_.has_value()) end_ = end;
}

void BeliefWatch::TakeRevocation(const LocalReply& reply) {
  revocation_ = Loss{.reason = reply.loss, .text = reply.answer.text};
  // Nothing says how long this was on its way: asked again at once.
  const BeliefInstant end = BeliefInstant::Now() + Cautious(reply.belief);
  if (end.Until() < end_.Until()) end_ = end;
  next_turn_ = BeliefInstant::Now();
}

absl::Duration BeliefWatch::Interval() const {
  return std::clamp(span_ / 10, absl::Milliseconds(20), absl::Seconds(1));
}

absl::StatusOr<std::unique_ptr<BeliefWatch>> StartBeliefWatch(
    const ClientOptions& options, LocalClient& client, const std::string& key,
    FencingToken token) {
  const BeliefInstant asked_at = BeliefInstant::Now();
  const absl::StatusOr<LocalReply> reply = client.Call(
      Question(LocalOperation::kCheck, key, token), options.timeout);
  if (!reply.ok()) return absl::UnavailableError(reply.status().message());
  if (reply->answer.outcome != Outcome::kOk) {
    return absl::FailedPreconditionError(reply->answer.text);
  }
  return std::make_unique<BeliefWatch>(
      options, key, token, asked_at + Cautious(reply->belief), reply->belief);
}

}  // namespace cachalot::tools
