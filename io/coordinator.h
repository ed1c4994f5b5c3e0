#ifndef IO_COORDINATOR_H_
#define IO_COORDINATOR_H_

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engine/address.h"
#include "engine/ids.h"
#include "engine/observer.h"
#include "engine/options.h"
#include "engine/request.h"
#include "io/agent_status.h"
#include "io/caller_limits.h"
#include "io/grant.h"
#include "io/held_lock.h"
#include "io/log.h"
#include "io/log_event.h"
#include "io/resolver.h"
#include "io/run_result.h"
#include "io/seed_resolver.h"
#include "io/status_codes.h"
#include "io/time_span.h"

// Cachalot in a process: one member of a cluster, and the locks it takes.
//
//   CoordinatorOptions options;
//   options.bind = "localhost:7947";
//   options.seeds = {"localhost:7946"};
//   auto coordinator = Coordinator::Create(options).value();
//   coordinator->Connect(absl::Seconds(10));
//   absl::StatusOr<HeldLock> lock =
//       coordinator->Lock("example-key", absl::Seconds(30));
//
// What the status codes mean, wherever they come from:
//
//   OK                  It is done.
//   Unknown             It may have happened, or may happen yet. IsUnknown().
//
// and of all others that nothing was changed and nothing will be; IsRefused():
//
//   AlreadyExists       TryLock(): the lock is held by another. Create(): the
//                       port is.
//   DeadlineExceeded    The wait ended first; the lock is not held. Connect():
//                       still trying.
//   FailedPrecondition  Not held, or lost; after Leave(); or a blocking call
//                       from a callback.
//   PermissionDenied    Held in this process by another owner, or taken the
//                       other way (by this program, at its local socket).
//   ResourceExhausted   Too much at once; later it may do.
//   Unavailable         No leader of a cluster was reached in time.
//   Cancelled           Withdrawn by the caller.
//   InvalidArgument     A limit or a form; the text says which.
//   NotFound            Create(): no such host.
namespace cachalot {

class EngineDriver;
class LocalServer;
class SeedWatch;

struct CoordinatorOptions {
  // Where to listen: "HOST:PORT", "[V6]:PORT", or ":PORT" for all addresses.
  // Port 0: any that is free.
  std::string bind;
  // Where others reach this process, if not where it listens. "HOST:PORT"; port
  // 0: the port of `bind`; ":PORT": another port, but an address as if this was
  // empty. Empty: the address of `bind`; if that is for all addresses, one of
  // this machine's that is not loopback, if there is any: that of a seed which
  // is this process itself; the one from which a seed is reached; that of the
  // default route.
  std::string advertise;
  // Where members may be found, at least one; any that lives will do. A process
  // whose only seed is itself founds a cluster. A name counts with all its
  // addresses, and is looked up again for as long as this process lives; one
  // that is not known (yet) is tried again.
  std::vector<std::string> seeds;
  // Looks up the names of `seeds`, `bind` and `advertise`. On threads of its
  // own; one that hangs may outlive the coordinator, with what this function
  // owns. Null: the machine's name service (getaddrinfo).
  HostLookup lookup;
  SeedTiming seed_timing;
  // For people. Empty: the advertised address.
  std::string name;
  // NodeOptions::bootstrap_expect. Unset: 1 if the only seed is this process
  // itself, else 0.
  std::optional<int> bootstrap_expect;
  // Path of a Unix socket for programs of this user and of root on this
  // machine (io/local/client.h; io/local/path.h has the places where clients
  // look by default). Empty: none.
  std::string local_socket;
  // A group, by name or number, whose members may use it too. Empty: none.
  std::string local_socket_group;

  TimeSpan birth_delay = absl::Seconds(2);
  MembershipOptions membership;
  ConsensusOptions consensus;
  LeaseOptions lease;

  // How much the callers of this member may have open at a time.
  CallerLimits limits;

