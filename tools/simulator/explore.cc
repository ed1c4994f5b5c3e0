// Explores everything that can happen in a small world, or walks many paths
// through it, and reports the result.

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <functional>
#include <iostream>
#include <optional>
#include <string>
#include <utility>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "nlohmann/json.hpp"
#include "sim/explore/beginning.h"
#include "sim/explore/choice.h"
#include "sim/explore/explorer.h"
#include "sim/explore/small_world.h"
#include "sim/explore/story.h"
#include "sim/explore/walker.h"
#include "sim/judge/complaint.h"

namespace cachalot::sim {
namespace {

struct Command {
  std::string from = "led";
  SmallOptions world;
  ExploreOptions explore;
  WalkOptions walk;
  bool by_priorities = false;
  bool by_even_draws = false;
  bool saves_are_choices = false;
  bool forgets_disks = false;
  std::string path;
  bool as_json = false;
};

// The options that make this world, which a replay must repeat.
std::string world_words;
// The path that is being taken, for the handler of SIGABRT.
std::function<Path()> current_path;

std::string ReplayCommand(const Path& path) {
  return absl::StrCat("tools/bazel run -c opt //tools:explore --", world_words,
                      " --path=", ToString(path));
}

// A CHECK in the engine has said what was wrong; this says how to see it again.
void SayHowToReplay(int) {
  const std::string text =
      absl::StrCat("replay: ", ReplayCommand(current_path()), "\n");
  (void)!write(STDERR_FILENO, text.data(), text.size());
}

void AddOptions(CLI::App& app, Command& command) {
  SmallOptions& world = command.world;
  const auto add_budget = [&](const char* name, Bounded what,
                              const char* text) {
    app.add_option(name, world.budget.left[static_cast<size_t>(what)], text)
        ->capture_default_str()
        ->group("World");
  };
  app.add_option("--from", command.from,
                 "birth, founded, led or contended: where it begins")
      ->capture_default_str()
      ->group("World");
  app.add_option("--machines", world.machines, "1 to 8")
      ->capture_default_str()
      ->group("World");
  app.add_option("--clients", world.clients, "One on each of the first")
      ->capture_default_str()
      ->group("World");
  app.add_option("--operations", world.operations, "Of each client")
      ->capture_default_str()
      ->group("World");
  add_budget("--wakes", Bounded::kWakes, "Deadlines, over all machines");
  add_budget("--late-wakes", Bounded::kLateWakes, "Machines held up");
  add_budget("--losses", Bounded::kLosses, "Datagrams lost");
  add_budget("--duplicates", Bounded::kDuplicates, "Datagrams doubled");
  add_budget("--breaks", Bounded::kBreaks, "Streams broken");
  add_budget("--crashes", Bounded::kCrashes, "Machines crashed");
  add_budget("--bends", Bounded::kBends, "Clocks bent to the bound");
  add_budget("--renewals", Bounded::kRenewals, "By clients");
  add_budget("--withdrawals", Bounded::kWithdrawals, "By clients");
  app.add_option("--bend-ppm", world.bend_ppm, "How far clocks are bent")
      ->capture_default_str()
      ->group("World");
  app.add_flag("--saves", command.saves_are_choices,
               "When a save is done is a choice, too")
      ->group("World");
  app.add_flag("--in-memory", command.forgets_disks,
               "A process that starts again finds nothing")
      ->group("World");

  app.add_option("--states", command.explore.states_max, "At most so many")
      ->capture_default_str()
      ->group("Exploring");
  app.add_option("--layer", command.explore.layer_max,
                 "States in memory, at most so many")
      ->capture_default_str()
      ->group("Exploring");
  app.add_option("--turns", command.explore.turns_max,
                 "Turns remembered, at most so many")
      ->capture_default_str()
      ->group("Exploring");
  app.add_option("--depth", command.explore.depth_max,
                 "Choices in a row, at most so many; with --pct: changes of "
                 "priority and one more [3]")
      ->group("Exploring");
  app.add_option("--progress-every", command.explore.progress_every,
                 "One state in so many is healed, and must make progress")
      ->capture_default_str()
      ->group("Exploring");

  app.add_flag("--pct", command.by_priorities, "Walks by priorities")
      ->group("Walking");
  app.add_flag("--random", command.by_even_draws, "Walks by even draws")
      ->group("Walking");
  app.add_option("--schedules", command.walk.schedules, "Walks")
      ->capture_default_str()
      ->group("Walking");
  app.add_option("--length", command.walk.length, "Choices in a walk")
      ->capture_default_str()
      ->group("Walking");
  app.add_option("--seed", command.walk.seed, "Of the walks")
      ->capture_default_str()
      ->group("Walking");

  app.add_option("--path", command.path, "Tells what happens on this path");
  app.add_flag("--json", command.as_json, "One line of JSON in the end");
}

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
      .count();
}

// Of this process, however busy the machine is.
double CpuSeconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

int Report(const Command& command, Beginning beginning,
           const std::optional<BadPath>& violation) {
  if (!violation.has_value()) return 0;
  std::cout << "FAILED after " << violation->path.size()
            << " choices: " << violation->sentence << "\n";
  TellStory(command.world, beginning, violation->path, std::cout);
  std::cout << "replay: " << ReplayCommand(violation->path) << "\n";
  return 1;
}

// A run to its end, whose violation has been reported.
template <typename Result>
struct Finished {
  Result result;
  double wall_s = 0;
  int status = 0;  // of this process
};

// Runs an Explorer or a Walker.
template <typename Runner>
auto Run(const Command& command, Beginning beginning, Runner& runner) {
  const auto start = std::chrono::steady_clock::now();
  auto result = runner.Run(Begin(command.world, beginning));
  const double wall_s = SecondsSince(start);
  const int status = Report(command, beginning, result.violation);
  return Finished<decltype(result)>{std::move(result), wall_s, status};
}

// What the lines of both end with.
template <typename Result>
void PrintLine(const Finished<Result>& run, nlohmann::ordered_json line) {
  line["progress_checks"] = run.result.progress_checks;
  line["wall_s"] = run.wall_s;
  line["cpu_s"] = CpuSeconds();
  line["hash"] = absl::StrFormat("%016x", run.result.hash);
  std::cout << line.dump() << "\n";
}

int Explore(const Command& command, Beginning beginning) {
  Explorer explorer(command.explore);
  current_path = [&explorer] { return explorer.CurrentPath(); };
  const Finished<ExploreResult> run = Run(command, beginning, explorer);
  const ExploreResult& result = run.result;
  const double states_per_s = static_cast<double>(result.states) / run.wall_s;
  if (command.as_json) {
    PrintLine(run, {{"states", result.states},
                    {"states_per_s", states_per_s},
                    {"depth", result.depth},
                    {"fixpoint", result.fixpoint},
                    {"duplicates", result.duplicates},
                    {"violations", result.violation.has_value() ? 1 : 0},
                    {"transitions", result.transitions},
                    {"turns_taken", result.turns_taken}});
    return run.status;
  }
  std::cout << absl::StrFormat(
      "%d states to depth %d%s, %d transitions, %d to known states\n"
      "%d turns taken, %d looked up; %d states healed\n"
      "%.1f s: %.0f states/s; hash %016x\n",
      result.states, result.depth, result.fixpoint ? ", which is all" : "",
      result.transitions, result.duplicates, result.turns_taken,
      result.turns_found, result.progress_checks, run.wall_s, states_per_s,
      result.hash);
  return run.status;
}

int WalkAll(const Command& command, Beginning beginning) {
  Walker walker(command.walk);
  current_path = [&walker] { return walker.path(); };
  const Finished<WalkResult> run = Run(command, beginning, walker);
  const WalkResult& result = run.result;
  const double schedules_per_s =
      static_cast<double>(result.schedules) / run.wall_s;
  if (command.as_json) {
    PrintLine(run,
              {{"schedules", result.schedules},
               {"schedules_per_s", schedules_per_s},
               {"steps", result.steps},
               {"steps_per_s", static_cast<double>(result.steps) / run.wall_s},
               {"depth", command.walk.depth},
               {"violations", result.violation.has_value() ? 1 : 0}});
    return run.status;
  }
  std::cout << absl::StrFormat(
      "%d schedules, %d steps, %d healed\n"
      "%.1f s: %.0f schedules/s; hash %016x\n",
      result.schedules, result.steps, result.progress_checks, run.wall_s,
      schedules_per_s, result.hash);
  return run.status;
}

int Tell(const Command& command, Beginning beginning) {
  const std::optional<Path> path = ParsePath(command.path);
  if (!path.has_value()) {
    std::cerr << "--path is no path\n";
    return 2;
  }
  const Complaint complaint =
      TellStory(command.world, beginning, *path, std::cout);
  if (!complaint.has_value()) return 0;
  std::cout << "FAILED: " << *complaint << "\n";
  return 1;
}

// The options of the world as they were given.
std::string WordsOf(const CLI::App& app) {
  std::string words;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group() != "World" || option->count() == 0) continue;
    absl::StrAppend(&words, " ", option->get_name());
    if (option->get_type_size() > 0) {
      absl::StrAppend(&words, "=", option->results().front());
    }
  }
  return words;
}

