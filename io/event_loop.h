#ifndef IO_EVENT_LOOP_H_
#define IO_EVENT_LOOP_H_

#include <sys/epoll.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "io/socket.h"

namespace cachalot {

// Waits for file descriptors, for time and for other threads, and calls who
// asked for it. One thread; only Wake() may come from others.
//
// Level triggered: a handler that leaves something unread is called again.
// Waking allocates nothing.
class EventLoop {
 public:
  class Handler {
   public:
    virtual ~Handler() = default;
    // `events`: what epoll says (EPOLLIN, EPOLLOUT, EPOLLHUP, ...). May add,
    // modify and remove any descriptor, its own too, and delete itself.
    virtual void OnReady(uint32_t events) = 0;
  };

  // Errors: Internal (the kernel has no more descriptors to give).
  static absl::StatusOr<std::unique_ptr<EventLoop>> Create();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Calls `handler` when one of `events` is there. Neither is owned; both must
  // last until Remove(). Errors: Internal (out of memory or watches).
  absl::Status Add(int fd, uint32_t events, Handler* handler);
  void Modify(int fd, uint32_t events);
  // To be called before `fd` is closed; without effect if it was not added. Its
  // handler is not called again, not for what is already known either.
  void Remove(int fd);

  // Calls the handlers of what is ready; waits for it up to `timeout`, which
  // counts time in suspend. Returns also after Wake(), and now and then for no
  // reason.
  void Wait(absl::Duration timeout);

  // The longest time from the return of the kernel's wait to the next one, in
  // which whatever became ready had to wait. For the loop's thread.
  absl::Duration longest_turn() const {
    return absl::Nanoseconds(longest_turn_);
  }

  // Ends the present or the next Wait(). Any thread.
  void Wake();

  // For a loop within another one: instead of waiting here, the owner watches
  // fd() and calls Wait() with no timeout when it is readable.

  // Readable while something waits to be handled, or after Wake(). To be
  // watched for reading only; owned by this object.
  int fd() const { return epoll_.get(); }
  // Ends a turn without waiting: fd() becomes readable when `timeout`, which
  // counts time in suspend, has passed; at once if it is not above zero.
  void WakeAfter(absl::Duration timeout);

 private:
  struct Registration {
    Handler* handler = nullptr;
    // Tells a descriptor from an earlier one of the same number.
    uint32_t generation = 0;
  };

  EventLoop(FileDescriptor epoll, FileDescriptor timer, FileDescriptor waker);

  // The turn that began with the last wait has ended.
  void NoteTurn();
  // Sees to it that the timer fires no later than `timeout` from now.
  void Arm(absl::Duration timeout);
  void Dispatch(const epoll_event& event);

  const FileDescriptor epoll_;
  const FileDescriptor timer_;
  const FileDescriptor waker_;
  std::vector<Registration> registrations_;  // by file descriptor
  // When the timer fires, in CLOCK_BOOTTIME; the largest value if it is not
  // armed.
  int64_t armed_for_;
  // In CLOCK_BOOTTIME; 0: no turn is under way.
  int64_t awake_since_ = 0;
  int64_t longest_turn_ = 0;
};

}  // namespace cachalot

#endif  // IO_EVENT_LOOP_H_
