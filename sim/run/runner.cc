#include "sim/run/runner.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "engine/action.h"
#include "engine/client/client.h"
#include "engine/consensus/consensus.h"
#include "engine/ids.h"
#include "engine/majority_watch.h"
#include "engine/node.h"
#include "engine/request.h"
#include "engine/saved_state.h"
#include "sim/clients/workload.h"
#include "sim/judge/checkers.h"
#include "sim/judge/departure.h"
#include "sim/judge/majority_reports.h"
#include "sim/run/nemesis.h"
#include "sim/world/chance.h"
#include "sim/world/host.h"
#include "sim/world/instant.h"

namespace cachalot::sim {
namespace {

// How long each node waits for the lock in the healed world.
constexpr absl::Duration FinalLockWait() { return absl::Seconds(10); }

// A run with fewer grants is vacuous. Must exceed the grants of the healed
// world alone, in which each machine gets one lock.
constexpr uint64_t kGrantsMin = 10;

// In a healed world a machine must leave within this time plus some elections.
// Far less than leave_timeout: no leaver may need to wait for a timeout.
constexpr absl::Duration LeavingMax() { return absl::Milliseconds(700); }
constexpr int kElectionsWhileLeaving = 2;
constexpr int kRoundsOfLeaving = 3;

class Runner {
 public:
  Runner(const Plan& plan, ChoiceSource* choices, const RunOptions& options)
      : plan_(plan),
        choices_(choices),
        world_(plan.world, choices, options.trace),
        judge_(plan.judge),
        workload_(plan.workload, choices),
        nemesis_(plan.nemesis, choices, RealInstant() + plan.quiet) {
    world_.AddWatcher(&judge_);
    world_.AddWatcher(&workload_);
    for (Watcher* watcher : options.watchers) {
      world_.AddWatcher(watcher, /*listens=*/true);
    }
  }

  RunResult Run();

 private:
  void StartHosts();
  bool IsLatecomer(HostId host) const;
  void CountNameConflicts(FaultCounts* faults) const;
  // Runs until `end` or the first violation.
  void RunUntil(RealInstant end, bool with_nemesis);
  void Hear(const Notice& notice);
  void JudgeClients(const Complaint& complaint);

  void Heal();
  void StartAll();
  // Why the healed world need not make progress.
  struct Excuse {
    std::string text;  // empty: it must
    // All missing voters have left in time. This is a violation, not an excuse.
    bool by_leaving = false;
  };
  Excuse FindExcuse() const;
  Excuse FindExcuse(ClusterId cluster) const;
  Excuse DescribeMissing(const std::vector<Voter>& voters, ClusterId cluster,
                         const char* when) const;
  bool IsAliveSomewhere(NodeId id, ClusterId cluster) const;
  bool HasMajority(const std::vector<Voter>& voters, ClusterId cluster) const;
  const Node* LiveNode(HostId host) const;
  void AwaitReports();
  void DemandProgress();
  void KillForGood(HostId host);
  bool CanLose(HostId host);
  bool LockEverywhere();
  bool HasConverged() const;
  std::string DescribeProgress() const;
  void LeaveInTheEnd();
  void LeaveTogether(const std::vector<HostId>& leavers, Chance& chance);

