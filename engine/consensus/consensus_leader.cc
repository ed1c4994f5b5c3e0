#include <algorithm>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/check.h"
#include "engine/consensus/consensus.h"
#include "engine/consensus/quorum.h"
#include "engine/limits.h"
#include "engine/wire/codec.h"

// The leader's side of Consensus: replication, commitment, reads, the change of
// voters, and the end of a turn.

namespace cachalot {
namespace {

// A follower that lacks no more entries than this is close behind: if it
// becomes a voter the next commits do not have to wait for it.
constexpr uint64_t kCloseEntries = 128;
// A chunk without an answer is sent again after so many heartbeats.
constexpr int kChunkRetryHeartbeats = 4;

// The progress of the follower `peer`; null if there is no leader's role, or it
// has no such follower.
template <typename Role>
auto FindProgress(Role* leader, NodeId peer)
    -> decltype(&leader->followers.begin()->second) {
  if (leader == nullptr) return nullptr;
  const auto found = leader->followers.find(peer);
  return found == leader->followers.end() ? nullptr : &found->second;
}

}  // namespace

void Consensus::BecomeLeader(SlowInstant now, Outbox& out) {
  ++counters_.elections_won;
  Leader leader;
  leader.next_heartbeat = now + options_.heartbeat_interval;
  leader.next_quorum_check = now + options_.election_timeout;
  leader.rounds.emplace_back(leader.read_round, now);
  role_ = std::move(leader);
  leader_ = self_;
  election_deadline_ = SlowInstant::Never();
  leaving_.clear();
  incoming_.reset();
  arrived_.reset();
  Observe([&] { return LeadershipWon{term_}; });
  Note([&] {
    return absl::StrCat("has the votes -> leader of term ", term_.value());
  });
  SyncFollowers(now);
  // The first leader of a cluster logs the founders' configuration, so that
  // nodes which receive only the log learn of the voters.
  if (log_.configuration_index() == LogIndex()) {
    const Configuration founders = configuration();
    AppendOwn(now, EntryKind::kConfiguration,
              SharedBytes(EncodeConfiguration(founders)), &founders);
  }
  // Rule 1: entries of former terms commit through one of this term.
  AppendOwn(now, EntryKind::kCommands, opening_, nullptr);
  std::get<Leader>(role_).opened_at = log_.last_index();
  for (auto& [peer, progress] : std::get<Leader>(role_).followers) {
    SendAppend(now, peer, progress, /*with_entries=*/false, out);
  }
}

void Consensus::SyncFollowers(SlowInstant now) {
  Leader& leader = std::get<Leader>(role_);
  absl::btree_map<NodeId, Progress> kept;
  const auto keep = [&](const std::vector<Voter>& voters) {
    for (const Voter& voter : voters) {
      if (voter.id == self_ || kept.contains(voter.id)) continue;
      const auto known = leader.followers.find(voter.id);
      if (known != leader.followers.end()) {
        kept[voter.id] = std::move(known->second);
        continue;
      }
      Progress& progress = kept[voter.id];
      progress.next = log_.last_index().Next();
      progress.last_answer = now;
    }
  };
  keep(configuration().voters);
  keep(configuration().outgoing);
  // A voter that is being removed is told so; otherwise it would believe itself
  // a voter for ever (rule 18).
  keep(log_.ConfigurationAt(commit_).outgoing);
  keep(leader.learners);
  leader.followers = std::move(kept);
}

void Consensus::SetLearners(SlowInstant now,
                            const std::vector<Voter>& learners) {
  Leader* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr || leader->learners == learners) return;
  leader->learners = learners;
  SyncFollowers(now);
  flush_requested_ = true;
}

SlowInstant Consensus::CloseSince(NodeId peer) const {
  const Progress* progress = FindProgress(std::get_if<Leader>(&role_), peer);
  return progress == nullptr ? SlowInstant::Never() : progress->close_since;
}

