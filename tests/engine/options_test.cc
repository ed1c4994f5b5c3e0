#include "engine/options.h"

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engine/address.h"
#include "engine/limits.h"
#include "gtest/gtest.h"

namespace cachalot {
namespace {

const Address kSelf = Address::V4(127, 0, 0, 1, 7946);
const Address kOther = Address::V4(127, 0, 0, 1, 7947);

NodeOptions Good() {
  return {.seed = 1, .name = "n1", .address = kSelf, .seeds = {kOther}};
}

TEST(OptionsTest, DefaultsAreGood) {
  EXPECT_TRUE(Validate(Good()).ok()) << Validate(Good());
}

TEST(OptionsTest, EndsOfRangesAreGood) {
  NodeOptions options = Good();
  options.name = std::string(limits::kNameBytesMax, 'n');
  for (const char letter : std::string("abcdefghi")) {
    options.founders.push_back(std::string(limits::kNameBytesMax, letter));
  }
  options.birth_delay = absl::ZeroDuration();
  options.membership.probe_interval = absl::Milliseconds(10);
  options.membership.probe_timeout = absl::Milliseconds(4);
  options.membership.indirect_probes = 0;
  options.membership.push_pull_interval = absl::Hours(1);
  options.consensus.election_timeout = 3 * options.consensus.heartbeat_interval;
  options.consensus.voters_max = 9;
  options.lease.session_ttl = absl::Hours(24);
  options.lease.rate_bound_ppm = 0;
  EXPECT_TRUE(Validate(options).ok()) << Validate(options);
}

struct BadOption {
  const char* field;
  std::function<void(NodeOptions&)> set;
};

class BrokenRule : public testing::TestWithParam<BadOption> {};

TEST_P(BrokenRule, IsNamedInTheError) {
  NodeOptions options = Good();
  GetParam().set(options);
  const absl::Status status = Validate(options);
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_TRUE(absl::StartsWith(status.message(), GetParam().field)) << status;
}

constexpr absl::Duration kNegative = -absl::Nanoseconds(1);

INSTANTIATE_TEST_SUITE_P(
    Node, BrokenRule,
    testing::Values(
        BadOption{"name", [](auto& o) { o.name = std::string(65, 'n'); }},
        BadOption{"cluster", [](auto& o) { o.cluster.clear(); }},
        BadOption{"cluster", [](auto& o) { o.cluster = std::string(65, 'c'); }},
        BadOption{"address", [](auto& o) { o.address = Address(); }},
        BadOption{"seeds", [](auto& o) { o.seeds.resize(65, kOther); }},
        BadOption{"seeds", [](auto& o) { o.seeds.push_back(Address()); }},
        BadOption{"seeds", [](auto& o) { o.seeds.push_back(kSelf); }},
        BadOption{"founders",
                  [](auto& o) {
                    for (const char letter : std::string("abcdefghij")) {
                      o.founders.push_back(std::string(1, letter));
                    }
                  }},
        BadOption{"founders",
                  [](auto& o) {
                    o.founders = {"n1", "n2", "n1"};
                  }},
        BadOption{"founders",
                  [](auto& o) {
                    o.founders = {"n1", ""};
                  }},
        BadOption{"founders",
                  [](auto& o) { o.founders = {std::string(65, 'n')}; }},
        BadOption{"bootstrap",
                  [](auto& o) {
                    o.bootstrap = true;
                    o.memory = Memory{.cluster = {.high = 1, .low = 1}};
                  }},
        BadOption{"birth_delay", [](auto& o) { o.birth_delay = kNegative; }},
        BadOption{"token_base", [](auto& o) { o.token_base = 0; }},
        BadOption{"token_base",
                  [](auto& o) { o.token_base = (uint64_t{1} << 62) + 1; }}));

INSTANTIATE_TEST_SUITE_P(
    Membership, BrokenRule,
    testing::Values(
        BadOption{"membership.probe_interval",
                  [](auto& o) {
                    o.membership.probe_interval = absl::Milliseconds(9);
                  }},
        BadOption{"membership.probe_interval",
                  [](auto& o) {
                    o.membership.probe_interval = absl::InfiniteDuration();
                  }},
        BadOption{"membership.probe_timeout",
                  [](auto& o) {
                    o.membership.probe_timeout =
                        o.membership.probe_interval / 2;
                  }},
        BadOption{
            "membership.probe_timeout",
            [](auto& o) { o.membership.probe_timeout = absl::ZeroDuration(); }},
        BadOption{"membership.indirect_probes",
                  [](auto& o) { o.membership.indirect_probes = 9; }},
        BadOption{"membership.pause_tolerance",
                  [](auto& o) { o.membership.pause_tolerance = kNegative; }},
        BadOption{"membership.suspicion_max_multiplier",
                  [](auto& o) { o.membership.suspicion_max_multiplier = 0; }},
        BadOption{"membership.gossip_interval",
                  [](auto& o) {
                    o.membership.gossip_interval = absl::ZeroDuration();
                  }},
        BadOption{"membership.gossip_fanout",
                  [](auto& o) { o.membership.gossip_fanout = 0; }},
        BadOption{"membership.push_pull_interval",
                  [](auto& o) {
                    o.membership.push_pull_interval = absl::Milliseconds(999);
                  }},
        BadOption{"membership.join_retry_min",
                  [](auto& o) {
                    o.membership.join_retry_min = absl::ZeroDuration();
                  }},
        BadOption{"membership.join_retry_max",
                  [](auto& o) {
                    o.membership.join_retry_max = absl::Milliseconds(99);
                  }},
        BadOption{"membership.reconnect_interval",
                  [](auto& o) {
                    o.membership.reconnect_interval = absl::ZeroDuration();
                  }},
        BadOption{"membership.reap_after", [](auto& o) {
                    o.membership.reap_after = absl::InfiniteDuration();
                  }}));

INSTANTIATE_TEST_SUITE_P(
    Consensus, BrokenRule,
    testing::Values(
        BadOption{"consensus.heartbeat_interval",
                  [](auto& o) {
                    o.consensus.heartbeat_interval = absl::ZeroDuration();
                  }},
        BadOption{"consensus.election_timeout",
                  [](auto& o) {
                    o.consensus.election_timeout = absl::Milliseconds(149);
                  }},
        BadOption{"consensus.appends_in_flight_max",
                  [](auto& o) { o.consensus.appends_in_flight_max = 0; }},
        BadOption{"consensus.compact_after_entries",
                  [](auto& o) { o.consensus.compact_after_entries = 0; }},
        BadOption{"consensus.compact_after_bytes",
                  [](auto& o) { o.consensus.compact_after_bytes = 0; }},
        BadOption{"consensus.voters_max",
                  [](auto& o) { o.consensus.voters_max = 4; }},
        BadOption{"consensus.voters_max",
                  [](auto& o) { o.consensus.voters_max = 11; }},
        BadOption{"consensus.replace_voter_after",
                  [](auto& o) { o.consensus.replace_voter_after = kNegative; }},
        BadOption{"consensus.promote_after",
                  [](auto& o) { o.consensus.promote_after = kNegative; }}));

INSTANTIATE_TEST_SUITE_P(
    Lease, BrokenRule,
    testing::Values(
        BadOption{"lease.session_ttl",
                  [](auto& o) { o.lease.session_ttl = absl::Hours(25); }},
        BadOption{
            "lease.session_ttl",
            [](auto& o) { o.lease.session_ttl = absl::Milliseconds(999); }},
        BadOption{"lease.rate_bound_ppm",
                  [](auto& o) { o.lease.rate_bound_ppm = -1; }},
        BadOption{"lease.rate_bound_ppm",
                  [](auto& o) { o.lease.rate_bound_ppm = 100'001; }},
        BadOption{"lease.slack", [](auto& o) { o.lease.slack = kNegative; }},
        BadOption{"lease.slack",
                  [](auto& o) { o.lease.slack = absl::Milliseconds(51); }},
        BadOption{"lease.retry_min",
                  [](auto& o) { o.lease.retry_min = absl::ZeroDuration(); }},
        BadOption{"lease.retry_max",
                  [](auto& o) { o.lease.retry_max = absl::Milliseconds(99); }},
        BadOption{
            "lease.request_timeout",
            [](auto& o) { o.lease.request_timeout = absl::ZeroDuration(); }},
        BadOption{"lease.leave_timeout",
                  [](auto& o) { o.lease.leave_timeout = kNegative; }}));

TEST(OptionsTest, ErrorsTellValueAndRange) {
  NodeOptions options = Good();
  options.lease.session_ttl = absl::Milliseconds(500);
  EXPECT_EQ(Validate(options).message(),
            "lease.session_ttl is 500ms, must be in [1s, 24h]");
}

}  // namespace
}  // namespace cachalot
