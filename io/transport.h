#ifndef IO_TRANSPORT_H_
#define IO_TRANSPORT_H_

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engine/address.h"
#include "engine/instant.h"
#include "engine/random.h"
#include "io/acceptor.h"
#include "io/clock.h"
#include "io/event_loop.h"
#include "io/frame_reader.h"
#include "io/link.h"
#include "io/log.h"
#include "io/socket.h"

namespace cachalot {

struct TransportOptions {
  // Where to listen; port 0: any that is free.
  Address bind;
  // Draws the jitter of reconnection.
  uint64_t seed = 0;
  // Streams from others and to others. Each is held to its share of the
  // descriptors, too (io/descriptors.h). Beyond it the one that has been silent
  // for longest is closed; among those from others a stranger's before a
  // member's. Half of the streams from others may be strangers'.
  size_t incoming_max = 1024;
  size_t links_max = 8192;
  // What the frames that are not complete yet take in memory, over all streams
  // from others, and over those of strangers. Beyond it the stream is closed
  // whose frame began the longest ago.
  size_t unfinished_bytes_max = size_t{64} << 20;
  size_t stranger_bytes_max = size_t{8} << 20;
  // Answers that wait, on all streams from others. Beyond it the stream that is
  // to be answered is closed.
  size_t answer_bytes_max = size_t{32} << 20;
  // Looks at all streams from others. One is closed if a frame that it has
  // begun does not go on from one look to the next, and a stranger's if it was
  // silent for three.
  absl::Duration look_interval = absl::Seconds(10);
  LinkOptions link;
  Logger* log = nullptr;  // not owned, may be null, outlives the transport
};

// What was lost, and why. Never falls.
struct TransportStats {
  uint64_t datagrams_received = 0;
  uint64_t datagrams_oversized = 0;  // dropped
  uint64_t datagrams_unsent = 0;     // refused by the kernel
  uint64_t frames_received = 0;
  uint64_t streams_malformed = 0;  // closed: a length out of bounds
  uint64_t streams_evicted = 0;    // closed: too many
  uint64_t streams_refused = 0;    // closed at once: no descriptor is left
  uint64_t streams_stalled = 0;    // closed: a frame did not go on, or silence
  uint64_t streams_greedy = 0;     // closed: too much was begun, or not read
  uint64_t links_evicted = 0;      // closed: too many
  uint64_t answers_dropped = 0;    // the stream was over
  LinkStats links;
};

// Datagrams and streams of frames between nodes, on one port.
//
// Each side opens its own stream towards the other, at its first frame, and
// opens it anew with growing delays when it breaks. Answers to what somebody
// said who may not be a member, or not reachable, go back on the same stream.
// Datagrams leave at once, frames with Flush(), all of one turn in one write.
//
// Whoever has opened a stream is a stranger until it has sent a frame that the
// receiver takes for a member's.
//
// One thread, that of the event loop. Memory and descriptors are bounded: see
// the options.
class Transport : private EventLoop::Handler, private Link::Watcher {
 public:
  // Called on the loop's thread.
  class Receiver {
   public:
    virtual ~Receiver() = default;
    // Bytes were read just now. What is received before the next such call
    // came with them, so one look at the clock here serves them all.
    virtual void OnBytesRead() = 0;
    virtual void OnDatagram(const Address& from, std::string bytes) = 0;
    // `from`: the other end of the connection, not where that node listens; or
    // the peer that answers on our stream to it. True if a member sent this.
    virtual bool OnFrame(const Address& from, std::string bytes) = 0;
    // The outgoing stream to `peer` came up or broke.
    virtual void OnLinkChanged(const Address& peer, bool up) = 0;
    // It could not be opened, for a reason (an errno) that lies with the
    // network or the peer.
    virtual void OnConnectFailed(const Address& /*peer*/, int /*error*/) {}
  };

