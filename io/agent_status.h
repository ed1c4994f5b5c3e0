#ifndef IO_AGENT_STATUS_H_
#define IO_AGENT_STATUS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engine/action.h"
#include "engine/address.h"
#include "engine/ids.h"
#include "engine/member.h"
#include "engine/survival.h"

namespace cachalot {

// AnnounceStanding, for those outside the engine.
using Standing = AnnounceStanding;

// "ready: locks can be taken", or what is missing for that.
inline absl::string_view StandingInWords(const Standing& standing) {
  if (!standing.joined) return "looking for the cluster";
  if (!standing.has_leader) return "joined, looking for the leader";
  if (!standing.has_session) return "the leader is known, opening a session";
  return "ready: locks can be taken";
}

// What one node remembers after its end.
struct MemoryStatus {
  std::string state_dir;  // where; empty: it remembers nothing
  ClusterId cluster;      // it founds no other; none: it may found one
  bool has_left = false;  // that cluster
};

// Where one node stands, at one moment. For people and monitors.
struct AgentStatus {
  NodeId id;
  std::string name;
  Address address;
  ClusterId cluster;  // none: has none
  std::string cluster_name;
  FencingToken token_base;  // above it are all tokens of the cluster
  Standing standing;
  MemberRole role = MemberRole::kMember;
  Term term;
  NodeId leader;  // none: not known
  LogIndex commit;
  LogIndex applied;
  uint64_t members_alive = 0;
  MemoryStatus memory;
  // Where it asks for a cluster, or for other parts of its own.
  std::vector<Address> seeds;
  // For how long the cluster grants no lock yet, as far as this node knows:
  // holders of an earlier one may still believe in theirs.
  absl::Duration quarantine;
  Survival survival;
  Outage outage;       // why no leader is known
  uint64_t locks = 0;  // in this node's copy of the table
  uint64_t elections_won = 0;
  uint64_t snapshots_sent = 0;
  uint64_t snapshots_installed = 0;
  // What was dropped: bytes that are no message, messages of others.
  uint64_t undecodable = 0;
  uint64_t other_version = 0;
  uint64_t other_cluster = 0;
  uint64_t other_name = 0;  // of a cluster of another name
  uint64_t misaddressed = 0;
  uint64_t impersonations = 0;  // commands for the sessions of other nodes
  uint64_t unasked = 0;         // answers to nothing that was asked
  uint64_t streams_malformed = 0;
  // What strangers said beyond what is answered: lists in datagrams, messages
  // of nodes without a cluster, numbers that no node has, addresses that mean
  // this machine elsewhere.
  uint64_t strangers_refused = 0;
  uint64_t members_refused = 0;  // facts about members: implausible, too many
  uint64_t streams_closed = 0;   // of others: too many, stalled, unfinished
  uint64_t streams_refused = 0;  // no descriptor was left
  uint64_t links_stuck = 0;      // opened anew: not acknowledged by who spoke
  uint64_t frames_received = 0;
  uint64_t datagrams_received = 0;
  // The longest that the member's thread was away from its sockets.
  absl::Duration longest_turn;
  uint64_t local_malformed = 0;  // connections to the local socket, closed
  // What is wrong at present with addresses and names, a sentence each.
  std::vector<std::string> problems;
};

}  // namespace cachalot

#endif  // IO_AGENT_STATUS_H_
