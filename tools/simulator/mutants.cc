// Runs the planted bugs of tests/mutants and says what caught each.

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "engine/random.h"
#include "nlohmann/json.hpp"
#include "tools/base/child_process.h"
#include "tools/base/table.h"

namespace cachalot::tools {
namespace {

namespace fs = std::filesystem;

constexpr int kAllCaught = 0;
constexpr int kSomeUncaught = 1;
constexpr int kUsage = 2;

// A bug may be one that never comes to an end.
constexpr rlim_t kProcessSecondsMax = 600;
constexpr absl::Duration RunMax() { return absl::Minutes(30); }

// Tests of whole runs bring many seeds of their own, which are none of ours.
constexpr char kTestFilter[] = "--gtest_filter=-Seeds/*:*SeedsThatOnceFailed*";

constexpr size_t kSentenceMax = 72;

enum class Kind : uint8_t { kEngine, kIo, kJudge, kInjector };

const char* KindName(Kind kind) {
  switch (kind) {
    case Kind::kEngine:
      return "engine";
    case Kind::kIo:
      return "io";
    case Kind::kJudge:
      return "judge";
    case Kind::kInjector:
      return "injector";
  }
  return "?";
}

Kind KindOf(absl::string_view source) {
  if (absl::StartsWith(source, "engine/")) return Kind::kEngine;
  if (absl::StartsWith(source, "io/")) return Kind::kIo;
  if (absl::StartsWith(source, "sim/world/")) return Kind::kInjector;
  if (source == "sim/run/nemesis.cc") return Kind::kInjector;
  return Kind::kJudge;
}

struct Mutant {
  std::string name;
  Kind kind = Kind::kEngine;
  std::string program;
  bool is_a_test = false;  // the program; else it is the simulator
};

// What came of one.
struct Verdict {
  bool is_caught = false;
  std::string sentence;           // of what caught it
  std::optional<uint64_t> seeds;  // to the first that failed
  std::optional<uint64_t> choices;
};

struct Arguments {
  std::string only;
  uint64_t few = 0;  // zero: all
  std::string chosen_by;
  uint64_t seeds = 2000;
  uint64_t jobs = std::max(1u, std::thread::hardware_concurrency());
  bool without_shrinking = false;
  bool as_json = false;
};

// --- The mutants -------------------------------------------------------------

// Beside us among the runfiles.
std::optional<fs::path> FindDirectory() {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  for (const fs::path& candidate :
       {fs::path(self.string() + ".runfiles/cachalot/tests/mutants"),
        fs::absolute("tests/mutants", error)}) {
    if (fs::is_directory(candidate, error)) return candidate;
  }
  return std::nullopt;
}

Mutant ReadMutant(const fs::path& patch) {
  Mutant mutant{.name = patch.stem().string(),
                .program = fs::path(patch).replace_extension().string()};
  std::ifstream file(patch);
  for (std::string line; std::getline(file, line);) {
    absl::string_view source = line;
    if (absl::StartsWith(source, "Caught by the test: ")) {
      mutant.is_a_test = true;
    }
    if (absl::ConsumePrefix(&source, "+++ b/")) mutant.kind = KindOf(source);
  }
  if (mutant.kind != Kind::kEngine) mutant.is_a_test = true;
  return mutant;
}

std::vector<Mutant> ReadMutants(const fs::path& directory) {
  std::vector<Mutant> mutants;
  for (const fs::directory_entry& file : fs::directory_iterator(directory)) {
    if (file.path().extension() == ".patch") {
      mutants.push_back(ReadMutant(file.path()));
    }
  }
  std::sort(mutants.begin(), mutants.end(), [](const auto& a, const auto& b) {
    return std::pair(a.kind, a.name) < std::pair(b.kind, b.name);
  });
  return mutants;
}

// A few, others for each text.
std::vector<Mutant> ChooseFew(std::vector<Mutant> mutants, size_t count,
                              const std::string& text) {
  const auto rank = [&text](const Mutant& mutant) {
    return std::pair(StableHash(absl::StrCat(text, " ", mutant.name)),
                     mutant.name);
  };
  std::sort(
      mutants.begin(), mutants.end(),
      [&](const Mutant& a, const Mutant& b) { return rank(a) < rank(b); });
  mutants.resize(std::min(mutants.size(), count));
  return mutants;
}

std::vector<Mutant> Choose(std::vector<Mutant> mutants,
                           const Arguments& arguments) {
  if (!arguments.only.empty()) {
    mutants.erase(std::remove_if(mutants.begin(), mutants.end(),
                                 [&](const Mutant& mutant) {
                                   return mutant.name != arguments.only;
                                 }),
                  mutants.end());
  }
  if (arguments.few == 0) return mutants;
  return ChooseFew(std::move(mutants), static_cast<size_t>(arguments.few),
                   arguments.chosen_by);
}

// --- Running one -------------------------------------------------------------

// What the program prints; nothing if it cannot be run.
std::optional<CommandResult> Run(std::vector<std::string> command) {
  const std::string program = command.front();
  absl::StatusOr<CommandResult> result =
      RunCommand(std::move(command), absl::Now() + RunMax());
  if (result.ok()) return *std::move(result);
  std::cerr << program << ": " << result.status() << "\n";
  return std::nullopt;
}

// "seed 7 FAILED: n2: two leaders in term 3 (step 12, after 1s)"
bool ReadFailure(absl::string_view line, uint64_t* seed,
                 absl::string_view* sentence) {
  if (!absl::ConsumePrefix(&line, "seed ")) return false;
  const size_t end = line.find(" FAILED: ");
  if (end == absl::string_view::npos) return false;
  *sentence = line.substr(end + 9);
  return absl::SimpleAtoi(line.substr(0, end), seed);
}

// Without the machine before it, the step behind it and the numbers in it.
std::string Shorten(absl::string_view sentence) {
  const size_t machine = sentence.find(": ");
  if (machine <= 3) sentence.remove_prefix(machine + 2);
  sentence = sentence.substr(0, sentence.rfind(" (step "));
  if (sentence.size() <= kSentenceMax) return std::string(sentence);
  return absl::StrCat(sentence.substr(0, kSentenceMax - 3), "...");
}

// A CHECK's last words: "engine/x.cc:7: check failed: a <= b".
std::string FindCheck(absl::string_view output) {
  for (const absl::string_view line : absl::StrSplit(output, '\n')) {
    if (absl::StrContains(line, ".cc:") || absl::StrContains(line, ".h:")) {
      return Shorten(line);
    }
  }
  return "";
}

std::optional<uint64_t> Shrink(const Mutant& mutant, uint64_t seed) {
  const std::optional<CommandResult> run =
      Run({mutant.program, absl::StrCat("--seed=", seed), "--shrink"});
  if (!run.has_value()) return std::nullopt;
  for (const absl::string_view line : absl::StrSplit(run->output, '\n')) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
    uint64_t choices = 0;
    const bool tells = words.size() > 4 && words[0] == "shrunk" &&
                       absl::SimpleAtoi(words[4], &choices);
    if (tells) return choices;
  }
  return std::nullopt;
}

// A sweep without a failure may yet be refused: hardly anything happened in it.
Verdict ReadGate(const CommandResult& run) {
  Verdict verdict;
  for (absl::string_view line : absl::StrSplit(run.output, '\n')) {
    if (!absl::ConsumePrefix(&line, "FAILED: ")) continue;
    verdict.is_caught = true;
    verdict.sentence = Shorten(line);
    break;
  }
  return verdict;
}

Verdict Simulate(const Mutant& mutant, const Arguments& arguments,
                 uint64_t jobs) {
  Verdict verdict;
  const std::optional<CommandResult> run =
      Run({mutant.program, absl::StrCat("--seeds=1..", arguments.seeds),
           absl::StrCat("--jobs=", jobs), "--stop-at-first"});
  if (!run.has_value()) return verdict;
  for (const absl::string_view line : absl::StrSplit(run->output, '\n')) {
    uint64_t seed = 0;
    absl::string_view sentence;
    if (!ReadFailure(line, &seed, &sentence)) continue;
    if (verdict.seeds.has_value() && *verdict.seeds < seed) continue;
    verdict.is_caught = true;
    verdict.seeds = seed;
    verdict.sentence = Shorten(sentence);
  }
  if (!verdict.is_caught) return ReadGate(*run);
  if (absl::StartsWith(verdict.sentence, "the process died")) {
    const std::string check = FindCheck(run->output);
    if (!check.empty()) verdict.sentence = check;
  }
  if (!arguments.without_shrinking) {
    verdict.choices = Shrink(mutant, *verdict.seeds);
  }
  return verdict;
}

// A test fails; if it runs seeds, it says which.
Verdict Test(const Mutant& mutant) {
  Verdict verdict;
  const std::optional<CommandResult> run = Run({mutant.program, kTestFilter});
  if (!run.has_value() || run->exit_status.ok()) return verdict;
  verdict.is_caught = true;
  for (absl::string_view line : absl::StrSplit(run->output, '\n')) {
    uint64_t seed = 0;
    absl::string_view sentence;
    if (ReadFailure(line, &seed, &sentence)) {
      verdict.seeds = seed;
      verdict.sentence = Shorten(sentence);
      return verdict;
    }
    if (!absl::ConsumePrefix(&line, "[  FAILED  ] ")) continue;
    verdict.sentence = std::string(line.substr(0, line.find(' ')));
    return verdict;
  }
  verdict.sentence = FindCheck(run->output);
  if (verdict.sentence.empty()) verdict.sentence = "the process died";
  return verdict;
}

// --- All of them -------------------------------------------------------------

std::string Text(const std::optional<uint64_t>& number) {
  return number.has_value() ? absl::StrCat(*number) : "-";
}

// Of an even number the lower of the two in the middle.
uint64_t Median(std::vector<uint64_t> numbers) {
  if (numbers.empty()) return 0;
  std::sort(numbers.begin(), numbers.end());
  return numbers[(numbers.size() - 1) / 2];
}

std::string Sentence(const Verdict& verdict) {
  return verdict.is_caught ? verdict.sentence : "NOT CAUGHT";
}

class Tally {
 public:
  void Add(const Mutant& mutant, const Verdict& verdict) {
    ++mutants_;
    caught_ += verdict.is_caught ? 1 : 0;
    if (verdict.seeds.has_value()) seeds_.push_back(*verdict.seeds);
    if (verdict.choices.has_value()) choices_.push_back(*verdict.choices);
    table_.Add({mutant.name, KindName(mutant.kind), Sentence(verdict),
                Text(verdict.seeds), Text(verdict.choices)});
  }

