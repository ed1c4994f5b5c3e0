#include "io/lock_service.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/event.h"
#include "engine/node.h"

namespace cachalot {
namespace {

Answer Closed() {
  return {.outcome = Outcome::kUnknown,
          .text = "this member was closed before the answer came"};
}

Answer Left() {
  return {.outcome = Outcome::kLeaving, .text = "this member has left"};
}

}  // namespace

absl::StatusOr<std::shared_ptr<LockService>> LockService::Create(
    DriverOptions options, Watcher watcher) {
  std::shared_ptr<LockService> service(new LockService(std::move(watcher)));
  absl::StatusOr<std::unique_ptr<Driver>> driver =
      Driver::Create(std::move(options), service.get());
  if (!driver.ok()) return driver.status();
  service->driver_ = *std::move(driver);
  const NodeOptions& node = service->driver_->node().options();
  service->address_ = node.address;
  service->name_ = node.name;
  return service;
}

void LockService::Stop() {
  driver_->Stop();
  on_turn_ended_ = nullptr;
  AbandonCalls();
  const absl::MutexLock lock(&mutex_);
  is_stopped_ = true;
}

bool LockService::WaitUntilReady(absl::Duration timeout) {
  const auto is_decided = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return is_ready_ || is_stopped_;
  };
  const absl::MutexLock lock(&mutex_);
  mutex_.AwaitWithTimeout(absl::Condition(&is_decided), timeout);
  return is_ready_ && !is_stopped_;
}

void LockService::Acquire(RequestId request, AcquireRequest body,
                          ChangeCallback on_change, GrantCallback done) {
  if (has_left_) {
    done(Left(), nullptr);
    return;
  }
  acquisitions_.emplace(request, Acquisition{.key = body.key,
                                             .owner = body.owner,
                                             .on_change = std::move(on_change),
                                             .done = std::move(done)});
  Submit(request, std::move(body));
}

void LockService::Withdraw(RequestId request) {
  driver_->Learn(RequestWithdrawn{request});
}

void LockService::Renew(const HeldClaim& claim, absl::Duration ttl,
                        AnswerCallback done) {
  const absl::StatusOr<FencingToken> token = Find(claim);
  if (!token.ok()) {
    done({.outcome = Outcome::kNotHeld,
          .text = std::string(token.status().message())});
    return;
  }
  const std::shared_ptr<Grant> grant = FindGrant(claim.key, *token);
  Ask(RenewRequest{.key = claim.key, .token = *token, .ttl = ttl},
      [this, grant, done = std::move(done)](Answer answer) mutable {
        if (grant != nullptr) {
          grant->set_belief_end(BeliefEnd(grant->request()));
        }
        done(std::move(answer));
      });
}

void LockService::Release(const HeldClaim& claim, AnswerCallback done) {
  const absl::StatusOr<FencingToken> token = Find(claim);
  if (!token.ok()) {
    done({.outcome = Outcome::kNotHeld,
          .text = std::string(token.status().message())});
    return;
  }
  const std::shared_ptr<Grant> grant = FindGrant(claim.key, *token);
  if (grant != nullptr) {
    grant->Lose(LossReason::kReleased);
    DropGrant(*grant);
  }
  Ask(ReleaseRequest{.key = claim.key, .token = *token}, std::move(done));
}

void LockService::ListLocks(ListLocksRequest body, AnswerCallback done) {
  Ask(std::move(body), std::move(done));
}

void LockService::ListMembers(AnswerCallback done) {
  Ask(ListMembersRequest{}, std::move(done));
}

void LockService::Leave(AnswerCallback done) {
  if (has_left_) {
    done({.outcome = Outcome::kOk});
    return;
  }
  leavers_.push_back(std::move(done));
  if (leavers_.size() == 1) driver_->Learn(LeaveRequested{});
}

absl::StatusOr<FencingToken> LockService::Find(const HeldClaim& claim) const {
  if (!claim.token.IsNone()) return claim.token;
  const auto found = grants_by_key_.find(claim.key);
  if (found == grants_by_key_.end()) {
    return absl::FailedPreconditionError("not held by this process");
  }
  const Grant& grant = *found->second;
  if (grant.owner() != claim.owner) {
    return absl::PermissionDeniedError(
        absl::StrCat("held in this process by owner \"", grant.owner(),
                     "\", not by \"", claim.owner, "\""));
  }
  return grant.token();
}

Answer LockService::LocalLocks(const ListLocksRequest& body) {
  return driver_->node().LocalLocks(body, driver_->ReadClock());
}

std::vector<MemberInfo> LockService::LocalMembers() const {
  return driver_->node().Members();
}

