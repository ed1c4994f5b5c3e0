#ifndef TESTS_IO_JUDGE_JUDGE_H_
#define TESTS_IO_JUDGE_JUDGE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <set>
#include <stop_token>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/request.h"
#include "engine/strong_id.h"
#include "io/grant.h"
#include "io/held_lock.h"
#include "sim/world/clock.h"
#include "sim/world/trace.h"
#include "tests/io/judge/virtual_driver.h"
#include "tests/io/judge/virtual_time.h"

namespace cachalot::io_judge {

// One process, from its start to its end; the first is 1.
using ProcessId = StrongId<struct ProcessKind>;
// One call of the embedder's, or request at the local socket.
using CallId = StrongId<struct CallKind>;

// Through which door a caller came.
enum class Door : uint8_t { kEmbedder, kLocalSocket };

// One HeldLock, in the hands of the code under test's caller.
struct Holding {
  ProcessId process;
  RequestId request;
  std::string key;
  std::string owner;
  FencingToken token;
  std::optional<HeldLock> lock;  // nothing: given up, or detached
  bool has_callback = false;
  bool is_detached = false;
  // The holder gave it up: it is to be told nothing more.
  bool is_silent = false;
  bool was_zero = false;  // remaining() has said so
  // Of lock.stop_token(), once somebody wanted it.
  std::optional<std::stop_token> stop;
  bool must_stop = false;  // it is to have tripped
  bool is_loss_told = false;
  Belief told = Belief::kHeld;
};

// What the judge saw; a run without any of it has proved nothing.
struct JudgeCounters {
  uint64_t grants = 0;        // to embedders
  uint64_t local_grants = 0;  // to programs at local sockets
  uint64_t losses_told = 0;   // by callbacks
  uint64_t answers = 0;
  uint64_t releases = 0;  // that the engine was asked for
  uint64_t beliefs_compared = 0;
  uint64_t revocations = 0;  // that holders were told of
  uint64_t stops = 0;        // of a lock's stop_token
  uint64_t forks = 0;        // of children that tried what they inherited
};

// Judges what the lock service, its handles and the local server do, by what
// goes in and out of them:
//
//   - one believer: of the holdings of one key at most one believes, over all
//     processes; and none believes longer than its engine does;
//   - each loss is told once, last, and for a reason that is true, in the words
//     of the administrator who caused it;
//   - a lock's stop_token trips when it is suspect, lost or given up, and not
//     before;
//   - who had a lock before has heard of its loss when another is granted it;
//   - nobody is called after the end: of the handle, or of the service;
//   - each call is answered once, by the end of the service at the latest;
//   - nothing is released or renewed but with the proof of the one who may;
//   - what was given up is released, at once;
//   - the work of a turn is bounded by what the turn brought;
//   - a child of fork() is refused everything, believes in nothing, and
//     disturbs nobody.
//
// Remembers the first complaint.
class Judge {
 public:
  // `time` is not owned and outlives the judge. `log` may be null.
  Judge(const VirtualTime* time, std::ostream* log)
      : time_(time), trace_(log) {}

  const std::optional<std::string>& complaint() const { return complaint_; }
  void Complain(absl::string_view sentence);
  bool has_log() const { return trace_.is_on(); }
  void Note(absl::string_view who, absl::string_view what);
  const JudgeCounters& counters() const { return counters_; }
  uint64_t hash() const { return hash_.value(); }

  // --- Processes ------------------------------------------------------------

