#include "tests/engine/consensus/parts.h"

#include <utility>

#include "engine/address.h"
#include "engine/cluster_time.h"
#include "engine/shared_bytes.h"
#include "engine/wire/codec.h"

namespace cachalot {

NodeId IdOf(uint64_t node) {
  return NodeId{.high = node << 32, .low = node};  // reads well when printed
}

Voter VoterOf(uint64_t node) {
  return {.id = IdOf(node),
          .address = Address::V4(10, 0, 0, static_cast<uint8_t>(node), 7946)};
}

std::vector<Voter> VotersOf(const std::vector<uint64_t>& nodes) {
  std::vector<Voter> voters;
  for (const uint64_t node : nodes) voters.push_back(VoterOf(node));
  return voters;
}

Configuration Voting(const std::vector<uint64_t>& nodes) {
  return {.voters = VotersOf(nodes)};
}

Configuration Joint(const std::vector<uint64_t>& to,
                    const std::vector<uint64_t>& from) {
  return {.voters = VotersOf(to), .outgoing = VotersOf(from)};
}

Entry CommandEntry(uint64_t term, std::string payload, uint64_t time) {
  return {.term = Term(term),
          .time = ClusterTime(time),
          .payload = SharedBytes(std::move(payload))};
}

Entry ConfigurationEntry(uint64_t term, const Configuration& configuration,
                         uint64_t time) {
  return {.term = Term(term),
          .time = ClusterTime(time),
          .kind = EntryKind::kConfiguration,
          .payload = SharedBytes(EncodeConfiguration(configuration))};
}

void AppendTo(Log& log, const Entry& entry) {
  const Configuration configuration =
      DecodeConfiguration(entry.payload.view()).value();
  log.Append(entry, &configuration);
}

}  // namespace cachalot
