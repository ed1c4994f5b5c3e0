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

#include "absl/strings/str_cat.h"
#include "engine/limits.h"
#include "io/descriptors.h"
#include "io/frame_writer.h"

namespace cachalot {
namespace {

// Of one connection and turn: others get their turn before the next.
constexpr size_t kReadBytesMax = size_t{256} << 10;
// Datagrams of one turn.
constexpr size_t kDatagramsPerReadMax = 16;
constexpr int kAcceptsPerTurnMax = 64;
// For so long the listener is left alone when nobody can be taken or refused.
constexpr absl::Duration AcceptPause() { return absl::Milliseconds(100); }
constexpr int kSilentLooksMax = 3;
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

  void OnReady(uint32_t events) override {
    transport->OnIncomingReady(this, events);
  }
  void Watch(uint32_t events) {
    if (std::exchange(watched, events) == events) return;
    transport->loop_->Modify(socket.get(), events);
  }

  Transport* const transport;
  FileDescriptor socket;
  const Address from;
  FrameReader reader;
  FrameWriter writer;  // answers
  uint32_t watched = EPOLLIN;
  std::list<Incoming>::iterator position;
  bool is_stranger = true;
  // As they are contained in the sums of the transport.
  size_t unfinished_bytes = 0;
  size_t answer_bytes = 0;
  // Numbers the frame that is not complete, among those of all streams; zero if
  // there is none.
  uint64_t frame_begun = 0;
  bool has_spoken = true;  // since the last look
  int silent_looks = 0;
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
      log_(options.log),
      acceptor_(sockets_.listener.get()),
      buffer_(kReadBytesMax) {
  const DescriptorShares shares = ShareDescriptors(DescriptorsMax());
  options_.links_max = std::min(options_.links_max, shares.links);
  options_.incoming_max = std::min(options_.incoming_max, shares.incoming);
}

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
  Link& link = FindOrAddLink(to);
  // If something waits already, the link is listed, or writes when it can.
  if (link.bytes_waiting() == 0) unflushed_.push_back(to);
  link.Send(std::move(bytes));
}

void Transport::AnswerFrame(const Address& to, std::string bytes) {
  const auto found = incoming_by_source_.find(to);
  if (found == incoming_by_source_.end()) {
    // What it said was an answer, on our own stream to it.
    const auto link = links_.find(to);
    if (link != links_.end() && link->second.link->is_open()) {
      return SendFrame(to, std::move(bytes));
    }
    ++stats_.answers_dropped;
    return;
  }
  Incoming& incoming = *found->second;
  if (incoming.writer.empty()) unflushed_answers_.push_back(to);
  incoming.writer.Add(std::move(bytes));
  Account(&incoming);
}

void Transport::Flush() {
  for (const Address& peer : std::exchange(unflushed_, {})) {
    const auto link = links_.find(peer);
    if (link != links_.end()) link->second.link->Flush();
  }
  for (const Address& source : std::exchange(unflushed_answers_, {})) {
    const auto incoming = incoming_by_source_.find(source);
    if (incoming != incoming_by_source_.end()) Write(incoming->second);
  }
}

FastInstant Transport::NextDeadline() const {
  return std::min({links_deadline_, accept_at_, look_at_});
}

void Transport::OnTime(FastInstant now) {
  if (accept_at_ <= now) {
    accept_at_ = FastInstant::Never();
    loop_->Modify(sockets_.listener.get(), EPOLLIN);
  }
  if (look_at_ <= now) {
    look_at_ = FastInstant::Never();
    LookAtIncoming();
    if (!incoming_.empty()) look_at_ = now + options_.look_interval;
  }
  if (now < links_deadline_) return;
  links_deadline_ = FastInstant::Never();
  for (auto it = links_.begin(); it != links_.end();) {
    Link& link = *it->second.link;
    link.OnTime(now);
    if (link.IsForgotten(now)) {
      it = links_.erase(it);
      continue;
    }
    OnLinkDeadline(link.deadline());
    ++it;
  }
}

// --- Streams from others ----------------------------------------------------

void Transport::OnReady(uint32_t) {
  for (int i = 0; i < kAcceptsPerTurnMax; ++i) {
    FileDescriptor socket;
    SocketAddress from;
    switch (acceptor_.Accept(&socket, &from)) {
      case Acceptor::Outcome::kAccepted:
        Accept(std::move(socket), FromSocketAddress(from));
        break;
      case Acceptor::Outcome::kNobody:
        return;
      case Acceptor::Outcome::kRefused:
        ++stats_.streams_refused;
        log_.Write(clock_->Read().fast, LogEvent::kDescriptorsShort, Address(),
                   [] {
                     constexpr char kWhy[] =
                         "no descriptor is left for a stream from a peer";
                     return LogText{kWhy, {{"reason", std::string(kWhy)}}};
                   });
        // Whoever comes next finds room.
        if (Incoming* const stranger = LongestSilentStranger()) {
          Close(stranger, &stats_.streams_evicted, "");
        }
        break;
      case Acceptor::Outcome::kStuck:
        loop_->Modify(sockets_.listener.get(), 0);
        accept_at_ = clock_->Read().fast + AcceptPause();
        return;
    }
  }
}

void Transport::Accept(FileDescriptor socket, const Address& from) {
  const size_t strangers_max = std::max<size_t>(1, options_.incoming_max / 2);
  const bool is_full = incoming_.size() >= options_.incoming_max;
  if (is_full || strangers_ >= strangers_max) {
    Incoming* victim = LongestSilentStranger();
    if (victim == nullptr) victim = &incoming_.front();
    Close(victim, &stats_.streams_evicted, "too many streams");
  }
  SetOption(socket.get(), SOL_SOCKET, SO_KEEPALIVE, 1);
  SetOption(socket.get(), IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveIdleSeconds);
  SetOption(socket.get(), IPPROTO_TCP, TCP_KEEPINTVL,
            kKeepAliveIntervalSeconds);
  SetOption(socket.get(), IPPROTO_TCP, TCP_KEEPCNT, kKeepAliveProbes);
  Incoming& incoming = incoming_.emplace_back(this, std::move(socket), from);
  incoming.position = std::prev(incoming_.end());
  incoming_by_source_[from] = &incoming;
  ++strangers_;
  if (!loop_->Add(incoming.socket.get(), EPOLLIN, &incoming).ok()) {
    Close(&incoming, &stats_.streams_refused, "");
    return;
  }
  if (look_at_ == FastInstant::Never()) {
    look_at_ = clock_->Read().fast + options_.look_interval;
  }
}

void Transport::OnIncomingReady(Incoming* incoming, uint32_t events) {
  // Reading may close it.
  const Address from = incoming->from;
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) Receive(incoming);
  if ((events & EPOLLOUT) == 0) return;
  const auto found = incoming_by_source_.find(from);
  if (found != incoming_by_source_.end()) Write(found->second);
}

