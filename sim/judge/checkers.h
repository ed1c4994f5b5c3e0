#ifndef SIM_JUDGE_CHECKERS_H_
#define SIM_JUDGE_CHECKERS_H_

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
#include "engine/cluster_time.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/member.h"
#include "engine/request.h"
#include "engine/saved_state.h"
#include "engine/wire/message.h"
#include "sim/judge/complaint.h"
#include "sim/world/instant.h"

namespace cachalot::sim {

// One property each. `Observe...` takes what happened, in the order in which it
// happened; `Check...` compares with what was observed and changes nothing.
// Both return a sentence if the property is broken. A checker knows nothing of
// nodes or of the world: judge.h feeds it.

// Election safety: one leader at most in each term (Raft, figure 3).
class OneLeaderPerTerm {
 public:
  Complaint ObserveLeader(Term term, NodeId leader);

 private:
  absl::btree_map<Term, NodeId> leaders_;
};

// Births are explicit (engine/README.md, D4), and there is one: all founders
// must be bound to it before it begins, and who remembers a cluster founds none
// (engine/birth/README.md, B2 and B6).
class OneBirth {
 public:
  // The first entry of the cluster was committed.
  Complaint ObserveBirth(ClusterId cluster);

 private:
  ClusterId first_;
};

// State-machine safety: all nodes that commit an index commit the same entry
// there. The first that is seen is kept as a hash. And leader completeness: the
// leader of a term has every entry that was committed in earlier terms.
class CommittedLog {
 public:
  // A node in term `by` committed `entry`. Sets `*is_first` to whether it is
  // the first to commit this index. Each node commits without gaps, so no new
  // index skips one.
  Complaint ObserveCommit(LogIndex index, const Entry& entry, Term by,
                          bool* is_first);

  // The last entry that was committed in a term before `term`.
  LogIndex LastBefore(Term term) const;
  // The log of a leader of `term` has `entry` at `index`; null: it is shorter.
  // REQUIRES: index <= LastBefore(term).
  Complaint CheckLeaderHas(Term term, LogIndex index, const Entry* entry) const;
  // A snapshot up to `index` says that this entry has `term` and `time`.
  Complaint CheckSnapshot(LogIndex index, Term term, ClusterTime time) const;

  LogIndex last() const { return LogIndex(entries_.size()); }

 private:
  struct Known {
    uint64_t hash = 0;
    Term term;
    ClusterTime time;
  };

  std::vector<Known> entries_;
  absl::btree_map<Term, LogIndex> last_in_term_;
};

// State machines agree: tables to which the same entries were applied are the
// same.
class EqualTables {
 public:
  Complaint ObserveTable(LogIndex applied, uint64_t fingerprint);

 private:
  absl::btree_map<LogIndex, uint64_t> first_seen_;
};

// Callers see no token twice, and the tokens of a key rise from grant to grant.
class TokensRise {
 public:
  // Where clocks leave the bound, a caller may be told of a grant after the
  // next holder was told of its own: the first node cannot know that its lease
  // has ended. Then the order is not judged.
  explicit TokensRise(bool clocks_in_bound)
      : clocks_in_bound_(clocks_in_bound) {}

  // A caller was told of the grant at `told`, by a node that had read its
  // clocks at `read_at`. A node that is delayed in between may report a grant
  // that has ended, and cannot know it.
  Complaint ObserveGrant(absl::string_view key, const FencingToken& token,
                         RealInstant read_at, RealInstant told);

 private:
  struct Last {
    FencingToken token;
    RealInstant told;
  };

  bool clocks_in_bound_;
  absl::btree_map<std::string, Last> last_;
  absl::btree_set<FencingToken> all_;
};

// A list of locks shows what was committed when it was asked for: no lock whose
// grant had ended, and every lock that has been held since (Ongaro's thesis,
// 6.4).
class ReadsAreRecent {
 public:
  // Entry `index` was committed, and granted a lock under `token`, unless that
  // was observed before.
  void ObserveGrant(const FencingToken& token, LogIndex index);
  // And ended the grant.
  void ObserveEnd(const FencingToken& token, LogIndex index);
  // `answer` is that to a request that was sent when `asked` was the last
  // committed entry; `now` is what a whole list would show now.
  Complaint CheckAnswer(LogIndex asked, const Answer& answer,
                        const std::vector<LockInfo>& now) const;

