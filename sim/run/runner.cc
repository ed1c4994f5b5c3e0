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
#include "engine/node.h"
#include "engine/request.h"
#include "engine/saved_state.h"
#include "sim/clients/workload.h"
#include "sim/judge/checkers.h"
#include "sim/judge/departure.h"
#include "sim/run/nemesis.h"
#include "sim/world/chance.h"
#include "sim/world/host.h"
#include "sim/world/instant.h"

namespace cachalot::sim {
namespace {

// How long a node may take to bring one lock from a healed world.
constexpr absl::Duration LastWait() { return absl::Seconds(10); }

// Those of the last phase, when everybody is served once, do not make a run.
constexpr uint64_t kGrantsOfASubstantialRun = 10;

// In a healed world who leaves has left after this, and some elections. Far
// less than leave_timeout: nobody waits for that, nor for what comes by and by.
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
  void BeginAll();
  bool IsLatecomer(HostId host) const;
  void NoteNames(FaultLedger* faults) const;
  // Until `end`, or the first violation.
  void RunUntil(RealInstant end, bool with_nemesis);
  void Hear(const Notice& notice);
  void JudgeClients(const Complaint& complaint);
  void KnowWhereClustersAre();

  void Heal();
  void StartAll();
  // Why no progress can be asked for.
  struct Excuse {
    std::string text;  // empty: it can be asked for
    // All who are missing have left in time: this excuses nothing.
    bool by_leaving = false;
  };
  Excuse FindExcuse() const;
  Excuse FindExcuse(ClusterId cluster) const;
  Excuse TellWhoIsMissing(const std::vector<Voter>& voters, ClusterId cluster,
                          const char* when) const;
  bool IsAliveSomewhere(NodeId id, ClusterId cluster) const;
  bool HasMajority(const std::vector<Voter>& voters, ClusterId cluster) const;
  const Node* NodeThatStays(HostId host) const;
  void DemandProgress();
  void Bury(HostId host);
  bool CanSpare(HostId host);
  bool AskEverywhere();
  bool HasConverged() const;
  std::string WhoIsBehind() const;
  void LeaveInTheEnd();
  void LeaveTogether(const std::vector<HostId>& leavers, Chance& chance);

  const Plan& plan_;
  ChoiceSource* choices_;
  World world_;
  Judge judge_;
  Workload workload_;
  Nemesis nemesis_;
  std::set<HostId> gone_;         // for good
  std::optional<HostId> spared_;  // while it is asked how it would be without
  // Of the last phase: the open acquire of each machine, and who is done.
  std::map<HostId, RequestId> last_asked_;
  std::set<HostId> last_served_;
};

RunResult Runner::Run() {
  BeginAll();
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
    if (result.excuse.empty()) DemandProgress();
    if (result.excuse.empty() && plan_.mortal && CanSpare(*plan_.mortal)) {
      Bury(*plan_.mortal);
      DemandProgress();
    }
    if (result.excuse.empty() && plan_.ends_by_leaving) LeaveInTheEnd();
  }
  if (judge_.violations().empty()) JudgeClients(workload_.Judge());
  result.seed = plan_.seed;
  if (!judge_.violations().empty()) {
    result.violation = judge_.violations().front();
  }
  result.steps = world_.steps();
  result.simulated = world_.now() - RealInstant();
  result.hash = world_.hash();
  result.grants = judge_.grants();
  if (result.grants < kGrantsOfASubstantialRun) {
    result.vacuity =
        absl::StrCat("only ", result.grants,
                     result.grants == 1 ? " lock was" : " locks were",
                     " granted, of at least ", kGrantsOfASubstantialRun);
  }
  result.history = workload_.TakeHistory();
  result.resources = workload_.resources();
  for (const ClusterId cluster : judge_.clusters()) {
    result.committed += judge_.committed(cluster).value();
  }
  result.network = world_.network().counters();
  result.faults = world_.ledger();
  result.faults.Add(world_.network().ledger());
  NoteNames(&result.faults);
  if (choices_->records()) result.choices = choices_->TakeLog();
  return result;
}

void Runner::BeginAll() {
  for (const HostOptions& options : plan_.hosts) world_.AddHost(options);
  for (uint64_t i = 1; i <= world_.host_count(); ++i) {
    if (!IsLatecomer(HostId(i))) world_.Start(HostId(i));
  }
}

