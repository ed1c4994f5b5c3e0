#ifndef TESTS_FUZZ_FORGER_H_
#define TESTS_FUZZ_FORGER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "engine/address.h"
#include "engine/cluster_time.h"
#include "engine/command.h"
#include "engine/ids.h"
#include "engine/node.h"
#include "engine/request.h"
#include "engine/saved_state.h"
#include "engine/wire/message.h"
#include "tests/fuzz/tape.h"

namespace cachalot {

// Forges messages and requests; the tape makes all decisions. Numbers are close
// to those of the receiving node, such as its term or its last index plus or
// minus a few, because the node would refuse uniformly random numbers at once.
class Forger {
 public:
  static constexpr uint64_t kPeers = 4;

  // Both outlive the forger.
  Forger(Tape* tape, const Node* node) : tape_(*tape), node_(*node) {}

  static NodeId PeerId(uint64_t peer) { return {.high = 7, .low = peer}; }
  static Address PeerAddress(uint64_t peer) {
    return Address::V4(10, 9, 0, static_cast<uint8_t>(peer), 7946);
  }
  static ClusterId OtherCluster() { return {.high = 3, .low = 3}; }

  // A message that passes the codec. Usually it is of the node's cluster,
  // addressed to the node, and from a peer.
  Envelope DrawEnvelope();
  // A message of the given kind, an index into Message.
  Message DrawMessage(size_t kind);
  Request DrawRequest(
      const std::vector<std::pair<std::string, FencingToken>>& granted);
  // A valid first append of a leader to a node that has just joined: peer 1
  // leads, and peers 1 and 2 and the node are the voters.
  Append DrawFirstAppend();
  absl::Duration DrawDuration();

 private:
  Message DrawOfMembership(size_t kind);
  Message DrawOfConsensus(size_t kind);
  Message DrawOfClients(size_t kind);
  Message DrawOfBirths(size_t kind);
  LockCommand DrawCommand();
  Reply DrawReply();
  ReadResult DrawReadResult();
  Entry DrawEntry();
  std::string DrawTable();
  SnapshotChunk DrawChunk();

  NodeId DrawId();
  NodeId DrawPeer() { return PeerId(1 + tape_.Below(kPeers)); }
  Address DrawAddress();
  // A number near `middle`, or near an end of the range.
  uint64_t DrawNear(uint64_t middle);
  Term DrawTerm();
  LogIndex DrawIndex();
  Term DrawTermAt(LogIndex index);
  ClusterTime DrawTime();
  ClusterTime DrawTimeAt(LogIndex index);
  Configuration DrawConfiguration();
  std::vector<Voter> DrawVoters();
  MemberFact DrawFact();
  std::vector<MemberFact> DrawFacts();
  std::vector<std::string> DrawFounders();
  SessionId DrawSession();
  FencingToken DrawToken();
  std::string DrawKey();
  absl::Duration DrawTtl();
  template <typename Draw>
  auto DrawList(size_t count_max, Draw draw) {
    std::vector<decltype(draw())> items(tape_.Below(count_max + 1));
    for (auto& item : items) item = draw();
    return items;
  }

  Tape& tape_;
  const Node& node_;
};

}  // namespace cachalot

#endif  // TESTS_FUZZ_FORGER_H_
