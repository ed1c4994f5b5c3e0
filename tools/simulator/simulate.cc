// Runs many seeds of the simulator and prints a summary; or runs one seed,
// prints its trace, verifies that it is deterministic, or shrinks its failure.

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "sim/clients/history.h"
#include "sim/clients/resource.h"
#include "sim/report/heading.h"
#include "sim/run/plan.h"
#include "sim/run/runner.h"
#include "sim/run/verify.h"
#include "sim/world/choices.h"
#include "sim/world/trace.h"
#include "tools/base/child_process.h"
#include "tools/base/flags.h"
#include "tools/base/version.h"
#include "tools/install/command_page.h"
#include "tools/simulator/campaign.h"
#include "tools/simulator/run_files.h"
#include "tools/simulator/shrinking.h"

namespace cachalot::tools {
namespace {

constexpr int kPassed = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;

// What was asked for on the command line.
struct Arguments {
  std::string seeds = "1..100";
  uint64_t jobs = std::max(1u, std::thread::hardware_concurrency());
  bool stops_at_first = false;
  bool as_json = false;
  bool tells_faults = false;

  std::optional<uint64_t> seed;
  std::string choices;  // a file
  std::string harm;
  bool with_trace = false;
  bool verifies = false;
  bool shrinks = false;
  std::string record;    // a file
  std::string history;   // a file
  std::string html;      // a file
  std::string perfetto;  // a file
  std::string scenario;  // a file
  std::string checkpoints;
};

int Complain(absl::string_view what) {
  std::cerr << "simulate: " << what << "\n";
  return kUsage;
}

bool WriteFile(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  return file.flush().good();
}

// --- One run -----------------------------------------------------------------

// Where one run's choices come from: a seed, or a log.
struct Origin {
  uint64_t seed = 0;
  std::optional<sim::ChoiceLog> log;
  std::string arguments;  // that name it on the command line

