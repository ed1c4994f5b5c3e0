#include "engine/options.h"

#include <optional>
#include <string>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "engine/limits.h"
#include "engine/wire/checksum.h"

namespace cachalot {
namespace {

std::string Text(absl::Duration value) { return absl::FormatDuration(value); }
template <typename Number>
std::string Text(Number value) {
  return absl::StrCat(value);
}

// Keeps the first rule that is broken.
class Rules {
 public:
  explicit Rules(absl::string_view group) : group_(group) {}

  template <typename Value>
  Rules& Range(absl::string_view field, Value value, Value low, Value high) {
    if (value < low || value > high) {
      Break(field, absl::StrCat("is ", Text(value), ", must be in [", Text(low),
                                ", ", Text(high), "]"));
    }
    return *this;
  }

  Rules& Require(bool holds, absl::string_view field, absl::string_view rule) {
    if (!holds) Break(field, absl::StrCat("must ", rule));
    return *this;
  }

  absl::Status status() const { return status_; }

 private:
  void Break(absl::string_view field, absl::string_view text) {
    if (!status_.ok()) return;
    status_ = absl::InvalidArgumentError(
        absl::StrCat(group_, group_.empty() ? "" : ".", field, " ", text));
  }

  absl::string_view group_;
  absl::Status status_;
};

bool AreDistinctNames(std::vector<std::string> names) {
  absl::c_sort(names);
  return absl::c_adjacent_find(names) == names.end() &&
         absl::c_all_of(names, [](const std::string& name) {
           return !name.empty() && name.size() <= limits::kNameBytesMax;
         });
}

bool Remembers(const std::optional<Memory>& memory) {
  return memory.has_value() && memory->remembers_cluster();
}

absl::Status Validate(const MembershipOptions& options) {
  constexpr absl::Duration kTick = absl::Milliseconds(1);
  return Rules("membership")
      .Range("probe_interval", options.probe_interval, absl::Milliseconds(10),
             absl::Minutes(1))
      .Range("probe_timeout", options.probe_timeout, kTick, absl::Minutes(1))
      .Require(options.probe_timeout * 2 < options.probe_interval,
               "probe_timeout", "be less than half of probe_interval")
      .Range("indirect_probes", options.indirect_probes, 0, 8)
      .Range("pause_tolerance", options.pause_tolerance, absl::ZeroDuration(),
             absl::Hours(1))
      .Range("suspicion_max_multiplier", options.suspicion_max_multiplier, 1,
             16)
      .Range("gossip_interval", options.gossip_interval, kTick,
             absl::Minutes(1))
      .Range("gossip_fanout", options.gossip_fanout, 1, 64)
      .Range("push_pull_interval", options.push_pull_interval, absl::Seconds(1),
             absl::Hours(1))
      .Range("join_retry_min", options.join_retry_min, kTick, absl::Hours(1))
      .Range("join_retry_max", options.join_retry_max, options.join_retry_min,
             absl::Hours(1))
      .Range("reconnect_interval", options.reconnect_interval, kTick,
             absl::Hours(1))
      .Range("reap_after", options.reap_after, absl::Seconds(1),
             absl::Hours(24 * 365))
      .status();
}

absl::Status Validate(const ConsensusOptions& options) {
  return Rules("consensus")
      .Range("heartbeat_interval", options.heartbeat_interval,
             absl::Milliseconds(1), absl::Minutes(1))
      .Range("election_timeout", options.election_timeout,
             3 * options.heartbeat_interval, absl::Minutes(10))
      .Range("appends_in_flight_max", options.appends_in_flight_max, 1, 4096)
      .Require(options.compact_after_entries > 0, "compact_after_entries",
               "be above 0")
      .Require(options.compact_after_bytes > 0, "compact_after_bytes",
               "be above 0")
      .Range("voters_max", options.voters_max, 1,
             static_cast<int>(limits::kVotersMax))
      .Require(options.voters_max % 2 == 1, "voters_max", "be odd")
      .Range("replace_voter_after", options.replace_voter_after,
             absl::ZeroDuration(), absl::Hours(24))
      .Range("promote_after", options.promote_after, absl::ZeroDuration(),
             absl::Hours(24))
      .status();
}

absl::Status Validate(const LeaseOptions& options) {
  constexpr absl::Duration kTick = absl::Milliseconds(1);
  return Rules("lease")
      .Range("session_ttl", options.session_ttl, absl::Seconds(1),
             limits::TtlMax())
      .Range("rate_bound_ppm", options.rate_bound_ppm, int64_t{0},
             int64_t{100'000})
      .Range("slack", options.slack, absl::ZeroDuration(), limits::TtlMin() / 2)
      .Range("retry_min", options.retry_min, kTick, absl::Hours(1))
      .Range("retry_max", options.retry_max, options.retry_min, absl::Hours(1))
      .Range("request_timeout", options.request_timeout, kTick, absl::Hours(1))
      .Range("leave_timeout", options.leave_timeout, absl::ZeroDuration(),
             absl::Hours(1))
      .status();
}

absl::Status ValidateStanding(const NodeOptions& options) {
  return Rules("")
      .Range("name's size", options.name.size(), size_t{0},
             limits::kNameBytesMax)
      .Range("cluster's size", options.cluster.size(), size_t{1},
             limits::kNameBytesMax)
      .Require(!options.address.IsNone(), "address", "have a port")
      .Range("seeds' count", options.seeds.size(), size_t{0}, limits::kSeedsMax)
      .Require(
          absl::c_none_of(options.seeds,
                          [](const Address& seed) { return seed.IsNone(); }),
          "seeds", "have ports")
      .Require(!absl::c_linear_search(options.seeds, options.address), "seeds",
               "not contain this node's own address")
      .Require(options.founders.size() <= limits::kVotersMax, "founders",
               absl::StrCat("be at most ", limits::kVotersMax))
      .Require(AreDistinctNames(options.founders), "founders",
               absl::StrCat("be different names of 1 to ",
                            limits::kNameBytesMax, " bytes"))
      .Require(!options.bootstrap || !Remembers(options.memory), "bootstrap",
               "not be set beside a memory of a cluster: this node has been in "
               "one, and would found a second")
      .Range("birth_delay", options.birth_delay, absl::ZeroDuration(),
             absl::Hours(1))
      .Range("token_base", options.token_base, uint64_t{1},
             limits::kTokenFloorMax)
      .status();
}

}  // namespace

absl::Status Validate(const NodeOptions& options) {
  absl::Status status = ValidateStanding(options);
  if (status.ok()) status = Validate(options.membership);
  if (status.ok()) status = Validate(options.consensus);
  if (status.ok()) status = Validate(options.lease);
  return status;
}

uint64_t HashClusterName(absl::string_view name) {
  return Checksum(name) ^ Checksum(kDefaultCluster);
}

}  // namespace cachalot
