#ifndef SIM_CLIENTS_RESOURCE_H_
#define SIM_CLIENTS_RESOURCE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/container/btree_map.h"
#include "absl/strings/string_view.h"
#include "engine/ids.h"
#include "sim/judge/checkers.h"
#include "sim/world/agenda.h"
#include "sim/world/chance.h"
#include "sim/world/choices.h"
#include "sim/world/host.h"
#include "sim/world/instant.h"
#include "sim/world/world.h"

namespace cachalot::sim {

// What a lock protects: a counter that remembers the highest token it has seen
// and refuses lower ones. It checks nothing else: if two clients believe that
// they hold the lock, only the tokens prevent a lost update.
//
// Reads raise the highest token too. Otherwise an older holder could write
// between the read and the write of a newer one.
class Resource {
 public:
  // Nothing if refused.
  std::optional<uint64_t> Read(const FencingToken& token);
  // False if refused.
  bool Write(const FencingToken& token, uint64_t value);

  uint64_t value() const { return value_; }
  const FencingToken& highest() const { return highest_; }

 private:
  bool Admit(const FencingToken& token);

  uint64_t value_ = 0;
  FencingToken highest_;
};

// Checks the accesses that one resource accepted: tokens never decrease, each
// token belongs to one holder, and each write adds one to the value before.
class ResourceChecker {
 public:
  Complaint ObserveRead(absl::string_view client, const FencingToken& token);
  Complaint ObserveWrite(absl::string_view client, const FencingToken& token,
                         uint64_t value);
  // Checks that the value equals the number of writes.
  Complaint CheckTotal(uint64_t value) const;

 private:
  Complaint NoteAccess(absl::string_view client, const FencingToken& token);

  FencingToken highest_;
  absl::btree_map<FencingToken, std::string> holders_;
  uint64_t writes_ = 0;
  std::string last_writer_ = "nobody";
};

// One grant of one client.
struct Holder {
  HostId host;
  uint64_t process = 0;  // the n-th of the host
  // The number of the client's own stream of choices.
  uint64_t stream = 0;
  std::string client;
  std::string lock;
  FencingToken token;
};

struct ResourceOptions {
  // After how many of the grants and renewals the holder visits the resource.
  Rate uses = Rate::Percent(50);
  Delay travel = {absl::Microseconds(100), absl::Milliseconds(5)};
  // From the answer to the read to the sending of the write. Often longer than
  // the lease, and sometimes longer than the process lives.
  Delay think = {absl::ZeroDuration(), absl::Milliseconds(50),
                 Rate::Percent(20), absl::Seconds(8)};
  Rate loss = Rate::Percent(2);  // of read requests, their answers, and writes
};

struct ResourceCounters {
  uint64_t reads = 0;
  uint64_t reads_refused = 0;
  uint64_t writes = 0;
  uint64_t writes_refused = 0;
  uint64_t lost = 0;
};

// The resources of all locks, and the visits of holders to them: a holder reads
// the value, thinks, and writes the value plus one. Messages take time. The
// holder does not check again whether it still holds the lock. So some writes
// arrive late: the holder has released or lost the lock, was paused or cut off,
// or has died.
class Resources {
 public:
  // `choices` is not owned and outlives the resources.
  Resources(ResourceOptions options, ChoiceSource* choices)
      : options_(options), choices_(choices) {}

  // A new process runs on the host; visits of the old one stop.
  void Started(HostId host) { ++processes_[host]; }
  uint64_t process(HostId host) const { return processes_.at(host); }

  // The holder may begin a visit. It has one visit at a time with one token: if
  // a message is lost, it never begins another with that token.
  void Use(RealInstant now, const Holder& holder);

  RealInstant NextDue() const { return agenda_.NextDue(); }
  // A message arrives, or a holder has finished thinking. Returns the holder
  // that the resource refused, if any.
  std::optional<Holder> RunNext(World& world);

  // The first violation. Tokens must prevent any, whatever the clocks do.
  const Complaint& damage() const { return damage_; }
  // Call it when no writes are left.
  Complaint CheckTotals() const;
  const ResourceCounters& counters() const { return counters_; }

 private:
  enum class Stage : uint8_t { kReading, kAnswered, kThinking, kWriting };

  // All random choices of a visit are made when it begins.
  struct Visit {
    Holder holder;
    Stage stage = Stage::kReading;
    uint64_t value = 0;         // that was read
    absl::Duration back;        // travel time of the answer
    absl::Duration think;       // time from the answer to the write
    absl::Duration there;       // travel time of the write
    std::optional<Stage> lost;  // the stage whose message is lost
  };
  struct Place {
    Resource resource;
    ResourceChecker checker;
  };

  Chance& ChanceOf(uint64_t stream);
  std::optional<Holder> ArriveToRead(World& world, Visit visit);
  std::optional<Holder> ArriveToWrite(World& world, const Visit& visit);
  void ContinueInProcess(const World& world, Visit visit);
  void Advance(RealInstant at, Stage stage, Visit visit);
  void TraceAccess(World& world, const Visit& visit, absl::string_view what,
                   bool accepted);
  void Note(const std::string& lock, const Complaint& complaint);

  ResourceOptions options_;
  ChoiceSource* choices_;
  Agenda<Visit> agenda_;
  absl::btree_map<std::string, Place> places_;  // by lock
  absl::btree_map<HostId, uint64_t> processes_;
  absl::btree_map<uint64_t, Chance> chances_;
  // By client: the token of its unfinished visit.
  absl::btree_map<std::string, FencingToken> visiting_;
  Complaint damage_;
  ResourceCounters counters_;
};

}  // namespace cachalot::sim

#endif  // SIM_CLIENTS_RESOURCE_H_
