#ifndef IO_LOCAL_CLIENT_H_
#define IO_LOCAL_CLIENT_H_

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "io/frame_reader.h"
#include "io/frame_writer.h"
#include "io/local/path.h"
#include "io/local/protocol.h"
#include "io/socket.h"
#include "io/wait_deadline.h"

namespace cachalot {

// A program's connection to the agent on its machine. For one thread at a time.
//
// Whoever listens there must be this user, root, or the user that the program
// trusts by name (SO_PEERCRED), and its folder must be safe from others.
class LocalClient {
 public:
  struct ConnectOptions {
    // Of an agent that is too busy to accept: connecting is tried again.
    absl::Duration timeout = absl::Seconds(10);
    // Looked at several times a second; null: nothing interrupts.
    std::function<bool()> is_interrupted;
    std::optional<uid_t> trusted_user;
  };

  // Errors: Unavailable (no agent listens at `path`, or it does not accept),
  // PermissionDenied (another user's), InvalidArgument (the path), Cancelled
  // (interrupted), Internal.
  static absl::StatusOr<std::unique_ptr<LocalClient>> Connect(
      const std::string& path, const ConnectOptions& options);
  static absl::StatusOr<std::unique_ptr<LocalClient>> Connect(
      const std::string& path);
  // To the first of `paths` at which an agent listens.
  // Errors: as above; Unavailable names them all.
  static absl::StatusOr<std::unique_ptr<LocalClient>> ConnectToAny(
      const std::vector<std::string>& paths, const ConnectOptions& options);

  // Sends `request`, under a number of its own, and waits for its reply.
  //
  // That the agent said no is in the reply's outcome (ToStatus() makes a status
  // of it). Errors: Unavailable (the request was not sent), Unknown (no reply
  // in time, or the agent went away: it may have happened).
  absl::StatusOr<LocalReply> Call(LocalRequest request, absl::Duration timeout);

  // The same in pieces, for many requests at a time. Send() gathers; returns
  // the number that the reply will have.
  uint64_t Send(LocalRequest request);
  // Writes what was gathered. The agent acts on nothing of what was gathered
  // last unless all of it was written.
  // Errors: Unavailable (the agent went away, or takes no more).
  absl::Status Flush(absl::Duration timeout = absl::InfiniteDuration());
  // The next reply, whichever comes first.
  // Errors: DeadlineExceeded (none came), Unavailable (the agent went away).
  absl::StatusOr<LocalReply> Receive(absl::Duration timeout);

  // For poll(): readable when replies have come. Replies may also have been
  // read already; Receive(absl::ZeroDuration()) tells.
  int fd() const { return socket_.get(); }
  // Where the agent listens, and who it is.
  const std::string& path() const { return path_; }
  const Peer& agent() const { return agent_; }

 private:
  LocalClient(FileDescriptor socket, std::string path, Peer agent);

  // Reads what has come, without waiting for it.
  absl::Status ReadSome();

  const FileDescriptor socket_;
  const std::string path_;
  const Peer agent_;
  uint64_t last_id_ = 0;
  FrameReader reader_;
  FrameWriter writer_;
  std::deque<LocalReply> replies_;  // not yet received
  std::vector<char> buffer_;
  std::vector<std::string> frames_;
};

}  // namespace cachalot

#endif  // IO_LOCAL_CLIENT_H_
