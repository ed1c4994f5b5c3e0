#include "tests/engine/consensus/raft_cluster.h"

#include <algorithm>
#include <type_traits>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "engine/check.h"
#include "engine/fingerprint.h"
#include "engine/options.h"
#include "engine/wire/message.h"
#include "tests/engine/consensus/parts.h"

namespace cachalot {
namespace {

// Far beyond any crystal: what depends on clocks shows.
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

ConsensusMessage ToConsensus(const Message& message) {
  return std::visit(
      [](const auto& m) -> ConsensusMessage {
        if constexpr (std::is_constructible_v<ConsensusMessage, decltype(m)>) {
          return m;
        } else {
          CHECK(false) << "consensus speaks of something else";
          return LeaveIntent();
        }
      },
      message);
}

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

RaftCluster::RaftCluster(uint64_t seed) : random_(seed, "raft_cluster") {
  const auto rarely = [&](absl::Duration low, absl::Duration high) {
    return random_.Chance(1, 4) ? absl::ZeroDuration()
                                : random_.Between(low, high);
  };
  weather_.loss_percent = random_.Below(3) * random_.Below(12);
  weather_.double_percent = random_.Below(2) * random_.Below(15);
  weather_.delay_max = absl::Milliseconds(random_.Chance(1, 2) ? 4 : 120);
  weather_.save_max = absl::Milliseconds(random_.Chance(1, 2) ? 1 : 60);
  weather_.crash_every = rarely(absl::Milliseconds(200), absl::Seconds(1));
  weather_.split_every = rarely(absl::Milliseconds(200), absl::Seconds(1));
  weather_.change_every = rarely(absl::Milliseconds(100), absl::Seconds(1));
  weather_.table_size = random_.Chance(1, 16) ? size_t{600'000} : size_t{40};
  for (uint64_t node = 1; node <= kNodes; ++node) {
    Member& member = members_[node];
    member.rate_ppm =
        static_cast<int64_t>(random_.Below(2 * kRateBoundPpm + 1)) -
        kRateBoundPpm;
    Start(node);
  }
  const std::vector<uint64_t> founders = random_.Chance(1, 2)
                                             ? std::vector<uint64_t>{1, 2, 3}
                                             : std::vector<uint64_t>{1};
  Touch(1, [&](Member& member, Outbox& out) {
    member.machine->Found(LocalTime(member), VotersOf(founders), out);
  });
  // Whoever founds is not a founder before that is saved.
  Touch(1, [](Member&, Outbox&) {});
  Run(now_ + 2 * weather_.save_max);
}

void RaftCluster::RunWild(absl::Duration time) {
  const absl::Duration end = now_ + time;
  wild_ = true;
  Every(absl::Milliseconds(15), [this] { Propose(); });
  Every(absl::Milliseconds(40), [this] { Ask(); });
  Every(weather_.split_every, [this] { Split(); });
  Every(weather_.change_every, [this] { ChangeVoters(); });
  Every(weather_.crash_every, [this] {
    const uint64_t node = random_.Between(1, kNodes);
    if (!members_.at(node).machine.has_value()) return;
    Crash(node);
    At(now_ + random_.Between(absl::ZeroDuration(), absl::Seconds(1)),
       [this, node] { Start(node); });
  });
  Run(end);
  wild_ = false;
}

bool RaftCluster::Heals(absl::Duration time) {
  const absl::Duration end = now_ + time;
  cut_.clear();
  weather_.loss_percent = weather_.double_percent = 0;
  weather_.delay_max = absl::Milliseconds(4);
  weather_.save_max = absl::Milliseconds(1);
  Run(now_ + absl::Seconds(1));  // those who are down are up by then
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

void RaftCluster::At(absl::Duration when, std::function<void()> what) {
  agenda_.emplace(std::make_pair(when, ++sequence_), std::move(what));
}

void RaftCluster::Run(absl::Duration until) {
  while (!agenda_.empty() && agenda_.begin()->first.first <= until) {
    auto next = agenda_.extract(agenda_.begin());
    now_ = next.key().first;
    next.mapped()();
  }
  now_ = until;
}

// About so often, while it is wild.
void RaftCluster::Every(absl::Duration interval, std::function<void()> what) {
  if (interval == absl::ZeroDuration()) return;
  At(now_ + random_.Between(interval / 2, interval * 3 / 2),
     [this, interval, what = std::move(what)] {
       if (!wild_) return;
       what();
       Every(interval, what);
     });
}

// --- Members ----------------------------------------------------------------

SlowInstant RaftCluster::LocalTime(const Member& member) const {
  return SlowInstant() + member.offset +
         now_ * (1'000'000 + member.rate_ppm) / 1'000'000;
}

void RaftCluster::Start(uint64_t node) {
  Member& member = members_.at(node);
  CHECK(!member.machine.has_value());
  ++member.life;
  member.offset = random_.Between(absl::Hours(1), absl::Hours(1000));
  const SlowInstant now = LocalTime(member);
  member.machine.emplace(Options(), IdOf(node), Random(random_.Next()), now,
                         nullptr);
  member.machine->SetOpening("opening");
  member.machine->Restore(now, member.disk);
  const bool has_table = member.disk.snapshot.has_value() &&
                         member.disk.snapshot->index > LogIndex();
  member.state =
      has_table ? committed_.at(member.disk.snapshot->index).state : 0;
  member.seen_commit = member.machine->commit();
  member.seen_end = {};
  member.seen_term = Term();
  member.was_leading = false;
  if (member.life > 1) ++tally_.restarts;
  Wake(node);
}

void RaftCluster::Crash(uint64_t node) {
  Member& member = members_.at(node);
  ++member.life;
  member.machine.reset();
  member.withheld.clear();
  // Some of what was on its way to the disk got there, in order.
  uint64_t arrived = random_.Between(0, member.orders.size());
  for (; arrived > 0; --arrived) {
    member.disk.Apply(member.orders.front().change);
    member.orders.pop_front();
  }
  member.orders.clear();
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
    if (order.has_value()) {
      member.orders.push_back(*std::move(order));
      At(now_ + random_.Between(absl::ZeroDuration(), weather_.save_max),
         [this, node, life = member.life] {
           if (members_.at(node).life == life) Save(node);
         });
    }
  }
  Judge(node, member);
  for (Outgoing& outgoing : out.sends) {
    if (outgoing.after > machine.saved()) {
      member.withheld.push_back(std::move(outgoing));
    } else {
      JudgePromise(member, outgoing);
      Post(node, outgoing);
    }
  }
  Wake(node);
}

// The oldest order is done: they are completed in their order.
void RaftCluster::Save(uint64_t node) {
  Touch(node, [this, node](Member& member, Outbox& out) {
    const SaveState order = std::move(member.orders.front());
    member.orders.pop_front();
    member.disk.Apply(order.change);
    member.machine->NoteSaved(LocalTime(member), order.save, out);
    while (!member.withheld.empty() &&
           member.withheld.front().after <= order.save) {
      JudgePromise(member, member.withheld.front());
      Post(node, member.withheld.front());
      member.withheld.pop_front();
    }
  });
}

std::string RaftCluster::TableOf(const Member& member) const {
  std::string table = absl::StrCat(member.state, "|");
  table.resize(std::max(table.size(), weather_.table_size), '.');
  return table;
}

void RaftCluster::Apply(Member& member, Outbox& out) {
  Consensus& machine = *member.machine;
  if (const Snapshot* snapshot = machine.arrived_snapshot()) {
    const std::vector<std::string> parts =
        absl::StrSplit(snapshot->table.view(), '|');
    member.state = std::stoull(parts[0]);
    CHECK(committed_.contains(snapshot->index));
    CHECK(member.state == committed_.at(snapshot->index).state);
    machine.InstallSnapshot(LocalTime(member), out);
    member.seen_commit = machine.commit();
    ++tally_.snapshots;
  }
  while (const Entry* entry = machine.NextCommitted()) {
    class Fingerprint hash;
    member.state = hash.Add(member.state).Add(HashOf(*entry)).value();
    machine.AdvanceApplied();
    const LogIndex index = machine.applied();
    const auto [known, is_new] = committed_.try_emplace(
        index, Committed{.term = machine.TermAt(index), .state = member.state});
    CHECK(known->second.state == member.state)
        << "two states after entry " << index;
    CHECK(known->second.term == machine.TermAt(index));
    tally_.commits += is_new ? 1 : 0;
  }
  if ((machine.wants_snapshot() && machine.applied() > LogIndex()) ||
      machine.wants_compaction()) {
    machine.StoreSnapshot(LocalTime(member), TableOf(member));
  }
  for (const uint64_t lost : machine.TakeLostReads()) reads_.erase(lost);
  for (const uint64_t read : machine.TakeReads()) {
    CHECK(machine.applied() >= reads_.at(read)) << "a read of the past";
    reads_.erase(read);
    ++tally_.reads;
  }
}

void RaftCluster::Post(uint64_t from, const Outgoing& outgoing) {
  const uint64_t to = outgoing.to.low;
  const auto percent = [this](uint64_t chance) {
    return chance > 0 && random_.Chance(chance, 100);
  };
  for (int copies = percent(weather_.double_percent) ? 2 : 1; copies > 0;
       --copies) {
    if (percent(weather_.loss_percent)) continue;
    const absl::Duration delay =
        random_.Between(absl::Microseconds(50), weather_.delay_max);
    At(now_ + delay, [this, from, to, message = outgoing.message] {
      if (cut_.contains({from, to})) return;
      Touch(to, [&](Member& member, Outbox& out) {
        member.machine->Receive(LocalTime(member), IdOf(from),
                                ToConsensus(message), out);
      });
    });
  }
}

// Timers fire when they are due, or somewhat later.
void RaftCluster::Wake(uint64_t node) {
  const Member& member = members_.at(node);
  const SlowInstant due = member.machine->NextDeadline();
  absl::Duration wait = absl::Milliseconds(20);  // for what was not flushed
  if (due != SlowInstant::Never()) {
    wait = std::min(wait, (due - LocalTime(member)) * 1'000'000 /
                              (1'000'000 + member.rate_ppm));
  }
  const absl::Duration when =
      now_ + std::max(wait, absl::ZeroDuration()) + absl::Microseconds(1);
  // A later event of the same member sets its own.
  const uint64_t wake = ++members_.at(node).wakes;
  At(when, [this, node, wake] {
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

// Of every leader: those of the past do not know that they are.
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

void RaftCluster::Ask() {
  for (auto& [node, member] : members_) {
    Touch(node, [this](Member& m, Outbox&) {
      if (!m.machine->leads()) return;
      const uint64_t read = ++proposals_;
      reads_[read] =
          committed_.empty() ? LogIndex() : committed_.rbegin()->first;
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

// --- The judge --------------------------------------------------------------

void RaftCluster::Judge(uint64_t node, Member& member) {
  Consensus& machine = *member.machine;
  machine.CheckInvariants();
  CHECK(machine.term() >= member.seen_term) << "a term fell";
  const bool is_elected =
      machine.leads() &&
      (!member.was_leading || machine.term() > member.seen_term);
  member.seen_term = machine.term();
  member.was_leading = machine.leads();
  JudgeLog(member);
  if (!is_elected) return;
  const auto [known, is_new] = leaders_.try_emplace(machine.term(), node);
  CHECK(known->second == node) << "two leaders of term " << machine.term()
                               << ": " << node << " and " << known->second;
  tally_.leaders += is_new ? 1 : 0;
  if (committed_.empty()) return;
  CHECK(machine.last_index() >= committed_.rbegin()->first)
      << "leader " << node << " lacks what is committed";
  for (auto it = committed_.lower_bound(machine.log().base_index());
       it != committed_.end(); ++it) {
    CHECK(machine.TermAt(it->first) == it->second.term)
        << "leader " << node << " has another entry " << it->first;
  }
}

void RaftCluster::JudgeLog(Member& member) {
  const Log& log = member.machine->log();
  const std::pair<LogIndex, Term> end = {log.last_index(), log.last_term()};
  if (end == member.seen_end) return;
  if (end.first < member.seen_end.first) ++tally_.truncations;
  // What was seen before is seen again now and then only.
  const bool goes_on =
      log.Matches(member.seen_end.first, member.seen_end.second) &&
      !random_.Chance(1, 8);
  const LogIndex start =
      goes_on ? member.seen_end.first.Next() : log.first_index();
  member.seen_end = end;
  for (LogIndex i = start; i <= log.last_index(); i = i.Next()) {
    const Entry& entry = *log.Find(i);
    const Term previous = log.TermAt(i.Previous());
    const auto [known, is_new] =
        known_.try_emplace({i, entry.term}, Known{.hash = HashOf(entry),
                                                  .previous = previous,
                                                  .time = entry.time,
                                                  .made = now_});
    CHECK(known->second.hash == HashOf(entry)) << "two entries " << i;
    CHECK(known->second.previous == previous) << "two logs before " << i;
    if (!is_new) continue;
    const auto before = known_.find({i.Previous(), previous});
    if (before == known_.end()) continue;  // the birth
    const absl::Duration by_cluster = entry.time - before->second.time;
    const absl::Duration really = now_ - before->second.made;
    CHECK(by_cluster <= really * (1'000'000 + kRateBoundPpm) / 1'000'000 +
                            absl::Nanoseconds(2))
        << "cluster time runs fast at " << i;
  }
}

void RaftCluster::JudgePromise(const Member& member,
                               const Outgoing& outgoing) const {
  const SavedState& disk = member.disk;
  if (const auto* vote = std::get_if<VoteReply>(&outgoing.message)) {
    if (!vote->granted || vote->is_pre_vote) return;
    CHECK(disk.term >= vote->term);
    if (disk.term == vote->term) CHECK(disk.vote == outgoing.to);
  }
  const auto* append = std::get_if<AppendReply>(&outgoing.message);
  // What a later leader replaced meanwhile was never enough to commit.
  const bool stands = append != nullptr && append->accepted &&
                      append->term == member.machine->term();
  if (!stands) return;
  CHECK(disk.first.value() + disk.entries.size() > append->index.value())
      << "entry " << append->index << " is promised, but not saved";
}

}  // namespace cachalot
