#include "tools/benchmark/held_workload.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "engine/request.h"
#include "io/agent_status.h"
#include "io/coordinator.h"

namespace cachalot::tools {
namespace {

constexpr absl::Duration Patience() { return absl::Minutes(2); }
// Unanswered at a time, as many as a busy program would have.
constexpr int kInFlightMax = 256;

using Members = std::vector<std::unique_ptr<Coordinator>>;

absl::StatusOr<Members> StartMembers() {
  Members members;
  for (int i = 0; i < 3; ++i) {
    CoordinatorOptions options;
    options.bind = "127.0.0.1:0";
    options.seeds = {members.empty() ? options.bind
                                     : members[0]->address().ToString()};
    options.bootstrap = members.empty();
    options.birth_delay = absl::Milliseconds(20);
    absl::StatusOr<std::unique_ptr<Coordinator>> member =
        Coordinator::Create(std::move(options));
    if (!member.ok()) return member.status();
    members.push_back(*std::move(member));
    const absl::Status connected = members.back()->Connect(Patience());
    if (!connected.ok()) return connected;
  }
  return members;
}

// Many locks of one member.
class Holder {
 public:
  Holder(Coordinator* member, int locks, bool renews)
      : member_(member), renews_(renews), locks_(static_cast<size_t>(locks)) {}

  absl::Status TakeAll() {
    for (size_t i = 0; i < locks_.size(); ++i) {
      const absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &Holder::HasRoom));
      if (!status_.ok()) break;
      ++in_flight_;
      Take(i);
    }
    const absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(this, &Holder::IsIdle));
    return status_;
  }

  int CountHeld() const {
    return static_cast<int>(
        std::count_if(locks_.begin(), locks_.end(), [](const auto& lock) {
          return lock.has_value() && lock->remaining() > absl::ZeroDuration();
        }));
  }

  uint64_t lost() const { return lost_.load(); }

  // Gives all of them up at once, and waits until they are free.
  void DropAll() {
    locks_.clear();
    while (true) {
      const absl::StatusOr<std::vector<LockInfo>> left =
          member_->GetLocks("held/");
      if (!left.ok() || left->empty()) return;
      absl::SleepFor(absl::Milliseconds(50));
    }
  }

 private:
  bool HasRoom() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return in_flight_ < kInFlightMax;
  }
  bool IsIdle() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return in_flight_ == 0;
  }

  void Take(size_t i) {
    LockOptions options;
    options.renew = renews_;
    options.on_change = [this](const LockChange& change) {
      if (change.belief == Belief::kLost) ++lost_;
    };
    const absl::Duration ttl = renews_ ? absl::Seconds(30) : absl::Hours(1);
    member_->LockAsync(absl::StrCat("held/", i), ttl, std::move(options),
                       [this, i](absl::StatusOr<HeldLock> lock) {
                         const absl::MutexLock guard(&mutex_);
                         --in_flight_;
                         status_.Update(lock.status());
                         if (lock.ok()) locks_[i] = *std::move(lock);
                       });
  }

  Coordinator* const member_;
  const bool renews_;
  std::atomic<uint64_t> lost_{0};
  absl::Mutex mutex_;
  int in_flight_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::optional<HeldLock>> locks_;
};

}  // namespace

absl::StatusOr<HeldFigures> MeasureHeld(int locks, absl::Duration duration,
                                        bool renews) {
  absl::StatusOr<Members> members = StartMembers();
  if (!members.ok()) return members.status();
  HeldFigures figures;
  {
    // The last one: it is not the leader, unless the others failed.
    Holder holder(members->back().get(), locks, renews);
    const absl::Time begun = absl::Now();
    const absl::Status taken = holder.TakeAll();
    if (!taken.ok()) return taken;
    figures.taking = absl::Now() - begun;
    absl::SleepFor(duration);
    figures.held = holder.CountHeld();
    figures.lost = holder.lost();
    holder.DropAll();
    for (const std::unique_ptr<Coordinator>& member : *members) {
      const absl::StatusOr<AgentStatus> status = member->GetStatus();
      if (!status.ok()) return status.status();
      figures.holders_stall = status->longest_turn;
      figures.longest_stall =
          std::max(figures.longest_stall, status->longest_turn);
    }
  }
  return figures;
}

}  // namespace cachalot::tools
