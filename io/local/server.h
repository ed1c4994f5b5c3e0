#ifndef IO_LOCAL_SERVER_H_
#define IO_LOCAL_SERVER_H_

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "io/acceptor.h"
#include "io/event_loop.h"
#include "io/grant.h"
#include "io/local/path.h"
#include "io/lock_service.h"
#include "io/socket.h"

namespace cachalot {

// Where a LocalServer listens, and for whom besides its own user and root.
struct LocalServerOptions {
  std::string path;
  // Members of this group may connect too; the socket's mode is 0660 then, and
  // 0600 without it.
  std::optional<gid_t> group;
};

// Serves the programs on this machine: a Unix socket on which they send
// LocalRequests and get LocalReplies.
//
// Lives on the driver's thread. Bounded: connections, requests in flight and
// replies that wait for each. Bytes that are no request end their connection.
class LocalServer : private EventLoop::Handler {
 public:
  // Listens at `options.path`. A file that a dead agent left there is replaced.
  // `service` is not owned, outlives the server, and is not running yet.
  // Errors: AlreadyExists (another agent listens there), InvalidArgument (the
  // path is too long), NotFound (its folder does not exist), PermissionDenied
  // (the folder is not this user's to write, or is not safe from others; the
  // group is not one of this user's), Internal.
  static absl::StatusOr<std::unique_ptr<LocalServer>> Create(
      LocalServerOptions options, LockService* service);
  // The service has stopped. Removes the socket's file.
  ~LocalServer() override;

 private:
  class Connection;

  // A kAwaitLoss or kAwaitRevocation.
  struct Watcher {
    std::shared_ptr<Connection> connection;
    uint64_t request = 0;
    bool awaits_revocation = false;
  };
  // To be renewed, once the program is known to have read that it has the lock.
  struct Renewal {
    FastInstant granted;
    absl::Duration ttl;
  };
  // A lock that was taken here, until it is lost.
  struct Taken {
    std::shared_ptr<Grant> grant;
    std::optional<Renewal> renewal;
    std::vector<Watcher> watchers;
    // Why its program must release it; kNone: it need not.
    LockLoss revocation;
  };

  LocalServer(LocalServerOptions options, FileDescriptor listener,
              LockService* service);

  void OnReady(uint32_t events) override;  // of the listener
  void Watch(uint32_t events);
  bool IsWelcome(const Peer& peer) const;
  // Closes the connection that has been idle for longest; false if none is.
  bool PushOutIdle();
  void Flush();
  void Forget(Connection* connection);
  // What was read is done with.
  void DropFrames();
  void OnChange(const LockChange& change);
  void OnRevoked(const LockChange& change);
  // The lock that was taken here under `key` and `token`; null if it was not,
  // or is lost. Whoever names the token has read the grant.
  Taken* FindTaken(const std::string& key, FencingToken token);
  void BeginRenewal(Taken& taken);

  const LocalServerOptions options_;
  const FileDescriptor listener_;
  LockService* const service_;
  Acceptor acceptor_;
  const size_t connections_max_;
  uint32_t watched_ = EPOLLIN;  // of the listener
  // If it is not watched: when it is again, at the end of a turn.
  std::chrono::steady_clock::time_point accept_at_;
  uint64_t spoken_ = 0;
  absl::flat_hash_set<std::shared_ptr<Connection>> connections_;
  absl::flat_hash_map<FencingToken, Taken> taken_;
  // Have something to write at the end of the turn.
  std::vector<std::shared_ptr<Connection>> unflushed_;
  std::vector<char> buffer_;  // for one read
  std::vector<std::string> frames_;
  std::vector<std::string> spare_frames_;  // empty, with memory for the next
  uint64_t malformed_ = 0;
};

}  // namespace cachalot

#endif  // IO_LOCAL_SERVER_H_