  // `clock`, of its machine, is not owned and outlives the judge.
  ProcessId StartProcess(const sim::ClockPair* clock);
  // What its driver is to report to; lives as long as the judge.
  DriverWatcher* WatcherOf(ProcessId process);
  // Right after the driver was made.
  void SetDriver(ProcessId process, VirtualDriver* driver);
  void LeaveAsked(ProcessId process) { At(process).is_leaving = true; }
  // Its service is about to stop. The driver is gone when it has.
  void Stopping(ProcessId process) { At(process).life = Life::kStopping; }
  void Stopped(ProcessId process);
  // SIGKILL: whatever it still says is not judged.
  void Killed(ProcessId process);
  // A child of it tried what it had inherited; "" if nothing was wrong.
  void Forked(ProcessId process, absl::string_view wrong);
  bool IsJudged(ProcessId process) const;
  bool IsRunning(ProcessId process) const {
    return At(process).life == Life::kRunning;
  }

  // --- Calls ----------------------------------------------------------------

  CallId Ask(ProcessId process, Door door, absl::string_view what);
  void Answer(CallId call, absl::string_view outcome);
  // Nobody waits for the answer any more: its connection has ended. What was
  // asked may yet be done.
  void Abandon(CallId call);
  // Its caller has stopped it: it must be answered soon, and not with the lock.
  void Stop(CallId call);
  // It is answered when the lock of `token` is lost, or sooner.
  void AwaitsLoss(CallId call, FencingToken token);
  bool IsAnswered(CallId call) const { return !calls_.contains(call); }

  // Somebody is about to take `key` from its holder.
  void Forces(absl::string_view key, absl::string_view reason) {
    forced_.emplace(std::string(key), std::string(reason));
  }

  // Whoever made the call may release and renew what it names: by the token...
  void Permit(FencingToken token) { permitted_.insert(token); }
  // ...or, for as long as the call is open, by the owner.
  void PermitOwner(CallId call, absl::string_view key, absl::string_view owner);
  // A program was gone before it heard of the grant it had asked for. Unless it
  // `must_release`, the agent may keep the lock.
  void PermitUnheard(ProcessId process, absl::string_view key,
                     absl::string_view owner, bool must_release);

  // --- Locks ----------------------------------------------------------------

  // An embedder was granted a lock: before it does anything with it.
  std::shared_ptr<Holding> Held(ProcessId process, HeldLock lock,
                                bool has_callback);
  // The handle is about to be released or destroyed.
  void GivingUp(Holding& holding);
  void Detaching(Holding& holding);
  // The holder's callback was called.
  void Told(Holding& holding, const LockChange& change);
  // A holder looked at the time that remains.
  void Looked(Holding& holding);
  // A holder wants to be stopped.
  void Watches(Holding& holding);
  // A program was granted a lock.
  void HeldLocally(ProcessId process, absl::string_view key,
                   FencingToken token);
  // A program was told by its agent for how long it may believe in its lock,
  // and counts from when it asked.
  void BelievesLocally(FencingToken token, RealInstant asked,
                       absl::Duration belief);
  void ToldLocally(FencingToken token, LossReason reason);
  // A connection ended, with which this lock is to be given up.
  void MustBeReleased(ProcessId process, FencingToken token);

  // A connection ended that waited for `key` under an owner of its own, or had
  // been granted it and had not read so. If `also_granted`, such a grant is to
  // be given up, too, whenever it comes.
  void MustBeGivenBack(ProcessId process, absl::string_view key,
                       absl::string_view owner, bool also_granted);

  // --- The end --------------------------------------------------------------

  // The world is healed and quiet: everything must be answered, and every grant
  // must be somebody's.
  void JudgeQuiet();

 private:
  enum class Life : uint8_t { kRunning, kStopping, kStopped, kKilled };

  // A grant as the engine answered it.
  struct Granted {
    ProcessId process;
    ClusterId cluster;  // that granted it
    RequestId request;
    std::string key;
    std::string owner;
    std::optional<Door> door;  // of whom was told; nothing: nobody was
    std::weak_ptr<Holding> holding;
    bool is_lost = false;  // says the engine
    LossReason reason = LossReason::kNone;
    std::string text;  // of the loss
    bool releases_itself = false;
    bool is_release_asked = false;
    // Until when a program believes in it.
    FastInstant local_belief_end;
    // Turns of its process by the end of which it must be told, or released.
    std::optional<uint64_t> tell_by;
    std::optional<uint64_t> release_by;
  };

