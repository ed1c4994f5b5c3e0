#ifndef IO_LOCAL_CLIENT_H_
#define IO_LOCAL_CLIENT_H_

#include <cstdint>
#include <deque>
#include <memory>
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

namespace cachalot {

// A program's connection to the agent on its machine. For one thread at a time.
class LocalClient {
 public:
  // Errors: Unavailable (no agent listens at `path`), PermissionDenied (another
  // user's), InvalidArgument (the path), Internal.
  static absl::StatusOr<std::unique_ptr<LocalClient>> Connect(
      const std::string& path);

  // Sends `request`, under a number of its own, and waits for its reply.
  //
  // That the agent said no is in the reply's outcome (ToStatus() makes a status
  // of it). Errors: Unknown (no reply in time, or the agent went away: it may
  // have happened).
  absl::StatusOr<LocalReply> Call(LocalRequest request, absl::Duration timeout);

  // The same in pieces, for many requests at a time. Send() gathers; returns
  // the number that the reply will have.
  uint64_t Send(LocalRequest request);
  // Writes what was gathered. Errors: Unavailable (the agent went away).
  absl::Status Flush();
  // The next reply, whichever comes first.
  // Errors: DeadlineExceeded (none came), Unavailable (the agent went away).
  absl::StatusOr<LocalReply> Receive(absl::Duration timeout);

  // For poll(): readable when replies have come. Replies may also have been
  // read already; Receive(absl::ZeroDuration()) tells.
  int fd() const { return socket_.get(); }

 private:
  explicit LocalClient(FileDescriptor socket);

  // Reads what has come, without waiting for it.
  absl::Status ReadSome();

  const FileDescriptor socket_;
  uint64_t last_id_ = 0;
  FrameReader reader_;
  FrameWriter writer_;
  std::deque<LocalReply> replies_;  // not yet received
  std::vector<char> buffer_;
  std::vector<std::string> frames_;
};

}  // namespace cachalot

#endif  // IO_LOCAL_CLIENT_H_
