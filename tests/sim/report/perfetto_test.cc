#include "sim/report/perfetto.h"

#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "engine/ids.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "sim/report/record.h"
#include "sim/run/plan.h"
#include "sim/run/runner.h"
#include "sim/world/choices.h"
#include "sim/world/host.h"
#include "sim/world/instant.h"

namespace cachalot::sim {
namespace {

using nlohmann::json;
using testing::Contains;
using testing::SizeIs;

// "Process" and "thread" of the format.
using Track = std::pair<uint64_t, uint64_t>;

Track TrackOf(const json& event) { return {event["pid"], event["tid"]}; }

json Written(const Recording& recording) {
  std::stringstream out;
  WritePerfetto(recording, out);
  return json::parse(out)["traceEvents"];
}

const Recording& SomeRun() {
  static const Recording* const run = [] {
    ChoiceSource choices(5);
    Plan plan = Plan::Draw(&choices);
    plan.harm = absl::Seconds(3);
    Recorder recorder;
    RunPlan(plan, &choices, {.watchers = {&recorder}});
    return new Recording(recorder.Take());
  }();
  return *run;
}

const json& SomeTrace() {
  static const json* const trace = new json(Written(SomeRun()));
  return *trace;
}

std::vector<json> EventsOf(const std::string& phase) {
  std::vector<json> events;
  for (const json& event : SomeTrace()) {
    if (event["ph"] == phase) events.push_back(event);
  }
  return events;
}

TEST(PerfettoTest, TimeNeverGoesBackOnATrack) {
  std::map<Track, double> last;
  for (const json& event : SomeTrace()) {
    const double at = event["ts"];
    EXPECT_GE(at, last[TrackOf(event)]);
    last[TrackOf(event)] = at;
  }
}

TEST(PerfettoTest, EveryTrackHasAName) {
  std::vector<Track> named;
  for (const json& event : EventsOf("M")) {
    if (event["name"] == "thread_name") named.push_back(TrackOf(event));
  }
  for (const json& event : SomeTrace()) {
    EXPECT_THAT(named, Contains(TrackOf(event)));
  }
}

// A viewer attaches the ends of a flow to the slices that begin there.
TEST(PerfettoTest, EachFlowBeginsAndEndsAtATurn) {
  std::map<Track, std::vector<double>> turns;
  for (const json& slice : EventsOf("X")) {
    turns[TrackOf(slice)].push_back(slice["ts"]);
  }
  std::map<uint64_t, json> begun;
  for (const json& event : EventsOf("s")) {
    EXPECT_TRUE(begun.emplace(event["id"], event).second);
    EXPECT_THAT(turns[TrackOf(event)], Contains(double{event["ts"]}));
  }
  size_t arrivals = 0;
  for (const RecordedMessage& message : SomeRun().messages) {
    arrivals += message.taken.size();
  }
  EXPECT_THAT(begun, SizeIs(arrivals));
  for (const json& event : EventsOf("f")) {
    const auto found = begun.find(event["id"]);
    ASSERT_NE(found, begun.end());
    EXPECT_LE(double{found->second["ts"]}, double{event["ts"]});
    EXPECT_THAT(turns[TrackOf(event)], Contains(double{event["ts"]}));
    begun.erase(found);
  }
  EXPECT_THAT(begun, SizeIs(0));
}

TEST(PerfettoTest, TurnsOfAMachineDoNotOverlap) {
  std::map<Track, double> ends;
  for (const json& slice : EventsOf("X")) {
    if (slice["args"].count("lines") == 0) continue;
    double& end = ends[TrackOf(slice)];
    // Microseconds with three digits behind the point.
    EXPECT_GE(double{slice["ts"]} + 0.0001, end);
    EXPECT_GE(double{slice["dur"]}, 0);
    end = double{slice["ts"]} + double{slice["dur"]};
  }
  EXPECT_FALSE(ends.empty());
}

TEST(PerfettoTest, ShowsRolesLeasesPausesAndTheViolation) {
  Recording run;
  run.host_count = 1;
  run.end = RealInstant() + absl::Seconds(1);
  const RealSpan all = {RealInstant(), run.end};
  run.steps.push_back({RealInstant() + absl::Milliseconds(1), HostId(1)});
  run.roles.push_back({all, HostId(1), "leader", Term(4)});
  run.pauses.push_back({all, HostId(1)});
  run.holds.push_back({all, "\xff<door>", 0, HostId(1), "2"});
  run.beliefs.push_back({all, "\xff<door>", HostId(1), "2", false, ""});
  run.heading.sentence = "n1: broken";
  run.heading.failed_step = 0;
  std::vector<std::string> names;
  for (const json& event : Written(run)) names.push_back(event["name"]);
  EXPECT_THAT(names, Contains("leader, term 4"));
  EXPECT_THAT(names, Contains("paused"));
  EXPECT_THAT(names, Contains("held by n1"));
  EXPECT_THAT(names, Contains("held"));
  EXPECT_THAT(names, Contains("violation: n1: broken"));
}

}  // namespace
}  // namespace cachalot::sim