SlowInstant Consensus::LastAnswer(NodeId peer) const {
  const Progress* progress = FindProgress(std::get_if<Leader>(&role_), peer);
  return progress == nullptr ? SlowInstant::Never() : progress->last_answer;
}

bool Consensus::HasAnswered(NodeId peer) const {
  const Progress* progress = FindProgress(std::get_if<Leader>(&role_), peer);
  return progress != nullptr && progress->has_answered;
}

// --- Appending --------------------------------------------------------------

void Consensus::AppendOwn(SlowInstant now, EntryKind kind, SharedBytes payload,
                          const Configuration* configuration) {
  // Cluster time continues from the last entry, plus what has passed here since
  // that entry became the last. Nothing else may move it.
  const ClusterTime time = TimeAt(now);
  log_.Append(Entry{.term = term_,
                    .time = time,
                    .kind = kind,
                    .payload = std::move(payload)},
              configuration);
  anchor_ = now;
  NoteAppended(log_.last_index());
}

bool Consensus::Propose(SlowInstant now, std::string payload) {
  CHECK(leads());
  uint64_t uncommitted = 0;
  if (log_.bytes() > limits::kUncommittedBytesMax) {
    for (LogIndex i = log_.last_index(); i > commit_; i = i.Previous()) {
      uncommitted += log_.Find(i)->payload.size();
    }
  }
  if (uncommitted > limits::kUncommittedBytesMax) return false;
  AppendOwn(now, EntryKind::kCommands, SharedBytes(std::move(payload)),
            nullptr);
  return true;
}

bool Consensus::HasCommittedInTerm() const {
  const Leader* leader = std::get_if<Leader>(&role_);
  return leader != nullptr && commit_ >= leader->opened_at;
}

// An entry of this term is committed (rule 3), and no change is in flight (rule
// 4).
bool Consensus::CanChangeVoters() const {
  return HasCommittedInTerm() && configuration_settled();
}

// The first of two steps (rule 3; dissertation, 4.3): from this entry on a
// quorum needs majorities of both lists. OnCommitted() makes the second step.
void Consensus::ChangeVoters(SlowInstant now, std::vector<Voter> voters) {
  CHECK(CanChangeVoters());
  CHECK(!voters.empty());
  std::sort(voters.begin(), voters.end());
  Configuration joint{.voters = std::move(voters),
                      .outgoing = configuration().voters};
  ObserveVoters(joint);
  Note([&] {
    return (std::ostringstream() << "change of voters " << joint).str();
  });
  AppendOwn(now, EntryKind::kConfiguration,
            SharedBytes(EncodeConfiguration(joint)), &joint);
  SyncFollowers(now);
}

// --- Sending ----------------------------------------------------------------

void Consensus::Replicate(SlowInstant now, NodeId peer, Progress& progress,
                          bool is_heartbeat, Outbox& out) {
  switch (progress.mode) {
    case Progress::Mode::kProbe:
      if (is_heartbeat) progress.awaits_answer = false;
      if (progress.awaits_answer) return;
      SendAppend(now, peer, progress, /*with_entries=*/!is_heartbeat, out);
      return;
    case Progress::Mode::kReplicate: {
      bool sent = false;
      const size_t window = static_cast<size_t>(options_.appends_in_flight_max);
      while (progress.mode == Progress::Mode::kReplicate &&
             progress.next <= log_.last_index() &&
             progress.in_flight.size() < window) {
        SendAppend(now, peer, progress, /*with_entries=*/true, out);
        sent = true;
      }
      if (!is_heartbeat || sent) return;
      // Rule 14: heartbeats are sent also if the window is full. Otherwise the
      // loss of the whole window would stop replication for ever.
      if (now - progress.last_sent >= options_.heartbeat_interval / 2) {
        SendAppend(now, peer, progress, /*with_entries=*/false, out);
      }
      return;
    }
    case Progress::Mode::kSnapshot:
      if (!progress.snapshot.has_value()) {
        const bool fresh = snapshot_.has_value() &&
                           snapshot_->index != LogIndex() &&
                           snapshot_->index >= log_.base_index() &&
                           applied_.value() - snapshot_->index.value() <=
                               options_.compact_keep_entries;
        if (fresh) {
          progress.snapshot = snapshot_;
          ++counters_.snapshots_sent;
          SendChunk(now, peer, progress, out);
          return;
        }
        wants_snapshot_ = true;
      } else if (!progress.awaits_answer ||
                 now - progress.last_sent >=
                     kChunkRetryHeartbeats * options_.heartbeat_interval) {
        SendChunk(now, peer, progress, out);
        return;
      }
      if (is_heartbeat) {
        SendAppend(now, peer, progress, /*with_entries=*/false, out);
      }
      return;
  }
}

