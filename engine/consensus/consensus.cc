#include "engine/consensus/consensus.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "engine/check.h"
#include "engine/consensus/quorum.h"
#include "engine/fingerprint.h"
#include "engine/limits.h"
#include "engine/overloaded.h"
#include "engine/wire/codec.h"

// Elections, the follower's side of replication, and what is kept. The leader's
// side is in leader.cc, leaving in leaving.cc.

namespace cachalot {

namespace {

// Elections raise the term by one; a node that was away for years finds it
// raised by less than this. A term further ahead is made up: it would leave no
// room for those to come.
constexpr uint64_t kTermJumpMax = uint64_t{1} << 32;
// Who has just come in may find so much.
constexpr uint64_t kTermOfStrangersMax = uint64_t{1} << 48;
// Half a year of a million entries a second.
constexpr uint64_t kIndexJumpMax = uint64_t{1} << 44;
// Between two entries, or behind a snapshot: 36 years.
absl::Duration TimeJumpMax() { return absl::Nanoseconds(int64_t{1} << 60); }

Term TermOf(const ConsensusMessage& message) {
  return std::visit(Overloaded{[](const LeaveIntent&) { return Term(); },
                               [](const auto& m) { return m.term; }},
                    message);
}

// A learner that has not heard its leader for so many election timeouts has
// none: it does not vote, so it need not be among the first to know.
constexpr int kLearnersPatience = 4;

}  // namespace

const char* RoleName(Consensus::Role role) {
  switch (role) {
    case Consensus::Role::kFollower:
      return "follower";
    case Consensus::Role::kPreCandidate:
      return "pre-candidate";
    case Consensus::Role::kCandidate:
      return "candidate";
    case Consensus::Role::kLeader:
      return "leader";
  }
  return "?";
}

Consensus::Consensus(ConsensusOptions options, NodeId self, Random random,
                     SlowInstant now, Observer* observer)
    : options_(options),
      self_(self),
      random_(random),
      observer_(observer),
      anchor_(now) {}

void Consensus::SetOpening(std::string payload) {
  opening_ = SharedBytes(std::move(payload));
}

void Consensus::NumberSavesFrom(SaveId last) {
  CHECK(last_save_ == SaveId());
  last_save_ = saved_ = last;
}

void Consensus::Restore(SlowInstant now, const SavedState& saved) {
  CHECK(log_.last_index() == LogIndex());
  CHECK(term_ == Term());
  if (saved.snapshot.has_value()) {
    snapshot_ = saved.snapshot;
    log_.Reset(*saved.snapshot);
    commit_ = applied_ = snapshot_->index;
    applied_time_ = snapshot_->time;
  }
  for (const Entry& entry : saved.entries) {
    if (entry.kind == EntryKind::kCommands) {
      log_.Append(entry);
      continue;
    }
    const absl::StatusOr<Configuration> configuration =
        DecodeConfiguration(entry.payload.view());
    CHECK(configuration.ok()) << configuration.status();
    log_.Append(entry, &*configuration);
  }
  // Rule 10: never behind the own log.
  term_ = std::max(saved.term, log_.last_term());
  vote_ = term_ == saved.term ? saved.vote : NodeId();
  stable_ = log_.last_index();
  anchor_ = now;
  ResetElectionTimer(now);
}

void Consensus::Found(SlowInstant now, std::vector<Voter> voters, Outbox& out) {
  CHECK(log_.last_index() == LogIndex());
  CHECK(configuration().voters.empty());
  std::sort(voters.begin(), voters.end());
  // The log begins behind its base, index 0, which carries the founders'
  // configuration.
  Snapshot birth;
  birth.configuration.voters = std::move(voters);
  CHECK(birth.configuration.Contains(self_));
  log_.Reset(birth);
  anchor_ = now;
  KeepSnapshot(birth);
  Campaign(now, /*is_pre_vote=*/false, /*is_transfer=*/false, out);
}

void Consensus::Receive(SlowInstant now, NodeId from,
                        const ConsensusMessage& message, Outbox& out) {
  if (!IsPlausible(TermOf(message))) {
    ++counters_.malformed;
    return;
  }
  std::visit([&](const auto& m) { Handle(now, from, m, out); }, message);
}

bool Consensus::IsPlausible(Term term) const {
  const bool knows_nothing = term_ == Term() && log_.last_index() == LogIndex();
  const uint64_t term_max =
      knows_nothing ? kTermOfStrangersMax : term_.value() + kTermJumpMax;
  return term.value() <= term_max;
}

// --- Timers -----------------------------------------------------------------

void Consensus::FireTimers(SlowInstant now, Outbox& out) {
  if (Leader* leader = std::get_if<Leader>(&role_)) {
    if (leader->next_quorum_check <= now) {
      leader->next_quorum_check = now + options_.election_timeout;
      if (!HeardFromQuorum(now)) {
        Note([&] {
          return absl::StrCat("no quorum for ",
                              absl::FormatDuration(options_.election_timeout),
                              " -> step down");
        });
        ObserveStepDown(LeadershipLost::Reason::kNoQuorum, NodeId());
        BecomeFollower(now, term_, NodeId());
        return;
      }
    }
    if (leader->next_heartbeat <= now) {
      leader->next_heartbeat = now + options_.heartbeat_interval;
      BeginRound(now);
      for (auto& [peer, progress] : leader->followers) {
        Replicate(now, peer, progress, /*is_heartbeat=*/true, out);
      }
    }
    return;
  }
  if (election_deadline_ > now) return;
  ObserveSilence(now);
  if (!MayStand()) {
    // Somebody else may lead by now, and not know of us.
    leader_ = NodeId();
    election_deadline_ = SlowInstant::Never();
    return;
  }
  Campaign(now, /*is_pre_vote=*/true, /*is_transfer=*/false, out);
}

SlowInstant Consensus::NextDeadline() const {
  if (const Leader* leader = std::get_if<Leader>(&role_)) {
    return std::min(leader->next_heartbeat, leader->next_quorum_check);
  }
  return election_deadline_;
}

void Consensus::NoteStall(SlowInstant now, absl::Duration lateness) {
  // Once the messages that wait are read, the usual patience is enough.
  const absl::Duration grace = std::min(lateness, options_.election_timeout);
  if (Leader* leader = std::get_if<Leader>(&role_)) {
    leader->next_quorum_check =
        std::max(leader->next_quorum_check, now + grace);
    return;
  }
  if (election_deadline_ != SlowInstant::Never()) {
    election_deadline_ = std::max(election_deadline_, now + grace);
  }
}

// A voter; or one whose removal may not be committed yet. Perhaps only the
// removed have the entry that removes them: those who stay lack it, so they
// cannot win, and need one of the others to lead them to its commit
// (dissertation, 4.2.2).
bool Consensus::MayStand() const { return log_.VotesSince(commit_, self_); }

void Consensus::ResetElectionTimer(SlowInstant now) {
  if (!MayStand()) {
    election_deadline_ =
        leader_.IsNone() ? SlowInstant::Never()
                         : now + kLearnersPatience * options_.election_timeout;
    return;
  }
  // (T, 2T]: a voter that has just refused to listen to others for T is not the
  // first to stand itself.
  election_deadline_ =
      now + options_.election_timeout +
      random_.Between(absl::Nanoseconds(1), options_.election_timeout);
}

// --- Elections --------------------------------------------------------------

Consensus::Role Consensus::role() const {
  return std::visit(Overloaded{[](const Follower&) { return Role::kFollower; },
                               [](const Candidacy& c) {
                                 return c.is_pre_vote ? Role::kPreCandidate
                                                      : Role::kCandidate;
                               },
                               [](const Leader&) { return Role::kLeader; }},
                    role_);
}

void Consensus::SetTerm(Term term, NodeId vote) {
  CHECK(term >= term_);
  // Rule 6: within a term the vote is given once.
  if (term == term_ && !vote_.IsNone()) CHECK(vote == vote_);
  if (term == term_ && vote == vote_) return;
  term_ = term;
  vote_ = vote;
  pending_.term = term;
  pending_.vote = vote;
  has_pending_ = true;
}

void Consensus::BecomeFollower(SlowInstant now, Term term, NodeId leader) {
  if (Leader* was = std::get_if<Leader>(&role_)) {
    for (const uint64_t read : was->new_reads) lost_reads_.push_back(read);
    for (const auto& [round, read] : was->reads) lost_reads_.push_back(read);
    leaving_.clear();
    wants_snapshot_ = false;
  }
  if (term > term_) SetTerm(term, NodeId());
  role_ = Follower{};
  leader_ = leader;
  ResetElectionTimer(now);
}

void Consensus::ObserveStepDown(LeadershipLost::Reason reason,
                                NodeId by) const {
  if (!leads()) return;
  Observe([&] { return LeadershipLost{term_, reason, by}; });
}

void Consensus::ObserveSilence(SlowInstant now) const {
  if (leader_.IsNone()) return;
  Observe([&] { return LeaderLost{leader_, term_, now - last_heard_leader_}; });
}

void Consensus::ObserveVoters(const Configuration& configuration) const {
  Observe([&] {
    VotersChanged changed;
    for (const Voter& voter : configuration.voters) {
      changed.voters.push_back(voter.id);
    }
    for (const Voter& voter : configuration.outgoing) {
      changed.outgoing.push_back(voter.id);
    }
    return changed;
  });
}

void Consensus::HearLeader(SlowInstant now, Term term, NodeId leader) {
  if (term > term_ || role() != Role::kFollower || leader_ != leader) {
    ObserveStepDown(LeadershipLost::Reason::kHigherTerm, leader);
    if (term > term_ || leader_ != leader) {
      Observe([&] { return LeaderFollowed{leader, term}; });
    }
    Note([&] {
      return absl::StrCat(leader.ToShortString(), " leads term ", term.value(),
                          " -> follow");
    });
    BecomeFollower(now, term, leader);
  }
  last_heard_leader_ = now;
  has_heard_leader_ = true;
  ResetElectionTimer(now);
}

bool Consensus::HearsLeader(SlowInstant now) const {
  if (leads()) return true;
  return has_heard_leader_ && !leader_.IsNone() &&
         now - last_heard_leader_ < options_.election_timeout;
}

bool Consensus::IsUpToDate(LogIndex last_index, Term last_term) const {
  if (last_term != log_.last_term()) return last_term > log_.last_term();
  return last_index >= log_.last_index();
}

void Consensus::Campaign(SlowInstant now, bool is_pre_vote, bool is_transfer,
                         Outbox& out) {
  const Term term = term_.Next();
  if (is_pre_vote) {
    Note([&] {
      return absl::StrCat("heard no leader -> would stand in term ",
                          term.value());
    });
  } else {
    Observe([&] {
      ElectionStarted started{.term = term};
      const bool is_first = log_.last_index() == LogIndex() && term_ == Term();
      if (is_first) started.reason = ElectionStarted::Reason::kFounding;
      if (is_transfer) started.reason = ElectionStarted::Reason::kHandover;
      return started;
    });
    Note([&] { return absl::StrCat("-> candidate in term ", term.value()); });
  }
  leader_ = NodeId();
  Candidacy candidacy;
  candidacy.is_pre_vote = is_pre_vote;
  candidacy.is_transfer = is_transfer;
  SaveId after;
  if (is_pre_vote) {
    candidacy.granted.insert(self_);
  } else {
    SetTerm(term, self_);
    candidacy.own_vote = after = PendingSave();
  }
  role_ = std::move(candidacy);
  ResetElectionTimer(now);
  VoteRequest request{.term = term,
                      .last_index = log_.last_index(),
                      .last_term = log_.last_term(),
                      .is_pre_vote = is_pre_vote,
                      .is_transfer = is_transfer};
  absl::btree_set<NodeId> asked;
  const auto ask = [&](const std::vector<Voter>& voters) {
    for (const Voter& voter : voters) {
      if (voter.id == self_ || !asked.insert(voter.id).second) continue;
      Send(voter.id, request, after, out);
    }
  };
  ask(configuration().voters);
  ask(configuration().outgoing);
  CountVotes(now, out);
}

void Consensus::CountVotes(SlowInstant now, Outbox& out) {
  const Candidacy* candidacy = std::get_if<Candidacy>(&role_);
  if (candidacy == nullptr) return;
  const bool won = HasQuorum(configuration(), [candidacy](NodeId id) {
    return candidacy->granted.contains(id);
  });
  if (!won) return;
  if (candidacy->is_pre_vote) {
    Campaign(now, /*is_pre_vote=*/false, /*is_transfer=*/false, out);
  } else {
    BecomeLeader(now, out);
  }
}

void Consensus::Handle(SlowInstant now, NodeId from, const VoteRequest& m,
                       Outbox& out) {
  VoteReply reply{.is_pre_vote = m.is_pre_vote};
  // Leader stickiness: while a leader is heard nobody else is helped, so that a
  // voter that was cut off, or replaced, does no harm when it comes back.
  const bool sticks = HearsLeader(now) && !m.is_transfer;
  if (m.is_pre_vote) {
    reply.granted =
        m.term > term_ && !sticks && IsUpToDate(m.last_index, m.last_term);
    // A refusal carries our term: a candidate behind it must learn it (rule 8).
    reply.term = reply.granted ? m.term : term_;
    Note([&] {
      return absl::StrCat(from.ToShortString(), " would stand in term ",
                          m.term.value(), " -> ",
                          reply.granted ? "would grant"
                          : sticks      ? "refuse, a leader is heard"
                                        : "refuse");
    });
    Send(from, reply, SaveId(), out);
    return;
  }
  if (m.term > term_ && !sticks) {
    ObserveStepDown(LeadershipLost::Reason::kHigherTerm, from);
    BecomeFollower(now, m.term, NodeId());
  }
  reply.term = term_;
  const bool can_vote =
      m.term == term_ && !sticks && (vote_.IsNone() || vote_ == from);
  if (can_vote && IsUpToDate(m.last_index, m.last_term)) {
    SetTerm(term_, from);
    ResetElectionTimer(now);
    reply.granted = true;
  }
  Note([&] {
    return absl::StrCat(from.ToShortString(), " stands in term ",
                        m.term.value(),
                        reply.granted ? " -> grant"
                        : sticks      ? " -> refuse, a leader is heard"
                                      : " -> refuse");
  });
  Send(from, reply, PendingSave(), out);
}

void Consensus::Handle(SlowInstant now, NodeId from, const VoteReply& m,
                       Outbox& out) {
  if (m.term > term_ && !m.granted) {
    ObserveStepDown(LeadershipLost::Reason::kHigherTerm, from);
    BecomeFollower(now, m.term, NodeId());
    return;
  }
  Candidacy* candidacy = std::get_if<Candidacy>(&role_);
  if (candidacy == nullptr || candidacy->is_pre_vote != m.is_pre_vote) return;
  const Term asked_for = m.is_pre_vote ? term_.Next() : term_;
  if (!m.granted || m.term != asked_for) return;
  candidacy->granted.insert(from);
  CountVotes(now, out);
}

void Consensus::Handle(SlowInstant now, NodeId /*from*/, const TimeoutNow& m,
                       Outbox& out) {
  if (m.term != term_ || leads() || !IsVoter(self_)) return;
  Note([&] { return "asked to take over"; });
  Campaign(now, /*is_pre_vote=*/false, /*is_transfer=*/true, out);
}

// --- Replication, follower's side -------------------------------------------

void Consensus::Handle(SlowInstant now, NodeId from, const Append& m,
                       Outbox& out) {
  AppendReply reply{.read_round = m.read_round};
  if (m.term < term_) {
    // A leader of the past: our term tells it to step down (rule 8).
    reply.term = term_;
    reply.rejected = m.previous_index;
    ReplyToAppend(from, reply, /*is_promise=*/false, out);
    return;
  }
  if (m.term == term_ && leads()) {
    ++counters_.malformed;
    return;
  }
  HearLeader(now, m.term, from);
  reply.term = term_;
  const LogIndex proven(m.previous_index.value() + m.entries.size());
  if (m.previous_index >= log_.base_index() &&
      !log_.Matches(m.previous_index, m.previous_term)) {
    reply.rejected = m.previous_index;
    reply.index = log_.LastNotAbove(m.previous_index, m.previous_term);
    reply.hint_term = log_.TermAt(reply.index);
    ReplyToAppend(from, reply, /*is_promise=*/false, out);
    return;
  }
  if (proven > log_.base_index() && !TakeEntries(now, m)) {
    ++counters_.malformed;
    return;
  }
  // Rule 7: entries beyond those of this append may be of another leader. What
  // is compacted was committed, hence is in every leader's log.
  reply.index = std::max(proven, log_.base_index());
  const LogIndex commit = std::min(m.commit, reply.index);
  if (commit > commit_) {
    const LogIndex before = commit_;
    commit_ = commit;
    OnCommitted(now, before, commit_, out);
  }
  reply.accepted = true;
  ReplyToAppend(from, reply, /*is_promise=*/true, out);
}

// Appends what is new, after cutting off what contradicts it. False, and
// nothing done, if no correct leader sends this.
bool Consensus::TakeEntries(SlowInstant now, const Append& m) {
  LogIndex index = m.previous_index;
  size_t fresh = 0;
  for (; fresh < m.entries.size(); ++fresh) {
    index = index.Next();
    if (index <= log_.base_index()) continue;
    if (!log_.Matches(index, m.entries[fresh].term)) break;
  }
  if (fresh == m.entries.size()) return true;
  // `index` is the first that is new or contradicts.
  if (index <= commit_) return false;
  Term term = log_.TermAt(index.Previous());
  ClusterTime time = log_.TimeAt(index.Previous());
  std::vector<std::optional<Configuration>> configurations;
  for (size_t i = fresh; i < m.entries.size(); ++i) {
    const Entry& entry = m.entries[i];
    if (entry.term < term || entry.term > m.term || entry.time < time ||
        entry.time - time > TimeJumpMax()) {
      return false;
    }
    term = entry.term;
    time = entry.time;
    std::optional<Configuration>& configuration = configurations.emplace_back();
    if (entry.kind != EntryKind::kConfiguration) continue;
    absl::StatusOr<Configuration> decoded =
        DecodeConfiguration(entry.payload.view());
    if (!decoded.ok()) return false;
    configuration = *std::move(decoded);
  }
  const bool could_stand = MayStand();
  if (index <= log_.last_index()) {
    Note([&] {
      return absl::StrCat("entries from ", index.value(), " contradict term ",
                          m.term.value(), " -> drop them");
    });
    const Configuration before = configuration();
    log_.Truncate(index);
    if (configuration() != before) ObserveVoters(configuration());
    stable_ = std::min(stable_, index.Previous());
    for (auto& [save, reach] : saves_in_flight_) {
      reach = std::min(reach, index.Previous());
    }
  }
  for (size_t i = fresh; i < m.entries.size(); ++i) {
    const std::optional<Configuration>& configuration =
        configurations[i - fresh];
    log_.Append(m.entries[i], configuration ? &*configuration : nullptr);
    if (configuration) {
      ObserveVoters(*configuration);
      Note([&] {
        return (std::ostringstream() << "voters are " << *configuration).str();
      });
    }
    NoteAppended(log_.last_index());
  }
  anchor_ = now;
  // This may be the last append of a leader that dies: whoever votes from here
  // on has to watch for that by itself.
  if (MayStand() != could_stand) ResetElectionTimer(now);
  return true;
}

void Consensus::ReplyToAppend(NodeId to, AppendReply reply, bool is_promise,
                              Outbox& out) {
  Send(to, std::move(reply), is_promise ? PendingSave() : SaveId(), out);
}

// False if no correct leader sends this.
bool Consensus::IsSound(const SnapshotChunk& m) const {
  if (m.index_term > m.term || m.configuration.voters.empty()) return false;
  if (m.index.value() > commit_.value() + kIndexJumpMax) return false;
  // The entries that we keep behind it were stamped after it: with another time
  // for it, its table could not take them.
  if (log_.Matches(m.index, m.index_term)) {
    return m.time == log_.TimeAt(m.index);
  }
  // What replaces our log goes on from what is committed in it: there, too,
  // terms and times do not fall.
  const ClusterTime time = log_.TimeAt(commit_);
  return m.index <= commit_ ||
         (m.index_term >= log_.TermAt(commit_) && m.time >= time &&
          m.time - time <= TimeJumpMax());
}

void Consensus::Handle(SlowInstant now, NodeId from, const SnapshotChunk& m,
                       Outbox& out) {
  SnapshotReply reply{.index = m.index, .read_round = m.read_round};
  if (m.term < term_) {
    reply.term = term_;
    Send(from, reply, SaveId(), out);
    return;
  }
  if (!IsSound(m) || (m.term == term_ && leads())) {
    ++counters_.malformed;
    return;
  }
  HearLeader(now, m.term, from);
  reply.term = term_;
  if (m.index <= commit_) {
    // We have come that far by ourselves.
    reply.received = m.total;
    Send(from, reply, PendingSave(), out);
    return;
  }
  if (arrived_.has_value()) return;
  const bool goes_on = incoming_.has_value() && incoming_->from == from &&
                       incoming_->snapshot.index == m.index &&
                       incoming_->snapshot.term == m.index_term &&
                       incoming_->snapshot.time == m.time &&
                       incoming_->snapshot.configuration == m.configuration &&
                       incoming_->total == m.total;
  if (!goes_on) {
    incoming_ = Incoming();
    incoming_->from = from;
    incoming_->snapshot.index = m.index;
    incoming_->snapshot.term = m.index_term;
    incoming_->snapshot.time = m.time;
    incoming_->snapshot.configuration = m.configuration;
    incoming_->total = m.total;
  }
  const bool fits = m.offset == incoming_->bytes.size() &&
                    m.bytes.size() <= m.total - m.offset;
  if (fits) incoming_->bytes += m.bytes;
  if (incoming_->bytes.size() == m.total) {
    incoming_->snapshot.table = SharedBytes(std::move(incoming_->bytes));
    arrived_ = std::move(incoming_->snapshot);
    arrived_from_ = from;
    incoming_.reset();
    return;  // answered when it is installed
  }
  reply.received = incoming_->bytes.size();
  Send(from, reply, SaveId(), out);
}

const Snapshot* Consensus::arrived_snapshot() const {
  return arrived_.has_value() ? &*arrived_ : nullptr;
}

void Consensus::RejectSnapshot() {
  ++counters_.malformed;
  arrived_.reset();
}

void Consensus::InstallSnapshot(SlowInstant now, Outbox& out) {
  CHECK(arrived_.has_value());
  const Snapshot snapshot = *std::move(arrived_);
  arrived_.reset();
  CHECK(snapshot.index > commit_);
  Note([&] {
    return absl::StrCat("snapshot up to ", snapshot.index.value(), " arrived, ",
                        snapshot.table.size(), " bytes -> install");
  });
  ++counters_.snapshots_installed;
  if (configuration() != snapshot.configuration) {
    ObserveVoters(snapshot.configuration);
  }
  if (log_.Matches(snapshot.index, snapshot.term)) {
    // The entries after it are good as well.
    log_.Compact(snapshot.index);
    stable_ = std::max(stable_, snapshot.index);
  } else {
    log_.Reset(snapshot);
    anchor_ = now;
    pending_.drops_log = true;
    pending_.entries.clear();
    stable_ = LogIndex();
    saves_in_flight_.clear();
  }
  commit_ = applied_ = snapshot.index;
  applied_time_ = snapshot.time;
  snapshot_ = snapshot;
  KeepSnapshot(snapshot);
  ResetElectionTimer(now);
  Send(arrived_from_,
       SnapshotReply{.term = term_,
                     .index = snapshot.index,
                     .received = snapshot.table.size()},
       PendingSave(), out);
}

// --- What is kept -----------------------------------------------------------

SaveId Consensus::PendingSave() const {
  return has_pending_ ? last_save_.Next() : last_save_;
}

void Consensus::NoteAppended(LogIndex index) {
  std::vector<Entry>& entries = pending_.entries;
  if (entries.empty() || index < pending_.first) {
    entries.clear();
    pending_.first = index;
  }
  const uint64_t kept = index.value() - pending_.first.value();
  CHECK(kept <= entries.size()) << "a gap before " << index;
  entries.resize(static_cast<size_t>(kept));
  entries.push_back(*log_.Find(index));
  has_pending_ = true;
}

// On disk too the log begins behind the snapshot: entries that it covers and
// that were not ordered to be kept yet need not be.
void Consensus::KeepSnapshot(const Snapshot& snapshot) {
  pending_.snapshot = snapshot;
  has_pending_ = true;
  std::vector<Entry>& entries = pending_.entries;
  if (entries.empty() || pending_.first > snapshot.index) return;
  const uint64_t covered = std::min<uint64_t>(
      snapshot.index.value() - pending_.first.value() + 1, entries.size());
  entries.erase(entries.begin(),
                entries.begin() + static_cast<ptrdiff_t>(covered));
  pending_.first = LogIndex(pending_.first.value() + covered);
}

void Consensus::NoteSaved(SlowInstant now, SaveId save, Outbox& out) {
  CHECK(save <= last_save_) << "save " << save << " was never ordered";
  saved_ = std::max(saved_, save);
  while (!saves_in_flight_.empty() && saves_in_flight_.front().first <= save) {
    stable_ = std::max(stable_, saves_in_flight_.front().second);
    saves_in_flight_.pop_front();
  }
  if (Candidacy* candidacy = std::get_if<Candidacy>(&role_)) {
    if (!candidacy->is_pre_vote && saved_ >= candidacy->own_vote) {
      candidacy->granted.insert(self_);
      CountVotes(now, out);
    }
  }
  if (leads()) AdvanceCommit(now, out);
}

bool Consensus::wants_compaction() const {
  const uint64_t keep = options_.compact_keep_entries;
  const uint64_t applied = applied_.value() - log_.base_index().value();
  if (log_.bytes() >= options_.compact_after_bytes) {
    // Unless most of it is yet to be applied: little would be won.
    return 2 * applied >= log_.size();
  }
  return applied > keep && applied - keep >= options_.compact_after_entries;
}

void Consensus::StoreSnapshot(SlowInstant now, std::string table) {
  wants_snapshot_ = false;
  flush_requested_ = true;
  const bool compacts = wants_compaction();
  Snapshot snapshot{.index = applied_,
                    .term = log_.TermAt(applied_),
                    .time = log_.TimeAt(applied_),
                    .configuration = log_.ConfigurationAt(applied_),
                    .table = SharedBytes(std::move(table))};
  Note([&] {
    return absl::StrCat("snapshot up to ", applied_.value(), ", ",
                        snapshot.table.size(), " bytes");
  });
  if (compacts) {
    const uint64_t keep =
        log_.bytes() >= options_.compact_after_bytes
            ? 0
            : std::min(options_.compact_keep_entries, applied_.value());
    log_.Compact(
        std::max(log_.base_index(), LogIndex(applied_.value() - keep)));
    KeepSnapshot(snapshot);
  }
  snapshot_ = std::move(snapshot);
  if (leads()) SyncFollowers(now);
}

const Entry* Consensus::NextCommitted() const {
  return applied_ < commit_ ? log_.Find(applied_.Next()) : nullptr;
}

void Consensus::AdvanceApplied() {
  CHECK(applied_ < commit_);
  applied_ = applied_.Next();
  applied_time_ = log_.TimeAt(applied_);
  ++counters_.entries_committed;
}

// --- Views and checks -------------------------------------------------------

bool Consensus::configuration_settled() const {
  return !configuration().IsJoint() && log_.configuration_index() <= commit_;
}

ClusterTime Consensus::TimeAt(SlowInstant now) const {
  return log_.last_time() + std::max(now - anchor_, absl::ZeroDuration());
}

std::optional<Address> Consensus::AddressOf(NodeId id) const {
  for (const auto* voters :
       {&configuration().voters, &configuration().outgoing}) {
    for (const Voter& voter : *voters) {
      if (voter.id == id) return voter.address;
    }
  }
  if (const Leader* leader = std::get_if<Leader>(&role_)) {
    for (const Voter& learner : leader->learners) {
      if (learner.id == id) return learner.address;
    }
  }
  return std::nullopt;
}

void Consensus::Send(NodeId to, ConsensusMessage message, SaveId after,
                     Outbox& out) {
  Outgoing& outgoing = out.sends.emplace_back();
  outgoing.to = to;
  outgoing.channel = Outgoing::Channel::kStream;
  std::visit([&outgoing](auto& m) { outgoing.message = std::move(m); },
             message);
  outgoing.after = after <= saved_ ? SaveId() : after;
}

void Consensus::CheckInvariants() const {
  CHECK(applied_ <= commit_);
  CHECK(commit_ <= log_.last_index());
  CHECK(log_.base_index() <= applied_);
  CHECK(stable_ <= log_.last_index());
  CHECK(log_.last_term() <= term_);
  CHECK(saved_ <= last_save_);
  if (snapshot_.has_value()) {
    CHECK(snapshot_->index <= applied_);
    CHECK(snapshot_->index >= log_.base_index());
  }
  if (const Leader* leader = std::get_if<Leader>(&role_)) {
    CHECK(leader_ == self_);
    CHECK(vote_ == self_);
    CHECK(leader->opened_at <= log_.last_index());
    for (const auto& [peer, progress] : leader->followers) {
      CHECK(peer != self_);
      CHECK(progress.match < progress.next);
      CHECK(progress.match <= log_.last_index());
    }
  }
}

uint64_t Consensus::Fingerprint() const {
  class Fingerprint hash;
  hash.Add(static_cast<uint64_t>(role())).Add(term_).Add(vote_).Add(leader_);
  hash.Add(commit_).Add(applied_).Add(applied_time_).Add(random_);
  hash.Add(anchor_).Add(election_deadline_).Add(last_heard_leader_);
  hash.Add(uint64_t{has_heard_leader_} * 4 + uint64_t{wants_snapshot_} * 2 +
           uint64_t{flush_requested_});
  hash.Add(log_.base_index()).Add(log_.configuration_index());
  for (LogIndex i = log_.first_index(); i <= log_.last_index(); i = i.Next()) {
    const Entry& entry = *log_.Find(i);
    hash.Add(entry.term).Add(entry.time).Add(entry.payload.view());
  }
  for (const auto& [id, leaver] : leaving_) {
    hash.Add(id).Add(leaver.heard).Add(leaver.asked_at);
  }
  hash.Add(let_go_in_.value_or(Term())).Add(uint64_t{let_go_in_.has_value()});
  AddSaves(hash);
  AddRole(hash);
  hash.Add(arrived_from_).Add(uint64_t{arrived_.has_value()});
  if (incoming_.has_value()) {
    hash.Add(incoming_->from).Add(incoming_->snapshot.index);
    hash.Add(uint64_t{incoming_->bytes.size()});
  }
  for (const uint64_t read : lost_reads_) hash.Add(read);
  for (const auto& [index, read] : waiting_reads_) hash.Add(index).Add(read);
  return hash.value();
}

// Entries that are pending are in the log.
void Consensus::AddSaves(class Fingerprint& hash) const {
  hash.Add(stable_).Add(last_save_).Add(saved_);
  hash.Add(uint64_t{has_pending_}).Add(pending_.first);
  hash.Add(uint64_t{pending_.term.has_value()}).Add(pending_.vote);
  hash.Add(uint64_t{saves_in_flight_.size()});
  for (const auto& [save, last] : saves_in_flight_) hash.Add(save).Add(last);
  if (snapshot_.has_value()) hash.Add(snapshot_->index).Add(snapshot_->term);
}

void Consensus::AddRole(class Fingerprint& hash) const {
  if (const Candidacy* candidacy = std::get_if<Candidacy>(&role_)) {
    hash.Add(uint64_t{candidacy->is_transfer}).Add(candidacy->own_vote);
    for (const NodeId& id : candidacy->granted) hash.Add(id);
  }
  const Leader* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr) return;
  hash.Add(leader->read_round).Add(leader->next_heartbeat);
  hash.Add(leader->next_quorum_check).Add(leader->opened_at);
  for (const auto& [round, began] : leader->rounds) hash.Add(round).Add(began);
  for (const uint64_t read : leader->new_reads) hash.Add(read);
  for (const auto& [round, read] : leader->reads) hash.Add(round).Add(read);
  for (const Voter& learner : leader->learners) hash.Add(learner.id);
  for (const auto& [peer, progress] : leader->followers) {
    hash.Add(peer).Add(static_cast<uint64_t>(progress.mode));
    hash.Add(progress.match).Add(progress.next).Add(progress.last_answer);
    hash.Add(progress.last_sent).Add(progress.close_since);
    hash.Add(progress.read_round).Add(progress.snapshot_received);
    hash.Add(uint64_t{progress.awaits_answer});
    hash.Add(uint64_t{progress.in_flight.size()});
    for (const LogIndex last : progress.in_flight) hash.Add(last);
  }
}

}  // namespace cachalot
