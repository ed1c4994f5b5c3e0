#include "tests/engine/consensus/raft_cluster.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "engine/check.h"
#include "engine/fingerprint.h"
#include "engine/options.h"
#include "engine/wire/codec.h"
#include "engine/wire/message.h"
#include "sim/world/chance.h"
#include "tests/engine/consensus/parts.h"
#include "tests/engine/narrow_message.h"

namespace cachalot {
namespace {

using sim::RealInstant;

// Far beyond any crystal, so that faults that depend on clocks show.
constexpr int64_t kRateBoundPpm = 100'000;

ConsensusOptions Options() {
  ConsensusOptions options;
  options.appends_in_flight_max = 4;
  options.compact_after_entries = 12;
  options.compact_keep_entries = 6;
  return options;
}

uint64_t HashOf(const Entry& entry) {
  class Fingerprint hash;
  hash.Add(entry.term).Add(entry.time).Add(static_cast<uint64_t>(entry.kind));
  return hash.Add(entry.payload.view()).value();
}

void Require(const sim::Complaint& complaint) {
  CHECK(!complaint.has_value()) << *complaint;
}

// TableOf() of the member that stored it.
uint64_t StateOf(const Snapshot& snapshot) {
  return std::stoull(std::string(snapshot.table.view()));
}

sim::Delay SavesWithin(absl::Duration max) { return {.max = max}; }

}  // namespace

RaftCluster::Tally& RaftCluster::Tally::operator+=(const Tally& other) {
  leaders += other.leaders;
  commits += other.commits;
  changes += other.changes;
  snapshots += other.snapshots;
  truncations += other.truncations;
  restarts += other.restarts;
  reads += other.reads;
  return *this;
}

RaftCluster::Member::Member(sim::ChoiceSource* choices, uint64_t node,
                            int64_t rate)
    : rate_ppm(rate),
      clock(0, rate),
      disk(sim::Delay(), sim::Chance(choices, "disk", node)) {}

RaftCluster::RaftCluster(uint64_t seed)
    : random_(seed, "raft_cluster"), choices_(seed), time_(kRateBoundPpm) {
  const auto rarely = [&](absl::Duration low, absl::Duration high) {
    return random_.Chance(1, 4) ? absl::ZeroDuration()
                                : random_.Between(low, high);
  };
  faults_.loss_percent = random_.Below(3) * random_.Below(12);
  faults_.double_percent = random_.Below(2) * random_.Below(15);
  faults_.delay_max = absl::Milliseconds(random_.Chance(1, 2) ? 4 : 120);
  faults_.save_max = absl::Milliseconds(random_.Chance(1, 2) ? 1 : 60);
  faults_.crash_every = rarely(absl::Milliseconds(200), absl::Seconds(1));
  faults_.split_every = rarely(absl::Milliseconds(200), absl::Seconds(1));
  faults_.change_every = rarely(absl::Milliseconds(100), absl::Seconds(1));
  faults_.table_size = random_.Chance(1, 16) ? size_t{600'000} : size_t{40};
  for (uint64_t node = 1; node <= kNodes; ++node) {
    const int64_t rate_ppm =
        static_cast<int64_t>(random_.Below(2 * kRateBoundPpm + 1)) -
        kRateBoundPpm;
    members_.try_emplace(node, &choices_, node, rate_ppm);
    members_.at(node).disk.set_delay(SavesWithin(faults_.save_max));
    Start(node);
  }
  const std::vector<uint64_t> founders = random_.Chance(1, 2)
                                             ? std::vector<uint64_t>{1, 2, 3}
                                             : std::vector<uint64_t>{1};
  Touch(1, [&](Member& member, Outbox& out) {
    member.machine->Found(LocalTime(member), VotersOf(founders), out);
  });
  // The founding must be saved before node 1 may crash.
  Touch(1, [](Member&, Outbox&) {});
  Run(now_ + 2 * faults_.save_max);
}

void RaftCluster::RunWithFaults(absl::Duration time) {
  const RealInstant end = now_ + time;
  has_faults_ = true;
  Every(absl::Milliseconds(15), [this] { Propose(); });
  Every(absl::Milliseconds(40), [this] { RequestReads(); });
  Every(faults_.split_every, [this] { Split(); });
  Every(faults_.change_every, [this] { ChangeVoters(); });
  Every(faults_.crash_every, [this] {
    const uint64_t node = random_.Between(1, kNodes);
    if (!members_.at(node).machine.has_value()) return;
    Crash(node);
    At(now_ + random_.Between(absl::ZeroDuration(), absl::Seconds(1)),
       [this, node] { Start(node); });
  });
  Run(end);
  has_faults_ = false;
}

bool RaftCluster::Heals(absl::Duration time) {
  const RealInstant end = now_ + time;
  cut_.clear();
  faults_.loss_percent = faults_.double_percent = 0;
  faults_.delay_max = absl::Milliseconds(4);
  for (auto& [node, member] : members_) {
    member.disk.set_delay(SavesWithin(absl::Milliseconds(1)));
  }
  Run(now_ + absl::Seconds(1));  // every crashed node is up again by then
  while (now_ < end) {
    Propose();
    Run(now_ + absl::Milliseconds(200));
    const uint64_t leader = Leader();
    if (leader == 0) continue;
    const Consensus& machine = *members_.at(leader).machine;
    if (!machine.configuration_settled()) continue;
    const std::vector<Voter>& voters = machine.configuration().voters;
    const bool all_have =
        std::all_of(voters.begin(), voters.end(), [&](const Voter& voter) {
          return members_.at(voter.id.low).machine->applied() >=
                 machine.log().last_index();
        });
    if (all_have && machine.HasCommittedInTerm()) return true;
  }
  return false;
}

// --- Agenda -----------------------------------------------------------------

void RaftCluster::At(RealInstant when, std::function<void()> what) {
  agenda_.Add(when, std::move(what));
}

void RaftCluster::Run(RealInstant until) {
  while (agenda_.NextDue() <= until) {
    now_ = agenda_.NextDue();
    agenda_.TakeNext()();
  }
  now_ = until;
}

// About so often, while there are faults.
void RaftCluster::Every(absl::Duration interval, std::function<void()> what) {
  if (interval == absl::ZeroDuration()) return;
  At(now_ + random_.Between(interval / 2, interval * 3 / 2),
     [this, interval, what = std::move(what)] {
       if (!has_faults_) return;
       what();
       Every(interval, what);
     });
}

// --- Members ----------------------------------------------------------------

SlowInstant RaftCluster::LocalTime(const Member& member) const {
  return SlowInstant::FromNanoseconds(member.clock.At(now_));
}

void RaftCluster::Start(uint64_t node) {
  Member& member = members_.at(node);
  CHECK(!member.machine.has_value());
  ++member.life;
  const absl::Duration offset =
      random_.Between(absl::Hours(1), absl::Hours(1000));
  member.clock = sim::Clock(absl::ToInt64Nanoseconds(offset), member.rate_ppm);
  const SavedState& saved = member.disk.contents();
  const SlowInstant now = LocalTime(member);
  member.machine.emplace(Options(), IdOf(node), Random(random_.Next()), now,
                         nullptr);
  member.machine->SetOpening("opening");
  member.machine->Restore(now, saved);
  const bool has_table =
      saved.snapshot.has_value() && saved.snapshot->index > LogIndex();
  member.state = has_table ? StateOf(*saved.snapshot) : 0;
  member.term.Forget();
  Require(member.term.Observe(saved.term.value()));
  member.vote = sim::VoteStays();
  Require(member.vote.Observe(saved.term, saved.vote));
  member.commit = member.machine->commit();
  member.log_end = {};
  member.configuration = member.machine->configuration();
  member.configuration_index = member.machine->log().configuration_index();
  member.led = Term();
  if (member.life > 1) ++tally_.restarts;
  Wake(node);
}

// Some of what was on its way to the disk gets there, in order.
void RaftCluster::Crash(uint64_t node) {
  Member& member = members_.at(node);
  ++member.life;
  member.machine.reset();
  member.withheld.clear();
  member.disk.Crash();
  ObserveVote(node, member.disk.contents());
}

void RaftCluster::Touch(uint64_t node,
                        const std::function<void(Member&, Outbox&)>& event) {
  Member& member = members_.at(node);
  if (!member.machine.has_value()) return;
  Outbox out;
  member.machine->FireTimers(LocalTime(member), out);
  event(member, out);
  Finish(node, member, out);
}

// What a node does at the end of a step, and now and then of a turn.
void RaftCluster::Finish(uint64_t node, Member& member, Outbox& out) {
  Consensus& machine = *member.machine;
  CheckCommit(member);
  Apply(member, out);
  if (machine.leads()) {
    std::vector<Voter> learners;
    for (uint64_t other = 1; other <= kNodes; ++other) {
      if (!machine.IsVoter(IdOf(other))) learners.push_back(VoterOf(other));
    }
    machine.SetLearners(LocalTime(member), learners);
  }
  if (machine.NeedsFlush() && random_.Chance(3, 4)) {
    std::optional<SaveState> order = machine.Flush(LocalTime(member), out);
    if (order.has_value()) Save(node, member, *std::move(order));
  }
  CheckStep(node, member);
  for (Outgoing& outgoing : out.sends) {
    if (outgoing.after > machine.saved()) {
      member.withheld.push_back(std::move(outgoing));
    } else {
      CheckPromise(node, member, outgoing);
      Post(node, outgoing);
    }
  }
  Wake(node);
}

void RaftCluster::Save(uint64_t node, Member& member, SaveState order) {
  if (order.change.snapshot.has_value()) CheckSnapshot(*order.change.snapshot);
  At(member.disk.Save(now_, std::move(order)),
     [this, node, life = member.life] {
       if (members_.at(node).life == life) FinishSaves(node);
     });
}

void RaftCluster::FinishSaves(uint64_t node) {
  Touch(node, [this, node](Member& member, Outbox& out) {
    const std::optional<SaveId> saved = member.disk.FinishDue(now_);
    if (!saved.has_value()) return;
    ObserveVote(node, member.disk.contents());
    member.machine->NoteSaved(LocalTime(member), *saved, out);
    while (!member.withheld.empty() &&
           member.withheld.front().after <= *saved) {
      CheckPromise(node, member, member.withheld.front());
      Post(node, member.withheld.front());
      member.withheld.pop_front();
    }
  });
}

std::string RaftCluster::TableOf(const Member& member) const {
  std::string table = absl::StrCat(member.state);
  table.resize(std::max(table.size(), faults_.table_size), '.');
  return table;
}

void RaftCluster::Apply(Member& member, Outbox& out) {
  Consensus& machine = *member.machine;
  if (const Snapshot* snapshot = machine.arrived_snapshot()) {
    member.state = StateOf(*snapshot);
    Require(states_.ObserveTable(snapshot->index, member.state));
    machine.InstallSnapshot(LocalTime(member), out);
    ++tally_.snapshots;
  }
  while (const Entry* entry = machine.NextCommitted()) {
    ApplyEntry(member, machine.applied().Next(), *entry);
    machine.AdvanceApplied();
  }
  if ((machine.wants_snapshot() && machine.applied() > LogIndex()) ||
      machine.wants_compaction()) {
    machine.StoreSnapshot(LocalTime(member), TableOf(member));
  }
  for (const uint64_t lost : machine.TakeLostReads()) reads_.erase(lost);
  for (const uint64_t read : machine.TakeReads()) {
    Require(sim::CheckReadIndex(reads_.at(read), machine.applied()));
    reads_.erase(read);
    ++tally_.reads;
  }
}

void RaftCluster::ApplyEntry(Member& member, LogIndex index,
                             const Entry& entry) {
  class Fingerprint hash;
  member.state = hash.Add(member.state).Add(HashOf(entry)).value();
  Require(states_.ObserveTable(index, member.state));
  bool is_first = false;
  Require(committed_.ObserveCommit(index, entry, member.machine->term(),
                                   &is_first));
  if (!is_first) return;
  ++tally_.commits;
  Require(time_.ObserveCommit(index, entry));
  if (entry.kind != EntryKind::kConfiguration) return;
  const absl::StatusOr<Configuration> configuration =
      DecodeConfiguration(entry.payload.view());
  CHECK(configuration.ok()) << configuration.status();
  Require(configurations_.ObserveCommit(index, *configuration));
}

void RaftCluster::Post(uint64_t from, const Outgoing& outgoing) {
  const uint64_t to = outgoing.to.low;
  const auto percent = [this](uint64_t chance) {
    return chance > 0 && random_.Chance(chance, 100);
  };
  for (int copies = percent(faults_.double_percent) ? 2 : 1; copies > 0;
       --copies) {
    if (percent(faults_.loss_percent)) continue;
    const absl::Duration delay =
        random_.Between(absl::Microseconds(50), faults_.delay_max);
    At(now_ + delay, [this, from, to, message = outgoing.message] {
      if (cut_.contains({from, to})) return;
      Touch(to, [&](Member& member, Outbox& out) {
        member.machine->Receive(LocalTime(member), IdOf(from),
                                Narrow<ConsensusMessage>(message), out);
      });
    });
  }
}

// Timers fire when they are due, or somewhat later.
void RaftCluster::Wake(uint64_t node) {
  Member& member = members_.at(node);
  // What was not flushed is at the next event, at the latest then.
  const RealInstant latest = now_ + absl::Milliseconds(20);
  const SlowInstant deadline = member.machine->NextDeadline();
  const RealInstant due = deadline == SlowInstant::Never()
                              ? latest
                              : member.clock.When(deadline.nanoseconds());
  // A later event of the same member sets its own.
  const uint64_t wake = ++member.wakes;
  At(std::clamp(due, now_, latest) + absl::Microseconds(1), [this, node, wake] {
    if (members_.at(node).wakes == wake) Touch(node, [](Member&, Outbox&) {});
  });
}

// --- What is done to them ---------------------------------------------------

uint64_t RaftCluster::Leader() const {
  uint64_t leader = 0;
  Term term;
  for (const auto& [node, member] : members_) {
    if (!member.machine.has_value() || !member.machine->leads()) continue;
    if (member.machine->term() < term) continue;
    leader = node;
    term = member.machine->term();
  }
  return leader;
}

// To every leader: one that was replaced may not know it yet.
void RaftCluster::Propose() {
  for (auto& [node, member] : members_) {
    Touch(node, [this](Member& m, Outbox&) {
      if (!m.machine->leads()) return;
      const bool taken = m.machine->Propose(
          LocalTime(m), absl::StrCat("proposal ", ++proposals_));
      CHECK(taken);
    });
  }
}

void RaftCluster::RequestReads() {
  for (auto& [node, member] : members_) {
    Touch(node, [this](Member& m, Outbox&) {
      if (!m.machine->leads()) return;
      const uint64_t read = ++proposals_;
      reads_[read] = committed_.last();
      m.machine->RequestRead(read);
    });
  }
}

void RaftCluster::ChangeVoters() {
  const uint64_t leader = Leader();
  if (leader == 0) return;
  Touch(leader, [this](Member& member, Outbox&) {
    if (!member.machine->leads() || !member.machine->CanChangeVoters()) return;
    std::vector<Voter> all;
    for (uint64_t node = 1; node <= kNodes; ++node)
      all.push_back(VoterOf(node));
    random_.Shuffle(all);
    all.resize(static_cast<size_t>(random_.Between(1, kNodes)));
    std::sort(all.begin(), all.end());
    if (all == member.machine->configuration().voters) return;
    member.machine->ChangeVoters(LocalTime(member), all);
    ++tally_.changes;
  });
}

// Cuts some links, perhaps one way only, or mends them all.
void RaftCluster::Split() {
  if (!cut_.empty()) {
    cut_.clear();
    return;
  }
  const uint64_t side = random_.Between(1, (uint64_t{1} << kNodes) - 2);
  const bool one_way = random_.Chance(1, 3);
  for (uint64_t a = 1; a <= kNodes; ++a) {
    for (uint64_t b = 1; b <= kNodes; ++b) {
      const bool a_inside = (side >> (a - 1) & 1) != 0;
      const bool b_inside = (side >> (b - 1) & 1) != 0;
      if (a_inside && !b_inside) cut_.insert({a, b});
      if (!a_inside && b_inside && !one_way) cut_.insert({a, b});
    }
  }
}

void RaftCluster::Describe(std::ostream& out) const {
  for (const auto& [node, member] : members_) {
    out << node << ": ";
    if (!member.machine.has_value()) {
      out << "down\n";
      continue;
    }
    const Consensus& machine = *member.machine;
    out << RoleName(machine.role()) << " of term " << machine.term() << ", log "
        << machine.first_index() << ".." << machine.last_index()
        << " ends in term " << machine.log().last_term() << ", commit "
        << machine.commit() << ", saved " << machine.saved() << " of "
        << machine.last_save() << ", voters " << machine.configuration()
        << "\n";
  }
}

// --- Checks -----------------------------------------------------------------

void RaftCluster::CheckStep(uint64_t node, Member& member) {
  const Consensus& machine = *member.machine;
  machine.CheckInvariants();
  Require(member.term.Observe(machine.term().value()));
  Require(member.vote.Observe(machine.term(), machine.vote()));
  CHECK(machine.commit() >= member.commit) << "the commit index fell";
  member.commit = machine.commit();
  member.configuration = machine.configuration();
  CheckLog(member);
  CheckProposals(member);
  Require(time_.CheckReading(machine.commit(),
                             machine.TimeAt(LocalTime(member)), now_));
  if (machine.leads() && member.led != machine.term()) {
    member.led = machine.term();
    CheckElection(node, machine);
    ++tally_.leaders;
  }
}

void RaftCluster::CheckLog(Member& member) {
  const Log& log = member.machine->log();
  const std::pair<LogIndex, Term> end = {log.last_index(), log.last_term()};
  if (end == member.log_end) return;
  // Entries that were seen in this log before are compared again only now and
  // then.
  const bool is_longer =
      log.Matches(member.log_end.first, member.log_end.second);
  if (!is_longer && member.log_end.first >= log.base_index()) {
    ++tally_.truncations;
  }
  const bool goes_on = is_longer && !random_.Chance(1, 8);
  const LogIndex start =
      goes_on ? member.log_end.first.Next() : log.first_index();
  member.log_end = end;
  for (LogIndex i = start; i <= log.last_index(); i = i.Next()) {
    const Entry& entry = *log.Find(i);
    const Term previous = log.TermAt(i.Previous());
    const auto [seen, is_new] = entries_.try_emplace(
        {i, entry.term}, Seen{.hash = HashOf(entry), .previous = previous});
    CHECK(seen->second.hash == HashOf(entry)) << "two entries " << i;
    CHECK(seen->second.previous == previous) << "two logs before " << i;
    if (is_new) time_.ObserveStamp(i, entry.term, now_);
  }
}

// Of the changes of voters that a leader has appended in this step.
void RaftCluster::CheckProposals(Member& member) {
  const Consensus& machine = *member.machine;
  const LogIndex last = machine.log().configuration_index();
  LogIndex before = std::exchange(member.configuration_index, last);
  if (!machine.leads()) return;
  for (LogIndex i = std::max(before.Next(), machine.first_index()); i <= last;
       i = i.Next()) {
    const Entry& entry = *machine.Find(i);
    if (entry.kind != EntryKind::kConfiguration) continue;
    const LogIndex previous = std::exchange(before, i);
    if (entry.term != machine.term()) continue;
    Require(sim::CheckConfigurationProposal(
        {.index = i,
         .before = previous,
         .term = machine.term(),
         .commit = machine.commit(),
         .commit_term = machine.TermAt(machine.commit())}));
  }
}

void RaftCluster::CheckElection(uint64_t node, const Consensus& machine) {
  const Term term = machine.term();
  Require(leaders_.ObserveLeader(term, IdOf(node)));
  Require(votes_.CheckElection(machine.configuration(), term, IdOf(node)));
  for (LogIndex i = machine.first_index(); i <= committed_.LastBefore(term);
       i = i.Next()) {
    Require(committed_.CheckLeaderHas(term, i, machine.Find(i)));
  }
}

// The configuration may have changed within the step, before or after the
// commit.
void RaftCluster::CheckCommit(Member& member) {
  const Consensus& machine = *member.machine;
  const LogIndex commit = machine.commit();
  if (!machine.leads() || commit <= member.commit) return;
  const Term term = machine.TermAt(commit);
  std::map<NodeId, sim::SavedLog> saved;
  for (const auto& [node, other] : members_) {
    saved.emplace(IdOf(node), sim::SavedLog(other.disk.contents()));
  }
  const bool was_enough =
      !sim::CheckCommitQuorum(member.configuration, commit, term, saved);
  if (was_enough) return;
  Require(sim::CheckCommitQuorum(machine.configuration(), commit, term, saved));
}

void RaftCluster::CheckSnapshot(const Snapshot& snapshot) const {
  Require(
      committed_.CheckSnapshot(snapshot.index, snapshot.term, snapshot.time));
  Require(
      configurations_.CheckSnapshot(snapshot.index, snapshot.configuration));
}

void RaftCluster::ObserveVote(uint64_t node, const SavedState& saved) {
  if (saved.vote.IsNone()) return;
  Require(votes_.ObserveVote(IdOf(node), saved.term, saved.vote));
}

void RaftCluster::CheckPromise(uint64_t node, const Member& member,
                               const Outgoing& outgoing) {
  const sim::SavedLog saved(member.disk.contents());
  const Consensus& machine = *member.machine;
  if (const auto* vote = std::get_if<VoteReply>(&outgoing.message)) {
    if (!vote->granted || vote->is_pre_vote) return;
    Require(sim::CheckVotePromise(saved, outgoing.to, *vote));
    Require(votes_.ObserveVote(IdOf(node), vote->term, outgoing.to));
  }
  if (const auto* reply = std::get_if<AppendReply>(&outgoing.message)) {
    const bool is_known = machine.term() == reply->term &&
                          reply->index >= machine.first_index() &&
                          reply->index <= machine.last_index();
    Require(sim::CheckAppendPromise(
        saved, *reply,
        is_known ? std::optional<Term>(machine.TermAt(reply->index))
                 : std::nullopt));
  }
  if (const auto* reply = std::get_if<SnapshotReply>(&outgoing.message)) {
    // A part of a snapshot promises nothing.
    if (reply->received == 0 || machine.commit() < reply->index) return;
    Require(sim::CheckSnapshotPromise(saved, *reply));
  }
}

}  // namespace cachalot
