// Runs seeds of the simulator, several at a time, and says what came of them.

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "nlohmann/json.hpp"
#include "sim/choices.h"
#include "sim/swarm.h"
#include "sim/trace.h"

namespace cachalot::sim {
namespace {

struct SeedRange {
  uint64_t first = 1;
  uint64_t last = 1;
};

// "7" or "1..1000".
bool ParseRange(const std::string& text, SeedRange* range) {
  const std::vector<std::string> parts = absl::StrSplit(text, "..");
  if (parts.size() > 2) return false;
  if (!absl::SimpleAtoi(parts.front(), &range->first)) return false;
  if (!absl::SimpleAtoi(parts.back(), &range->last)) return false;
  return range->first <= range->last;
}

std::string ReplayCommand(uint64_t seed) {
  return absl::StrCat(
      "tools/bazel run -c opt //tools:simulate -- --seed=", seed, " --trace");
}

std::string Reason(const Violation& violation) {
  return absl::StrCat(HostName(violation.host), ": ", violation.sentence,
                      " (step ", violation.step, ", after ",
                      TimeText(violation.at), ")");
}

// --- One seed, in this process
// ------------------------------------------------

// For the handler of SIGABRT.
uint64_t current_seed = 0;

// A CHECK in the engine has said what was wrong; this says how to see it again.
void SayHowToReplay(int) {
  std::cout.flush();  // the trace up to it; we are dying anyway
  const std::string text =
      absl::StrCat("replay: ", ReplayCommand(current_seed), "\n");
  (void)!write(STDERR_FILENO, text.data(), text.size());
}

int RunOne(uint64_t seed, absl::Duration harm_max, bool with_trace) {
  current_seed = seed;
  std::signal(SIGABRT, SayHowToReplay);
  ChoiceSource choices(seed);
  Plan plan = Plan::Draw(&choices);
  plan.harm = std::min(plan.harm, harm_max);
  std::cout << plan.Describe() << "\n";
  const RunResult result =
      RunPlan(plan, &choices, Trace(with_trace ? &std::cout : nullptr));
  std::cout << absl::StrFormat(
      "%d events, %d entries, %d operations, %d grants, %s simulated, hash "
      "%016x\n",
      result.steps, result.committed, result.operations, result.grants,
      absl::FormatDuration(result.simulated), result.hash);
  if (result.failed()) {
    std::cout << "FAILED: " << Reason(*result.violation) << "\n"
              << "replay: " << ReplayCommand(seed) << "\n";
    return 1;
  }
  std::cout << (result.excuse.empty() ? "passed" : "excused: ") << result.excuse
            << "\n";
  return 0;
}

// --- Many, in several processes
// -----------------------------------------------

// What a worker tells of one seed: a line of JSON.
nlohmann::json ToJson(const RunResult& result) {
  return {{"seed", result.seed},
          {"reason", result.failed() ? Reason(*result.violation) : ""},
          {"excused", !result.excuse.empty()},
          {"events", result.steps},
          {"simulated_ns", absl::ToInt64Nanoseconds(result.simulated)},
          {"hash", result.hash}};
}

struct Totals {
  uint64_t seeds = 0;
  uint64_t failed = 0;
  uint64_t excused = 0;
  uint64_t events = 0;
  int64_t simulated_ns = 0;
  std::map<uint64_t, uint64_t> hashes;  // by seed

  uint64_t Hash() const {
    TraceHash hash;
    for (const auto& [seed, value] : hashes) {
      hash.Add(seed);
      hash.Add(value);
    }
    return hash.value();
  }
};

// One child process; it runs every `stride`-th seed. A seed that kills it is a
// failed seed, and another child goes on with the next.
struct Worker {
  uint64_t next_seed = 0;
  pid_t child = -1;
  int pipe = -1;
  std::string received;
};

class Campaign {
 public:
  Campaign(SeedRange range, uint64_t jobs) : range_(range), jobs_(jobs) {}

  Totals Run();

