#include "io/transport.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "engine/limits.h"

namespace cachalot {
namespace {

// Of one connection and turn: others get their turn before the next.
constexpr size_t kReadBytesMax = size_t{256} << 10;
// Datagrams of one turn.
constexpr size_t kDatagramsPerReadMax = 16;
constexpr int kAcceptsPerTurnMax = 64;
// A connection whose other end vanished without a word is closed after
// half a minute.
constexpr int kKeepAliveIdleSeconds = 15;
constexpr int kKeepAliveIntervalSeconds = 5;
constexpr int kKeepAliveProbes = 3;

void SetOption(int fd, int level, int option, int value) {
  static_cast<void>(setsockopt(fd, level, option, &value, sizeof(value)));
}

}  // namespace

// One connection that another node opened.
class Transport::Incoming : public EventLoop::Handler {
 public:
  Incoming(Transport* transport, FileDescriptor socket, const Address& from)
      : transport(transport),
        socket(std::move(socket)),
        from(from),
        reader(limits::kFrameBytesMax) {}

  void OnReady(uint32_t) override { transport->Receive(this); }

  Transport* const transport;
  FileDescriptor socket;
  const Address from;
  FrameReader reader;
  std::list<Incoming>::iterator position;
};

absl::StatusOr<std::unique_ptr<Transport>> Transport::Create(
    const TransportOptions& options, EventLoop* loop, Clock* clock,
    Receiver* receiver) {
  absl::StatusOr<BoundSockets> sockets = BindSockets(options.bind);
  if (!sockets.ok()) return sockets.status();
  std::unique_ptr<Transport> transport(
      new Transport(options, *std::move(sockets), loop, clock, receiver));
  for (const auto& [fd, handler] :
       {std::pair<int, EventLoop::Handler*>(transport->sockets_.listener.get(),
                                            transport.get()),
        std::pair<int, EventLoop::Handler*>(transport->sockets_.datagrams.get(),
                                            &transport->datagram_handler_)}) {
    const absl::Status added = loop->Add(fd, EPOLLIN, handler);
    if (!added.ok()) return added;
  }
  return transport;
}

Transport::Transport(const TransportOptions& options, BoundSockets sockets,
                     EventLoop* loop, Clock* clock, Receiver* receiver)
    : options_(options),
      sockets_(std::move(sockets)),
      loop_(loop),
      clock_(clock),
      receiver_(receiver),
      random_(options.seed, "transport"),
      buffer_(kReadBytesMax) {}

Transport::~Transport() {
  for (Incoming& incoming : incoming_) loop_->Remove(incoming.socket.get());
  loop_->Remove(sockets_.listener.get());
  loop_->Remove(sockets_.datagrams.get());
}

void Transport::SendDatagram(const Address& to, absl::string_view bytes) {
  const int family = FamilyOf(sockets_.address);
  const bool is_reachable = family == AF_INET6 || to.IsV4();
  const SocketAddress name = ToSocketAddress(to, family);
  if (!is_reachable ||
      sendto(sockets_.datagrams.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL,
             name.get(), name.length) < 0) {
    ++stats_.datagrams_unsent;
  }
}

void Transport::SendFrame(const Address& to, std::string bytes) {
  Link* const link = FindOrAddLink(to);
  if (link == nullptr) {
    ++stats_.frames_dropped;
    return;
  }
  // If something waits already, the link is listed, or writes when it can.
  if (link->bytes_waiting() == 0) unflushed_.push_back(link);
  link->Send(std::move(bytes));
}

void Transport::Flush() {
  for (Link* const link : unflushed_) link->Flush();
  unflushed_.clear();
}

FastInstant Transport::NextDeadline() const { return links_deadline_; }

void Transport::OnTime(FastInstant now) {
  if (now < links_deadline_) return;
  Flush();  // unflushed_ may name links that are about to be forgotten
  links_deadline_ = FastInstant::Never();
  for (auto it = links_.begin(); it != links_.end();) {
    Link& link = *it->second;
    link.OnTime(now);
    if (link.IsForgotten(now)) {
      it = links_.erase(it);
      continue;
    }
    OnLinkDeadline(link.deadline());
    ++it;
  }
}

void Transport::OnReady(uint32_t) {
  for (int i = 0; i < kAcceptsPerTurnMax; ++i) {
    SocketAddress from;
    from.length = sizeof(from.storage);
    FileDescriptor socket(accept4(sockets_.listener.get(), from.get(),
                                  &from.length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket.is_open()) {
      Accept(std::move(socket), FromSocketAddress(from));
      continue;
    }
    // With no descriptor left the listener would wake us for ever: the
    // connection that is least missed makes room.
    if ((errno == EMFILE || errno == ENFILE) && !incoming_.empty()) {
      ++stats_.streams_evicted;
      Close(&incoming_.front());
    }
    return;
  }
}

void Transport::Accept(FileDescriptor socket, const Address& from) {
  if (incoming_.size() >= options_.incoming_max) {
    ++stats_.streams_evicted;
    Close(&incoming_.front());
  }
  SetOption(socket.get(), SOL_SOCKET, SO_KEEPALIVE, 1);
  SetOption(socket.get(), IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveIdleSeconds);
  SetOption(socket.get(), IPPROTO_TCP, TCP_KEEPINTVL,
            kKeepAliveIntervalSeconds);
  SetOption(socket.get(), IPPROTO_TCP, TCP_KEEPCNT, kKeepAliveProbes);
  Incoming& incoming = incoming_.emplace_back(this, std::move(socket), from);
  incoming.position = std::prev(incoming_.end());
  if (!loop_->Add(incoming.socket.get(), EPOLLIN, &incoming).ok()) {
    Close(&incoming);
  }
}

void Transport::Receive(Incoming* incoming) {
  const ssize_t count =
      recv(incoming->socket.get(), buffer_.data(), buffer_.size(), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) {
    Close(incoming);
    return;
  }
  receiver_->OnBytesRead();
  incoming_.splice(incoming_.end(), incoming_, incoming->position);
  const absl::string_view bytes(buffer_.data(), static_cast<size_t>(count));
  const bool is_well_formed = incoming->reader.Read(bytes, &frames_);
  stats_.frames_received += frames_.size();
  for (std::string& frame : frames_) {
    receiver_->OnFrame(incoming->from, std::move(frame));
  }
  frames_.clear();
  if (is_well_formed) return;
  ++stats_.streams_malformed;
  Close(incoming);
}

void Transport::Close(Incoming* incoming) {
  loop_->Remove(incoming->socket.get());
  incoming_.erase(incoming->position);
}

void Transport::ReceiveDatagrams() {
  // One byte more than allowed, so that a longer one shows.
  using Buffer = std::array<char, limits::kDatagramBytesMax + 1>;
  std::array<Buffer, kDatagramsPerReadMax> buffers;
  std::array<SocketAddress, kDatagramsPerReadMax> names;
  std::array<iovec, kDatagramsPerReadMax> parts;
  std::array<mmsghdr, kDatagramsPerReadMax> messages = {};
  for (size_t i = 0; i < kDatagramsPerReadMax; ++i) {
    parts[i] = {.iov_base = buffers[i].data(), .iov_len = buffers[i].size()};
    messages[i].msg_hdr.msg_name = names[i].get();
    messages[i].msg_hdr.msg_namelen = sizeof(names[i].storage);
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  const int count = recvmmsg(sockets_.datagrams.get(), messages.data(),
                             kDatagramsPerReadMax, 0, nullptr);
  if (count <= 0) return;
  receiver_->OnBytesRead();
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
    TakeDatagram(FromSocketAddress(names[i]),
                 absl::string_view(buffers[i].data(), messages[i].msg_len));
  }
}

void Transport::TakeDatagram(const Address& from, absl::string_view bytes) {
  if (bytes.size() > limits::kDatagramBytesMax) {
    ++stats_.datagrams_oversized;
    return;
  }
  ++stats_.datagrams_received;
  // Datagrams come from the port at which their sender listens: here is a sign
  // of life of a peer whose stream may have broken.
  const auto link = links_.find(from);
  if (link != links_.end()) link->second->OnPeerHeard();
  receiver_->OnDatagram(from, std::string(bytes));
}

void Transport::OnLinkChanged(const Address& peer, bool up) {
  receiver_->OnLinkChanged(peer, up);
}

void Transport::OnLinkDeadline(FastInstant deadline) {
  links_deadline_ = std::min(links_deadline_, deadline);
}

Link* Transport::FindOrAddLink(const Address& to) {
  const auto found = links_.find(to);
  if (found != links_.end()) return found->second.get();
  if (links_.size() >= options_.links_max) return nullptr;
  auto link = std::make_unique<Link>(to, options_.link,
                                     Link::Surroundings{.loop = loop_,
                                                        .clock = clock_,
                                                        .random = &random_,
                                                        .stats = &stats_.links,
                                                        .watcher = this});
  return links_.emplace(to, std::move(link)).first->second.get();
}

}  // namespace cachalot
