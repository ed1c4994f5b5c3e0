#include "tools/simulator/campaign.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "nlohmann/json.hpp"
#include "sim/world/trace.h"

namespace cachalot::tools {
namespace {

using sim::RunResult;
using SteadyClock = std::chrono::steady_clock;

// Smaller sweeps may miss a kind of fault by chance.
constexpr uint64_t kSweepSeedsMin = 400;
// The largest shares of runs that may be excused and vacuous.
constexpr uint64_t kExcusedPercentMax = 8;
constexpr uint64_t kVacuousPercentMax = 15;

nlohmann::json ToJson(const sim::FaultCounts& faults) {
  nlohmann::json list = nlohmann::json::array();
  for (size_t i = 0; i < sim::kFaultCount; ++i) {
    const sim::FaultCount& count = faults.At(static_cast<sim::Fault>(i));
    list.push_back({count.attempted, count.applied, count.observed});
  }
  return list;
}

void AddFromJson(const nlohmann::json& list, sim::FaultCounts* faults) {
  for (size_t i = 0; i < sim::kFaultCount; ++i) {
    sim::FaultCount& count = faults->At(static_cast<sim::Fault>(i));
    count.attempted += list[i][0].get<uint64_t>();
    count.applied += list[i][1].get<uint64_t>();
    count.observed += list[i][2].get<uint64_t>();
  }
}

// The result of one seed, which a worker writes as a line of JSON.
nlohmann::json ToJson(const RunResult& result) {
  return {{"seed", result.seed},
          {"reason", result.failed() ? Reason(*result.violation) : ""},
          {"excuse", result.excuse},
          {"vacuity", result.vacuity},
          {"events", result.steps},
          {"simulated_ns", absl::ToInt64Nanoseconds(result.simulated)},
          {"hash", result.hash},
          {"faults", ToJson(result.faults)}};
}

// One child process, which runs every `jobs`-th seed. If it dies, its current
// seed has failed, and a new child continues with the next one.
struct Worker {
  uint64_t next_seed = 0;
  pid_t child = -1;
  int pipe = -1;
  std::string received;
};

class Campaign {
 public:
  explicit Campaign(const CampaignOptions& options) : options_(options) {}

  CampaignResult Run();

 private:
  bool IsWanted(uint64_t seed) const;
  void StartWorker(Worker& worker);
  [[noreturn]] void Work(uint64_t seed, int pipe);
  void Read(Worker& worker);
  void TakeLines(Worker& worker);
  void Take(const std::string& line);
  void Reap(Worker& worker);
  void StopIfUnwanted(Worker& worker);
  void PrintFailure(uint64_t seed, const std::string& reason);
  void PrintProgress();

