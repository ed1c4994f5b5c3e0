#ifndef IO_DRIVER_H_
#define IO_DRIVER_H_

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "engine/action.h"
#include "engine/event.h"
#include "engine/instant.h"
#include "engine/node.h"
#include "engine/options.h"
#include "io/clock.h"
#include "io/event_loop.h"
#include "io/log.h"
#include "io/log_observer.h"
#include "io/transport.h"

namespace cachalot {

struct DriverOptions {
  // `address` may lack its port and `name` may be empty: the port that was
  // bound and the address take their places.
  NodeOptions node;
  TransportOptions transport;
  // Where to tell what happens; null: nobody listens. The driver hands it to
  // its transport.
  std::shared_ptr<Logger> log;
};

// Runs one node on this machine, in a thread of its own.
//
// A turn: everything that has arrived is read and handed to the node, each
// batch with a look at the clocks taken after its bytes were read; then the
// node is told that the turn has ended; then what it sent is written, one write
// for each peer. Orders to save are answered at once: there is no disk.
class Driver : private Transport::Receiver {
 public:
  // Called on the driver's thread, within a turn. Must not block.
  class Delegate {
   public:
    virtual ~Delegate() = default;
    virtual void OnAnswer(RequestId request, Answer answer) = 0;
    virtual void OnHolderNotified(const NotifyHolder& notice) = 0;
    virtual void OnStanding(const AnnounceStanding& standing) = 0;
    virtual void OnLeft() = 0;
    // All that the turn brought, if anything, has been told.
    virtual void OnTurnEnded() = 0;
  };
  using Task = absl::AnyInvocable<void()>;

  // Binds the sockets and makes the node; nothing runs yet. `delegate` is not
  // owned and outlives the driver.
  // Errors: those of Transport::Create() and of Node::Create().
  static absl::StatusOr<std::unique_ptr<Driver>> Create(DriverOptions options,
                                                        Delegate* delegate);
  // Stops, if that has not been done.
  ~Driver() override;

  void Start();
  // Runs what was posted, writes what it led to as far as the kernel takes it,
  // and ends the thread. Not on the driver's thread.
  void Stop();

  // --- Any thread -----------------------------------------------------------

  // Runs `task` on the driver's thread, soon, in order. Never once Stop() has
  // begun to return: false then.
  bool Post(Task task) ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsOnThread() const;
  Now ReadClock() { return clock_.Read(); }

  // --- The driver's thread, or before Start() or after Stop() ---------------

  // Hands `event` to the node within this turn or the next.
  void Learn(Event event);
  const Node& node() const { return *node_; }
  const TransportStats& transport_stats() const { return transport_->stats(); }
  EventLoop* loop() { return loop_.get(); }
  Logger* log() const { return log_.get(); }  // may be null

 private:
  explicit Driver(Delegate* delegate) : delegate_(delegate) {}

  void Run();
  void TakeTurn();
  // Runs what was posted; false if the driver is to stop.
  bool RunTasks() ABSL_LOCKS_EXCLUDED(mutex_);
  // How long the loop may sleep. From here on a Post() wakes it.
  absl::Duration PrepareToWait() ABSL_LOCKS_EXCLUDED(mutex_);
  void StepLearnt();
  void EndTurn();
  void Step(const Event& event);
  void Perform(Action action);

  void OnBytesRead() override;
  void OnDatagram(const Address& from, std::string bytes) override;
  void OnFrame(const Address& from, std::string bytes) override;
  void OnLinkChanged(const Address& peer, bool up) override;

  Delegate* const delegate_;
  std::shared_ptr<Logger> log_;                // may be null
  std::unique_ptr<LogObserver> log_observer_;  // null without a log
  Clock clock_;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<Transport> transport_;
  std::optional<Node> node_;  // set by Create()
  std::thread thread_;
  std::atomic<std::thread::id> thread_id_{};

  // Of the driver's thread.
  Now now_;
  std::vector<Event> learnt_;
  std::vector<Event> stepping_;  // kept for its memory
  std::optional<SaveId> unsaved_;
  bool has_stepped_ = false;   // in this turn
  std::vector<Task> running_;  // kept for its memory

  absl::Mutex mutex_;
  std::vector<Task> tasks_ ABSL_GUARDED_BY(mutex_);
  bool is_asleep_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace cachalot

#endif  // IO_DRIVER_H_
