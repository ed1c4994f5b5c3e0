#include "sim/judge/majority_reports.h"

#include <algorithm>
#include <cstddef>

namespace cachalot::sim {
namespace {

// A leaderless node steps far more often. If it has not, it was asleep.
constexpr absl::Duration GapMax() { return absl::Seconds(1); }
// What messages, turns and looks of the judge may be late.
constexpr absl::Duration Slack() { return absl::Seconds(3); }

// Whether `holds` for a majority of each list.
template <typename Holds>
bool MajorityHas(const MajorityReports::Facts& facts, const Holds& holds) {
  return std::all_of(
      facts.lists.begin(), facts.lists.end(), [&holds](const auto& voters) {
        const auto count = std::count_if(voters.begin(), voters.end(), holds);
        return static_cast<size_t>(count) > voters.size() / 2;
      });
}

}  // namespace

Complaint MajorityReports::ObserveLeaderless(const Facts& facts) {
  const bool was_asleep =
      last_step_.has_value() && facts.now - *last_step_ > GapMax();
  last_step_ = facts.now;
  if (!leaderless_since_.has_value()) leaderless_since_ = facts.now;
  if (was_asleep) {
    dead_since_.reset();
    reached_since_.clear();
  }
  for (const auto& voters : facts.lists) {
    for (const Voter& voter : voters) {
      if (voter.is_reached) {
        reached_since_.try_emplace(voter.id, facts.now);
      } else {
        reached_since_.erase(voter.id);
      }
    }
  }
  const bool runs =
      MajorityHas(facts, [](const Voter& voter) { return voter.runs; });
  if (runs || !facts.must_report) {
    dead_since_.reset();
    return std::nullopt;
  }
  if (!dead_since_.has_value()) dead_since_ = facts.now;
  const absl::Duration dead = facts.now - *dead_since_;
  if (is_lost_ || dead <= DelayMax(facts.patience)) return std::nullopt;
  return Say("has not reported that the majority of the voters is lost, for ",
             absl::FormatDuration(dead));
}

Complaint MajorityReports::ObserveLost(const Facts& facts) {
  if (is_lost_) return "reports twice that the majority is lost";
  is_lost_ = true;
  const absl::Duration leaderless = leaderless_since_.has_value()
                                        ? facts.now - *leaderless_since_
                                        : absl::ZeroDuration();
  // Its clock may be fast by 10 %.
  if (leaderless < facts.patience * 0.9) {
    return Say("reports that the majority is lost after only ",
               absl::FormatDuration(leaderless), " without a leader");
  }
  const auto was_reached = [&](const Voter& voter) {
    const auto since = reached_since_.find(voter.id);
    return voter.is_reached && since != reached_since_.end() &&
           facts.now - since->second >= facts.patience + Slack();
  };
  if (!MajorityHas(facts, was_reached)) return std::nullopt;
  return Say(
      "reports that the majority is lost, which has been alive and "
      "connected for ",
      absl::FormatDuration(facts.patience + Slack()));
}

Complaint MajorityReports::ObserveBack() {
  if (!is_lost_) return "reports that a majority is back that was not lost";
  is_lost_ = false;
  return std::nullopt;
}

Complaint MajorityReports::ObserveLeader() {
  leaderless_since_.reset();
  last_step_.reset();
  dead_since_.reset();
  reached_since_.clear();
  if (is_lost_) return "knows a leader and reports that the majority is lost";
  return std::nullopt;
}

}  // namespace cachalot::sim
