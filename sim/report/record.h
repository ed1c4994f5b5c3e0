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

// From `begin` until `end`; Never() while it lasts.
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

// What a node sent to another, and when that one took it in.
struct RecordedMessage {
  HostId from;
  HostId to;
  bool is_datagram = false;
  MessageFamily family = MessageFamily::kNoise;
  std::string kind;  // "VoteRequest"
  std::string text;  // "VoteRequest term 2, log ends at 3/1"
  size_t sent = 0;   // by this step
  // By these steps: none if it was lost, several if it was doubled.
  std::vector<size_t> taken;
};

// One order of a step: in words, or a message.
struct RecordedAction {
  std::string text;
  std::optional<size_t> message;
};

// One event and what the node made of it.
struct RecordedStep {
  RealInstant at;
  HostId host;
  // What happened to the node: in words, or a message. Neither if it was only
  // that time passed or that its turn ended.
  std::string event;
  std::optional<size_t> message;
  std::vector<std::string> decisions;  // with their reasons
  std::vector<RecordedAction> actions;
};

// What a process was to its cluster. It is down while there is no such span.
struct RoleSpan {
  RealSpan span;
  HostId host;
  // "leader", "follower", ...; "member" without a vote, "seeking" without a
  // cluster.
  std::string role;
  Term term;
};

struct PauseSpan {
  RealSpan span;
  HostId host;
};

// The same links are cut all the time.
struct CutSpan {
  RealSpan span;
  std::string text;                              // "partition: n1@0 n2@1"
  std::vector<std::pair<HostId, HostId>> links;  // from, to
};

// Who holds a lock by agreement: by the table of whoever applied the log first.
struct HoldSpan {
  RealSpan span;
  std::string key;
  size_t cluster = 0;  // numbered as they were seen; a sound run has one
  HostId holder;
  std::string token;
};

// Who believes to hold a lock, paused or not, in real time.
struct BeliefRecord {
  RealSpan span;
  std::string key;
  HostId holder;
  std::string token;
  bool is_suspect = false;  // the lease is running out
  std::string ended_by;     // why, if nothing followed
};

// Who asked for a lock and has no answer yet.
struct WaitSpan {
  RealSpan span;
  std::string key;
  HostId host;
  RequestId request;
  std::string outcome;
};

// What was done to a machine or, if it is none, to the world.
struct DeedRecord {
  RealInstant at;
  HostId host;
  std::string text;
};

enum class Ending : uint8_t { kPassed, kExcused, kFailed };

// What to say of the run before anything else.
struct Heading {
  std::string title;  // "seed 7"
  std::string plan;   // what it was made of
  Ending ending = Ending::kPassed;
  std::string sentence;  // what was violated, or the excuse
  std::optional<size_t> failed_step;
  // "events", "12773"
  std::vector<std::pair<std::string, std::string>> figures;
};

// A run as plain data, everything in the order in which it began: what is made
// into pages (page/page.h) and traces (perfetto.h). Spans that lasted to the
// end end with the run; but beliefs last for as long as their holders would go
// on believing.
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
  std::vector<DeedRecord> deeds;
  // What decisions call nodes ("32b7d302"), and where each ran.
  std::vector<std::pair<std::string, HostId>> names;
};

// Keeps a run for looking at it. Slow, and keeps everything: for one run, not
// for a campaign. To be added to the world as one that listens.
//
// What is taken in is matched with what was sent by its bytes, since messages
// have no other name: of datagrams that are equal the first is taken to have
// arrived first.
class Recorder : public Watcher {
 public:
  void Started(const World& world, HostId host) override;
  void Stopping(const World& world, HostId host) override;
  void Stepping(const World& world, HostId host, const Event& event) override;
  void Stepped(const World& world, HostId host, const Event& event,
               const Actions& actions) override;
  void Noted(const World& world, HostId host,
             absl::string_view decision) override;
  void Told(const World& world, HostId host, absl::string_view what) override;

  // What was seen so far; the step that is being made is the last. For the
  // caller to give it a heading.
  Recording Take();

 private:
  using Link = std::pair<HostId, HostId>;
  // Messages between two machines that hold the same bytes.
  struct Flight {
    std::deque<size_t> open;
    std::optional<size_t> last_taken;
  };
  // Sent on a stream, not taken in: they arrive in this order or never.
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

  // What changes without a word.
  void LookAround(const World& world, absl::string_view why);
  void LookAtCuts(const World& world, absl::string_view why);
  void LookAtPause(const World& world, HostId host);
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
