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

// Parses "7" or "1..1000". Returns false if it is neither.
bool ParseRange(absl::string_view text, SeedRange* range);

// The command that replays a seed.
std::string ReplayCommand(uint64_t seed);
// Describes the violation in one line.
std::string Reason(const sim::Violation& violation);

struct CampaignOptions {
  SeedRange seeds;
  uint64_t jobs = 1;  // processes at a time
  bool stops_at_first_failure = false;
  sim::RunOptions run;
};

// Reasons, by seed.
using SeedReasons = absl::btree_map<uint64_t, std::string>;

// The result of many seeds.
struct CampaignResult {
  uint64_t seeds = 0;
  uint64_t failed = 0;
  uint64_t first_failed = 0;  // the lowest; 0: none
  // A run that is both counts as excused.
  SeedReasons excused;
  SeedReasons vacuous;
  uint64_t events = 0;
  int64_t simulated_ns = 0;
  double wall_s = 0;
  absl::btree_map<uint64_t, uint64_t> hashes;  // by seed
  sim::FaultCounts faults;

  // A hash of all runs. Does not depend on the number of processes.
  uint64_t Hash() const;
};

// Runs the seeds, several at a time. Writes each failure to stderr, with the
// command that replays it.
CampaignResult RunCampaign(const CampaignOptions& options);

// Why the sweep proves less than it seems to, one line for each reason: a kind
// of fault that no node noticed, or too many excused or vacuous runs. Empty for
// small sweeps, about which nothing can be said.
std::vector<std::string> FindCoverageGaps(const CampaignResult& result);

// Prints how often each kind of fault was attempted, applied and observed.
void PrintFaults(const CampaignResult& result);

// Prints a line of JSON, or a few lines for a person. Both name the excused and
// vacuous seeds, with reasons.
void PrintSummary(const CampaignResult& result, bool as_json);

}  // namespace cachalot::tools

#endif  // TOOLS_SIMULATOR_CAMPAIGN_H_
