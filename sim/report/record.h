#ifndef SIM_REPORT_RECORD_H_
#define SIM_REPORT_RECORD_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/strings/string_view.h"
#include "engine/action.h"
#include "engine/address.h"
#include "engine/event.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/node.h"
#include "engine/request.h"
#include "sim/world/host.h"
#include "sim/world/instant.h"
#include "sim/world/world.h"

namespace cachalot::sim {

// From `begin` until `end`; `end` is Never() while it lasts.
struct RealSpan {
  RealInstant begin;
  RealInstant end = RealInstant::Never();
};

enum class MessageFamily : uint8_t {
  kMembership,
  kConsensus,
  kClient,
  kNoise,  // does not decode
};

const char* MessageFamilyName(MessageFamily family);

// A message from one node to another.
struct RecordedMessage {
  HostId from;
  HostId to;
  bool is_datagram = false;
  MessageFamily family = MessageFamily::kNoise;
  std::string kind;  // "VoteRequest"
  std::string text;  // "VoteRequest term 2, log ends at 3/1"
  size_t sent = 0;   // index of the step that sent it
  // Indices of the steps that received it: none if it was lost, several if it
  // was duplicated.
  std::vector<size_t> taken;
};

// One action of a step: a text, or the index of a message.
struct RecordedAction {
  std::string text;
  std::optional<size_t> message;
};

// One event and how the node handled it.
struct RecordedStep {
  RealInstant at;
  HostId host;
  // The event: a text, or the index of a message. Neither for TimeAdvanced and
  // TurnEnded.
  std::string event;
  std::optional<size_t> message;
  std::vector<std::string> decisions;  // with their reasons
  std::vector<RecordedAction> actions;
};

// The role of a process in its cluster. The machine is down between such spans.
struct RoleSpan {
  RealSpan span;
  HostId host;
  // "leader", "follower", ...; "member" if it has no vote, "seeking" if it has
  // no cluster.
  std::string role;
  Term term;
};

struct PauseSpan {
  RealSpan span;
  HostId host;
};

// A time in which the set of cut links did not change.
struct CutSpan {
  RealSpan span;
  std::string text;                              // "partition: n1@0 n2@1"
  std::vector<std::pair<HostId, HostId>> links;  // from, to
};

// The holder of a lock in the agreed lock table, as seen on the node that
// applied each entry first.
struct HoldSpan {
  RealSpan span;
  std::string key;
  size_t cluster = 0;  // in the order in which clusters appeared
  HostId holder;
  std::string token;
};

// A machine that believes that it holds a lock, in real time, paused or not.
struct BeliefRecord {
  RealSpan span;
  std::string key;
  HostId holder;
  std::string token;
  bool is_suspect = false;  // the lease is running out
  std::string ended_by;  // why it ended; empty if the next record continues it
};

// An acquire request from its submission to its answer.
struct WaitSpan {
  RealSpan span;
  std::string key;
  HostId host;
  RequestId request;
  std::string outcome;
};

// Something that was done to a machine, such as a crash; to the whole world, if
// `host` is HostId().
struct InterventionRecord {
  RealInstant at;
  HostId host;
  std::string text;
};

enum class RunVerdict : uint8_t { kPassed, kExcused, kFailed };

// The summary at the top of the page.
struct Heading {
  std::string title;  // "seed 7"
  std::string plan;   // Plan::Describe()
  RunVerdict verdict = RunVerdict::kPassed;
  std::string sentence;  // the violation or the excuse
  std::optional<size_t> failed_step;
  // "events", "12773"
  std::vector<std::pair<std::string, std::string>> figures;
};

// A run as plain data, from which pages (page/page.h) and traces (perfetto.h)
// are made. Each list is in the order in which its items began. Spans that are
// open at the end of the run end with it, except beliefs: they end when their
// holder would stop believing.
struct Recording {
  Heading heading;
  size_t host_count = 0;
  RealInstant end;
  std::vector<RecordedStep> steps;
  std::vector<RecordedMessage> messages;
  std::vector<RoleSpan> roles;
  std::vector<PauseSpan> pauses;
  std::vector<CutSpan> cuts;
  std::vector<HoldSpan> holds;
  std::vector<BeliefRecord> beliefs;
  std::vector<WaitSpan> waits;
  std::vector<InterventionRecord> interventions;
  // The short ids of nodes in decisions ("32b7d302"), and where each ran.
  std::vector<std::pair<std::string, HostId>> names;
};

// Records a run. Slow, and keeps everything: for one run, not for a campaign.
// Add it to the world with `listens`.
//
// Messages have no ids, so received messages are matched with sent ones by
// their bytes. Equal datagrams are assumed to arrive in the order of sending.
class Recorder : public Watcher {
 public:
  void Started(const World& world, HostId host) override;
  void Stopping(const World& world, HostId host) override;
  void Stepping(const World& world, HostId host, const Event& event) override;
  void Stepped(const World& world, HostId host, const Event& event,
               const Actions& actions) override;
  void Noted(const World& world, HostId host,
             absl::string_view decision) override;
  void Intervened(const World& world, HostId host,
                  absl::string_view what) override;