int Main(int argc, char** argv) {
  Command command;
  CLI::App app("Explores small worlds");
  AddOptions(app, command);
  CLI11_PARSE(app, argc, argv);
  world_words = WordsOf(app);
  const std::optional<Beginning> beginning = ParseBeginning(command.from);
  const SmallOptions& world = command.world;
  const bool fits = world.machines >= 1 && world.machines <= 8 &&
                    world.clients <= world.machines;
  if (!beginning.has_value() || !fits) {
    std::cerr << "--from, --machines or --clients is out of range\n";
    return 2;
  }
  command.world.machine.saves_at_once = !command.saves_are_choices;
  command.world.machine.keeps_disk = !command.forgets_disks;
  std::signal(SIGABRT, SayHowToReplay);
  if (app.count("--path") > 0) return Tell(command, *beginning);
  if (command.by_even_draws) command.walk.depth = 0;
  if (command.by_priorities && app.count("--depth") > 0) {
    command.walk.depth = command.explore.depth_max;
  }
  if (command.by_priorities || command.by_even_draws) {
    return WalkAll(command, *beginning);
  }
  return Explore(command, *beginning);
}

}  // namespace
}  // namespace cachalot::sim

int main(int argc, char** argv) { return cachalot::sim::Main(argc, argv); }
