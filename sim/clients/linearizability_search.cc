#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "absl/strings/string_view.h"
#include "engine/ids.h"
#include "engine/request.h"
#include "sim/clients/history.h"
#include "sim/clients/linearizability.h"
#include "sim/world/instant.h"

// The search through all orders. It shares nothing with linearizability.cc but
// the description of the lock, so that the two can be compared.

namespace cachalot::sim {
namespace {

// A step of the lock at one instant. An operation gives none, one or two.
struct Move {
  enum class Kind : uint8_t { kGrant, kEnd, kSeeHeld, kSeeEnded, kSeeFree };
  Kind kind = Kind::kGrant;
  FencingToken token;
  RealInstant called;
  // Never() if the move may happen at any time, or never.
  RealInstant returned = RealInstant::Never();
  bool must_happen = false;
};

struct Lock {
  FencingToken holder;  // none: free
  FencingToken last;

  // Returns false if the move is impossible in this state.
  bool Do(const Move& move) {
    switch (move.kind) {
      case Move::Kind::kGrant:
        if (!holder.IsNone() || move.token <= last) return false;
        holder = last = move.token;
        return true;
      case Move::Kind::kEnd:
        if (holder != move.token) return false;
        holder = FencingToken();
        return true;
      case Move::Kind::kSeeHeld:
        return holder == move.token;
      case Move::Kind::kSeeEnded:
        return last >= move.token && holder != move.token;
      case Move::Kind::kSeeFree:
        return holder.IsNone();
    }
    return false;
  }
};

// The moves of one key.
class Moves {
 public:
  explicit Moves(HistoryRules rules) : rules_(rules) {}

  void Add(const Operation& operation) { operations_.push_back(&operation); }
  std::vector<Move> Take();

 private:
  void AddMoves(const Operation& operation);
  void AddRequired(Move::Kind kind, const Operation& operation) {
    moves_.push_back({kind, operation.token, operation.called,
                      operation.returned, /*must_happen=*/true});
  }
  void AddPossible(Move::Kind kind, FencingToken token, RealInstant called) {
    moves_.push_back({.kind = kind, .token = token, .called = called});
  }
  bool IsOfHolder(const Operation& operation) const;
  void AddUnseen();

  HistoryRules rules_;
  std::vector<const Operation*> operations_;
  std::map<FencingToken, const Operation*> grants_;
  std::vector<Move> moves_;
};

std::vector<Move> Moves::Take() {
  for (const Operation* operation : operations_) {
    if (operation->Grants()) grants_[operation->token] = operation;
  }
  for (const Operation* operation : operations_) AddMoves(*operation);
  AddUnseen();
  return std::move(moves_);
}

void Moves::AddMoves(const Operation& operation) {
  const bool is_ok = operation.outcome == Outcome::kOk;
  switch (operation.kind) {
    case OperationKind::kTry:
    case OperationKind::kLock:
      if (is_ok) AddRequired(Move::Kind::kGrant, operation);
      if (is_ok && !rules_.leases_hold) {
        AddPossible(Move::Kind::kEnd, operation.token, operation.called);
      }
      if (operation.outcome == Outcome::kHeld) {
        AddRequired(Move::Kind::kSeeHeld, operation);
      }
      return;
    case OperationKind::kRenew:
      if (is_ok) AddRequired(Move::Kind::kSeeHeld, operation);
      return;
    case OperationKind::kList:
      if (is_ok) {
        AddRequired(operation.token.IsNone() ? Move::Kind::kSeeFree
                                             : Move::Kind::kSeeHeld,
                    operation);
      }
      return;
    case OperationKind::kRevoke:
      if (is_ok) AddRequired(Move::Kind::kSeeHeld, operation);
      if (operation.outcome == Outcome::kNotHeld) {
        AddRequired(Move::Kind::kSeeFree, operation);
      }
      return;
    case OperationKind::kRelease:
      if (!IsOfHolder(operation)) return;
      if (is_ok) {
        AddRequired(Move::Kind::kEnd, operation);
      } else {
        AddPossible(Move::Kind::kEnd, operation.token, operation.called);
      }
      return;
    case OperationKind::kLost:
      AddPossible(Move::Kind::kEnd, operation.token, operation.called);
      if (operation.loss == LossReason::kRevoked) {
        AddRequired(Move::Kind::kSeeEnded, operation);
      }
      return;
    case OperationKind::kWithdraw:
      return;
  }
}

bool Moves::IsOfHolder(const Operation& operation) const {
  const auto grant = grants_.find(operation.token);
  return grant != grants_.end() && grant->second->client == operation.client;
}

// Adds grants whose holders were never told, but which others have seen.
void Moves::AddUnseen() {
  RealInstant asked = RealInstant::Never();
  for (const Operation* operation : operations_) {
    if (operation->IsAcquire()) asked = std::min(asked, operation->called);
  }
  std::set<FencingToken> unseen;
  for (const Move& move : moves_) {
    if (move.kind != Move::Kind::kSeeHeld) continue;
    if (!grants_.contains(move.token)) unseen.insert(move.token);
  }
  for (const FencingToken& token : unseen) {
    AddPossible(Move::Kind::kGrant, token, asked);
    AddPossible(Move::Kind::kEnd, token, asked);
  }
}

// A depth-first search. The state of the lock follows from the set of moves
// that were done, so a set that failed once is not tried again.
class Search {
 public:
  Search(std::vector<Move> moves, uint64_t tries_max)
      : moves_(std::move(moves)),
        is_done_(moves_.size(), false),
        tries_left_(tries_max) {}

