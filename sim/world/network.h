#ifndef SIM_WORLD_NETWORK_H_
#define SIM_WORLD_NETWORK_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "engine/address.h"
#include "engine/event.h"
#include "sim/world/agenda.h"
#include "sim/world/chance.h"
#include "sim/world/choices.h"
#include "sim/world/fault.h"
#include "sim/world/instant.h"

namespace cachalot::sim {

struct NetworkOptions {
  // One way. Datagrams may overtake each other; frames of one stream do not.
  Delay delay = {absl::Microseconds(100), absl::Microseconds(500)};
  // Each link adds a constant delay, drawn from [0, distance_max].
  absl::Duration distance_max;
  Rate loss;              // of datagrams
  Rate duplication;       // of datagrams
  Rate corruption;        // of datagrams: a byte changes
  Rate frame_corruption;  // of frames: errors that TCP's checksum misses
  Rate reset;             // of a stream, for each frame sent on it
  Rate straggling;        // of frames in flight when a stream breaks
  // How long TCP retransmits before it gives up on a silent peer.
  absl::Duration give_up_min = absl::Milliseconds(300);
  absl::Duration give_up_max = absl::Seconds(3);
  // When a link is mended, held-back data is sent again within this time.
  absl::Duration resend_max = absl::Milliseconds(200);
};

// What the network did, for tests of its faults.
struct NetworkCounters {
  uint64_t datagrams_sent = 0;
  uint64_t datagrams_delivered = 0;
  uint64_t datagrams_lost = 0;  // by chance
  uint64_t datagrams_duplicated = 0;
  uint64_t datagrams_cut = 0;      // by a cut link
  uint64_t datagrams_clogged = 0;  // held back by a clogged link
  uint64_t datagrams_unheard = 0;  // no process listened at the address
  uint64_t frames_sent = 0;
  uint64_t frames_delivered = 0;
  uint64_t frames_lost = 0;  // with their stream
  uint64_t streams_opened = 0;
  uint64_t streams_broken = 0;
  uint64_t streams_reset = 0;      // broken by chance
  uint64_t streams_stalled = 0;    // held back by a cut link
  uint64_t streams_straggled = 0;  // arrived after the next stream
};

// The links between addresses. Datagrams may be lost, duplicated, delayed and
// reordered; streams keep their order until they break.
//
// A cut link drops messages in flight too. A clogged link holds them back and
// delivers them when it is unclogged. TCP does not notice a cut: a stream
// stalls, continues if the link is mended in time, and breaks otherwise; then
// its sender is told.
//
// When a stream breaks, its frames in flight are lost, or a prefix of them
// straggles: it arrives later, perhaps after frames of the next stream. This is
// what a kernel does that goes on sending for a closed socket, or a receiver
// that reads two sockets in any order.
//
// When a process dies, the streams to it break at once; of the frames that it
// had sent, a random prefix still arrives.
class Network {
 public:
  // An event for the node at `to`. LinkChanged tells it about a stream on which
  // it is the sender.
  struct Arrival {
    Address to;
    std::variant<DatagramReceived, FrameReceived, LinkChanged> what;
  };

  // `choices` is not owned and outlives the network.
  Network(NetworkOptions options, ChoiceSource* choices);

  void SendDatagram(RealInstant now, const Address& from, const Address& to,
                    std::string bytes);
  void SendFrame(RealInstant now, const Address& from, const Address& to,
                 std::string bytes);

  // A process starts or stops listening at `address`. After Exit() everything
  // that it has sent is delivered.
  void Open(const Address& address);
  void Crash(RealInstant now, const Address& address);
  void Exit(RealInstant now, const Address& address);

  // From `from` to `to` only.
  void Cut(const Address& from, const Address& to);
  void Mend(RealInstant now, const Address& from, const Address& to);
  void MendAll(RealInstant now);
  bool IsCut(const Address& from, const Address& to) const;
  bool HasCuts() const { return !cuts_.empty(); }
  // From, to.
  const absl::btree_set<std::pair<Address, Address>>& cuts() const {
    return cuts_;
  }

  bool HasClogs() const { return !clogs_.empty(); }
  void Clog(const Address& from, const Address& to);
  void Unclog(RealInstant now, const Address& from, const Address& to);

  // Breaks the stream from `from` to `to`. Returns false if there is none.
  bool Reset(RealInstant now, const Address& from, const Address& to);

  // When the network has something to do next; Never() if it has nothing.
  RealInstant NextDue() const { return agenda_.NextDue(); }
  // Does the next thing that is due. Returns the event that a node must get, if
  // any.
  // REQUIRES: NextDue() <= now.
  std::optional<Arrival> RunNext(RealInstant now);

