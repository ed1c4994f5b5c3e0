#include "sim/clients/linearizability.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/strings/string_view.h"
#include "engine/ids.h"
#include "engine/request.h"
#include "sim/judge/complaint.h"
#include "sim/world/instant.h"

namespace cachalot::sim {
namespace {

bool NamesOwnToken(const Operation& operation) {
  return operation.kind == OperationKind::kRenew ||
         operation.kind == OperationKind::kRelease ||
         operation.kind == OperationKind::kLost;
}

// Whether the lock may become free by this operation, or has by this loss.
bool MayEnd(const Operation& operation) {
  return operation.kind == OperationKind::kRelease ||
         operation.kind == OperationKind::kLost;
}

bool Releases(const Operation& operation) {
  return operation.kind == OperationKind::kRelease &&
         operation.outcome == Outcome::kOk;
}

// Whether it shows who holds the lock, at some instant between call and return.
bool ShowsHolder(const Operation& operation) {
  switch (operation.kind) {
    case OperationKind::kTry:
    case OperationKind::kLock:
      return operation.outcome == Outcome::kHeld;
    case OperationKind::kRenew:
    case OperationKind::kList:
    case OperationKind::kRevoke:
      return operation.outcome == Outcome::kOk && !operation.token.IsNone();
    case OperationKind::kRelease:
    case OperationKind::kWithdraw:
    case OperationKind::kLost:
      return false;
  }
  return false;
}

bool ShowsFree(const Operation& operation) {
  if (operation.kind == OperationKind::kRevoke) {
    return operation.outcome == Outcome::kNotHeld;
  }
  return operation.kind == OperationKind::kList &&
         operation.outcome == Outcome::kOk && operation.token.IsNone();
}

// --- Each answer by itself ---------------------------------------------------

class AnswerChecker {
 public:
  explicit AnswerChecker(const History& history) : history_(history) {}

  Complaint Check();

 private:
  Complaint Note(const Operation& operation);
  Complaint CheckOwner(const Operation& operation) const;
  Complaint CheckEnd(const Operation& operation) const;
  Complaint CheckWithdrawn(const Operation& operation) const;

