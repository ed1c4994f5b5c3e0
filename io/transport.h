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
  // Beyond it the connection that has been silent for longest is closed.
  size_t incoming_max = 1024;
  // Streams to others; frames for one more peer are dropped.
  size_t links_max = 8192;
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
  uint64_t frames_dropped = 0;     // for a peer too many
  LinkStats links;
};

// Datagrams and streams of frames between nodes, on one port.
//
// A stream carries frames one way: each side opens its own towards the other,
// at its first frame, and opens it anew with growing delays when it breaks.
// Datagrams leave at once, frames with Flush(), all of one turn in one write.
//
// One thread, that of the event loop. Memory is bounded: see the options.
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
    // `from`: the other end of the connection, not where that node listens.
    virtual void OnFrame(const Address& from, std::string bytes) = 0;
    // The outgoing stream to `peer` came up or broke.
    virtual void OnLinkChanged(const Address& peer, bool up) = 0;
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
  void Receive(Incoming* incoming);
  void Close(Incoming* incoming);

  void ReceiveDatagrams();
  void TakeDatagram(const Address& from, absl::string_view bytes);

  void OnLinkChanged(const Address& peer, bool up) override;
  void OnLinkDeadline(FastInstant deadline) override;
  // Null if there are too many.
  Link* FindOrAddLink(const Address& to);

  const TransportOptions options_;
  BoundSockets sockets_;
  EventLoop* const loop_;
  Clock* const clock_;
  Receiver* const receiver_;
  DatagramHandler datagram_handler_{this};
  Random random_;
  TransportStats stats_;

  // Ordered by the last time that something arrived, the longest silent first.
  std::list<Incoming> incoming_;
  absl::btree_map<Address, std::unique_ptr<Link>> links_;
  std::vector<Link*> unflushed_;
  // No link's is earlier.
  FastInstant links_deadline_ = FastInstant::Never();

  // For one read; shared by all connections.
  std::vector<char> buffer_;
  std::vector<std::string> frames_;
};

}  // namespace cachalot

#endif  // IO_TRANSPORT_H_
