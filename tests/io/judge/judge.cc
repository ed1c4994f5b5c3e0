#include "tests/io/judge/judge.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "engine/event.h"
#include "engine/instant.h"
#include "sim/judge/complaint.h"

namespace cachalot::io_judge {
namespace {

// Turns after which what was ordered must have been done.
constexpr uint64_t kTurnsMax = 4;

std::string NameOf(ProcessId process) {
  return absl::StrCat("p", process.value());
}

std::string Describe(const Event& event) {
  if (const auto* submitted = std::get_if<RequestSubmitted>(&event)) {
    const std::string number = absl::StrCat(" #", submitted->request.value());
    if (const auto* body = std::get_if<AcquireRequest>(&submitted->body)) {
      return absl::StrCat("acquire", number, " ", body->key, " owner \"",
                          body->owner, "\"");
    }
    if (const auto* body = std::get_if<RenewRequest>(&submitted->body)) {
      return absl::StrCat("renew", number, " ", body->key, " ",
                          body->token.ToString());
    }
    if (const auto* body = std::get_if<ReleaseRequest>(&submitted->body)) {
      return absl::StrCat("release", number, " ", body->key, " ",
                          body->token.ToString());
    }
    return absl::StrCat("read", number);
  }
  if (const auto* withdrawn = std::get_if<RequestWithdrawn>(&event)) {
    return absl::StrCat("withdraw #", withdrawn->request.value());
  }
  if (std::holds_alternative<LeaveRequested>(event)) return "leave";
  return "";
}

}  // namespace

void Judge::Complain(absl::string_view sentence) {
  if (complaint_.has_value()) return;
  complaint_ = std::string(sentence);
  Note("judge", sentence);
}

void Judge::Note(absl::string_view who, absl::string_view what) {
  if (trace_.is_on()) trace_.Line(time_->now(), who, what);
}

void Judge::Hash(absl::string_view what) {
  hash_.Add(static_cast<uint64_t>(time_->now().nanoseconds()));
  hash_.Add(what);
}

// --- Processes --------------------------------------------------------------

ProcessId Judge::StartProcess(const sim::ClockPair* clock) {
  processes_.push_back(std::make_unique<Process>());
  Process& process = *processes_.back();
  process.judge = this;
  process.clock = clock;
  process.id = ProcessId(processes_.size());
  Note(NameOf(process.id), "starts");
  return process.id;
}

DriverWatcher* Judge::WatcherOf(ProcessId process) { return &At(process); }

void Judge::SetDriver(ProcessId process, VirtualDriver* driver) {
  At(process).driver = driver;
}

bool Judge::IsJudged(ProcessId process) const {
  return At(process).life != Life::kKilled;
}

void Judge::Stopped(ProcessId id) {
  Process& process = At(id);
  process.life = Life::kStopped;
  process.driver = nullptr;
  Note(NameOf(id), "has stopped");
  for (const auto& [number, call] : calls_) {
    if (call.process != id) continue;
    if (call.door == Door::kLocalSocket) continue;  // its connection ends
    Complain(sim::Say(NameOf(id), " stopped without an answer to call ",
                      number.value(), ", ", call.what));
  }
  for (const std::shared_ptr<Holding>& holding : holdings_) {
    if (holding->process != id || holding->is_silent) continue;
    if (holding->has_callback && !holding->is_loss_told) {
      Complain(sim::Say(NameOf(id), " stopped and did not tell the holder of ",
                        holding->key, " that the lock is lost"));
    }
  }
  holdings_.erase(
      std::remove_if(holdings_.begin(), holdings_.end(),
                     [id](const auto& held) { return held->process == id; }),
      holdings_.end());
}

void Judge::Killed(ProcessId id) {
  Process& process = At(id);
  process.life = Life::kKilled;
  process.driver = nullptr;
  Note(NameOf(id), "is killed");
  for (auto call = calls_.begin(); call != calls_.end();) {
    call = call->second.process == id ? calls_.erase(call) : std::next(call);
  }
  holdings_.erase(
      std::remove_if(holdings_.begin(), holdings_.end(),
                     [id](const auto& held) { return held->process == id; }),
      holdings_.end());
}

void Judge::Forked(ProcessId id, absl::string_view wrong) {
  ++counters_.forks;
  Note(NameOf(id), "forks");
  if (wrong.empty()) return;
  Complain(sim::Say("a child of ", NameOf(id),
                    " tries what it has inherited: ", wrong));
}

// --- Calls ------------------------------------------------------------------

CallId Judge::Ask(ProcessId process, Door door, absl::string_view what) {
  const CallId call(++last_call_);
  calls_.emplace(
      call, Call{.process = process, .door = door, .what = std::string(what)});
  if (has_log()) {
    Note(NameOf(process), absl::StrCat("call ", call.value(), ": ", what));
  }
  return call;
}

void Judge::Answer(CallId call, absl::string_view outcome) {
  ++counters_.answers;
  Hash(absl::StrCat(call.value(), " ", outcome));
  const auto found = calls_.find(call);
  if (found == calls_.end()) {
    Complain(
        sim::Say("call ", call.value(), " was answered again, with ", outcome));
    return;
  }
  const Process& process = At(found->second.process);
  if (has_log()) {
    Note(NameOf(process.id),
         absl::StrCat("answer to call ", call.value(), ": ", outcome));
  }
  // Bytes at a local socket may be read later.
  if (process.life == Life::kStopped && found->second.door == Door::kEmbedder) {
    Complain(sim::Say(NameOf(process.id), " answers call ", call.value(),
                      " after it has stopped"));
  }
  calls_.erase(found);
}

void Judge::Abandon(CallId call) {
  const auto found = calls_.find(call);
  if (found == calls_.end()) return;
  found->second.forget_by = At(found->second.process).turns + kTurnsMax;
}

void Judge::Stop(CallId call) {
  const auto found = calls_.find(call);
  if (found == calls_.end()) return;
  const Process& process = At(found->second.process);
  Note(NameOf(process.id), absl::StrCat("stops call ", call.value()));
  if (process.life != Life::kRunning) return;
  found->second.answer_by = process.turns + kTurnsMax;
}

void Judge::AwaitsLoss(CallId call, FencingToken token) {
  calls_.at(call).awaits_loss_of = token;
}

void Judge::PermitOwner(CallId call, absl::string_view key,
                        absl::string_view owner) {
  Call& open = calls_.at(call);
  open.key = std::string(key);
  open.owner = std::string(owner);
}

void Judge::PermitUnheard(ProcessId process, absl::string_view key,
                          absl::string_view owner, bool must_release) {
  unheard_.emplace(process, std::string(key), std::string(owner));
  if (must_release) return;
  kept_unheard_.emplace(process, std::string(key), std::string(owner));
}

bool Judge::IsPermitted(const Process& process, absl::string_view key,
                        FencingToken token) const {
  if (permitted_.contains(token)) return true;
  const auto found = grants_.find(token);
  if (found == grants_.end()) return false;
  const Granted& granted = found->second;
  if (granted.process != process.id || granted.key != key) return false;
  // An embedder hears of a grant at once, a program when it reads the answer.
  const Door door = granted.door.value_or(Door::kLocalSocket);
  if (!granted.door.has_value() &&
      unheard_.contains({process.id, granted.key, granted.owner})) {
    return true;
  }
  return std::any_of(calls_.begin(), calls_.end(), [&](const auto& item) {
    const Call& call = item.second;
    if (call.forget_by.value_or(process.turns) < process.turns) return false;
    return call.process == process.id && call.door == door && call.key == key &&
           !call.owner.empty() && call.owner == granted.owner;
  });
}

void Judge::CheckPermit(const Process& process, absl::string_view what,
                        absl::string_view key, FencingToken token) {
  if (IsPermitted(process, key, token)) return;
  Complain(sim::Say(NameOf(process.id), " ", what, " ", key, " with token ",
                    token, " for somebody who has not proved a right to it"));
}

// --- Locks ------------------------------------------------------------------

std::shared_ptr<Holding> Judge::Held(ProcessId process, HeldLock lock,
                                     bool has_callback) {
  ++counters_.grants;
  auto holding = std::make_shared<Holding>(Holding{
      .process = process,
      .request = {},
      .key = lock.key(),
      .owner = lock.owner(),
      .token = lock.token(),
      .lock = std::nullopt,
      .has_callback = has_callback,
  });
  const auto granted = grants_.find(holding->token);
  if (granted == grants_.end() || granted->second.process != process) {
    Complain(sim::Say(NameOf(process), " holds ", holding->key, " with token ",
                      holding->token, ", which its engine did not grant"));
  } else {
    if (granted->second.door.has_value()) {
      Complain(sim::Say("the grant of ", holding->key, " with token ",
                        holding->token, " was handed out twice"));
    }
    granted->second.door = Door::kEmbedder;
    granted->second.holding = holding;
    holding->request = granted->second.request;
  }
  holding->lock.emplace(std::move(lock));
  // An answer that comes too late may be of a lock that is lost already.
  const bool believes = holding->lock->remaining() > absl::ZeroDuration();
  holding->was_zero = !believes;
  if (!believes && granted != grants_.end() && IsRunning(process)) {
    granted->second.tell_by = At(process).turns + kTurnsMax;
    At(process).due.insert(holding->token);
  }
  if (believes) CheckSoleBelief(holding->key, holding->token);
  holdings_.push_back(holding);
  return holding;
}

void Judge::HeldLocally(ProcessId process, absl::string_view key,
                        FencingToken token) {
  ++counters_.local_grants;
  const auto granted = grants_.find(token);
  if (granted == grants_.end() || granted->second.process != process) {
    Complain(sim::Say(NameOf(process), " tells a program that it holds ", key,
                      " with token ", token,
                      ", which its engine did not grant"));
    return;
  }
  if (granted->second.door.has_value()) {
    Complain(sim::Say("the grant of ", key, " with token ", token,
                      " was handed out twice"));
  }
  granted->second.door = Door::kLocalSocket;
}

// A belief can begin only with a grant.
void Judge::CheckSoleBelief(absl::string_view key, FencingToken token) {
  ++counters_.beliefs_compared;
  for (const std::shared_ptr<Holding>& other : holdings_) {
    if (other->key != key || other->token == token) continue;
    if (!other->lock.has_value()) continue;
    const absl::Duration left = other->lock->remaining();
    if (left == absl::ZeroDuration()) continue;
    Complain(sim::Say(key, " was granted with token ", token, ", and ",
                      NameOf(other->process), " believes for another ", left,
                      " that it has it with ", other->token));
  }
  for (const FencingToken& other : live_by_key_[std::string(key)]) {
    const Granted& granted = grants_.at(other);
    if (other == token || granted.is_release_asked) continue;
    const Process& process = At(granted.process);
    if (process.driver == nullptr) continue;
    const std::optional<Client::Held> held =
        process.driver->node().client().Find(granted.request);
    if (!held.has_value()) continue;
    if (held->belief_end <= process.driver->ReadClock().fast) continue;
    Complain(sim::Say(key, " was granted with token ", token, ", and ",
                      NameOf(process.id), " believes that it has it with ",
                      other));
  }
  for (const FencingToken& other : local_by_key_[std::string(key)]) {
    const Granted& granted = grants_.at(other);
    if (other == token || granted.is_release_asked) continue;
    // A cluster of one that ended: what was believed in it ends by itself.
    const auto found = grants_.find(token);
    if (found == grants_.end() || found->second.cluster != granted.cluster) {
      continue;
    }
    const Process& process = At(granted.process);
    if (process.is_leaving) continue;
    // What a program was promised ends with a revocation, unless it is the one
    // to release the lock.
    const bool is_taken = granted.is_lost && !granted.text.empty();
    if (is_taken && !granted.releases_itself) continue;
    const FastInstant now = process.clock->At(time_->now()).fast;
    if (granted.local_belief_end <= now) continue;
    Complain(sim::Say(key, " was granted with token ", token,
                      ", and a program of ", NameOf(process.id),
                      " believes for another ", granted.local_belief_end - now,
                      " that it has it with ", other));
  }
}

void Judge::BelievesLocally(FencingToken token, RealInstant asked,
                            absl::Duration belief) {
  const auto found = grants_.find(token);
  if (found == grants_.end()) return;
  Granted& granted = found->second;
  const sim::ClockPair& clock = *At(granted.process).clock;
  granted.local_belief_end =
      std::max(granted.local_belief_end, clock.At(asked).fast + belief);
  local_by_key_[granted.key].insert(token);
}

void Judge::ToldLocally(FencingToken token, LossReason reason) {
  const auto found = grants_.find(token);
  if (found != grants_.end()) CheckLossReason(found->second, reason);
}

void Judge::GivingUp(Holding& holding) {
  if (holding.is_silent) return;
  holding.is_silent = true;
  holding.must_stop = true;
  Permit(holding.token);
  MustBeReleased(holding.process, holding.token);
}

void Judge::Detaching(Holding& holding) { holding.is_detached = true; }

void Judge::MustBeReleased(ProcessId id, FencingToken token) {
  Process& process = At(id);
  if (process.life != Life::kRunning || process.is_leaving) return;
  const auto found = grants_.find(token);
  if (found == grants_.end() || found->second.process != id) return;
  Granted& granted = found->second;
  if (granted.is_lost || granted.is_release_asked) return;
  if (granted.release_by.has_value()) return;
  granted.release_by = process.turns + kTurnsMax;
  process.due.insert(token);
}

void Judge::MustBeGivenBack(ProcessId id, absl::string_view key,
                            absl::string_view owner, bool also_granted) {
  Process& process = At(id);
  if (process.life != Life::kRunning) return;
  for (auto& [request, item] : process.asked) {
    if (!item.is_acquire || item.is_answered) continue;
    if (item.key != key || item.owner != owner) continue;
    item.withdraw_by = process.turns + kTurnsMax;
    item.is_abandoned = also_granted;
    process.withdrawals_due.insert(request);
  }
  if (!also_granted) return;
  for (const FencingToken& token : live_by_key_[std::string(key)]) {
    const Granted& granted = grants_.at(token);
    if (granted.process == id && granted.owner == owner) {
      MustBeReleased(id, token);
    }
  }
}

void Judge::Told(Holding& holding, const LockChange& change) {
  Hash(absl::StrCat("told ", change.token.ToString(), " ",
                    BeliefName(change.belief)));
  const Process& process = At(holding.process);
  const std::string who =
      absl::StrCat(NameOf(process.id), "'s holder of ", holding.key);
  if (has_log()) {
    Note(who, absl::StrCat("is told ", BeliefName(change.belief), ", ",
                           LossReasonName(change.reason)));
  }
  if (process.life == Life::kStopped) {
    Complain(sim::Say(who, " was called after the service had stopped"));
  }
  if (holding.is_silent) {
    Complain(sim::Say(who, " was called after it had given the lock up"));
  }
  if (holding.is_loss_told) {
    Complain(sim::Say(who, " was told something after the loss"));
  }
  if (change.token != holding.token || change.key != holding.key) {
    Complain(sim::Say(who, " was told of another lock"));
  }
  holding.told = change.belief;
  if (change.belief != Belief::kLost) return;
  ++counters_.losses_told;
  holding.is_loss_told = true;
  const auto granted = grants_.find(holding.token);
  if (granted != grants_.end()) {
    CheckLossReason(granted->second, change.reason);
    CheckWords(granted->second, {.reason = change.reason, .text = change.text});
  }
}

void Judge::CheckWords(const Granted& granted, const LockLoss& told) {
  if (told.reason != granted.reason || told.text == granted.text) return;
  Complain(sim::Say(NameOf(granted.process), "'s holder of ", granted.key,
                    " was told \"", told.text,
                    "\" of its loss, and the engine "
                    "says \"",
                    granted.text, "\""));
}

// What a handle says of its loss is what its holder was told.
void Judge::CheckLoss(Holding& holding) {
  if (!holding.lock.has_value() || holding.is_silent) return;
  const auto granted = grants_.find(holding.token);
  if (granted == grants_.end() || !granted->second.is_lost) return;
  const LockLoss loss = holding.lock->loss();
  CheckLossReason(granted->second, loss.reason);
  CheckWords(granted->second, loss);
}

void Judge::Watches(Holding& holding) {
  if (!holding.lock.has_value() || holding.stop.has_value()) return;
  holding.must_stop = holding.lock->state() != Belief::kHeld;
  holding.stop = holding.lock->stop_token();
}

void Judge::CheckStop(const Process& process, Holding& holding) {
  if (!holding.stop.has_value()) return;
  const bool has_stopped = holding.stop->stop_requested();
  if (has_stopped) ++counters_.stops;
  if (has_stopped && !holding.must_stop) {
    Complain(sim::Say(NameOf(process.id), "'s holder of ", holding.key,
                      " is stopped, though the lock is held for certain"));
  }
  if (has_stopped || !holding.must_stop) return;
  // Its own clock was first; the engine comes to it with the next turn.
  const auto granted = grants_.find(holding.token);
  const bool is_lost = granted != grants_.end() && granted->second.is_lost;
  if (holding.was_zero && !is_lost && !holding.is_silent) return;
  Complain(sim::Say(NameOf(process.id), "'s holder of ", holding.key,
                    " is not stopped, though the lock is ",
                    holding.is_silent ? "given up"
                    : is_lost         ? "lost"
                                      : "suspect"));
}

void Judge::CheckLossReason(const Granted& granted, LossReason reason) {
  const Process& process = At(granted.process);
  const auto lie = [&](absl::string_view text) {
    Complain(sim::Say(NameOf(process.id), "'s holder of ", granted.key,
                      " was told ", LossReasonName(reason), text));
  };
  if (reason == LossReason::kNone) lie(", without a reason");
  if (reason == LossReason::kReleased && !granted.is_release_asked) {
    lie(", and nobody has released it");
  }
  if (reason == LossReason::kLeft && !process.is_leaving) {
    lie(", and nobody asked the process to leave");
  }
  if (reason == LossReason::kClosed && process.life == Life::kRunning) {
    lie(", and it has not been closed");
  }
  if (granted.is_lost && reason != granted.reason &&
      reason != LossReason::kExpired) {
    lie(absl::StrCat(", and the engine says ", LossReasonName(granted.reason)));
  }
}

void Judge::Looked(Holding& holding) {
  if (!holding.lock.has_value()) return;
  const absl::Duration left = holding.lock->remaining();
  if (left == absl::ZeroDuration()) {
    holding.was_zero = true;
    return;
  }
  if (holding.was_zero || holding.is_silent || holding.is_loss_told) {
    Complain(sim::Say(NameOf(holding.process), " believes again in ",
                      holding.key, ", which was lost"));
  }
}

// What a holder sees is what its engine believes.
void Judge::CheckHolding(Process& process, Holding& holding) {
  if (!holding.lock.has_value()) return;
  const std::optional<Client::Held> held =
      process.driver->node().client().Find(holding.request);
  absl::Duration expected;
  if (held.has_value()) {
    expected = std::max(absl::ZeroDuration(),
                        held->belief_end - process.driver->ReadClock().fast);
  }
  const bool is_over =
      holding.was_zero || holding.is_silent || holding.is_loss_told;
  if (expected > absl::ZeroDuration() && !is_over) {
    const auto granted = grants_.find(holding.token);
    if (granted != grants_.end() && granted->second.is_release_asked) return;
    const absl::Duration left = holding.lock->remaining();
    if (left == expected) return;
    Complain(sim::Say(NameOf(process.id), "'s holder of ", holding.key,
                      " sees another ", left, ", its engine ", expected));
    return;
  }
  Looked(holding);
  if (holding.was_zero || is_over) return;
  Complain(sim::Say(NameOf(process.id), "'s holder of ", holding.key,
                    " believes in what its engine takes for lost"));
}

// --- What drivers report ----------------------------------------------------

void Judge::Process::OnLearned(const Event& event) {
  if (life == Life::kKilled) return;
  const std::string text = Describe(event);
  if (!text.empty()) {
    judge->Hash(text);
    judge->Note(NameOf(id), absl::StrCat("engine < ", text));
  }
  if (const auto* withdrawn = std::get_if<RequestWithdrawn>(&event)) {
    withdrawals_due.erase(withdrawn->request);
  }
  const auto* submitted = std::get_if<RequestSubmitted>(&event);
  if (submitted == nullptr) return;
  Asked item;
  if (const auto* acquire = std::get_if<AcquireRequest>(&submitted->body)) {
    item.is_acquire = true;
    item.releases_itself = acquire->releases_itself;
    item.key = acquire->key;
    item.owner = acquire->owner;
  }
  if (!asked.emplace(submitted->request, item).second) {
    judge->Complain(sim::Say(NameOf(id), " uses the number ",
                             submitted->request.value(),
                             " for another request"));
  }
  if (const auto* renew = std::get_if<RenewRequest>(&submitted->body)) {
    judge->CheckPermit(*this, "renews", renew->key, renew->token);
  }
  if (const auto* release = std::get_if<ReleaseRequest>(&submitted->body)) {
    ++judge->counters_.releases;
    judge->CheckPermit(*this, "releases", release->key, release->token);
    const auto granted = judge->grants_.find(release->token);
    if (granted != judge->grants_.end() &&
        granted->second.key == release->key) {
      granted->second.is_release_asked = true;
      granted->second.release_by.reset();
    }
  }
}

void Judge::Process::OnAnswered(const AnswerRequest& answer) {
  if (life == Life::kKilled) return;
  const std::string text = absl::StrCat("#", answer.request.value(), " ",
                                        OutcomeName(answer.answer.outcome), " ",
                                        answer.answer.token.ToString());
  judge->Hash(text);
  judge->Note(NameOf(id), absl::StrCat("engine > answer ", text));
  Asked& item = asked[answer.request];
  item.is_answered = true;
  withdrawals_due.erase(answer.request);
  if (!item.is_acquire || answer.answer.outcome != Outcome::kOk) return;
  judge->CheckEarlierLoss(*this, item.key);
  judge->grants_.insert_or_assign(
      answer.answer.token, Granted{.process = id,
                                   .cluster = driver->node().identity().cluster,
                                   .request = answer.request,
                                   .key = item.key,
                                   .owner = item.owner,
                                   .door = std::nullopt,
                                   .holding = {},
                                   .releases_itself = item.releases_itself,
                                   .tell_by = std::nullopt,
                                   .release_by = std::nullopt});
  judge->live_by_key_[item.key].insert(answer.answer.token);
  if (item.is_abandoned) judge->MustBeReleased(id, answer.answer.token);
  const std::optional<Client::Held> held =
      driver->node().client().Find(answer.request);
  const bool believes =
      held.has_value() && held->belief_end > driver->ReadClock().fast;
  if (believes) judge->CheckSoleBelief(item.key, answer.answer.token);
}

// The engine holds a key once: whoever had it before has heard of the loss.
void Judge::CheckEarlierLoss(const Process& process, absl::string_view key) {
  for (const auto& [token, granted] : grants_) {
    if (granted.process != process.id || granted.key != key) continue;
    if (granted.is_lost) continue;
    Complain(sim::Say(NameOf(process.id), " is granted ", key,
                      " before the holder of its token ", token,
                      " is told that it is lost"));
  }
}

void Judge::Process::OnNotified(const NotifyHolder& notice) {
  if (life == Life::kKilled) return;
  judge->Hash(absl::StrCat("notice ", notice.request.value(), " ",
                           BeliefName(notice.belief)));
  judge->Note(NameOf(id), absl::StrCat("engine > ", notice.key, " ",
                                       BeliefName(notice.belief), ", ",
                                       LossReasonName(notice.reason)));
  const auto granted = judge->grants_.find(notice.token);
  if (granted == judge->grants_.end()) return;
  if (!notice.text.empty()) {
    ++judge->counters_.revocations;
    if (!judge->forced_.contains({notice.key, notice.text})) {
      judge->Complain(sim::Say(NameOf(id), " is told \"", notice.text, "\" of ",
                               notice.key, ", which nobody has said"));
    }
  }
  const std::shared_ptr<Holding> holding = granted->second.holding.lock();
  if (holding != nullptr && notice.belief != Belief::kHeld) {
    holding->must_stop = true;
  }
  if (notice.belief != Belief::kLost) return;
  granted->second.is_lost = true;
  granted->second.reason = notice.reason;
  granted->second.text = notice.text;
  granted->second.release_by.reset();
  granted->second.tell_by = turns + kTurnsMax;
  due.insert(notice.token);
  judge->live_by_key_[granted->second.key].erase(notice.token);
}

void Judge::Process::OnTurnEnded() {
  if (life == Life::kKilled) return;
  ++turns;
  judge->CheckDue(*this);
}

void Judge::CheckDue(Process& process, FencingToken token, Granted& granted) {
  if (granted.release_by.has_value() && *granted.release_by < process.turns) {
    granted.release_by.reset();
    Complain(sim::Say(NameOf(process.id), " was to give up ", granted.key,
                      " with token ", token, " and has not released it"));
  }
  if (granted.tell_by.has_value() && *granted.tell_by < process.turns) {
    granted.tell_by.reset();
    const std::shared_ptr<Holding> holding = granted.holding.lock();
    const bool is_told = holding == nullptr || holding->is_silent ||
                         holding->is_loss_told || !holding->has_callback;
    if (is_told) return;
    Complain(sim::Say(NameOf(process.id), "'s holder of ", granted.key,
                      " was not told that the lock is lost: ",
                      LossReasonName(granted.reason)));
  }
}

void Judge::CheckCalls(const Process& process) {
  for (const auto& [number, call] : calls_) {
    if (call.process != process.id) continue;
    if (call.answer_by.value_or(process.turns) >= process.turns) continue;
    Complain(sim::Say(NameOf(process.id), " goes on with call ", number.value(),
                      ", ", call.what, ", which its caller has stopped"));
  }
}

void Judge::CheckDue(Process& process) {
  if (process.driver == nullptr) return;
  CheckCalls(process);
  for (const RequestId& request : process.withdrawals_due) {
    const Asked& item = process.asked.at(request);
    if (*item.withdraw_by >= process.turns) continue;
    Complain(sim::Say(NameOf(process.id), " waits for ", item.key,
                      " for a connection that has ended, request ",
                      request.value()));
  }
  for (auto token = process.due.begin(); token != process.due.end();) {
    Granted& granted = grants_.at(*token);
    CheckDue(process, *token, granted);
    const bool is_settled =
        !granted.release_by.has_value() && !granted.tell_by.has_value();
    token = is_settled ? process.due.erase(token) : std::next(token);
  }
  for (const std::shared_ptr<Holding>& holding : holdings_) {
    if (holding->process != process.id) continue;
    CheckHolding(process, *holding);
    CheckStop(process, *holding);
    CheckLoss(*holding);
  }
  holdings_.erase(std::remove_if(holdings_.begin(), holdings_.end(),
                                 [](const std::shared_ptr<Holding>& holding) {
                                   return holding->is_silent &&
                                          !holding->lock.has_value();
                                 }),
                  holdings_.end());
}

void Judge::JudgeQuiet() {
  for (const auto& [number, call] : calls_) {
    if (At(call.process).life != Life::kRunning) continue;
    if (call.forget_by.has_value()) continue;
    // Some locks are renewed for as long as their programs are connected.
    const auto awaited = grants_.find(call.awaits_loss_of);
    if (awaited != grants_.end() && !awaited->second.is_lost) continue;
    Complain(sim::Say(NameOf(call.process), " has never answered call ",
                      number.value(), ", ", call.what));
  }
  for (const auto& [token, granted] : grants_) {
    const Process& process = At(granted.process);
    if (process.life != Life::kRunning) continue;
    if (granted.is_lost || granted.is_release_asked) continue;
    if (granted.door.has_value()) continue;
    if (kept_unheard_.contains({process.id, granted.key, granted.owner})) {
      continue;
    }
    Complain(sim::Say(NameOf(process.id), " keeps ", granted.key,
                      " with token ", token,
                      ", of whose grant nobody was told"));
  }
}

}  // namespace cachalot::io_judge
