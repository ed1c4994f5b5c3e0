#include "io/grant.h"

#include <algorithm>

namespace cachalot {

absl::Duration Grant::Remaining(FastInstant now) {
  if (belief_.load() == Belief::kLost) return absl::ZeroDuration();
  const int64_t end =
      std::min({lease_end_.load(), session_end_->load(), end_by_.load()});
  const absl::Duration left = FastInstant::FromNanoseconds(end) - now;
  if (left > absl::ZeroDuration()) return left;
  Lose(LossReason::kExpired);
  return absl::ZeroDuration();
}

absl::Duration Grant::LeaseRemaining(FastInstant now) {
  if (Remaining(now) == absl::ZeroDuration()) return absl::ZeroDuration();
  const absl::Duration left =
      FastInstant::FromNanoseconds(lease_end_.load()) - now;
  return std::max(left, absl::ZeroDuration());
}

Belief Grant::BeliefAt(FastInstant now) {
  if (Remaining(now) == absl::ZeroDuration()) return Belief::kLost;
  return belief_.load();
}

void Grant::Lose(LossReason reason) {
  LossReason none = LossReason::kNone;
  loss_reason_.compare_exchange_strong(none, reason);
  belief_.store(Belief::kLost);
}

LockLoss Grant::loss() const {
  const absl::MutexLock lock(&mutex_);
  return {.reason = loss_reason_.load(), .text = loss_text_};
}

// The first reason stands, and its text with it.
LockLoss Grant::LoseBecause(LossReason reason, absl::string_view text) {
  const absl::MutexLock lock(&mutex_);
  LossReason none = LossReason::kNone;
  if (loss_reason_.compare_exchange_strong(none, reason)) {
    loss_text_ = std::string(text);
  }
  belief_.store(Belief::kLost);
  return {.reason = loss_reason_.load(), .text = loss_text_};
}

void Grant::Change(Belief belief, LossReason reason, absl::string_view text) {
  LockLoss why = {.reason = reason};
  if (belief == Belief::kLost) {
    why = LoseBecause(reason, text);
    Trip();
    if (is_loss_told_) return;
    is_loss_told_ = true;
  } else {
    // kLost is final, whoever set it.
    Belief current = belief_.load();
    while (current != Belief::kLost &&
           !belief_.compare_exchange_weak(current, belief)) {
    }
    if (current == Belief::kLost) return;
    if (belief == Belief::kSuspect) Trip();
    why.text = std::string(text);
  }
  if (on_change_ == nullptr) return;
  Tell({.key = key(),
        .token = token(),
        .belief = belief,
        .reason = why.reason,
        .text = std::move(why.text)});
}

std::stop_token Grant::StopToken() {
  std::stop_token token;
  {
    const absl::MutexLock lock(&mutex_);
    if (!stop_.stop_possible()) stop_ = std::stop_source();
    token = stop_.get_token();
    has_stop_.store(true);
  }
  // After the source is there: who changes the belief later finds it.
  if (belief_.load() != Belief::kHeld) Trip();
  return token;
}

void Grant::Trip() {
  if (!has_stop_.load()) return;
  std::stop_source source(std::nostopstate);
  {
    const absl::MutexLock lock(&mutex_);
    source = stop_;
  }
  source.request_stop();
}

void Grant::Tell(const LockChange& change) {
  {
    const absl::MutexLock lock(&mutex_);
    if (is_silent_) return;
    teller_ = std::this_thread::get_id();
  }
  on_change_(change);
  const absl::MutexLock lock(&mutex_);
  teller_ = std::thread::id();
}

void Grant::Silence() {
  const absl::MutexLock lock(&mutex_);
  is_silent_ = true;
  if (teller_ == std::this_thread::get_id()) return;
  const auto is_told = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return teller_ == std::thread::id();
  };
  mutex_.Await(absl::Condition(&is_told));
}

}  // namespace cachalot
