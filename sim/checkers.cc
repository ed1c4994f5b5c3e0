#include "sim/checkers.h"

#include <algorithm>
#include <sstream>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "engine/check.h"
#include "engine/random.h"
#include "engine/request.h"

namespace cachalot::sim {
namespace {

template <typename... Parts>
std::string Say(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

uint64_t HashOf(const Entry& entry) {
  return StableHash(
      absl::StrCat(entry.term.value(), " ", entry.time.nanoseconds(), " ",
                   static_cast<int>(entry.kind), " ", entry.payload.view()));
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

Complaint OneLeaderPerTerm::Leads(Term term, NodeId leader) {
  const auto [found, is_first] = leaders_.emplace(term, leader);
  if (is_first || found->second == leader) return std::nullopt;
  return Say("two leaders in term ", term, ": ", found->second, " and ",
             leader);
}

Complaint CommittedLog::Commits(LogIndex index, const Entry& entry,
                                bool* is_first) {
  *is_first = false;
  const uint64_t hash = HashOf(entry);
  if (index <= last()) {
    if (hashes_[Position(index)] == hash) return std::nullopt;
    return Say("two different entries were committed at index ", index);
  }
  if (index != last().Next()) {
    return Say("entry ", index, " was committed but nobody committed entry ",
               last().Next());
  }
  *is_first = true;
  hashes_.push_back(hash);
  return std::nullopt;
}

Complaint EqualTables::Has(LogIndex applied, uint64_t fingerprint) {
  const auto [found, is_first] = first_seen_.emplace(applied, fingerprint);
  if (is_first || found->second == fingerprint) return std::nullopt;
  return Say("two lock tables differ after entry ", applied);
}

Complaint TokensRise::Granted(absl::string_view key,
                              const FencingToken& token) {
  if (token.IsNone()) return Say(key, " was granted without a token");
  if (!all_.insert(token).second) {
    return Say("token ", token, " was granted twice, now for ", key);
  }
  FencingToken& last = last_[std::string(key)];
  if (token < last) {
    return Say(key, " was granted with token ", token,
               " after it had been granted with ", last);
  }
  last = token;
  return std::nullopt;
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

void ClusterTimeIsSlow::Stamped(LogIndex index, Term term, RealInstant at) {
  stamped_.emplace(std::make_pair(index, term), at);
}

Complaint ClusterTimeIsSlow::Committed(LogIndex index, const Entry& entry) {
  const auto found = stamped_.find({index, entry.term});
  if (found == stamped_.end()) {
    return Say("entry ", index, " was committed, but no log ever held it");
  }
  const Stamp stamp = {entry.time, found->second};
  // Of this index and those before, nothing more will be asked.
  stamped_.erase(stamped_.begin(),
                 stamped_.lower_bound({index.Next(), Term()}));
  const std::optional<Stamp> before = std::exchange(last_, stamp);
  if (!before.has_value()) return std::nullopt;
  if (stamp.time < before->time) {
    return Say("cluster time fell from ", before->time, " to ", stamp.time,
               " at entry ", index);
  }
  const int64_t real = stamp.at.nanoseconds() - before->at.nanoseconds();
  // Readings are rounded to nanoseconds, at both ends.
  const int64_t allowed = real + real / 1000000 * rate_bound_ppm_ +
                          real % 1000000 * rate_bound_ppm_ / 1000000 + 2;
  const absl::Duration advanced = stamp.time - before->time;
  if (advanced <= absl::Nanoseconds(allowed)) return std::nullopt;
  return Say("cluster time advanced by ", advanced, " at entry ", index,
             " within ", absl::Nanoseconds(real), " of real time");
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

Complaint CheckAppendPromise(const SavedLog& saved, const AppendReply& reply) {
  if (!reply.accepted) return std::nullopt;
  if (saved.term() > reply.term) return std::nullopt;  // a late one
  if (saved.term() < reply.term) {
    return Say("entries were accepted in term ", reply.term,
               " before the term was saved (saved: ", saved.term(), ")");
  }
  if (reply.index <= saved.last()) return std::nullopt;
  return Say("entries up to ", reply.index,
             " were accepted before they were saved (saved: ", saved.last(),
             ")");
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

Complaint FirstComeFirstServed::Applied(
    const std::vector<LockCommand>& commands,
    const std::vector<Reply>& replies) {
  for (const LockCommand& command : commands) Note(command);
  // Who leaves within this entry is not passed over by its grants: an expired
  // session's waiters go first, and its locks are passed on then.
  for (const Reply& reply : replies) NoteDeparture(reply);
  Complaint complaint;
  for (const Reply& reply : replies) {
    if (!complaint.has_value()) complaint = NoteArrival(reply);
  }
  departed_.clear();
  departed_sessions_.clear();
  return complaint;
}

void FirstComeFirstServed::Note(const LockCommand& command) {
  if (const auto* acquire = std::get_if<Acquire>(&command)) {
    keys_.emplace(RequestKey(acquire->session, acquire->sequence),
                  acquire->key);
  }
  if (const auto* withdraw = std::get_if<Withdraw>(&command)) {
    Leave({withdraw->session, withdraw->acquire});
  }
}

void FirstComeFirstServed::NoteDeparture(const Reply& reply) {
  switch (reply.kind) {
    case Reply::Kind::kAnswered:
      if (reply.outcome != Outcome::kOk) Leave({reply.session, reply.sequence});
      break;
    case Reply::Kind::kClosed:
    case Reply::Kind::kSessionGone:
      LeaveAll(reply.session);
      break;
    case Reply::Kind::kOpened:
    case Reply::Kind::kKept:
    case Reply::Kind::kQueued:
    case Reply::Kind::kRevoked:
      break;
  }
}

Complaint FirstComeFirstServed::NoteArrival(const Reply& reply) {
  const RequestKey request(reply.session, reply.sequence);
  if (reply.kind == Reply::Kind::kQueued) Join(request);
  if (reply.kind != Reply::Kind::kAnswered) return std::nullopt;
  if (reply.outcome != Outcome::kOk) return std::nullopt;
  return Granted(request);
}

void FirstComeFirstServed::Join(const RequestKey& request) {
  if (departed_.contains(request)) return;
  if (departed_sessions_.contains(request.first)) return;
  const auto found = keys_.find(request);
  if (found == keys_.end()) return;
  Queue& queue = waiting_[found->second];
  if (std::find(queue.begin(), queue.end(), request) != queue.end()) return;
  queue.push_back(request);
}

Complaint FirstComeFirstServed::Granted(const RequestKey& request) {
  const auto found = keys_.find(request);
  if (found == keys_.end()) return std::nullopt;  // not an Acquire
  const std::string key = found->second;
  Queue& queue = waiting_[key];
  const auto place = std::find(queue.begin(), queue.end(), request);
  if (place == queue.end()) return std::nullopt;  // free, or said again
  if (place == queue.begin()) {
    queue.pop_front();
    return std::nullopt;
  }
  return Say(key, " was granted to ", request.first, " #", request.second,
             " before ", queue.front().first, " #", queue.front().second,
             ", who had waited longer");
}

void FirstComeFirstServed::Leave(const RequestKey& request) {
  departed_.insert(request);
  const auto found = keys_.find(request);
  if (found == keys_.end()) return;
  Queue& queue = waiting_[found->second];
  const auto place = std::find(queue.begin(), queue.end(), request);
  if (place != queue.end()) queue.erase(place);
}

void FirstComeFirstServed::LeaveAll(SessionId session) {
  departed_sessions_.insert(session);
  for (auto& [key, queue] : waiting_) {
    const auto end = std::remove_if(
        queue.begin(), queue.end(),
        [session](const RequestKey& r) { return r.first == session; });
    queue.erase(end, queue.end());
  }
}

Complaint NeverFalls::Is(NodeId whose, uint64_t value) {
  uint64_t& last = last_[whose];
  if (value < last) {
    return Say(what_, " of ", whose, " fell from ", last, " to ", value);
  }
  last = value;
  return std::nullopt;
}

void AnsweredOnce::Asked(RequestId request) { open_.insert(request); }

Complaint AnsweredOnce::Answered(RequestId request) {
  if (open_.erase(request) == 1) return std::nullopt;
  return Say("request ", request,
             " was answered twice, or never asked of this process");
}

}  // namespace cachalot::sim
