#include "tools/simulator/shrinking.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "nlohmann/json.hpp"
#include "sim/run/shrink.h"
#include "tools/simulator/isolated.h"

namespace cachalot::tools {
namespace {

using sim::ChoiceLog;
using sim::RunOptions;
using sim::RunResult;

// How many seeds are tried in each simpler world, and how many runs shrink the
// first one that fails there.
constexpr uint64_t kSeedsPerWorld = 100;
constexpr uint64_t kTriesPerWorld = 600;
// A log this short is good enough.
constexpr size_t kShortEnough = 12;

using Streams = std::vector<std::string>;

Streams With(Streams streams, const Streams& more) {
  streams.insert(streams.end(), more.begin(), more.end());
  return streams;
}

// The streams to suppress, for each of several worlds, from the simplest world
// on. In the first only faults and client operations are random. Then also: the
// plan of the clients; that of the faults; that of the cluster; the rest of the
// plan; finally everything but the times of messages and turns.
std::vector<Streams> SimplerWorlds() {
  const Streams times = {"turn",   "datagram", "frame",
                         "stream", "disk",     "process"};
  const Streams environment =
      With(times, {"plan-world", "plan-network", "plan-membership",
                   "plan-clock", "plan-mortal"});
  const Streams cluster =
      With(environment, {"plan-machines", "plan-consensus", "plan-lease"});
  return {With(cluster, {"plan-run", "plan-nemesis", "plan-clients"}),
          With(cluster, {"plan-run", "plan-nemesis"}),
          With(cluster, {"plan-run"}),
          With(environment, {"plan-run"}),
          environment,
          times};
}

// The message of the failed CHECK, or the signal.
std::string DeathReason(const Isolated& run) {
  for (const absl::string_view line : absl::StrSplit(run.errors, '\n')) {
    if (!line.empty()) return std::string(line);
  }
  return absl::StrCat("died of signal ", run.signal);
}

// Runs `choices` in a child process.
std::optional<Failure> FailureOf(sim::ChoiceSource& choices,
                                 const RunOptions& options) {
  const auto tell = [](const std::string& sentence, const ChoiceLog& log) {
    const nlohmann::json told = {{"sentence", sentence},
                                 {"choices", log.ToText()}};
    return told.dump();
  };
  const Isolated run = RunIsolated(
      [&]() -> std::string {
        const RunResult result = sim::RunChoices(&choices, options);
        if (!result.failed()) return "";
        return tell(result.violation->sentence, result.choices);
      },
      [&] { return tell("", choices.TakeLog()); });
  if (run.result.empty() && !run.died) return std::nullopt;
  if (run.result.empty()) return Failure{.sentence = DeathReason(run)};
  const nlohmann::json told = nlohmann::json::parse(run.result);
  const auto sentence = told["sentence"].get<std::string>();
  return Failure{
      .sentence = sentence.empty() ? DeathReason(run) : sentence,
      .choices = *ChoiceLog::Parse(told["choices"].get<std::string>())};
}

std::optional<ChoiceLog> ChoicesIfSame(const std::optional<Failure>& failure,
                                       const std::string& kind) {
  if (!failure.has_value()) return std::nullopt;
  if (sim::KindOf(failure->sentence) != kind) return std::nullopt;
  return failure->choices;
}

}  // namespace

std::optional<Failure> FailureOfSeed(uint64_t seed, const RunOptions& options) {
  sim::ChoiceSource choices(seed, /*records=*/true);
  choices.Suppress(options.suppressed_streams);
  return FailureOf(choices, options);
}

std::optional<Failure> FailureOfLog(const ChoiceLog& log,
                                    const RunOptions& options) {
  sim::ChoiceSource choices(log);
  return FailureOf(choices, options);
}

namespace {

// Shrinks with these options. Returns the shortest log that was found, and its
// violation.
Shrunk ShrinkUnder(const Failure& failure, const RunOptions& options,
                   const std::function<void(absl::string_view)>& say) {
  const std::string kind = sim::KindOf(failure.sentence);
  const size_t choices_before = failure.choices.size();
  std::optional<ChoiceLog> best;
  uint64_t runs = 0;
  const auto shrink = [&](const ChoiceLog& log, sim::ShrinkOptions budget) {
    sim::ShrinkResult result = sim::Shrink(
        log,
        [&](const ChoiceLog& candidate) {
          return ChoicesIfSame(FailureOfLog(candidate, options), kind);
        },
        budget);
    runs += result.tries;
    say(absl::StrCat(log.size(), " choices shrunk to ", result.log.size(),
                     " in ", result.tries, " runs"));
    if (!best.has_value() || result.log.size() < best->size()) {
      best = std::move(result.log);
    }
  };
  for (const Streams& suppressed : SimplerWorlds()) {
    RunOptions simpler = options;
    simpler.suppressed_streams = suppressed;
    for (uint64_t seed = 1; seed <= kSeedsPerWorld; ++seed) {
      ++runs;
      const std::optional<ChoiceLog> found =
          ChoicesIfSame(FailureOfSeed(seed, simpler), kind);
      if (!found.has_value()) continue;
      shrink(*found, {.tries_max = kTriesPerWorld});
      break;
    }
    if (best.has_value() && best->size() <= kShortEnough) break;
  }
  if (!best.has_value()) {
    shrink(failure.choices, {});
  } else if (best->size() > kShortEnough) {
    shrink(ChoiceLog(*best), {});
  }
  const std::optional<Failure> told = FailureOfLog(*best, options);
  return {.failure = {.sentence =
                          told.has_value() ? told->sentence : failure.sentence,
                      .choices = *std::move(best)},
          .choices_before = choices_before,
          .runs = runs};
}

}  // namespace

Shrunk ShrinkFailure(const Failure& failure, const RunOptions& options,
                     const std::function<void(absl::string_view)>& say) {
  // A run without progress lasts as long as progress is waited for. One that
  // makes none in a third of the time hardly ever makes any.
  RunOptions impatient = options;
  impatient.recovery_max = std::min(options.recovery_max, absl::Seconds(30));
  Shrunk shrunk = ShrinkUnder(failure, impatient, say);
  const std::optional<Failure> told =
      FailureOfLog(shrunk.failure.choices, options);
  if (!told.has_value()) return ShrinkUnder(failure, options, say);
  shrunk.failure.sentence = told->sentence;
  return shrunk;
}

std::string ToScenario(const Shrunk& shrunk, absl::string_view origin,
                       absl::Duration harm_max) {
  std::string text = absl::StrCat(
      "# ", origin, " broke a property:\n# ",
      absl::StrReplaceAll(shrunk.failure.sentence, {{"\n", "\n# "}}),
      "\n# Describe the bug here, and give this file a name.\n");
  for (const absl::string_view line :
       absl::StrSplit(shrunk.failure.choices.ToText(), '\n')) {
    if (!line.empty()) absl::StrAppend(&text, "choose ", line, "\n");
  }
  absl::StrAppend(&text, "replay");
  if (harm_max < absl::InfiniteDuration()) {
    absl::StrAppend(&text, " harm=", absl::FormatDuration(harm_max));
  }
  absl::StrAppend(&text, "\n----\n");
  return text;
}

}  // namespace cachalot::tools