void Consensus::SendAppend(SlowInstant now, NodeId peer, Progress& progress,
                           bool with_entries, Outbox& out) {
  if (progress.next <= log_.base_index()) {
    // What it needs is compacted.
    if (progress.mode != Progress::Mode::kSnapshot) {
      BeginSnapshot(peer, progress);
      Replicate(now, peer, progress, /*is_heartbeat=*/false, out);
      return;
    }
    progress.next = log_.first_index();
  }
  Append append{.term = term_,
                .previous_index = progress.next.Previous(),
                .commit = commit_,
                .read_round = std::get<Leader>(role_).read_round};
  append.previous_term = log_.TermAt(append.previous_index);
  if (with_entries) {
    size_t bytes = 0;
    LogIndex index = progress.next;
    while (index <= log_.last_index() &&
           append.entries.size() < limits::kAppendEntriesMax) {
      const Entry* entry = log_.Find(index);
      bytes += entry->payload.size();
      if (!append.entries.empty() && bytes > limits::kAppendBytesMax) break;
      append.entries.push_back(*entry);
      index = index.Next();
    }
  }
  if (progress.mode == Progress::Mode::kReplicate && !append.entries.empty()) {
    progress.next = LogIndex(progress.next.value() + append.entries.size());
    progress.in_flight.push_back(progress.next.Previous());
  }
  if (progress.mode == Progress::Mode::kProbe) progress.awaits_answer = true;
  if (progress.mode != Progress::Mode::kSnapshot) progress.last_sent = now;
  // Rule 11: an append promises nothing, so it need not wait for our own save.
  Send(peer, std::move(append), SaveId(), out);
}

void Consensus::BeginSnapshot(NodeId peer, Progress& progress) {
  Note([&] {
    return absl::StrCat(peer.ToShortString(), " is too far behind -> snapshot");
  });
  progress.BecomeSnapshot();
  flush_requested_ = true;
}

void Consensus::SendChunk(SlowInstant now, NodeId peer, Progress& progress,
                          Outbox& out) {
  const Snapshot& snapshot = *progress.snapshot;
  const absl::string_view rest =
      snapshot.table.view().substr(static_cast<size_t>(std::min<uint64_t>(
          progress.snapshot_received, snapshot.table.size())));
  SnapshotChunk chunk{.term = term_,
                      .index = snapshot.index,
                      .index_term = snapshot.term,
                      .time = snapshot.time,
                      .configuration = snapshot.configuration,
                      .offset = progress.snapshot_received,
                      .total = snapshot.table.size(),
                      .read_round = std::get<Leader>(role_).read_round};
  chunk.bytes = std::string(rest.substr(0, limits::kSnapshotChunkBytes));
  progress.awaits_answer = true;
  progress.last_sent = now;
  Send(peer, std::move(chunk), SaveId(), out);
}

// --- Answers ----------------------------------------------------------------

void Consensus::BeginRound(SlowInstant now) {
  Leader& leader = std::get<Leader>(role_);
  leader.rounds.emplace_back(++leader.read_round, now);
  while (leader.rounds.size() > 1 &&
         now - leader.rounds.front().second >= options_.election_timeout) {
    leader.rounds.pop_front();
  }
}

