#include <algorithm>
#include <sstream>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "engine/check.h"
#include "engine/consensus/consensus.h"
#include "engine/wire/codec.h"

// The follower's side of Consensus: entries and snapshots that a leader sends.

namespace cachalot {
namespace {

// An index further ahead is malformed: half a year of a million entries a
// second.
constexpr uint64_t kIndexJumpMax = uint64_t{1} << 44;
// A cluster time further after that of the entry before is malformed: 36 years.
absl::Duration TimeJumpMax() { return absl::Nanoseconds(int64_t{1} << 60); }

}  // namespace

void Consensus::Handle(SlowInstant now, NodeId from, const Append& m,
                       Outbox& out) {
  AppendReply reply{.read_round = m.read_round};
  if (m.term < term_) {
    // From a leader of an earlier term: ours tells it to step down (rule 8).
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
    // Rule 13: the hint is our last entry that may still agree, and its term.
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
  // Rule 7: entries after those of this append may be another leader's. What is
  // compacted was committed, so every leader's log has it.
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

// Truncates what contradicts the append, then appends what is new. False, and
// nothing is changed, if no correct leader sends this.
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
    // If a configuration is truncated the one before is in force again (rule
    // 4). Saves that are not done yet no longer count for what is cut (rule
    // 12).
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
  // A node that has just become a voter starts its election timer: this append
  // may be the last that the leader sends.
  if (MayStand() != could_stand) ResetElectionTimer(now);
  return true;
}

// Only an accepted append is a promise and waits for its save (rule 11).
void Consensus::ReplyToAppend(NodeId to, AppendReply reply, bool is_promise,
                              Outbox& out) {
  Send(to, std::move(reply), is_promise ? PendingSave() : SaveId(), out);
}

// False if no correct leader sends this.
bool Consensus::IsSound(const SnapshotChunk& m) const {
  if (m.index_term > m.term || m.configuration.voters.empty()) return false;
  if (m.index.value() > commit_.value() + kIndexJumpMax) return false;
  // The entries that we keep after it go on from its cluster time: its table
  // could not apply them if the snapshot claimed another one.
  if (log_.Matches(m.index, m.index_term)) {
    return m.time == log_.TimeAt(m.index);
  }
  // A snapshot that replaces our log contains what is committed in it, so its
  // term and time are not below those of our last committed entry.
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
    // Our own log is committed up to there.
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
    // The entries after it continue the snapshot and stay.
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

}  // namespace cachalot