bool Runner::IsLatecomer(HostId host) const {
  return std::find(plan_.latecomers.begin(), plan_.latecomers.end(), host) !=
         plan_.latecomers.end();
}

// Two members of one name are noticed by those who list them.
void Runner::NoteNames(FaultLedger* faults) const {
  for (uint64_t i = 1; i <= world_.host_count(); ++i) {
    if (plan_.hosts[static_cast<size_t>(i - 1)].node.name.empty()) continue;
    faults->Attempt(Fault::kNameConflict);
    const Node* node = world_.node(HostId(i));
    if (node == nullptr) continue;
    faults->Apply(Fault::kNameConflict);
    if (!node->identity().cluster.IsNone()) {
      faults->Observe(Fault::kNameConflict);
    }
  }
}

void Runner::StartAll() {
  for (uint64_t i = 1; i <= world_.host_count(); ++i) {
    const HostId host(i);
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
      JudgeClients(workload_.wrong());
    } else {
      KnowWhereClustersAre();
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
    last_asked_.erase(notice.host);
  }
  const auto* answer = std::get_if<AnswerRequest>(&notice.what);
  if (answer == nullptr) return;
  const auto found = last_asked_.find(notice.host);
  if (found == last_asked_.end()) return;
  if (found->second != answer->request) return;
  last_asked_.erase(found);
  if (answer->answer.outcome != Outcome::kOk) return;
  last_served_.insert(notice.host);
  world_.Submit(notice.host, ReleaseRequest{"the-last", answer->answer.token});
}

// Births are explicit: once there is a cluster, nobody founds another, however
// often its process starts; unless it is the plan that it knows no better.
void Runner::KnowWhereClustersAre() {
  if (judge_.clusters().empty() || plan_.founds_again) return;
  for (uint64_t i = 1; i <= world_.host_count(); ++i) {
    world_.node_options(HostId(i)).bootstrap_expect = 0;
  }
}

// --- The healed world --------------------------------------------------------

void Runner::Heal() {
  world_.Say("everything is healed");
  KnowWhereClustersAre();
  nemesis_.Rest(world_);
  StartAll();
  NetworkOptions network = world_.network().options();
  network.delay = {absl::Microseconds(100), absl::Milliseconds(2)};
  network.loss = Rate::Never();
  network.duplication = Rate::Never();
  network.reset = Rate::Never();
  world_.network().set_options(network);
  world_.ReadClocksInTime();
  for (uint64_t i = 1; i <= world_.host_count(); ++i) {
    world_.SlowDisk(HostId(i), {absl::ZeroDuration(), absl::Milliseconds(1)});
  }
  workload_.Stop();
}

// A cluster that kept its state in memory is lost with the majority of its
// voters: if there is no other, no progress can be asked. These runs are
// counted.
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
    return TellWhoIsMissing(agreed.voters, cluster, "");
  }
  if (agreed.IsJoint() && !HasMajority(agreed.outgoing, cluster)) {
    return TellWhoIsMissing(agreed.outgoing, cluster,
                            ", in a change of voters");
  }
  for (uint64_t i = 1; i <= world_.host_count(); ++i) {
    const Node* node = NodeThatStays(HostId(i));
    if (node == nullptr || node->identity().cluster != cluster) continue;
    const Configuration& own = node->consensus().configuration();
    if (!own.voters.empty() && !HasMajority(own.voters, cluster)) {
      return TellWhoIsMissing(own.voters, cluster,
                              ", before a change was agreed");
    }
    if (own.IsJoint() && !HasMajority(own.outgoing, cluster)) {
      return TellWhoIsMissing(own.outgoing, cluster, ", in a change of voters");
    }
  }
  return {};
}

