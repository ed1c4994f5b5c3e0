#include "io/kept_memory.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/ids.h"
#include "io/escape.h"
#include "io/log_event.h"
#include "io/state_dir.h"

namespace cachalot {
namespace {

absl::Status Refuse(absl::string_view text) {
  return absl::InvalidArgumentError(text);
}

void TellWithout(Logger* log) {
  LogTo(log, LogEvent::kMemoryNone, [] {
    return LogText{
        "remembers nothing after its end (no state directory): a cluster that "
        "it founds later may be a second one",
        {}};
  });
}

void TellRead(Logger* log, const StateDir& state) {
  LogTo(log, LogEvent::kMemoryRead, [&] {
    const Memory& memory = state.memory();
    std::string message = absl::StrCat("start ", memory.starts, " with ",
                                       Escape(state.path()), ": remembers ");
    if (memory.cluster.IsNone()) {
      absl::StrAppend(&message, "no cluster");
    } else {
      absl::StrAppend(&message, "cluster ", memory.cluster.ToShortString(),
                      memory.is_over    ? ", which is over"
                      : memory.has_left ? ", which it left"
                                        : "",
                      " and ", memory.peers.size(), " addresses of members");
    }
    return LogText{
        std::move(message),
        {{"state_dir", state.path()},
         {"starts", memory.starts},
         {"cluster", memory.cluster.IsNone() ? "" : memory.cluster.ToString()},
         {"has_left", memory.has_left}}};
  });
}

void TellForced(Logger* log, const StateDir& state) {
  LogTo(log, LogEvent::kMemoryForced, [&] {
    const Memory& memory = state.memory();
    return LogText{
        absl::StrCat("was told to found another cluster although it remembers ",
                     memory.cluster.ToShortString(),
                     ": does so unless a member of that one answers first, "
                     "with tokens above ",
                     memory.tokens_seen.ToString(),
                     "; leave force_bootstrap (--force-bootstrap) out from the "
                     "next start on"),
        {{"state_dir", state.path()},
         {"cluster", memory.cluster.ToString()},
         {"tokens_seen", memory.tokens_seen.number()}}};
  });
}

}  // namespace

absl::StatusOr<KeptMemory> OpenMemory(const MemoryChoice& choice,
                                      std::shared_ptr<Logger> log) {
  KeptMemory kept;
  if (choice.state_dir.empty()) {
    if (choice.force_bootstrap) {
      return Refuse(
          "force_bootstrap overrules what a state directory remembers, and "
          "there is none: leave it out, or name the directory");
    }
    TellWithout(log.get());
    return kept;
  }
  absl::StatusOr<std::unique_ptr<StateDir>> opened =
      StateDir::Open(choice.state_dir, choice.cluster);
  if (!opened.ok()) return opened.status();
  const std::shared_ptr<StateDir> state = *std::move(opened);
  const Memory& memory = state->memory();
  if (memory.remembers_cluster() && choice.bootstrap &&
      !choice.force_bootstrap) {
    return Refuse(absl::StrCat(
        "bootstrap is for a cluster's first start, and ", Escape(state->path()),
        " remembers cluster ", memory.cluster.ToShortString(),
        ": leave it out, and this process looks for that cluster; if none of "
        "its members will ever come back, start once with force_bootstrap "
        "instead"));
  }
  TellRead(log.get(), *state);
  if (memory.remembers_cluster() && choice.force_bootstrap) {
    TellForced(log.get(), *state);
  }
  kept.memory = memory;
  absl::StatusOr<std::unique_ptr<MemoryWriter>> writer = MemoryWriter::Create(
      {.write = [state](const Memory& memory) { return state->Save(memory); },
       .log = std::move(log)});
  if (!writer.ok()) return writer.status();
  kept.writer = *std::move(writer);
  return kept;
}

}  // namespace cachalot