  // What was recorded so far; a step that has not returned is the last. The
  // caller sets the heading.
  Recording Take();

 private:
  using Link = std::pair<HostId, HostId>;
  // Equal datagrams on one link.
  struct Flight {
    std::deque<size_t> open;  // not received yet
    std::optional<size_t> last_taken;
  };
  // A frame that was sent and not received yet. Frames of a link arrive in
  // order.
  struct Frame {
    uint64_t hash;
    size_t message;
  };
  struct Process {
    std::optional<size_t> role;
    std::optional<size_t> pause;
    absl::btree_map<RequestId, size_t> beliefs;
    absl::btree_map<RequestId, size_t> waits;
  };
  struct Cluster {
    size_t number = 0;
    LogIndex applied;
    absl::btree_map<std::string, size_t> holds;
  };

  // Cuts and pauses change without a call of the watcher.
  void UpdateCutsAndPauses(const World& world, absl::string_view why);
  void UpdateCuts(const World& world, absl::string_view why);
  void UpdatePause(const World& world, HostId host);
  void NoteRole(const World& world, HostId host);
  void NoteHolds(const World& world, HostId host);
  void NoteBeliefs(const World& world, HostId host, const Actions& actions);
  void NoteBelief(const World& world, HostId host, const Client::Held& held);
  void EndBelief(const World& world, size_t belief, std::string ended_by);
  void NoteWaits(const World& world, HostId host, const Event& event,
                 const Actions& actions);
  void NoteAction(const World& world, HostId host, const Action& action);

  void NoteArrival(const World& world, const Event& event);
  std::optional<size_t> Match(const Link& link, bool is_datagram,
                              const std::string& bytes);
  std::optional<size_t> MatchFrame(const Link& link, uint64_t hash);
  std::optional<size_t> MatchDatagram(const Link& link, uint64_t hash);
  // Nothing if nobody listens at `to`.
  std::optional<size_t> NoteSent(const World& world, HostId from,
                                 const Address& to, bool is_datagram,
                                 const std::string& bytes);

  RecordedStep& step() { return recording_.steps.back(); }

  Recording recording_;
  bool is_stepping_ = false;
  std::map<HostId, Process> processes_;
  std::map<ClusterId, Cluster> clusters_;
  std::map<NodeId, HostId> hosts_of_;
  absl::btree_set<std::pair<Address, Address>> cuts_;
  std::map<Link, std::deque<Frame>> frames_;
  std::map<std::pair<Link, uint64_t>, Flight> datagrams_;
};

}  // namespace cachalot::sim

#endif  // SIM_REPORT_RECORD_H_