  const Plan& plan_;
  ChoiceSource* choices_;
  World world_;
  Judge judge_;
  Workload workload_;
  Nemesis nemesis_;
  std::set<HostId> gone_;  // left or were killed, for good
  // CanLose() asks whether the cluster would survive without this machine.
  std::optional<HostId> assumed_dead_;
  // In the healed world: the open acquire of each machine, and the machines
  // that have held the lock.
  std::map<HostId, RequestId> final_requests_;
  std::set<HostId> final_holders_;
};

RunResult Runner::Run() {
  StartHosts();
  RunUntil(RealInstant() + plan_.quiet + plan_.harm, /*with_nemesis=*/true);
  RunResult result;
  if (judge_.violations().empty()) {
    Heal();
    RunUntil(world_.now() + absl::Seconds(2), /*with_nemesis=*/false);
    const Excuse excuse = FindExcuse();
    if (excuse.by_leaving) {
      judge_.Complain(world_, HostId(1),
                      absl::StrCat("lost by leaving alone: ", excuse.text));
    } else {
      result.excuse = excuse.text;
    }
    if (!result.excuse.empty()) AwaitReports();
    if (result.excuse.empty()) DemandProgress();
    if (result.excuse.empty() && plan_.victim && CanLose(*plan_.victim)) {
      KillForGood(*plan_.victim);
      DemandProgress();
    }
    if (result.excuse.empty() && plan_.ends_by_leaving) LeaveInTheEnd();
  }
  if (judge_.violations().empty()) JudgeClients(workload_.Check());
  result.seed = plan_.seed;
  if (!judge_.violations().empty()) {
    result.violation = judge_.violations().front();
  }
  result.steps = world_.steps();
  result.simulated = world_.now() - RealInstant();
  result.hash = world_.hash();
  result.grants = judge_.grants();
  if (result.grants < kGrantsMin) {
    result.vacuity =
        absl::StrCat("only ", result.grants,
                     result.grants == 1 ? " lock was" : " locks were",
                     " granted, of at least ", kGrantsMin);
  }
  result.history = workload_.TakeHistory();
  result.resources = workload_.resources();
  for (const ClusterId cluster : judge_.clusters()) {
    result.committed += judge_.committed(cluster).value();
  }
  result.network = world_.network().counters();
  result.faults = world_.fault_counts();
  result.faults.Add(world_.network().fault_counts());
  CountNameConflicts(&result.faults);
  if (choices_->records()) result.choices = choices_->TakeLog();
  return result;
}

void Runner::StartHosts() {
  for (const HostOptions& options : plan_.hosts) world_.AddHost(options);
  for (const HostId host : world_.hosts()) {
    if (!IsLatecomer(host)) world_.Start(host);
  }
}

bool Runner::IsLatecomer(HostId host) const {
  return std::find(plan_.latecomers.begin(), plan_.latecomers.end(), host) !=
         plan_.latecomers.end();
}

// A name conflict counts as observed if the machine is a member.
void Runner::CountNameConflicts(FaultCounts* faults) const {
  for (const HostId host : world_.hosts()) {
    const HostOptions& options =
        plan_.hosts[static_cast<size_t>(host.value() - 1)];
    if (options.node.name.empty()) continue;
    faults->AddAttempted(Fault::kNameConflict);
    const Node* node = world_.node(host);
    if (node == nullptr) continue;
    faults->AddApplied(Fault::kNameConflict);
    if (!node->identity().cluster.IsNone()) {
      faults->AddObserved(Fault::kNameConflict);
    }
  }
}

void Runner::StartAll() {
  for (const HostId host : world_.hosts()) {
    if (!gone_.contains(host) && world_.node(host) == nullptr) {
      world_.Start(host);
    }
  }
}

void Runner::RunUntil(RealInstant end, bool with_nemesis) {
  while (judge_.violations().empty()) {
    const RealInstant world_due = world_.NextDue();
    const RealInstant client_due = workload_.NextDue();
    const RealInstant fault_due =
        with_nemesis ? nemesis_.NextDue() : RealInstant::Never();
    const RealInstant due = std::min({world_due, client_due, fault_due});
    if (due > end) break;
    if (world_due == due) {
      world_.RunNext();
      for (const Notice& notice : world_.TakeNotices()) Hear(notice);
      continue;
    }
    world_.PassTime(std::max(due, world_.now()));
    if (client_due == due) {
      workload_.RunNext(world_);
      JudgeClients(workload_.complaint());
    } else {
      nemesis_.RunNext(world_);
    }
  }
  if (judge_.violations().empty()) {
    world_.PassTime(std::min(end, world_.NextDue()));
  }
}

void Runner::JudgeClients(const Complaint& complaint) {
  if (!complaint.has_value()) return;
  judge_.Complain(world_, HostId(1), *complaint);
}

void Runner::Hear(const Notice& notice) {
  if (std::holds_alternative<LeaveCompleted>(notice.what)) {
    final_requests_.erase(notice.host);
  }
  const auto* answer = std::get_if<AnswerRequest>(&notice.what);
  if (answer == nullptr) return;
  const auto found = final_requests_.find(notice.host);
  if (found == final_requests_.end()) return;
  if (found->second != answer->request) return;
  final_requests_.erase(found);
  if (answer->answer.outcome != Outcome::kOk) return;
  final_holders_.insert(notice.host);
  world_.Submit(notice.host, ReleaseRequest{"the-last", answer->answer.token});
}

// --- The healed world --------------------------------------------------------

void Runner::Heal() {
  world_.NoteIntervention("everything is healed");
  nemesis_.UndoAll(world_);
  StartAll();
  NetworkOptions network = world_.network().options();
  network.delay = {absl::Microseconds(100), absl::Milliseconds(2)};
  network.loss = Rate::Never();
  network.duplication = Rate::Never();
  network.reset = Rate::Never();
  world_.network().set_options(network);
  world_.StopStaleTurns();
  for (const HostId host : world_.hosts()) {
    world_.SlowDisk(host, {absl::ZeroDuration(), absl::Milliseconds(1)});
  }
  workload_.Stop();
}

// A cluster that keeps its state in memory is lost with the majority of its
// voters. If there is no other cluster, the run is excused, and counted as
// such.
Runner::Excuse Runner::FindExcuse() const {
  Excuse excuse{.text = "no cluster was born"};
  for (const ClusterId cluster : judge_.clusters()) {
    if (judge_.committed(cluster) == LogIndex()) continue;
    excuse = FindExcuse(cluster);
    if (excuse.text.empty()) break;
  }
  return excuse;
}

Runner::Excuse Runner::FindExcuse(ClusterId cluster) const {
  const Configuration& agreed = judge_.configuration(cluster);
  if (!HasMajority(agreed.voters, cluster)) {
    return DescribeMissing(agreed.voters, cluster, "");
  }
  if (agreed.IsJoint() && !HasMajority(agreed.outgoing, cluster)) {
    return DescribeMissing(agreed.outgoing, cluster, ", in a change of voters");
  }
  for (const HostId host : world_.hosts()) {
    const Node* node = LiveNode(host);
    if (node == nullptr || node->identity().cluster != cluster) continue;
    const Configuration& own = node->consensus().configuration();
    if (!own.voters.empty() && !HasMajority(own.voters, cluster)) {
      return DescribeMissing(own.voters, cluster,
                             ", before a change was agreed");
    }
    if (own.IsJoint() && !HasMajority(own.outgoing, cluster)) {
      return DescribeMissing(own.outgoing, cluster, ", in a change of voters");
    }
  }
  return {};
}

Runner::Excuse Runner::DescribeMissing(const std::vector<Voter>& voters,
                                       ClusterId cluster,
                                       const char* when) const {
  Excuse excuse{.by_leaving = true};
  for (const Voter& voter : voters) {
    if (IsAliveSomewhere(voter.id, cluster)) continue;
    const Judge::Ending ending = judge_.EndingOf(voter.id);
    if (ending.fate != Fate::kLeft) excuse.by_leaving = false;
    absl::StrAppend(&excuse.text, excuse.text.empty() ? "" : ", ",
                    world_.NameOf(voter.address), " ", FateName(ending.fate));
  }
  excuse.text = absl::StrCat("the majority of ", voters.size(),
                             voters.size() == 1 ? " voter" : " voters",
                             " was lost for good", when, ": ", excuse.text);
  return excuse;
}

const Node* Runner::LiveNode(HostId host) const {
  return host == assumed_dead_ ? nullptr : world_.node(host);
}

// Whether a process with this identity runs and is in `cluster`. It may be in
// another one, which was founded and then lost.
bool Runner::IsAliveSomewhere(NodeId id, ClusterId cluster) const {
  for (const HostId host : world_.hosts()) {
    const Node* node = LiveNode(host);
    if (node == nullptr || node->identity().cluster != cluster) continue;
    if (node->id() == id) return true;
  }
  return false;
}

bool Runner::HasMajority(const std::vector<Voter>& voters,
                         ClusterId cluster) const {
  const auto alive = std::count_if(
      voters.begin(), voters.end(),
      [&](const Voter& voter) { return IsAliveSomewhere(voter.id, cluster); });
  return static_cast<size_t>(alive) > voters.size() / 2;
}

// Those who are left must report that the majority is lost: the judge demands
// it.
void Runner::AwaitReports() {
  const absl::Duration patience =
      MajorityWatch::Patience(plan_.hosts[0].node.consensus);
  RunUntil(world_.now() + MajorityReports::DelayMax(patience) + patience,
           /*with_nemesis=*/false);
}

void Runner::DemandProgress() {
  const RealInstant deadline = world_.now() + plan_.recovery;
  while (judge_.violations().empty() && world_.now() < deadline) {
    if (LockEverywhere() && HasConverged()) return;
    RunUntil(world_.now() + absl::Milliseconds(200), /*with_nemesis=*/false);
    StartAll();  // including those that left before the world was healed
  }
  if (!judge_.violations().empty()) return;
  judge_.Complain(
      world_, HostId(1),
      absl::StrCat("no progress within ", absl::FormatDuration(plan_.recovery),
                   " of a healed world: ", DescribeProgress()));
}

// The others must remove it: as a member, as a voter and as a holder.
void Runner::KillForGood(HostId host) {
  world_.NoteIntervention(absl::StrCat(HostName(host), " is dead for good"));
  world_.Crash(host);
  gone_.insert(host);
  final_requests_.clear();
  final_holders_.clear();
}

// Whether the cluster keeps a majority without this machine. Voters that died
// before may still be in the configuration.
bool Runner::CanLose(HostId host) {
  if (!judge_.violations().empty() || world_.node(host) == nullptr) {
    return false;
  }
  assumed_dead_ = host;
  const bool can = FindExcuse().text.empty();
  assumed_dead_.reset();
  return can;
}

// Machines leave a healed cluster, one or several at a time, and the others
// must make progress each time. Finally the last ones leave together.
void Runner::LeaveInTheEnd() {
  Chance chance(choices_, "departure");
  std::vector<HostId> members;
  for (const HostId host : world_.hosts()) {
    if (world_.node(host) != nullptr) members.push_back(host);
  }
  chance.Shuffle(members);
  for (int round = 0; round < kRoundsOfLeaving && members.size() > 1; ++round) {
    const bool several = chance.Happens(Rate::Percent(30));
    const uint64_t count = several ? 1 + chance.Below(members.size() - 1) : 1;
    const auto first = members.end() - static_cast<ptrdiff_t>(count);
    LeaveTogether({first, members.end()}, chance);
    members.erase(first, members.end());
    final_requests_.clear();
    final_holders_.clear();
    DemandProgress();
  }
  LeaveTogether(members, chance);
}

// The world is healed, so no leaver may need to wait for a timeout.
void Runner::LeaveTogether(const std::vector<HostId>& leavers, Chance& chance) {
  if (!judge_.violations().empty()) return;
  const absl::Duration spread = chance.Happens(Rate::Percent(50))
                                    ? absl::Milliseconds(100)
                                    : absl::ZeroDuration();
  for (const HostId leaver : leavers) {
    RunUntil(world_.now() + chance.Between(absl::ZeroDuration(), spread),
             /*with_nemesis=*/false);
    gone_.insert(leaver);
    if (world_.node(leaver) != nullptr) world_.Leave(leaver);
  }
  const absl::Duration bound =
      kElectionsWhileLeaving * plan_.hosts[0].node.consensus.election_timeout +
      LeavingMax();
  const RealInstant deadline = world_.now() + bound;
  const auto runs = [this](HostId host) {
    return world_.node(host) != nullptr;
  };
  while (world_.now() < deadline &&
         std::any_of(leavers.begin(), leavers.end(), runs)) {
    RunUntil(std::min(deadline, world_.now() + absl::Milliseconds(20)),
             /*with_nemesis=*/false);
    if (!judge_.violations().empty()) return;
  }
  for (const HostId leaver : leavers) {
    if (world_.node(leaver) == nullptr) continue;
    judge_.Complain(
        world_, leaver,
        absl::StrCat("has not left a healed world within ",
                     absl::FormatDuration(bound), ": ", DescribeProgress()));
  }
}

// Each machine asks for one lock, holds it and releases it. True once all have
// held it.
bool Runner::LockEverywhere() {
  for (const HostId host : world_.hosts()) {
    if (final_holders_.contains(host) || world_.node(host) == nullptr) continue;
    const auto asked = final_requests_.find(host);
    if (asked != final_requests_.end()) continue;
    AcquireRequest request;
    request.key = "the-last";
    request.ttl = absl::Seconds(5);
    request.wait = FinalLockWait();
    final_requests_[host] = world_.Submit(host, std::move(request));
  }
  return final_holders_.size() == world_.host_count() - gone_.size();
}

// True if all are in one cluster and know each other, every voter has applied
// all committed entries, and no session of a missing machine is in the table.
bool Runner::HasConverged() const {
  ClusterId cluster;
  for (const HostId host : world_.hosts()) {
    const Node* node = world_.node(host);
    if (node != nullptr) cluster = node->identity().cluster;
  }
  if (cluster.IsNone()) return false;
  const LogIndex committed = judge_.committed(cluster);
  for (const HostId host : world_.hosts()) {
    if (gone_.contains(host)) continue;
    const Node* node = world_.node(host);
    if (node == nullptr) return false;
    if (node->identity().cluster != cluster) return false;
    if (!judge_.configuration(cluster).Contains(node->id())) continue;
    if (node->consensus().applied() < committed) return false;
  }
  return judge_.Unsettled(world_).empty();
}

std::string Runner::DescribeProgress() const {
  std::string text;
  for (const HostId host : world_.hosts()) {
    const Node* node = world_.node(host);
    absl::StrAppend(&text, text.empty() ? "" : "; ", HostName(host), " ");
    if (node == nullptr) {
      absl::StrAppend(&text, gone_.contains(host) ? "is gone" : "does not run");
      continue;
    }
    const Consensus& consensus = node->consensus();
    absl::StrAppend(&text, RoleName(consensus.role()), " in term ",
                    consensus.term().value(), ", applied ",
                    consensus.applied().value(), " of ",
                    consensus.last_index().value(),
                    node->identity().cluster.IsNone() ? ", no cluster" : "",
                    node->client().has_session() ? "" : ", no session",
                    final_holders_.contains(host) ? "" : ", got no lock");
  }
  absl::StrAppend(&text, "; ", judge_.Unsettled(world_));
  return text;
}

}  // namespace

RunResult RunPlan(const Plan& plan, ChoiceSource* choices,
                  const RunOptions& options) {
  return Runner(plan, choices, options).Run();
}

RunResult RunChoices(ChoiceSource* choices, const RunOptions& options) {
  Plan plan = Plan::Draw(choices);
  plan.harm = std::min(plan.harm, options.harm_max);
  plan.recovery = std::min(plan.recovery, options.recovery_max);
  return RunPlan(plan, choices, options);
}

RunResult RunSeed(uint64_t seed, const RunOptions& options) {
  ChoiceSource choices(seed, options.records);
  choices.Suppress(options.suppressed_streams);
  return RunChoices(&choices, options);
}

RunResult RunLog(const ChoiceLog& log, const RunOptions& options) {
  ChoiceSource choices(log);
  return RunChoices(&choices, options);
}

}  // namespace cachalot::sim
