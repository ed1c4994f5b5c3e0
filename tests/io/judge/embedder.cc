#include "tests/io/judge/embedder.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/check.h"

namespace cachalot::io_judge {
namespace {

using sim::Rate;

// What an embedder may do, and how often.
enum class Deed {
  kLock,
  kTry,
  kWithdraw,
  kStopCall,
  kRenew,
  kRelease,
  kGiveUp,
  kDetach,
  kMove,
  kMoveOver,
  kReleaseByOwner,
  kRenewByOwner,
  kReleaseByToken,
  kRenewByToken,
  kLook,
  kWatch,
  kForce,
  kRead,
};
// By their order above.
const std::vector<uint64_t>& Weights() {
  static const auto* const weights = new std::vector<uint64_t>{
      30, 10, 8, 8, 10, 8, 6, 4, 4, 3, 6, 4, 4, 3, 12, 6, 5, 2};
  CHECK(weights->size() == static_cast<size_t>(Deed::kRead) + 1);
  return *weights;
}

std::string Outcome(const absl::Status& status) {
  return absl::StatusCodeToString(status.code());
}

}  // namespace

Embedder::Embedder(Judge* judge, Coordinator* coordinator, ProcessId process,
                   sim::Chance chance, std::vector<std::string> keys)
    : judge_(judge),
      coordinator_(coordinator),
      process_(process),
      chance_(chance),
      keys_(std::move(keys)) {}

void Embedder::Act() {
  chance_.BeginItem();
  holdings_.erase(std::remove_if(holdings_.begin(), holdings_.end(),
                                 [](const auto& held) {
                                   return !held->lock.has_value() &&
                                          held->is_silent;
                                 }),
                  holdings_.end());
  const auto deed = static_cast<Deed>(chance_.PickWeighted(Weights()));
  const std::shared_ptr<Holding> holding = PickHolding();
  switch (deed) {
    case Deed::kLock:
      return Lock(chance_.Pick(keys_), /*is_try=*/false);
    case Deed::kTry:
      return Lock(chance_.Pick(keys_), /*is_try=*/true);
    case Deed::kWithdraw:
      return Withdraw();
    case Deed::kStopCall:
      return StopCall();
    case Deed::kReleaseByOwner:
      return Claim(/*is_release=*/true);
    case Deed::kRenewByOwner:
      return Claim(/*is_release=*/false);
    case Deed::kReleaseByToken:
      return ClaimByToken(/*is_release=*/true);
    case Deed::kRenewByToken:
      return ClaimByToken(/*is_release=*/false);
    case Deed::kRead:
      return Read();
    case Deed::kForce:
      return Force();
    case Deed::kRenew:
      if (holding != nullptr) Renew(*holding);
      return;
    case Deed::kRelease:
      if (holding != nullptr) Release(*holding);
      return;
    case Deed::kGiveUp:
      if (holding != nullptr) GiveUp(*holding);
      return;
    case Deed::kDetach:
      if (holding != nullptr) Detach(*holding);
      return;
    case Deed::kMove:
      if (holding != nullptr) Move(*holding);
      return;
    case Deed::kMoveOver: {
      const std::shared_ptr<Holding> over = PickHolding();
      if (over != nullptr) MoveOver(*holding, *over);
      return;
    }
    case Deed::kLook:
      if (holding != nullptr) judge_->Looked(*holding);
      return;
    case Deed::kWatch:
      if (holding != nullptr) judge_->Watches(*holding);
      return;
  }
}

void Embedder::Hoard(int count) {
  for (int i = 0; i < count; ++i) {
    LockAs(absl::StrCat("hoard-", process_.value(), "-", i), absl::Minutes(5),
           absl::ZeroDuration(), "", /*has_callback=*/true);
  }
}

void Embedder::GiveUpAll() {
  for (const std::shared_ptr<Holding>& holding : holdings_) {
    if (holding->lock.has_value()) GiveUp(*holding);
  }
  holdings_.clear();
}

std::string Embedder::TryInherited() {
  std::string wrong;
  int unanswered = 0;
  // A call must be refused here and now: nobody could answer later.
  const auto refused = [&wrong, &unanswered](absl::string_view call) {
    ++unanswered;
    return [&wrong, &unanswered, call](const absl::Status& status) {
      --unanswered;
      if (absl::IsFailedPrecondition(status)) return;
      absl::StrAppend(&wrong, call, " says ", status.ToString(), "; ");
    };
  };
  const auto not_granted = [&refused](absl::string_view call) {
    return
        [done = refused(call)](const auto& result) { done(result.status()); };
  };
  for (const std::shared_ptr<Holding>& holding : holdings_) {
    if (!holding->lock.has_value()) continue;
    HeldLock& lock = *holding->lock;
    const bool believes = lock.remaining() > absl::ZeroDuration() ||
                          lock.lease_remaining() > absl::ZeroDuration() ||
                          lock.state() != Belief::kLost ||
                          lock.loss_reason() != LossReason::kClosed ||
                          !lock.stop_token().stop_requested();
    if (believes) absl::StrAppend(&wrong, "it believes in ", lock.key(), "; ");
    lock.RenewAsync(DrawTtl(), refused("HeldLock::Renew"));
    lock.ReleaseAsync(refused("HeldLock::Release"));
    coordinator_->RenewAsync(lock.key(), DrawTtl(), lock.token(),
                             refused("Renew"));
    coordinator_->ReleaseAsync(lock.key(), lock.token(), refused("Release"));
    holding->lock.reset();
  }
  const std::string& key = keys_.front();
  coordinator_->LockAsync(key, DrawTtl(), {}, not_granted("Lock"));
  coordinator_->TryLockAsync(key, DrawTtl(), {}, not_granted("TryLock"));
  coordinator_->ForceReleaseAsync(key, "by a child", {},
                                  not_granted("ForceRelease"));
  coordinator_->GetLocksAsync("", not_granted("GetLocks"));
  coordinator_->GetMembersAsync(not_granted("GetMembers"));
  coordinator_->LeaveAsync(refused("Leave"));
  for (const Pending& pending : pending_) {
    coordinator_->Withdraw(pending.request);
    if (pending.stop.stop_possible()) pending.stop.request_stop();
  }
  if (unanswered > 0) absl::StrAppend(&wrong, unanswered, " calls wait");
  return wrong;
}

void Embedder::Lock(std::string key, bool is_try) {
  const absl::Duration wait =
      is_try ? absl::ZeroDuration()
             : chance_.Between(absl::Milliseconds(1), absl::Seconds(6));
  std::string owner = PickOwner();
  const absl::Duration ttl = DrawTtl();
  LockAs(std::move(key), ttl, wait, std::move(owner),
         chance_.Happens(Rate::Percent(80)));
}

void Embedder::LockAs(std::string key, absl::Duration ttl, absl::Duration wait,
                      std::string owner, bool has_callback) {
  const bool renews = chance_.Happens(Rate::Percent(15));
  const CallId call =
      judge_->Ask(process_, Door::kEmbedder,
                  absl::StrCat(renews ? "lock and renew " : "lock ", key));
  const auto slot = std::make_shared<std::weak_ptr<Holding>>();
  Pending pending = {.call = call, .key = key, .owner = owner};
  LockOptions options;
  if (chance_.Happens(Rate::Percent(40))) {
    pending.stop = std::stop_source();
    options.stop = pending.stop.get_token();
  }
  options.wait = wait;
  options.owner = std::move(owner);
  options.renew = renews;
  if (renews && chance_.Happens(Rate::Percent(50))) {
    options.max_hold =
        chance_.Between(absl::Milliseconds(500), absl::Seconds(8));
  }
  if (has_callback) {
    options.on_change = [this, slot](const LockChange& change) {
      OnChange(slot, change);
    };
  }
  Coordinator::LockCallback done =
      [this, call, slot, has_callback, renews,
       stop = options.stop](absl::StatusOr<HeldLock> result) {
        if (result.ok() && stop.stop_requested() && IsJudged()) {
          judge_->Complain(absl::StrCat("somebody is handed ", result->key(),
                                        " who has stopped his call"));
        }
        if (result.ok() && renews) judge_->Permit(result->token());
        OnLocked(call, slot, has_callback, std::move(result));
      };
  pending.request = wait == absl::ZeroDuration()
                        ? coordinator_->TryLockAsync(
                              key, ttl, std::move(options), std::move(done))
                        : coordinator_->LockAsync(key, ttl, std::move(options),
                                                  std::move(done));
  pending_.push_back(std::move(pending));
}

void Embedder::OnLocked(CallId call, const Slot& slot, bool has_callback,
                        absl::StatusOr<HeldLock> result) {
  if (!IsJudged()) return;
  judge_->Answer(call, Outcome(result.status()));
  if (!result.ok()) return;
  const std::shared_ptr<Holding> holding =
      judge_->Held(process_, *std::move(result), has_callback);
  *slot = holding;
  holdings_.push_back(holding);
  if (chance_.Happens(Rate::Percent(20))) judge_->Watches(*holding);
  if (chance_.Happens(Rate::Percent(30))) ActInCallback(holding);
}

void Embedder::OnChange(const Slot& slot, const LockChange& change) {
  if (!IsJudged()) return;
  const std::shared_ptr<Holding> holding = slot->lock();
  if (holding == nullptr) {
    judge_->Complain(absl::StrCat("somebody is told of ", change.key,
                                  " who does not hold it"));
    return;
  }
  judge_->Told(*holding, change);
  if (chance_.Happens(Rate::Percent(40))) ActInCallback(holding);
}

// On the driver's thread.
void Embedder::ActInCallback(const std::shared_ptr<Holding>& holding) {
  if (!holding->lock.has_value()) return;
  switch (chance_.Below(8)) {
    case 0:
      return GiveUp(*holding);
    case 1:
      return Release(*holding);
    case 2:
      return Renew(*holding);
    case 3:
      return Move(*holding);
    case 4:
      return Detach(*holding);
    case 5:
      return judge_->Looked(*holding);
    case 6:
      // Its grant may be among the answers of this turn.
      return StopCall();
    default:
      if (!is_resting_) Lock(holding->key, chance_.Happens(Rate::Percent(50)));
  }
}

void Embedder::Withdraw() {
  pending_.erase(std::remove_if(pending_.begin(), pending_.end(),
                                [this](const Pending& pending) {
                                  return judge_->IsAnswered(pending.call) &&
                                         chance_.Happens(Rate::Percent(90));
                                }),
                 pending_.end());
  if (pending_.empty()) return;
  coordinator_->Withdraw(chance_.Pick(pending_).request);
}

void Embedder::StopCall() {
  if (pending_.empty()) return;
  Pending& pending = pending_[chance_.Below(pending_.size())];
  if (!pending.stop.stop_possible() || judge_->IsAnswered(pending.call)) return;
  judge_->Stop(pending.call);
  // It may be granted already, and nobody is to hear of that.
  judge_->PermitUnheard(process_, pending.key, pending.owner,
                        /*must_release=*/true);
  pending.stop.request_stop();
}

void Embedder::Renew(Holding& holding) {
  judge_->Looked(holding);  // as RenewAsync() does itself
  judge_->Permit(holding.token);
  const CallId call = judge_->Ask(process_, Door::kEmbedder,
                                  absl::StrCat("renew ", holding.key));
  holding.lock->RenewAsync(DrawTtl(), Answering(call));
}

void Embedder::Release(Holding& holding) {
  judge_->GivingUp(holding);
  const CallId call = judge_->Ask(process_, Door::kEmbedder,
                                  absl::StrCat("release ", holding.key));
  holding.lock->ReleaseAsync(Answering(call));
}

void Embedder::GiveUp(Holding& holding) {
  judge_->GivingUp(holding);
  holding.lock.reset();
}

void Embedder::Detach(Holding& holding) {
  if (holding.is_silent) return;
  judge_->Detaching(holding);
  holding.lock->Detach();
  holding.lock.reset();
}

void Embedder::Move(Holding& holding) {
  HeldLock moved = *std::move(holding.lock);
  holding.lock.emplace(std::move(moved));
}

// The lock of `over` is given up, and `from`'s goes on in its place.
void Embedder::MoveOver(Holding& from, Holding& over) {
  if (&from == &over) {
    HeldLock& self = *from.lock;
    *from.lock = std::move(self);
    return;
  }
  judge_->GivingUp(over);
  *over.lock = *std::move(from.lock);
  from.lock.emplace(*std::move(over.lock));
  over.lock.reset();
}

void Embedder::Claim(bool is_release) {
  const std::string key = chance_.Pick(keys_);
  const std::string owner = PickOwner();
  const CallId call =
      judge_->Ask(process_, Door::kEmbedder,
                  absl::StrCat(is_release ? "release " : "renew ", key,
                               " by owner \"", owner, "\""));
  judge_->PermitOwner(call, key, owner);
  if (is_release) {
    coordinator_->ReleaseAsync(key, owner, Answering(call));
  } else {
    coordinator_->RenewAsync(key, DrawTtl(), owner, Answering(call));
  }
}

void Embedder::ClaimByToken(bool is_release) {
  if (holdings_.empty()) return;
  const std::shared_ptr<Holding> holding = chance_.Pick(holdings_);
  judge_->Permit(holding->token);
  const CallId call =
      judge_->Ask(process_, Door::kEmbedder,
                  absl::StrCat(is_release ? "release " : "renew ", holding->key,
                               " by its token"));
  if (is_release) {
    coordinator_->ReleaseAsync(holding->key, holding->token, Answering(call));
  } else {
    coordinator_->RenewAsync(holding->key, DrawTtl(), holding->token,
                             Answering(call));
  }
}

// From whoever holds it, wherever that is; or only under a token of its own.
void Embedder::Force() {
  std::string key = chance_.Pick(keys_);
  FencingToken token;
  if (!holdings_.empty() && chance_.Happens(Rate::Percent(30))) {
    const std::shared_ptr<Holding> holding = chance_.Pick(holdings_);
    key = holding->key;
    token = holding->token;
  }
  const std::string reason =
      absl::StrCat("reason ", ++forced_, " of p", process_.value());
  const CallId call = judge_->Ask(process_, Door::kEmbedder,
                                  absl::StrCat("force ", key, ": ", reason));
  judge_->Forces(key, reason);
  coordinator_->ForceReleaseAsync(
      key, reason, token, [this, call](const absl::StatusOr<LockInfo>& holder) {
        if (IsJudged()) judge_->Answer(call, Outcome(holder.status()));
      });
}

void Embedder::Read() {
  const bool is_members = chance_.Happens(Rate::Percent(30));
  const CallId call =
      judge_->Ask(process_, Door::kEmbedder, is_members ? "members" : "locks");
  const auto answer = [this, call](const auto& result) {
    if (IsJudged()) judge_->Answer(call, Outcome(result.status()));
  };
  if (is_members) {
    coordinator_->GetMembersAsync(answer);
  } else {
    coordinator_->GetLocksAsync("", answer);
  }
}

std::shared_ptr<Holding> Embedder::PickHolding() {
  std::vector<std::shared_ptr<Holding>> open;
  for (const std::shared_ptr<Holding>& holding : holdings_) {
    if (holding->lock.has_value()) open.push_back(holding);
  }
  return open.empty() ? nullptr : chance_.Pick(open);
}

std::string Embedder::PickOwner() {
  return chance_.Pick(std::vector<std::string>{"", "ann", "bob"});
}

absl::Duration Embedder::DrawTtl() {
  return chance_.Between(absl::Milliseconds(150), absl::Seconds(6));
}

StatusCallback Embedder::Answering(CallId call) {
  return [this, call](const absl::Status& status) {
    if (IsJudged()) judge_->Answer(call, Outcome(status));
  };
}

}  // namespace cachalot::io_judge
