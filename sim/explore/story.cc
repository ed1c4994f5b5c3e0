#include "sim/explore/story.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/action.h"
#include "engine/address.h"
#include "engine/event.h"
#include "engine/observer.h"
#include "sim/explore/machine.h"
#include "sim/explore/turn_cache.h"
#include "sim/world/describe.h"
#include "sim/world/host.h"
#include "sim/world/instant.h"
#include "sim/world/trace.h"

namespace cachalot::sim {
namespace {

std::string NameOf(const Address& address) {
  for (uint64_t i = 1; i <= 9; ++i) {
    if (HostAddress(HostId(i)) == address) return HostName(HostId(i));
  }
  return address.ToString();
}

// Keeps the decisions of the nodes until they are written.
class DecisionLog : public Observer {
 public:
  void Note(absl::string_view decision) override {
    notes_.emplace_back(decision);
  }
  std::vector<std::string> Take() { return std::exchange(notes_, {}); }

 private:
  std::vector<std::string> notes_;
};

// The message that a choice delivers, as text; empty for other choices.
std::string Arrival(const Describer& describer, const SmallWorld& world,
                    const Choice& choice) {
  if (choice.kind != Choice::Kind::kDeliver &&
      choice.kind != Choice::Kind::kDouble) {
    return "";
  }
  const Packet& packet = world.packet(choice.which);
  const Address from = HostAddress(packet.from);
  return packet.is_frame
             ? describer.Describe(Event(FrameReceived{from, packet.bytes}))
             : describer.Describe(Event(DatagramReceived{from, packet.bytes}));
}

void TellTurn(const Describer& describer, const Turn& turn, RealInstant now,
              Trace& trace) {
  const std::string who =
      absl::StrCat("  ", HostName(turn.machine->id()), " >");
  for (const PacketPointer& packet : turn.sent) {
    const Address to = HostAddress(packet->to);
    const Action action = packet->is_frame
                              ? Action(SendFrame{to, packet->bytes})
                              : Action(SendDatagram{to, packet->bytes});
    trace.Line(now, who, describer.Describe(action));
  }
  for (const AnswerRequest& answer : turn.answers) {
    trace.Line(now, who, describer.Describe(Action(answer)));
  }
  for (const NotifyHolder& notice : turn.notices) {
    trace.Line(now, who, describer.Describe(Action(notice)));
  }
}

}  // namespace

Complaint TellStory(SmallOptions options, Beginning beginning, const Path& path,
                    std::ostream& out) {
  DecisionLog decisions;
  options.machine.node.observer = &decisions;
  const Describer describer(NameOf);
  Trace trace(&out);
  SmallWorld world = Begin(std::move(options), beginning);
  decisions.Take();
  TurnCache turns(/*turns_max=*/0);
  for (const Choice& choice : path) {
    const std::vector<Choice> choices = world.Choices();
    if (std::find(choices.begin(), choices.end(), choice) == choices.end()) {
      return absl::StrCat("this choice is not possible here: ",
                          ToString(choice));
    }
    std::string what = world.Describe(choice);
    const std::string arrival = Arrival(describer, world, choice);
    if (!arrival.empty()) absl::StrAppend(&what, ", ", arrival);
    SmallWorld::TakeResult taken = world.Take(choice, turns);
    trace.Line(world.now(), ToString(choice), what);
    for (const std::string& decision : decisions.Take())
      trace.Decision(decision);
    if (taken.turn != nullptr) {
      TellTurn(describer, *taken.turn, world.now(), trace);
    }
    if (taken.complaint.has_value()) return std::move(taken.complaint);
  }
  return std::nullopt;
}

}  // namespace cachalot::sim