AgentStatus LockService::Status() const {
  const Node& node = driver_->node();
  const TransportStats& transport = driver_->transport_stats();
  AgentStatus status = {
      .id = node.id(),
      .name = name_,
      .address = address_,
      .cluster = node.identity().cluster,
      .epoch = node.identity().epoch,
      .standing = standing_,
      .term = node.consensus().term(),
      .leader = node.consensus().leader(),
      .commit = node.consensus().commit(),
      .applied = node.consensus().applied(),
      .survival = node.FindSurvival(),
      .locks = node.table().lock_count(),
      .elections_won = node.consensus().counters().elections_won,
      .snapshots_sent = node.consensus().counters().snapshots_sent,
      .snapshots_installed = node.consensus().counters().snapshots_installed,
      .undecodable = node.stats().undecodable,
      .other_version = node.stats().other_version,
      .other_cluster = node.stats().other_cluster,
      .misaddressed = node.stats().misaddressed,
      .streams_malformed = transport.streams_malformed,
      .frames_received = transport.frames_received,
      .datagrams_received = transport.datagrams_received,
  };
  for (const MemberInfo& member : node.Members()) {
    if (member.id == status.id) status.role = member.role;
    if (member.state == MemberState::kAlive) ++status.members_alive;
  }
  return status;
}

void LockService::Submit(RequestId request, Request body) {
  driver_->Learn(RequestSubmitted{request, std::move(body)});
}

void LockService::Ask(Request body, AnswerCallback done) {
  if (has_left_) {
    done(Left());
    return;
  }
  const RequestId request = NewRequest();
  asks_.emplace(request, std::move(done));
  Submit(request, std::move(body));
}

std::shared_ptr<Grant> LockService::AddGrant(RequestId request,
                                             Acquisition acquisition,
                                             FencingToken token) {
  auto grant = std::make_shared<Grant>(
      request, std::move(acquisition.key), std::move(acquisition.owner), token,
      BeliefEnd(request), std::move(acquisition.on_change));
  grants_.insert_or_assign(request, grant);
  grants_by_key_.insert_or_assign(grant->key(), grant);
  return grant;
}

std::shared_ptr<Grant> LockService::FindGrant(absl::string_view key,
                                              FencingToken token) const {
  const auto found = grants_by_key_.find(key);
  if (found == grants_by_key_.end()) return nullptr;
  return found->second->token() == token ? found->second : nullptr;
}

void LockService::DropGrant(const Grant& grant) {
  const auto by_key = grants_by_key_.find(grant.key());
  if (by_key != grants_by_key_.end() && by_key->second.get() == &grant) {
    grants_by_key_.erase(by_key);
  }
  grants_.erase(grant.request());
}

// The engine has forgotten what is lost: that has ended long ago.
FastInstant LockService::BeliefEnd(RequestId request) const {
  const std::optional<Client::Held> held =
      driver_->node().client().Find(request);
  return held.has_value() ? held->belief_end : FastInstant();
}

void LockService::AbandonCalls() {
  // The callbacks may come back to the service, which now refuses them.
  auto acquisitions = std::exchange(acquisitions_, {});
  auto asks = std::exchange(asks_, {});
  auto leavers = std::exchange(leavers_, {});
  for (auto& [request, acquisition] : acquisitions) {
    acquisition.done(Closed(), nullptr);
  }
  for (auto& [request, done] : asks) done(Closed());
  for (AnswerCallback& done : leavers) done(Closed());
}

void LockService::OnAnswer(RequestId request, Answer answer) {
  const auto ask = asks_.find(request);
  if (ask != asks_.end()) {
    AnswerCallback done = std::move(ask->second);
    asks_.erase(ask);
    done(std::move(answer));
    return;
  }
  const auto found = acquisitions_.find(request);
  if (found == acquisitions_.end()) return;
  Acquisition acquisition = std::move(found->second);
  acquisitions_.erase(found);
  GrantCallback done = std::move(acquisition.done);
  std::shared_ptr<Grant> grant;
  if (answer.outcome == Outcome::kOk) {
    grant = AddGrant(request, std::move(acquisition), answer.token);
  }
  done(std::move(answer), std::move(grant));
}

void LockService::OnHolderNotified(const NotifyHolder& notice) {
  const auto found = grants_.find(notice.request);
  if (found == grants_.end()) return;
  const std::shared_ptr<Grant> grant = found->second;
  if (notice.belief == Belief::kLost) {
    DropGrant(*grant);
  } else {
    grant->set_belief_end(BeliefEnd(notice.request));
  }
  grant->Change(notice.belief, notice.reason);
}

void LockService::OnStanding(const AnnounceStanding& standing) {
  standing_ = standing;
  {
    const absl::MutexLock lock(&mutex_);
    is_ready_ = standing.joined && standing.has_leader && standing.has_session;
  }
  if (watcher_.on_standing != nullptr) watcher_.on_standing(standing);
}

void LockService::OnLeft() {
  has_left_ = true;
  for (AnswerCallback& done : std::exchange(leavers_, {})) {
    done({.outcome = Outcome::kOk});
  }
  if (watcher_.on_left != nullptr) watcher_.on_left();
}

void LockService::OnTurnEnded() {
  const FastInstant end = driver_->node().client().session_belief_end();
  if (end != session_belief_end_) {
    session_belief_end_ = end;
    for (auto& [request, grant] : grants_) {
      grant->set_belief_end(BeliefEnd(request));
    }
  }
  if (on_turn_ended_ != nullptr) on_turn_ended_();
}

}  // namespace cachalot
