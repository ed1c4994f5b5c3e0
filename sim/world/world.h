#ifndef SIM_WORLD_WORLD_H_
#define SIM_WORLD_WORLD_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engine/action.h"
#include "engine/address.h"
#include "engine/event.h"
#include "engine/ids.h"
#include "engine/node.h"
#include "engine/observer.h"
#include "engine/options.h"
#include "engine/request.h"
#include "sim/world/agenda.h"
#include "sim/world/chance.h"
#include "sim/world/choices.h"
#include "sim/world/clock.h"
#include "sim/world/describe.h"
#include "sim/world/disk.h"
#include "sim/world/fault.h"
#include "sim/world/host.h"
#include "sim/world/instant.h"
#include "sim/world/network.h"
#include "sim/world/trace.h"

namespace cachalot::sim {

struct HostOptions {
  // Of each process that starts here. The world fills in seed, address, birth
  // epoch and observer, and the name unless there is one.
  NodeOptions node;
  ClockPair clock = {Clock(0, 0), Clock(0, 0)};
  Delay save_delay;
  // If not, a process starts with nothing, under an identity of its own.
  bool keeps_disk = false;
};

struct WorldOptions {
  NetworkOptions network;
  // From an event's arrival to the turn in which the process takes it in.
  Delay scheduling = {absl::Microseconds(1), absl::Microseconds(50)};
  // A turn takes in some of what has arrived, not all of it.
  Rate short_turn = Rate::Percent(10);
  // A turn is held up after its events were taken and the clocks were read: it
  // goes on with stale readings, as a process does that lost its core.
  Rate stale_turn;
  Delay staleness = {absl::Microseconds(10), absl::Milliseconds(100)};
  // What a kernel keeps for a process that does not read.
  size_t datagrams_kept_max = 200;
};

// What a node told its callers.
struct Notice {
  HostId host;
  std::variant<AnswerRequest, NotifyHolder, AnnounceStanding, LeaveCompleted>
      what;
};

class World;

// Looks on. Called while the world is at rest after each step.
class Watcher {
 public:
  virtual ~Watcher() = default;

  virtual void Started(const World&, HostId) {}
  virtual void Stepped(const World&, HostId, const Event&, const Actions&) {}
  // The process is about to be gone.
  virtual void Stopping(const World&, HostId) {}

  // --- Only if the world was told to listen ----------------------------------

  // What follows may never return: a node CHECKs itself.
  virtual void Stepping(const World&, HostId, const Event&) {}
  // A node's decision with its reason.
  virtual void Noted(const World&, HostId, absl::string_view) {}
  // Something was done to a machine; to all of the world, if it is none.
  virtual void Told(const World&, HostId, absl::string_view) {}
};

// The second driver of the engine: machines with their processes, the network
// between them, and virtual real time that jumps from one happening to the
// next. What io/ does with sockets and files for one node, this does for all
// of them at once, and everything that may vary is chance from the seed.
//
// A process reads what has arrived in turns: a batch of events, then
// TurnEnded. While it is paused, events queue up.
class World {
 public:
  // `choices` is not owned and outlives the world.
  World(WorldOptions options, ChoiceSource* choices, Trace trace = Trace());
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World();

  // Not owned; outlives the world. `listens`: wants to be told of notes and
  // faults, too.
  void AddWatcher(Watcher* watcher, bool listens = false);

  // --- Machines and processes ------------------------------------------------

  HostId AddHost(HostOptions options);
  // Starts a process with what the disk kept. REQUIRES: none runs there.
  void Start(HostId host);
  // SIGKILL. REQUIRES: a process runs there.
  void Crash(HostId host);
  // SIGSTOP and SIGCONT.
  void Pause(HostId host);
  void Resume(HostId host);
  void WipeDisk(HostId host);
  void SlowDisk(HostId host, Delay delay);
  void SpeedUpDisk(HostId host);  // to what its options say
  void SetClockRates(HostId host, int64_t slow_ppm, int64_t fast_ppm);
  void JumpClocks(HostId host, absl::Duration slow, absl::Duration fast);
  // No turn is held up any more once the clocks were read for it.
  void ReadClocksInTime() { options_.stale_turn = Rate::Never(); }
  // As long as it lasts, each turn waits for so long.
  void SlowDown(HostId host, Delay scheduling);
  void SpeedUp(HostId host);
  // The process stops in the midst of its next save, or since that save fails.
  // Until it is disarmed.
  void CrashAtNextSave(HostId host);
  void FailNextSave(HostId host);
  void Disarm(HostId host);
  // It speaks another protocol version than the others.
  void SetOtherVersion(HostId host, bool speaks_other_version);
  // For the processes that start from now on.
  NodeOptions& node_options(HostId host);
  // What was done to more than one machine, in words.
  void Say(absl::string_view what);

  // --- Callers ---------------------------------------------------------------

  RequestId Submit(HostId host, Request request);
  void Withdraw(HostId host, RequestId request);
  void Leave(HostId host);
  // What callers were told since the last call, in order.
  std::vector<Notice> TakeNotices();

