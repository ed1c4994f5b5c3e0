#ifndef IO_EMBEDDED_COORDINATOR_H_
#define IO_EMBEDDED_COORDINATOR_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "io/async_coordinator.h"
#include "io/coordinator_options.h"

namespace cachalot {

// One member of a cluster in an event loop of the embedder's: no thread, no
// signal, no call that blocks, one descriptor to watch.
//
//   auto member = EmbeddedCoordinator::Create(options).value();
//   epoll_event event = {.events = EPOLLIN, .data = {.ptr = member.get()}};
//   epoll_ctl(epoll, EPOLL_CTL_ADD, member->fd(), &event);
//   ... whenever it is readable:
//   member->Process();
//
// All callbacks, CoordinatorOptions::log too, are called within Process() or
// the destructor. The calls of AsyncCoordinator may be made anywhere, on other
// threads too; they are answered within a later Process().
//
// A loop that comes late is a slow member. Let it come within a fraction of
// ConsensusOptions::election_timeout; if it takes longer than a lease, that
// lease ends. HeldLock::remaining() is right all the same.
//
// The thread that called Create(), and later the one that calls Process(), must
// not wait for the member: HeldLock's Renew() and Release() fail there with
// FailedPrecondition; their asynchronous forms do not.
class EmbeddedCoordinator : public AsyncCoordinator {
 public:
  // Binds and begins to look for the cluster. Waits for nothing, and starts no
  // thread, if `bind`, `advertise` and `seeds` are numeric addresses and
  // `local_socket_group` is a number or empty. For names it waits for the name
  // service, for those of seeds up to SeedTiming::first_answer_max, and has
  // threads that look seeds up for as long as it lives.
  //
  // Errors: those of Coordinator::Create().
  static absl::StatusOr<std::unique_ptr<EmbeddedCoordinator>> Create(
      CoordinatorOptions options);

  // Stops, as ~AsyncCoordinator() says. Not within Process(). Remove fd() from
  // the loop before.
  ~EmbeddedCoordinator() = default;

  // Readable (EPOLLIN, POLLIN) when Process() has something to do, also when
  // that is because time has passed. Watch it level triggered. It never
  // changes, and belongs to this object.
  int fd() const;

  // Replaces the seeds, for embedders that look names up themselves: numeric
  // addresses, "HOST:PORT". Any thread. Of no use if CoordinatorOptions::seeds
  // had names, which go on being looked up here.
  //
  // Errors: InvalidArgument (a name; a form; too many; none), and then nothing
  // has changed; FailedPrecondition (closed).
  absl::Status SetSeeds(const std::vector<std::string>& seeds);

  // Handles what has arrived and what is due: a bounded part of it, and fd()
  // stays readable while there is more. On one thread; to be called in a
  // callback is an error that aborts the program.
  void Process();

 private:
  explicit EmbeddedCoordinator(std::unique_ptr<CoordinatorParts> parts);
};

}  // namespace cachalot

#endif  // IO_EMBEDDED_COORDINATOR_H_