  // None of the pointers is owned; all must outlive the transport.
  // Errors: those of BindSockets().
  static absl::StatusOr<std::unique_ptr<Transport>> Create(
      const TransportOptions& options, EventLoop* loop, Clock* clock,
      Receiver* receiver);
  ~Transport() override;

  // With the real port. The IP address may be the wildcard.
  const Address& address() const { return sockets_.address; }
  const TransportStats& stats() const { return stats_; }

  void SendDatagram(const Address& to, absl::string_view bytes);
  void SendFrame(const Address& to, std::string bytes);
  // On the stream on which `to` said something, as OnFrame() named it.
  void AnswerFrame(const Address& to, std::string bytes);
  // Writes the frames that were sent since the last call.
  void Flush();

  // When to call OnTime().
  FastInstant NextDeadline() const;
  void OnTime(FastInstant now);

 private:
  class Incoming;

  Transport(const TransportOptions& options, BoundSockets sockets,
            EventLoop* loop, Clock* clock, Receiver* receiver);

  class DatagramHandler : public EventLoop::Handler {
   public:
    explicit DatagramHandler(Transport* transport) : transport_(transport) {}
    void OnReady(uint32_t) override { transport_->ReceiveDatagrams(); }

   private:
    Transport* const transport_;
  };

  void OnReady(uint32_t events) override;  // of the listener
  void Accept(FileDescriptor socket, const Address& from);
  void OnIncomingReady(Incoming* incoming, uint32_t events);
  void Receive(Incoming* incoming);
  void Write(Incoming* incoming);
  // Keeps the sums up to date.
  void Account(Incoming* incoming);
  void BoundUnfinished();
  void Close(Incoming* incoming, uint64_t* counter, absl::string_view why);
  // The stranger that has been silent for longest; null if there is none.
  Incoming* LongestSilentStranger();
  void LookAtIncoming();
  // Tells that somebody was turned away.
  void Tell(const Address& from, absl::string_view why);

  void ReceiveDatagrams();
  void TakeDatagram(const Address& from, absl::string_view bytes);

  void OnLinkChanged(const Address& peer, bool up) override;
  void OnConnectFailed(const Address& peer, int error) override;
  void OnLinkDeadline(FastInstant deadline) override;
  void OnAnswers(const Address& peer, std::vector<std::string> frames) override;
  Link& FindOrAddLink(const Address& to);
  // One of those that may be deleted now.
  void EvictLink();

  TransportOptions options_;
  BoundSockets sockets_;
  EventLoop* const loop_;
  Clock* const clock_;
  Receiver* const receiver_;
  DatagramHandler datagram_handler_{this};
  Random random_;
  TransportStats stats_;

  RateLimitedLog log_;
  Acceptor acceptor_;
  // The listener is left alone until then.
  FastInstant accept_at_ = FastInstant::Never();

  // Ordered by the last time that something arrived, the longest silent first.
  std::list<Incoming> incoming_;
  absl::btree_map<Address, Incoming*> incoming_by_source_;
  size_t strangers_ = 0;
  size_t unfinished_bytes_ = 0;  // of all in incoming_
  size_t stranger_bytes_ = 0;    // of the strangers among them
  size_t answer_bytes_ = 0;
  uint64_t frames_begun_ = 0;
  FastInstant look_at_ = FastInstant::Never();
  std::vector<Address> unflushed_answers_;

  struct Outgoing {
    std::unique_ptr<Link> link;
    uint64_t last_use = 0;  // counts uses, of all links
  };
  absl::btree_map<Address, Outgoing> links_;
  uint64_t link_uses_ = 0;
  // Its frames are being handed over: not to be deleted.
  const Address* answering_ = nullptr;
  std::vector<Address> unflushed_;
  // No link's is earlier.
  FastInstant links_deadline_ = FastInstant::Never();

  // For one read; shared by all connections.
  std::vector<char> buffer_;
  std::vector<std::string> frames_;
};

}  // namespace cachalot

#endif  // IO_TRANSPORT_H_
