#include "sim/world/world.h"

#include <algorithm>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "engine/check.h"
#include "engine/locks/token_counter.h"
#include "engine/overloaded.h"
#include "engine/random.h"
#include "engine/saved_state.h"
#include "sim/world/other_version.h"

namespace cachalot::sim {

// Passes a node's notes to the world.
class World::Listener : public Observer {
 public:
  Listener(World* world, HostId host) : world_(world), host_(host) {}

  // Of processes that start from now on.
  void set_wants_notes(bool wants_notes) { wants_notes_ = wants_notes; }
  bool WantsNotes() const override { return wants_notes_; }
  void Note(absl::string_view decision) override {
    world_->NoteDecision(host_, decision);
  }
  void Observe(const Observation& observation) override {
    world_->NoteObservation(host_, observation);
  }

 private:
  World* world_;
  HostId host_;
  bool wants_notes_ = false;
};

World::World(WorldOptions options, ChoiceSource* choices, Trace trace)
    : options_(options),
      choices_(choices),
      trace_(trace),
      describer_([this](const Address& address) { return NameOf(address); }),
      network_(options.network, choices) {}

World::~World() = default;

void World::AddWatcher(Watcher* watcher, bool listens) {
  watchers_.push_back(watcher);
  if (listens) listeners_.push_back(watcher);
}

// --- Machines and processes --------------------------------------------------

HostId World::AddHost(HostOptions options) {
  const HostId id(hosts_.size() + 1);
  const Delay save_delay = options.save_delay;
  hosts_.push_back(
      Host{.options = std::move(options),
           .disk = Disk(save_delay, Chance(choices_, "disk", id.value())),
           .chance = Chance(choices_, "turn", id.value()),
           .listener = nullptr,
           .scheduling = options_.scheduling});
  hosts_.back().listener = std::make_unique<Listener>(this, id);
  return id;
}

World::Host& World::At(HostId host) {
  return hosts_[static_cast<size_t>(host.value() - 1)];
}

const World::Host& World::At(HostId host) const {
  return hosts_[static_cast<size_t>(host.value() - 1)];
}

void World::Start(HostId id) {
  Host& host = At(id);
  CHECK(!host.node.has_value()) << HostName(id) << " runs already";
  ++host.process;
  SetWallClock(id);
  std::optional<SavedState> saved;
  if (host.options.keeps_disk) {
    saved = host.disk.Kept();
  } else if (host.options.keeps_memory) {
    host.disk.ForgetLog();
  } else {
    host.disk.Wipe();
  }
  NoteIntervention(id, saved.has_value() ? "starts with its disk" : "starts");
  absl::StatusOr<Node> node =
      Node::Create(OptionsOfNextProcess(id), Read(id), std::move(saved));
  CHECK(node.ok()) << node.status().ToString();
  host.node = *std::move(node);
  network_.Open(HostAddress(id));
  for (Watcher* watcher : watchers_) watcher->Started(*this, id);
  // The first turn arms the timers.
  Enqueue(id, TimeAdvanced{});
}

// Processes that keep no memory take it for what it should be: no two processes
// of one machine start within the same second, and it never falls. To all
// others it may show anything.
void World::SetWallClock(HostId id) {
  Host& host = At(id);
  const absl::Duration elapsed = absl::Seconds(1) + (now_ - RealInstant());
  if (host.options.keeps_memory) {
    Chance chance(choices_, "wall", id.value() * 1000 + host.process);
    host.wall_clock = chance.Between(absl::Nanoseconds(1), 2 * elapsed);
  } else {
    host.wall_clock = std::max(host.wall_clock + absl::Seconds(1), elapsed);
  }
}

NodeOptions World::OptionsOfNextProcess(HostId id) {
  Host& host = At(id);
  NodeOptions options = host.options.node;
  // A person bootstraps a cluster once.
  if (host.process > 1) options.bootstrap = false;
  if (host.options.keeps_memory) {
    options.memory = host.disk.contents().memory.value_or(Memory{.starts = 0});
    ++options.memory->starts;
    host.disk.Remember(*options.memory);
  }
  // Differs between processes even if both draw the same seed.
  const uint64_t number = id.value() * 1000 + host.process;
  options.seed =
      Random(Chance(choices_, "process", number).Seed(), "process", number)
          .Next();
  if (options.name.empty()) options.name = HostName(id);
  options.address = HostAddress(id);
  options.token_base = TokenCounter::BaseAt(
      absl::ToInt64Nanoseconds(host.wall_clock), options.seed);
  host.listener->set_wants_notes(trace_.is_on() || !listeners_.empty());
  options.observer = host.listener.get();
  return options;
}

void World::Crash(HostId id) {
  NoteIntervention(id, "crashes");
  Stop(id);
  Host& host = At(id);
  const bool was_saving = host.disk.orders_open() > 0;
  const size_t lost = host.disk.Crash();
  if (was_saving && host.options.keeps_disk) {
    fault_counts_.AddApplied(Fault::kCrashInSave);
    if (lost > 0) fault_counts_.AddObserved(Fault::kCrashInSave);
  }
  network_.Crash(now_, HostAddress(id));
}

void World::Exit(HostId id) {
  NoteIntervention(id, "exits");
  Stop(id);
  // It has left: the next process here must not have its identity.
  At(id).disk.ForgetLog();
  network_.Exit(now_, HostAddress(id));
}

void World::Stop(HostId id) {
  Host& host = At(id);
  CHECK(host.node.has_value()) << HostName(id) << " does not run";
  for (Watcher* watcher : watchers_) watcher->Stopping(*this, id);
  host.node.reset();
  host.is_paused = false;
  host.has_exited = false;
  host.save_fault = SaveFault::kNone;
  host.held_turn.reset();
  host.inbox.clear();
  host.datagrams_in_inbox = 0;
  host.turn_is_planned = false;
  host.wake_at = RealInstant::Never();
}

void World::Pause(HostId id) {
  Host& host = At(id);
  CHECK(host.node.has_value()) << HostName(id) << " does not run";
  host.is_paused = true;
  NoteIntervention(id, "is paused");
}

void World::Resume(HostId id) {
  Host& host = At(id);
  CHECK(host.is_paused) << HostName(id) << " is not paused";
  host.is_paused = false;
  NoteIntervention(id, "goes on");
  if (host.held_turn.has_value()) {
    agenda_.Add(now_, *std::exchange(host.held_turn, std::nullopt));
  }
  Enqueue(id, TimeAdvanced{});
}

void World::WipeDisk(HostId id) { At(id).disk.Wipe(); }

void World::SlowDisk(HostId id, Delay delay) { At(id).disk.set_delay(delay); }

void World::SpeedUpDisk(HostId id) {
  At(id).disk.set_delay(At(id).options.save_delay);
}

void World::SetClockRates(HostId id, int64_t slow_ppm, int64_t fast_ppm) {
  Host& host = At(id);
  host.options.clock.slow.SetRate(now_, slow_ppm);
  host.options.clock.fast.SetRate(now_, fast_ppm);
  if (host.node.has_value()) ArmWake(id);
}

void World::JumpClocks(HostId id, absl::Duration slow, absl::Duration fast) {
  Host& host = At(id);
  host.options.clock.slow.Jump(now_, absl::ToInt64Nanoseconds(slow));
  host.options.clock.fast.Jump(now_, absl::ToInt64Nanoseconds(fast));
  if (host.node.has_value()) ArmWake(id);
}

void World::SlowDown(HostId id, Delay scheduling) {
  At(id).scheduling = scheduling;
  At(id).is_slow = true;
}

void World::SpeedUp(HostId id) {
  At(id).scheduling = options_.scheduling;
  At(id).is_slow = false;
}

void World::CrashAtNextSave(HostId id) {
  At(id).save_fault = SaveFault::kCrash;
}

void World::FailNextSave(HostId id) { At(id).save_fault = SaveFault::kFail; }

void World::Disarm(HostId id) { At(id).save_fault = SaveFault::kNone; }

void World::SetOtherVersion(HostId id, bool speaks_other_version) {
  At(id).speaks_other_version = speaks_other_version;
}

NodeOptions& World::node_options(HostId id) { return At(id).options.node; }

const Node* World::node(HostId id) const {
  const std::optional<Node>& node = At(id).node;
  return node.has_value() ? &*node : nullptr;
}

std::string World::NameOf(const Address& address) const {
  const std::optional<HostId> host = HostAt(address);
  return host.has_value() ? HostName(*host) : address.ToString();
}

std::optional<HostId> World::HostAt(const Address& address) const {
  const HostId host(uint64_t{address.ip[14]} << 8 | address.ip[15]);
  const bool is_known = host >= HostId(1) && host.value() <= hosts_.size();
  if (!is_known || HostAddress(host) != address) return std::nullopt;
  return host;
}

// --- Callers -----------------------------------------------------------------

RequestId World::Submit(HostId id, Request request) {
  CHECK(At(id).node.has_value()) << HostName(id) << " does not run";
  const RequestId name(next_request_++);
  Enqueue(id, RequestSubmitted{name, std::move(request)});
  return name;
}

void World::Withdraw(HostId id, RequestId request) {
  Enqueue(id, RequestWithdrawn{request});
}

void World::Leave(HostId id) { Enqueue(id, LeaveRequested{}); }

std::vector<Notice> World::TakeNotices() { return std::exchange(notices_, {}); }

// --- Time --------------------------------------------------------------------

RealInstant World::NextDue() const {
  return std::min(agenda_.NextDue(), network_.NextDue());
}

void World::PassTime(RealInstant at) {
  CHECK(at <= NextDue());
  CHECK(at >= now_);
  now_ = at;
}

void World::RunNext() {
  const RealInstant due = NextDue();
  CHECK(due != RealInstant::Never()) << "nothing is due, ever";
  CHECK(due >= now_);
  now_ = due;
  if (network_.NextDue() > due) {
    std::visit([this](const auto& item) { Handle(item); }, agenda_.TakeNext());
    return;
  }
  std::optional<Network::Arrival> arrival = network_.RunNext(now_);
  if (!arrival.has_value()) return;
  const std::optional<HostId> host = HostAt(arrival->to);
  if (!host.has_value()) return;
  std::visit([&](auto&& what) { Enqueue(*host, Event(std::move(what))); },
             std::move(arrival->what));
}

void World::Enqueue(HostId id, Event event) {
  Host& host = At(id);
  if (!host.node.has_value()) return;
  if (std::holds_alternative<DatagramReceived>(event)) {
    if (host.datagrams_in_inbox >= options_.datagrams_kept_max) return;
    ++host.datagrams_in_inbox;
  }
  host.inbox.push_back(std::move(event));
  PlanTurn(id);
}

void World::PlanTurn(HostId id) {
  Host& host = At(id);
  if (host.turn_is_planned || host.is_paused) return;
  host.turn_is_planned = true;
  host.chance.BeginItem();
  agenda_.Add(now_ + host.chance.Draw(host.scheduling),
              TurnDue{.host = id, .process = host.process});
}

// The loop of io/driver.h, for all nodes.
void World::Handle(const TurnDue& due) {
  Host& host = At(due.host);
  if (!host.node.has_value() || host.process != due.process) return;
  Now now;
  size_t batch = 0;
  if (!BeginTurn(due, &now, &batch)) return;
  host.turn_is_planned = false;
  StepBatch(due.host, now, batch);
  if (!host.has_exited) Step(due.host, now, TurnEnded{});
  if (host.has_exited) {
    Exit(due.host);
    return;
  }
  ArmWake(due.host);
  if (!host.inbox.empty()) PlanTurn(due.host);
}

// A step adds nothing to the inbox: all that it causes arrives later.
void World::StepBatch(HostId id, const Now& now, size_t batch) {
  Host& host = At(id);
  for (size_t i = 0; i < batch && !host.has_exited; ++i) {
    const Event& event = host.inbox[i];
    if (std::holds_alternative<DatagramReceived>(event)) {
      --host.datagrams_in_inbox;
    }
    Step(id, now, event);
  }
  host.inbox.erase(host.inbox.begin(),
                   host.inbox.begin() + static_cast<ptrdiff_t>(batch));
}

// The clocks are read after the events have arrived and before the node handles
// them. A node may rely on nothing more (engine/client/README.md, lemma 1).
bool World::BeginTurn(const TurnDue& due, Now* now, size_t* batch) {
  Host& host = At(due.host);
  if (due.now.has_value()) {
    if (host.is_paused) {
      host.held_turn = due;
      return false;
    }
    fault_counts_.AddApplied(Fault::kStaleReading);
    if (due.batch > 0) fault_counts_.AddObserved(Fault::kStaleReading);
    read_at_ = due.read_at;
    *now = *due.now;
    *batch = due.batch;
    return true;
  }
  if (host.is_paused) {
    host.turn_is_planned = false;
    return false;
  }
  read_at_ = now_;
  *now = Read(due.host);
  *batch = host.inbox.size();
  if (*batch > 1 && host.chance.Happens(options_.short_turn)) {
    *batch = static_cast<size_t>(host.chance.Between(uint64_t{1}, *batch));
  }
  if (!host.chance.Happens(options_.stale_turn)) return true;
  fault_counts_.AddAttempted(Fault::kStaleReading);
  agenda_.Add(now_ + host.chance.Draw(options_.staleness),
              TurnDue{due.host, due.process, *now, now_, *batch});
  return false;
}

void World::Handle(const WakeDue& due) {
  Host& host = At(due.host);
  if (!host.node.has_value() || host.process != due.process) return;
  if (host.wake_at == due.at) host.wake_at = RealInstant::Never();
  if (host.is_paused) return;  // Resume() wakes it
  if (host.node->NextDeadline().IsDue(Read(due.host))) {
    Enqueue(due.host, TimeAdvanced{});
  } else {
    ArmWake(due.host);
  }
}

void World::Handle(const SaveDue& due) {
  Host& host = At(due.host);
  if (!host.node.has_value() || host.process != due.process) return;
  const std::optional<SaveId> save = host.disk.FinishDue(now_);
  if (host.disk.HasFailed(now_)) {
    // A node must not promise what it could not save: the process stops.
    fault_counts_.AddObserved(Fault::kFailedSave);
    Crash(due.host);
    return;
  }
  if (save.has_value()) Enqueue(due.host, StateSaved{*save});
}

void World::Handle(const CrashDue& due) {
  Host& host = At(due.host);
  if (!host.node.has_value() || host.process != due.process) return;
  Crash(due.host);
}

void World::ArmWake(HostId id) {
  Host& host = At(id);
  const RealInstant due = host.options.clock.When(host.node->NextDeadline());
  if (due == RealInstant::Never() || host.wake_at <= due) return;
  host.wake_at = due;
  agenda_.Add(std::max(due, now_), WakeDue{id, host.process, due});
}

void World::Step(HostId id, const Now& now, const Event& event) {
  Host& host = At(id);
  ++steps_;
  line_is_traced_ = false;
  if (trace_.is_on()) {
    const std::string what = describer_.Describe(event);
    if (!what.empty()) TraceLine(id, "<", what);
  }
  CHECK(!host.is_paused) << HostName(id) << " steps while it is paused";
  for (Watcher* listener : listeners_) listener->Stepping(*this, id, event);
  reading_ = now;
  const Actions actions = host.node->Step(now, event);
  CHECK(!host.node->NextDeadline().IsDue(now))
      << HostName(id) << " wants to be woken in the past";
  hash_.Add(static_cast<uint64_t>(now_.nanoseconds()));
  hash_.Add(id.value());
  hash_.Add(event);
  hash_.Add(actions);
  for (const Action& action : actions) Perform(id, action);
  for (Watcher* watcher : watchers_) {
    watcher->Stepped(*this, id, event, actions);
  }
}

void World::Perform(HostId id, const Action& action) {
  // Comes with each answer to a keep-alive: it would clutter the trace.
  const bool is_traced = !std::holds_alternative<AnnounceSession>(action);
  if (trace_.is_on() && is_traced) {
    TraceLine(id, ">", describer_.Describe(action));
  }
  Host& host = At(id);
  const Address self = HostAddress(id);
  std::visit(Overloaded{
                 [&](const SendDatagram& send) {
                   network_.SendDatagram(now_, self, send.to,
                                         InVersionOf(host, send.bytes));
                 },
                 // The simulated network has one stream in each direction.
                 [&](const AnswerFrame& answer) {
                   network_.SendFrame(now_, self, answer.to,
                                      InVersionOf(host, answer.bytes));
                 },
                 [&](const SendFrame& send) {
                   network_.SendFrame(now_, self, send.to,
                                      InVersionOf(host, send.bytes));
                 },
                 [&](const SaveState& order) { Save(id, order); },
                 [&](const AnswerRequest& answer) {
                   notices_.push_back({id, answer});
                 },
                 [&](const NotifyHolder& notice) {
                   notices_.push_back({id, notice});
                 },
                 [&](const AnnounceStanding& standing) {
                   notices_.push_back({id, standing});
                 },
                 [&](const LeaveCompleted& completed) {
                   notices_.push_back({id, completed});
                   host.has_exited = true;
                 },
                 [](const AnnounceSession&) {},
             },
             action);
}

std::string World::InVersionOf(const Host& host, const std::string& bytes) {
  return host.speaks_other_version ? AsOtherVersion(bytes) : bytes;
}

void World::Save(HostId id, const SaveState& order) {
  Host& host = At(id);
  const RealInstant done = host.disk.Save(now_, order);
  agenda_.Add(done, SaveDue{id, host.process});
  switch (std::exchange(host.save_fault, SaveFault::kNone)) {
    case SaveFault::kNone:
      return;
    case SaveFault::kCrash:
      // Before the save is done, if it takes any time.
      agenda_.Add(now_ + (done - now_) / 2, CrashDue{id, host.process});
      return;
    case SaveFault::kFail:
      fault_counts_.AddApplied(Fault::kFailedSave);
      host.disk.FailLast();
      return;
  }
}

// --- Tracing -----------------------------------------------------------------

void World::TraceLine(HostId id, absl::string_view mark,
                      absl::string_view what) {
  line_is_traced_ = true;
  if (!trace_.is_on()) return;
  trace_.Line(now_, absl::StrCat(HostName(id), " ", mark), what);
}

void World::NoteIntervention(HostId id, absl::string_view what) {
  TraceLine(id, "*", what);
  for (Watcher* listener : listeners_) listener->Intervened(*this, id, what);
}

void World::NoteIntervention(absl::string_view what) {
  trace_.Line(now_, "** *", what);
  for (Watcher* listener : listeners_)
    listener->Intervened(*this, HostId(), what);
}

void World::NoteDecision(HostId id, absl::string_view decision) {
  for (Watcher* listener : listeners_) listener->Noted(*this, id, decision);
  if (!trace_.is_on()) return;
  if (!line_is_traced_) TraceLine(id, ".", "time passes");
  trace_.Decision(decision);
}

void World::NoteObservation(HostId id, const Observation& observation) {
  for (Watcher* watcher : watchers_) watcher->Observed(*this, id, observation);
}

}  // namespace cachalot::sim
