#ifndef TESTS_SCENARIOS_SCRIPT_H_
#define TESTS_SCENARIOS_SCRIPT_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engine/action.h"
#include "engine/event.h"
#include "engine/ids.h"
#include "engine/request.h"
#include "sim/judge/judge.h"
#include "sim/world/choices.h"
#include "sim/world/host.h"
#include "sim/world/instant.h"
#include "sim/world/world.h"
#include "tests/scenarios/replay.h"

namespace cachalot::sim {

// A scenario: directives that are run in a world of a few machines, under all
// judges. Each machine has one caller, whose requests these directives make.
//
//   cluster 3 seed=7 [disk] [session_ttl=3s] [compact=16] [voters=3]
//   run 1s
//   partition n1 | n2 n3       oneway n1 -> n2        heal
//   crash n1                   restart n1 [founding]  wipe n1
//   pause n1                   resume n1              leave n1
//   slow n1 150ms              from now on each turn of n1 starts this late
//   add                        adds a machine, which joins the others
//   add founding n1            adds one that founds a cluster unless n1 answers
//   try n1 key [ttl=5s]        runs until the answer
//   lock n1 key [ttl=5s] [wait=10s]    does not wait for the answer
//   renew n1 key [ttl=5s]      release n1 key         (until answered)
//   ask renew n1 key ...       the same, but does not wait for the answer
//   withdraw n1                withdraws the last request of n1
//   locks n1                   members n1             (until answered)
//   waiters n1 key             lists its waiters      (until answered)
//   revoke n1 key because WORDS                       (until answered)
//   many n1 COUNT [ttl=1h]     acquires COUNT locks, "bulk-0" and so on
//   repeat 3 [quiet]           runs the lines up to "end" three times; "quiet"
//     run 1s                   omits them from the trace
//     renew n1 key
//   end
//   tell WORDS                 from now on the trace also has the decisions
//   that
//                              contain WORDS
//
// Or the choices of a simulator run that once broke a property, as
// `simulate --shrink --scenario=FILE` writes them. Such a run needs no
// `cluster` directive; its choices decide the world:
//
//   choose turn 0 17 = 3500    one line of a choice log (sim/world/choices.h)
//   replay [harm=5s]           runs the log, as `simulate --choices` does;
//   fails
//                              if a property is broken
//
// Conditions that must hold whatever the trace says:
//
//   expect holder KEY n1 | nobody     in the agreed lock table
//   expect answer n1 OUTCOME          to the last request of n1
//   expect no answer n1
//   expect holder in answer n1 n2     the last answer to n1 names n2 as holder
//   expect n1 believes KEY            expect n1 does not believe KEY
//   expect leader n1 | somebody
//   expect n1 left                    it has left and exited
//   expect one cluster
//   expect voters COUNT
//   expect token n2 above n1          compares the tokens of their last grants
//   expect snapshot n4                it has installed a snapshot
class Script : public Watcher {
 public:
  // `replay`: options of `replay` directives, unless the directive says
  // otherwise.
  explicit Script(ReplayOptions replay = ReplayOptions())
      : replay_(std::move(replay)) {}

  // Runs one line and returns its trace.
  //
  // Errors: InvalidArgument (not a directive), FailedPrecondition (an
  // expectation does not hold, or a judge complained).
  absl::Status Run(absl::string_view line, std::string* trace);
  // Call it after the last line.
  //
  // Errors: FailedPrecondition (a `repeat` or `choose` is not completed).
  absl::Status End() const;

  void Started(const World& world, HostId host) override;
  void Stepped(const World& world, HostId host, const Event& event,
               const Actions& actions) override;
  void Stopping(const World& world, HostId host) override;
  void Noted(const World& world, HostId host,
             absl::string_view decision) override;

 private:
  using Words = std::vector<std::string>;

  // The last request of a machine's caller.
  struct Asked {
    RequestId request;
    std::optional<Answer> answer;
  };

  // The lines between "repeat" and "end", which are run at "end".
  struct Repetition {
    uint64_t count = 0;
    bool is_quiet = false;
    std::vector<Words> lines;
  };

  absl::Status RunDirective(const Words& words);
  absl::Status BeginRepetition(const Words& words);
  absl::Status EndRepetition();
  absl::Status Choose(const Words& words);
  absl::Status RunReplay(const Words& words);
  absl::Status DoToWorld(const Words& words);
  absl::Status DoToHost(const Words& words);
  absl::Status BuildCluster(const Words& words);
  absl::Status AddOne(const Words& words);
  absl::Status Partition(const Words& words);
  absl::Status Ask(const Words& words, bool waits);
  absl::Status AskMany(HostId host, uint64_t count, absl::Duration ttl);
  absl::Status Expect(const Words& words);
  absl::Status ExpectOfHost(HostId host, const Words& words);
  absl::Status ExpectHolder(const std::string& key, const std::string& who);

  void Submit(HostId host, Request request);
  void RunFor(absl::Duration duration);
  bool RunUntilAnswered(HostId host);
  void HandleNotice(const Notice& notice);
  void Write(RealInstant at, absl::string_view who, absl::string_view what);
  void NoteName(const World& world, HostId host);
  std::string Named(std::string text) const;
  std::string WhoIs(NodeId node) const;
  bool Believes(HostId host, const std::string& key) const;
  std::optional<ClusterId> LatestCluster() const;

  ReplayOptions replay_;
  std::optional<Repetition> repetition_;  // while its lines are read
  std::vector<std::string> shown_too_;    // by "tell"
  ChoiceLog chosen_;                      // not replayed yet

  std::unique_ptr<ChoiceSource> choices_;
  std::unique_ptr<World> world_;
  std::unique_ptr<Judge> judge_;
  HostOptions host_options_;
  std::map<NodeId, std::string> names_;
  std::map<HostId, Asked> asked_;
  std::map<HostId, FencingToken> granted_;
  std::map<std::pair<HostId, std::string>, FencingToken> tokens_;
  std::map<RequestId, std::string> keys_;
  bool is_quiet_ = false;  // nothing is written into the trace
  std::ostringstream trace_;
};

}  // namespace cachalot::sim

#endif  // TESTS_SCENARIOS_SCRIPT_H_
