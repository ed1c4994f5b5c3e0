#ifndef IO_LOCAL_SERVER_H_
#define IO_LOCAL_SERVER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "io/event_loop.h"
#include "io/lock_service.h"
#include "io/socket.h"

namespace cachalot {

// The agent's ear for programs on its machine: a Unix socket that its user
// alone can open, on which they send LocalRequests and get LocalReplies.
//
// Lives on the driver's thread. Bounded: connections, requests in flight and
// replies that wait for each. Bytes that are no request end their connection.
class LocalServer : private EventLoop::Handler {
 public:
  // Listens at `path`. A file that a dead agent left there is replaced.
  // `service` is not owned, outlives the server, and is not running yet.
  // Errors: AlreadyExists (another agent listens there), InvalidArgument (the
  // path is too long), Internal.
  static absl::StatusOr<std::unique_ptr<LocalServer>> Create(
      const std::string& path, LockService* service);
  // The service has stopped. Removes the socket's file.
  ~LocalServer() override;

 private:
  class Connection;

  LocalServer(std::string path, FileDescriptor listener, LockService* service);

  void OnReady(uint32_t events) override;  // of the listener
  void Watch(uint32_t events);
  void Flush();
  void Forget(Connection* connection);

  const std::string path_;
  const FileDescriptor listener_;
  LockService* const service_;
  uint32_t watched_ = EPOLLIN;  // of the listener
  absl::flat_hash_set<std::shared_ptr<Connection>> connections_;
  // Have something to write at the end of the turn.
  std::vector<std::shared_ptr<Connection>> unflushed_;
  std::vector<char> buffer_;  // for one read
  std::vector<std::string> frames_;
  uint64_t malformed_ = 0;
};

}  // namespace cachalot

#endif  // IO_LOCAL_SERVER_H_
