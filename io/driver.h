#ifndef IO_DRIVER_H_
#define IO_DRIVER_H_

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "engine/action.h"
#include "engine/event.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/node.h"
#include "engine/options.h"
#include "io/clock.h"
#include "io/engine_driver.h"
#include "io/event_loop.h"
#include "io/fork_guard.h"
#include "io/log.h"
#include "io/log_observer.h"
#include "io/memory_writer.h"
#include "io/peer_watch.h"
#include "io/save_queue.h"
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
  // Writes the memories that the node orders to save. Null: they are kept
  // nowhere, and count as saved at once, as all other orders do.
  std::unique_ptr<MemoryWriter> memory_writer;
  // Whether Start() starts a thread. If not, an embedder's own event loop
  // watches fd() and calls Process().
  bool has_thread = true;
};

// Runs one node on this machine, in a thread or in an embedder's event loop.
//
// A turn: everything that has arrived is read and handed to the node, each
// batch with a look at the clocks taken after its bytes were read; then the
// node is told that the turn has ended; then what it sent is written, one write
// for each peer. Of the orders to save only memories go to a disk, on a thread
// of their own; the others are answered at once, or after one of those.
class Driver : public EngineDriver, private Transport::Receiver {
 public:
  // How long Stop() waits for a disk.
  static constexpr absl::Duration kLastSaveMax = absl::Seconds(2);

  // Binds the sockets and makes the node; nothing runs yet.
  // Errors: those of Transport::Create() and of Node::Create().
  static absl::StatusOr<std::unique_ptr<Driver>> Create(DriverOptions options);
  // Stops, if that has not been done.
  ~Driver() override;

  void SetDelegate(Delegate* delegate) override { delegate_ = delegate; }
  absl::Status Start() override;
  // Writes what the last tasks led to, too, as far as the kernel takes it, and
  // a memory that is not saved yet, for up to kLastSaveMax.
  // Without a thread: not within Process().
  void Stop() override;

  // Without a thread, after Start(), which counts the calling thread as the
  // driver's:

  // Readable when Process() has something to do.
  int fd() const { return loop_->fd(); }
  // One turn. Never blocks; what is left over keeps fd() readable. Always on
  // one thread, and not within a callback.
  void Process();

  bool Post(Task task) override ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsOnThread() const override;
  Now ReadClock() override { return clock_.Read(); }

  void Learn(Event event) override;
  const Node& node() const override { return *node_; }
  const TransportStats& transport_stats() const override {
    return transport_->stats();
  }
  std::vector<std::string> Problems() const override;
  EventLoop* loop() override { return loop_.get(); }
  Logger* log() const override { return log_.get(); }

 private:
  Driver() = default;

  void Run();
  void StopWithoutThread() ABSL_LOCKS_EXCLUDED(mutex_);
  void TakeTurn();
  // Runs what was posted, so much of it as fits a turn; false if the driver is
  // to stop.
  bool RunTasks() ABSL_LOCKS_EXCLUDED(mutex_);
  // How long the loop may sleep. From here on a Post() wakes it.
  absl::Duration PrepareToWait() ABSL_LOCKS_EXCLUDED(mutex_);
  void StepLearnt();
  void EndTurn();
  void Step(const Event& event);
  void Perform(Action&& action);
  void Save(SaveState order);
  // Tells that the disk does not answer.
  void WatchDisk();
  void StopMemoryWriter();

  // Tells what the node has refused of `from` since `before`.
  void TellRefusals(const Address& from, const NodeStats& before);

  void OnBytesRead() override;
  void OnDatagram(const Address& from, std::string bytes) override;
  bool OnFrame(const Address& from, std::string bytes) override;
  void OnLinkChanged(const Address& peer, bool up) override;
  void OnConnectFailed(const Address& peer, int error) override;

  Delegate* delegate_ = nullptr;
  bool has_thread_ = true;                     // constant after Create()
  std::shared_ptr<Logger> log_;                // may be null
  std::unique_ptr<LogObserver> log_observer_;  // null without a log
  std::optional<PeerWatch> peer_watch_;        // set by Create()
  const ForkGuard fork_guard_;
  Clock clock_;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<Transport> transport_;
  std::optional<Node> node_;  // set by Create()
  std::thread thread_;
  std::atomic<std::thread::id> thread_id_{};

  // Of the driver's thread.
  std::optional<RateLimitedLog> refusals_;  // set by Create()
  Now now_;
  std::vector<Event> learnt_;
  std::vector<Event> stepping_;  // kept for its memory
  SaveQueue saves_;
  std::optional<FastInstant> told_of_disk_;  // of the save that waits now
  bool has_stepped_ = false;                 // in this turn
  bool is_processing_ = false;               // within Process()
  std::vector<Task> running_;                // kept for its memory

  absl::Mutex mutex_;
  std::deque<Task> tasks_ ABSL_GUARDED_BY(mutex_);
  bool is_asleep_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_stopped_ ABSL_GUARDED_BY(mutex_) = false;

  std::unique_ptr<MemoryWriter> memory_writer_;  // may be null; calls Post()
};

}  // namespace cachalot

#endif  // IO_DRIVER_H_
