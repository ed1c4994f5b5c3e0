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
  // One way. Datagrams overtake each other as their delays have it; frames of
  // one stream do not.
  Delay delay = {absl::Microseconds(100), absl::Microseconds(500)};
  // Each link is slower than `delay` by as much as it is far: a constant.
  absl::Duration distance_max;
  Rate loss;              // of datagrams
  Rate duplication;       // of datagrams
  Rate corruption;        // of datagrams: a byte changes
  Rate frame_corruption;  // of frames: what TCP's own sum does not see
  Rate reset;             // of a stream, for each frame sent on it
  Rate straggling;        // of what is on its way when a stream breaks
  // How long TCP tries before it gives a silent peer up.
  absl::Duration give_up_min = absl::Milliseconds(300);
  absl::Duration give_up_max = absl::Seconds(3);
  // When a link is mended, what was held back is sent again within this.
  absl::Duration resend_max = absl::Milliseconds(200);
};

// What the network did; what the tests of its faults look at.
struct NetworkCounters {
  uint64_t datagrams_sent = 0;
  uint64_t datagrams_delivered = 0;
  uint64_t datagrams_lost = 0;  // by chance
  uint64_t datagrams_duplicated = 0;
  uint64_t datagrams_cut = 0;      // by a cut link
  uint64_t datagrams_clogged = 0;  // held back by a clogged link
  uint64_t datagrams_unheard = 0;  // nobody listened
  uint64_t frames_sent = 0;
  uint64_t frames_delivered = 0;
  uint64_t frames_lost = 0;  // with their stream
  uint64_t streams_opened = 0;
  uint64_t streams_broken = 0;
  uint64_t streams_reset = 0;      // broken by chance
  uint64_t streams_stalled = 0;    // held back by a cut link
  uint64_t streams_straggled = 0;  // came behind the one after them
};

// The links between addresses: datagrams that are lost, doubled, late and out
// of order, and streams that keep order until they break.
//
// A cut link is cut for what is on its way too; a clogged one holds it back,
// and lets it through at once when it is free again. TCP does not notice a cut:
// a stream stalls, goes on if the link is mended in time, and is given up
// otherwise, when its sender is told. What is on its way when a stream breaks
// is lost, or straggles: a prefix arrives later, perhaps behind what is sent on
// the next stream, as from a kernel that goes on sending for a closed socket,
// or from the other of two sockets that are read in any order. A process that
// dies takes the streams towards it with it at once; of what it had sent
// itself, a chance prefix still arrives.
class Network {
 public:
  // What a node at `to` is to learn. LinkChanged is news of its own end of a
  // stream.
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

  // A process listens at `address`, or no longer does. A process that exits in
  // order has all it sent delivered.
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

  void Clog(const Address& from, const Address& to);
  void Unclog(RealInstant now, const Address& from, const Address& to);

  // Breaks the stream from `from` to `to`. False if there is none.
  bool Reset(RealInstant now, const Address& from, const Address& to);

  // When the next thing happens here; Never() if nothing will.
  RealInstant NextDue() const { return agenda_.NextDue(); }
  // Lets the next thing that is due happen; nothing if nobody is to be told.
  // REQUIRES: NextDue() <= now.
  std::optional<Arrival> HappenNext(RealInstant now);

  const NetworkCounters& counters() const { return counters_; }
  const FaultLedger& ledger() const { return ledger_; }
  const NetworkOptions& options() const { return options_; }
  void set_options(NetworkOptions options) { options_ = options; }

 private:
  using Link = std::pair<Address, Address>;  // from, to
  struct HashOfLink {
    size_t operator()(const Link& link) const;
  };
  using StreamId = uint64_t;

  // What happens on a link is chosen for each link apart.
  struct LinkChances {
    Chance datagrams;  // an item each
    Chance frames;     // an item each
    Chance streams;    // an item for each thing that happens to one
    absl::Duration distance;
    uint64_t datagrams_sent = 0;
    uint64_t last_arrived = 0;  // of these, the highest
    uint64_t last_stream = 0;   // that a frame was heard of, the highest
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
    bool is_orphan = false;        // its sender is gone
    bool is_straggling = false;    // it is the rest of one that broke
    bool is_headless = false;      // its receiver is gone, unnoticed so far
    bool head_is_planned = false;  // a FrameDue is on the agenda
    bool is_stalled = false;
    bool is_doubted = false;  // a GiveUpDue is on the agenda
  };

  struct DatagramDue {
    Link link;
    uint64_t number;  // on its link
    std::string bytes;
  };
  struct ConnectDue {
    StreamId stream;
  };
  struct FrameDue {
    StreamId stream;
  };
  // The sender has tried long enough.
  struct GiveUpDue {
    StreamId stream;
  };
  // The sender learns that its stream is broken.
  struct BreakDue {
    StreamId stream;
  };
  using Due =
      std::variant<DatagramDue, ConnectDue, FrameDue, GiveUpDue, BreakDue>;

  std::optional<Arrival> Happen(RealInstant now, DatagramDue due);
  std::optional<Arrival> Happen(RealInstant now, ConnectDue due);
  std::optional<Arrival> Happen(RealInstant now, FrameDue due);
  std::optional<Arrival> Happen(RealInstant now, GiveUpDue due);
  std::optional<Arrival> Happen(RealInstant now, BreakDue due);

  LinkChances& ChancesOf(const Link& link);
  // Of the next thing that happens to a stream of the link.
  Chance& StreamChance(const Link& link);
  StreamId StreamFor(RealInstant now, const Link& link);
  bool IsClogged(const Link& link) const;
  // No frame comes through.
  bool IsBlocked(const Link& link) const;
  bool IsBlockedEitherWay(const Link& link) const;
  bool IsHeard(const Link& link) const;
  void Damage(Chance& chance, std::string& bytes);
  void NoteDeadSeed(const Address& address);
  void NoteOrder(const DatagramDue& due);
  void GoOnWithStreams(RealInstant now);
  void PlanHead(RealInstant now, StreamId id, Stream& stream);
  void Doubt(RealInstant now, StreamId id, Stream& stream);
  void Break(RealInstant now, StreamId id, Stream& stream);
  Stream TakeStragglers(const Stream& broken);
  void NoteHeard(StreamId id, Stream& stream);
  void LoseFrames(Stream& stream, size_t kept);
  void Close(RealInstant now, const Address& address, bool in_order);
  void Behead(RealInstant now, StreamId id, Stream& stream);
  void Orphan(StreamId id, Stream& stream, bool in_order);
  void Forget(StreamId id);
  RealInstant Resume(RealInstant now, Stream& stream);

  NetworkOptions options_;
  ChoiceSource* choices_;
  // Looked up for each message, and never walked; so is current_.
  absl::flat_hash_map<Link, LinkChances, HashOfLink> chances_;
  NetworkCounters counters_;
  FaultLedger ledger_;
  Agenda<Due> agenda_;
  absl::btree_set<Address> listening_;
  absl::btree_set<Address> lived_;  // listened once
  absl::btree_set<Link> cuts_;
  // What is held back, by clogged link.
  absl::btree_map<Link, std::vector<DatagramDue>> clogs_;
  absl::btree_map<StreamId, Stream> streams_;
  absl::flat_hash_map<Link, StreamId, HashOfLink> current_;  // living senders'
  StreamId next_stream_ = 1;
};

}  // namespace cachalot::sim

#endif  // SIM_WORLD_NETWORK_H_
