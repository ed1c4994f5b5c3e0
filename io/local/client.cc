#include "io/local/client.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"

namespace cachalot {
namespace {

constexpr size_t kReadBytesMax = size_t{64} << 10;

absl::Status Gone() {
  return absl::UnavailableError("the agent closed the connection");
}

absl::Status ConnectError(const std::string& path, int error_number) {
  switch (error_number) {
    case ENOENT:
    case ECONNREFUSED:
    case EAGAIN:  // its backlog is full: it does not accept
      return absl::UnavailableError(absl::StrCat(
          "no agent listens at ", path, ": start one with \"cachalot agent\""));
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(
          absl::StrCat("no permission to use ", path,
                       ": it belongs to another user's agent"));
    default:
      return SystemError(absl::StrCat("connect ", path), error_number);
  }
}

// False if `deadline` passed first.
bool WaitFor(int fd, short events, absl::Time deadline) {
  for (;;) {
    const absl::Duration left = deadline - absl::Now();
    // Rounded up, so that it does not spin through the last millisecond.
    const int64_t milliseconds =
        left == absl::InfiniteDuration()
            ? -1
            : absl::ToInt64Milliseconds(absl::Ceil(
                  std::clamp(left, absl::ZeroDuration(), absl::Hours(1)),
                  absl::Milliseconds(1)));
    pollfd poll_fd = {.fd = fd, .events = events, .revents = 0};
    const int count = poll(&poll_fd, 1, static_cast<int>(milliseconds));
    if (count > 0) return true;
    if (absl::Now() >= deadline) return false;
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<LocalClient>> LocalClient::Connect(
    const std::string& path) {
  const absl::StatusOr<SocketAddress> address = ToUnixAddress(path);
  if (!address.ok()) return address.status();
  FileDescriptor fd(
      socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.is_open()) return SystemError("socket", errno);
  // Unix sockets connect at once or not at all.
  if (connect(fd.get(), address->get(), address->length) != 0) {
    return ConnectError(path, errno);
  }
  return std::unique_ptr<LocalClient>(new LocalClient(std::move(fd)));
}

LocalClient::LocalClient(FileDescriptor socket)
    : socket_(std::move(socket)),
      reader_(kLocalFrameBytesMax),
      buffer_(kReadBytesMax) {}

absl::StatusOr<LocalReply> LocalClient::Call(LocalRequest request,
                                             absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  const uint64_t id = Send(std::move(request));
  absl::Status status = Flush();
  std::deque<LocalReply> others;
  while (status.ok()) {
    absl::StatusOr<LocalReply> reply = Receive(deadline - absl::Now());
    if (!reply.ok()) {
      status = reply.status();
    } else if (reply->id == id) {
      replies_.insert(replies_.begin(), others.begin(), others.end());
      return reply;
    } else {
      others.push_back(*std::move(reply));
    }
  }
  replies_.insert(replies_.begin(), others.begin(), others.end());
  return absl::UnknownError(
      absl::StrCat("it may have happened: ", status.message()));
}

uint64_t LocalClient::Send(LocalRequest request) {
  request.id = ++last_id_;
  writer_.Add(EncodeLocal(request));
  return request.id;
}

absl::Status LocalClient::Flush() {
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
    static_cast<void>(
        WaitFor(socket_.get(), POLLIN | POLLOUT, absl::InfiniteFuture()));
    const absl::Status read = ReadSome();
    if (!read.ok()) return read;
  }
}

absl::StatusOr<LocalReply> LocalClient::Receive(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
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