Runner::Excuse Runner::TellWhoIsMissing(const std::vector<Voter>& voters,
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

const Node* Runner::NodeThatStays(HostId host) const {
  return host == spared_ ? nullptr : world_.node(host);
}

// In that cluster, that is: it may be bound to another, of which nothing came.
bool Runner::IsAliveSomewhere(NodeId id, ClusterId cluster) const {
  for (uint64_t i = 1; i <= world_.host_count(); ++i) {
    const Node* node = NodeThatStays(HostId(i));
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

void Runner::DemandProgress() {
  const RealInstant deadline = world_.now() + plan_.recovery;
  while (judge_.violations().empty() && world_.now() < deadline) {
    if (AskEverywhere() && HasConverged()) return;
    RunUntil(world_.now() + absl::Milliseconds(200), /*with_nemesis=*/false);
    StartAll();  // what left before it was healed
  }
  if (!judge_.violations().empty()) return;
  judge_.Complain(
      world_, HostId(1),
      absl::StrCat("no progress within ", absl::FormatDuration(plan_.recovery),
                   " of a healed world: ", WhoIsBehind()));
}

// The others see to it that it is forgotten: as a member, as a voter and as a
// holder.
void Runner::Bury(HostId host) {
  world_.Say(absl::StrCat(HostName(host), " is dead for good"));
  world_.Crash(host);
  gone_.insert(host);
  last_asked_.clear();
  last_served_.clear();
}

// Whether the cluster is healed, and has a majority without this machine: among
// its voters there may be some that have died before.
bool Runner::CanSpare(HostId host) {
  if (!judge_.violations().empty() || world_.node(host) == nullptr) {
    return false;
  }
  spared_ = host;
  const bool can = FindExcuse().text.empty();
  spared_.reset();
  return can;
}

// A healed cluster is left by one machine, or several at once, and the others
// go on; and so on, until the last leave together.
void Runner::LeaveInTheEnd() {
  Chance chance(choices_, "departure");
  std::vector<HostId> staying;
  for (uint64_t i = 1; i <= world_.host_count(); ++i) {
    if (world_.node(HostId(i)) != nullptr) staying.push_back(HostId(i));
  }
  chance.Shuffle(staying);
  for (int round = 0; round < kRoundsOfLeaving && staying.size() > 1; ++round) {
    const bool several = chance.Happens(Rate::Percent(30));
    const uint64_t count = several ? 1 + chance.Below(staying.size() - 1) : 1;
    const auto first = staying.end() - static_cast<ptrdiff_t>(count);
    LeaveTogether({first, staying.end()}, chance);
    staying.erase(first, staying.end());
    last_asked_.clear();
    last_served_.clear();
    DemandProgress();
  }
  LeaveTogether(staying, chance);
}

// Nothing is in the way: nobody has to wait for a time-out.
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
                     absl::FormatDuration(bound), ": ", WhoIsBehind()));
  }
}

// Everybody waits for one lock, which goes from hand to hand. True when all had
// it.
bool Runner::AskEverywhere() {
  for (uint64_t i = 1; i <= world_.host_count(); ++i) {
    const HostId host(i);
    if (last_served_.contains(host) || world_.node(host) == nullptr) continue;
    const auto asked = last_asked_.find(host);
    if (asked != last_asked_.end()) continue;
    AcquireRequest request;
    request.key = "the-last";
    request.ttl = absl::Seconds(5);
    request.wait = LastWait();
    last_asked_[host] = world_.Submit(host, std::move(request));
  }
  return last_served_.size() == world_.host_count() - gone_.size();
}

// All are in one cluster and know each other, every voter has applied all that
// was committed, and nobody is left in the table who is not there.
bool Runner::HasConverged() const {
  ClusterId cluster;
  for (uint64_t i = 1; i <= world_.host_count(); ++i) {
    const Node* node = world_.node(HostId(i));
    if (node != nullptr) cluster = node->identity().cluster;
  }
  if (cluster.IsNone()) return false;
  const LogIndex committed = judge_.committed(cluster);
  for (uint64_t i = 1; i <= world_.host_count(); ++i) {
    if (gone_.contains(HostId(i))) continue;
    const Node* node = world_.node(HostId(i));
    if (node == nullptr) return false;
    if (node->identity().cluster != cluster) return false;
    if (!judge_.configuration(cluster).Contains(node->id())) continue;
    if (node->consensus().applied() < committed) return false;
  }
  return judge_.Unsettled(world_).empty();
}

std::string Runner::WhoIsBehind() const {
  std::string text;
  for (uint64_t i = 1; i <= world_.host_count(); ++i) {
    const HostId host(i);
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
                    last_served_.contains(host) ? "" : ", got no lock");
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
  choices.MakeDull(options.dull_streams);
  return RunChoices(&choices, options);
}

RunResult RunLog(const ChoiceLog& log, const RunOptions& options) {
  ChoiceSource choices(log);
  return RunChoices(&choices, options);
}

}  // namespace cachalot::sim
