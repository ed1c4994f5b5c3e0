#include "sim/report/perfetto.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/ids.h"
#include "nlohmann/json.hpp"
#include "sim/world/host.h"
#include "sim/world/instant.h"

namespace cachalot::sim {
namespace {

using nlohmann::json;

// Process ids in the trace format; machines have their own numbers, from 1.
constexpr uint64_t kWorld = 100000;
constexpr uint64_t kLocks = 100001;

// Thread ids of a machine; beliefs have one for each key, from kBeliefs on.
constexpr uint64_t kTurns = 1;
constexpr uint64_t kRole = 2;
constexpr uint64_t kPauses = 3;
constexpr uint64_t kBeliefs = 10;

// A turn takes no simulated time. It is drawn this long, so that it is visible
// and flows can start at it, or shorter if the next one follows sooner.
constexpr int64_t kTurnNs = 1000;

struct Track {
  uint64_t process = 0;
  uint64_t thread = 0;
};

class Writer {
 public:
  explicit Writer(const Recording& recording) : recording_(recording) {}

  void Write(std::ostream& out);

 private:
  void NameTracks();
  void Name(const Track& track, absl::string_view process,
            absl::string_view thread);
  void AddTurns();
  int64_t TurnLength(size_t first, size_t end) const;
  void AddTurn(size_t first, size_t end, int64_t length);
  void AddFlows();
  void AddRoles();
  void AddLocks();
  void AddInterventions();
  void AddSlice(const Track& track, const RealSpan& span, std::string name,
                json args = json::object());
  void Add(int64_t at_ns, const Track& track, const char* phase,
           std::string name, json rest);
  // The index of a key among all keys.
  uint64_t NumberOf(const std::string& key) { return keys_.at(key); }

