#ifndef SIM_JUDGE_BELIEF_CHECKERS_H_
#define SIM_JUDGE_BELIEF_CHECKERS_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/container/btree_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engine/action.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/request.h"
#include "sim/judge/complaint.h"
#include "sim/world/instant.h"

namespace cachalot::sim {

// No belief outlives its lease, by the judge's own arithmetic: lemmas 2, 3 and
// 4 of engine/client/README.md. A lease of `ttl` that was given by an entry
// stamped at the instant T lasts at least until T + ttl / (1 + rho), however
// fast the grantors' clocks, and no holder may believe in it for longer. Only
// the log and real time enter, not when requests were sent or answered.
class LeaseEnds {
 public:
  explicit LeaseEnds(int64_t rate_bound_ppm)
      : rate_bound_ppm_(rate_bound_ppm) {}

  // An entry stamped at `stamped` gave or prolonged a lease; without a token:
  // the session's.
  void ObserveLease(const SessionId& session, const FencingToken& token,
                    absl::Duration ttl, RealInstant stamped);
  // The grant is over.
  void ObserveEnd(const FencingToken& token) { grants_.erase(token); }

  // The session's node believes in the grant until `until`. It may not if the
  // session is over.
  Complaint CheckBelief(absl::string_view key, const SessionId& session,
                        const FencingToken& token, RealInstant until) const;

 private:
  RealInstant EndOf(absl::Duration ttl, RealInstant stamped) const;

  int64_t rate_bound_ppm_;
  struct GrantLease {
    SessionId session;
    RealInstant end;
  };

  absl::btree_map<SessionId, RealInstant> sessions_;
  absl::btree_map<FencingToken, GrantLease> grants_;
};

// The facts at the moment when a holder was told that its lock is lost.
struct LossFacts {
  FastInstant now;  // on the holder's clock
  bool was_released = false;
  bool has_left = false;   // it was asked to
  bool dissolved = false;  // the node gave up its cluster
  // By the committed table the grant holds its lock.
  bool is_granted = false;
  std::string revoke_reason;  // in the table; empty: it is not revoked
};

// What one process told its callers of their locks: each grant begins with an
// answer and ends with one notice, whose reason is true; in between, HELD and
// SUSPECT alternate.
class CallersBeliefs {
 public:
  struct Held {
    std::string key;
    FencingToken token;
    SessionId session;  // the holder's
    Belief belief = Belief::kHeld;
    FastInstant until = FastInstant::Never();  // when it was last observed
  };
  using ByRequest = absl::btree_map<RequestId, Held>;

  Complaint ObserveGrant(RequestId request, absl::string_view key,
                         const FencingToken& token, const SessionId& session);
  Complaint ObserveNotice(const NotifyHolder& notice, const LossFacts& facts);
  // At `now` on its clock the node believes until `until`. That may be later
  // than before, but a belief that has ended stays ended, and belief ends with
  // the session.
  Complaint ObserveBelief(RequestId request, const FencingToken& token,
                          const SessionId& session, FastInstant until,
                          FastInstant now);

  const ByRequest& held() const { return held_; }

 private:
  ByRequest held_;
};

}  // namespace cachalot::sim

#endif  // SIM_JUDGE_BELIEF_CHECKERS_H_