void Transport::Receive(Incoming* incoming) {
  const ssize_t count =
      recv(incoming->socket.get(), buffer_.data(), buffer_.size(), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) {
    Close(incoming, nullptr, "");
    return;
  }
  receiver_->OnBytesRead();
  incoming_.splice(incoming_.end(), incoming_, incoming->position);
  incoming->has_spoken = true;
  const absl::string_view bytes(buffer_.data(), static_cast<size_t>(count));
  const bool is_well_formed = incoming->reader.Read(bytes, &frames_);
  if (!frames_.empty() || incoming->reader.is_between_frames()) {
    incoming->frame_begun = 0;
  }
  Account(incoming);
  stats_.frames_received += frames_.size();
  // Taking one in may close any stream, this one too.
  const Address from = incoming->from;
  const Incoming* const before = incoming;
  bool is_closed = false;
  for (std::string& frame : frames_) {
    const bool is_member = receiver_->OnFrame(from, std::move(frame));
    const auto found = incoming_by_source_.find(from);
    is_closed = found == incoming_by_source_.end() || found->second != before;
    if (is_closed) break;
    if (is_member && std::exchange(incoming->is_stranger, false)) {
      --strangers_;
      stranger_bytes_ -= incoming->unfinished_bytes;
    }
  }
  frames_.clear();
  if (is_closed) return;
  if (!is_well_formed) {
    Close(incoming, &stats_.streams_malformed, "what is no frame");
    return;
  }
  BoundUnfinished();
}

void Transport::Write(Incoming* incoming) {
  switch (incoming->writer.WriteTo(incoming->socket.get())) {
    case FrameWriter::Progress::kDrained:
      incoming->Watch(EPOLLIN);
      break;
    case FrameWriter::Progress::kBlocked:
      incoming->Watch(EPOLLIN | EPOLLOUT);
      break;
    case FrameWriter::Progress::kBroken:
      Close(incoming, nullptr, "");
      return;
  }
  Account(incoming);
  if (answer_bytes_ > options_.answer_bytes_max) {
    Close(incoming, &stats_.streams_greedy, "answers that are not read");
  }
}

void Transport::Account(Incoming* incoming) {
  const size_t unfinished = incoming->reader.bytes_kept();
  unfinished_bytes_ += unfinished - incoming->unfinished_bytes;
  if (incoming->is_stranger) {
    stranger_bytes_ += unfinished - incoming->unfinished_bytes;
  }
  incoming->unfinished_bytes = unfinished;
  if (!incoming->reader.is_between_frames() && incoming->frame_begun == 0) {
    incoming->frame_begun = ++frames_begun_;
  }
  const size_t answers = incoming->writer.bytes();
  answer_bytes_ += answers - incoming->answer_bytes;
  incoming->answer_bytes = answers;
}

