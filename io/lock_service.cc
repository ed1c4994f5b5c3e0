#include "io/lock_service.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "engine/event.h"
#include "engine/node.h"
#include "io/service_log.h"

namespace cachalot {
namespace {

Answer Closed(Outcome outcome) {
  return {.outcome = outcome,
          .text = "this member was closed before the answer came"};
}

Answer Left() {
  return {.outcome = Outcome::kLeaving, .text = "this member has left"};
}

Answer Refusal(const absl::Status& status) {
  return {.outcome = absl::IsInvalidArgument(status) ? Outcome::kInvalid
                                                     : Outcome::kNotHeld,
          .text = std::string(status.message())};
}

// Why `claim` is not good for `grant`, and what would be.
std::string HeldByAnother(const Grant& grant, const HeldClaim& claim) {
  if (grant.scope() != claim.scope) {
    return grant.scope() == LockScope::kEmbedder
               ? "held by the program that this member runs in: only its token "
                 "proves the right to it here"
               : "held through the local socket: only its token proves the "
                 "right to it here";
  }
  if (grant.owner().empty()) {
    return absl::StrCat("held in this process without an owner, not by \"",
                        claim.owner, "\": name the token");
  }
  return absl::StrCat("held in this process by owner \"", grant.owner(),
                      "\", not by \"", claim.owner,
                      "\": name the token or that owner");
}

// Empties `map`; its entries in the order in which they were asked for.
template <typename Value>
std::vector<std::pair<RequestId, Value>> TakeInOrder(
    absl::flat_hash_map<RequestId, Value>& map) {
  std::vector<std::pair<RequestId, Value>> entries(
      std::make_move_iterator(map.begin()), std::make_move_iterator(map.end()));
  map.clear();
  std::sort(entries.begin(), entries.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  return entries;
}

}  // namespace

std::shared_ptr<LockService> LockService::Create(
    std::unique_ptr<EngineDriver> driver, Watcher watcher) {
  std::shared_ptr<LockService> service(
      new LockService(std::move(driver), std::move(watcher)));
  service->driver_->SetDelegate(service.get());
  return service;
}

LockService::LockService(std::unique_ptr<EngineDriver> driver, Watcher watcher)
    : driver_(std::move(driver)),
      watcher_(std::move(watcher)),
      address_(driver_->node().options().address),
      name_(driver_->node().options().name) {}

void LockService::Stop() {
  driver_->Stop();
  {
    const absl::MutexLock lock(&mutex_);
    is_stopped_ = true;
  }
  on_turn_ended_ = nullptr;
  AbandonCalls();
  AbandonGrants();
}

absl::Status LockService::ClosedError() const {
  return is_forked() ? ForkedError()
                     : absl::FailedPreconditionError("this member was closed");
}

absl::Status LockService::WaitUntilReady(absl::Duration timeout) {
  if (is_forked()) return ForkedError();
  const auto is_decided = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return is_ready_ || is_leaving_ || is_stopped_;
  };
  const absl::MutexLock lock(&mutex_);
  mutex_.AwaitWithTimeout(absl::Condition(&is_decided), timeout);
  if (is_stopped_) return ClosedError();
  if (is_leaving_) {
    return absl::FailedPreconditionError(
        "this member has left, or is leaving: create another");
  }
  if (is_ready_) return absl::OkStatus();
  return absl::DeadlineExceededError("not ready in time");
}

void LockService::AwaitCallers() {
  const auto is_alone = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return callers_ == 0;
  };
  const absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(&is_alone));
}

CallerScope::CallerScope(std::shared_ptr<LockService> service)
    : service_(std::move(service)) {
  const absl::MutexLock lock(&service_->mutex_);
  ++service_->callers_;
}

CallerScope::~CallerScope() {
  const absl::MutexLock lock(&service_->mutex_);
  --service_->callers_;
}