  const History& history_;
  absl::btree_map<FencingToken, const Operation*> grants_;
  absl::btree_map<FencingToken, const Operation*> releases_;
  // The earliest instant at which each grant may have ended.
  absl::btree_map<FencingToken, RealInstant> ends_;
  std::set<std::pair<absl::string_view, RealInstant>> withdrawals_;
};

Complaint AnswerChecker::Check() {
  for (const Operation& operation : history_) {
    Complaint complaint = Note(operation);
    if (complaint.has_value()) return complaint;
  }
  for (const Operation& operation : history_) {
    Complaint complaint = CheckOwner(operation);
    if (!complaint.has_value()) complaint = CheckEnd(operation);
    if (!complaint.has_value()) complaint = CheckWithdrawn(operation);
    if (complaint.has_value()) return complaint;
  }
  return std::nullopt;
}

Complaint AnswerChecker::Note(const Operation& operation) {
  if (operation.NeedsToken() && operation.token.IsNone()) {
    return Say("it names no token: ", operation);
  }
  if (operation.Grants()) {
    const auto [other, is_first] = grants_.emplace(operation.token, &operation);
    if (!is_first) {
      return Say("one token was granted twice: ", *other->second, "; and ",
                 operation);
    }
  }
  if (Releases(operation)) {
    const auto [other, is_first] =
        releases_.emplace(operation.token, &operation);
    if (!is_first) {
      return Say("one grant was released twice: ", *other->second, "; and ",
                 operation);
    }
  }
  if (MayEnd(operation)) {
    RealInstant& end =
        ends_.try_emplace(operation.token, RealInstant::Never()).first->second;
    end = std::min(end, operation.called);
  }
  if (operation.kind == OperationKind::kWithdraw) {
    withdrawals_.emplace(operation.client, operation.called);
  }
  return std::nullopt;
}

Complaint AnswerChecker::CheckOwner(const Operation& operation) const {
  if (!NamesOwnToken(operation)) return std::nullopt;
  const bool has_effect = operation.kind == OperationKind::kLost ||
                          operation.outcome == Outcome::kOk;
  if (!has_effect) return std::nullopt;
  const auto grant = grants_.find(operation.token);
  if (grant == grants_.end()) {
    return Say("nobody was granted what this names: ", operation);
  }
  const Operation& granted = *grant->second;
  if (granted.client == operation.client && granted.key == operation.key) {
    return std::nullopt;
  }
  return Say("it was granted to somebody else: ", operation, "; but ", granted);
}

Complaint AnswerChecker::CheckEnd(const Operation& operation) const {
  if (operation.kind != OperationKind::kRenew) return std::nullopt;
  if (operation.outcome != Outcome::kNotHeld) return std::nullopt;
  const auto grant = grants_.find(operation.token);
  if (grant == grants_.end()) return std::nullopt;
  if (grant->second->client != operation.client) return std::nullopt;
  const auto end = ends_.find(operation.token);
  if (end != ends_.end() && end->second <= operation.returned) {
    return std::nullopt;
  }
  return Say("it was refused though its belief had not ended: ", operation,
             "; but ", *grant->second);
}

Complaint AnswerChecker::CheckWithdrawn(const Operation& operation) const {
  if (operation.outcome != Outcome::kWithdrawn) return std::nullopt;
  const auto withdrawal = withdrawals_.lower_bound(
      {absl::string_view(operation.client), operation.called});
  if (withdrawal != withdrawals_.end() &&
      withdrawal->first == operation.client &&
      withdrawal->second <= operation.returned) {
    return std::nullopt;
  }
  return Say("nobody had withdrawn it: ", operation);
}

// --- The order, by tokens ----------------------------------------------------

// An instant, and the operation that it follows from.
struct Bound {
  RealInstant at;
  const Operation* because = nullptr;
};

std::ostream& operator<<(std::ostream& out, const Bound& bound) {
  return out << bound.at << " (" << *bound.because << ")";
}

std::string Until(const Bound& bound) {
  if (bound.at != RealInstant::Never()) return Say("until ", bound);
  return Say("for ever (", *bound.because, ")");
}

Bound Later(const Bound& a, const Bound& b) { return a.at < b.at ? b : a; }
Bound Earlier(const Bound& a, const Bound& b) { return b.at < a.at ? b : a; }

// What is known of one grant: the earliest and latest instants at which the
// lock can have been taken, and at which it can have become free.
struct Tenure {
  Bound begin_min;
  Bound begin_max;
  Bound end_min;
  Bound end_max;
};

// A tenure with its place in the order; it ends at `end` at the earliest.
struct PlacedTenure {
  FencingToken token;
  Bound begin_max;
  Bound end;
};

// Checks the order of the operations on one key.
class KeyOrder {
 public:
  KeyOrder(absl::string_view key, const HistoryRules& rules)
      : key_(key), rules_(rules) {}

  void Add(const Operation& operation) { operations_.push_back(&operation); }
  Complaint Check();

 private:
  void NoteGrants();
  void NoteEnd(const Operation& operation);
  Complaint NoteSeenHolder(const Operation& operation);
  Complaint PlaceTenures();
  Complaint PlaceSeenFree(const Operation& operation) const;

