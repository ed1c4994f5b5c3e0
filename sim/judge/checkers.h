#ifndef SIM_JUDGE_CHECKERS_H_
#define SIM_JUDGE_CHECKERS_H_

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

// One property each. A checker is fed what was observed, in the order in which
// it happened, and answers with a sentence if that breaks its property. It
// knows nothing of nodes or of the world: judge.h feeds it.

// Election safety: one leader at most in each term (Raft, figure 3).
class OneLeaderPerTerm {
 public:
  Complaint Leads(Term term, NodeId leader);

 private:
  absl::btree_map<Term, NodeId> leaders_;
};

// Births are explicit: those who found a cluster together found one, since a
// majority of them binds itself to it before anything is agreed on; and whoever
// founds alone is one (engine/README.md, D4).
class OneBirth {
 public:
  // The first entry of the cluster was committed.
  Complaint Born(ClusterId cluster);

 private:
  ClusterId first_;
};

// Log matching and state-machine safety: whoever commits an entry commits the
// same one at its index. The first to be seen is kept as a hash. And leader
// completeness: who comes to lead a term has every entry that was committed in
// terms before it.
class CommittedLog {
 public:
  // By a node that is in term `by`. True in `*is_first` if nobody had committed
  // so far. Indexes rise by one for each node, and so for the first ones.
  Complaint Commits(LogIndex index, const Entry& entry, Term by,
                    bool* is_first);

  // The last entry that was committed in a term before `term`.
  LogIndex LastBefore(Term term) const;
  // The log of a leader of `term` has `entry` at `index`; null: it ends before.
  // REQUIRES: index <= LastBefore(term).
  Complaint LeaderHas(Term term, LogIndex index, const Entry* entry) const;
  // A snapshot up to `index` gives that entry's term and time as these.
  Complaint Covered(LogIndex index, Term term, ClusterTime time) const;

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

// State machines agree: tables that applied the same entries are the same.
class EqualTables {
 public:
  Complaint Has(LogIndex applied, uint64_t fingerprint);

 private:
  absl::btree_map<LogIndex, uint64_t> first_seen_;
};

// Callers see no token twice, and the tokens of a key rise from grant to grant.
class TokensRise {
 public:
  // Where clocks leave the bound, a grant may be told after the next one was:
  // its node cannot know that it has ended. Then the order is not judged.
  explicit TokensRise(bool clocks_in_bound)
      : clocks_in_bound_(clocks_in_bound) {}

  // Told at `told`, by a node that had read its clocks at `read_at`: one that
  // is held up in between may tell what has long ended, and cannot know it.
  Complaint Granted(absl::string_view key, const FencingToken& token,
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

// Who asks for the locks of a cluster sees what had been agreed on when it
// asked: no lock that had ended, and each that has been held since (Ongaro's
// thesis, 6.4).
class ReadsAreRecent {
 public:
  // Entry `index` was committed, and ended the grant of `token`.
  void Ended(const FencingToken& token, LogIndex index);
  // Whoever sent `request` when `asked` was the last committed entry was told
  // `answer`; now it would be `now`, with nothing left out at the end.
  Complaint Told(LogIndex asked, const Answer& answer,
                 const std::vector<LockInfo>& now) const;

 private:
  absl::btree_map<FencingToken, LogIndex> ended_;
};

// A leader that was asked when entries up to `committed` were committed, and
// leads yet in that term, answers when it has applied as much: somebody else
// may have committed them, whom it would have heard of (thesis, 6.4).
Complaint CheckReadIndex(LogIndex committed, LogIndex applied);

// What one node knows of another is replaced by newer news alone: who is gone
// comes back in a higher incarnation or not at all (SWIM, section 4.2).
class NewsSupersedes {
 public:
  Complaint Knows(NodeId member, uint64_t incarnation, MemberState state);

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
// time advances no more than (1 + rate bound) times the real time between their
// stampings, also where the second has another leader than the first; and it
// never falls.
class ClusterTimeIsSlow {
 public:
  // Without a bound, only that it does not fall.
  explicit ClusterTimeIsSlow(std::optional<int64_t> rate_bound_ppm)
      : rate_bound_ppm_(rate_bound_ppm) {}

  // The entry was seen in some log for the first time.
  void Stamped(LogIndex index, Term term, RealInstant at);
  Complaint Committed(LogIndex index, const Entry& entry);
  // A node that has committed `from` takes it to be `time` at the instant `at`:
  // so it would stamp an entry if it led now.
  Complaint Taken(LogIndex from, ClusterTime time, RealInstant at) const;

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

// A number of one process that it may raise and never lower: its term, its
// commit index, its incarnation.
class NeverFalls {
 public:
  explicit NeverFalls(const char* what) : what_(what) {}

  Complaint Is(uint64_t value) {
    if (value < last_) return Fell(value);
    last_ = value;
    return std::nullopt;
  }
  // It begins anew.
  void Forget() { last_ = 0; }

 private:
  Complaint Fell(uint64_t value) const;

  const char* what_;
  uint64_t last_ = 0;
};

// Each request is answered once, and by the end of its caller's patience.
class AnsweredOnce {
 public:
  // `answer_by`: on the clock of the process that was asked.
  void Asked(RequestId request, FastInstant answer_by);
  Complaint Answered(RequestId request);
  // The process has made a step at `now`, on its clock.
  Complaint Stepped(FastInstant now) const;
  size_t open() const { return open_.size(); }

 private:
  absl::btree_map<RequestId, FastInstant> open_;
};

}  // namespace cachalot::sim

#endif  // SIM_JUDGE_CHECKERS_H_