 private:
  absl::btree_map<FencingToken, LogIndex> granted_;
  absl::btree_map<FencingToken, LogIndex> ended_;
};

// A leader that was asked when entries up to `committed` were committed, and
// still leads in the same term, answers a read after it has applied them all
// (thesis, 6.4).
Complaint CheckReadIndex(LogIndex committed, LogIndex applied);

// What one node knows of another is replaced by newer news alone: a member that
// failed or left comes back in a higher incarnation or not at all (SWIM,
// section 4.2).
class NewsSupersedes {
 public:
  Complaint ObserveMember(NodeId member, uint64_t incarnation,
                          MemberState state);

 private:
  absl::btree_map<NodeId, std::pair<uint64_t, MemberState>> known_;
};

// One grantee's belief in a lock, in real time.
struct BeliefSpan {
  std::string who;
  FencingToken token;
  RealInstant until;
};

// At one instant of real time at most one grantee believes in a lock: the
// theorem of engine/client/README.md.
Complaint CheckSoleBelief(absl::string_view key, RealInstant now,
                          const std::vector<BeliefSpan>& beliefs);

// Lemma 1 of engine/client/README.md: between two entries of one log, cluster
// time advances by at most (1 + rate bound) times the real time between their
// stampings, also where two leaders stamped them; and it never falls.
class ClusterTimeIsSlow {
 public:
  // Without a bound, only that it does not fall.
  explicit ClusterTimeIsSlow(std::optional<int64_t> rate_bound_ppm)
      : rate_bound_ppm_(rate_bound_ppm) {}

  // The entry was seen in some log for the first time.
  void ObserveStamp(LogIndex index, Term term, RealInstant at);
  Complaint ObserveCommit(LogIndex index, const Entry& entry);
  // A node that has committed `from` takes the cluster time to be `time` at the
  // instant `at`: it would stamp an entry so if it led now.
  Complaint CheckReading(LogIndex from, ClusterTime time, RealInstant at) const;

  // When the last committed entry was stamped.
  RealInstant last_stamped() const {
    return committed_.empty() ? RealInstant() : committed_.back().at;
  }

 private:
  struct Stamp {
    ClusterTime time;
    RealInstant at;
  };

  bool IsFast(absl::Duration advanced, absl::Duration real) const;

  std::optional<int64_t> rate_bound_ppm_;
  std::map<std::pair<LogIndex, Term>, RealInstant> stamped_;
  std::vector<Stamp> committed_;  // by index
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

// No promise is longer, once encoded: what is longer need not be decoded.
inline constexpr size_t kPromiseBytesMax = 512;

// No promise is sent before what it promises is saved (Raft, figure 2: persist
// before responding). That is: a vote; that the log agrees with the leader's up
// to an index, where `own` is the term of the node's own entry there if it is
// known; and a snapshot that was installed.
Complaint CheckVotePromise(const SavedLog& saved, NodeId to,
                           const VoteReply& reply);
Complaint CheckAppendPromise(const SavedLog& saved, const AppendReply& reply,
                             std::optional<Term> own = std::nullopt);
Complaint CheckSnapshotPromise(const SavedLog& saved,
                               const SnapshotReply& reply);

// An entry is committed only if a majority of each list of voters has saved
// it.
Complaint CheckCommitQuorum(const Configuration& configuration, LogIndex index,
                            Term term, const std::map<NodeId, SavedLog>& saved);

// A number that one process may raise and never lower: its term, its
// incarnation.
class NeverFalls {
 public:
  explicit NeverFalls(const char* what) : what_(what) {}

  Complaint Observe(uint64_t value) {
    if (value < last_) return Fell(value);
    last_ = value;
    return std::nullopt;
  }
  // The next value may be any.
  void Forget() { last_ = 0; }

 private:
  Complaint Fell(uint64_t value) const;

  const char* what_;
  uint64_t last_ = 0;
};

// Each request is answered once, and before its deadline.
class AnsweredOnce {
 public:
  // `answer_by`: on the clock of the process that was asked.
  void ObserveRequest(RequestId request, FastInstant answer_by);
  Complaint ObserveAnswer(RequestId request);
  // No request is open past its deadline at `now`, on the process's clock.
  Complaint CheckDeadlines(FastInstant now) const;
  size_t open() const { return open_.size(); }

 private:
  absl::btree_map<RequestId, FastInstant> open_;
};

}  // namespace cachalot::sim

#endif  // SIM_JUDGE_CHECKERS_H_
