#ifndef TOOLS_SIMULATOR_CAMPAIGN_H_
#define TOOLS_SIMULATOR_CAMPAIGN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/strings/string_view.h"
#include "sim/run/runner.h"
#include "sim/world/fault.h"

namespace cachalot::tools {

// Seeds from the first to the last, both included.
struct SeedRange {
  uint64_t first = 1;
  uint64_t last = 1;

  uint64_t size() const { return last - first + 1; }
};

// "7" or "1..1000". False if it is neither.
bool ParseRange(absl::string_view text, SeedRange* range);

// What a person types to see a seed's run again.
std::string ReplayCommand(uint64_t seed);
// The violation in one line.
std::string Reason(const sim::Violation& violation);

struct CampaignOptions {
  SeedRange seeds;
  uint64_t jobs = 1;  // processes at a time
  bool stops_at_first_failure = false;
  sim::RunOptions run;
};

// Of seeds, by number.
using SeedReasons = absl::btree_map<uint64_t, std::string>;

// What came of many seeds.
struct CampaignResult {
  uint64_t seeds = 0;
  uint64_t failed = 0;
  uint64_t first_failed = 0;  // the lowest; 0: none
  // By seed, with the reason; a run that is both counts as excused.
  SeedReasons excused;
  SeedReasons vacuous;
  uint64_t events = 0;
  int64_t simulated_ns = 0;
  double wall_s = 0;
  absl::btree_map<uint64_t, uint64_t> hashes;  // by seed
  sim::FaultLedger faults;

  // Of all runs; the same however the seeds were dealt to processes.
  uint64_t Hash() const;
};

// Runs the seeds, several at a time, and says on stderr what failed, with the
// command that replays it.
CampaignResult RunCampaign(const CampaignOptions& options);

// A sweep that proves less than it seems to: a fault that never had an effect,
// too many runs that were excused, or in which too little happened. What is
// wrong, a line each; of few seeds nothing can be said.
std::vector<std::string> FindHollow(const CampaignResult& result);

// Each kind of fault: how often it was attempted, applied and observed.
void SayFaults(const CampaignResult& result);

// On stdout: a line of JSON, or a few lines for a person. Each names the seeds
// that were excused or vacuous, and why.
void SaySummary(const CampaignResult& result, bool as_json);

}  // namespace cachalot::tools

#endif  // TOOLS_SIMULATOR_CAMPAIGN_H_