// True if what carried `read_round` was sent within the last election timeout.
bool Consensus::IsRecent(SlowInstant now, uint64_t read_round) const {
  const Leader& leader = std::get<Leader>(role_);
  // `rounds` has those of heartbeats alone. A round of reads began after the
  // round of heartbeats before it.
  const auto after = std::upper_bound(
      leader.rounds.begin(), leader.rounds.end(), read_round,
      [](uint64_t wanted, const auto& round) { return wanted < round.first; });
  return after != leader.rounds.begin() &&
         now - std::prev(after)->second < options_.election_timeout;
}

// An answer proves that its sender hears us only if it answers something
// recent: it may have waited in a stream during a partition that still lasts.
void Consensus::NoteAnswer(SlowInstant now, Progress& progress,
                           uint64_t read_round) {
  // A round that was never begun proves nothing.
  if (read_round > std::get<Leader>(role_).read_round) return;
  progress.read_round = std::max(progress.read_round, read_round);
  if (!IsRecent(now, read_round)) return;
  // A follower that fell silent has to keep up again before it may vote.
  if (now - progress.last_answer >= options_.election_timeout) {
    progress.close_since = SlowInstant::Never();
  }
  progress.last_answer = now;
  progress.has_answered = true;
}

void Consensus::NoteCloseness(SlowInstant now, Progress& progress) {
  const bool is_close =
      progress.mode == Progress::Mode::kReplicate &&
      log_.last_index().value() - progress.match.value() <= kCloseEntries;
  if (!is_close) {
    progress.close_since = SlowInstant::Never();
  } else if (progress.close_since == SlowInstant::Never()) {
    progress.close_since = now;
  }
}

void Consensus::Handle(SlowInstant now, NodeId from, const AppendReply& m,
                       Outbox& out) {
  if (m.term > term_) {
    Note([&] {
      return absl::StrCat(from.ToShortString(), " is in term ", m.term.value(),
                          " -> step down");
    });
    ObserveStepDown(LeadershipLost::Reason::kHigherTerm, from);
    BecomeFollower(now, m.term, NodeId());
    return;
  }
  Progress* const found = FindProgress(std::get_if<Leader>(&role_), from);
  if (found == nullptr || m.term != term_) return;
  Progress& progress = *found;
  if (m.index > log_.last_index()) {
    ++counters_.malformed;
    return;
  }
  NoteAnswer(now, progress, m.read_round);
  ConfirmReads();
  if (m.accepted) {
    progress.match = std::max(progress.match, m.index);
    while (!progress.in_flight.empty() &&
           progress.in_flight.front() <= progress.match) {
      progress.in_flight.pop_front();
    }
    // That two logs agree at index 0 proves nothing.
    const bool waits_for_snapshot =
        progress.mode == Progress::Mode::kSnapshot &&
        (progress.match < log_.base_index() || progress.match == LogIndex());
    if (progress.mode != Progress::Mode::kReplicate && !waits_for_snapshot) {
      progress.BecomeReplicate();
    }
    progress.next = std::max(progress.next, progress.match.Next());
    flush_requested_ |= progress.next <= log_.last_index();
    NoteCloseness(now, progress);
    AdvanceCommit(now, out);
    return;
  }
  switch (progress.mode) {
    case Progress::Mode::kReplicate:
      if (m.rejected <= progress.match) return;  // delayed: rule 13
      progress.BecomeProbe();
      break;
    case Progress::Mode::kProbe:
      if (m.rejected != progress.next.Previous()) return;
      break;
    case Progress::Mode::kSnapshot:
      return;
  }
  flush_requested_ = true;
  progress.awaits_answer = false;
  const bool is_empty = m.index == LogIndex() && commit_ > LogIndex();
  if (is_empty || m.index < log_.base_index()) {
    BeginSnapshot(from, progress);
    return;
  }
  // Rule 13: both sides skip the entries of later terms than the other's.
  const LogIndex agreed = log_.LastNotAbove(
      std::min(m.index,
               m.rejected == LogIndex() ? LogIndex() : m.rejected.Previous()),
      m.hint_term);
  progress.next = std::max(progress.match.Next(), agreed.Next());
}

