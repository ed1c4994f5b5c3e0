#ifndef TESTS_IO_JUDGE_VIRTUAL_DRIVER_H_
#define TESTS_IO_JUDGE_VIRTUAL_DRIVER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "engine/action.h"
#include "engine/event.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/node.h"
#include "engine/options.h"
#include "io/engine_driver.h"
#include "io/event_loop.h"
#include "io/transport.h"
#include "sim/world/chance.h"
#include "sim/world/clock.h"
#include "tests/io/judge/virtual_time.h"

namespace cachalot::io_judge {

// Looks on: called before the lock service hears of the same.
class DriverWatcher {
 public:
  virtual ~DriverWatcher() = default;
  virtual void OnLearned(const Event& event) = 0;
  virtual void OnAnswered(const AnswerRequest& answer) = 0;
  virtual void OnNotified(const NotifyHolder& notice) = 0;
  virtual void OnTurnEnded() = 0;
};

// Runs a real Node in virtual time, turn by turn as io/driver.h does it, and
// the lock service on top of it. What it leaves out is the thread, the sockets
// of peers and the clocks of the machine; the event loop is a real one, since
// the local socket is.
//
// A turn may come late, take in some of what has arrived, and go on with clocks
// that it read some time ago.
class VirtualDriver : public EngineDriver {
 public:
  struct Options {
    NodeOptions node;
    // From an event's arrival to the turn that takes it in.
    sim::Delay scheduling;
    sim::Rate short_turn;
    sim::Rate stale_turn;
    absl::Duration staleness_max;
  };

  // None is owned; all outlive the driver.
  VirtualDriver(Options options, VirtualTime* time, const sim::ClockPair* clock,
                sim::Chance chance, DriverWatcher* watcher);
  ~VirtualDriver() override;

  // The process takes no turn for so long.
  void Stall(absl::Duration time);
  // SIGKILL: nothing that the process still does is of any effect.
  void Kill();
  bool is_dead() const { return is_dead_; }
  // This process is a child that fork() made: whoever uses the driver from now
  // on ends it by a CHECK.
  void ForbidUse() { is_forbidden_ = true; }
  // Something happened at the local socket.
  void Poke() { PlanTurn(); }

  void SetDelegate(Delegate* delegate) override { delegate_ = delegate; }
  absl::Status Start() override;
  void Stop() override;

  bool Post(Task task) override;
  bool IsOnThread() const override { return is_in_turn_; }
  Now ReadClock() override;

  void Learn(Event event) override;
  const Node& node() const override { return node_; }
  const TransportStats& transport_stats() const override { return stats_; }
  EventLoop* loop() override { return loop_.get(); }
  Logger* log() const override { return nullptr; }

 private:
  // Runs `task` unless the driver is gone by then.
  void PlanAt(RealInstant at, void (VirtualDriver::*task)());
  void PlanTurn();
  void BeginTurn();
  void EndHeldTurn();
  void TakeTurn(const Now& now, size_t batch);
  void RunTasks();
  void StepLearnt();
  void EndTurn();
  void Step(const Event& event);
  void Perform(Action action);
  void ArmWake();
  void WakeUp();

  const Options options_;
  VirtualTime* const time_;
  const sim::ClockPair* const clock_;
  sim::Chance chance_;
  DriverWatcher* const watcher_;
  Delegate* delegate_ = nullptr;
  const std::unique_ptr<EventLoop> loop_;
  Node node_;
  const TransportStats stats_;
  // Is gone when the driver is.
  const std::shared_ptr<VirtualDriver*> self_;

  Now now_;
  std::vector<Event> inbox_;
  std::vector<Event> learnt_;
  std::vector<Task> tasks_;
  std::optional<SaveId> unsaved_;
  // Of a turn that goes on later.
  Now held_now_;
  size_t held_batch_ = 0;

  bool is_started_ = false;
  bool is_stopped_ = false;
  bool is_dead_ = false;
  bool is_forbidden_ = false;
  bool is_in_turn_ = false;
  bool turn_is_planned_ = false;
  bool has_stepped_ = false;
  RealInstant stalled_until_;
  RealInstant wake_at_ = RealInstant::Never();
};

}  // namespace cachalot::io_judge

#endif  // TESTS_IO_JUDGE_VIRTUAL_DRIVER_H_
