#ifndef TESTS_IO_JUDGE_EMBEDDER_H_
#define TESTS_IO_JUDGE_EMBEDDER_H_

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engine/ids.h"
#include "io/coordinator.h"
#include "io/held_lock.h"
#include "sim/world/chance.h"
#include "tests/io/judge/judge.h"

namespace cachalot::io_judge {

// The program around one Coordinator: takes locks, and does with them whatever
// the API allows, in an order that chance has. Also from within callbacks.
//
// Its owners are few, so that callers share them; so are the keys.
class Embedder {
 public:
  // Neither is owned; both outlive the embedder's use of them.
  Embedder(Judge* judge, Coordinator* coordinator, ProcessId process,
           sim::Chance chance, std::vector<std::string> keys);

  // Does one thing.
  void Act();
  // Takes so many locks of its own at once.
  void Hoard(int count);
  // No callback of it takes locks any more.
  void Rest() { is_resting_ = true; }
  // Destroys all handles.
  void GiveUpAll();
  // In a child that fork() made: tries all that it inherited, and destroys the
  // handles. What was wrong with it; "" if nothing was.
  std::string TryInherited();

 private:
  // Where a callback finds the lock that it is about.
  using Slot = std::shared_ptr<std::weak_ptr<Holding>>;

  struct Pending {
    RequestId request;
    CallId call;
    std::string key;
    std::string owner;
    std::stop_source stop{std::nostopstate};
  };

  void Lock(std::string key, bool is_try);
  void LockAs(std::string key, absl::Duration ttl, absl::Duration wait,
              std::string owner, bool has_callback);
  void OnLocked(CallId call, const Slot& slot, bool has_callback,
                absl::StatusOr<HeldLock> result);
  void OnChange(const Slot& slot, const LockChange& change);
  void ActInCallback(const std::shared_ptr<Holding>& holding);
  void Withdraw();
  void StopCall();
  void Renew(Holding& holding);
  void Release(Holding& holding);
  void GiveUp(Holding& holding);
  void Detach(Holding& holding);
  void Move(Holding& holding);
  void MoveOver(Holding& from, Holding& over);
  void Claim(bool is_release);
  void ClaimByToken(bool is_release);
  void Force();
  void Read();

  // One of those whose handle is still there; null if there is none.
  std::shared_ptr<Holding> PickHolding();
  std::string PickOwner();
  absl::Duration DrawTtl();
  StatusCallback Answering(CallId call);
  bool IsJudged() const { return judge_->IsJudged(process_); }

  Judge* const judge_;
  Coordinator* const coordinator_;
  const ProcessId process_;
  sim::Chance chance_;
  const std::vector<std::string> keys_;
  bool is_resting_ = false;
  int forced_ = 0;  // locks that it took from their holders
  std::vector<std::shared_ptr<Holding>> holdings_;
  std::vector<Pending> pending_;
};

}  // namespace cachalot::io_judge

#endif  // TESTS_IO_JUDGE_EMBEDDER_H_