void Consensus::Handle(SlowInstant now, NodeId from, const SnapshotReply& m,
                       Outbox& out) {
  if (m.term > term_) {
    ObserveStepDown(LeadershipLost::Reason::kHigherTerm, from);
    BecomeFollower(now, m.term, NodeId());
    return;
  }
  Progress* const found = FindProgress(std::get_if<Leader>(&role_), from);
  if (found == nullptr || m.term != term_) return;
  Progress& progress = *found;
  NoteAnswer(now, progress, m.read_round);
  ConfirmReads();
  if (progress.mode != Progress::Mode::kSnapshot ||
      !progress.snapshot.has_value() || m.index != progress.snapshot->index) {
    return;
  }
  const uint64_t total = progress.snapshot->table.size();
  flush_requested_ = true;
  progress.awaits_answer = false;
  if (m.received < total) {
    progress.snapshot_received = m.received;
    return;
  }
  Note([&] {
    return absl::StrCat(from.ToShortString(), " has the snapshot up to ",
                        m.index.value());
  });
  progress.match = std::max(progress.match, m.index);
  progress.BecomeReplicate();
  NoteCloseness(now, progress);
  AdvanceCommit(now, out);
}

void Consensus::NoteLinkDown(NodeId peer) {
  Progress* const found = FindProgress(std::get_if<Leader>(&role_), peer);
  if (found == nullptr) return;
  Progress& progress = *found;
  if (progress.mode == Progress::Mode::kReplicate) progress.BecomeProbe();
  // What was in flight is lost. If nobody listens at the address, a new stream
  // would break as soon as something is sent: try again with the next
  // heartbeat.
  progress.awaits_answer = true;
}

// CheckQuorum (rule 8; dissertation, 6.2).
bool Consensus::HeardFromQuorum(SlowInstant now) const {
  const Leader& leader = std::get<Leader>(role_);
  return HasQuorum(configuration(), [&](NodeId id) {
    if (id == self_) return true;
    const Progress* found = FindProgress(&leader, id);
    return found != nullptr &&
           now - found->last_answer < options_.election_timeout;
  });
}

// --- Committing -------------------------------------------------------------

void Consensus::AdvanceCommit(SlowInstant now, Outbox& out) {
  const Leader& leader = std::get<Leader>(role_);
  const LogIndex agreed =
      QuorumValue<LogIndex>(configuration(), [&](NodeId id) {
        if (id == self_) return stable_;
        const auto found = leader.followers.find(id);
        return found == leader.followers.end() ? LogIndex()
                                               : found->second.match;
      });
  // Rule 1 (Raft, figure 8): counting commits entries of this term only.
  if (agreed <= commit_ || log_.TermAt(agreed) != term_) return;
  const LogIndex before = commit_;
  commit_ = agreed;
  OnCommitted(now, before, commit_, out);
}

