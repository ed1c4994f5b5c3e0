#ifndef SIM_JUDGE_GRANT_ORDER_H_
#define SIM_JUDGE_GRANT_ORDER_H_

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "engine/command.h"
#include "engine/ids.h"
#include "sim/judge/complaint.h"

namespace cachalot::sim {

// Who holds what and who waits, by the requests and replies of the sessions
// alone. What must hold of any lock service:
//  - nobody is granted a lock that another holds;
//  - the session that asked first, by the order of the log, is granted first;
//  - no wake-up is lost: no entry leaves a free lock with somebody waiting;
//  - a request is granted once, and a retry is told the same token;
//  - tokens rise from grant to grant over all locks;
//  - a session that is over owns nothing, waits for nothing and stays over.
class GrantOrder {
 public:
  // In the order of the log: the commands of an entry and the replies to them.
  Complaint ObserveEntry(const std::vector<LockCommand>& commands,
                         const std::vector<Reply>& replies);

 private:
  using RequestKey = std::pair<SessionId, Sequence>;

  // What a request asked for.
  struct Asked {
    enum class Kind : uint8_t { kAcquire, kRelease, kWithdraw };
    Kind kind = Kind::kAcquire;
    std::string key;
    FencingToken token;  // of a release
    Sequence acquire;    // of a withdrawal
    FencingToken grant;  // of an acquire, once it was granted
  };

  struct Lock {
    bool is_held = false;
    RequestKey holder;
    FencingToken token;
    std::deque<RequestKey> queue;
  };

  struct Session {
    bool is_over = false;
    absl::btree_set<std::string> keys;  // that it holds, waits for, or did
  };

  void ObserveCommand(const LockCommand& command);
  Complaint ObserveReply(const Reply& reply);
  Complaint ObserveAnswer(const Reply& reply);
  void ObserveQueued(const Reply& reply);
  Complaint ObserveGrant(const RequestKey& request, Asked& asked,
                         const FencingToken& token);
  void Free(const std::string& key);
  void LeaveQueue(const RequestKey& request, const std::string& key);
  void EndSession(const SessionId& id);
  // Looks at the locks that the entry touched.
  Complaint CheckWakeUps();

  std::map<RequestKey, Asked> asked_;
  std::map<std::string, Lock> locks_;
  std::map<SessionId, Session> sessions_;
  FencingToken last_token_;
  absl::btree_set<std::string> touched_;  // by the entry at hand
};

}  // namespace cachalot::sim

#endif  // SIM_JUDGE_GRANT_ORDER_H_
