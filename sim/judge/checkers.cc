#include "sim/judge/checkers.h"

#include <algorithm>
#include <iterator>

#include "absl/time/time.h"
#include "engine/check.h"
#include "engine/fingerprint.h"
#include "engine/wire/checksum.h"

namespace cachalot::sim {
namespace {

// The same in every build.
uint64_t HashOf(const Entry& entry) {
  class Fingerprint hash;
  hash.Add(entry.term).Add(entry.time).Add(static_cast<uint64_t>(entry.kind));
  return hash.Add(Checksum(entry.payload.view())).value();
}

size_t Position(LogIndex index) {
  return static_cast<size_t>(index.value() - 1);
}

bool MajorityHas(const std::vector<Voter>& voters, LogIndex index, Term term,
                 const std::map<NodeId, SavedLog>& saved) {
  const auto count =
      std::count_if(voters.begin(), voters.end(), [&](const Voter& voter) {
        const auto found = saved.find(voter.id);
        return found != saved.end() && found->second.Has(index, term);
      });
  return static_cast<size_t>(count) > voters.size() / 2;
}

}  // namespace

Complaint OneLeaderPerTerm::ObserveLeader(Term term, NodeId leader) {
  const auto [found, is_first] = leaders_.emplace(term, leader);
  if (is_first || found->second == leader) return std::nullopt;
  return Say("two leaders in term ", term, ": ", found->second, " and ",
             leader);
}

Complaint OneBirth::ObserveBirth(ClusterId cluster) {
  if (first_.IsNone()) first_ = cluster;
  if (cluster == first_) return std::nullopt;
  return Say("cluster ", cluster.ToShortString(), " was born beside cluster ",
             first_.ToShortString());
}

Complaint CommittedLog::ObserveCommit(LogIndex index, const Entry& entry,
                                      Term by, bool* is_first) {
  *is_first = false;
  const uint64_t hash = HashOf(entry);
  if (index <= last()) {
    if (entries_[Position(index)].hash == hash) return std::nullopt;
    return Say("two different entries were committed at index ", index);
  }
  if (index != last().Next()) {
    return Say("entry ", index, " was committed but nobody committed entry ",
               last().Next());
  }
  *is_first = true;
  entries_.push_back({hash, entry.term, entry.time});
  LogIndex& last_in_term = last_in_term_[by];
  last_in_term = std::max(last_in_term, index);
  return std::nullopt;
}

// A leader of a former term commits nothing that is new once one of a later
// term has: indexes rise with the terms.
LogIndex CommittedLog::LastBefore(Term term) const {
  const auto next = last_in_term_.lower_bound(term);
  return next == last_in_term_.begin() ? LogIndex() : std::prev(next)->second;
}

Complaint CommittedLog::CheckLeaderHas(Term term, LogIndex index,
                                       const Entry* entry) const {
  if (entry != nullptr && entries_[Position(index)].hash == HashOf(*entry)) {
    return std::nullopt;
  }
  return Say("the leader of term ", term, " lacks entry ", index,
             ", which was committed before");
}

Complaint CommittedLog::CheckSnapshot(LogIndex index, Term term,
                                      ClusterTime time) const {
  if (index > last()) {
    return Say("a snapshot covers entry ", index, ", which nobody committed");
  }
  // Before the first entry there is what the founders begin with.
  const Known known = index == LogIndex() ? Known() : entries_[Position(index)];
  if (known.term == term && known.time == time) return std::nullopt;
  return Say("a snapshot up to ", index, " has term ", term, " and time ", time,
             ", but the entry has ", known.term, " and ", known.time);
}

Complaint EqualTables::ObserveTable(LogIndex applied, uint64_t fingerprint) {
  const auto [found, is_first] = first_seen_.emplace(applied, fingerprint);
  if (is_first || found->second == fingerprint) return std::nullopt;
  return Say("two lock tables differ after entry ", applied);
}

Complaint TokensRise::ObserveGrant(absl::string_view key,
                                   const FencingToken& token,
                                   RealInstant read_at, RealInstant told) {
  if (token.IsNone()) return Say(key, " was granted without a token");
  if (!all_.insert(token).second) {
    return Say("token ", token, " was granted twice, now for ", key);
  }
  Last& last = last_[std::string(key)];
  if (last.token < token) {
    last = {token, told};
    return std::nullopt;
  }
  if (!clocks_in_bound_ || read_at < last.told) return std::nullopt;
  return Say(key, " was granted with token ", token,
             " after it had been granted with ", last.token);
}

void ReadsAreRecent::ObserveGrant(const FencingToken& token, LogIndex index) {
  granted_.emplace(token, index);
}

void ReadsAreRecent::ObserveEnd(const FencingToken& token, LogIndex index) {
  ended_.emplace(token, index);
}

Complaint ReadsAreRecent::CheckAnswer(LogIndex asked, const Answer& answer,
                                      const std::vector<LockInfo>& now) const {
  absl::btree_set<FencingToken> told;
  for (const LockInfo& lock : answer.locks) {
    told.insert(lock.token);
    const auto end = ended_.find(lock.token);
    if (end == ended_.end() || end->second > asked) continue;
    return Say("a reading that was asked for after entry ", asked, " shows ",
               lock.key, " under ", lock.token, ", which entry ", end->second,
               " ended");
  }
  for (const LockInfo& lock : now) {
    const auto granted = granted_.find(lock.token);
    const bool is_later = granted == granted_.end() || granted->second > asked;
    if (is_later || told.contains(lock.token)) continue;
    if (answer.more && lock.key > answer.locks.back().key) continue;
    return Say("a reading that was asked for after entry ", asked,
               " does not show ", lock.key, ", held under ", lock.token);
  }
  return std::nullopt;
}

Complaint CheckReadIndex(LogIndex committed, LogIndex applied) {
  if (applied >= committed) return std::nullopt;
  return Say("a leader answered a read with what it had applied up to ",
             applied, ", but ", committed, " was committed when it was asked");
}

Complaint NewsSupersedes::ObserveMember(NodeId member, uint64_t incarnation,
                                        MemberState state) {
  const std::pair<uint64_t, MemberState> news(incarnation, state);
  const auto [found, is_new] = known_.try_emplace(member, news);
  const auto [incarnation_before, before] = std::exchange(found->second, news);
  if (is_new || news >= std::pair(incarnation_before, before)) {
    return std::nullopt;
  }
  return Say(member, ", which was ", before, " in incarnation ",
             incarnation_before, ", is ", state, " in ", incarnation);
}

Complaint CheckSoleBelief(absl::string_view key, RealInstant now,
                          const std::vector<BeliefSpan>& beliefs) {
  const BeliefSpan* first = nullptr;
  for (const BeliefSpan& belief : beliefs) {
    if (belief.until <= now) continue;
    if (first == nullptr) {
      first = &belief;
      continue;
    }
    return Say("two holders of ", key, " at one instant: ", first->who,
               " (token ", first->token, ", believes until ", first->until,
               ") and ", belief.who, " (token ", belief.token,
               ", believes until ", belief.until, ")");
  }
  return std::nullopt;
}

void ClusterTimeIsSlow::ObserveStamp(LogIndex index, Term term,
                                     RealInstant at) {
  stamped_.emplace(std::make_pair(index, term), at);
}

Complaint ClusterTimeIsSlow::ObserveCommit(LogIndex index, const Entry& entry) {
  const auto found = stamped_.find({index, entry.term});
  if (found == stamped_.end()) {
    return Say("entry ", index, " was committed, but no log ever held it");
  }
  CHECK(Position(index) == committed_.size());
  const Stamp stamp = {entry.time, found->second};
  committed_.push_back(stamp);
  // Of this index and those before, nothing more will be asked.
  stamped_.erase(stamped_.begin(),
                 stamped_.lower_bound({index.Next(), Term()}));
  if (committed_.size() == 1) return std::nullopt;
  const Stamp& before = committed_[committed_.size() - 2];
  if (stamp.time < before.time) {
    return Say("cluster time fell from ", before.time, " to ", stamp.time,
               " at entry ", index);
  }
  const absl::Duration advanced = stamp.time - before.time;
  if (!IsFast(advanced, stamp.at - before.at)) return std::nullopt;
  return Say("cluster time advanced by ", advanced, " at entry ", index,
             " within ", stamp.at - before.at, " of real time");
}

Complaint ClusterTimeIsSlow::CheckReading(LogIndex from, ClusterTime time,
                                          RealInstant at) const {
  if (from == LogIndex() || Position(from) >= committed_.size()) {
    return std::nullopt;
  }
  const Stamp& stamp = committed_[Position(from)];
  if (at < stamp.at || !IsFast(time - stamp.time, at - stamp.at)) {
    return std::nullopt;
  }
  return Say("a node takes cluster time to be ", time, ", ", time - stamp.time,
             " after its committed entry ", from, ", which was stamped ",
             at - stamp.at, " ago");
}

bool ClusterTimeIsSlow::IsFast(absl::Duration advanced,
                               absl::Duration real) const {
  if (!rate_bound_ppm_.has_value()) return false;
  const int64_t elapsed = absl::ToInt64Nanoseconds(real);
  // Readings are rounded to nanoseconds, at both ends.
  const int64_t allowed = elapsed + elapsed / 1000000 * *rate_bound_ppm_ +
                          elapsed % 1000000 * *rate_bound_ppm_ / 1000000 + 2;
  return advanced > absl::Nanoseconds(allowed);
}

void SavedLog::Apply(const StateChange& change) {
  if (change.identity.has_value()) *this = SavedLog();
  if (change.snapshot.has_value()) {
    const LogIndex index = change.snapshot->index;
    while (base_ < index && !terms_.empty()) {
      terms_.pop_front();
      base_ = base_.Next();
    }
    base_ = std::max(base_, index);
    if (change.drops_log) terms_.clear();
  }
  if (!change.entries.empty()) {
    CHECK(change.first > base_);
    const auto kept =
        static_cast<size_t>(change.first.value() - base_.value() - 1);
    CHECK(kept <= terms_.size()) << "a gap before " << change.first;
    terms_.resize(kept);
    for (const Entry& entry : change.entries) terms_.push_back(entry.term);
  }
  if (change.term.has_value()) {
    term_ = *change.term;
    vote_ = change.vote;
  }
}

SavedLog::SavedLog(const SavedState& state)
    : term_(state.term),
      vote_(state.vote),
      base_(LogIndex(state.first.value() - 1)) {
  for (const Entry& entry : state.entries) terms_.push_back(entry.term);
}

LogIndex SavedLog::last() const {
  return LogIndex(base_.value() + terms_.size());
}

bool SavedLog::Has(LogIndex index, Term term) const {
  if (index <= base_) return true;
  if (index > last()) return false;
  return terms_[static_cast<size_t>(index.value() - base_.value() - 1)] == term;
}

Complaint CheckVotePromise(const SavedLog& saved, NodeId to,
                           const VoteReply& reply) {
  if (!reply.granted || reply.is_pre_vote) return std::nullopt;
  if (saved.term() > reply.term) return std::nullopt;  // a late one
  if (saved.term() == reply.term && saved.vote() == to) return std::nullopt;
  return Say("a vote for ", to, " in term ", reply.term,
             " was sent before it was saved (saved: term ", saved.term(),
             ", vote for ", saved.vote(), ")");
}

Complaint CheckAppendPromise(const SavedLog& saved, const AppendReply& reply,
                             std::optional<Term> own) {
  if (!reply.accepted) return std::nullopt;
  if (saved.term() > reply.term) return std::nullopt;  // a late one
  if (saved.term() < reply.term) {
    return Say("entries were accepted in term ", reply.term,
               " before the term was saved (saved: ", saved.term(), ")");
  }
  if (reply.index > saved.last()) {
    return Say("entries up to ", reply.index,
               " were accepted before they were saved (saved: ", saved.last(),
               ")");
  }
  if (!own.has_value() || saved.Has(reply.index, *own)) return std::nullopt;
  return Say("entry ", reply.index, " of term ", *own,
             " was accepted while what it replaces was still the saved one");
}

Complaint CheckSnapshotPromise(const SavedLog& saved,
                               const SnapshotReply& reply) {
  if (saved.term() > reply.term) return std::nullopt;  // a late one
  if (saved.term() == reply.term && reply.index <= saved.last()) {
    return std::nullopt;
  }
  return Say("a snapshot up to ", reply.index, " was accepted in term ",
             reply.term, " before it was saved (saved: ", saved.last(),
             ", term ", saved.term(), ")");
}

Complaint CheckCommitQuorum(const Configuration& configuration, LogIndex index,
                            Term term,
                            const std::map<NodeId, SavedLog>& saved) {
  const bool is_safe =
      MajorityHas(configuration.voters, index, term, saved) &&
      (!configuration.IsJoint() ||
       MajorityHas(configuration.outgoing, index, term, saved));
  if (is_safe) return std::nullopt;
  return Say("entry ", index, " of term ", term,
             " was committed before a majority of ", configuration,
             " had saved it");
}

Complaint NeverFalls::Fell(uint64_t value) const {
  return Say(what_, " fell from ", last_, " to ", value);
}

void AnsweredOnce::ObserveRequest(RequestId request, FastInstant answer_by) {
  open_[request] = answer_by;
}

Complaint AnsweredOnce::CheckDeadlines(FastInstant now) const {
  for (const auto& [request, answer_by] : open_) {
    if (answer_by > now) continue;
    return Say("request ", request, " should have been answered by ", answer_by,
               ", and is open at ", now);
  }
  return std::nullopt;
}

Complaint AnsweredOnce::ObserveAnswer(RequestId request) {
  if (open_.erase(request) == 1) return std::nullopt;
  return Say("request ", request,
             " was answered twice, or never asked of this process");
}

}  // namespace cachalot::sim