  // Called on the driver's thread whenever the node joins or loses a cluster,
  // its leader or its session. Must not block.
  std::function<void(const Standing&)> on_standing;
  // Called on the driver's thread when Leave(), or a program at the local
  // socket, has made this node leave.
  std::function<void()> on_left;
  // Gets what happens to this node, at `log_level` and above, one record at a
  // time, on a thread of its own: it may wait for a disk or a pipe. What it is
  // too slow for is lost, counted and told of. Must not throw. Not called any
  // more when the destructor has returned. Null: no text is made.
  LogFunction log;
  LogLevel log_level = LogLevel::kInfo;
  // Not owned; may be null; outlives the coordinator. Called on the driver's
  // thread.
  Observer* observer = nullptr;
};

struct LockOptions {
  // How long to wait for the lock, whatever its lease. Infinite: for as long as
  // it takes (a week).
  TimeSpan wait = absl::InfiniteDuration();
  // Ends a blocking call: Cancelled, and the lock is not held then. The
  // asynchronous forms have Withdraw().
  std::stop_token stop;
  // Who in this process asks. Shown to others; lets the lock be renewed and
  // released by its key under the same owner. Empty: only by its HeldLock or
  // its token.
  std::string owner;
  // Told when the lease runs out, is renewed after all, and, once and with its
  // reason, when the lock is lost, whoever caused that; but not of what the
  // HeldLock's own Release() or destructor does. When one of these has
  // returned, no call runs or begins; they wait for one that runs in another
  // thread, so do not destroy a HeldLock under a mutex that its callback
  // takes. Called on the driver's thread; must not block or throw; may call
  // the asynchronous forms, and may destroy its HeldLock.
  ChangeCallback on_change;
  // Keeps the lock renewed, each time for its ttl, in the member's own thread:
  // until it is released or lost, or `max_hold` after the grant, when its lease
  // ends. A process that hangs keeps such a lock; `max_hold` bounds that. Not
  // below the ttl.
  bool renew = false;
  TimeSpan max_hold = absl::InfiniteDuration();
};

// Durations are absl's or std::chrono's, as TimeSpan says.
//
// One member of a cluster. Thread-safe.
//
// Each operation has a blocking form and one that calls back. Callbacks come
// on the driver's thread, exactly once, and must not block it: they may call
// the asynchronous forms; a blocking form fails there. When the coordinator
// is closed, they come at once, on the caller's thread. A callback that throws
// ends the program.
//
// A child of fork() inherits no member: there each call fails with
// FailedPrecondition, no lock is held, and the destructor leaves everything
// alone. Descriptors are closed by exec. No signals are used: the member's
// thread blocks all but those of crashes and profilers, and never raises
// SIGPIPE. Nothing throws but std::bad_alloc; broken invariants abort.
class Coordinator {
 public:
  using LockCallback = absl::AnyInvocable<void(absl::StatusOr<HeldLock>)>;
  using LocksCallback =
      absl::AnyInvocable<void(absl::StatusOr<std::vector<LockInfo>>)>;
  using LockInfoCallback = absl::AnyInvocable<void(absl::StatusOr<LockInfo>)>;
  using WaitersCallback =
      absl::AnyInvocable<void(absl::StatusOr<std::vector<WaiterInfo>>)>;
  using MembersCallback =
      absl::AnyInvocable<void(absl::StatusOr<std::vector<MemberInfo>>)>;

  // Binds and begins to look for the cluster, in a thread of its own.
  //
  // A seed's name that cannot be looked up is no error.
  // Errors: InvalidArgument, NotFound (the host of `bind` or `advertise`),
  // Unavailable (the name service does not know it now), AlreadyExists (port or
  // local socket taken), PermissionDenied (port), Internal.
  static absl::StatusOr<std::unique_ptr<Coordinator>> Create(
      CoordinatorOptions options);

  // Stops. Without Leave() before it, the others see a process that died: its
  // locks are free when their leases end. Here they are lost at once (kClosed).
  //
  // Blocking calls of other threads end with FailedPrecondition, or with
  // Unknown if what they asked for was on its way; the destructor waits until
  // they have returned, and no callback runs or begins after it. To be called
  // in a callback is an error that aborts the program.
  ~Coordinator();
  Coordinator(const Coordinator&) = delete;
  Coordinator& operator=(const Coordinator&) = delete;