 private:
  void StartWorker(Worker& worker);
  [[noreturn]] void Work(uint64_t seed, int pipe);
  void Read(Worker& worker);
  void TakeLines(Worker& worker);
  void Take(const std::string& line);
  void Bury(Worker& worker);
  void SayFailure(uint64_t seed, const std::string& reason);
  void SayProgress();

  SeedRange range_;
  uint64_t jobs_;
  std::vector<Worker> workers_;
  Totals totals_;
  std::chrono::steady_clock::time_point last_said_ =
      std::chrono::steady_clock::now();
};

Totals Campaign::Run() {
  for (uint64_t i = 0; i < jobs_ && range_.first + i <= range_.last; ++i) {
    workers_.push_back({.next_seed = range_.first + i});
    StartWorker(workers_.back());
  }
  while (true) {
    std::vector<pollfd> waited;
    for (const Worker& worker : workers_) {
      if (worker.pipe >= 0) waited.push_back({worker.pipe, POLLIN, 0});
    }
    if (waited.empty()) break;
    poll(waited.data(), waited.size(), 1000);
    for (const pollfd& ready : waited) {
      if (ready.revents == 0) continue;
      const auto found =
          std::find_if(workers_.begin(), workers_.end(),
                       [&](const Worker& w) { return w.pipe == ready.fd; });
      Read(*found);
    }
    SayProgress();
  }
  return totals_;
}

void Campaign::StartWorker(Worker& worker) {
  int ends[2];
  if (pipe(ends) != 0) {
    std::perror("pipe");
    std::exit(2);
  }
  worker.child = fork();
  if (worker.child < 0) {
    std::perror("fork");
    std::exit(2);
  }
  if (worker.child == 0) {
    close(ends[0]);
    Work(worker.next_seed, ends[1]);
  }
  close(ends[1]);
  worker.pipe = ends[0];
  worker.received.clear();
}

void Campaign::Work(uint64_t seed, int pipe) {
  for (; seed <= range_.last; seed += jobs_) {
    const std::string line = ToJson(RunSeed(seed)).dump() + "\n";
    if (write(pipe, line.data(), line.size()) < 0) _exit(2);
  }
  _exit(0);
}

void Campaign::Read(Worker& worker) {
  char buffer[4096];
  const ssize_t count = read(worker.pipe, buffer, sizeof(buffer));
  if (count <= 0) {
    Bury(worker);
    return;
  }
  worker.received.append(buffer, static_cast<size_t>(count));
  TakeLines(worker);
}

void Campaign::TakeLines(Worker& worker) {
  size_t end;
  while ((end = worker.received.find('\n')) != std::string::npos) {
    Take(worker.received.substr(0, end));
    worker.received.erase(0, end + 1);
    worker.next_seed += jobs_;
  }
}

void Campaign::Take(const std::string& line) {
  const nlohmann::json result = nlohmann::json::parse(line);
  const auto seed = result["seed"].get<uint64_t>();
  ++totals_.seeds;
  totals_.events += result["events"].get<uint64_t>();
  totals_.simulated_ns += result["simulated_ns"].get<int64_t>();
  totals_.hashes[seed] = result["hash"].get<uint64_t>();
  const auto reason = result["reason"].get<std::string>();
  if (!reason.empty()) {
    SayFailure(seed, reason);
  } else if (result["excused"].get<bool>()) {
    ++totals_.excused;
  }
}

void Campaign::Bury(Worker& worker) {
  int status = 0;
  waitpid(worker.child, &status, 0);
  close(worker.pipe);
  worker.pipe = -1;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
  ++totals_.seeds;
  const int cause = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  SayFailure(worker.next_seed,
             absl::StrCat("the process died: ", strsignal(cause)));
  worker.next_seed += jobs_;
  if (worker.next_seed <= range_.last) StartWorker(worker);
}

void Campaign::SayFailure(uint64_t seed, const std::string& reason) {
  ++totals_.failed;
  std::cerr << "seed " << seed << " FAILED: " << reason << "\n"
            << "  replay: " << ReplayCommand(seed) << "\n";
}

void Campaign::SayProgress() {
  const auto now = std::chrono::steady_clock::now();
  if (now - last_said_ < std::chrono::seconds(5)) return;
  last_said_ = now;
  std::cerr << totals_.seeds << " of " << range_.last - range_.first + 1
            << " seeds, " << totals_.failed << " failed, " << totals_.excused
            << " excused\n";
}

void SaySummary(const Totals& totals, double wall_s, bool as_json) {
  const double simulated_s = static_cast<double>(totals.simulated_ns) / 1e9;
  const double events_per_s = static_cast<double>(totals.events) / wall_s;
  const double seeds_per_minute =
      static_cast<double>(totals.seeds) * 60 / wall_s;
  const std::string hash = absl::StrFormat("%016x", totals.Hash());
  if (as_json) {
    const nlohmann::ordered_json line = {{"seeds", totals.seeds},
                                         {"failed", totals.failed},
                                         {"excused", totals.excused},
                                         {"events", totals.events},
                                         {"wall_s", wall_s},
                                         {"events_per_s", events_per_s},
                                         {"simulated_s", simulated_s},
                                         {"speedup", simulated_s / wall_s},
                                         {"seeds_per_minute", seeds_per_minute},
                                         {"hash", hash}};
    std::cout << line.dump() << "\n";
    return;
  }
  std::cout << absl::StrFormat(
      "%d seeds: %d failed, %d excused\n"
      "%d events in %.1f s: %.0f events/s, %.0f seeds/minute\n"
      "%.0f s simulated: %.0f times real time\n"
      "hash of all traces: %s\n",
      totals.seeds, totals.failed, totals.excused, totals.events, wall_s,
      events_per_s, seeds_per_minute, simulated_s, simulated_s / wall_s, hash);
}

int Main(int argc, char** argv) {
  CLI::App app("Judges Cachalot's engine in a simulated world, seed by seed.");
  app.footer(
      "Example: simulate --seeds=1..1000\n"
      "Exit codes: 0 every seed passed or was excused; 1 a seed failed; 2 "
      "usage.");
  std::string seeds = "1..100";
  uint64_t seed = 0;
  std::string harm;
  uint64_t jobs = std::max(1u, std::thread::hardware_concurrency());
  bool with_trace = false;
  bool as_json = false;
  app.add_option("--seeds", seeds, "Seeds to run: 7 or 1..1000");
  CLI::Option* one = app.add_option("--seed", seed, "Run this one seed");
  app.add_option("--harm", harm, "With --seed: heal after this at the latest")
      ->needs(one);
  app.add_option("--jobs", jobs, "Processes at a time")
      ->check(CLI::Range(1, 1024));
  app.add_flag("--trace", with_trace, "Tell what happens, line by line");
  app.add_flag("--json", as_json, "End with one line of JSON");
  CLI11_PARSE(app, argc, argv);

  if (one->count() > 0) {
    absl::Duration harm_max = absl::InfiniteDuration();
    if (!harm.empty() && !absl::ParseDuration(harm, &harm_max)) {
      std::cerr << "--harm: not a duration: " << harm << "\n";
      return 2;
    }
    return RunOne(seed, harm_max, with_trace);
  }
  SeedRange range;
  if (!ParseRange(seeds, &range)) {
    std::cerr << "--seeds: neither a seed nor FIRST..LAST: " << seeds << "\n";
    return 2;
  }
  if (with_trace) {
    std::cerr << "--trace tells one run: give --seed\n";
    return 2;
  }
  const auto begin = std::chrono::steady_clock::now();
  const Totals totals = Campaign(range, jobs).Run();
  const std::chrono::duration<double> wall =
      std::chrono::steady_clock::now() - begin;
  SaySummary(totals, wall.count(), as_json);
  return totals.failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace cachalot::sim

int main(int argc, char** argv) { return cachalot::sim::Main(argc, argv); }
