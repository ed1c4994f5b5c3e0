#ifndef ENGINE_LOCKS_MEMOS_H_
#define ENGINE_LOCKS_MEMOS_H_

#include <cstddef>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/time/time.h"
#include "engine/command.h"
#include "engine/ids.h"
#include "engine/locks/lock.h"
#include "engine/locks/slots.h"
#include "engine/request.h"

namespace cachalot {

// A memo: what the session was told about one of its requests, kept so that a
// retry gets the same answer and does nothing (Raft dissertation, 6.3).

// It has not arrived.
struct Unseen {};

// It is in the queue of a lock.
struct Waiting {
  LockSlot lock{};
  Ticket ticket;
};

// The holder, as a request that found the lock held saw it.
struct HolderSeen {
  SessionId session;
  std::string name;
  std::string owner;
  FencingToken token;
  absl::Duration lease_remaining;
  absl::Duration session_remaining;
};

// It was answered.
struct Decided {
  Outcome outcome = Outcome::kOk;
  FencingToken token;
  LogIndex granted_at;  // of an Acquire with kOk: the entry that granted it
  std::shared_ptr<const HolderSeen> holder;  // with kHeld, and of a Revoke
  Limit limit = Limit::kNone;                // with kBusy
};

using Memo = std::variant<Unseen, Waiting, Decided>;

// The memos of one session: a window of limits::kRequestsPerSessionMax
// sequences that begins at the session's first outstanding request, and, below
// it, the requests that wait: one of them may wait for an hour while thousands
// of others come and go.
class Memos {
 public:
  Sequence first() const { return first_; }
  // One above the last sequence with a memo; first() if there is none.
  Sequence end() const;

  bool IsForgotten(Sequence sequence) const { return sequence < first_; }
  // Whether there is room in the window for a memo of `sequence`.
  bool HasRoomFor(Sequence sequence) const;

  // Unseen unless something was put there. Valid until the next change.
  const Memo& Find(Sequence sequence) const;
  // How many requests wait.
  size_t waiting() const { return waiting_; }
  // Below the window only what waits is kept.
  // REQUIRES: IsForgotten(sequence) or HasRoomFor(sequence).
  void Put(Sequence sequence, Memo memo);
  // Moves the beginning of the window; never back. What waits is kept.
  void ForgetBelow(Sequence first);
  // What waits and is below the window.
  const absl::btree_map<Sequence, Memo>& waiting_below() const {
    return waiting_below_;
  }

 private:
  // The session's first outstanding request, by its latest command. Rises.
  Sequence first_ = Sequence(1);
  // Requests below first_ that wait; each memo is Waiting.
  absl::btree_map<Sequence, Memo> waiting_below_;
  // The memo of first_ is kept_[forgotten_]. Those before it are forgotten and
  // are erased later, many at once.
  std::vector<Memo> kept_;
  size_t forgotten_ = 0;
  size_t waiting_ = 0;  // in the window and below it
};

}  // namespace cachalot

#endif  // ENGINE_LOCKS_MEMOS_H_