  // Waits until locks can be taken. Not needed: a Lock() waits by itself.
  // Errors: DeadlineExceeded (names the seeds that were tried; it goes on
  // trying), Cancelled (by `stop`), FailedPrecondition (in a callback; after
  // Leave(); closed).
  absl::Status Connect(TimeSpan timeout, std::stop_token stop = {});

  // Takes `key` (1 to 1024 bytes) for `ttl` (100 ms to 24 h), waiting for it in
  // the order of arrival. A second Lock() of a key in one process waits like
  // anybody else's.
  //
  // Errors: DeadlineExceeded, InvalidArgument, ResourceExhausted
  // (CoordinatorOptions::limits), Unavailable, FailedPrecondition, Unknown.
  absl::StatusOr<HeldLock> Lock(absl::string_view key, TimeSpan ttl,
                                LockOptions options = {});
  // The number is for Withdraw().
  RequestId LockAsync(absl::string_view key, TimeSpan ttl, LockOptions options,
                      LockCallback done);

  // The same without waiting; `options.wait` means nothing.
  // Errors: AlreadyExists instead of DeadlineExceeded.
  absl::StatusOr<HeldLock> TryLock(absl::string_view key, TimeSpan ttl,
                                   LockOptions options = {});
  RequestId TryLockAsync(absl::string_view key, TimeSpan ttl,
                         LockOptions options, LockCallback done);

  // Runs `fn` while it holds `key`, which is kept renewed meanwhile and given
  // up afterwards, also if `fn` throws. `fn` takes the HeldLock&, or a
  // std::stop_token that trips when the lock is in danger or lost, or nothing.
  //
  // Returns what `fn` does (an absl::Status or absl::StatusOr as it is, a value
  // in a StatusOr, nothing as OK), also if the lock was lost meanwhile: `fn` is
  // the one to ask the token. If the lock was not granted `fn` is not called,
  // and the error is that of Lock().
  template <typename Fn>
  RunResult<Fn> RunUnderLock(absl::string_view key, LockOptions options,
                             Fn fn) {
    return RunUnderLock(key, absl::Seconds(15), std::move(options),
                        std::move(fn));
  }
  template <typename Fn>
  RunResult<Fn> RunUnderLock(absl::string_view key, TimeSpan ttl,
                             LockOptions options, Fn fn);

  // Takes back a LockAsync() that has not been answered: it is answered with
  // Cancelled.
  void Withdraw(RequestId request);

  // Extends, or gives up, the lock of `key`, for callers that have no HeldLock
  // of it. They prove their right to it: by the token of its grant, or by the
  // owner under which this program took it. Locks without an owner, and those
  // taken through the local socket, go by their token only; whoever took the
  // lock is told by its `on_change`.
  //
  // Errors: InvalidArgument (`ttl`; neither token nor owner),
  // FailedPrecondition, PermissionDenied, Unavailable, Unknown.
  absl::Status Renew(absl::string_view key, TimeSpan ttl,
                     absl::string_view owner = "");
  absl::Status Renew(absl::string_view key, TimeSpan ttl, FencingToken token);
  void RenewAsync(absl::string_view key, TimeSpan ttl, absl::string_view owner,
                  StatusCallback done);
  void RenewAsync(absl::string_view key, TimeSpan ttl, FencingToken token,
                  StatusCallback done);
  absl::Status Release(absl::string_view key, absl::string_view owner = "");
  absl::Status Release(absl::string_view key, FencingToken token);
  void ReleaseAsync(absl::string_view key, absl::string_view owner,
                    StatusCallback done);
  void ReleaseAsync(absl::string_view key, FencingToken token,
                    StatusCallback done);