  absl::string_view key_;
  HistoryRules rules_;
  std::vector<const Operation*> operations_;
  Bound first_asked_ = {RealInstant::Never()};
  absl::btree_map<FencingToken, Tenure> tenures_;
  std::vector<PlacedTenure> placed_;  // in the order of tokens
};

Complaint KeyOrder::Check() {
  NoteGrants();
  for (const Operation* operation : operations_) {
    if (MayEnd(*operation)) NoteEnd(*operation);
  }
  for (const Operation* operation : operations_) {
    if (!ShowsHolder(*operation)) continue;
    Complaint complaint = NoteSeenHolder(*operation);
    if (complaint.has_value()) return complaint;
  }
  Complaint complaint = PlaceTenures();
  if (complaint.has_value()) return complaint;
  for (const Operation* operation : operations_) {
    if (!ShowsFree(*operation)) continue;
    complaint = PlaceSeenFree(*operation);
    if (complaint.has_value()) return complaint;
  }
  return std::nullopt;
}

void KeyOrder::NoteGrants() {
  for (const Operation* operation : operations_) {
    if (!operation->IsAcquire()) continue;
    first_asked_ = Earlier(first_asked_, {operation->called, operation});
    if (!operation->Grants()) continue;
    const Bound called = {operation->called, operation};
    // Held for ever, unless an operation ends it.
    const Bound never = {RealInstant::Never(), operation};
    tenures_[operation->token] = {
        .begin_min = called,
        .begin_max = {operation->returned, operation},
        .end_min = rules_.leases_hold ? never : called,
        .end_max = never};
  }
}

void KeyOrder::NoteEnd(const Operation& operation) {
  const auto found = tenures_.find(operation.token);
  // An operation with another client's token has no effect.
  if (found == tenures_.end()) return;
  Tenure& tenure = found->second;
  if (tenure.begin_min.because->client != operation.client) return;
  const Bound called = {operation.called, &operation};
  const Bound returned = {operation.returned, &operation};
  if (Releases(operation)) {
    tenure.end_min = called;
    tenure.end_max = Earlier(tenure.end_max, returned);
    return;
  }
  // The leader had already given the lock to another client.
  if (operation.loss == LossReason::kRevoked) {
    tenure.end_max = Earlier(tenure.end_max, returned);
  }
  if (!Releases(*tenure.end_min.because)) {
    tenure.end_min = Earlier(tenure.end_min, called);
  }
}

Complaint KeyOrder::NoteSeenHolder(const Operation& operation) {
  const Bound called = {operation.called, &operation};
  const Bound returned = {operation.returned, &operation};
  const auto [found, is_unseen] = tenures_.try_emplace(operation.token);
  Tenure& tenure = found->second;
  if (is_unseen) {
    // Its holder was never told of the grant.
    if (first_asked_.because == nullptr) {
      return Say("nobody had asked for the lock that it names: ", operation);
    }
    const Bound never = {RealInstant::Never(), &operation};
    tenure = {.begin_min = first_asked_,
              .begin_max = returned,
              .end_min = called,
              .end_max = never};
    return std::nullopt;
  }
  tenure.begin_max = Earlier(tenure.begin_max, returned);
  tenure.end_min = Later(tenure.end_min, called);
  return std::nullopt;
}

// Places each tenure as early as possible: if even that is too late, no order
// explains the history.
Complaint KeyOrder::PlaceTenures() {
  Bound free;  // from here on
  FencingToken before;
  for (const auto& [token, tenure] : tenures_) {
    const Bound begin = Later(tenure.begin_min, free);
    if (begin.at > tenure.begin_max.at && begin.because == free.because) {
      return Say("a lock was granted before it was free: ", key_,
                 " was held under ", before, " ", Until(begin),
                 ", and yet under the later ", token, " by ", tenure.begin_max);
    }
    if (begin.at > tenure.begin_max.at) {
      return Say("a lock was held before it was asked for: ", key_,
                 " was asked for no earlier than ", begin,
                 ", and yet held under ", token, " by ", tenure.begin_max);
    }
    const Bound end = Later(begin, tenure.end_min);
    if (end.at > tenure.end_max.at) {
      return Say("a lock was held after its end: ", key_, " was held under ",
                 token, " ", Until(end), ", and yet free of it by ",
                 tenure.end_max);
    }
    placed_.push_back({token, tenure.begin_max, end});
    free = end;
    before = token;
  }
  return std::nullopt;
}

// Checks that the lock can have been free at some instant of the operation. The
// last possible gap is the one before the first tenure that cannot have ended
// by the operation's return.
Complaint KeyOrder::PlaceSeenFree(const Operation& operation) const {
  const auto next = std::partition_point(
      placed_.begin(), placed_.end(), [&operation](const PlacedTenure& tenure) {
        return tenure.end.at <= operation.returned;
      });
  if (next == placed_.end()) return std::nullopt;
  if (next->begin_max.at >= operation.called) return std::nullopt;
  return Say("a lock was seen free that was held: ", key_, " was seen free (",
             operation, "), and yet held under ", next->token, " from ",
             next->begin_max, " ", Until(next->end));
}

}  // namespace

Complaint CheckAnswers(const History& history) {
  return AnswerChecker(history).Check();
}

Complaint CheckOrder(const History& history, const HistoryRules& rules) {
  std::map<absl::string_view, KeyOrder> keys;
  for (const Operation& operation : history) {
    keys.try_emplace(operation.key, operation.key, rules)
        .first->second.Add(operation);
  }
  for (auto& [key, order] : keys) {
    Complaint complaint = order.Check();
    if (complaint.has_value()) return complaint;
  }
  return std::nullopt;
}

Complaint CheckHistory(const History& history, const HistoryRules& rules) {
  Complaint complaint = CheckAnswers(history);
  if (complaint.has_value()) return complaint;
  return CheckOrder(history, rules);
}

}  // namespace cachalot::sim
