#include "sim/judge/convergence.h"

#include <algorithm>
#include <map>
#include <vector>

#include "engine/client/client.h"
#include "engine/ids.h"
#include "engine/member.h"
#include "engine/membership/membership.h"
#include "engine/node.h"
#include "engine/wire/message.h"
#include "sim/judge/complaint.h"

namespace cachalot::sim {
namespace {

// Without those that have left.
std::map<NodeId, const Node*> RunningNodes(const World& world) {
  std::map<NodeId, const Node*> nodes;
  for (uint64_t i = 1; i <= world.host_count(); ++i) {
    const Node* node = world.node(HostId(i));
    if (node != nullptr && !node->has_left()) nodes[node->id()] = node;
  }
  return nodes;
}

bool SeesAlive(const Membership& membership, const MemberFact& other) {
  const auto seen = membership.others().find(other.id);
  return seen != membership.others().end() &&
         seen->second.state == MemberState::kAlive &&
         seen->second.incarnation == other.incarnation &&
         seen->second.address == other.address;
}

bool Believes(const Client& client, const FencingToken& token) {
  const std::vector<Client::Held> held = client.held();
  return std::any_of(held.begin(), held.end(),
                     [&token](const auto& h) { return h.token == token; });
}

}  // namespace

std::string FindDisagreement(const World& world) {
  const std::map<NodeId, const Node*> nodes = RunningNodes(world);
  for (const auto& [id, node] : nodes) {
    const Membership& membership = node->membership();
    for (const auto& [other, peer] : nodes) {
      if (other == id || SeesAlive(membership, peer->membership().self())) {
        continue;
      }
      return Say(world.NameOf(node->options().address), " does not see ",
                 world.NameOf(peer->options().address), " as it is");
    }
    for (const auto& [other, fact] : membership.others()) {
      if (nodes.contains(other) || fact.state >= MemberState::kFailed) continue;
      return Say(world.NameOf(node->options().address), " sees ", other, " at ",
                 world.NameOf(fact.address), ", which is gone, ", fact.state);
    }
  }
  return "";
}

std::string FindLeftover(const World& world, const LockModel& table) {
  const std::map<NodeId, const Node*> nodes = RunningNodes(world);
  for (const LockModel::Holdings& owned : table.sessions()) {
    const auto found = nodes.find(owned.session.node);
    if (found == nodes.end() ||
        found->second->client().session() != owned.session) {
      return Say("session ", owned.session, " is nobody's");
    }
    const Client& client = found->second->client();
    // It may be about to give back what it does not want.
    if (client.requests_in_flight() > 0) continue;
    if (owned.waiting > 0) {
      return Say("session ", owned.session, " waits for what nobody asked");
    }
    for (const FencingToken& token : owned.held) {
      if (Believes(client, token)) continue;
      return Say("session ", owned.session, " holds token ", token,
                 ", in which nobody believes");
    }
  }
  return "";
}

}  // namespace cachalot::sim
