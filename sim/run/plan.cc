#include "sim/run/plan.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "engine/options.h"
#include "sim/clients/resource.h"
#include "sim/world/chance.h"
#include "sim/world/choices.h"
#include "sim/world/clock.h"

namespace cachalot::sim {
namespace {

// Never with a probability of 40 %, otherwise uniform in [0, max].
Rate DrawRate(Chance& chance, Rate max) {
  if (chance.Happens(Rate::Percent(40))) return Rate::Never();
  return Rate{static_cast<uint32_t>(chance.Between(uint64_t{0}, max.ppm))};
}

NetworkOptions DrawNetwork(Chance chance) {
  NetworkOptions options;
  const absl::Duration min =
      chance.Between(absl::Microseconds(20), absl::Milliseconds(3));
  options.delay = {
      min, min + chance.Between(absl::Microseconds(10), absl::Milliseconds(15)),
      DrawRate(chance, Rate::Percent(3)),
      chance.Between(absl::Milliseconds(20), absl::Milliseconds(600))};
  options.loss = DrawRate(chance, Rate::Percent(20));
  options.duplication = DrawRate(chance, Rate::Percent(20));
  options.corruption = DrawRate(chance, Rate::Percent(3));
  options.frame_corruption = DrawRate(chance, Rate{2000});
  options.reset = DrawRate(chance, Rate{2000});
  if (chance.Happens(Rate::Percent(30))) {
    options.distance_max =
        chance.Between(absl::Milliseconds(1), absl::Milliseconds(30));
  }
  options.give_up_min =
      chance.Between(absl::Milliseconds(50), absl::Milliseconds(500));
  options.give_up_max =
      options.give_up_min +
      chance.Between(absl::Milliseconds(10), absl::Seconds(4));
  options.straggling = DrawRate(chance, Rate::Percent(100));
  return options;
}

WorldOptions DrawWorld(ChoiceSource* choices) {
  Chance chance(choices, "plan-world");
  WorldOptions options;
  options.network = DrawNetwork(Chance(choices, "plan-network"));
  options.scheduling = {
      absl::Microseconds(1),
      chance.Between(absl::Microseconds(10), absl::Milliseconds(2)),
      DrawRate(chance, Rate::Percent(1)), absl::Milliseconds(50)};
  options.short_turn = DrawRate(chance, Rate::Percent(50));
  options.stale_turn = DrawRate(chance, Rate{5000});
  options.staleness.max =
      chance.Between(absl::Milliseconds(1), absl::Milliseconds(800));
  return options;
}

MembershipOptions DrawMembership(Chance chance) {
  MembershipOptions options;
  options.probe_interval =
      chance.Between(absl::Milliseconds(200), absl::Milliseconds(800));
  options.probe_timeout =
      options.probe_interval *
      static_cast<int64_t>(chance.Between(uint64_t{15}, uint64_t{40})) / 100;
  options.indirect_probes = static_cast<int>(chance.Below(4));
  options.pause_tolerance =
      chance.Between(absl::Milliseconds(200), absl::Milliseconds(1200));
  options.gossip_interval =
      chance.Between(absl::Milliseconds(50), absl::Milliseconds(200));
  options.push_pull_interval =
      chance.Between(absl::Seconds(2), absl::Seconds(15));
  options.join_retry_max = absl::Seconds(2);
  options.reconnect_interval =
      chance.Between(absl::Milliseconds(500), absl::Seconds(2));
  return options;
}

ConsensusOptions DrawConsensus(Chance chance) {
  ConsensusOptions options;
  options.heartbeat_interval =
      chance.Between(absl::Milliseconds(30), absl::Milliseconds(120));
  options.election_timeout =
      options.heartbeat_interval *
      static_cast<int64_t>(chance.Between(uint64_t{4}, uint64_t{8}));
  options.appends_in_flight_max =
      static_cast<int>(chance.Pick(std::vector<uint64_t>{64, 16, 4, 1}));
  options.compact_after_entries =
      chance.Pick(std::vector<uint64_t>{16384, 512, 64, 16, 4});
  options.compact_keep_entries =
      chance.Below(options.compact_after_entries / 2 + 1);
  options.voters_max =
      static_cast<int>(chance.Pick(std::vector<uint64_t>{5, 3, 7, 1}));
  options.replace_voter_after =
      chance.Between(absl::Seconds(1), absl::Seconds(5));
  options.promote_after =
      chance.Between(absl::Milliseconds(100), absl::Seconds(1));
  return options;
}

LeaseOptions DrawLease(Chance chance) {
  LeaseOptions options;
  options.session_ttl = chance.Between(absl::Seconds(1), absl::Seconds(8));
  options.rate_bound_ppm =
      chance.Pick(std::vector<int64_t>{1000, 0, 100, 10000, 100000});
  options.slack = chance.Between(absl::ZeroDuration(), absl::Milliseconds(5));
  options.retry_min =
      chance.Between(absl::Milliseconds(30), absl::Milliseconds(300));
  options.request_timeout =
      chance.Between(absl::Milliseconds(500), absl::Seconds(5));
  return options;
}

// The largest rate error of clocks that break their bound.
constexpr int64_t kOutOfBoundPpm = 400000;

// How far a rate may err in the harmless direction: any slow clock may be too
// slow and any fast clock too fast. Only the other direction is bounded.
int64_t DrawErrorLimit(Chance& chance, int64_t bound) {
  if (chance.Happens(Rate::Percent(70))) return bound;
  return chance.Pick(std::vector<int64_t>{bound, 20000, 100000});
}

ClockPair DrawClock(Chance chance, int64_t bound, bool in_bound) {
  const int64_t day = absl::ToInt64Nanoseconds(absl::Hours(24));
  const int64_t limit = in_bound ? bound : kOutOfBoundPpm;
  const int64_t slow_offset = chance.Between(int64_t{0}, day);
  const int64_t slow_rate =
      chance.Around0(-DrawErrorLimit(chance, limit), limit);
  const int64_t fast_offset = chance.Between(int64_t{0}, day);
  const int64_t fast_rate =
      chance.Around0(-limit, DrawErrorLimit(chance, limit));
  return {Clock(slow_offset, slow_rate), Clock(fast_offset, fast_rate)};
}

constexpr uint64_t kHostsMax = 9;
// No machine has this number.
constexpr HostId kUnusedHost = HostId(99);

// The first machine founds the cluster and the others join it through their
// seeds; or all found it together.
void DrawHosts(Plan& plan, ChoiceSource* choices) {
  Chance chance(choices, "plan-machines");
  uint64_t count =
      chance.Pick(std::vector<uint64_t>{3, 3, 3, 5, 5, 4, 2, 1, 6, 7, 8, 9});
  uint64_t latecomers = chance.Happens(Rate::Percent(30))
                            ? chance.Between(uint64_t{1}, uint64_t{2})
                            : 0;
  if (plan.only_leaves) {
    count = Chance(choices, "plan-leaves").Between(uint64_t{1}, uint64_t{3});
    // A single machine cannot leave: nobody would stay.
    if (count == 1) latecomers = std::max<uint64_t>(latecomers, 1);
  }
  const bool knows_dead_seed = chance.Happens(Rate::Percent(15));
  bool names_conflict = chance.Happens(Rate::Percent(10));
  const bool keeps_disks = chance.Happens(Rate::Percent(50));
  // A machine that founds alone is told to once; its disk may be lost.
  const bool founds_together = chance.Happens(Rate::Percent(30)) && count > 1;
  const bool knows_all_seeds = chance.Happens(Rate::Percent(70));
  // Founders are known by their names.
  if (founds_together) names_conflict = false;
  Chance memories(choices, "plan-memory");
  const bool keeps_memory = keeps_disks || memories.Happens(Rate::Percent(60));
  // With a memory a founder knows by itself that it is the first start.
  const bool is_first_start =
      !founds_together ||
      (!keeps_memory && memories.Happens(Rate::Percent(50)));
  HostOptions common;
  common.node.membership = DrawMembership(Chance(choices, "plan-membership"));
  common.node.consensus = DrawConsensus(Chance(choices, "plan-consensus"));
  common.node.lease = DrawLease(Chance(choices, "plan-lease"));
  common.node.birth_delay =
      chance.Between(absl::Milliseconds(10), absl::Seconds(1));
  common.keeps_disk = keeps_disks;
  common.keeps_memory = keeps_memory;
  if (keeps_disks) {
    common.save_delay = {
        absl::Microseconds(20),
        chance.Between(absl::Microseconds(50), absl::Milliseconds(10)),
        DrawRate(chance, Rate::Percent(2)), absl::Milliseconds(100)};
  }
  for (uint64_t i = 1; i <= std::min(count + latecomers, kHostsMax); ++i) {
    HostOptions host = common;
    host.clock =
        DrawClock(Chance(choices, "plan-clock", i),
                  common.node.lease.rate_bound_ppm, plan.judge.clocks_in_bound);
    if (knows_dead_seed) host.node.seeds.push_back(HostAddress(kUnusedHost));
    if (names_conflict && i == count) host.node.name = HostName(HostId(1));
    for (uint64_t j = 1; j <= (knows_all_seeds ? count : 1); ++j) {
      if (j != i) host.node.seeds.push_back(HostAddress(HostId(j)));
    }
    if (i > count) {
      plan.latecomers.push_back(HostId(i));
    } else if (founds_together) {
      for (uint64_t j = 1; j <= count; ++j) {
        host.node.founders.push_back(HostName(HostId(j)));
      }
    }
    host.node.bootstrap = is_first_start && (founds_together || i == 1);
    plan.hosts.push_back(std::move(host));
  }
}

// Whether the cluster keeps a majority if one voter loses its state. If not,
// the run would have to be excused after the first such fault.
bool SurvivesOneLoss(const Plan& plan) {
  return plan.hosts.size() >= 3 && plan.hosts[0].node.consensus.voters_max >= 3;
}

NemesisOptions DrawNemesis(const Plan& plan, ChoiceSource* choices) {
  Chance chance(choices, "plan-nemesis");
  NemesisOptions options;
  for (uint64_t& weight : options.weights) {
    weight = chance.Happens(Rate::Percent(40)) ? 0 : 1 + chance.Below(10);
  }
  const auto leave_out = [&options](Fault fault) {
    options.weights[static_cast<size_t>(fault)] = 0;
  };
  if (!SurvivesOneLoss(plan)) {
    leave_out(Fault::kWipe);
    leave_out(Fault::kLeave);
    if (!plan.hosts[0].keeps_disk) {
      leave_out(Fault::kCrash);
      leave_out(Fault::kRollingRestart);
    }
  }
  if (plan.only_leaves) {
    for (const Fault fault :
         {Fault::kCrash, Fault::kCrashInSave, Fault::kFailedSave, Fault::kWipe,
          Fault::kRollingRestart}) {
      leave_out(fault);
    }
    options.weights[static_cast<size_t>(Fault::kLeave)] = 10;
    options.leaves_freely = true;
  }
  if (plan.latecomers.empty()) {
    leave_out(Fault::kJoin);
  } else if (plan.only_leaves) {
    options.weights[static_cast<size_t>(Fault::kJoin)] = 10;
  }
  options.fault_interval =
      chance.Between(absl::Milliseconds(150), absl::Seconds(2));
  options.partition.max =
      chance.Between(absl::Milliseconds(100), absl::Seconds(8));
  options.downtime.max =
      chance.Between(absl::Milliseconds(50), absl::Seconds(6));
  options.pause.max = chance.Between(absl::Milliseconds(50), absl::Seconds(6));
  options.down_max = std::max<uint64_t>(1, (plan.hosts.size() - 1) / 2);
  const ConsensusOptions& consensus = plan.hosts[0].node.consensus;
  if (plan.only_leaves) {
    // A cut must end before a leaver's timeout.
    options.partition.max = std::min(options.partition.max, absl::Seconds(2));
    options.downtime.max = std::min(options.downtime.max, absl::Seconds(2));
  }
  options.state_loss_interval =
      consensus.replace_voter_after + consensus.promote_after +
      options.downtime.max + chance.Between(absl::Seconds(1), absl::Seconds(6));
  options.slow_clocks_jump = !plan.judge.clocks_in_bound;
  const int64_t bound = plan.judge.clocks_in_bound
                            ? plan.hosts[0].node.lease.rate_bound_ppm
                            : kOutOfBoundPpm;
  options.slow_ppm_min = -DrawErrorLimit(chance, bound);
  options.slow_ppm_max = bound;
  options.fast_ppm_min = -bound;
  options.fast_ppm_max = DrawErrorLimit(chance, bound);
  return options;
}

ResourceOptions DrawResources(ChoiceSource* choices) {
  Chance chance(choices, "plan-resources");
  ResourceOptions options;
  options.uses = Rate::Percent(static_cast<uint32_t>(chance.Below(101)));
  options.travel.max =
      chance.Between(absl::Milliseconds(1), absl::Milliseconds(100));
  options.think.max =
      chance.Between(absl::Milliseconds(1), absl::Milliseconds(500));
  options.think.tail = DrawRate(chance, Rate::Percent(50));
  options.loss = DrawRate(chance, Rate::Percent(10));
  return options;
}

WorkloadOptions DrawWorkload(ChoiceSource* choices) {
  Chance chance(choices, "plan-clients");
  WorkloadOptions options;
  options.clients_per_host = 1 + chance.Below(4);
  options.keys = 1 + chance.Below(4);
  options.think =
      chance.Between(absl::Milliseconds(5), absl::Milliseconds(400));
  options.hold = chance.Between(absl::Milliseconds(2), absl::Seconds(1));
  options.ttl.min =
      chance.Between(absl::Milliseconds(100), absl::Milliseconds(900));
  options.ttl.max =
      options.ttl.min + chance.Between(absl::Milliseconds(1), absl::Seconds(8));
  options.wait.max = chance.Between(absl::Milliseconds(20), absl::Seconds(5));
  options.waits = Rate::Percent(static_cast<uint32_t>(chance.Below(101)));
  options.renews = Rate::Percent(static_cast<uint32_t>(chance.Below(70)));
  options.abandons = DrawRate(chance, Rate::Percent(30));
  options.withdraws = DrawRate(chance, Rate::Percent(50));
  options.lists = DrawRate(chance, Rate::Percent(40));
  options.resources = DrawResources(choices);
  return options;
}

std::optional<HostId> DrawVictim(const Plan& plan, ChoiceSource* choices) {
  Chance chance(choices, "plan-mortal");
  if (!chance.Happens(Rate::Percent(15))) return std::nullopt;
  return HostId(1 + chance.Below(plan.hosts.size()));
}

}  // namespace

Plan Plan::Draw(ChoiceSource* choices) {
  Plan plan;
  plan.seed = choices->seed();
  Chance chance(choices, "plan-run");
  plan.judge.clocks_in_bound = !chance.Happens(Rate::Percent(8));
  plan.world = DrawWorld(choices);
  plan.only_leaves = Chance(choices, "plan-endings").Happens(Rate::Percent(12));
  DrawHosts(plan, choices);
  plan.nemesis = DrawNemesis(plan, choices);
  plan.workload = DrawWorkload(choices);
  plan.workload.rules.leases_hold = plan.judge.clocks_in_bound;
  HostOptions& first = plan.hosts[0];
  plan.founds_again = first.node.founders.empty() &&
                      Chance(choices, "plan-births").Happens(Rate::Percent(8));
  // It has no seeds: the others have to find it.
  if (plan.founds_again) {
    first.node.seeds.clear();
    first.node.is_own_seed = true;
    // One that loses its memory cannot know that it founded before.
    if (first.keeps_memory) {
      plan.nemesis.weights[static_cast<size_t>(Fault::kWipe)] = 0;
    }
  }
  // Processes without any memory may found a second cluster while the first
  // still runs: nobody can know better.
  const bool may_forget = !first.keeps_memory &&
                          (plan.founds_again || !first.node.founders.empty());
  plan.judge.one_birth = !may_forget;
  plan.judge.clusters_apart = may_forget;
  plan.judge.rate_bound_ppm = plan.hosts[0].node.lease.rate_bound_ppm;
  plan.judge.tables_every = chance.Pick(std::vector<uint64_t>{8, 1, 2, 32});
  plan.quiet = chance.Between(absl::Milliseconds(10), absl::Seconds(4));
  plan.harm = chance.Between(absl::Seconds(5), absl::Seconds(25));
  plan.victim = DrawVictim(plan, choices);
  plan.ends_by_leaving =
      plan.only_leaves ||
      Chance(choices, "plan-last-leave").Happens(Rate::Percent(40));
  return plan;
}

std::string Plan::Describe() const {
  const NodeOptions& node = hosts[0].node;
  std::string text = absl::StrCat(
      "seed ", seed, ": ", hosts.size(), " machines",
      hosts[0].keeps_disk ? " with disks" : " without disks",
      latecomers.empty() ? "" : ", some of which join later",
      founds_again ? ", founding again and again" : "",
      only_leaves ? ", which leave and never die" : "", ", up to ",
      node.consensus.voters_max, " voters, heartbeat ",
      absl::FormatDuration(node.consensus.heartbeat_interval), ", election ",
      absl::FormatDuration(node.consensus.election_timeout), ", session ",
      absl::FormatDuration(node.lease.session_ttl), ", rate bound ",
      node.lease.rate_bound_ppm, " ppm",
      judge.clocks_in_bound ? "" : " (which clocks do not keep)", "; delay ",
      absl::FormatDuration(world.network.delay.min), "..",
      absl::FormatDuration(world.network.delay.max), ", loss ",
      world.network.loss.ppm, " ppm; ", workload.clients_per_host,
      " clients each, ", workload.keys, " keys; faults:");
  for (size_t i = 0; i < kNemesisFaultCount; ++i) {
    if (nemesis.weights[i] == 0) continue;
    absl::StrAppend(&text, " ", FaultName(static_cast<Fault>(i)), "=",
                    nemesis.weights[i]);
  }
  return text;
}

}  // namespace cachalot::sim
