#include "io/link.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "absl/strings/string_view.h"

namespace cachalot {
namespace {

// A stream that lasted so long was a good one: its end starts the delays anew.
constexpr absl::Duration GoodStreamMin() { return absl::Seconds(1); }
// An unused link remembers for so long how often it has failed.
constexpr absl::Duration ForgetAfter() { return absl::Minutes(1); }

// The kernel's first two tries to get through have failed, after 200 ms and
// 400 ms more where round trips are short. From here on it waits twice as long
// each time.
constexpr uint8_t kStuckRetransmits = 2;
// A look costs a system call.
constexpr absl::Duration StuckCheckInterval() {
  return absl::Milliseconds(100);
}

void SetOption(int fd, int level, int option, int value) {
  static_cast<void>(setsockopt(fd, level, option, &value, sizeof(value)));
}

// Connecting to a free port of the kernel's ephemeral range on this machine
// may choose that very port to connect from, and then succeeds: with itself.
bool IsConnectedToItself(int fd, const Address& peer) {
  return LocalAddress(fd) == peer;
}

}  // namespace

Link::Link(const Address& peer, const LinkOptions& options,
           const Surroundings& surroundings)
    : peer_(peer),
      options_(options),
      surroundings_(surroundings),
      reader_(options.answer_bytes_max) {}

Link::~Link() {
  if (socket_.is_open()) surroundings_.loop->Remove(socket_.get());
}

void Link::Send(std::string frame) {
  if (writer_.bytes() + frame.size() > options_.queue_bytes_max) {
    Break(&surroundings_.stats->overflowed);
    return;
  }
  writer_.Add(std::move(frame));
  was_used_ = true;
}

void Link::Flush() {
  if (writer_.empty()) return;
  if (state_ == State::kIdle) Connect();
  // While the kernel is full the loop tells when it takes more.
  if (state_ == State::kUp && (watched_ & EPOLLOUT) == 0) Write();
}

void Link::OnTime(FastInstant now) {
  if (now < deadline_) return;
  deadline_ = FastInstant::Never();
  if (state_ == State::kConnecting) {
    FailToConnect(ETIMEDOUT);
  } else if (state_ == State::kWaiting) {
    state_ = State::kIdle;
    Flush();
  } else if (state_ == State::kUp) {
    if (!std::exchange(was_used_, false) && writer_.empty() &&
        reader_.is_between_frames()) {
      ++surroundings_.stats->idle;
      CloseSocket();
      state_ = State::kIdle;
      changed_at_ = now;
      return;
    }
    SetDeadline(now + options_.idle_max);
  }
}

void Link::OnPeerHeard() {
  if (state_ != State::kWaiting && state_ != State::kUp) return;
  const FastInstant now = surroundings_.clock->Read().fast;
  if (state_ == State::kWaiting) {
    if (now - changed_at_ >= options_.reconnect_min) OnTime(deadline_);
    return;
  }
  if (now - stuck_checked_ < StuckCheckInterval()) return;
  stuck_checked_ = now;
  if (IsStuck()) Break(&surroundings_.stats->stuck);
}

bool Link::IsStuck() const {
  tcp_info info = {};
  socklen_t length = sizeof(info);
  if (getsockopt(socket_.get(), IPPROTO_TCP, TCP_INFO, &info, &length) != 0) {
    return false;
  }
  return info.tcpi_unacked > 0 && info.tcpi_retransmits >= kStuckRetransmits;
}

void Link::Yield() {
  if (!writer_.empty() || state_ == State::kConnecting) {
    Break(&surroundings_.stats->refused);
    return;
  }
  ++surroundings_.stats->idle;
  CloseSocket();
  state_ = State::kIdle;
  changed_at_ = surroundings_.clock->Read().fast;
}

bool Link::IsForgotten(FastInstant now) const {
  return state_ == State::kIdle && writer_.empty() &&
         now - changed_at_ > ForgetAfter();
}

void Link::OnReady(uint32_t events) {
  if (state_ == State::kConnecting) {
    FinishConnecting();
    return;
  }
  if ((events & EPOLLOUT) != 0) Write();
  const bool is_readable =
      (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  if (is_readable && state_ == State::kUp) Read();
}

void Link::Read() {
  std::vector<char>& buffer = *surroundings_.buffer;
  const ssize_t count = recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) {
    Break(&surroundings_.stats->broken);
    return;
  }
  was_used_ = true;
  std::vector<std::string> frames;
  const bool is_well_formed = reader_.Read(
      absl::string_view(buffer.data(), static_cast<size_t>(count)), &frames);
  // The last thing that is done here: the watcher may send, and a send may
  // break the stream.
  if (!is_well_formed) {
    Break(&surroundings_.stats->malformed);
  } else if (!frames.empty()) {
    surroundings_.watcher->OnAnswers(peer_, std::move(frames));
  }
}

void Link::Connect() {
  const int family = FamilyOf(peer_);
  socket_ = FileDescriptor(
      socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket_.is_open()) {
    const int error = errno;
    // What this process or machine lacks says nothing of the peer.
    const bool is_short = error == EMFILE || error == ENFILE ||
                          error == ENOBUFS || error == ENOMEM;
    if (!is_short) return FailToConnect(error);
    Break(&surroundings_.stats->refused);
    return;
  }
  SetOption(socket_.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  SetOption(
      socket_.get(), IPPROTO_TCP, TCP_USER_TIMEOUT,
      static_cast<int>(absl::ToInt64Milliseconds(options_.unacknowledged_max)));
  const SocketAddress name = ToSocketAddress(peer_, family);
  if (connect(socket_.get(), name.get(), name.length) != 0 &&
      errno != EINPROGRESS) {
    const int error = errno;
    socket_.Close();
    FailToConnect(error);
    return;
  }
  watched_ = EPOLLOUT;
  if (!surroundings_.loop->Add(socket_.get(), watched_, this).ok()) {
    socket_.Close();
    Break(&surroundings_.stats->refused);
    return;
  }
  state_ = State::kConnecting;
  changed_at_ = surroundings_.clock->Read().fast;
  SetDeadline(changed_at_ + options_.connect_timeout);
}

void Link::FinishConnecting() {
  int error = 0;
  socklen_t length = sizeof(error);
  getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  if (error == 0 && IsConnectedToItself(socket_.get(), peer_)) {
    error = ECONNREFUSED;
  }
  if (error != 0) {
    FailToConnect(error);
    return;
  }
  state_ = State::kUp;
  changed_at_ = surroundings_.clock->Read().fast;
  was_used_ = true;
  SetDeadline(changed_at_ + options_.idle_max);
  ++surroundings_.stats->opened;
  Watch(EPOLLIN | EPOLLRDHUP);
  surroundings_.watcher->OnLinkChanged(peer_, true);
  Flush();
}

void Link::FailToConnect(int error) {
  surroundings_.watcher->OnConnectFailed(peer_, error);
  Break(&surroundings_.stats->refused);
}

void Link::Write() {
  switch (writer_.WriteTo(socket_.get())) {
    case FrameWriter::Progress::kDrained:
      Watch(EPOLLIN | EPOLLRDHUP);
      return;
    case FrameWriter::Progress::kBlocked:
      Watch(EPOLLIN | EPOLLRDHUP | EPOLLOUT);
      return;
    case FrameWriter::Progress::kBroken:
      Break(&surroundings_.stats->broken);
      return;
  }
}

void Link::Watch(uint32_t events) {
  if (watched_ == events) return;
  watched_ = events;
  surroundings_.loop->Modify(socket_.get(), events);
}

void Link::Break(uint64_t* counter) {
  ++*counter;
  const FastInstant now = surroundings_.clock->Read().fast;
  if (state_ == State::kUp && now - changed_at_ >= GoodStreamMin()) {
    failures_ = 0;
  }
  CloseSocket();
  writer_.Clear();
  // An overflow while it waits does not make it wait longer.
  if (state_ != State::kWaiting) {
    state_ = State::kWaiting;
    changed_at_ = now;
    SetDeadline(now + DrawDelay());
  }
  surroundings_.watcher->OnLinkChanged(peer_, false);
}

void Link::CloseSocket() {
  if (!socket_.is_open()) return;
  surroundings_.loop->Remove(socket_.get());
  socket_.Close();
  reader_ = FrameReader(options_.answer_bytes_max);
}

void Link::SetDeadline(FastInstant deadline) {
  deadline_ = deadline;
  surroundings_.watcher->OnLinkDeadline(deadline);
}

absl::Duration Link::DrawDelay() {
  // Half of the delay is drawn, so that the peers of a process that comes back
  // do not come back to it all at once.
  constexpr int kDoublingsMax = 20;
  absl::Duration delay = options_.reconnect_min;
  for (int i = 0; i < std::min(failures_, kDoublingsMax); ++i) delay *= 2;
  ++failures_;
  delay = std::min(delay, options_.reconnect_max);
  return surroundings_.random->Between(delay / 2, delay);
}

}  // namespace cachalot
