#ifndef IO_GRANT_H_
#define IO_GRANT_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/request.h"

namespace cachalot {

// The news that a holder gets of its lock.
struct LockChange {
  std::string key;
  FencingToken token;
  Belief belief = Belief::kHeld;
  LossReason reason = LossReason::kNone;  // with kLost
};
using ChangeCallback = std::function<void(const LockChange&)>;

// One granted lock as this process believes in it: kept up to date by the
// driver's thread, read by the holder's. Thread-safe.
class Grant {
 public:
  Grant(RequestId request, std::string key, std::string owner,
        FencingToken token, FastInstant belief_end, ChangeCallback on_change)
      : request_(request),
        key_(std::move(key)),
        owner_(std::move(owner)),
        token_(token),
        on_change_(std::move(on_change)),
        belief_end_(belief_end.nanoseconds()) {}
  Grant(const Grant&) = delete;
  Grant& operator=(const Grant&) = delete;

  RequestId request() const { return request_; }
  const std::string& key() const { return key_; }
  const std::string& owner() const { return owner_; }
  FencingToken token() const { return token_; }

  // For how much longer nobody else can hold the lock; zero if it is lost.
  // `now` must be a fresh reading. Once zero, always zero: who was told that
  // a lock is lost is not told later that it was not.
  absl::Duration Remaining(FastInstant now);
  // kLost as soon as nothing remains, though the news may not be out yet.
  Belief BeliefAt(FastInstant now);
  // kNone while it is not lost.
  LossReason loss_reason() const { return loss_reason_.load(); }

  // Belief is over: the holder gives the lock up, or has seen its end.
  void Lose(LossReason reason);

  // --- For the driver's thread ----------------------------------------------

  void set_belief_end(FastInstant end) { belief_end_.store(end.nanoseconds()); }
  // Takes in what the engine says, and tells the holder.
  void Change(Belief belief, LossReason reason);

  // The holder is gone: it is told nothing more. A call that has begun in
  // another thread may still be going on.
  void Silence() { is_silent_.store(true); }

 private:
  const RequestId request_;
  const std::string key_;
  const std::string owner_;
  const FencingToken token_;
  const ChangeCallback on_change_;
  std::atomic<int64_t> belief_end_;
  std::atomic<Belief> belief_{Belief::kHeld};
  std::atomic<LossReason> loss_reason_{LossReason::kNone};
  std::atomic<bool> is_silent_{false};
  bool is_loss_told_ = false;  // of the driver's thread
};

}  // namespace cachalot

#endif  // IO_GRANT_H_
