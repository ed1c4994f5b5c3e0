#include "io/seed_watch.h"

#include <algorithm>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/event.h"
#include "engine/node.h"
#include "io/escape.h"
#include "io/log_event.h"

namespace cachalot {
namespace {

std::string Join(const std::vector<Address>& addresses) {
  return absl::StrJoin(addresses, " ",
                       [](std::string* text, const Address& address) {
                         absl::StrAppend(text, address.ToString());
                       });
}

bool HasAlive(const absl::btree_map<NodeId, MemberFact>& members,
              const Address& address) {
  return absl::c_any_of(members, [&](const auto& member) {
    return member.second.address == address &&
           member.second.state == MemberState::kAlive;
  });
}

}  // namespace

absl::StatusOr<std::unique_ptr<SeedWatch>> SeedWatch::Create(
    const std::vector<std::string>& texts, HostLookup lookup,
    const SeedTiming& timing, uint64_t random_seed) {
  const absl::StatusOr<std::vector<HostPort>> names = ParseSeeds(texts);
  if (!names.ok()) return names.status();
  std::unique_ptr<SeedWatch> watch(new SeedWatch(timing));
  watch->resolver_.emplace(*names, std::move(lookup), timing, random_seed);
  const absl::Status started = watch->resolver_->Start();
  if (!started.ok()) return started;
  watch->first_ = watch->resolver_->WaitForFirstAnswers();
  const absl::MutexLock lock(&watch->mutex_);
  watch->latest_ = watch->first_;
  return watch;
}

SeedWatch::~SeedWatch() = default;

void SeedWatch::Serve(Target target) {
  target_ = std::move(target);
  node_seeds_ = target_.seeds;
  has_seen_others_ = !node_seeds_.empty();
  absl::c_sort(node_seeds_);
  // Numbers never change.
  if (!resolver_->has_names()) return;
  resolver_->Watch(
      [this](const std::vector<SeedLookup>& seeds) { Take(seeds); });
}

std::string SeedWatch::Describe() const {
  const absl::MutexLock lock(&mutex_);
  return absl::StrJoin(
      latest_, ", ", [](std::string* text, const SeedLookup& seed) {
        absl::StrAppend(text, seed.name.text);
        if (!seed.error.ok()) {
          absl::StrAppend(text, " (", seed.error.message(), ")");
        } else if (!seed.name.literal.has_value()) {
          absl::StrAppend(text, " (", Join(seed.addresses), ")");
        }
      });
}

// --- The resolver's thread ---------------------------------------------------

void SeedWatch::Take(const std::vector<SeedLookup>& seeds) {
  {
    const absl::MutexLock lock(&mutex_);
    latest_ = seeds;
  }
  for (const SeedLookup& seed : seeds) Log(seed);
  // Asks the kernel what is ours, which the driver's thread need not wait for.
  SeedAddresses sorted = SortSeeds(seeds, target_.own, SystemNetwork());
  if (!sorted.others.empty()) has_seen_others_ = true;
  std::vector<std::string> problems = FindProblems(seeds, sorted);
  const bool founds =
      sorted.is_self_only && !has_seen_others_ && target_.may_found;
  target_.service->Post([this, others = std::move(sorted.others), founds,
                         problems = std::move(problems)]() mutable {
    TellNode(others, founds, std::move(problems));
  });
}

void SeedWatch::Log(const SeedLookup& seed) {
  if (seed.name.literal.has_value() || !seed.is_answered) return;
  Told& told = told_[seed.name.text];
  std::string error(seed.error.message());
  if (error != told.error) {
    told.error = error;
    if (!error.empty()) {
      LogTo(target_.log, LogEvent::kSeedUnresolved, [&] {
        return LogText{
            absl::StrCat(
                "seed ", Escape(error), " -> tries again; last known: ",
                seed.addresses.empty() ? "nothing" : Join(seed.addresses)),
            {{"seed", seed.name.text}, {"reason", error}}};
      });
    }
  }
  std::vector<Address> addresses = seed.addresses;
  absl::c_sort(addresses);  // name services like to turn the list
  if (addresses == told.addresses) return;
  told.addresses = std::move(addresses);
  LogTo(target_.log, LogEvent::kAddressChanged, [&] {
    return LogText{
        absl::StrCat("seed ", seed.name.text, " is at ", Join(seed.addresses)),
        {{"host", seed.name.host}, {"addresses", Join(seed.addresses)}}};
  });
}

std::vector<std::string> SeedWatch::FindProblems(
    const std::vector<SeedLookup>& seeds, const SeedAddresses& sorted) const {
  std::vector<std::string> problems;
  for (const SeedLookup& seed : seeds) {
    if (!seed.error.ok()) {
      problems.push_back(absl::StrCat(
          "seed ", seed.error.message(), "; ",
          seed.addresses.empty()
              ? "tries again"
              : absl::StrCat("goes on with ", Join(seed.addresses))));
    }
  }
  const bool founds = target_.is_founder || target_.may_found;
  if (sorted.is_self_only && target_.remembers_cluster) {
    problems.push_back(
        "the seeds lead to this member alone, which remembers a cluster and "
        "founds no other: name a member of that one");
  } else if (sorted.is_self_only && !founds) {
    problems.push_back(
        "the seeds lead to this member alone, which is not to found a cluster: "
        "name another member");
  } else if (sorted.is_self_only && has_seen_others_ && !target_.is_founder) {
    // The cluster of those others may live where it is not found.
    problems.push_back(
        "the seeds lead to this member alone, and led to others before: name "
        "another member, or restart it to found a cluster");
  }
  if (sorted.left_out > 0) {
    problems.push_back(absl::StrCat(
        "the seeds have ", sorted.others.size() + sorted.left_out,
        " addresses, of which ", sorted.left_out, " are not asked"));
  }
  return problems;
}

// --- The driver's thread -----------------------------------------------------

void SeedWatch::TellNode(const std::vector<Address>& seeds, bool founds,
                         std::vector<std::string> problems) {
  std::vector<Address> ordered = seeds;
  absl::c_sort(ordered);
  const bool is_told = founds && !is_told_to_found_;
  if (ordered != node_seeds_ || is_told) {
    node_seeds_ = std::move(ordered);
    is_told_to_found_ = is_told_to_found_ || is_told;
    target_.service->Learn(
        SeedsResolved{.seeds = seeds, .is_self_only = is_told});
  }
  target_.service->SetSeedProblems(std::move(problems));
  ChoosePace(seeds);
}

void SeedWatch::ChoosePace(const std::vector<Address>& seeds) {
  using Pace = SeedResolver::Pace;
  const Node& node = target_.service->node();
  const bool has_cluster =
      !node.identity().cluster.IsNone() && !node.consensus().leader().IsNone();
  const auto& others = node.membership().others();
  const bool is_alone = absl::c_none_of(others, [](const auto& member) {
    return member.second.state == MemberState::kAlive;
  });
  const bool has_all = absl::c_all_of(
      seeds, [&](const Address& seed) { return HasAlive(others, seed); });
  // One that is alone may be the half of a cluster that others do not find.
  resolver_->SetPace(!has_cluster           ? Pace::kSeeking
                     : has_all && !is_alone ? Pace::kSettled
                                            : Pace::kMissing);
}

}  // namespace cachalot
