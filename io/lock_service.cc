#include "io/lock_service.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <stop_token>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/limits.h"
#include "io/service_log.h"
#include "io/survival_text.h"
#include "io/wait_deadline.h"

namespace cachalot {
namespace {

constexpr char kClosed[] = "this member was closed before the answer came";
// What one client of the engine may have open (limits::kRequestsPerSessionMax,
// half of which is for callers), divided so that no kind keeps out another: a
// process full of waiters must be able to release.
constexpr size_t kAcquiresInEngineMax = 7168;
constexpr size_t kQuestionsInEngineMax = 512;
constexpr size_t kRenewalsInEngineMax = 512;
static_assert(kAcquiresInEngineMax + kQuestionsInEngineMax +
                  kRenewalsInEngineMax <=
              limits::kRequestsPerSessionMax / 2);

Answer Closed(Outcome outcome) { return {.outcome = outcome, .text = kClosed}; }

Answer Refused(Outcome outcome, std::string text) {
  return {.outcome = outcome, .text = std::move(text)};
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

void TakeRenewal(Grant& grant, const Answer& answer) {
  if (answer.outcome == Outcome::kOk) grant.ExtendLease(answer.lease_end);
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
    std::unique_ptr<EngineDriver> driver, Watcher watcher,
    CallerLimits limits) {
  limits.acquires_max = std::min(limits.acquires_max, kAcquiresInEngineMax);
  std::shared_ptr<LockService> service(
      new LockService(std::move(driver), std::move(watcher), limits));
  service->driver_->SetDelegate(service.get());
  return service;
}

LockService::LockService(std::unique_ptr<EngineDriver> driver, Watcher watcher,
                         CallerLimits limits)
    : driver_(std::move(driver)),
      watcher_(std::move(watcher)),
      limits_(limits),
      address_(driver_->node().options().address),
      name_(driver_->node().options().name),
      questions_({.in_engine_max = kQuestionsInEngineMax,
                  .questions_max = limits.calls_max,
                  .patience = driver_->node().options().lease.request_timeout},
                 [this](RequestId request, Request body) {
                   Submit(request, std::move(body));
                 }),
      renewals_({.in_engine_max = kRenewalsInEngineMax,
                 .questions_max = kRenewalsInEngineMax,
                 .patience = driver_->node().options().lease.request_timeout},
                [this](RequestId request, Request body) {
                  Submit(request, std::move(body));
                }),
      session_end_(std::make_shared<Grant::SessionEnd>(0)) {}

void LockService::Stop() {
  driver_->Stop();
  Set(is_stopped_, true);
  on_turn_ended_ = nullptr;
  AbandonCalls();
  AbandonGrants();
}

absl::Status LockService::ClosedError() const {
  return is_forked() ? ForkedError()
                     : absl::FailedPreconditionError("this member was closed");
}

absl::Status LockService::WaitUntilReady(absl::Duration timeout,
                                         std::stop_token stop) {
  if (is_forked()) return ForkedError();
  const auto is_decided = [&] {
    return is_ready_ || is_leaving_ || is_stopped_ || stop.stop_requested();
  };
  const std::stop_callback on_stop(stop, [this] {
    const std::lock_guard lock(mutex_);
    has_changed_.notify_all();
  });
  const WaitDeadline deadline = WaitDeadline::After(timeout);
  std::unique_lock lock(mutex_);
  while (!is_decided() && !deadline.has_passed()) {
    // Some part of it: the sum of now and a long time has no representation.
    const absl::Duration part = std::min(deadline.left(), absl::Hours(1));
    has_changed_.wait_for(lock, absl::ToChronoNanoseconds(part));
  }
  if (is_stopped_) return ClosedError();
  if (is_leaving_) {
    return absl::FailedPreconditionError(
        "this member has left, or is leaving: create another");
  }
  if (stop.stop_requested()) {
    return absl::CancelledError("cancelled by the caller");
  }
  if (is_ready_) return absl::OkStatus();
  return absl::DeadlineExceededError("not ready in time");
}

void LockService::AwaitCallers() {
  std::unique_lock lock(mutex_);
  has_changed_.wait(lock, [this] { return callers_ == 0; });
}

void LockService::Set(bool& flag, bool value) {
  const std::lock_guard lock(mutex_);
  flag = value;
  has_changed_.notify_all();
}

CallerScope::CallerScope(std::shared_ptr<LockService> service)
    : service_(std::move(service)) {
  const std::lock_guard lock(service_->mutex_);
  ++service_->callers_;
}

CallerScope::~CallerScope() {
  const std::lock_guard lock(service_->mutex_);
  --service_->callers_;
  service_->has_changed_.notify_all();
}

absl::Status LockService::BeginPostedCall() {
  if (++posted_calls_ <= limits_.posted_calls_max) return absl::OkStatus();
  --posted_calls_;
  return absl::ResourceExhaustedError(
      absl::StrCat("more than ", limits_.posted_calls_max,
                   " calls wait for this member's thread: wait for answers "
                   "before asking for more"));
}

Answer LockService::CheckAcquire(const AcquireRequest& body,
                                 const HoldTerms& terms) const {
  if (has_left_) return Left();
  if (!leavers_.empty()) {
    return Refused(Outcome::kLeaving, "this member leaves the cluster");
  }
  if (terms.renew && terms.max_hold < body.ttl) {
    return Refused(
        Outcome::kInvalid,
        absl::StrCat("max_hold is ", absl::FormatDuration(terms.max_hold),
                     "; it must not be below the ttl, ",
                     absl::FormatDuration(body.ttl)));
  }
  if (acquisitions_.size() >= limits_.acquires_max) {
    return Refused(Outcome::kBusy,
                   absl::StrCat("more than ", limits_.acquires_max,
                                " requests for locks of this process wait"));
  }
  const auto held = locks_of_owners_.find(OwnerView(terms.scope, body.owner));
  if (held != locks_of_owners_.end() &&
      held->second >= limits_.locks_per_owner_max) {
    return Refused(Outcome::kBusy,
                   absl::StrCat("owner \"", body.owner, "\" holds or asks for ",
                                limits_.locks_per_owner_max,
                                " locks here, as many as one owner may"));
  }
  return {.outcome = Outcome::kOk};
}

void LockService::CountOwner(LockScope scope, const std::string& owner) {
  const auto found = locks_of_owners_.find(OwnerView(scope, owner));
  if (found != locks_of_owners_.end()) {
    ++found->second;
  } else {
    locks_of_owners_.emplace(OwnerKey(scope, owner), 1);
  }
}

void LockService::UncountOwner(LockScope scope, const std::string& owner) {
  const auto found = locks_of_owners_.find(OwnerView(scope, owner));
  if (--found->second == 0) locks_of_owners_.erase(found);
}

void LockService::Acquire(RequestId request, AcquireRequest body,
                          HoldTerms terms, GrantCallback done) {
  Answer refusal = CheckAcquire(body, terms);
  if (refusal.outcome != Outcome::kOk) {
    done(std::move(refusal), nullptr);
    return;
  }
  LogWaiting(driver_->log(), body);
  CountOwner(terms.scope, body.owner);
  body.releases_itself = terms.releases_itself;
  Acquisition& acquisition = acquisitions_[request];
  acquisition.key = body.key;
  acquisition.owner = body.owner;
  acquisition.ttl = body.ttl;
  acquisition.terms = std::move(terms);
  acquisition.done = std::move(done);
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
        if (grant != nullptr) TakeRenewal(*grant, answer);
        done(std::move(answer));
      });
}

void LockService::KeepRenewed(const Grant& grant, FastInstant granted,
                              absl::Duration ttl) {
  if (!grants_.contains(grant.request())) return;
  schedule_.Add(granted, grant.request(), ttl, FastInstant::Never());
}

void LockService::Release(const HeldClaim& claim, AnswerCallback done) {
  const absl::StatusOr<FencingToken> token = Find(claim);
  if (!token.ok()) {
    done(Refusal(token.status()));
    return;
  }
  // The engine ends belief, says so in a notice, and then sends the release.
  const std::shared_ptr<Grant> grant = FindGrant(claim.key, *token);
  QuestionQueue::Limit limit = QuestionQueue::Limit::kApplies;
  if (grant != nullptr) {
    schedule_.Remove(grant->request());
    // One for each grant: as many as there are grants.
    if (grant->BeginRelease()) limit = QuestionQueue::Limit::kNone;
  }
  Ask(ReleaseRequest{.key = claim.key, .token = *token}, std::move(done),
      limit);
}

void LockService::Revoke(RevokeRequest body, AnswerCallback done) {
  Ask(std::move(body), std::move(done));
}

void LockService::ListWaiters(ListWaitersRequest body, AnswerCallback done) {
  Ask(std::move(body), std::move(done));
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
  Set(is_leaving_, true);
  leavers_.push_back(std::move(done));
  if (leavers_.size() > 1) return;
  LogLeaving(driver_->log());
  const FastInstant now = ReadClock().fast;
  leave_by_ = now + driver_->node().options().lease.leave_timeout;
  // The callbacks may give locks up.
  const std::vector<RequestId> told(self_releasing_.begin(),
                                    self_releasing_.end());
  for (const RequestId request : told) {
    const auto found = grants_.find(request);
    if (found == grants_.end()) continue;
    const std::shared_ptr<Grant> grant = found->second;
    TellToRelease(*grant, LossReason::kLeft, "");
  }
  LeaveIfDue(now);
}

void LockService::TellToRelease(Grant& grant, LossReason reason,
                                absl::string_view text) {
  schedule_.Remove(grant.request());
  if (leave_by_ != FastInstant::Never()) grant.EndBy(leave_by_);
  LogBelief(driver_->log(), grant.key(), grant.owner(), grant.token(),
            Belief::kSuspect, reason, text);
  grant.Change(Belief::kSuspect, reason, text);
}

void LockService::LeaveIfDue(FastInstant now) {
  if (leave_by_ == FastInstant::Never()) return;
  if (!self_releasing_.empty() && now < leave_by_) return;
  leave_by_ = FastInstant::Never();
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

namespace {

// Because it remembers one.
bool FoundsNoOther(const Node& node) {
  return node.memory().remembers_cluster() &&
         !(node.options().force_bootstrap && node.identity().cluster.IsNone());
}

}  // namespace

AgentStatus LockService::Status() const {
  const Node& node = driver_->node();
  const TransportStats& transport = driver_->transport_stats();
  AgentStatus status = {
      .id = node.id(),
      .name = name_,
      .address = address_,
      .cluster = node.identity().cluster,
      .cluster_name = node.options().cluster,
      .token_base = node.identity().token_base,
      .standing = standing_,
      .term = node.consensus().term(),
      .leader = node.leader(),
      .commit = node.consensus().commit(),
      .applied = node.consensus().applied(),
      .memory = {.state_dir = state_dir_,
                 .cluster =
                     FoundsNoOther(node) ? node.memory().cluster : ClusterId(),
                 .has_left = node.memory().has_left},
      .seeds = node.options().seeds,
      .survival = node.FindSurvival(),
      .outage = node.FindOutage(),
      .locks = node.table().lock_count(),
      .elections_won = node.consensus().counters().elections_won,
      .snapshots_sent = node.consensus().counters().snapshots_sent,
      .snapshots_installed = node.consensus().counters().snapshots_installed,
      .undecodable = node.stats().undecodable,
      .other_version = node.stats().other_version,
      .other_cluster = node.stats().other_cluster,
      .other_name = node.stats().other_name,
      .misaddressed = node.stats().misaddressed,
      .impersonations = node.stats().impersonations,
      .unasked = node.stats().unasked,
      .streams_malformed = transport.streams_malformed,
      .strangers_refused = node.stats().lists_in_datagrams +
                           node.stats().strangers + node.stats().implausible +
                           node.stats().misadvertised,
      .members_refused = node.membership().stats().implausible +
                         node.membership().stats().refused +
                         node.membership().stats().misplaced +
                         node.membership().stats().invented,
      .streams_closed = transport.streams_evicted + transport.streams_stalled +
                        transport.streams_greedy,
      .streams_refused = transport.streams_refused,
      .links_stuck = transport.links.stuck,
      .frames_received = transport.frames_received,
      .datagrams_received = transport.datagrams_received,
      .longest_turn = driver_->loop() == nullptr
                          ? absl::ZeroDuration()
                          : driver_->loop()->longest_turn(),
  };
  // Over as soon as there is a session.
  if (!standing_.has_session) {
    status.quarantine =
        std::max(absl::ZeroDuration(),
                 node.client().quarantine_end() - driver_->ReadClock().fast);
  }
  status.problems = seed_problems_;
  for (std::string& problem : driver_->Problems()) {
    status.problems.push_back(std::move(problem));
  }
  for (const MemberInfo& member : node.Members()) {
    if (member.id == status.id) status.role = member.role;
    if (member.state == MemberState::kAlive) ++status.members_alive;
  }
  return status;
}

void LockService::Submit(RequestId request, Request body) {
  driver_->Learn(RequestSubmitted{request, std::move(body)});
}

void LockService::Ask(Request body, AnswerCallback done,
                      QuestionQueue::Limit limit) {
  if (has_left_) {
    done(Left());
    return;
  }
  questions_.Ask([this] { return ReadClock().fast; }, NewRequest(),
                 std::move(body), limit, std::move(done));
}

std::shared_ptr<Grant> LockService::AddGrant(RequestId request,
                                             Acquisition&& acquisition,
                                             const Answer& answer) {
  const HoldTerms& terms = acquisition.terms;
  if (terms.renew) {
    const FastInstant now = ReadClock().fast;
    const FastInstant until = terms.max_hold == absl::InfiniteDuration()
                                  ? FastInstant::Never()
                                  : now + terms.max_hold;
    schedule_.Add(now, request, acquisition.ttl, until);
  }
  auto grant = std::make_shared<Grant>(
      Grant::Identity{.request = request,
                      .key = std::move(acquisition.key),
                      .owner = std::move(acquisition.owner),
                      .scope = terms.scope,
                      .token = answer.token},
      answer.lease_end, session_end_, std::move(acquisition.terms.on_change));
  if (terms.releases_itself) self_releasing_.insert(request);
  grants_.insert_or_assign(request, grant);
  grants_by_key_.insert_or_assign(grant->key(), grant);
  return grant;
}

void LockService::RenewDue(FastInstant now) {
  while (renewals_.size() < kRenewalsInEngineMax) {
    const std::optional<RenewalSchedule::Due> due = schedule_.TakeDue(now);
    if (!due.has_value()) return;
    RenewNow(now, *due);
  }
}

void LockService::RenewNow(FastInstant now, const RenewalSchedule::Due& due) {
  const std::shared_ptr<Grant>& grant = grants_.at(due.grant);
  renewals_.Ask(
      [now] { return now; }, NewRequest(),
      RenewRequest{
          .key = grant->key(), .token = grant->token(), .ttl = due.ttl},
      QuestionQueue::Limit::kNone,
      [this, now, grant, ttl = due.ttl](const Answer& answer) {
        LogRenewed(driver_->log(), grant->key(), grant->token(), ttl, answer);
        TakeRenewal(*grant, answer);
        if (answer.outcome == Outcome::kOk) {
          schedule_.Schedule(now, grant->request());
        } else {
          // What is lost has been removed from the schedule, or will be.
          schedule_.Retry(ReadClock().fast, grant->request());
        }
      });
}

std::shared_ptr<Grant> LockService::FindGrant(absl::string_view key,
                                              FencingToken token) const {
  const auto found = grants_by_key_.find(key);
  if (found == grants_by_key_.end()) return nullptr;
  return found->second->token() == token ? found->second : nullptr;
}

void LockService::DropGrant(const Grant& grant) {
  schedule_.Remove(grant.request());
  self_releasing_.erase(grant.request());
  UncountOwner(grant.scope(), grant.owner());
  const auto by_key = grants_by_key_.find(grant.key());
  if (by_key != grants_by_key_.end() && by_key->second.get() == &grant) {
    grants_by_key_.erase(by_key);
  }
}

void LockService::AbandonCalls() {
  // The callbacks may come back to the service, which now refuses them.
  auto acquisitions = TakeInOrder(acquisitions_);
  auto leavers = std::exchange(leavers_, {});
  for (auto& [request, acquisition] : acquisitions) {
    acquisition.done(Closed(Outcome::kUnknown), nullptr);
  }
  questions_.Abandon(kClosed);
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

void LockService::AddOutage(Answer& answer) const {
  const bool may_be_outage = answer.outcome == Outcome::kUnavailable ||
                             answer.outcome == Outcome::kTimedOut ||
                             answer.outcome == Outcome::kUnknown;
  if (!may_be_outage) return;
  const Outage outage = driver_->node().FindOutage();
  if (outage.kind != Outage::Kind::kMajorityLost) return;
  absl::StrAppend(&answer.text, answer.text.empty() ? "" : "; ",
                  DescribeOutage(outage));
}

void LockService::OnAnswer(RequestId request, Answer&& answer) {
  AddOutage(answer);
  if (questions_.OnAnswer(request, answer)) return;
  if (renewals_.OnAnswer(request, answer)) return;
  const auto found = acquisitions_.find(request);
  if (found == acquisitions_.end()) return;
  Acquisition acquisition = std::move(found->second);
  acquisitions_.erase(found);
  LogAcquired(driver_->log(), acquisition.key, acquisition.owner, answer);
  GrantCallback done = std::move(acquisition.done);
  std::shared_ptr<Grant> grant;
  if (answer.outcome == Outcome::kOk) {
    grant = AddGrant(request, std::move(acquisition), answer);
  } else {
    UncountOwner(acquisition.terms.scope, acquisition.owner);
  }
  done(std::move(answer), grant);
  // Asked for before this member was told to leave.
  const bool is_late = grant != nullptr && leave_by_ != FastInstant::Never() &&
                       self_releasing_.contains(request);
  if (is_late) TellToRelease(*grant, LossReason::kLeft, "");
}

void LockService::OnHolderNotified(const NotifyHolder& notice) {
  const auto found = grants_.find(notice.request);
  if (found == grants_.end()) return;
  const std::shared_ptr<Grant> grant = found->second;
  if (notice.belief == Belief::kLost) {
    grants_.erase(found);
    DropGrant(*grant);
  } else {
    grant->ExtendLease(notice.lease_end);
    if (notice.lease_moved) return;
  }
  if (notice.belief == Belief::kSuspect && notice.reason != LossReason::kNone) {
    TellToRelease(*grant, notice.reason, notice.text);
    return;
  }
  LogBelief(driver_->log(), grant->key(), grant->owner(), grant->token(),
            notice.belief, notice.reason, notice.text);
  grant->Change(notice.belief, notice.reason, notice.text);
}

void LockService::OnSession(const AnnounceSession& session) {
  const int64_t end = session.belief_end.nanoseconds();
  if (session.session == session_) {
    session_end_->store(end);
    return;
  }
  session_ = session.session;
  session_end_ = std::make_shared<Grant::SessionEnd>(end);
}

void LockService::OnStanding(const AnnounceStanding& standing) {
  standing_ = standing;
  // Its session ends on the way out, which is no news of its own.
  if (!is_leaving_) LogStanding(driver_->log(), standing);
  Set(is_ready_,
      standing.joined && standing.has_leader && standing.has_session);
  if (watcher_.on_standing != nullptr) watcher_.on_standing(standing);
}

void LockService::OnLeft() {
  has_left_ = true;
  LogLeft(driver_->log());
  Set(is_leaving_, true);
  for (AnswerCallback& done : std::exchange(leavers_, {})) {
    done({.outcome = Outcome::kOk});
  }
  if (watcher_.on_left != nullptr) watcher_.on_left();
}

void LockService::OnTurnEnded(const Now& now) {
  questions_.OnTime(now.fast);
  RenewDue(now.fast);
  LeaveIfDue(now.fast);
  if (on_turn_ended_ != nullptr) on_turn_ended_();
}

FastInstant LockService::NextDeadline() const {
  const FastInstant next = std::min(questions_.NextDeadline(), leave_by_);
  if (renewals_.size() >= kRenewalsInEngineMax) return next;
  return std::min(next, schedule_.NextDeadline());
}

}  // namespace cachalot