  struct Asked {
    std::string key;  // of an acquire
    std::string owner;
    bool is_acquire = false;
    bool releases_itself = false;
    bool is_answered = false;
    // The turn by the end of which it must be withdrawn or answered.
    std::optional<uint64_t> withdraw_by;
    // Nobody is there any more who could be told of a grant.
    bool is_abandoned = false;
  };

  struct Process : public DriverWatcher {
    Judge* judge = nullptr;
    ProcessId id;
    Life life = Life::kRunning;
    bool is_leaving = false;
    const sim::ClockPair* clock = nullptr;
    VirtualDriver* driver = nullptr;
    uint64_t turns = 0;
    absl::btree_map<RequestId, Asked> asked;
    // Grants, and acquires, of which something is due.
    absl::btree_set<FencingToken> due;
    absl::btree_set<RequestId> withdrawals_due;

    void OnLearned(const Event& event) override;
    void OnAnswered(const AnswerRequest& answer) override;
    void OnNotified(const NotifyHolder& notice) override;
    void OnTurnEnded() override;
  };

  struct Call {
    ProcessId process;
    Door door = Door::kEmbedder;
    std::string what;
    // The turn of its process by the end of which it is forgotten.
    std::optional<uint64_t> forget_by;
    // ...and by the end of which it must be answered.
    std::optional<uint64_t> answer_by;
    // A claim by owner.
    std::string key;
    std::string owner;
    // Whose loss it awaits; none: no lock's.
    FencingToken awaits_loss_of;
  };

  Process& At(ProcessId id) {
    return *processes_[static_cast<size_t>(id.value() - 1)];
  }
  const Process& At(ProcessId id) const {
    return *processes_[static_cast<size_t>(id.value() - 1)];
  }
  void CheckPermit(const Process& process, absl::string_view what,
                   absl::string_view key, FencingToken token);
  bool IsPermitted(const Process& process, absl::string_view key,
                   FencingToken token) const;
  // No other holding of the key believes.
  void CheckSoleBelief(absl::string_view key, FencingToken token);
  void CheckEarlierLoss(const Process& process, absl::string_view key);
  void CheckHolding(Process& process, Holding& holding);
  void CheckDue(Process& process);
  void CheckCalls(const Process& process);
  void CheckDue(Process& process, FencingToken token, Granted& granted);
  void CheckLossReason(const Granted& granted, LossReason reason);
  void CheckWords(const Granted& granted, const LockLoss& told);
  void CheckLoss(Holding& holding);
  void CheckStop(const Process& process, Holding& holding);
  void Hash(absl::string_view what);

  const VirtualTime* const time_;
  sim::Trace trace_;
  sim::TraceHash hash_;
  std::optional<std::string> complaint_;
  JudgeCounters counters_;
  std::vector<std::unique_ptr<Process>> processes_;
  absl::btree_map<CallId, Call> calls_;  // not answered yet
  uint64_t last_call_ = 0;
  absl::btree_map<FencingToken, Granted> grants_;
  // Those that are not lost, says their engine.
  absl::btree_map<std::string, absl::btree_set<FencingToken>> live_by_key_;
  // Those in which programs believe, or did.
  absl::btree_map<std::string, absl::btree_set<FencingToken>> local_by_key_;
  // Of living processes.
  std::vector<std::shared_ptr<Holding>> holdings_;
  absl::btree_set<FencingToken> permitted_;
  std::set<std::pair<std::string, std::string>> forced_;  // key, reason
  // Process, key and owner: may be released; and, of these, may be kept.
  std::set<std::tuple<ProcessId, std::string, std::string>> unheard_;
  std::set<std::tuple<ProcessId, std::string, std::string>> kept_unheard_;
};

}  // namespace cachalot::io_judge

#endif  // TESTS_IO_JUDGE_JUDGE_H_
