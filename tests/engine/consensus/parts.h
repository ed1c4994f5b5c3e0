#ifndef TESTS_ENGINE_CONSENSUS_PARTS_H_
#define TESTS_ENGINE_CONSENSUS_PARTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "engine/consensus/log.h"
#include "engine/ids.h"
#include "engine/saved_state.h"

namespace cachalot {

// Short forms for the tests of consensus. Nodes are numbered from 1.

NodeId IdOf(uint64_t node);
Voter VoterOf(uint64_t node);
std::vector<Voter> VotersOf(const std::vector<uint64_t>& nodes);
Configuration Voting(const std::vector<uint64_t>& nodes);
Configuration Joint(const std::vector<uint64_t>& to,
                    const std::vector<uint64_t>& from);

Entry CommandEntry(uint64_t term, std::string payload, uint64_t time = 0);
Entry ConfigurationEntry(uint64_t term, const Configuration& configuration,
                         uint64_t time = 0);
// Decodes the configuration of an entry that has one.
void AppendTo(Log& log, const Entry& entry);

}  // namespace cachalot

#endif  // TESTS_ENGINE_CONSENSUS_PARTS_H_
