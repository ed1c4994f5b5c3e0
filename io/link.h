#ifndef IO_LINK_H_
#define IO_LINK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "engine/address.h"
#include "engine/instant.h"
#include "engine/random.h"
#include "io/clock.h"
#include "io/event_loop.h"
#include "io/frame_reader.h"
#include "io/frame_writer.h"
#include "io/socket.h"

namespace cachalot {

struct LinkOptions {
  // A stream that is not up by then counts as refused.
  absl::Duration connect_timeout = absl::Seconds(2);
  // A broken stream is opened anew after a time drawn from the upper half of a
  // range that starts with reconnect_min and doubles up to reconnect_max.
  absl::Duration reconnect_min = absl::Milliseconds(10);
  absl::Duration reconnect_max = absl::Seconds(2);
  // A stream whose bytes the other machine does not acknowledge for as long is
  // broken: the machine, or the way to it, is gone.
  absl::Duration unacknowledged_max = absl::Seconds(10);
  // A stream that has carried nothing for as long is closed; at the latest when
  // twice as long has passed. The next frame opens it anew.
  absl::Duration idle_max = absl::Seconds(30);
  // A longer answer is none.
  size_t answer_bytes_max = size_t{2} << 20;
  // More than this waits for nobody: the stream is given up with all that
  // waits, as if it had broken.
  size_t queue_bytes_max = size_t{64} << 20;
};

// Of all links of a transport. Never falls.
struct LinkStats {
  uint64_t opened = 0;
  uint64_t refused = 0;     // attempts that came to nothing
  uint64_t broken = 0;      // by the other side or by the network
  uint64_t overflowed = 0;  // given up: the queue was full
  uint64_t malformed = 0;   // given up: the other side sent what is no frame
  uint64_t stuck = 0;       // given up: not acknowledged, while the peer spoke
  uint64_t idle = 0;        // closed: nothing to carry
};

// The outgoing stream to one peer. Opened by the first frame, then again and
// again while frames wait for it. The peer may answer on it.
//
// Frames wait while the stream is being opened. When it breaks, or an attempt
// to open it fails, all that waits is lost, and the watcher hears of it.
class Link : private EventLoop::Handler {
 public:
  // Called on the loop's thread, also from within Send() and Flush().
  class Watcher {
   public:
    virtual ~Watcher() = default;
    // The stream came up; or it, or the attempt to open it, broke.
    virtual void OnLinkChanged(const Address& peer, bool up) = 0;
    // An attempt to open the stream failed, for a reason (an errno) that lies
    // with the network or the peer. OnLinkChanged() follows.
    virtual void OnConnectFailed(const Address& peer, int error) = 0;
    // The link has something to do at `deadline`.
    virtual void OnLinkDeadline(FastInstant deadline) = 0;
    // The peer said `frames` on the stream. The link must not be deleted within
    // this call.
    virtual void OnAnswers(const Address& peer,
                           std::vector<std::string> frames) = 0;
  };
  // What all links of a transport share. Not owned; outlives the link.
  struct Surroundings {
    EventLoop* loop;
    Clock* clock;
    Random* random;
    LinkStats* stats;
    Watcher* watcher;
    std::vector<char>* buffer;  // for one read, not empty
  };

  Link(const Address& peer, const LinkOptions& options,
       const Surroundings& surroundings);
  ~Link() override;

  const Address& peer() const { return peer_; }
  // What waits for Flush() or for the stream.
  size_t bytes_waiting() const { return writer_.bytes(); }

  void Send(std::string frame);
  // Writes what was sent, or begins to open the stream.
  void Flush();
  // Closes the stream for lack of descriptors. What waits is lost.
  void Yield();
  // Has a descriptor.
  bool is_open() const { return socket_.is_open(); }
  // What of an answer has arrived and is not complete.
  size_t bytes_kept() const { return reader_.bytes_kept(); }

  // Never() if there is nothing to do.
  FastInstant deadline() const { return deadline_; }
  void OnTime(FastInstant now);
  // The peer was heard of by datagram. If the link waits to be opened again, it
  // may be worth a try now. If the stream is up, but what was written to it has
  // not been acknowledged for so long that the kernel waits ever longer before
  // it tries again, the stream is given up: the way was cut and is mended, and
  // a new stream is faster than the end of that wait.
  void OnPeerHeard();
  // True if nobody has used the link for so long that it can be forgotten.
  bool IsForgotten(FastInstant now) const;

 private:
  enum class State {
    kIdle,        // nothing waits for the stream
    kConnecting,  // until deadline_
    kUp,
    kWaiting,  // until deadline_, before the next attempt
  };

  void OnReady(uint32_t events) override;
  void Connect();
  void FinishConnecting();
  void FailToConnect(int error);
  void Write();
  void Read();
  bool IsStuck() const;
  void CloseSocket();
  // Sets what the loop is to tell; only changes cost a system call.
  void Watch(uint32_t events);
  // The stream is over, or did not come to be; `counter` says why.
  void Break(uint64_t* counter);
  void SetDeadline(FastInstant deadline);
  absl::Duration DrawDelay();

  const Address peer_;
  const LinkOptions options_;
  const Surroundings surroundings_;

  State state_ = State::kIdle;
  FileDescriptor socket_;
  uint32_t watched_ = 0;
  FrameWriter writer_;
  FrameReader reader_;
  FastInstant deadline_ = FastInstant::Never();
  FastInstant changed_at_;     // when state_ last changed
  FastInstant stuck_checked_;  // when IsStuck() was last asked for
  bool was_used_ = false;      // since the last look at whether it is idle
  int failures_ = 0;           // attempts since a stream lasted
};

}  // namespace cachalot

#endif  // IO_LINK_H_