  const NetworkCounters& counters() const { return counters_; }
  const FaultCounts& fault_counts() const { return fault_counts_; }
  const NetworkOptions& options() const { return options_; }
  void set_options(NetworkOptions options) { options_ = options; }

 private:
  using Link = std::pair<Address, Address>;  // from, to
  struct HashOfLink {
    size_t operator()(const Link& link) const;
  };
  using StreamId = uint64_t;

  // Each link has its own streams of random choices.
  struct LinkChances {
    Chance datagrams;  // one item for each datagram
    Chance frames;     // one item for each frame
    Chance streams;    // one item for each change of a stream
    absl::Duration distance;
    uint64_t datagrams_sent = 0;
    uint64_t last_arrived = 0;  // highest number of a delivered datagram
    uint64_t last_stream = 0;   // highest id of a stream with a delivered frame
  };

  enum class StreamState : uint8_t {
    kConnecting,
    kOpen,
    kBroken,  // the sender has not been told yet
  };

  struct Frame {
    RealInstant at;
    std::string bytes;
  };

  struct Stream {
    Link link;
    StreamState state = StreamState::kConnecting;
    std::deque<Frame> frames;
    bool sender_is_gone = false;
    bool is_straggling = false;       // the tail of a stream that broke
    bool receiver_is_gone = false;    // and the sender does not know yet
    bool head_is_planned = false;     // a FrameDue is on the agenda
    bool is_stalled = false;          // by a cut or clogged link
    bool give_up_is_planned = false;  // a GiveUpDue is on the agenda
  };

  struct DatagramDue {
    Link link;
    uint64_t number;  // counts the datagrams of the link
    std::string bytes;
  };
  struct ConnectDue {
    StreamId stream;
  };
  struct FrameDue {
    StreamId stream;
  };
  // TCP gives up, unless the link was mended.
  struct GiveUpDue {
    StreamId stream;
  };
  // The sender learns that its stream is broken.
  struct BreakDue {
    StreamId stream;
  };
  using Due =
      std::variant<DatagramDue, ConnectDue, FrameDue, GiveUpDue, BreakDue>;

  std::optional<Arrival> Handle(RealInstant now, DatagramDue due);
  std::optional<Arrival> Handle(RealInstant now, ConnectDue due);
  std::optional<Arrival> Handle(RealInstant now, FrameDue due);
  std::optional<Arrival> Handle(RealInstant now, GiveUpDue due);
  std::optional<Arrival> Handle(RealInstant now, BreakDue due);

  LinkChances& LinkChancesOf(const Link& link);
  // The choices for the next change of a stream of the link.
  Chance& StreamChance(const Link& link);
  StreamId StreamFor(RealInstant now, const Link& link);
  bool IsClogged(const Link& link) const;
  // True if no frame passes.
  bool IsBlocked(const Link& link) const;
  bool IsBlockedEitherWay(const Link& link) const;
  bool WillArrive(const Link& link) const;
  void CorruptByte(Chance& chance, std::string& bytes);
  void CountDeadSeed(const Address& address);
  void CountReordering(const DatagramDue& due);
  void ResumeStreams(RealInstant now);
  void PlanHead(RealInstant now, StreamId id, Stream& stream);
  void PlanGiveUp(RealInstant now, StreamId id, Stream& stream);
  void Break(RealInstant now, StreamId id, Stream& stream);
  Stream TakeStragglers(const Stream& broken);
  void CountStraggler(StreamId id, Stream& stream);
  void LoseFrames(Stream& stream, size_t kept);
  void Close(RealInstant now, const Address& address, bool in_order);
  void LoseReceiver(RealInstant now, StreamId id, Stream& stream);
  void LoseSender(StreamId id, Stream& stream, bool in_order);
  void Remove(StreamId id);
  RealInstant Resume(RealInstant now, Stream& stream);

  NetworkOptions options_;
  ChoiceSource* choices_;
  // Looked up for each message, never walked; the same for current_.
  absl::flat_hash_map<Link, LinkChances, HashOfLink> chances_;
  NetworkCounters counters_;
  FaultCounts fault_counts_;
  Agenda<Due> agenda_;
  absl::btree_set<Address> listening_;
  absl::btree_set<Address> ever_listened_;
  absl::btree_set<Link> cuts_;
  // Clogged links, each with the datagrams that it holds back.
  absl::btree_map<Link, std::vector<DatagramDue>> clogs_;
  absl::btree_map<StreamId, Stream> streams_;
  absl::flat_hash_map<Link, StreamId, HashOfLink>
      current_;  // the stream on which a live sender sends
  StreamId next_stream_ = 1;
};

}  // namespace cachalot::sim

#endif  // SIM_WORLD_NETWORK_H_
