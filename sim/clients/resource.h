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

// What a lock protects: a counter that remembers the highest token it has been
// shown, and refuses whoever comes with a lower one. Neither read nor write is
// conditional on anything else: if two take each other for gone, nothing but
// the tokens stands between them and a lost update.
//
// Reads raise the mark as well, or an older holder could write between a
// younger one's read and its write.
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

// Judges one resource by what it let through: tokens never fall, each is one
// holder's, and each write adds one to what the last one left.
class ResourceLedger {
 public:
  Complaint WasRead(absl::string_view client, const FencingToken& token);
  Complaint WasWritten(absl::string_view client, const FencingToken& token,
                       uint64_t value);
  // The value is as many as the writes.
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
  uint64_t process = 0;  // counts those of the host
  // The client's stream of choices; not another's.
  uint64_t stream = 0;
  std::string client;
  std::string lock;
  FencingToken token;
};

struct ResourceOptions {
  // Of the grants and renewals, how many are used for a write.
  Rate uses = Rate::Percent(50);
  Delay travel = {absl::Microseconds(100), absl::Milliseconds(5)};
  // Between the answer to the read and the sending of the write: often longer
  // than the lease, and longer than the process lives.
  Delay think = {absl::ZeroDuration(), absl::Milliseconds(50),
                 Rate::Percent(20), absl::Seconds(8)};
  Rate loss = Rate::Percent(2);  // of reads, answers and writes
};

struct ResourceCounters {
  uint64_t reads = 0;
  uint64_t reads_refused = 0;
  uint64_t writes = 0;
  uint64_t writes_refused = 0;
  uint64_t lost = 0;
};

// The resources of all locks, each reached with delays, and their visitors: a
// holder reads, thinks and writes what it read plus one. It does not ask again
// whether it still holds the lock, so some writes come late: from holders that
// have released, lost their belief, been paused or cut off, or died since.
class Resources {
 public:
  // `choices` is not owned and outlives the resources.
  Resources(ResourceOptions options, ChoiceSource* choices)
      : options_(options), choices_(choices) {}

  // Another process runs on the host: the one before does nothing more.
  void Started(HostId host) { ++processes_[host]; }
  uint64_t process(HostId host) const { return processes_.at(host); }

  // The holder may begin a visit. One at a time with one token: a visit that
  // was never answered is its last.
  void Use(RealInstant now, const Holder& holder);

  RealInstant NextDue() const { return agenda_.NextDue(); }
  // A message arrives, or a visitor has thought. Returns who was refused, if
  // somebody was.
  std::optional<Holder> RunNext(World& world);

  // The first damage that was done; none is what tokens promise, whatever
  // clocks do.
  const Complaint& damage() const { return damage_; }
  // When nothing will be written any more.
  Complaint CheckTotals() const;
  const ResourceCounters& counters() const { return counters_; }

 private:
  enum class Stage : uint8_t { kReading, kAnswered, kThinking, kWriting };

  // All of its choices are made when it begins.
  struct Visit {
    Holder holder;
    Stage stage = Stage::kReading;
    uint64_t value = 0;  // that was read
    absl::Duration back;
    absl::Duration think;
    absl::Duration there;
    std::optional<Stage> lost;  // whose message does not arrive
  };
  struct Place {
    Resource resource;
    ResourceLedger ledger;
  };

  Chance& ChanceOf(uint64_t stream);
  std::optional<Holder> ArriveToRead(World& world, Visit visit);
  std::optional<Holder> ArriveToWrite(World& world, const Visit& visit);
  void ActAtHome(const World& world, Visit visit);
  void GoOn(RealInstant at, Stage stage, Visit visit);
  void Tell(World& world, const Visit& visit, absl::string_view what,
            bool accepted);
  void Note(const std::string& lock, const Complaint& complaint);

  ResourceOptions options_;
  ChoiceSource* choices_;
  Agenda<Visit> agenda_;
  absl::btree_map<std::string, Place> places_;  // by lock
  absl::btree_map<HostId, uint64_t> processes_;
  absl::btree_map<uint64_t, Chance> chances_;
  // By client: the token of the visit that has not come to its end.
  absl::btree_map<std::string, FencingToken> visiting_;
  Complaint damage_;
  ResourceCounters counters_;
};

}  // namespace cachalot::sim

#endif  // SIM_CLIENTS_RESOURCE_H_
