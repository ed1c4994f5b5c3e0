#include "tests/io/judge/run.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "engine/address.h"
#include "engine/check.h"
#include "engine/locks/token_counter.h"
#include "engine/options.h"
#include "engine/random.h"
#include "io/coordinator.h"
#include "io/lock_service.h"
#include "sim/world/chance.h"
#include "sim/world/choices.h"
#include "sim/world/clock.h"
#include "sim/world/network.h"
#include "tests/io/judge/embedder.h"
#include "tests/io/judge/local_program.h"
#include "tests/io/judge/virtual_driver.h"
#include "tests/io/judge/virtual_time.h"

namespace cachalot {

// The way in for this test: a coordinator over any driver.
class CoordinatorPeer {
 public:
  static std::unique_ptr<Coordinator> Create(
      std::unique_ptr<EngineDriver> driver, const std::string& local_socket) {
    CoordinatorOptions options;
    options.local_socket = local_socket;
    absl::StatusOr<std::unique_ptr<Coordinator>> coordinator =
        Coordinator::Over(std::move(driver), /*log=*/nullptr,
                          std::move(options));
    CHECK(coordinator.ok()) << coordinator.status().ToString();
    return *std::move(coordinator);
  }
};

namespace io_judge {
namespace {

using sim::Chance;
using sim::Rate;

// From the end of the harm until all must be quiet: longer than any wait,
// lease, quarantine and time-out.
constexpr absl::Duration QuietTime() { return absl::Seconds(20); }

// How often programs look for answers meanwhile.
constexpr int kLooks = 24;

// A folder of its own for the sockets of one run.
class SocketFolder {
 public:
  SocketFolder() {
    std::string path = "/tmp/io-judge-XXXXXX";  // Unix paths are short
    CHECK(mkdtemp(path.data()) != nullptr);
    path_ = path;
  }
  ~SocketFolder() { rmdir(path_.c_str()); }
  SocketFolder(const SocketFolder&) = delete;
  SocketFolder& operator=(const SocketFolder&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// What a seed draws for the whole run.
struct Plan {
  int hosts = 3;
  absl::Duration duration;
  std::vector<std::string> keys;
  int programs = 0;     // on each host
  absl::Duration pace;  // between the acts of one caller, at most
  int hoard = 0;        // locks that the first embedder takes at once
  bool stalls = false;
  bool cuts = false;
  bool kills = false;
  bool stops = false;
  bool leaves = false;
  bool forks = false;
  absl::Duration harm_interval;
  sim::NetworkOptions network;
  VirtualDriver::Options driver;

  static Plan Draw(Chance chance);
};

Plan Plan::Draw(Chance chance) {
  Plan plan;
  plan.hosts = chance.Happens(Rate::Percent(25)) ? 1 : 3;
  plan.duration = chance.Between(absl::Seconds(4), absl::Seconds(14));
  const uint64_t keys = chance.Between(uint64_t{1}, 4);
  for (uint64_t i = 0; i < keys; ++i) {
    plan.keys.push_back(absl::StrCat("key-", i));
  }
  plan.programs = static_cast<int>(chance.Below(4));
  plan.pace = chance.Between(absl::Milliseconds(20), absl::Milliseconds(800));
  if (chance.Happens(Rate::Percent(5))) plan.hoard = 150;
  plan.stalls = chance.Happens(Rate::Percent(60));
  plan.cuts = chance.Happens(Rate::Percent(50));
  plan.kills = chance.Happens(Rate::Percent(40));
  plan.stops = chance.Happens(Rate::Percent(40));
  plan.leaves = chance.Happens(Rate::Percent(30));
  plan.forks = chance.Happens(Rate::Percent(40));
  plan.harm_interval =
      chance.Between(absl::Milliseconds(300), absl::Seconds(5));

  plan.network.delay = {
      absl::Microseconds(50),
      chance.Between(absl::Microseconds(100), absl::Milliseconds(20)),
      chance.Happens(Rate::Percent(50)) ? Rate::Percent(2) : Rate::Never(),
      absl::Milliseconds(400)};
  plan.network.loss = Rate::Percent(static_cast<uint32_t>(chance.Below(10)));
  plan.network.reset = Rate{static_cast<uint32_t>(chance.Below(3000))};

  NodeOptions& node = plan.driver.node;
  node.birth_delay = absl::Milliseconds(100);
  node.consensus.heartbeat_interval = absl::Milliseconds(100);
  node.consensus.election_timeout = absl::Milliseconds(500);
  node.consensus.promote_after = absl::Milliseconds(300);
  node.consensus.replace_voter_after = absl::Seconds(2);
  node.lease.session_ttl = chance.Between(absl::Seconds(1), absl::Seconds(6));
  node.lease.request_timeout =
      chance.Between(absl::Milliseconds(500), absl::Seconds(4));
  node.lease.leave_timeout =
      chance.Between(absl::Milliseconds(500), absl::Seconds(5));
  node.lease.rate_bound_ppm =
      chance.Pick(std::vector<int64_t>{1000, 0, 10000, 100000});
  plan.driver.scheduling = {
      absl::Microseconds(1),
      chance.Between(absl::Microseconds(20), absl::Milliseconds(2)),
      Rate{static_cast<uint32_t>(chance.Below(5000))}, absl::Milliseconds(50)};
  plan.driver.short_turn =
      Rate::Percent(static_cast<uint32_t>(chance.Below(40)));
  plan.driver.stale_turn = Rate{static_cast<uint32_t>(chance.Below(5000))};
  plan.driver.staleness_max =
      chance.Between(absl::Milliseconds(1), absl::Seconds(2));
  return plan;
}

// One machine: its clocks, and the process that runs there, if one does.
struct Host {
  int number = 0;  // from 1
  Address address;
  std::unique_ptr<sim::ClockPair> clock;
  std::vector<std::unique_ptr<LocalProgram>> programs;
  int started = 0;  // processes

  ProcessId process;
  std::string socket;
  std::unique_ptr<Coordinator> coordinator;  // null: none runs
  VirtualDriver* driver = nullptr;
  Embedder* embedder = nullptr;
  bool is_leaving = false;
  bool is_cut = false;
};

class Run {
 public:
  Run(uint64_t seed, std::ostream* log)
      : choices_(seed),
        plan_(Plan::Draw(Chance(&choices_, "plan"))),
        time_(plan_.network, &choices_),
        judge_(&time_, log),
        nemesis_(&choices_, "nemesis"),
        callers_(&choices_, "callers") {}

  Verdict Go();

 private:
  void AddHost(int number);
  void Start(Host& host);
  // The coordinator is destroyed before the handles, or after them.
  void Stop(Host& host);
  void Kill(Host& host);
  void Leave(Host& host);
  void StartAgain(Host& host);
  void Fork(Host& host);
  void Cut(Host& host, bool cuts);
  void PlanEmbedder(Host& host);
  void PlanProgram(Host& host, LocalProgram& program);
  void PlanHarm();
  void DoHarm();
  void FallSilent();
  void RunFor(absl::Duration time);

  sim::ChoiceSource choices_;
  const Plan plan_;
  const SocketFolder folder_;
  VirtualTime time_;
  Judge judge_;
  Chance nemesis_;
  Chance callers_;
  std::vector<KnownToken> board_;
  std::vector<std::unique_ptr<Host>> hosts_;
  // Of all processes: what their callbacks refer to stays.
  std::vector<std::unique_ptr<Embedder>> embedders_;
  bool is_silent_ = false;
  // Only one machine is down, or about to be, at a time: the cluster is to
  // keep its majority.
  RealInstant next_downtime_;
  RealInstant harm_end_;
};

void Run::AddHost(int number) {
  auto host = std::make_unique<Host>();
  host->number = number;
  host->address = Address::V4(10, 0, 0, static_cast<uint8_t>(number), 7946);
  Chance chance(&choices_, "clock", static_cast<uint64_t>(number));
  const int64_t bound = plan_.driver.node.lease.rate_bound_ppm;
  const int64_t offset = chance.Between(int64_t{1}, int64_t{1} << 40);
  host->clock = std::make_unique<sim::ClockPair>(
      sim::ClockPair{sim::Clock(offset, chance.Around0(-bound, bound)),
                     sim::Clock(offset, chance.Around0(-bound, bound))});
  for (int i = 0; i < plan_.programs; ++i) {
    const int program = number * 10 + i;
    host->programs.push_back(std::make_unique<LocalProgram>(
        &judge_, &time_,
        Chance(&choices_, "program", static_cast<uint64_t>(program)), program,
        plan_.keys, &board_));
  }
  hosts_.push_back(std::move(host));
}

void Run::Start(Host& host) {
  VirtualDriver::Options options = plan_.driver;
  const uint64_t number =
      static_cast<uint64_t>(host.number * 1000 + host.started);
  options.node.seed =
      Random(Chance(&choices_, "process", number).Seed(), "process", number)
          .Next();
  options.node.name = absl::StrCat("n", host.number);
  options.node.address = host.address;
  options.node.token_base =
      TokenCounter::BaseAt(1 + time_.now().nanoseconds(), options.node.seed);
  const bool founds = host.number == 1 && host.started == 0;
  options.node.bootstrap = founds;
  options.node.is_own_seed = plan_.hosts == 1;
  for (const std::unique_ptr<Host>& other : hosts_) {
    if (!founds && other.get() != &host) {
      options.node.seeds.push_back(other->address);
    }
  }
  ++host.started;
  host.process = judge_.StartProcess(host.clock.get());
  host.socket = absl::StrCat(folder_.path(), "/", host.process.value());
  host.is_leaving = false;
  auto driver = std::make_unique<VirtualDriver>(
      std::move(options), &time_, host.clock.get(),
      Chance(&choices_, "turn", host.process.value()),
      judge_.WatcherOf(host.process));
  host.driver = driver.get();
  judge_.SetDriver(host.process, host.driver);
  host.coordinator = CoordinatorPeer::Create(std::move(driver), host.socket);
  embedders_.push_back(std::make_unique<Embedder>(
      &judge_, host.coordinator.get(), host.process,
      Chance(&choices_, "embedder", host.process.value()), plan_.keys));
  host.embedder = embedders_.back().get();
  if (is_silent_) host.embedder->Rest();
}

void Run::Stop(Host& host) {
  judge_.Stopping(host.process);
  if (nemesis_.Happens(Rate::Percent(50))) host.embedder->GiveUpAll();
  host.coordinator.reset();
  judge_.Stopped(host.process);
  host.embedder->GiveUpAll();
  host.driver = nullptr;
}

void Run::Kill(Host& host) {
  judge_.Killed(host.process);
  host.driver->Kill();
  host.coordinator.reset();
  host.embedder->GiveUpAll();
  host.driver = nullptr;
}

void Run::Leave(Host& host) {
  if (host.is_leaving) return;
  host.is_leaving = true;
  judge_.LeaveAsked(host.process);
  const CallId call = judge_.Ask(host.process, Door::kEmbedder, "leave");
  host.coordinator->LeaveAsync(
      [this, call, process = host.process](const absl::Status& status) {
        if (judge_.IsJudged(process)) {
          judge_.Answer(call, absl::StatusCodeToString(status.code()));
        }
      });
}

void Run::StartAgain(Host& host) {
  const absl::Duration downtime =
      nemesis_.Between(absl::Milliseconds(10), absl::Seconds(3));
  next_downtime_ = time_.now() + downtime + absl::Seconds(7);
  time_.After(downtime, [this, &host] {
    if (host.coordinator == nullptr) Start(host);
  });
}

// A real child, which this run waits for. It has a copy of the memory, and
// shares the sockets: its parent goes on, and all that it serves is judged.
void Run::Fork(Host& host) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    host.driver->ForbidUse();
    std::string wrong = host.embedder->TryInherited();
    host.coordinator.reset();
    if (wrong.empty() && judge_.complaint().has_value()) {
      wrong = *judge_.complaint();
    }
    const bool is_written = write(ends[1], wrong.data(), wrong.size()) ==
                            static_cast<ssize_t>(wrong.size());
    _exit(is_written ? 0 : 1);
  }
  close(ends[1]);
  std::string wrong;
  char byte;
  while (read(ends[0], &byte, 1) == 1) wrong.push_back(byte);
  close(ends[0]);
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child);
  if (status != 0) absl::StrAppend(&wrong, "it ended with status ", status);
  judge_.Forked(host.process, wrong);
}

void Run::Cut(Host& host, bool cuts) {
  host.is_cut = cuts;
  const bool one_way = cuts && nemesis_.Happens(Rate::Percent(30));
  for (const std::unique_ptr<Host>& other : hosts_) {
    if (other.get() == &host) continue;
    if (!cuts) {
      time_.network().Mend(time_.now(), host.address, other->address);
      time_.network().Mend(time_.now(), other->address, host.address);
      continue;
    }
    time_.network().Cut(host.address, other->address);
    if (!one_way) time_.network().Cut(other->address, host.address);
  }
}

void Run::PlanEmbedder(Host& host) {
  time_.After(callers_.Between(absl::Milliseconds(1), plan_.pace),
              [this, &host] {
                if (is_silent_) return;
                if (host.coordinator != nullptr) host.embedder->Act();
                PlanEmbedder(host);
              });
}

void Run::PlanProgram(Host& host, LocalProgram& program) {
  time_.After(callers_.Between(absl::Milliseconds(1), plan_.pace),
              [this, &host, &program] {
                if (is_silent_) return;
                if (program.is_connected()) {
                  program.Act();
                } else if (host.coordinator != nullptr) {
                  program.Connect(host.socket, host.process,
                                  [&host, process = host.process] {
                                    if (host.coordinator == nullptr) return;
                                    if (host.process == process)
                                      host.driver->Poke();
                                  });
                }
                PlanProgram(host, program);
              });
}

void Run::PlanHarm() {
  time_.After(nemesis_.Between(absl::Milliseconds(100), plan_.harm_interval),
              [this] {
                if (is_silent_) return;
                nemesis_.BeginItem();
                DoHarm();
                PlanHarm();
              });
}

void Run::DoHarm() {
  Host& host = *nemesis_.Pick(hosts_);
  if (host.coordinator == nullptr) return;
  const bool may_go_down = time_.now() >= next_downtime_;
  switch (nemesis_.Below(6)) {
    case 0:
      if (plan_.stalls) {
        judge_.Note(host.driver->node().options().name, "stalls");
        const absl::Duration stall = nemesis_.Between(
            absl::Milliseconds(5),
            nemesis_.Pick(std::vector<absl::Duration>{
                absl::Milliseconds(300), absl::Seconds(2), absl::Seconds(9)}));
        host.driver->Stall(std::min(stall, harm_end_ - time_.now()));
      }
      return;
    case 1:
      if (plan_.cuts && !host.is_cut) {
        judge_.Note(host.driver->node().options().name, "is cut off");
        Cut(host, true);
        time_.After(nemesis_.Between(absl::Milliseconds(50), absl::Seconds(6)),
                    [this, &host] { Cut(host, false); });
      }
      return;
    case 2:
      if (!plan_.kills || !may_go_down) return;
      Kill(host);
      return StartAgain(host);
    case 3:
      if (!plan_.stops || !may_go_down) return;
      Stop(host);
      return StartAgain(host);
    case 4:
      if (plan_.forks && !judge_.complaint().has_value()) Fork(host);
      return;
    default:
      if (!plan_.leaves || !may_go_down || plan_.hosts == 1) return;
      Leave(host);
      next_downtime_ = time_.now() + absl::Seconds(15);
      time_.After(nemesis_.Between(absl::ZeroDuration(), absl::Seconds(6)),
                  [this, &host, process = host.process] {
                    if (host.coordinator == nullptr) return;
                    if (host.process != process) return;
                    Stop(host);
                    StartAgain(host);
                  });
  }
}

void Run::FallSilent() {
  is_silent_ = true;
  time_.network().MendAll(time_.now());
  for (const std::unique_ptr<Host>& host : hosts_) {
    host->embedder->Rest();
    for (const auto& program : host->programs) {
      if (program->is_connected()) program->Behave();
    }
  }
}

void Run::RunFor(absl::Duration time) {
  time_.RunUntil(time_.now() + time,
                 [this] { return judge_.complaint().has_value(); });
}

Verdict Run::Go() {
  for (int i = 1; i <= plan_.hosts; ++i) AddHost(i);
  for (const std::unique_ptr<Host>& host : hosts_) {
    Start(*host);
    PlanEmbedder(*host);
    for (const auto& program : host->programs) PlanProgram(*host, *program);
  }
  next_downtime_ = RealInstant() + absl::Seconds(6);
  RunFor(absl::Seconds(2));
  hosts_.front()->embedder->Hoard(plan_.hoard);
  harm_end_ = time_.now() + plan_.duration;
  PlanHarm();
  RunFor(plan_.duration);

  FallSilent();
  for (int i = 0; i < kLooks; ++i) {
    RunFor(QuietTime() / kLooks);
    for (const std::unique_ptr<Host>& host : hosts_) {
      for (const auto& program : host->programs) {
        if (program->is_connected()) program->Behave();
      }
    }
  }
  if (!judge_.complaint().has_value()) judge_.JudgeQuiet();
  for (const std::unique_ptr<Host>& host : hosts_) {
    if (host->coordinator != nullptr) host->embedder->GiveUpAll();
    for (const auto& program : host->programs) program->Close();
  }
  RunFor(absl::Seconds(1));
  for (const std::unique_ptr<Host>& host : hosts_) {
    if (host->coordinator != nullptr) Stop(*host);
  }
  return {.complaint = judge_.complaint(),
          .counters = judge_.counters(),
          .hash = judge_.hash()};
}

}  // namespace

Verdict RunSeed(uint64_t seed, std::ostream* log) {
  return Run(seed, log).Go();
}

}  // namespace io_judge
}  // namespace cachalot