  // --- Time ------------------------------------------------------------------

  RealInstant now() const { return now_; }
  RealInstant NextDue() const;
  // Moves on to the next happening and lets it happen.
  void RunNext();
  // Nothing happens until `at`, but time passes. REQUIRES: at <= NextDue().
  void PassTime(RealInstant at);

  Network& network() { return network_; }
  FaultLedger& ledger() { return ledger_; }

  // --- For watching ----------------------------------------------------------

  size_t host_count() const { return hosts_.size(); }
  // Null if no process runs there.
  const Node* node(HostId host) const;
  bool IsPaused(HostId host) const { return At(host).is_paused; }
  // What has arrived and was not taken in yet.
  size_t EventsWaiting(HostId host) const { return At(host).inbox.size(); }
  bool WasStarted(HostId host) const { return At(host).process > 0; }
  bool SpeaksOtherVersion(HostId host) const {
    return At(host).speaks_other_version;
  }
  const ClockPair& clock(HostId host) const { return At(host).options.clock; }
  const Disk& disk(HostId host) const { return At(host).disk; }
  bool KeepsDisk(HostId host) const { return At(host).options.keeps_disk; }
  // When the clocks were read for the step that was made last.
  RealInstant read_at() const { return read_at_; }
  // And what they said, to its node.
  const Now& reading() const { return reading_; }
  Now Read(HostId host) const { return At(host).options.clock.At(now_); }
  // "n2", or the address if no machine has it.
  std::string NameOf(const Address& address) const;
  const Network& network() const { return network_; }
  const FaultLedger& ledger() const { return ledger_; }

  uint64_t steps() const { return steps_; }
  uint64_t hash() const { return hash_.value(); }
  Trace& trace() { return trace_; }

 private:
  class Listener;

  struct TurnDue {
    HostId host;
    uint64_t process;
    // Of a turn that was held up: its clocks' readings, when they were taken,
    // and how many events it had taken.
    std::optional<Now> now;
    RealInstant read_at;
    size_t batch = 0;
  };
  enum class SaveFault : uint8_t { kNone, kCrash, kFail };

  struct Host {
    HostOptions options;
    Disk disk;
    Chance chance;  // of scheduling
    std::unique_ptr<Listener> listener;

    // The process.
    std::optional<Node> node;
    uint64_t process = 0;      // counts them
    uint64_t birth_epoch = 0;  // given to the last
    bool is_paused = false;
    bool has_exited = false;
    SaveFault save_fault = SaveFault::kNone;  // of the next save
    bool speaks_other_version = false;
    Delay scheduling;
    std::optional<TurnDue> held_turn;  // of a paused process
    std::vector<Event> inbox;
    size_t datagrams_in_inbox = 0;
    bool turn_is_planned = false;
    RealInstant wake_at = RealInstant::Never();
  };

  struct WakeDue {
    HostId host;
    uint64_t process;
    RealInstant at;
  };
  struct SaveDue {
    HostId host;
    uint64_t process;
  };
  struct CrashDue {
    HostId host;
    uint64_t process;
  };
  using Due = std::variant<TurnDue, WakeDue, SaveDue, CrashDue>;

  // Whose address it is; nothing if it is no machine's.
  std::optional<HostId> HostAt(const Address& address) const;
  Host& At(HostId host);
  const Host& At(HostId host) const;

  void Happen(const TurnDue& due);
  void Happen(const WakeDue& due);
  void Happen(const SaveDue& due);
  void Happen(const CrashDue& due);
  // False if the turn is held up.
  bool BeginTurn(const TurnDue& due, Now* now, size_t* batch);
  void TakeIn(HostId host, const Now& now, size_t batch);
  void Arrive(HostId host, Event event);
  void PlanTurn(HostId host);
  void ArmWake(HostId host);
  void Step(HostId host, const Now& now, const Event& event);
  void Save(HostId host, const SaveState& order);
  static std::string AsSpoken(const Host& host, const std::string& bytes);
  void Perform(HostId host, const Action& action);
  void Stop(HostId host);
  void Exit(HostId host);
  NodeOptions OptionsOfNextProcess(HostId host);
  void Tell(HostId host, absl::string_view mark, absl::string_view what);
  void TellFault(HostId host, absl::string_view what);
  void Hear(HostId host, absl::string_view decision);

  WorldOptions options_;
  ChoiceSource* choices_;
  Trace trace_;
  Describer describer_;
  std::vector<Watcher*> watchers_;
  std::vector<Watcher*> listeners_;

  RealInstant now_;
  RealInstant read_at_;
  Now reading_;
  Agenda<Due> agenda_;
  Network network_;
  FaultLedger ledger_;
  std::vector<Host> hosts_;
  std::vector<Notice> notices_;
  uint64_t next_request_ = 1;
  bool line_is_told_ = false;  // of the step that is being made

  uint64_t steps_ = 0;
  TraceHash hash_;
};

}  // namespace cachalot::sim

#endif  // SIM_WORLD_WORLD_H_
