#include "sim/explore/small_world.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "engine/check.h"
#include "engine/client/client.h"
#include "engine/consensus/consensus.h"
#include "engine/event.h"
#include "engine/fingerprint.h"
#include "engine/node.h"
#include "sim/judge/checkers.h"

namespace cachalot::sim {
namespace {

constexpr absl::string_view kKey = "k";
// A request's name is its client's number times this, plus its own.
constexpr uint64_t kRequestsPerClient = 1000;

uint64_t LinkBit(HostId from, HostId to) {
  return uint64_t{1} << ((from.value() - 1) * 8 + (to.value() - 1));
}

HostId HostOf(uint64_t client) { return HostId(client); }

// All clocks read differently, so that confusing two of them is noticed.
ClockPair ClockOf(uint64_t host) {
  const int64_t hour = absl::ToInt64Nanoseconds(absl::Hours(1));
  const auto number = static_cast<int64_t>(host);
  return {Clock(number * hour, 0), Clock((10 + number) * hour, 0)};
}

}  // namespace

MachineOptions SmallOptions::LongTimers() {
  MachineOptions machine;
  MembershipOptions& membership = machine.node.membership;
  membership.probe_interval = absl::Minutes(1);
  membership.push_pull_interval = absl::Hours(1);
  membership.join_retry_min = absl::Hours(1);
  membership.join_retry_max = absl::Hours(1);
  membership.reconnect_interval = absl::Hours(1);
  machine.node.consensus.heartbeat_interval = absl::Seconds(1);
  machine.node.consensus.election_timeout = absl::Seconds(3);
  machine.node.lease.session_ttl = absl::Seconds(10);
  machine.node.lease.retry_min = absl::Seconds(2);
  return machine;
}

Budget SmallOptions::OneCrash() {
  Budget budget;
  budget[Bounded::kWakes] = kUnlimited;
  budget[Bounded::kCrashes] = 1;
  return budget;
}

SmallWorld::SmallWorld(SmallOptions options, std::vector<SavedState> disks)
    : options_(std::make_shared<const SmallOptions>(std::move(options))),
      clients_(options_->clients),
      memory_(std::make_shared<const JudgeMemory>()) {
  CHECK(disks.size() == options_->machines);
  CHECK(options_->machines <= 8u) << "LinkBit() has no room for more";
  CHECK(options_->clients <= options_->machines);
  TurnCache turns(/*turns_max=*/0);
  for (uint64_t i = 1; i <= options_->machines; ++i) {
    Host host{.machine = nullptr, .clock = ClockOf(i)};
    MachineOptions machine = options_->machine;
    for (uint64_t seed = 1; seed <= options_->machines; ++seed) {
      if (seed == i) continue;
      machine.node.seeds.push_back(HostAddress(HostId(seed)));
    }
    host.machine = std::make_shared<const Machine>(
        HostId(i), std::move(machine), std::move(disks[i - 1]));
    hosts_.push_back(std::move(host));
  }
  for (uint64_t i = 1; i <= options_->machines; ++i) {
    const TakeResult taken = StepMachine(HostId(i), Started(), turns);
    CHECK(!taken.complaint.has_value()) << *taken.complaint;
  }
}

void SmallWorld::SetBudget(uint8_t operations, const Budget& budget) {
  for (Client& client : clients_) client.operations_left = operations;
  budget_ = budget;
}

void SmallWorld::Heal() {
  budget_ = Budget();
  budget_[Bounded::kWakes] = kUnlimited;
}

// --- What may happen ---------------------------------------------------------

std::vector<Choice> SmallWorld::Choices() const {
  std::vector<Choice> choices;
  choices.reserve(16);
  AddDeliveries(choices);
  for (uint8_t i = 1; i <= hosts_.size(); ++i) {
    if (machine(HostId(i)).saves_open() == 0) continue;
    choices.push_back({.kind = Choice::Kind::kSaveDone, .which = i});
  }
  // Restarts come before broken streams are noticed. Otherwise the minimal
  // choice would let nodes reconnect to dead machines for ever.
  for (uint8_t i = 1; i <= hosts_.size(); ++i) {
    if (machine(HostId(i)).is_up()) continue;
    choices.push_back({.kind = Choice::Kind::kRestart, .which = i});
  }
  AddBreakNotices(choices);
  AddClients(Choice::Kind::kAsk, choices);
  AddWakes(/*late=*/false, choices);
  if (Has(Bounded::kLateWakes)) AddWakes(/*late=*/true, choices);
  if (Has(Bounded::kRenewals)) AddClients(Choice::Kind::kRenew, choices);
  if (Has(Bounded::kWithdrawals)) AddClients(Choice::Kind::kWithdraw, choices);
  AddDatagramFaults(choices);
  AddHostFaults(choices);
  return choices;
}

// A datagram may arrive at any time, a frame only as the first of its stream.
bool SmallWorld::MayArrive(size_t position) const {
  const Flight& flight = flights_[position];
  if (!machine(flight.packet->to).is_up()) return false;
  if (!flight.packet->is_frame) return true;
  return std::none_of(flights_.begin(),
                      flights_.begin() + static_cast<ptrdiff_t>(position),
                      [&](const Flight& earlier) {
                        return earlier.packet->is_frame &&
                               earlier.packet->from == flight.packet->from &&
                               earlier.packet->to == flight.packet->to &&
                               earlier.process == flight.process;
                      });
}

// True if an equal datagram was sent earlier: which of the two arrives makes no
// difference.
bool SmallWorld::IsCopy(size_t position) const {
  const Packet& packet = *flights_[position].packet;
  if (packet.is_frame) return false;
  return std::any_of(flights_.begin(),
                     flights_.begin() + static_cast<ptrdiff_t>(position),
                     [&](const Flight& earlier) {
                       return earlier.packet->fingerprint == packet.fingerprint;
                     });
}

void SmallWorld::AddDeliveries(std::vector<Choice>& choices) const {
  for (size_t i = 0; i < flights_.size(); ++i) {
    if (!MayArrive(i) || IsCopy(i)) continue;
    choices.push_back(
        {.kind = Choice::Kind::kDeliver, .which = static_cast<uint16_t>(i)});
  }
}

void SmallWorld::AddBreakNotices(std::vector<Choice>& choices) const {
  if (broken_ == 0) return;
  for (uint8_t from = 1; from <= hosts_.size(); ++from) {
    for (uint8_t to = 1; to <= hosts_.size(); ++to) {
      if ((broken_ & LinkBit(HostId(from), HostId(to))) == 0) continue;
      choices.push_back(
          {.kind = Choice::Kind::kHearBreak, .other = to, .which = from});
    }
  }
}

RealInstant SmallWorld::NextWake(HostId host) const {
  const Deadline deadline = machine(host).NextDeadline();
  return std::max(now_, At(host).clock.When(deadline));
}

bool SmallWorld::IsLate(HostId host) const {
  const RealInstant due = NextWake(host);
  for (const HostId other : hosts()) {
    if (NextWake(other) < due) return true;
  }
  return false;
}

void SmallWorld::AddWakes(bool late, std::vector<Choice>& choices) const {
  if (!Has(Bounded::kWakes)) return;
  for (uint8_t i = 1; i <= hosts_.size(); ++i) {
    if (NextWake(HostId(i)) == RealInstant::Never()) continue;
    if (IsLate(HostId(i)) != late) continue;
    choices.push_back({.kind = Choice::Kind::kWake, .which = i});
  }
}

bool SmallWorld::CanAsk(const Client& client) const {
  if (client.open != RequestId()) return false;
  return client.state == Client::State::kHolding ||
         (client.state == Client::State::kIdle && client.operations_left > 0);
}

void SmallWorld::AddClients(Choice::Kind kind,
                            std::vector<Choice>& choices) const {
  for (uint8_t i = 1; i <= clients_.size(); ++i) {
    if (!machine(HostOf(i)).is_up()) continue;
    const Client& client = clients_[i - 1u];
    bool may = CanAsk(client);
    if (kind == Choice::Kind::kRenew) {
      may = may && client.state == Client::State::kHolding;
    } else if (kind == Choice::Kind::kWithdraw) {
      may = client.state == Client::State::kAsking;
    }
    if (may) choices.push_back({.kind = kind, .which = i});
  }
}

void SmallWorld::AddDatagramFaults(std::vector<Choice>& choices) const {
  for (uint16_t i = 0; i < flights_.size(); ++i) {
    if (!MayArrive(i) || IsCopy(i)) continue;
    if (flights_[i].packet->is_frame) {
      if (!Has(Bounded::kBreaks)) continue;
      choices.push_back({.kind = Choice::Kind::kBreak, .which = i});
      continue;
    }
    if (Has(Bounded::kLosses)) {
      choices.push_back({.kind = Choice::Kind::kLose, .which = i});
    }
    if (Has(Bounded::kDuplicates)) {
      choices.push_back({.kind = Choice::Kind::kDouble, .which = i});
    }
  }
}

void SmallWorld::AddHostFaults(std::vector<Choice>& choices) const {
  for (uint8_t i = 1; i <= hosts_.size(); ++i) {
    const Host& host = At(HostId(i));
    if (Has(Bounded::kCrashes) && host.machine->is_up()) {
      for (uint8_t kept = 0; kept <= host.machine->saves_open(); ++kept) {
        choices.push_back(
            {.kind = Choice::Kind::kCrash, .other = kept, .which = i});
      }
    }
    if (Has(Bounded::kBends) && !host.is_bent) {
      choices.push_back({.kind = Choice::Kind::kBendClock, .which = i});
    }
  }
}

// --- What happens ------------------------------------------------------------

void SmallWorld::Spend(Bounded what) {
  CHECK(Has(what));
  if (budget_[what] != kUnlimited) --budget_[what];
}

std::optional<Bounded> SmallWorld::CostOf(const Choice& choice) const {
  switch (choice.kind) {
    case Choice::Kind::kDeliver:
    case Choice::Kind::kSaveDone:
    case Choice::Kind::kHearBreak:
    case Choice::Kind::kRestart:
    case Choice::Kind::kAsk:
      return std::nullopt;
    case Choice::Kind::kWake:
      if (IsLate(HostId(choice.which))) return Bounded::kLateWakes;
      return std::nullopt;
    case Choice::Kind::kRenew:
      return Bounded::kRenewals;
    case Choice::Kind::kWithdraw:
      return Bounded::kWithdrawals;
    case Choice::Kind::kLose:
      return Bounded::kLosses;
    case Choice::Kind::kDouble:
      return Bounded::kDuplicates;
    case Choice::Kind::kBreak:
      return Bounded::kBreaks;
    case Choice::Kind::kCrash:
      return Bounded::kCrashes;
    case Choice::Kind::kBendClock:
      return Bounded::kBends;
  }
  return std::nullopt;
}

SmallWorld::TakeResult SmallWorld::Take(const Choice& choice,
                                        TurnCache& turns) {
  const std::optional<Bounded> cost = CostOf(choice);
  if (cost.has_value()) Spend(*cost);
  const HostId host(choice.which);
  switch (choice.kind) {
    case Choice::Kind::kDeliver:
      return Deliver(choice.which, /*keeps=*/false, turns);
    case Choice::Kind::kSaveDone:
      return StepMachine(host, SaveDone(), turns);
    case Choice::Kind::kHearBreak: {
      const HostId peer(choice.other);
      broken_ &= ~LinkBit(host, peer);
      return StepMachine(
          host, EventGiven{LinkChanged{HostAddress(peer), false}}, turns);
    }
    case Choice::Kind::kRestart:
      ++At(host).process;
      return StepMachine(host, Started(), turns);
    case Choice::Kind::kAsk:
      return Ask(choice.which, turns);
    case Choice::Kind::kWake:
      return Wake(host, turns);
    case Choice::Kind::kRenew: {
      const Client& client = clients_[choice.which - 1u];
      return Submit(choice.which,
                    RenewRequest{.key = std::string(kKey),
                                 .token = client.token,
                                 .ttl = options_->ttl},
                    turns);
    }
    case Choice::Kind::kWithdraw: {
      const RequestId open = clients_[choice.which - 1u].open;
      return StepMachine(HostOf(choice.which),
                         EventGiven{RequestWithdrawn{open}}, turns);
    }
    case Choice::Kind::kLose:
      flights_.erase(flights_.begin() + choice.which);
      return {};
    case Choice::Kind::kDouble:
      return Deliver(choice.which, /*keeps=*/true, turns);
    case Choice::Kind::kBreak:
      Break(choice.which);
      return {};
    case Choice::Kind::kCrash:
      return Crash(host, choice.other, turns);
    case Choice::Kind::kBendClock: {
      At(host).is_bent = true;
      // Leases that it grants expire too early; leases that it holds, too late.
      ClockPair& clock = At(host).clock;
      clock.slow.SetRate(now_, options_->bend_ppm);
      clock.fast.SetRate(now_, -options_->bend_ppm);
      return {};
    }
  }
  return {};
}

SmallWorld::TakeResult SmallWorld::StepMachine(HostId host,
                                               const Stimulus& stimulus,
                                               TurnCache& turns) {
  TakeResult taken;
  taken.turn = turns.Take(machine(host), Read(host), stimulus);
  At(host).machine = taken.turn->machine;
  Send(host, taken.turn->sent);
  taken.complaint = taken.turn->complaint;
  if (!taken.complaint.has_value()) taken.complaint = Judge(host, *taken.turn);
  if (!taken.complaint.has_value()) {
    taken.complaint = UpdateClient(host, *taken.turn);
  }
  return taken;
}

SmallWorld::TakeResult SmallWorld::Wake(HostId host, TurnCache& turns) {
  Spend(Bounded::kWakes);
  now_ = NextWake(host);
  return StepMachine(host, EventGiven{TimeAdvanced()}, turns);
}

SmallWorld::TakeResult SmallWorld::Deliver(size_t position, bool keeps,
                                           TurnCache& turns) {
  CHECK(MayArrive(position));
  const PacketPointer packet = flights_[position].packet;
  if (!keeps) {
    flights_.erase(flights_.begin() + static_cast<ptrdiff_t>(position));
  }
  return StepMachine(packet->to, PacketArrived{packet}, turns);
}

SmallWorld::TakeResult SmallWorld::Crash(HostId host, uint64_t saves_kept,
                                         TurnCache& turns) {
  // Packets from the dead process stay in flight. Frames to it are lost, and
  // the kernels of their senders notice it.
  const auto lost = std::remove_if(
      flights_.begin(), flights_.end(), [&](const Flight& flight) {
        return flight.packet->is_frame && flight.packet->to == host;
      });
  flights_.erase(lost, flights_.end());
  for (const HostId peer : hosts()) {
    const uint64_t in = LinkBit(peer, host);
    const uint64_t out = LinkBit(host, peer);
    if ((connected_ & in) != 0) broken_ |= in;
    connected_ &= ~(in | out);
    broken_ &= ~out;
  }
  LoseClient(host);
  return StepMachine(host, Crashed{saves_kept}, turns);
}

void SmallWorld::LoseClient(HostId host) {
  if (host.value() > clients_.size()) return;
  Client& client = clients_[static_cast<size_t>(host.value() - 1)];
  client.state = Client::State::kIdle;
  client.open = RequestId();
  client.token = FencingToken();
}

// The frames are lost; the sender, if it still runs, will learn it.
void SmallWorld::Break(size_t position) {
  const Flight broken = flights_[position];
  const HostId from = broken.packet->from;
  const HostId to = broken.packet->to;
  const auto lost = std::remove_if(
      flights_.begin(), flights_.end(), [&](const Flight& flight) {
        return flight.packet->is_frame && flight.packet->from == from &&
               flight.packet->to == to && flight.process == broken.process;
      });
  flights_.erase(lost, flights_.end());
  if (broken.process != At(from).process || !machine(from).is_up()) return;
  connected_ &= ~LinkBit(from, to);
  broken_ |= LinkBit(from, to);
}

void SmallWorld::Send(HostId from, const std::vector<PacketPointer>& packets) {
  for (const PacketPointer& packet : packets) {
    if (packet->is_frame) {
      const uint64_t link = LinkBit(from, packet->to);
      if (!machine(packet->to).is_up()) broken_ |= link;  // refused
      if ((broken_ & link) != 0) continue;
      connected_ |= link;
    }
    flights_.push_back({packet, At(from).process});
  }
}

// --- Clients -----------------------------------------------------------------

// Acquires the lock, or releases it.
SmallWorld::TakeResult SmallWorld::Ask(uint64_t number, TurnCache& turns) {
  Client& client = clients_[static_cast<size_t>(number - 1)];
  CHECK(CanAsk(client));
  if (client.state == Client::State::kHolding) {
    client.state = Client::State::kReleasing;
    return Submit(
        number, ReleaseRequest{.key = std::string(kKey), .token = client.token},
        turns);
  }
  --client.operations_left;
  client.state = Client::State::kAsking;
  return Submit(number,
                AcquireRequest{.key = std::string(kKey),
                               .ttl = options_->ttl,
                               .wait = options_->wait},
                turns);
}

SmallWorld::TakeResult SmallWorld::Submit(uint64_t number, Request request,
                                          TurnCache& turns) {
  Client& client = clients_[static_cast<size_t>(number - 1)];
  ++client.asked;
  client.open = RequestId(number * kRequestsPerClient + client.asked);
  return StepMachine(
      HostOf(number),
      EventGiven{RequestSubmitted{client.open, std::move(request)}}, turns);
}

// Passes the answers and notices of a turn to the machine's client.
Complaint SmallWorld::UpdateClient(HostId host, const Turn& turn) {
  if (host.value() > clients_.size()) return std::nullopt;
  Client& client = clients_[static_cast<size_t>(host.value() - 1)];
  using State = Client::State;
  for (const AnswerRequest& told : turn.answers) {
    if (told.request != client.open) {
      return absl::StrCat("request ", told.request.value(),
                          " was answered twice, or never asked");
    }
    client.open = RequestId();
    if (client.state == State::kHolding) continue;  // a renewal
    const bool is_granted =
        client.state == State::kAsking && told.answer.outcome == Outcome::kOk;
    client.state = is_granted ? State::kHolding : State::kIdle;
    if (!is_granted) continue;
    client.token = told.answer.token;
    Complaint complaint = JudgeGrant(client.token);
    if (complaint.has_value()) return complaint;
  }
  for (const NotifyHolder& notice : turn.notices) {
    const bool is_lost = notice.belief == Belief::kLost &&
                         notice.token == client.token &&
                         client.state == State::kHolding;
    if (is_lost) client.state = State::kIdle;
  }
  return std::nullopt;
}

bool SmallWorld::clients_are_done() const {
  return std::all_of(clients_.begin(), clients_.end(), [](const Client& c) {
    return c.state == Client::State::kIdle && c.open == RequestId() &&
           c.operations_left == 0;
  });
}

bool SmallWorld::IsHolding(uint64_t client) const {
  return clients_[static_cast<size_t>(client - 1)].state ==
         Client::State::kHolding;
}

bool SmallWorld::IsAsking(uint64_t client) const {
  return clients_[static_cast<size_t>(client - 1)].state ==
         Client::State::kAsking;
}

// --- Judging -----------------------------------------------------------------

Complaint SmallWorld::Judge(HostId host, const Turn& turn) {
  const bool is_news =
      turn.leads.has_value() || !turn.commits.empty() || turn.table.has_value();
  if (!is_news) return std::nullopt;
  const Node& node = machine(host).node();
  const ClusterId cluster = node.identity().cluster;
  auto memory = std::make_shared<JudgeMemory>(*memory_);
  Complaint complaint;
  const auto note = [&](Complaint found) {
    if (!complaint.has_value()) complaint = std::move(found);
  };
  if (turn.leads.has_value()) {
    note(memory->ObserveLeader(cluster, *turn.leads, node.id()));
  }
  for (const auto& [index, entry] : turn.commits) {
    note(memory->ObserveCommit(cluster, index, entry));
  }
  if (turn.table.has_value()) {
    note(memory->ObserveTable(cluster, turn.table->first, turn.table->second));
  }
  memory_ = std::move(memory);
  note(JudgeCommits(node, turn));
  return complaint;
}

// A majority must have saved what a leader commits.
Complaint SmallWorld::JudgeCommits(const Node& node, const Turn& turn) const {
  const Consensus& consensus = node.consensus();
  if (!consensus.leads() || turn.commits.empty()) return std::nullopt;
  std::map<NodeId, SavedLog> saved;
  for (const Host& host : hosts_) {
    const SavedState& disk = host.machine->disk();
    saved.emplace(disk.identity.node, SavedLog(disk));
  }
  const LogIndex index = turn.commits.back().first;
  return CheckCommitQuorum(consensus.configuration(), index,
                           consensus.TermAt(index), saved);
}

// A client's belief begins: no other client may believe at this instant.
Complaint SmallWorld::JudgeGrant(const FencingToken& token) {
  auto memory = std::make_shared<JudgeMemory>(*memory_);
  Complaint complaint = memory->ObserveGrant(kKey, token);
  memory_ = std::move(memory);
  if (complaint.has_value()) return complaint;
  std::vector<BeliefSpan> beliefs;
  for (const Host& host : hosts_) {
    if (!host.machine->is_up()) continue;
    for (const auto& held : host.machine->node().client().held()) {
      beliefs.push_back({HostName(host.machine->id()), held.token,
                         host.clock.fast.When(held.belief_end.nanoseconds())});
    }
  }
  return CheckSoleBelief(kKey, now_, beliefs);
}

// --- Views -------------------------------------------------------------------

uint64_t SmallWorld::ComputeFingerprint() const {
  Fingerprint hash;
  hash.Add(now_);
  for (const HostId id : hosts()) {
    const Host& host = At(id);
    const Now now = Read(id);
    hash.Add(host.machine->fingerprint()).Add(now.slow).Add(now.fast);
    hash.Add(uint64_t{host.process} * 2 + uint64_t{host.is_bent});
  }
  for (const Client& client : clients_) {
    hash.Add(static_cast<uint64_t>(client.state)).Add(client.open);
    hash.Add(uint64_t{client.asked} * 256 + client.operations_left);
    hash.Add(client.token);
  }
  // A sum, because the order of sending matters only within a stream.
  uint64_t under_way = 0;
  for (size_t i = 0; i < flights_.size(); ++i) {
    const Flight& flight = flights_[i];
    Fingerprint one;
    one.Add(flight.packet->fingerprint);
    if (flight.packet->is_frame) {
      uint64_t ahead = 0;
      for (size_t j = 0; j < i; ++j) {
        const Flight& other = flights_[j];
        if (other.packet->is_frame && other.process == flight.process &&
            other.packet->from == flight.packet->from &&
            other.packet->to == flight.packet->to) {
          ++ahead;
        }
      }
      one.Add(ahead).Add(uint64_t{flight.process});
    }
    under_way += one.value();
  }
  hash.Add(under_way).Add(connected_).Add(broken_);
  for (const uint16_t left : budget_.left) hash.Add(uint64_t{left});
  hash.Add(memory_->fingerprint());
  return hash.value();
}

std::string SmallWorld::Describe(const Choice& choice) const {
  const std::string host = HostName(HostId(choice.which));
  const auto packet_text = [&] {
    const Packet& packet = *flights_[choice.which].packet;
    return absl::StrCat(packet.is_frame ? "frame" : "datagram", " from ",
                        HostName(packet.from), " to ", HostName(packet.to));
  };
  switch (choice.kind) {
    case Choice::Kind::kDeliver:
      return absl::StrCat("a ", packet_text(), " arrives");
    case Choice::Kind::kSaveDone:
      return absl::StrCat("a save of ", host, " is done");
    case Choice::Kind::kHearBreak:
      return absl::StrCat(host, " hears that its stream to ",
                          HostName(HostId(choice.other)), " broke");
    case Choice::Kind::kRestart:
      return absl::StrCat(host, " starts again");
    case Choice::Kind::kAsk:
      return absl::StrCat("client ", choice.which,
                          IsHolding(choice.which) ? " releases" : " asks");
    case Choice::Kind::kWake:
      return absl::StrCat("time passes for ", host);
    case Choice::Kind::kRenew:
      return absl::StrCat("client ", choice.which, " renews");
    case Choice::Kind::kWithdraw:
      return absl::StrCat("client ", choice.which, " withdraws");
    case Choice::Kind::kLose:
      return absl::StrCat("a ", packet_text(), " is lost");
    case Choice::Kind::kDouble:
      return absl::StrCat("a ", packet_text(), " arrives, and will again");
    case Choice::Kind::kBreak:
      return absl::StrCat("the stream breaks: a ", packet_text(), " is lost");
    case Choice::Kind::kCrash:
      return absl::StrCat(host, " crashes, with ", choice.other,
                          " of its open saves done");
    case Choice::Kind::kBendClock:
      return absl::StrCat("the clocks of ", host, " bend");
  }
  return "?";
}

}  // namespace cachalot::sim