  const Recording& recording_;
  std::map<std::string, uint64_t> keys_;
  std::vector<std::pair<int64_t, json>> events_;
};

void Writer::Write(std::ostream& out) {
  for (const HoldSpan& hold : recording_.holds) keys_[hold.key] = 0;
  for (const BeliefRecord& belief : recording_.beliefs) keys_[belief.key] = 0;
  uint64_t next = 0;
  for (auto& [key, number] : keys_) number = next++;

  NameTracks();
  AddTurns();
  AddFlows();
  AddRoles();
  AddLocks();
  AddInterventions();
  std::stable_sort(
      events_.begin(), events_.end(),
      [](const auto& a, const auto& b) { return a.first < b.first; });

  // Keys may be any bytes, but JSON must be UTF-8.
  out << "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[";
  const char* separator = "\n";
  for (const auto& [at, event] : events_) {
    out << separator
        << event.dump(-1, ' ', false, json::error_handler_t::replace);
    separator = ",\n";
  }
  out << "\n]}\n";
}

void Writer::Add(int64_t at_ns, const Track& track, const char* phase,
                 std::string name, json rest) {
  json event = std::move(rest);
  event["ph"] = phase;
  event["name"] = std::move(name);
  event["pid"] = track.process;
  event["tid"] = track.thread;
  event["ts"] = static_cast<double>(at_ns) / 1000;  // in microseconds
  events_.emplace_back(at_ns, std::move(event));
}

void Writer::AddSlice(const Track& track, const RealSpan& span,
                      std::string name, json args) {
  const int64_t begin = span.begin.nanoseconds();
  const int64_t length = span.end.nanoseconds() - begin;
  Add(begin, track, "X", std::move(name),
      {{"dur", static_cast<double>(length) / 1000}, {"args", std::move(args)}});
}

// --- Tracks ------------------------------------------------------------------

void Writer::Name(const Track& track, absl::string_view process,
                  absl::string_view thread) {
  Add(0, track, "M", "process_name",
      {{"args", {{"name", std::string(process)}}}});
  Add(0, track, "M", "thread_name",
      {{"args", {{"name", std::string(thread)}}}});
  Add(0, track, "M", "process_sort_index",
      {{"args", {{"sort_index", track.process % kWorld}}}});
}

void Writer::NameTracks() {
  Name({kWorld, 1}, "world", "faults");
  for (const auto& [key, number] : keys_) {
    Name({kLocks, number}, "locks", key);
  }
  for (uint64_t i = 1; i <= recording_.host_count; ++i) {
    const std::string name = HostName(HostId(i));
    Name({i, kTurns}, name, "turns");
    Name({i, kRole}, name, "role");
    Name({i, kPauses}, name, "pauses");
    for (const auto& [key, number] : keys_) {
      Name({i, kBeliefs + number}, name, absl::StrCat("believes in ", key));
    }
  }
}

// --- Turns and messages ------------------------------------------------------

// All steps of a machine at one instant are one turn.
void Writer::AddTurns() {
  const std::vector<RecordedStep>& steps = recording_.steps;
  for (size_t first = 0; first < steps.size();) {
    size_t end = first + 1;
    while (end < steps.size() && steps[end].at == steps[first].at &&
           steps[end].host == steps[first].host) {
      ++end;
    }
    AddTurn(first, end, TurnLength(first, end));
    first = end;
  }
}

int64_t Writer::TurnLength(size_t first, size_t end) const {
  const std::vector<RecordedStep>& steps = recording_.steps;
  const RecordedStep& turn = steps[first];
  for (size_t next = end; next < steps.size(); ++next) {
    const int64_t gap = steps[next].at.nanoseconds() - turn.at.nanoseconds();
    if (gap >= kTurnNs) break;
    if (steps[next].host == turn.host) return gap;
  }
  return kTurnNs;
}

void Writer::AddTurn(size_t first, size_t end, int64_t length) {
  json lines = json::array();
  std::string name;
  for (size_t i = first; i < end; ++i) {
    const RecordedStep& step = recording_.steps[i];
    const std::string event =
        step.message.has_value()
            ? absl::StrCat("from ",
                           HostName(recording_.messages[*step.message].from),
                           ": ", recording_.messages[*step.message].text)
            : step.event;
    if (!event.empty()) lines.push_back(absl::StrCat("< ", event));
    if (name.empty()) name = event;
    for (const std::string& decision : step.decisions) {
      lines.push_back(absl::StrCat("| ", decision));
    }
    for (const RecordedAction& action : step.actions) {
      lines.push_back(absl::StrCat(
          "> ",
          action.message.has_value()
              ? absl::StrCat("to ",
                             HostName(recording_.messages[*action.message].to),
                             ": ", recording_.messages[*action.message].text)
              : action.text));
    }
  }
  // Only time passed: there is nothing to show.
  if (lines.empty()) return;
  if (name.empty()) name = "time passes";
  const RecordedStep& turn = recording_.steps[first];
  AddSlice({turn.host.value(), kTurns},
           {turn.at, turn.at + absl::Nanoseconds(length)}, std::move(name),
           {{"step", first + 1}, {"lines", std::move(lines)}});
}

void Writer::AddFlows() {
  uint64_t flow = 0;
  for (const RecordedMessage& message : recording_.messages) {
    for (const size_t taken : message.taken) {
      const auto end = [&](size_t step, HostId host, const char* phase) {
        Add(recording_.steps[step].at.nanoseconds(), {host.value(), kTurns},
            phase, message.kind,
            {{"cat", MessageFamilyName(message.family)},
             {"id", flow},
             {"bp", "e"}});
      };
      end(message.sent, message.from, "s");
      end(taken, message.to, "f");
      ++flow;
    }
  }
}

// --- Spans -------------------------------------------------------------------

void Writer::AddRoles() {
  for (const RoleSpan& role : recording_.roles) {
    AddSlice({role.host.value(), kRole}, role.span,
             absl::StrCat(role.role, ", term ", role.term.value()));
  }
  for (const PauseSpan& pause : recording_.pauses) {
    AddSlice({pause.host.value(), kPauses}, pause.span, "paused");
  }
}

void Writer::AddLocks() {
  for (const HoldSpan& hold : recording_.holds) {
    AddSlice({kLocks, NumberOf(hold.key)}, hold.span,
             absl::StrCat("held by ", HostName(hold.holder)),
             {{"token", hold.token}});
  }
  for (const BeliefRecord& belief : recording_.beliefs) {
    RealSpan span = belief.span;
    span.end = std::min(span.end, recording_.end);
    AddSlice({belief.holder.value(), kBeliefs + NumberOf(belief.key)}, span,
             belief.is_suspect ? "suspect" : "held",
             {{"token", belief.token}, {"ended by", belief.ended_by}});
  }
}

void Writer::AddInterventions() {
  for (const CutSpan& cut : recording_.cuts) {
    AddSlice({kWorld, 1}, cut.span, cut.text);
  }
  for (const InterventionRecord& intervention : recording_.interventions) {
    const std::string who =
        intervention.host == HostId()
            ? ""
            : absl::StrCat(HostName(intervention.host), " ");
    Add(intervention.at.nanoseconds(), {kWorld, 1}, "i",
        absl::StrCat(who, intervention.text), {{"s", "g"}});
  }
  const Heading& heading = recording_.heading;
  if (!heading.failed_step.has_value()) return;
  const RecordedStep& failed = recording_.steps.at(*heading.failed_step);
  Add(failed.at.nanoseconds(), {failed.host.value(), kTurns}, "i",
      absl::StrCat("violation: ", heading.sentence), {{"s", "g"}});
}

}  // namespace

void WritePerfetto(const Recording& recording, std::ostream& out) {
  Writer(recording).Write(out);
}

}  // namespace cachalot::sim
