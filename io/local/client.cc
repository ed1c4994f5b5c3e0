#include "io/local/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"

namespace cachalot {
namespace {

constexpr size_t kReadBytesMax = size_t{64} << 10;

absl::Status Gone() {
  return absl::UnavailableError("the agent closed the connection");
}

// Unavailable: nobody is there, so that another place may be tried.
absl::Status ConnectError(const std::string& path, int error_number) {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
    case ECONNREFUSED:
      return absl::UnavailableError(path);
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(absl::StrCat(
          "no permission to use ", path, ": it belongs to another user's agent",
          "; its --socket-group may let you in"));
    default:
      return SystemError(absl::StrCat("connect ", path), error_number);
  }
}

absl::Status NoAgent(const std::vector<std::string>& paths) {
  return absl::UnavailableError(absl::StrCat(
      "no agent listens at ", absl::StrJoin(paths, " or "),
      ": start one with \"cachalot agent\", or name its socket with --agent"));
}

// How often somebody who waits to be accepted looks whether to go on.
constexpr timeval kLookInterval = {.tv_sec = 0, .tv_usec = 100'000};

// An agent that does not accept, because it is stopped or has no descriptors
// left, lets the kernel queue some who connect. The others wait here for room.
absl::StatusOr<FileDescriptor> OpenConnection(
    const std::string& path, const LocalClient::ConnectOptions& options) {
  const absl::StatusOr<SocketAddress> address = ToUnixAddress(path);
  if (!address.ok()) return address.status();
  FileDescriptor fd(
      socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.is_open()) return SystemError("socket", errno);
  const WaitDeadline deadline = WaitDeadline::After(options.timeout);
  while (connect(fd.get(), address->get(), address->length) != 0) {
    if (errno != EAGAIN && errno != EINTR) return ConnectError(path, errno);
    if (options.is_interrupted != nullptr && options.is_interrupted()) {
      return absl::CancelledError("interrupted");
    }
    if (deadline.has_passed()) {
      return absl::DeadlineExceededError(
          absl::StrCat("the agent at ", path, " accepted no connection within ",
                       absl::FormatDuration(options.timeout)));
    }
    // There is no event for room in the queue: block, each time for a while.
    if (fcntl(fd.get(), F_SETFL, 0) != 0 ||
        setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &kLookInterval,
                   sizeof kLookInterval) != 0) {
      return SystemError("SO_SNDTIMEO", errno);
    }
  }
  if (fcntl(fd.get(), F_SETFL, O_NONBLOCK) != 0) {
    return SystemError("O_NONBLOCK", errno);
  }
  return fd;
}

absl::StatusOr<Peer> CheckAgent(const std::string& path, int socket,
                                std::optional<uid_t> trusted_user) {
  absl::StatusOr<Peer> peer = GetPeer(socket);
  if (!peer.ok()) return peer;
  const uid_t user = peer->user;
  if (user == 0 || user == geteuid() || user == trusted_user) return peer;
  return absl::PermissionDeniedError(absl::StrCat(
      "whoever listens at ", path, " is user ", user,
      ", neither root nor you: if that is your agent, say --agent-user ",
      user));
}

// False if `deadline` passed first.
bool WaitFor(int fd, short events, const WaitDeadline& deadline) {
  for (;;) {
    pollfd poll_fd = {.fd = fd, .events = events, .revents = 0};
    const int count = poll(&poll_fd, 1, deadline.PollTimeout());
    if (count > 0) return true;
    if (deadline.has_passed()) return false;
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<LocalClient>> LocalClient::Connect(
    const std::string& path, const ConnectOptions& options) {
  return ConnectToAny({path}, options);
}

absl::StatusOr<std::unique_ptr<LocalClient>> LocalClient::Connect(
    const std::string& path) {
  return Connect(path, ConnectOptions());
}

absl::StatusOr<std::unique_ptr<LocalClient>> LocalClient::ConnectToAny(
    const std::vector<std::string>& paths, const ConnectOptions& options) {
  for (const std::string& path : paths) {
    const absl::Status safe = CheckSocketFolder(path, options.trusted_user);
    if (!safe.ok()) return safe;
    absl::StatusOr<FileDescriptor> socket = OpenConnection(path, options);
    if (absl::IsUnavailable(socket.status())) continue;
    if (absl::IsDeadlineExceeded(socket.status())) {
      return absl::UnavailableError(socket.status().message());
    }
    if (!socket.ok()) return socket.status();
    absl::StatusOr<Peer> agent =
        CheckAgent(path, socket->get(), options.trusted_user);
    if (!agent.ok()) return agent.status();
    return std::unique_ptr<LocalClient>(
        new LocalClient(*std::move(socket), path, *std::move(agent)));
  }
  return NoAgent(paths);
}

LocalClient::LocalClient(FileDescriptor socket, std::string path, Peer agent)
    : socket_(std::move(socket)),
      path_(std::move(path)),
      agent_(std::move(agent)),
      reader_(kLocalFrameBytesMax),
      buffer_(kReadBytesMax) {}

absl::StatusOr<LocalReply> LocalClient::Call(LocalRequest request,
                                             absl::Duration timeout) {
  const WaitDeadline deadline = WaitDeadline::After(timeout);
  const uint64_t id = Send(std::move(request));
  const absl::Status flushed = Flush(timeout);
  if (!flushed.ok()) return flushed;
  std::deque<LocalReply> others;
  absl::StatusOr<LocalReply> reply = Receive(deadline.left());
  while (reply.ok() && reply->id != id) {
    others.push_back(*std::move(reply));
    reply = Receive(deadline.left());
  }
  replies_.insert(replies_.begin(), std::make_move_iterator(others.begin()),
                  std::make_move_iterator(others.end()));
  if (reply.ok()) return reply;
  return absl::UnknownError(
      absl::StrCat("it may have happened: ", reply.status().message()));
}

uint64_t LocalClient::Send(LocalRequest request) {
  request.id = ++last_id_;
  writer_.Add(EncodeLocal(request));
  return request.id;
}

absl::Status LocalClient::Flush(absl::Duration timeout) {
  const WaitDeadline deadline = WaitDeadline::After(timeout);
  for (;;) {
    switch (writer_.WriteTo(socket_.get())) {
      case FrameWriter::Progress::kDrained:
        return absl::OkStatus();
      case FrameWriter::Progress::kBroken:
        return Gone();
      case FrameWriter::Progress::kBlocked:
        break;
    }
    // The agent may be waiting for us to read before it reads on.
    if (!WaitFor(socket_.get(), POLLIN | POLLOUT, deadline)) {
      return absl::UnavailableError("the agent does not read its requests");
    }
    const absl::Status read = ReadSome();
    if (!read.ok()) return read;
  }
}

absl::StatusOr<LocalReply> LocalClient::Receive(absl::Duration timeout) {
  const WaitDeadline deadline = WaitDeadline::After(timeout);
  while (replies_.empty()) {
    const bool is_readable = WaitFor(socket_.get(), POLLIN, deadline);
    if (!is_readable) return absl::DeadlineExceededError("no reply in time");
    const absl::Status read = ReadSome();
    if (!read.ok()) return read;
  }
  LocalReply reply = std::move(replies_.front());
  replies_.pop_front();
  return reply;
}

absl::Status LocalClient::ReadSome() {
  const ssize_t count = recv(socket_.get(), buffer_.data(), buffer_.size(), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return absl::OkStatus();
  if (count <= 0) return replies_.empty() ? Gone() : absl::OkStatus();
  if (!reader_.Read(
          absl::string_view(buffer_.data(), static_cast<size_t>(count)),
          &frames_)) {
    return absl::UnavailableError("the agent does not speak our protocol");
  }
  for (const std::string& frame : frames_) {
    absl::StatusOr<LocalReply> reply = DecodeLocalReply(frame);
    if (!reply.ok()) return reply.status();
    replies_.push_back(*std::move(reply));
  }
  frames_.clear();
  return absl::OkStatus();
}

}  // namespace cachalot
