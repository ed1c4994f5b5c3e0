#ifndef SIM_CHECKERS_H_
#define SIM_CHECKERS_H_

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
#include "engine/cluster_time.h"
#include "engine/ids.h"
#include "engine/locks/command.h"
#include "engine/saved_state.h"
#include "engine/wire/message.h"
#include "sim/instant.h"

namespace cachalot::sim {

// One property each. A checker is fed what was observed, in the order in which
// it happened, and answers with a sentence if that breaks its property. It
// knows nothing of nodes or of the world: judge.h feeds it.
using Complaint = std::optional<std::string>;

// Election safety: one leader at most in each term (Raft, figure 3).
class OneLeaderPerTerm {
 public:
  Complaint Leads(Term term, NodeId leader);

 private:
  absl::btree_map<Term, NodeId> leaders_;
};

// Log matching and state-machine safety: whoever commits an entry commits the
// same one at its index. The first to be seen is kept as a hash.
class CommittedLog {
 public:
  // True in `*is_first` if nobody had committed so far. Indexes rise by one
  // for each node, and so for the first ones.
  Complaint Commits(LogIndex index, const Entry& entry, bool* is_first);

  LogIndex last() const { return LogIndex(hashes_.size()); }

 private:
  std::vector<uint64_t> hashes_;
};

// State machines agree: tables that applied the same entries are the same.
class EqualTables {
 public:
  Complaint Has(LogIndex applied, uint64_t fingerprint);

 private:
  absl::btree_map<LogIndex, uint64_t> first_seen_;
};

// Callers see the tokens of a key rise from grant to grant, and no token twice.
class TokensRise {
 public:
  Complaint Granted(absl::string_view key, const FencingToken& token);

 private:
  absl::btree_map<std::string, FencingToken> last_;
  absl::btree_set<FencingToken> all_;
};

// One grantee's belief in a lock, in real time.
struct BeliefSpan {
  std::string who;
  FencingToken token;
  RealInstant until;
};

// At one instant of real time at most one grantee believes in a lock.
Complaint CheckSoleBelief(absl::string_view key, RealInstant now,
                          const std::vector<BeliefSpan>& beliefs);

// Lemma 1 of locks.md 3.4: between two entries of one log, cluster time
// advances no more than (1 + rate bound) times the real time between their
// stampings; and it never falls.
class ClusterTimeIsSlow {
 public:
  explicit ClusterTimeIsSlow(int64_t rate_bound_ppm)
      : rate_bound_ppm_(rate_bound_ppm) {}

  // The entry was seen in some log for the first time.
  void Stamped(LogIndex index, Term term, RealInstant at);
  Complaint Committed(LogIndex index, const Entry& entry);

 private:
  struct Stamp {
    ClusterTime time;
    RealInstant at;
  };

  int64_t rate_bound_ppm_;
  std::map<std::pair<LogIndex, Term>, RealInstant> stamped_;
  std::optional<Stamp> last_;
};

// The terms of the entries that one node has on its disk.
class SavedLog {
 public:
  SavedLog() = default;
  explicit SavedLog(const SavedState& state);

  void Apply(const StateChange& change);

  Term term() const { return term_; }
  NodeId vote() const { return vote_; }
  LogIndex last() const;
  // True if the entry, or a snapshot that covers it, was saved.
  bool Has(LogIndex index, Term term) const;

 private:
  Term term_;
  NodeId vote_;
  LogIndex base_;  // covered by the snapshot
  std::deque<Term> terms_;
};

// No promise is sent before what it promises is saved (Raft, figure 2: persist
// before responding).
Complaint CheckVotePromise(const SavedLog& saved, NodeId to,
                           const VoteReply& reply);
Complaint CheckAppendPromise(const SavedLog& saved, const AppendReply& reply);

// An entry is committed only if a majority of each list of voters has saved
// it.
Complaint CheckCommitQuorum(const Configuration& configuration, LogIndex index,
                            Term term, const std::map<NodeId, SavedLog>& saved);

// Who asked first, by the order of the log, is granted first: nobody is
// granted a lock past somebody else who was already waiting for it.
class FirstComeFirstServed {
 public:
  // In the order of the log, with what came of the entry.
  Complaint Applied(const std::vector<LockCommand>& commands,
                    const std::vector<Reply>& replies);

 private:
  using RequestKey = std::pair<SessionId, Sequence>;
  using Queue = std::deque<RequestKey>;

  void Note(const LockCommand& command);
  void NoteDeparture(const Reply& reply);
  Complaint NoteArrival(const Reply& reply);
  void Join(const RequestKey& request);
  Complaint Granted(const RequestKey& request);
  void Leave(const RequestKey& request);
  void LeaveAll(SessionId session);

  std::map<RequestKey, std::string> keys_;
  std::map<std::string, Queue> waiting_;
  // Within the entry at hand.
  absl::btree_set<RequestKey> departed_;
  absl::btree_set<SessionId> departed_sessions_;
};

// A number that each name may raise and never lower: a member's incarnation,
// a node's term, its commit index.
class NeverFalls {
 public:
  explicit NeverFalls(std::string what) : what_(std::move(what)) {}

  Complaint Is(NodeId whose, uint64_t value);
  void Forget(NodeId whose) { last_.erase(whose); }

 private:
  std::string what_;
  absl::btree_map<NodeId, uint64_t> last_;
};

// Each request is answered once.
class AnsweredOnce {
 public:
  void Asked(RequestId request);
  Complaint Answered(RequestId request);
  // Its process is gone, and nobody waits for the answer.
  void Forget(RequestId request) { open_.erase(request); }
  const absl::btree_set<RequestId>& open() const { return open_; }

 private:
  absl::btree_set<RequestId> open_;
};

}  // namespace cachalot::sim

#endif  // SIM_CHECKERS_H_