void Consensus::OnCommitted(SlowInstant now, LogIndex from, LogIndex to,
                            Outbox& out) {
  if (!leads()) return;
  const Leader& leader = std::get<Leader>(role_);
  if (!leader.new_reads.empty()) flush_requested_ = true;
  const LogIndex changed_at = log_.configuration_index();
  const bool just_committed = from < changed_at && changed_at <= to;
  // A change that a former leader began is finished as soon as this term has
  // committed (rules 3 and 16: by the index of the configuration, once).
  const bool inherited =
      from < leader.opened_at && leader.opened_at <= to && changed_at <= to;
  if (!just_committed && !inherited) return;
  if (configuration().IsJoint()) {
    Configuration next{.voters = configuration().voters};
    ObserveVoters(next);
    Note([&] { return (std::ostringstream() << "voters are " << next).str(); });
    AppendOwn(now, EntryKind::kConfiguration,
              SharedBytes(EncodeConfiguration(next)), &next);
    SyncFollowers(now);
    return;
  }
  for (const auto& [id, leaver] : leaving_) {
    if (id == self_ || !DoesNotVote(id)) continue;
    Send(id, LeaveReply{.term = term_, .asked_at = leaver.asked_at}, SaveId(),
         out);
  }
  // Tell the voters that were removed.
  for (auto& [peer, progress] : std::get<Leader>(role_).followers) {
    const bool is_out = !IsVoter(peer) && log_.VotesSince(from, peer);
    if (is_out) SendAppend(now, peer, progress, /*with_entries=*/false, out);
  }
  SyncFollowers(now);
  if (!IsVoter(self_)) HandOver(now, out);
}

// --- Reads (dissertation, 6.4) ----------------------------------------------

void Consensus::RequestRead(uint64_t read) {
  CHECK(leads());
  std::get<Leader>(role_).new_reads.push_back(read);
  flush_requested_ = true;
}

// ReadIndex: a read is confirmed by a quorum that has answered a round which
// began after the read came (rule 2).
void Consensus::ConfirmReads() {
  Leader& leader = std::get<Leader>(role_);
  if (leader.reads.empty()) return;
  const uint64_t confirmed =
      QuorumValue<uint64_t>(configuration(), [&](NodeId id) {
        if (id == self_) return leader.read_round;
        const auto found = leader.followers.find(id);
        return found == leader.followers.end() ? uint64_t{0}
                                               : found->second.read_round;
      });
  while (!leader.reads.empty() && leader.reads.front().first <= confirmed) {
    // commit_ covers all that was committed when the read arrived.
    waiting_reads_.emplace_back(commit_, leader.reads.front().second);
    leader.reads.pop_front();
  }
}

std::vector<uint64_t> Consensus::TakeReads() {
  std::vector<uint64_t> ready;
  while (!waiting_reads_.empty() && waiting_reads_.front().first <= applied_) {
    ready.push_back(waiting_reads_.front().second);
    waiting_reads_.pop_front();
  }
  return ready;
}

std::vector<uint64_t> Consensus::TakeLostReads() {
  return std::exchange(lost_reads_, {});
}

// --- The end of a turn ------------------------------------------------------

bool Consensus::NeedsFlush() const {
  if (has_pending_ || flush_requested_) return true;
  const Leader* leader = std::get_if<Leader>(&role_);
  return leader != nullptr && !leader->new_reads.empty() &&
         HasCommittedInTerm();
}

// All that the turn has to save becomes one order (rule 10).
std::optional<SaveState> Consensus::Flush(SlowInstant now, Outbox& out) {
  flush_requested_ = false;
  if (Leader* leader = std::get_if<Leader>(&role_)) {
    bool new_round = false;
    // Rule 2: no read before this term has committed an entry.
    if (!leader->new_reads.empty() && HasCommittedInTerm()) {
      new_round = true;
      ++leader->read_round;
      for (const uint64_t read : leader->new_reads) {
        leader->reads.emplace_back(leader->read_round, read);
      }
      leader->new_reads.clear();
    }
    for (auto& [peer, progress] : leader->followers) {
      const size_t before = out.sends.size();
      Replicate(now, peer, progress, /*is_heartbeat=*/false, out);
      if (new_round && out.sends.size() == before) {
        SendAppend(now, peer, progress, /*with_entries=*/false, out);
      }
    }
    ConfirmReads();
  }
  if (!has_pending_) return std::nullopt;
  last_save_ = last_save_.Next();
  saves_in_flight_.emplace_back(last_save_, log_.last_index());
  has_pending_ = false;
  return SaveState{.save = last_save_,
                   .change = std::exchange(pending_, StateChange())};
}

}  // namespace cachalot