  bool all_caught() const { return caught_ == mutants_; }
  std::string ToTable() const { return table_.ToString(); }
  std::string ToJson() const {
    const uint64_t seeds_max =
        seeds_.empty() ? 0 : *std::max_element(seeds_.begin(), seeds_.end());
    const nlohmann::ordered_json line = {{"mutants", mutants_},
                                         {"caught", caught_},
                                         {"median_seeds", Median(seeds_)},
                                         {"max_seeds", seeds_max},
                                         {"median_choices", Median(choices_)}};
    return line.dump();
  }

 private:
  uint64_t mutants_ = 0;
  uint64_t caught_ = 0;
  std::vector<uint64_t> seeds_;
  std::vector<uint64_t> choices_;
  Table table_ = Table({"MUTANT", "KIND", "CAUGHT BY", "SEEDS", "CHOICES"});
};

// What is not mutated must pass what the others fail.
bool PassesUnmutated(const fs::path& directory, const Arguments& arguments) {
  constexpr absl::string_view kSuffix = "_unmutated";
  bool passes = true;
  for (const fs::directory_entry& file : fs::directory_iterator(directory)) {
    const std::string name = file.path().filename().string();
    if (!absl::EndsWith(name, kSuffix)) continue;
    const Mutant none = {.name = name, .program = file.path().string()};
    const Verdict verdict = name == absl::StrCat("of_engine", kSuffix)
                                ? Simulate(none, arguments, arguments.jobs)
                                : Test(none);
    if (!verdict.is_caught) continue;
    std::cerr << name << ": " << verdict.sentence << "\n";
    passes = false;
  }
  return passes;
}

// As many at a time as there may be processes, each of which has one.
std::vector<Verdict> TryAll(const std::vector<Mutant>& mutants,
                            const Arguments& arguments) {
  std::vector<Verdict> verdicts(mutants.size());
  absl::Mutex told;
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t i = next++; i < mutants.size(); i = next++) {
      verdicts[i] = mutants[i].is_a_test
                        ? Test(mutants[i])
                        : Simulate(mutants[i], arguments, /*jobs=*/1);
      const absl::MutexLock lock(&told);
      std::cerr << mutants[i].name << ": " << Sentence(verdicts[i]) << "\n";
    }
  };
  std::vector<std::thread> threads;
  for (uint64_t i = 0; i < arguments.jobs; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  return verdicts;
}