  Verdict Run() {
    if (Finish(Lock())) return Verdict::kPossible;
    return tries_left_ == 0 ? Verdict::kUndecided : Verdict::kImpossible;
  }

 private:
  // Whether the remaining moves can be ordered.
  bool Finish(const Lock& lock);
  // The earliest return of the required moves that remain. The next move must
  // have been called before it.
  std::optional<RealInstant> NextReturn() const;

  std::vector<Move> moves_;
  std::vector<bool> is_done_;
  std::set<std::vector<bool>> tried_;
  uint64_t tries_left_;
};

bool Search::Finish(const Lock& lock) {
  const std::optional<RealInstant> next_return = NextReturn();
  if (!next_return.has_value()) return true;
  if (tries_left_ == 0 || !tried_.insert(is_done_).second) return false;
  --tries_left_;
  for (size_t i = 0; i < moves_.size(); ++i) {
    if (is_done_[i] || moves_[i].called > *next_return) continue;
    Lock after = lock;
    if (!after.Do(moves_[i])) continue;
    is_done_[i] = true;
    if (Finish(after)) return true;
    is_done_[i] = false;
  }
  return false;
}

std::optional<RealInstant> Search::NextReturn() const {
  std::optional<RealInstant> next;
  for (size_t i = 0; i < moves_.size(); ++i) {
    if (is_done_[i] || !moves_[i].must_happen) continue;
    next = std::min(next.value_or(RealInstant::Never()), moves_[i].returned);
  }
  return next;
}

}  // namespace

Verdict SearchOrder(const History& history, const HistoryRules& rules,
                    uint64_t tries_max) {
  std::map<absl::string_view, Moves> keys;
  for (const Operation& operation : history) {
    keys.try_emplace(operation.key, rules).first->second.Add(operation);
  }
  Verdict verdict = Verdict::kPossible;
  for (auto& [key, moves] : keys) {
    switch (Search(moves.Take(), tries_max).Run()) {
      case Verdict::kPossible:
        break;
      case Verdict::kImpossible:
        return Verdict::kImpossible;
      case Verdict::kUndecided:
        verdict = Verdict::kUndecided;
        break;
    }
  }
  return verdict;
}

}  // namespace cachalot::sim