  // The locks whose keys begin with `prefix`, ordered by key, as the leader has
  // them: linearizable, up to 1000 locks; more come in pages, each of which is.
  // Errors: Unavailable, FailedPrecondition.
  absl::StatusOr<std::vector<LockInfo>> GetLocks(absl::string_view prefix = "");
  void GetLocksAsync(absl::string_view prefix, LocksCallback done);
  // The same as this node's copy has them: at once, perhaps out of date.
  // Errors: FailedPrecondition (this node keeps no copy: of many members only
  // the voters and 16 others do).
  absl::StatusOr<std::vector<LockInfo>> GetLocksLocal(
      absl::string_view prefix = "");

  // Who waits for `key`, as the leader has it: whoever is served first comes
  // first. In pages, between which the queue may move.
  // Errors: InvalidArgument (`key`), Unavailable, FailedPrecondition.
  absl::StatusOr<std::vector<WaiterInfo>> GetWaiters(absl::string_view key);
  void GetWaitersAsync(absl::string_view key, WaitersCallback done);

  // Takes `key` from whoever holds it, for administrators: its holder is told
  // `reason` (1 to 256 bytes; LossReason::kRevoked), stops believing in the
  // lock and gives it back, so that the next who waits is granted it within a
  // round trip. Nobody is granted it before: a holder that cannot be reached
  // keeps it until its lease or its session ends, and cannot renew it. With
  // `token`, only that grant is taken. Returns at once, with the holder; its
  // `remaining` is how long the lock may be held yet.
  //
  // Errors: FailedPrecondition (nobody holds it, or not under `token`),
  // InvalidArgument, Unavailable, Unknown.
  absl::StatusOr<LockInfo> ForceRelease(absl::string_view key,
                                        absl::string_view reason,
                                        FencingToken token = {});
  void ForceReleaseAsync(absl::string_view key, absl::string_view reason,
                         FencingToken token, LockInfoCallback done);

  // The members and their roles as the leader sees them: linearizable in the
  // voters; who seems alive is the leader's opinion.
  absl::StatusOr<std::vector<MemberInfo>> GetMembers();
  void GetMembersAsync(MembersCallback done);
  // As this node sees them.
  absl::StatusOr<std::vector<MemberInfo>> GetMembersLocal();

  // Where this node stands, for status lines.
  absl::StatusOr<AgentStatus> GetStatus();

  // Releases all locks, tells the members, and returns when that is done or
  // LeaseOptions::leave_timeout has passed. Then nothing but the destructor is
  // of use.
  absl::Status Leave();
  void LeaveAsync(StatusCallback done);

  // Where this node can be reached.
  const Address& address() const;
  const std::string& name() const;

 private:
  friend class CoordinatorPeer;  // tests/io/judge

  // A coordinator of what `driver` runs, with the part of the options that is
  // not the driver's.
  static absl::StatusOr<std::unique_ptr<Coordinator>> Over(
      std::unique_ptr<EngineDriver> driver, std::shared_ptr<Logger> log,
      CoordinatorOptions options);
  Coordinator(std::shared_ptr<Logger> log,
              std::shared_ptr<LockService> service);

  const std::shared_ptr<Logger> log_;  // may be null
  const std::shared_ptr<LockService> service_;
  std::unique_ptr<SeedWatch> seeds_;  // null of what Over() returns
  std::unique_ptr<LocalServer> local_server_;
};

template <typename Fn>
RunResult<Fn> Coordinator::RunUnderLock(absl::string_view key, TimeSpan ttl,
                                        LockOptions options, Fn fn) {
  options.renew = true;
  absl::StatusOr<HeldLock> lock = Lock(key, ttl, std::move(options));
  if (!lock.ok()) return lock.status();
  // A release that fails is one that comes later, by the end of the lease.
  if constexpr (std::is_void_v<decltype(CallUnderLock(fn, *lock))>) {
    CallUnderLock(fn, *lock);
    lock->Release().IgnoreError();
    return absl::OkStatus();
  } else {
    RunResult<Fn> result = CallUnderLock(fn, *lock);
    lock->Release().IgnoreError();
    return result;
  }
}

}  // namespace cachalot

#endif  // IO_COORDINATOR_H_