  const CampaignOptions& options_;
  std::vector<Worker> workers_;
  CampaignResult result_;
  SteadyClock::time_point begin_ = SteadyClock::now();
  SteadyClock::time_point last_print_ = begin_;
};

CampaignResult Campaign::Run() {
  for (uint64_t i = 0; i < options_.jobs && i < options_.seeds.size(); ++i) {
    workers_.push_back({.next_seed = options_.seeds.first + i});
    StartWorker(workers_.back());
  }
  while (true) {
    std::vector<pollfd> waited;
    for (Worker& worker : workers_) {
      StopIfUnwanted(worker);
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
    PrintProgress();
  }
  const std::chrono::duration<double> wall = SteadyClock::now() - begin_;
  result_.wall_s = wall.count();
  return std::move(result_);
}

// With --stop-at-first, all seeds below the lowest failed one still run, so
// that the result does not depend on the number of processes.
bool Campaign::IsWanted(uint64_t seed) const {
  if (seed > options_.seeds.last) return false;
  if (!options_.stops_at_first_failure) return true;
  return result_.first_failed == 0 || seed < result_.first_failed;
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
  for (; seed <= options_.seeds.last; seed += options_.jobs) {
    const std::string line =
        ToJson(sim::RunSeed(seed, options_.run)).dump() + "\n";
    if (write(pipe, line.data(), line.size()) < 0) _exit(2);
  }
  _exit(0);
}

void Campaign::Read(Worker& worker) {
  char buffer[4096];
  const ssize_t count = read(worker.pipe, buffer, sizeof(buffer));
  if (count <= 0) {
    Reap(worker);
    return;
  }
  worker.received.append(buffer, static_cast<size_t>(count));
  TakeLines(worker);
}

void Campaign::TakeLines(Worker& worker) {
  size_t end;
  while ((end = worker.received.find('\n')) != std::string::npos) {
    if (IsWanted(worker.next_seed)) Take(worker.received.substr(0, end));
    worker.received.erase(0, end + 1);
    worker.next_seed += options_.jobs;
  }
}

void Campaign::Take(const std::string& line) {
  const nlohmann::json report = nlohmann::json::parse(line);
  const auto seed = report["seed"].get<uint64_t>();
  ++result_.seeds;
  result_.events += report["events"].get<uint64_t>();
  result_.simulated_ns += report["simulated_ns"].get<int64_t>();
  result_.hashes[seed] = report["hash"].get<uint64_t>();
  AddFromJson(report["faults"], &result_.faults);
  const auto reason = report["reason"].get<std::string>();
  if (!reason.empty()) {
    PrintFailure(seed, reason);
    return;
  }
  auto excuse = report["excuse"].get<std::string>();
  auto vacuity = report["vacuity"].get<std::string>();
  if (!excuse.empty()) {
    result_.excused[seed] = std::move(excuse);
  } else if (!vacuity.empty()) {
    result_.vacuous[seed] = std::move(vacuity);
  }
}

void Campaign::Reap(Worker& worker) {
  int status = 0;
  waitpid(worker.child, &status, 0);
  close(worker.pipe);
  worker.pipe = -1;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
  if (!IsWanted(worker.next_seed)) return;
  ++result_.seeds;
  const int cause = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  PrintFailure(worker.next_seed,
               absl::StrCat("the process died: ", strsignal(cause)));
  worker.next_seed += options_.jobs;
  if (IsWanted(worker.next_seed)) StartWorker(worker);
}

void Campaign::StopIfUnwanted(Worker& worker) {
  if (worker.pipe < 0 || IsWanted(worker.next_seed)) return;
  kill(worker.child, SIGKILL);
  waitpid(worker.child, nullptr, 0);
  close(worker.pipe);
  worker.pipe = -1;
}

void Campaign::PrintFailure(uint64_t seed, const std::string& reason) {
  ++result_.failed;
  if (result_.first_failed == 0 || seed < result_.first_failed) {
    result_.first_failed = seed;
  }
  std::cerr << "seed " << seed << " FAILED: " << reason << "\n"
            << "  replay: " << ReplayCommand(seed) << "\n";
}

void Campaign::PrintProgress() {
  const auto now = SteadyClock::now();
  if (now - last_print_ < std::chrono::seconds(5)) return;
  last_print_ = now;
  std::cerr << result_.seeds << " of " << options_.seeds.size() << " seeds, "
            << result_.failed << " failed, " << result_.excused.size()
            << " excused\n";
}

}  // namespace

bool ParseRange(absl::string_view text, SeedRange* range) {
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

std::string Reason(const sim::Violation& violation) {
  return absl::StrCat(sim::HostName(violation.host), ": ", violation.sentence,
                      " (step ", violation.step, ", after ",
                      sim::TimeText(violation.at), ")");
}

uint64_t CampaignResult::Hash() const {
  sim::TraceHash hash;
  for (const auto& [seed, value] : hashes) {
    hash.Add(seed);
    hash.Add(value);
  }
  return hash.value();
}

CampaignResult RunCampaign(const CampaignOptions& options) {
  return Campaign(options).Run();
}

std::vector<std::string> FindCoverageGaps(const CampaignResult& result) {
  std::vector<std::string> gaps;
  if (result.seeds < kSweepSeedsMin) return gaps;
  for (size_t i = 0; i < sim::kFaultCount; ++i) {
    const auto fault = static_cast<sim::Fault>(i);
    if (result.faults.At(fault).observed > 0) continue;
    gaps.push_back(absl::StrCat("fault \"", sim::FaultName(fault),
                                "\" never reached a node"));
  }
  const auto check = [&](const SeedReasons& seeds, uint64_t percent_max,
                         const char* what) {
    if (seeds.size() * 100 <= result.seeds * percent_max) return;
    gaps.push_back(absl::StrCat(seeds.size(), " of ", result.seeds,
                                " runs were ", what, "; at most ", percent_max,
                                " % may be"));
  };
  check(result.excused, kExcusedPercentMax, "excused");
  check(result.vacuous, kVacuousPercentMax, "vacuous");
  return gaps;
}

void PrintFaults(const CampaignResult& result) {
  std::cout << absl::StrFormat("%-18s %10s %10s %10s\n", "fault", "attempted",
                               "applied", "observed");
  for (size_t i = 0; i < sim::kFaultCount; ++i) {
    const auto fault = static_cast<sim::Fault>(i);
    const sim::FaultCount& count = result.faults.At(fault);
    std::cout << absl::StrFormat("%-18s %10d %10d %10d\n",
                                 sim::FaultName(fault), count.attempted,
                                 count.applied, count.observed);
  }
}

namespace {

// The summary explains its own terms.
constexpr char kWhatExcusedMeans[] =
    "excused: the faults of the seed ended every cluster (its state is in "
    "memory), so no progress\n  was required at the end; all other properties "
    "were checked";
constexpr char kWhatVacuousMeans[] =
    "vacuous: no property was broken, but hardly any lock was granted, so "
    "little was checked";

nlohmann::ordered_json ReasonsToJson(const SeedReasons& seeds) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const auto& [seed, why] : seeds) {
    list.push_back({{"seed", seed}, {"why", why}});
  }
  return list;
}

void PrintReasons(const SeedReasons& seeds, absl::string_view meaning) {
  if (seeds.empty()) return;
  std::cout << meaning << "\n";
  for (const auto& [seed, why] : seeds) {
    std::cout << "  seed " << seed << ": " << why << "\n";
  }
}

}  // namespace

void PrintSummary(const CampaignResult& result, bool as_json) {
  const double simulated_s = static_cast<double>(result.simulated_ns) / 1e9;
  const double events_per_s =
      static_cast<double>(result.events) / result.wall_s;
  const double speedup = simulated_s / result.wall_s;
  const std::string hash = absl::StrFormat("%016x", result.Hash());
  if (as_json) {
    const nlohmann::ordered_json line = {
        {"seeds", result.seeds},
        {"failed", result.failed},
        {"excused", result.excused.size()},
        {"vacuous", result.vacuous.size()},
        {"events", result.events},
        {"wall_s", result.wall_s},
        {"events_per_s", events_per_s},
        {"simulated_s", simulated_s},
        {"speedup", speedup},
        {"hash", hash},
        {"excused_seeds", ReasonsToJson(result.excused)},
        {"vacuous_seeds", ReasonsToJson(result.vacuous)}};
    std::cout << line.dump() << "\n";
    return;
  }
  const double seeds_per_minute =
      static_cast<double>(result.seeds) * 60 / result.wall_s;
  std::cout << absl::StrFormat(
      "%d seeds: %d failed, %d excused, %d vacuous\n"
      "%d events in %.1f s: %.0f events/s, %.0f seeds/minute\n"
      "%.0f s simulated: %.0f times real time\n"
      "hash of all traces: %s\n",
      result.seeds, result.failed, result.excused.size(), result.vacuous.size(),
      result.events, result.wall_s, events_per_s, seeds_per_minute, simulated_s,
      speedup, hash);
  PrintReasons(result.excused, kWhatExcusedMeans);
  PrintReasons(result.vacuous, kWhatVacuousMeans);
}

}  // namespace cachalot::tools
