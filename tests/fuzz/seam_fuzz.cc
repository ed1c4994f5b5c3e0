// Fuzzes the interface of one node. Its peers may send anything: random bytes,
// and well-formed messages from members, strangers and itself that contradict
// each other. The driver is correct, and checks the node's contract after each
// step (contract_driver.h).

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "engine/event.h"
#include "engine/node.h"
#include "engine/options.h"
#include "engine/wire/codec.h"
#include "engine/wire/message.h"
#include "tests/engine/wire/hostile.h"
#include "tests/fuzz/contract_driver.h"
#include "tests/fuzz/forger.h"
#include "tests/fuzz/tape.h"

namespace cachalot {
namespace {

// Enough steps for a founder to become leader and to open its session.
constexpr int kSettlingSteps = 200;

class SeamFuzz {
 public:
  explicit SeamFuzz(absl::string_view input)
      : tape_(input),
        driver_(DrawOptions()),
        forger_(&tape_, &driver_.node()) {}

  void Run() {
    BeginSomewhere();
    while (!tape_.empty()) Act();
  }

 private:
  NodeOptions DrawOptions();
  void BeginSomewhere();
  void Lead();
  void Follow();
  void Act();
  void Receive(std::string bytes);
  void ReceiveFrame(std::string bytes);
  void PassTime();

  Tape tape_;
  ContractDriver driver_;
  Forger forger_;
};

NodeOptions SeamFuzz::DrawOptions() {
  NodeOptions options;
  options.seed = 1 + tape_.Below(4);
  options.name = "self";
  options.address = Address::V4(10, 9, 0, 99, 7946);
  const uint8_t flags = tape_.Byte();
  options.bootstrap = (flags & 1) != 0;
  if ((flags & 2) != 0) options.founders = {"self", "peer1", "peer2"};
  if ((flags & 4) != 0) options.seeds.push_back(Forger::PeerAddress(1));
  if ((flags & 8) != 0) {  // snapshots now and then
    options.consensus.compact_after_entries = 4;
    options.consensus.compact_keep_entries = flags >> 5;
  }
  if ((flags & 16) != 0) {
    options.consensus.promote_after = absl::ZeroDuration();
    options.consensus.replace_voter_after = absl::ZeroDuration();
  }
  return options;
}

// Starts as a leader, as a follower, or without a cluster. The fuzzer alone
// would take long to get into a cluster.
void SeamFuzz::BeginSomewhere() {
  switch (tape_.Below(4)) {
    case 1:
      return Lead();
    case 2:
      return Follow();
    default:
      return;  // whatever the options lead to
  }
}

void SeamFuzz::Lead() {
  for (int i = 0; i < kSettlingSteps; ++i) {
    driver_.PassTimeToDeadline();
    driver_.Step(TimeAdvanced{});
    driver_.Step(TurnEnded{});
    driver_.FinishSaves(driver_.open_saves());
    if (driver_.node().client().has_session()) return;
  }
}

void SeamFuzz::Follow() {
  Envelope envelope{.cluster = Forger::OtherCluster(),
                    .from = Forger::PeerId(1),
                    .to = driver_.node().id(),
                    .from_address = Forger::PeerAddress(1)};
  PushPull welcome{
      .is_reply = true, .token_base = FencingToken(5), .is_led = true};
  for (const uint64_t peer : {uint64_t{1}, uint64_t{2}}) {
    welcome.members.push_back({.id = Forger::PeerId(peer),
                               .address = Forger::PeerAddress(peer),
                               .name = "peer",
                               .incarnation = 1});
  }
  envelope.message = std::move(welcome);
  ReceiveFrame(Encode(envelope));
  envelope.message = forger_.DrawFirstAppend();
  ReceiveFrame(Encode(envelope));
  driver_.Step(TurnEnded{});
  driver_.FinishSaves(driver_.open_saves());
}

void SeamFuzz::ReceiveFrame(std::string bytes) {
  driver_.Step(
      FrameReceived{.from = Forger::PeerAddress(1), .bytes = std::move(bytes)});
}

// On a stream or as a datagram.
void SeamFuzz::Receive(std::string bytes) {
  const Address from = Forger::PeerAddress(1);
  if (bytes.size() % 2 == 0) {
    driver_.Step(DatagramReceived{.from = from, .bytes = std::move(bytes)});
  } else {
    driver_.Step(FrameReceived{.from = from, .bytes = std::move(bytes)});
  }
}

// Often both clocks advance by the same time.
void SeamFuzz::PassTime() {
  const absl::Duration slow = forger_.DrawDuration();
  driver_.PassTime(slow, tape_.Flip() ? slow : forger_.DrawDuration());
}

void SeamFuzz::Act() {
  const uint8_t choice = tape_.Byte();
  switch (choice % 32) {
    case 0:
      PassTime();
      return driver_.Step(TimeAdvanced{});
    case 1:  // random bytes, without and with a valid checksum
      return Receive(tape_.Bytes(tape_.Byte()));
    case 2:
      return Receive(Seal(tape_.Bytes(tape_.Byte())));
    case 3: {
      std::string body(Unsealed(Encode(forger_.DrawEnvelope())));
      const size_t place = static_cast<size_t>(tape_.Number() % body.size());
      body[place] = static_cast<char>(tape_.Byte());
      return Receive(Seal(body));
    }
    case 4:
      return driver_.Step(LinkChanged{
          .peer = Forger::PeerAddress(1 + tape_.Below(4)), .up = tape_.Flip()});
    case 5:
      return driver_.FinishSaves(tape_.Below(4));
    case 6:
    case 7:
      return driver_.Submit(forger_.DrawRequest(driver_.granted()));
    case 8:
      return driver_.Withdraw(tape_.Byte());
    case 9:
      return driver_.Step(
          SeedsResolved{.seeds = {Forger::PeerAddress(1 + tape_.Below(4))}});
    case 10:
      if (tape_.Byte() < 16) driver_.Step(LeaveRequested{});
      return;
    case 11:
      if (tape_.Byte() < 32) driver_.Restart(tape_.Below(4));
      return;
    case 12:
      return driver_.BeginTwin();
    case 13:
    case 14:
      driver_.PassTimeToDeadline();
      return driver_.Step(TimeAdvanced{});
    case 15:
      driver_.Step(TurnEnded{});
      return driver_.FinishSaves(driver_.open_saves());
    case 16:
    case 17:
    case 18:
      return driver_.Step(TurnEnded{});
    default:
      return Receive(Encode(forger_.DrawEnvelope()));
  }
}

}  // namespace
}  // namespace cachalot

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  cachalot::SeamFuzz({reinterpret_cast<const char*>(data), size}).Run();
  return 0;
}
