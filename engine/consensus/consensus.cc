#include "engine/consensus/consensus.h"

#include <algorithm>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "engine/check.h"
#include "engine/fingerprint.h"
#include "engine/overloaded.h"
#include "engine/wire/codec.h"

// The start, timers, what is saved, and views. Votes are in consensus_votes.cc,
// the follower's side of replication in consensus_follower.cc, the leader's in
// consensus_leader.cc, leaving in consensus_leaving.cc.

namespace cachalot {

namespace {

// Each election raises the term by one, so not even years of absence explain a
// greater difference. A forged term above it could use up the range of terms.
constexpr uint64_t kTermJumpMax = uint64_t{1} << 32;
// The highest term that a node without term and log takes from its cluster.
constexpr uint64_t kFirstTermMax = uint64_t{1} << 48;

Term TermOf(const ConsensusMessage& message) {
  return std::visit(Overloaded{[](const LeaveIntent&) { return Term(); },
                               [](const auto& m) { return m.term; }},
                    message);
}

// After so many election timeouts without a message a learner gives up its
// leader. Longer than a voter waits, since a learner does not stand for
// election.
constexpr int kLearnerElectionTimeouts = 4;

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
  // Rule 10: the term is not behind this node's own log.
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
  // The log is empty after its base, index 0, which carries the founders'
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
      knows_nothing ? kFirstTermMax : term_.value() + kTermJumpMax;
  return term.value() <= term_max;
}

// --- Timers -----------------------------------------------------------------

void Consensus::FireTimers(SlowInstant now, Outbox& out) {
  if (Leader* leader = std::get_if<Leader>(&role_)) {
    // CheckQuorum: a leader that no majority answers steps down (rule 8).
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
    // Another node may lead by now and not know of this learner.
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

// Puts off CheckQuorum or the election, so that the messages that are waiting
// are handled first (rule 20).
void Consensus::NoteStall(SlowInstant now, absl::Duration lateness) {
  // Once the waiting messages are read, one election timeout is enough.
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

// A voter, or one whose removal may not be committed yet. It is possible that
// only removed voters have the entry that removes them. Those who stay lack it
// and cannot win an election; a removed voter must lead until the entry is
// committed (dissertation, 4.2.2).
bool Consensus::MayStand() const { return log_.VotesSince(commit_, self_); }

void Consensus::ResetElectionTimer(SlowInstant now) {
  if (!MayStand()) {
    election_deadline_ = leader_.IsNone() ? SlowInstant::Never()
                                          : now + kLearnerElectionTimeouts *
                                                      options_.election_timeout;
    return;
  }
  // In (T, 2T]: within T of hearing a leader this node refuses its vote to
  // others, so it does not stand itself before T has passed.
  election_deadline_ =
      now + options_.election_timeout +
      random_.Between(absl::Nanoseconds(1), options_.election_timeout);
}

// --- What is saved ----------------------------------------------------------

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

// The saved log, too, begins after the snapshot: pending entries that the
// snapshot covers need not be saved.
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

// What is saved now counts: a candidate's own vote, a leader's own entries
// (rule 11).
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
    // Not while most of the log is yet to be applied: compaction would free
    // little.
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
                    // In force at its last entry, not the newest (rule 4).
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

Consensus::Role Consensus::role() const {
  return std::visit(Overloaded{[](const Follower&) { return Role::kFollower; },
                               [](const Candidacy& c) {
                                 return c.is_pre_vote ? Role::kPreCandidate
                                                      : Role::kCandidate;
                               },
                               [](const Leader&) { return Role::kLeader; }},
                    role_);
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

// The pending entries are in the log, which is added elsewhere.
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
    hash.Add(uint64_t{progress.has_answered});
    hash.Add(progress.last_sent).Add(progress.close_since);
    hash.Add(progress.read_round).Add(progress.snapshot_received);
    hash.Add(uint64_t{progress.awaits_answer});
    hash.Add(uint64_t{progress.in_flight.size()});
    for (const LogIndex last : progress.in_flight) hash.Add(last);
  }
}

}  // namespace cachalot
