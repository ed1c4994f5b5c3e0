#ifndef IO_COORDINATOR_OPTIONS_H_
#define IO_COORDINATOR_OPTIONS_H_

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "engine/observer.h"
#include "engine/options.h"
#include "io/agent_status.h"
#include "io/caller_limits.h"
#include "io/grant.h"
#include "io/host_lookup.h"
#include "io/log.h"
#include "io/log_event.h"
#include "io/seed_timing.h"
#include "io/time_span.h"

namespace cachalot {

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
  // NodeOptions::cluster: processes of clusters of other names take nothing
  // from this one, nor it from them.
  std::string cluster = kDefaultCluster;
  // NodeOptions::founders and NodeOptions::bootstrap. Without both, a process
  // whose only seed is this process itself founds a cluster if nobody answers
  // within `birth_delay`. Then nothing is granted for `lease.session_ttl`,
  // since a cluster that ran here before may still have holders.
  std::vector<std::string> founders;
  bool bootstrap = false;
  // Where this process keeps what it must not forget of its cluster: a
  // directory of its own, which is made if it is missing. A process that
  // remembers a cluster founds no other; it looks for its own, also at the last
  // addresses of its members. Empty: it remembers nothing after its end.
  std::string state_dir;
  // NodeOptions::force_bootstrap, for a cluster that `state_dir` remembers and
  // that is gone for good: founds another with the other founders, which are
  // forced as well, or alone if there are none. For one start.
  bool force_bootstrap = false;
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
  // more when the destructor has returned, which waits up to two seconds for
  // what is queued, and for a call under way. Null: no text is made.
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
  // Ends the call: Cancelled, and the lock is not held then. Once granted, the
  // lock is not concerned. The asynchronous forms also have Withdraw().
  std::stop_token stop;
  // Who in this process asks. Shown to others; lets the lock be renewed and
  // released by its key under the same owner. Empty: only by its HeldLock or
  // its token.
  std::string owner;
  // Told when the lease runs out, is renewed after all, and, once and with its
  // reason (LockChange; HeldLock::loss() has it, too), when the lock is lost,
  // whoever caused that; but not of what the HeldLock's own Release() or
  // destructor does. When one of these has returned, no call runs or begins;
  // they wait for one that runs in another thread, so do not destroy a HeldLock
  // under a mutex that its callback takes. Called on the driver's thread; must
  // not block or throw; may call the asynchronous forms, and may destroy its
  // HeldLock.
  ChangeCallback on_change;
  // Keeps the lock renewed, each time for its ttl, in the member's own thread:
  // until it is released or lost, or `max_hold` after the grant, when its lease
  // ends. A process that hangs keeps such a lock; `max_hold` bounds that. Not
  // below the ttl.
  bool renew = false;
  TimeSpan max_hold = absl::InfiniteDuration();
};

}  // namespace cachalot

#endif  // IO_COORDINATOR_OPTIONS_H_