  std::string Name() const {
    return log.has_value() ? "the log" : absl::StrCat("seed ", seed);
  }
  sim::ChoiceSource Open(bool records) const {
    return log.has_value() ? sim::ChoiceSource(*log)
                           : sim::ChoiceSource(seed, records);
  }
};

absl::StatusOr<Origin> FindOrigin(const Arguments& arguments) {
  if (arguments.choices.empty()) {
    return Origin{.seed = *arguments.seed,
                  .arguments = absl::StrCat("--seed=", *arguments.seed)};
  }
  std::ifstream file(arguments.choices);
  if (!file.is_open()) {
    return absl::NotFoundError(
        absl::StrCat("--choices: cannot read ", arguments.choices));
  }
  std::stringstream text;
  text << file.rdbuf();
  absl::StatusOr<sim::ChoiceLog> log = sim::ChoiceLog::Parse(text.str());
  if (!log.ok()) return log.status();
  return Origin{.log = *std::move(log),
                .arguments = absl::StrCat("--choices=", arguments.choices)};
}

// For the handler of SIGABRT.
std::string* replay_command = nullptr;
RunFiles* run_files = nullptr;

// A failed CHECK has printed what was wrong; this prints how to replay it.
void SayHowToReplay(int) {
  std::cout.flush();  // the trace so far
  (void)!write(STDERR_FILENO, replay_command->data(), replay_command->size());
  // Too much work for a signal handler, except that abort() was called by our
  // own CHECK and interrupts nothing. The alarm ends the process if it hangs.
  alarm(60);
  (void)run_files->WriteInterrupted();
}

int SayOutcome(const sim::RunResult& result) {
  std::cout << absl::StrFormat(
      "%d events, %d entries, %d operations, %d grants, %s simulated, hash "
      "%016x\n",
      result.steps, result.committed, result.history.size(), result.grants,
      absl::FormatDuration(result.simulated), result.hash);
  const sim::ResourceCounters& resources = result.resources;
  std::cout << "operations: " << sim::CountResults(result.history) << "\n"
            << absl::StrFormat(
                   "under locks: %d reads, %d refused; %d writes, %d refused; "
                   "%d messages lost\n",
                   resources.reads, resources.reads_refused, resources.writes,
                   resources.writes_refused, resources.lost);
  if (result.failed()) {
    std::cout << "FAILED: " << Reason(*result.violation) << "\n"
              << *replay_command;
    return kFailed;
  }
  if (!result.excuse.empty()) {
    std::cout << "excused: " << result.excuse << "\n";
  } else if (!result.vacuity.empty()) {
    std::cout << "passed, vacuous: " << result.vacuity << "\n";
  } else {
    std::cout << "passed\n";
  }
  return kPassed;
}

int RunOne(const Origin& origin, const Arguments& arguments,
           sim::RunOptions options) {
  replay_command = new std::string(
      absl::StrCat("replay: tools/bazel run -c opt //tools:simulate -- ",
                   origin.arguments, " --trace\n"));
  RunFiles files(arguments.html, arguments.perfetto, origin.Name());
  run_files = &files;
  std::signal(SIGABRT, SayHowToReplay);
  sim::ChoiceSource choices = origin.Open(!arguments.record.empty());
  sim::Plan plan = sim::Plan::Draw(&choices);
  plan.harm = std::min(plan.harm, options.harm_max);
  std::cout << plan.Describe() << "\n";
  if (arguments.with_trace) options.trace = sim::Trace(&std::cout);
  if (files.is_asked_for()) options.watchers.push_back(files.watcher());
  const sim::RunResult result = sim::RunPlan(plan, &choices, options);
  const absl::Status written = files.Write(sim::HeadingOf(plan, result));
  if (!written.ok()) return Complain(written.message());
  if (!arguments.record.empty() &&
      !WriteFile(arguments.record, result.choices.ToText())) {
    return Complain(absl::StrCat("--record: cannot write ", arguments.record));
  }
  if (!arguments.history.empty() &&
      !WriteFile(arguments.history, sim::ToJsonLines(result.history))) {
    return Complain(
        absl::StrCat("--history: cannot write ", arguments.history));
  }
  return SayOutcome(result);
}

// --- Shrinking ---------------------------------------------------------------

int ShrinkOne(const Origin& origin, const Arguments& arguments,
              const sim::RunOptions& options) {
  const std::optional<Failure> failure =
      origin.log.has_value() ? FailureOfLog(*origin.log, options)
                             : FailureOfSeed(origin.seed, options);
  if (!failure.has_value()) {
    std::cout << origin.Name() << " passes: there is nothing to shrink\n";
    return kPassed;
  }
  std::cout << "FAILED: " << failure->sentence << "\n";
  const Shrunk shrunk =
      ShrinkFailure(*failure, options,
                    [](absl::string_view text) { std::cerr << text << "\n"; });
  std::cout << shrunk.failure.choices.ToText()
            << "FAILED: " << shrunk.failure.sentence << "\n"
            << "shrunk from " << shrunk.choices_before << " to "
            << shrunk.failure.choices.size() << " choices in " << shrunk.runs
            << " runs\n";
  const std::string scenario =
      ToScenario(shrunk, origin.Name(), options.harm_max);
  if (!arguments.scenario.empty() && !WriteFile(arguments.scenario, scenario)) {
    return Complain(
        absl::StrCat("--scenario: cannot write ", arguments.scenario));
  }
  return kFailed;
}

// --- Verifying ---------------------------------------------------------------

// "FIRST..LAST/EVERY", and "/lines" if lines are wanted.
std::optional<sim::CheckpointOptions> ParseCheckpoints(
    const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, '/');
  SeedRange steps;
  sim::CheckpointOptions options;
  if (parts.size() < 2 || !ParseRange(parts[0], &steps)) return std::nullopt;
  if (!absl::SimpleAtoi(parts[1], &options.every)) return std::nullopt;
  if (options.every == 0) return std::nullopt;
  options.first = steps.first;
  options.last = steps.last;
  options.with_lines = parts.size() == 3 && parts[2] == "lines";
  return options;
}

// Runs once and prints the checkpoints, one line each.
int TellCheckpoints(const Origin& origin, const std::string& wanted,
                    sim::RunOptions options) {
  const std::optional<sim::CheckpointOptions> parsed = ParseCheckpoints(wanted);
  if (!parsed.has_value()) return Complain("--checkpoints: FIRST..LAST/EVERY");
  sim::CheckpointTaker taker(*parsed);
  options.watchers.push_back(&taker);
  sim::ChoiceSource choices = origin.Open(/*records=*/false);
  const sim::RunResult result = sim::RunChoices(&choices, options);
  for (const sim::Checkpoint& checkpoint : taker.checkpoints()) {
    std::cout << absl::StrFormat("%d %016x %s\n", checkpoint.step,
                                 checkpoint.hash, checkpoint.line);
  }
  std::cout << absl::StrFormat("%d %016x \n", result.steps, result.hash);
  return kPassed;
}

// The same run in another process, with another memory layout.
std::vector<sim::Checkpoint> RerunElsewhere(
    const std::vector<std::string>& command,
    const sim::CheckpointOptions& options) {
  std::vector<std::string> arguments = command;
  arguments.push_back(absl::StrCat("--checkpoints=", options.first, "..",
                                   options.last, "/", options.every,
                                   options.with_lines ? "/lines" : ""));
  const absl::StatusOr<CommandResult> run =
      RunCommand(arguments, absl::Now() + absl::Minutes(10));
  std::vector<sim::Checkpoint> checkpoints;
  if (!run.ok()) return checkpoints;
  for (const absl::string_view line : absl::StrSplit(run->output, '\n')) {
    const std::vector<std::string> words =
        absl::StrSplit(line, absl::MaxSplits(' ', 2));
    sim::Checkpoint checkpoint;
    if (words.size() != 3) continue;
    if (!absl::SimpleAtoi(words[0], &checkpoint.step)) continue;
    if (!absl::SimpleHexAtoi(words[1], &checkpoint.hash)) continue;
    checkpoint.line = words[2];
    checkpoints.push_back(std::move(checkpoint));
  }
  return checkpoints;
}

int VerifyOne(const Origin& origin, const Arguments& arguments) {
  std::vector<std::string> command = {"/proc/self/exe", origin.arguments};
  if (!arguments.harm.empty()) {
    command.push_back(absl::StrCat("--harm=", arguments.harm));
  }
  size_t checkpoints = 0;
  const sim::Rerun rerun = [&](const sim::CheckpointOptions& options) {
    std::vector<sim::Checkpoint> taken = RerunElsewhere(command, options);
    checkpoints = std::max(checkpoints, taken.size());
    return taken;
  };
  const std::optional<sim::Difference> difference =
      sim::FindDifference(rerun, rerun);
  if (checkpoints == 0) {
    return Complain("--verify: the run printed no checkpoints");
  }
  if (!difference.has_value()) {
    std::cout << origin.Name() << " repeats itself: two processes, "
              << checkpoints << " checkpoints, all equal\n";
    return kPassed;
  }
  std::cout << "FAILED: " << origin.Name() << " does not repeat itself: from "
            << "step " << difference->step
            << " on\n  one run: " << difference->first
            << "\n  another: " << difference->second << "\n";
  return kFailed;
}

// --- The command line --------------------------------------------------------

int RunMany(const Arguments& arguments, const sim::RunOptions& options) {
  CampaignOptions campaign = {
      .jobs = arguments.jobs,
      .stops_at_first_failure = arguments.stops_at_first,
      .run = options};
  if (!ParseRange(arguments.seeds, &campaign.seeds)) {
    return Complain(absl::StrCat("--seeds: neither a seed nor FIRST..LAST: ",
                                 arguments.seeds));
  }
  const CampaignResult result = RunCampaign(campaign);
  if (arguments.tells_faults) PrintFaults(result);
  const std::vector<std::string> gaps = result.failed == 0
                                            ? FindCoverageGaps(result)
                                            : std::vector<std::string>();
  for (const std::string& what : gaps) {
    std::cerr << "FAILED: the sweep proves too little: " << what << "\n";
  }
  PrintSummary(result, arguments.as_json);
  return result.failed == 0 && gaps.empty() ? kPassed : kFailed;
}

int RunSingle(const Arguments& arguments, const sim::RunOptions& options) {
  const absl::StatusOr<Origin> origin = FindOrigin(arguments);
  if (!origin.ok()) return Complain(origin.status().message());
  if (!arguments.checkpoints.empty()) {
    return TellCheckpoints(*origin, arguments.checkpoints, options);
  }
  if (arguments.verifies) return VerifyOne(*origin, arguments);
  if (arguments.shrinks) return ShrinkOne(*origin, arguments, options);
  return RunOne(*origin, arguments, options);
}

int Main(int argc, char** argv) {
  CLI::App app("Tests Cachalot's engine in a simulated world, seed by seed.");
  app.footer(
      "Examples: simulate --seeds=1..1000\n"
      "          simulate --seed=7 --trace\n"
      "          simulate --seed=7 --html=run.html\n"
      "          simulate --seed=7 --shrink --scenario=found.txt\n"
      "Exit codes: 0 every seed passed or was excused; 1 a seed failed; 2 "
      "usage.");
  Arguments arguments;
  app.add_option("--seeds", arguments.seeds, "Seeds to run: 7 or 1..1000");
  app.add_option("--jobs", arguments.jobs, "Processes at a time")
      ->check(CLI::Range(1, 1024));
  app.add_flag("--stop-at-first", arguments.stops_at_first,
               "Run no seed above the first that failed");
  app.add_flag("--faults", arguments.tells_faults,
               "Print how often each fault was injected and observed");
  app.add_flag("--json", arguments.as_json, "End with one line of JSON");
  app.add_option("--harm", arguments.harm,
                 "Heal the world after this time at the latest: 5s");
  // CLI11 alone takes -1 and numbers beyond 64 bits for the last seed.
  CLI::Option* seed =
      app.add_option("--seed", arguments.seed, "Run this one seed")
          ->excludes("--seeds")
          ->check([](const std::string& text) -> std::string {
            uint64_t number;
            return absl::SimpleAtoi(text, &number) ? "" : "not a seed: " + text;
          });
  CLI::Option* choices = app.add_option("--choices", arguments.choices,
                                        "Run the choice log in this file");
  choices->excludes(seed)->excludes("--seeds");
  std::vector<CLI::Option*> single = {
      app.add_flag("--trace", arguments.with_trace,
                   "Print the trace, line by line"),
      app.add_option("--record", arguments.record,
                     "Write the choice log into this file"),
      app.add_option("--history", arguments.history,
                     "Write what clients did into this file, as lines of JSON"),
      app.add_option("--html", arguments.html,
                     "Write a page that shows the run into this file"),
      app.add_option("--perfetto", arguments.perfetto,
                     "Write the run for ui.perfetto.dev into this file"),
      app.add_flag("--verify", arguments.verifies,
                   "Run it twice and find the first difference"),
      app.add_flag("--shrink", arguments.shrinks,
                   "Find a small choice log that breaks the same property"),
      app.add_option("--scenario", arguments.scenario,
                     "With --shrink: write it as a scenario into this file"),
      app.add_option("--checkpoints", arguments.checkpoints,
                     "Print the trace hash at FIRST..LAST/EVERY[/lines]")};
  app.set_version_flag("--version", VersionLine("simulate"));
  AddPageFlags(app, "simulate", VersionLine("simulate"));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return static_cast<int>(EndParsing(app, error, "simulate"));
  }

  sim::RunOptions options;
  if (!arguments.harm.empty() &&
      !absl::ParseDuration(arguments.harm, &options.harm_max)) {
    return Complain(absl::StrCat("--harm: not a duration: ", arguments.harm));
  }
  if (seed->count() + choices->count() > 0) {
    return RunSingle(arguments, options);
  }
  for (const CLI::Option* option : single) {
    if (option->count() == 0) continue;
    return Complain(absl::StrCat(option->get_name(),
                                 " is for one run: give --seed or --choices"));
  }
  return RunMany(arguments, options);
}

}  // namespace
}  // namespace cachalot::tools

int main(int argc, char** argv) { return cachalot::tools::Main(argc, argv); }
