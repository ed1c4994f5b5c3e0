#ifndef SIM_EXPLORE_SMALL_WORLD_H_
#define SIM_EXPLORE_SMALL_WORLD_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/time/time.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/request.h"
#include "engine/saved_state.h"
#include "sim/explore/choice.h"
#include "sim/explore/ledger.h"
#include "sim/explore/machine.h"
#include "sim/explore/turn_cache.h"
#include "sim/judge/complaint.h"
#include "sim/world/clock.h"
#include "sim/world/host.h"
#include "sim/world/instant.h"

namespace cachalot::sim {

// How often what is bounded may still happen.
enum class Bounded : uint8_t {
  kWakes,        // of machines, whichever
  kLateWakes,    // of one that is not the first to be due: it was held up
  kLosses,       // of a datagram
  kDuplicates,   // of a datagram
  kBreaks,       // of a stream
  kCrashes,      // of a machine
  kBends,        // of a machine's clocks
  kRenewals,     // by a client
  kWithdrawals,  // by a client
};
inline constexpr size_t kBoundedCount = 9;
inline constexpr uint16_t kUnlimited = std::numeric_limits<uint16_t>::max();

struct Budget {
  std::array<uint16_t, kBoundedCount> left{};

  uint16_t& operator[](Bounded what) { return left[static_cast<size_t>(what)]; }
  uint16_t operator[](Bounded what) const {
    return left[static_cast<size_t>(what)];
  }
  friend bool operator==(const Budget&, const Budget&) = default;
};

struct SmallOptions {
  uint64_t machines = 3;
  // Client i lives on machine i.
  uint64_t clients = 2;
  MachineOptions machine = Calm();
  // Ends before a leader is heard again.
  absl::Duration ttl = absl::Milliseconds(200);
  absl::Duration wait = absl::Seconds(30);
  // How far clocks may be bent; within the engine's rate bound, unless the
  // judges are to object.
  int64_t bend_ppm = 1000;
  // How often each client takes the lock.
  uint8_t operations = 1;
  Budget budget = OneCrash();

  // The engine's timers so far apart that few of them go off in the life of a
  // small world: each is one more thing that may come before or after all else.
  static MachineOptions Calm();
  // Time without end, one crash, and nothing else that goes wrong.
  static Budget OneCrash();
};

// A few machines, a client on some of them, and one lock. A value: every thing
// that can happen next is a choice, and to take one on a copy is to explore it.
//
// Time stands still but for kWake, which lets it pass until some machine's
// deadline: what is under way stays so for as long as nobody delivers it.
// Datagrams arrive in any order; frames of one stream in theirs.
//
// Copying is cheap: machines and packets are shared and never changed.
class SmallWorld {
 public:
  // `disks`: one for each machine. All processes are started.
  SmallWorld(SmallOptions options, std::vector<SavedState> disks);

  // All that may happen next, the dullest first.
  std::vector<Choice> Choices() const;

  struct Taken {
    std::shared_ptr<const Turn> turn;  // null if no machine was concerned
    Complaint complaint;
  };
  // What `choice` costs of the budget, besides time; nothing if it is free.
  std::optional<Bounded> PriceOf(const Choice& choice) const;
  // REQUIRES: `choice` is one of Choices().
  Taken Take(const Choice& choice, TurnCache& turns);

  // Each client may take the lock so many times more, and what is bounded may
  // happen as often as `budget` says.
  void Restock(uint8_t operations, const Budget& budget);
  // No more faults, and time without end.
  void Heal();

  uint64_t Fingerprint() const;

  // --- For watching ----------------------------------------------------------

  RealInstant now() const { return now_; }
  const Budget& budget() const { return budget_; }
  const Machine& machine(HostId host) const { return *At(host).machine; }
  uint64_t machine_count() const { return hosts_.size(); }
  size_t packets_under_way() const { return flights_.size(); }
  const Packet& packet(size_t position) const {
    return *flights_[position].packet;
  }
  // When the machine wants to be woken.
  RealInstant DueOf(HostId host) const;
  // Every client has taken and released the lock as often as it may.
  bool clients_are_done() const;
  bool IsHolding(uint64_t client) const;
  bool IsAsking(uint64_t client) const;
  std::string Describe(const Choice& choice) const;

 private:
  struct Host {
    std::shared_ptr<const Machine> machine;
    ClockPair clock;
    uint8_t process = 1;  // counts them
    bool is_bent = false;
  };

  struct Flight {
    PacketPointer packet;
    uint8_t process = 0;  // of the sender
  };

  struct Client {
    enum class State : uint8_t { kIdle, kAsking, kHolding, kReleasing };
    State state = State::kIdle;
    uint8_t operations_left = 0;
    uint16_t asked = 0;  // requests so far
    RequestId open;      // without an answer; none: zero
    FencingToken token;
  };

  Host& At(HostId host) {
    return hosts_[static_cast<size_t>(host.value() - 1)];
  }
  const Host& At(HostId host) const {
    return hosts_[static_cast<size_t>(host.value() - 1)];
  }
  Now Read(HostId host) const { return At(host).clock.At(now_); }

  bool IsLate(HostId host) const;
  void AddDeliveries(std::vector<Choice>& choices) const;
  void AddWakes(bool late, std::vector<Choice>& choices) const;
  void AddHearings(std::vector<Choice>& choices) const;
  void AddClients(Choice::Kind kind, std::vector<Choice>& choices) const;
  void AddDatagramFaults(std::vector<Choice>& choices) const;
  void AddHostFaults(std::vector<Choice>& choices) const;
  bool MayArrive(size_t position) const;
  bool IsCopy(size_t position) const;
  bool CanAsk(const Client& client) const;
  bool Has(Bounded what) const { return budget_[what] > 0; }
  void Spend(Bounded what);

  Taken Move(HostId host, const Stimulus& stimulus, TurnCache& turns);
  Taken Wake(HostId host, TurnCache& turns);
  Taken Deliver(size_t position, bool keeps, TurnCache& turns);
  Taken Crash(HostId host, uint64_t saves_kept, TurnCache& turns);
  Taken Ask(uint64_t client, TurnCache& turns);
  Taken Submit(uint64_t client, Request request, TurnCache& turns);
  void Break(size_t position);
  void LoseStream(const Packet& packet, uint8_t process);
  void LoseClient(HostId host);

  void Send(HostId from, const std::vector<PacketPointer>& packets);
  Complaint Hear(HostId host, const Turn& turn);
  Complaint Judge(HostId host, const Turn& turn);
  Complaint JudgeCommits(const Node& node, const Turn& turn) const;
  Complaint JudgeGrant(const FencingToken& token);

  std::shared_ptr<const SmallOptions> options_;
  RealInstant now_;
  absl::InlinedVector<Host, 3> hosts_;
  absl::InlinedVector<Client, 2> clients_;
  absl::InlinedVector<Flight, 8> flights_;  // in the order of sending
  // A bit for each directed pair (LinkBit): streams that are open, and those
  // that broke and whose sender has not heard of it.
  uint64_t connected_ = 0;
  uint64_t broken_ = 0;
  Budget budget_;
  std::shared_ptr<const Ledger> ledger_;
};

}  // namespace cachalot::sim

#endif  // SIM_EXPLORE_SMALL_WORLD_H_
