#include <algorithm>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "engine/check.h"
#include "engine/command.h"
#include "engine/consensus/consensus.h"
#include "engine/node.h"
#include "engine/wire/codec.h"
#include "sim/judge/judge.h"

// The log: leaders, commits, and what the committed entries do.

namespace cachalot::sim {

void Judge::NoteLog(const Step& step, Cluster& cluster) {
  NoteLeadership(step, cluster);
  NoteConfiguration(step);
  NoteStamps(step, cluster);
  NoteCommits(step, cluster);
  NoteSnapshots(step, cluster);
  CompareTables(step, cluster);
}

// Once for each term that the node leads, when it begins to.
void Judge::NoteLeadership(const Step& step, Cluster& cluster) {
  const Consensus& consensus = step.node.consensus();
  const Term term = consensus.term();
  if (!consensus.leads() || step.process.led == term) return;
  step.process.led = term;
  ++counters_.elections;
  Check(step, cluster.leaders.ObserveLeader(term, step.node.id()));
  Check(step,
        votes_.CheckElection(consensus.configuration(), term, step.node.id()));
  // What it committed itself was compared when it did.
  const LogIndex end = cluster.log.LastBefore(term);
  for (LogIndex index =
           std::max(step.process.commit.Next(), consensus.first_index());
       index <= end; index = index.Next()) {
    Check(step, cluster.log.CheckLeaderHas(term, index, consensus.Find(index)));
  }
}

void Judge::NoteConfiguration(const Step& step) {
  const Consensus& consensus = step.node.consensus();
  const LogIndex index = consensus.log().configuration_index();
  const LogIndex before =
      std::exchange(step.process.configuration_index, index);
  if (!consensus.leads() || index <= before) return;
  const LogIndex commit = consensus.commit();
  // One step may append several.
  LogIndex last = before;
  for (LogIndex i = std::max(before.Next(), consensus.first_index());
       i <= index; i = i.Next()) {
    const Entry& entry = *consensus.Find(i);
    if (entry.kind != EntryKind::kConfiguration) continue;
    const LogIndex previous = std::exchange(last, i);
    if (entry.term != consensus.term()) continue;
    Check(step, CheckConfigurationProposal(
                    {.index = i,
                     .before = previous,
                     .term = consensus.term(),
                     .commit = commit,
                     .commit_term = consensus.TermAt(commit)}));
  }
}

void Judge::NoteStamps(const Step& step, Cluster& cluster) {
  const Consensus& consensus = step.node.consensus();
  Process& process = step.process;
  const LogIndex last = consensus.last_index();
  const Term last_term = consensus.TermAt(last);
  if (last == process.last && last_term == process.last_term) return;
  const bool is_longer = last > process.last &&
                         process.last >= consensus.first_index() &&
                         consensus.TermAt(process.last) == process.last_term;
  LogIndex index = is_longer ? process.last.Next() : process.commit.Next();
  index = std::max(index, consensus.first_index());
  for (; index <= last; index = index.Next()) {
    cluster.time.ObserveStamp(index, consensus.TermAt(index),
                              step.world.read_at());
  }
  CheckTime(step, cluster);
  process.last = last;
  process.last_term = last_term;
}

// A node counts cluster time from the end of its log.
void Judge::CheckTime(const Step& step, const Cluster& cluster) {
  const ClusterTime taken =
      step.node.consensus().TimeAt(step.world.Read(step.host).slow);
  Check(step, cluster.time.CheckReading(step.node.consensus().commit(), taken,
                                        step.world.now()));
}

void Judge::NoteCommits(const Step& step, Cluster& cluster) {
  const Consensus& consensus = step.node.consensus();
  Process& process = step.process;
  const LogIndex commit = consensus.commit();
  if (commit < process.commit) {
    Complain(step.world, step.host, "the commit index fell");
  }
  const bool leads = consensus.leads();
  if (leads && commit > process.commit) {
    const Term term = consensus.TermAt(commit);
    // The configuration may have changed within the step, before or after the
    // commit: by one of the two a majority must have saved the entry.
    const Complaint complaint =
        CheckCommitQuorum(process.configuration, commit, term, saved_);
    if (complaint.has_value()) {
      Check(step,
            CheckCommitQuorum(consensus.configuration(), commit, term, saved_));
    }
  }
  if (process.commit < commit) {
    while (process.commit < commit) {
      process.commit = process.commit.Next();
      NoteCommit(step, cluster, process.commit);
    }
    process.appended.erase(process.appended.begin(),
                           process.appended.upper_bound(commit));
  }
  const std::pair configured(consensus.term(),
                             consensus.log().configuration_index());
  if (leads && process.configured != configured) {
    process.configured = configured;
    process.configuration = consensus.configuration();
  }
}

void Judge::NoteCommit(const Step& step, Cluster& cluster, LogIndex index) {
  const Entry* entry = step.node.consensus().Find(index);
  if (entry == nullptr) {
    // Others committed it, and a snapshot that covers it was installed.
    if (index <= cluster.log.last()) return;
    // It was compacted in the step that committed it.
    const auto found = step.process.appended.find(index);
    if (found == step.process.appended.end()) {
      Complain(step.world, step.host,
               absl::StrCat("a snapshot covers entry ", index.value(),
                            ", which nobody committed"));
      return;
    }
    entry = &found->second;
  }
  bool is_first = false;
  Check(step, cluster.log.ObserveCommit(
                  index, *entry, step.node.consensus().term(), &is_first));
  if (!is_first) return;
  ++counters_.entries;
  if (options_.one_birth)
    Check(step, birth_.ObserveBirth(step.process.cluster));
  Check(step, cluster.time.ObserveCommit(index, *entry));
  Apply(step, cluster, index, *entry);
}

void Judge::Apply(const Step& step, Cluster& cluster, LogIndex index,
                  const Entry& entry) {
  // After a violation the tables need not agree any more.
  if (!violations_.empty()) return;
  if (entry.kind == EntryKind::kCommands) {
    ApplyCommands(step, cluster, index, entry);
    return;
  }
  const absl::StatusOr<Configuration> configuration =
      DecodeConfiguration(entry.payload.view());
  CHECK(configuration.ok()) << configuration.status().ToString();
  if (configuration->IsJoint()) ++counters_.configuration_changes;
  Check(step, cluster.configurations.ObserveCommit(index, *configuration));
}

void Judge::ApplyCommands(const Step& step, Cluster& cluster, LogIndex index,
                          const Entry& entry) {
  const absl::StatusOr<std::vector<LockCommand>> commands =
      DecodeCommands(entry.payload.view());
  CHECK(commands.ok()) << commands.status().ToString();
  const LockModel::Effects& effects =
      cluster.model.Apply(index, entry.time, *commands);
  const std::vector<Reply> replies =
      cluster.table.Apply(index, entry.time, *commands);
  Check(step, CheckReplies(index, effects.replies, replies));
  Check(step, cluster.grants.ObserveEntry(*commands, replies));
  const RealInstant stamped = cluster.time.last_stamped();
  for (const LockModel::Lease& lease : effects.leases) {
    cluster.leases.ObserveLease(lease.session, lease.token, lease.ttl, stamped);
    // The first lease of a token is that of its grant.
    cluster.reads.ObserveGrant(lease.token, cluster.log.last());
  }
  for (const LockModel::Ended& ended : effects.ended) {
    NoteEnded(step, cluster, ended);
  }
  Count(effects);
  if (index.value() % options_.tables_every == 0) {
    Check(step,
          cluster.tables.ObserveTable(index, cluster.table.Fingerprint()));
    Check(step, cluster.model.Compare(cluster.table));
  }
}

// Somebody else may be granted the lock from now on: its former holder's belief
// must have ended by its own clock, even if it has received nothing.
void Judge::NoteEnded(const Step& step, Cluster& cluster,
                      const LockModel::Ended& ended) {
  cluster.leases.ObserveEnd(ended.token);
  cluster.reads.ObserveEnd(ended.token, cluster.log.last());
  if (!options_.clocks_in_bound) return;
  for (const auto& [host, process] : processes_) {
    if (process.node != ended.session.node) continue;
    for (const auto& [request, held] : process.beliefs.held()) {
      if (held.token != ended.token) continue;
      const RealInstant until = EndOf(step.world, host, held.until);
      if (until <= step.world.now()) continue;
      Complain(step.world, host,
               Say(held.key, " (token ", held.token, ") is believed in until ",
                   until, ", but entry ", cluster.log.last(), " took it away"));
    }
  }
}

void Judge::Count(const LockModel::Effects& effects) {
  counters_.sessions_opened += effects.sessions_opened;
  counters_.sessions_closed += effects.sessions_closed;
  counters_.sessions_expired += effects.sessions_expired;
  counters_.waits += effects.queued;
  counters_.grants += effects.granted;
  counters_.grants_after_wait += effects.granted_after_wait;
  for (const LockModel::Ended& ended : effects.ended) {
    switch (ended.how) {
      case LockModel::End::kReleased:
        ++counters_.releases;
        break;
      case LockModel::End::kExpired:
        ++counters_.lock_expiries;
        break;
      case LockModel::End::kWithdrawn:
        ++counters_.withdrawals;
        break;
      case LockModel::End::kSessionOver:
        break;
    }
  }
}

// When they are ordered to be saved: the node's own and installed ones.
void Judge::NoteSnapshots(const Step& step, const Cluster& cluster) {
  for (const Snapshot* snapshot : step.snapshots) {
    Check(step, cluster.log.CheckSnapshot(snapshot->index, snapshot->term,
                                          snapshot->time));
    Check(step, cluster.configurations.CheckSnapshot(snapshot->index,
                                                     snapshot->configuration));
  }
}

void Judge::CompareTables(const Step& step, Cluster& cluster) {
  const Consensus& consensus = step.node.consensus();
  const uint64_t snapshots = consensus.counters().snapshots_installed;
  counters_.snapshots += snapshots - step.process.snapshots;
  step.process.snapshots = snapshots;
  const LogIndex applied = consensus.applied();
  if (applied == step.process.applied) return;
  if (applied < step.process.applied) {
    Complain(step.world, step.host, "the applied index fell");
  }
  step.process.applied = applied;
  if (applied.value() % options_.tables_every != 0) return;
  Check(step,
        cluster.tables.ObserveTable(applied, step.node.table().Fingerprint()));
}

}  // namespace cachalot::sim
