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
#include "sim/explore/judge_memory.h"
#include "sim/explore/machine.h"
#include "sim/explore/turn_cache.h"
#include "sim/judge/complaint.h"
#include "sim/world/clock.h"
#include "sim/world/host.h"
#include "sim/world/instant.h"

namespace cachalot::sim {

// Kinds of choices that a budget limits.
enum class Bounded : uint8_t {
  kWakes,        // of any machine
  kLateWakes,    // of a machine while another one was due before
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

// How often each kind of choice may still be taken.
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
  MachineOptions machine = LongTimers();
  // Shorter than the heartbeat interval of LongTimers().
  absl::Duration ttl = absl::Milliseconds(200);
  absl::Duration wait = absl::Seconds(30);
  // The rate error of a bent clock. Must be within the engine's rate bound,
  // unless a violation is wanted.
  int64_t bend_ppm = 1000;
  // How often each client acquires the lock.
  uint8_t operations = 1;
  Budget budget = OneCrash();

  // Engine options with long timers, so that few fire in a small world: each
  // timer that fires multiplies the number of orders.
  static MachineOptions LongTimers();
  // Unlimited wakes, one crash, and no other fault.
  static Budget OneCrash();
};

// A few machines, a client on some of them, and one lock. A value: to explore a
// choice, take it on a copy.
//
// Time passes only with kWake, which advances it to some machine's deadline. A
// packet stays in flight until a choice delivers it. Datagrams arrive in any
// order, frames of one stream in the order of sending.
//
// Copying is cheap: machines and packets are immutable and shared.
class SmallWorld {
 public:
  // `disks`: one for each machine. All processes are started.
  SmallWorld(SmallOptions options, std::vector<SavedState> disks);

  // All choices, the minimal one first: progress before time, and faults last.
  std::vector<Choice> Choices() const;

  struct TakeResult {
    std::shared_ptr<const Turn> turn;  // null if no machine took a turn
    Complaint complaint;
  };
  // Which part of the budget `choice` uses, besides kWakes; nothing if none.
  std::optional<Bounded> CostOf(const Choice& choice) const;
  // REQUIRES: `choice` is one of Choices().
  TakeResult Take(const Choice& choice, TurnCache& turns);

  // Sets how often each client may still acquire the lock, and the budget.
  void SetBudget(uint8_t operations, const Budget& budget);
  // Sets a budget without faults and with unlimited wakes.
  void Heal();

  uint64_t ComputeFingerprint() const;

  // --- For watching ----------------------------------------------------------

  RealInstant now() const { return now_; }
  const Budget& budget() const { return budget_; }
  const Machine& machine(HostId host) const { return *At(host).machine; }
  HostRange hosts() const { return HostRange(hosts_.size()); }
  size_t packets_under_way() const { return flights_.size(); }
  const Packet& packet(size_t position) const {
    return *flights_[position].packet;
  }
  // When the machine's next deadline is due, but not before now.
  RealInstant NextWake(HostId host) const;
  // Every client has acquired and released the lock as often as it may.
  bool clients_are_done() const;
  bool IsHolding(uint64_t client) const;
  bool IsAsking(uint64_t client) const;
  std::string Describe(const Choice& choice) const;

 private:
  struct Host {
    std::shared_ptr<const Machine> machine;
    ClockPair clock;
    uint8_t process = 1;   // the n-th of the machine
    bool is_bent = false;  // its clocks
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
    RequestId open;      // the unanswered request; RequestId(): none
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
  void AddBreakNotices(std::vector<Choice>& choices) const;
  void AddClients(Choice::Kind kind, std::vector<Choice>& choices) const;
  void AddDatagramFaults(std::vector<Choice>& choices) const;
  void AddHostFaults(std::vector<Choice>& choices) const;
  bool MayArrive(size_t position) const;
  bool IsCopy(size_t position) const;
  bool CanAsk(const Client& client) const;
  bool Has(Bounded what) const { return budget_[what] > 0; }
  void Spend(Bounded what);

  TakeResult StepMachine(HostId host, const Stimulus& stimulus,
                         TurnCache& turns);
  TakeResult Wake(HostId host, TurnCache& turns);
  TakeResult Deliver(size_t position, bool keeps, TurnCache& turns);
  TakeResult Crash(HostId host, uint64_t saves_kept, TurnCache& turns);
  TakeResult Ask(uint64_t client, TurnCache& turns);
  TakeResult Submit(uint64_t client, Request request, TurnCache& turns);
  void Break(size_t position);
  void LoseStream(const Packet& packet, uint8_t process);
  void LoseClient(HostId host);

  void Send(HostId from, const std::vector<PacketPointer>& packets);
  Complaint UpdateClient(HostId host, const Turn& turn);
  Complaint Judge(HostId host, const Turn& turn);
  Complaint JudgeCommits(const Node& node, const Turn& turn) const;
  Complaint JudgeGrant(const FencingToken& token);

  std::shared_ptr<const SmallOptions> options_;
  RealInstant now_;
  absl::InlinedVector<Host, 3> hosts_;
  absl::InlinedVector<Client, 2> clients_;
  absl::InlinedVector<Flight, 8> flights_;  // in the order of sending
  // One bit for each directed pair of machines (LinkBit): open streams, and
  // broken streams whose sender does not know yet.
  uint64_t connected_ = 0;
  uint64_t broken_ = 0;
  Budget budget_;
  std::shared_ptr<const JudgeMemory> memory_;
};

}  // namespace cachalot::sim

#endif  // SIM_EXPLORE_SMALL_WORLD_H_
