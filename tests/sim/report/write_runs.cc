// Writes pages for page_test.py to look at:
//
//   failing.html    a client believes in its lock for too long, because clocks
//   run
//                   far beyond the bound
//   hostile.html    keys that contain markup, or are not UTF-8
//   contested.html  two clients believe in one lock
//
//   write_runs FOLDER

#include <fstream>
#include <iostream>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "engine/check.h"
#include "engine/request.h"
#include "sim/report/heading.h"
#include "sim/report/page/page.h"
#include "sim/report/record.h"
#include "sim/run/nemesis.h"
#include "sim/run/plan.h"
#include "sim/run/runner.h"
#include "sim/world/choices.h"
#include "sim/world/clock.h"
#include "sim/world/host.h"
#include "sim/world/instant.h"
#include "sim/world/world.h"

namespace cachalot::sim {
namespace {

constexpr uint64_t kSeedsMax = 200;

// The fast clocks, which holders use, run too slowly.
void BreakClockBound(Plan* plan) {
  plan->judge.clocks_in_bound = true;
  NemesisOptions& nemesis = plan->nemesis;
  nemesis.weights[static_cast<size_t>(Fault::kClockRates)] = 20;
  nemesis.slow_clocks_jump = false;
  nemesis.slow_ppm_min = 0;
  nemesis.slow_ppm_max = 0;
  nemesis.fast_ppm_min = -500000;
  nemesis.fast_ppm_max = 0;
}

Recording RecordFailure() {
  for (uint64_t seed = 1; seed <= kSeedsMax; ++seed) {
    ChoiceSource choices(seed);
    Plan plan = Plan::Draw(&choices);
    BreakClockBound(&plan);
    Recorder recorder;
    const RunResult result = RunPlan(plan, &choices, {.watchers = {&recorder}});
    if (!result.failed()) continue;
    if (!absl::StrContains(result.violation->sentence, "believe")) continue;
    if (result.violation->at < RealInstant() + absl::Seconds(2)) continue;
    Recording recording = recorder.Take();
    recording.heading = HeadingOf(plan, result);
    return recording;
  }
  CHECK(false) << "no seed up to " << kSeedsMax << " broke anything";
  return {};
}

AcquireRequest Wish(std::string key) {
  AcquireRequest wish;
  wish.key = std::move(key);
  wish.ttl = absl::Seconds(5);
  wish.wait = absl::Seconds(5);
  return wish;
}

Recording RecordHostileKeys() {
  ChoiceSource choices(1);
  World world(WorldOptions(), &choices);
  Recorder recorder;
  world.AddWatcher(&recorder, /*listens=*/true);
  HostOptions options;
  options.node.bootstrap = true;
  const HostId host = world.AddHost(options);
  world.Start(host);
  world.Submit(host, Wish("</script><script>document.title='broken'</script>"));
  world.Submit(host, Wish("<img src=x onerror=\"document.title='broken'\">"));
  world.Submit(host, Wish("\xff\xfe{{script}}\xe2\x80\xa8\"'\\&lt;"));
  while (world.NextDue() < RealInstant() + absl::Seconds(3)) world.RunNext();
  Recording recording = recorder.Take();
  recording.heading.title = "<b>Hostile</b>";
  recording.heading.plan = "one machine, keys that are markup";
  return recording;
}

Recording RecordTwoHolders() {
  const RealInstant begin;
  const RealInstant middle = begin + absl::Milliseconds(500);
  Recording recording;
  recording.host_count = 2;
  recording.end = begin + absl::Seconds(1);
  recording.steps.push_back({begin, HostId(1)});
  recording.beliefs.push_back({{begin, recording.end}, "door", HostId(1), "1"});
  recording.beliefs.push_back(
      {{middle, recording.end}, "door", HostId(2), "2"});
  return recording;
}

void Write(const std::string& path, const Recording& recording) {
  std::ofstream file(path, std::ios::binary);
  WritePage(recording, file);
  CHECK(file.good()) << "cannot write " << path;
}

void WriteAll(const std::string& folder) {
  Write(absl::StrCat(folder, "/failing.html"), RecordFailure());
  Write(absl::StrCat(folder, "/hostile.html"), RecordHostileKeys());
  Write(absl::StrCat(folder, "/contested.html"), RecordTwoHolders());
}

}  // namespace
}  // namespace cachalot::sim

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: write_runs FOLDER\n";
    return 2;
  }
  cachalot::sim::WriteAll(argv[1]);
  return 0;
}