void LockService::Acquire(RequestId request, AcquireRequest body,
                          HoldTerms terms, GrantCallback done) {
  if (has_left_) {
    done(Left(), nullptr);
    return;
  }
  LogWaiting(driver_->log(), body);
  acquisitions_.emplace(request, Acquisition{.key = body.key,
                                             .owner = body.owner,
                                             .terms = std::move(terms),
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
    done(Refusal(token.status()));
    return;
  }
  const std::shared_ptr<Grant> grant = FindGrant(claim.key, *token);
  Ask(RenewRequest{.key = claim.key, .token = *token, .ttl = ttl},
      [this, grant, key = claim.key, token = *token, ttl,
       done = std::move(done)](Answer answer) mutable {
        LogRenewed(driver_->log(), key, token, ttl, answer);
        if (grant != nullptr) UpdateBelief(*grant);
        done(std::move(answer));
      });
}

void LockService::Release(const HeldClaim& claim, AnswerCallback done) {
  const absl::StatusOr<FencingToken> token = Find(claim);
  if (!token.ok()) {
    done(Refusal(token.status()));
    return;
  }
  // The engine ends belief, says so in a notice, and then sends the release.
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
  {
    const absl::MutexLock lock(&mutex_);
    is_leaving_ = true;
  }
  leavers_.push_back(std::move(done));
  if (leavers_.size() > 1) return;
  LogLeaving(driver_->log());
  driver_->Learn(LeaveRequested{});
}

absl::StatusOr<FencingToken> LockService::Find(const HeldClaim& claim) const {
  if (!claim.token.IsNone()) return claim.token;
  if (claim.owner.empty()) {
    return absl::InvalidArgumentError(
        "only its holder may renew or release a lock: name the token or the "
        "owner");
  }
  const auto found = grants_by_key_.find(claim.key);
  if (found == grants_by_key_.end()) {
    return absl::FailedPreconditionError("not held by this process");
  }
  const Grant& grant = *found->second;
  if (grant.owner() == claim.owner && grant.scope() == claim.scope) {
    return grant.token();
  }
  return absl::PermissionDeniedError(HeldByAnother(grant, claim));
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
      .leader = node.leader(),
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
  const bool is_read = std::holds_alternative<ListLocksRequest>(body) ||
                       std::holds_alternative<ListMembersRequest>(body);
  questions_.emplace(request,
                     Question{.is_read = is_read, .done = std::move(done)});
  Submit(request, std::move(body));
}

std::shared_ptr<Grant> LockService::AddGrant(RequestId request,
                                             Acquisition acquisition,
                                             FencingToken token) {
  auto grant = std::make_shared<Grant>(
      Grant::Identity{.request = request,
                      .key = std::move(acquisition.key),
                      .owner = std::move(acquisition.owner),
                      .scope = acquisition.terms.scope,
                      .token = token},
      driver_->LeaseBeliefEnd(request), std::move(acquisition.terms.on_change));
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

void LockService::UpdateBelief(Grant& grant) {
  grant.set_belief_end(driver_->LeaseBeliefEnd(grant.request()));
}

void LockService::AbandonCalls() {
  // The callbacks may come back to the service, which now refuses them.
  auto acquisitions = TakeInOrder(acquisitions_);
  auto questions = TakeInOrder(questions_);
  auto leavers = std::exchange(leavers_, {});
  for (auto& [request, acquisition] : acquisitions) {
    acquisition.done(Closed(Outcome::kUnknown), nullptr);
  }
  for (auto& [request, question] : questions) {
    question.done(
        Closed(question.is_read ? Outcome::kLeaving : Outcome::kUnknown));
  }
  for (AnswerCallback& done : leavers) done(Closed(Outcome::kUnknown));
}

void LockService::AbandonGrants() {
  grants_by_key_.clear();
  for (const auto& [request, grant] : TakeInOrder(grants_)) {
    LogBelief(driver_->log(), grant->key(), grant->owner(), grant->token(),
              Belief::kLost, LossReason::kClosed);
    grant->Change(Belief::kLost, LossReason::kClosed);
  }
}

void LockService::OnAnswer(RequestId request, Answer answer) {
  const auto question = questions_.find(request);
  if (question != questions_.end()) {
    AnswerCallback done = std::move(question->second.done);
    questions_.erase(question);
    done(std::move(answer));
    return;
  }
  const auto found = acquisitions_.find(request);
  if (found == acquisitions_.end()) return;
  Acquisition acquisition = std::move(found->second);
  acquisitions_.erase(found);
  LogAcquired(driver_->log(), acquisition.key, acquisition.owner, answer);
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
    UpdateBelief(*grant);
  }
  LogBelief(driver_->log(), grant->key(), grant->owner(), grant->token(),
            notice.belief, notice.reason);
  grant->Change(notice.belief, notice.reason);
}

void LockService::OnStanding(const AnnounceStanding& standing) {
  standing_ = standing;
  LogStanding(driver_->log(), standing);
  {
    const absl::MutexLock lock(&mutex_);
    is_ready_ = standing.joined && standing.has_leader && standing.has_session;
  }
  if (watcher_.on_standing != nullptr) watcher_.on_standing(standing);
}

void LockService::OnLeft() {
  has_left_ = true;
  LogLeft(driver_->log());
  {
    const absl::MutexLock lock(&mutex_);
    is_leaving_ = true;
  }
  for (AnswerCallback& done : std::exchange(leavers_, {})) {
    done({.outcome = Outcome::kOk});
  }
  if (watcher_.on_left != nullptr) watcher_.on_left();
}

void LockService::OnTurnEnded(const Now&) {
  const FastInstant end = driver_->SessionBeliefEnd();
  if (end != session_belief_end_) {
    session_belief_end_ = end;
    for (auto& [request, grant] : grants_) {
      UpdateBelief(*grant);
    }
  }
  if (on_turn_ended_ != nullptr) on_turn_ended_();
}

}  // namespace cachalot