int RunMutants(const std::vector<Mutant>& mutants, const Arguments& arguments) {
  const std::vector<Verdict> verdicts = TryAll(mutants, arguments);
  Tally tally;
  for (size_t i = 0; i < mutants.size(); ++i) {
    tally.Add(mutants[i], verdicts[i]);
  }
  std::cout << tally.ToTable();
  if (arguments.as_json) std::cout << tally.ToJson() << "\n";
  return tally.all_caught() ? kAllCaught : kSomeUncaught;
}

int Main(int argc, char** argv) {
  CLI::App app("Plants bugs, and says which the simulator and its tests find.");
  app.footer(
      "Exit codes: 0 each was caught; 1 one was not, or the engine fails\n"
      "without any; 2 usage. An engine's bug is caught by a seed that fails, "
      "or\n"
      "dies of a CHECK; one of io, a judge or an injector by their tests.");
  Arguments arguments;
  app.add_option("--only", arguments.only, "This one alone");
  app.add_option("--few", arguments.few, "Only so many of them");
  app.add_option("--chosen-by", arguments.chosen_by,
                 "With --few: a text, others of which choose others");
  app.add_option("--seeds", arguments.seeds, "Seeds to try at most")
      ->check(CLI::Range(uint64_t{1}, uint64_t{1} << 40));
  app.add_option("--jobs", arguments.jobs, "Processes at a time")
      ->check(CLI::Range(1, 1024));
  app.add_flag("--without-shrinking", arguments.without_shrinking,
               "Do not shrink what failed");
  app.add_flag("--json", arguments.as_json, "End with one line of JSON");
  CLI11_PARSE(app, argc, argv);

  const rlimit limit = {kProcessSecondsMax, kProcessSecondsMax};
  setrlimit(RLIMIT_CPU, &limit);
  const std::optional<fs::path> directory = FindDirectory();
  if (!directory.has_value()) {
    std::cerr << "mutants: tests/mutants is not among the runfiles\n";
    return kUsage;
  }
  const std::vector<Mutant> mutants =
      Choose(ReadMutants(*directory), arguments);
  if (mutants.empty()) {
    std::cerr << "mutants: there is none of that name\n";
    return kUsage;
  }
  for (const Mutant& mutant : mutants) {
    if (access(mutant.program.c_str(), X_OK) == 0) continue;
    std::cerr << "mutants: cannot run " << mutant.program
              << "; use tools/bazel run //tools:mutants\n";
    return kUsage;
  }
  const bool runs_all = arguments.only.empty() && arguments.few == 0;
  if (runs_all && !PassesUnmutated(*directory, arguments)) return kSomeUncaught;
  return RunMutants(mutants, arguments);
}

}  // namespace
}  // namespace cachalot::tools

int main(int argc, char** argv) { return cachalot::tools::Main(argc, argv); }