// A frame from a peer that means well is complete within moments: what others
// have begun, and leave so, is older.
void Transport::BoundUnfinished() {
  const auto is_beyond = [this](bool of_strangers) {
    return of_strangers ? stranger_bytes_ > options_.stranger_bytes_max
                        : unfinished_bytes_ > options_.unfinished_bytes_max;
  };
  for (const bool of_strangers : {true, false}) {
    while (is_beyond(of_strangers)) {
      Incoming* oldest = nullptr;
      for (Incoming& incoming : incoming_) {
        if (incoming.unfinished_bytes == 0) continue;
        if (of_strangers && !incoming.is_stranger) continue;
        if (oldest == nullptr || incoming.frame_begun < oldest->frame_begun) {
          oldest = &incoming;
        }
      }
      if (oldest == nullptr) return;
      Close(oldest, &stats_.streams_greedy, "frames that are not finished");
    }
  }
}

void Transport::Close(Incoming* incoming, uint64_t* counter,
                      absl::string_view why) {
  if (counter != nullptr) ++*counter;
  if (!why.empty()) Tell(incoming->from, why);
  unfinished_bytes_ -= incoming->unfinished_bytes;
  answer_bytes_ -= incoming->answer_bytes;
  if (incoming->is_stranger) {
    --strangers_;
    stranger_bytes_ -= incoming->unfinished_bytes;
  }
  loop_->Remove(incoming->socket.get());
  const auto found = incoming_by_source_.find(incoming->from);
  if (found != incoming_by_source_.end() && found->second == incoming) {
    incoming_by_source_.erase(found);
  }
  incoming_.erase(incoming->position);
}

Transport::Incoming* Transport::LongestSilentStranger() {
  for (Incoming& incoming : incoming_) {
    if (incoming.is_stranger) return &incoming;
  }
  return nullptr;
}

void Transport::LookAtIncoming() {
  for (auto it = incoming_.begin(); it != incoming_.end();) {
    Incoming& incoming = *it++;  // it may be closed
    if (std::exchange(incoming.has_spoken, false)) {
      incoming.silent_looks = 0;
      continue;
    }
    ++incoming.silent_looks;
    if (incoming.frame_begun != 0) {
      Close(&incoming, &stats_.streams_stalled, "a frame that does not go on");
    } else if (incoming.is_stranger &&
               incoming.silent_looks >= kSilentLooksMax) {
      Close(&incoming, &stats_.streams_stalled, "");
    }
  }
}

void Transport::Tell(const Address& from, absl::string_view why) {
  log_.Write(clock_->Read().fast, LogEvent::kStrangerRefused, from, [&] {
    return LogText{
        absl::StrCat("closed the stream from ", from.ToString(), ": ", why),
        {{"reason", std::string(why)}}};
  });
}

// --- Datagrams --------------------------------------------------------------

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
  if (link != links_.end()) link->second.link->OnPeerHeard();
  receiver_->OnDatagram(from, std::string(bytes));
}

// --- Streams to others ------------------------------------------------------

void Transport::OnLinkChanged(const Address& peer, bool up) {
  receiver_->OnLinkChanged(peer, up);
}

void Transport::OnConnectFailed(const Address& peer, int error) {
  receiver_->OnConnectFailed(peer, error);
}

void Transport::OnLinkDeadline(FastInstant deadline) {
  links_deadline_ = std::min(links_deadline_, deadline);
}

void Transport::OnAnswers(const Address& peer,
                          std::vector<std::string> frames) {
  receiver_->OnBytesRead();
  stats_.frames_received += frames.size();
  answering_ = &peer;
  for (std::string& frame : frames) {
    static_cast<void>(receiver_->OnFrame(peer, std::move(frame)));
  }
  answering_ = nullptr;
}

Link& Transport::FindOrAddLink(const Address& to) {
  const auto found = links_.find(to);
  if (found != links_.end()) {
    found->second.last_use = ++link_uses_;
    return *found->second.link;
  }
  if (links_.size() >= options_.links_max) EvictLink();
  auto link = std::make_unique<Link>(to, options_.link,
                                     Link::Surroundings{.loop = loop_,
                                                        .clock = clock_,
                                                        .random = &random_,
                                                        .stats = &stats_.links,
                                                        .watcher = this,
                                                        .buffer = &buffer_});
  Outgoing& outgoing = links_[to];
  outgoing = {.link = std::move(link), .last_use = ++link_uses_};
  return *outgoing.link;
}

// Members are spoken to all the time: what has not been used for longest was
// opened for somebody else.
void Transport::EvictLink() {
  auto victim = links_.end();
  for (auto it = links_.begin(); it != links_.end(); ++it) {
    if (answering_ != nullptr && it->first == *answering_) continue;
    if (victim == links_.end() ||
        it->second.last_use < victim->second.last_use) {
      victim = it;
    }
  }
  if (victim == links_.end()) return;
  ++stats_.links_evicted;
  victim->second.link->Yield();
  links_.erase(victim);
}

}  // namespace cachalot
