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
  // For each process that starts here. The world fills in seed, address, token
  // base and observer, and the name if it is empty.
  NodeOptions node;
  ClockPair clock = {Clock(0, 0), Clock(0, 0)};
  Delay save_delay;
  // If false, each process starts with an empty disk and a new identity.
  bool keeps_disk = false;
  // Processes keep a memory (NodeOptions::memory), also if they keep no disk.
  // Such a machine needs no wall clock: it is drawn anew at each start.
  bool keeps_memory = false;
};

struct WorldOptions {
  NetworkOptions network;
  // From an event's arrival to the turn in which the process handles it.
  Delay scheduling = {absl::Microseconds(1), absl::Microseconds(50)};
  // How often a turn handles some of the events that have arrived, not all.
  Rate short_turn = Rate::Percent(10);
  // How often a turn is delayed after it has read the clocks: it continues with
  // stale readings, like a process that was preempted.
  Rate stale_turn;
  Delay staleness = {absl::Microseconds(10), absl::Milliseconds(100)};
  // How many datagrams a kernel keeps for a process that does not read them.
  size_t datagrams_kept_max = 200;
};

// An action of a node that is for its callers.
struct Notice {
  HostId host;
  std::variant<AnswerRequest, NotifyHolder, AnnounceStanding, LeaveCompleted>
      what;
};

class World;

// Observes a world. Called after each step, between two steps.
class Watcher {
 public:
  virtual ~Watcher() = default;

  virtual void Started(const World&, HostId) {}
  virtual void Stepped(const World&, HostId, const Event&, const Actions&) {}
  // Within a step: the node is not to be looked at.
  virtual void Observed(const World&, HostId, const Observation&) {}
  // The process is about to stop.
  virtual void Stopping(const World&, HostId) {}

  // --- Only for watchers that were added with `listens`
  // ------------------------

  // Before a step. The step may not return, because a node may fail a CHECK.
  virtual void Stepping(const World&, HostId, const Event&) {}
  // A node's decision with its reason.
  virtual void Noted(const World&, HostId, absl::string_view) {}
  // Something was done to a machine, such as a crash or a pause; to the whole
  // world, if the HostId is HostId().
  virtual void Intervened(const World&, HostId, absl::string_view) {}
};

// The second driver of the engine: machines with their processes, the network
// between them, and virtual real time that jumps to whatever is due next. It
// does for all nodes what io/ does with sockets and files for one; everything
// that may vary is a random choice (choices.h).
//
// A process handles events in turns: a batch of events, then TurnEnded. While
// it is paused, events queue up.
class World {
 public:
  // `choices` is not owned and outlives the world.
  World(WorldOptions options, ChoiceSource* choices, Trace trace = Trace());
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World();

  // Not owned; outlives the world. `listens`: also call Stepping(), Noted() and
  // Intervened().
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
  // From now on no turn is delayed after it has read the clocks.
  void StopStaleTurns() { options_.stale_turn = Rate::Never(); }
  // Each turn starts this late, until SpeedUp().
  void SlowDown(HostId host, Delay scheduling);
  void SpeedUp(HostId host);
  // The process crashes during its next save, or because that save fails,
  // unless Disarm() is called before.
  void CrashAtNextSave(HostId host);
  void FailNextSave(HostId host);
  void Disarm(HostId host);
  // Whether it sends messages of another protocol version than the others.
  void SetOtherVersion(HostId host, bool speaks_other_version);
  // Changes apply to processes that start later.
  NodeOptions& node_options(HostId host);
  // Writes into the trace, and tells watchers, what was done to the world.
  void NoteIntervention(absl::string_view what);

  // --- Callers ---------------------------------------------------------------

  RequestId Submit(HostId host, Request request);
  void Withdraw(HostId host, RequestId request);
  void Leave(HostId host);
  // What nodes told their callers since the last call, in order.
  std::vector<Notice> TakeNotices();

  // --- Time ------------------------------------------------------------------

