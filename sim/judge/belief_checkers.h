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
// 4 of engine/client/README.md. A lease of `ttl` that an entry stamped at the
// instant T gave lasts until T + ttl / (1 + rho) at least, however fast the
// grantors' clocks, and no holder may believe in it for longer. What was asked,
// sent and answered when does not enter: only the log and real time.
class LeaseEnds {
 public:
  explicit LeaseEnds(int64_t rate_bound_ppm)
      : rate_bound_ppm_(rate_bound_ppm) {}

  // An entry stamped at `stamped` gave or prolonged a lease; without a token:
  // the session's.
  void Leased(const SessionId& session, const FencingToken& token,
              absl::Duration ttl, RealInstant stamped);
  // The grant is over.
  void Ended(const FencingToken& token) { grants_.erase(token); }

  // The session's node believes in the grant until `until`. Of a session that
  // is over, nothing is left.
  Complaint Believed(absl::string_view key, const SessionId& session,
                     const FencingToken& token, RealInstant until) const;

 private:
  RealInstant EndOf(absl::Duration ttl, RealInstant stamped) const;

  int64_t rate_bound_ppm_;
  struct Grant {
    SessionId session;
    RealInstant end;
  };

  absl::btree_map<SessionId, RealInstant> sessions_;
  absl::btree_map<FencingToken, Grant> grants_;
};

// What was so when a holder was told that its lock is lost.
struct LossFacts {
  FastInstant now;  // on the holder's clock
  bool was_released = false;
  bool has_left = false;   // it was asked to
  bool dissolved = false;  // the node gave up its cluster
  // The committed table has the grant for the holder of its lock.
  bool is_granted = false;
  std::string revoke_reason;  // and why it is revoked there, if it is
};

// What one process told its callers of the locks that it granted them: each
// grant begins with an answer and ends with one notice, whose reason is true;
// in between it is held and suspect by turns.
class CallersBeliefs {
 public:
  struct Held {
    std::string key;
    FencingToken token;
    SessionId session;  // whose it is
    Belief belief = Belief::kHeld;
    FastInstant until = FastInstant::Never();  // as it was seen last
  };
  using ByRequest = absl::btree_map<RequestId, Held>;

  Complaint Granted(RequestId request, absl::string_view key,
                    const FencingToken& token, const SessionId& session);
  Complaint Told(const NotifyHolder& notice, const LossFacts& facts);
  // How far the node's belief reaches at `now` on its clock; it may have grown,
  // but not after it had ended: what was lost stays lost. With a session all
  // that it owned is over.
  Complaint Reaches(RequestId request, const FencingToken& token,
                    const SessionId& session, FastInstant until,
                    FastInstant now);

  const ByRequest& held() const { return held_; }

 private:
  ByRequest held_;
};

}  // namespace cachalot::sim

#endif  // SIM_JUDGE_BELIEF_CHECKERS_H_