  RealInstant now() const { return now_; }
  RealInstant NextDue() const;
  // Advances time to NextDue() and does the next thing that is due.
  void RunNext();
  // Advances time to `at`; nothing else happens. REQUIRES: at <= NextDue().
  void PassTime(RealInstant at);

  Network& network() { return network_; }
  FaultCounts& fault_counts() { return fault_counts_; }

  // --- For watching ----------------------------------------------------------

  size_t host_count() const { return hosts_.size(); }
  HostRange hosts() const { return HostRange(hosts_.size()); }
  // Null if no process runs there.
  const Node* node(HostId host) const;
  bool IsPaused(HostId host) const { return At(host).is_paused; }
  // Events that have arrived and were not handled yet.
  size_t EventsWaiting(HostId host) const { return At(host).inbox.size(); }
  bool WasStarted(HostId host) const { return At(host).process > 0; }
  // Each of its turns starts late.
  bool IsSlow(HostId host) const { return At(host).is_slow; }
  bool SpeaksOtherVersion(HostId host) const {
    return At(host).speaks_other_version;
  }
  const ClockPair& clock(HostId host) const { return At(host).options.clock; }
  const Disk& disk(HostId host) const { return At(host).disk; }
  bool KeepsDisk(HostId host) const { return At(host).options.keeps_disk; }
  // When the clocks were read for the last step.
  RealInstant read_at() const { return read_at_; }
  // And what they showed.
  const Now& reading() const { return reading_; }
  Now Read(HostId host) const { return At(host).options.clock.At(now_); }
  // "n2", or the address if no machine has it.
  std::string NameOf(const Address& address) const;
  const Network& network() const { return network_; }
  const FaultCounts& fault_counts() const { return fault_counts_; }

  uint64_t steps() const { return steps_; }
  uint64_t hash() const { return hash_.value(); }
  Trace& trace() { return trace_; }

 private:
  class Listener;

  struct TurnDue {
    HostId host;
    uint64_t process;
    // Set if the turn was delayed: its clock readings, when they were taken,
    // and how many events it handles.
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
    uint64_t process = 0;       // how many were started
    absl::Duration wall_clock;  // since 1970, when the last one started
    bool is_paused = false;
    bool is_slow = false;
    bool has_exited = false;
    SaveFault save_fault = SaveFault::kNone;  // of the next save
    bool speaks_other_version = false;
    Delay scheduling;
    std::optional<TurnDue> held_turn;  // a turn that the pause interrupted
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

  // The machine with this address, if any.
  std::optional<HostId> HostAt(const Address& address) const;
  Host& At(HostId host);
  const Host& At(HostId host) const;

  void Handle(const TurnDue& due);
  void Handle(const WakeDue& due);
  void Handle(const SaveDue& due);
  void Handle(const CrashDue& due);
  // Returns false if the turn is delayed.
  bool BeginTurn(const TurnDue& due, Now* now, size_t* batch);
  void StepBatch(HostId host, const Now& now, size_t batch);
  void Enqueue(HostId host, Event event);
  void PlanTurn(HostId host);
  void ArmWake(HostId host);
  void Step(HostId host, const Now& now, const Event& event);
  void Save(HostId host, const SaveState& order);
  static std::string InVersionOf(const Host& host, const std::string& bytes);
  void Perform(HostId host, const Action& action);
  void Stop(HostId host);
  void Exit(HostId host);
  void SetWallClock(HostId host);
  NodeOptions OptionsOfNextProcess(HostId host);
  void TraceLine(HostId host, absl::string_view mark, absl::string_view what);
  void NoteIntervention(HostId host, absl::string_view what);
  void NoteDecision(HostId host, absl::string_view decision);
  void NoteObservation(HostId host, const Observation& observation);

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
  FaultCounts fault_counts_;
  std::vector<Host> hosts_;
  std::vector<Notice> notices_;
  uint64_t next_request_ = 1;
  bool line_is_traced_ = false;  // the current step has a line in the trace

  uint64_t steps_ = 0;
  TraceHash hash_;
};

}  // namespace cachalot::sim

#endif  // SIM_WORLD_WORLD_H_
