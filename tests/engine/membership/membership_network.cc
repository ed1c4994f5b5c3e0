#include "tests/engine/membership/membership_network.h"

#include <algorithm>
#include <string>
#include <variant>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "engine/limits.h"
#include "engine/membership/member_list.h"
#include "engine/wire/codec.h"
#include "gtest/gtest.h"
#include "tests/engine/narrow_message.h"

namespace cachalot {
namespace {

// Each process on a machine of its own.
Address AtPort(uint16_t port) {
  return Address::V4(10, 0, static_cast<uint8_t>(port >> 8),
                     static_cast<uint8_t>(port), port);
}

Origin OriginOf(const Address& address, bool on_stream) {
  return {.source = address, .claimed = address, .on_stream = on_stream};
}

}  // namespace

MembershipNetwork::MembershipNetwork(Options options)
    : options_(options), random_(options.seed, "membership_network") {}

size_t MembershipNetwork::Start(uint16_t port,
                                const std::vector<uint16_t>& seeds) {
  const NodeId id = {.high = random_.Next(), .low = members_.size() + 1};
  return StartAs(id, port, seeds);
}

size_t MembershipNetwork::StartAs(NodeId id, uint16_t port,
                                  const std::vector<uint16_t>& seeds) {
  const size_t member = members_.size();
  std::vector<Address> addresses;
  for (const uint16_t seed : seeds) addresses.push_back(AtPort(seed));
  Process process = {.id = id, .address = AtPort(port)};
  process.machine.emplace(
      options_.membership, id, process.address, absl::StrCat("n", member),
      addresses, Random(options_.seed, "member", member), Now(), nullptr);
  process.deadline = process.machine->NextDeadline();
  EXPECT_GT(process.deadline, Now());
  members_.push_back(std::move(process));
  return member;
}

void MembershipNetwork::StartAll(size_t count) {
  Start(7000, {});
  for (size_t i = 1; i < count; ++i) {
    Start(static_cast<uint16_t>(7000 + i), {7000});
  }
}

void MembershipNetwork::Crash(size_t member) { members_[member].runs = false; }

void MembershipNetwork::Pause(size_t member) {
  members_[member].is_paused = true;
}

void MembershipNetwork::Resume(size_t member) {
  Process& process = members_[member];
  process.is_paused = false;
  const absl::Duration lateness = Now() - process.deadline;
  if (lateness > options_.membership.probe_timeout / 2) {
    process.machine->NoteStall(Now(), lateness);
  }
  Tick(member);
  for (const Arrival& arrival : std::exchange(process.waiting, {})) {
    Receive(member, arrival);
  }
}

void MembershipNetwork::Leave(size_t member) {
  Outbox out;
  members_[member].machine->Leave(Now(), out);
  AfterStep(member, out);
}

void MembershipNetwork::Partition(
    const std::vector<std::vector<size_t>>& groups) {
  group_of_.clear();
  for (size_t group = 0; group < groups.size(); ++group) {
    for (const size_t member : groups[group]) group_of_[member] = group;
  }
}

void MembershipNetwork::CutDatagrams(size_t from, size_t to) {
  cut_datagrams_.insert({from, to});
}

void MembershipNetwork::Cut(size_t from, size_t to) { cut_.insert({from, to}); }

void MembershipNetwork::Heal() {
  group_of_.clear();
  cut_.clear();
  cut_datagrams_.clear();
}

void MembershipNetwork::RunFor(absl::Duration time) {
  const sim::RealInstant end = now_ + time;
  while (Step(end)) {
  }
  now_ = end;
}

bool MembershipNetwork::RunUntil(const std::function<bool()>& condition,
                                 absl::Duration time_max) {
  const sim::RealInstant end = now_ + time_max;
  while (!condition()) {
    if (!Step(end)) return false;
  }
  return true;
}

std::vector<Outgoing> MembershipNetwork::Inject(
    size_t to, NodeId from, const MembershipMessage& message) {
  Address address;
  for (const Process& process : members_) {
    if (process.id == from) address = process.address;
  }
  Outbox out;
  members_[to].machine->Receive(
      Now(), from, OriginOf(address, /*on_stream=*/true), message, out);
  AfterStep(to, out);
  return out.sends;
}

// The next thing that happens, unless it is after `end`.
bool MembershipNetwork::Step(sim::RealInstant end) {
  std::optional<size_t> due;
  for (size_t i = 0; i < members_.size(); ++i) {
    if (!members_[i].runs || members_[i].is_paused) continue;
    if (!due || members_[i].deadline < members_[*due].deadline) due = i;
  }
  sim::RealInstant next = sim::RealInstant::Never();
  if (due) {
    const absl::Duration at = members_[*due].deadline - SlowInstant();
    next = std::max(sim::RealInstant() + at, now_);
  }
  const bool delivers = !deliveries_.empty() && deliveries_.NextDue() <= next;
  if (delivers) next = deliveries_.NextDue();
  if (next > end) return false;

  now_ = next;
  if (!delivers) {
    Tick(*due);
    return true;
  }
  Deliver(deliveries_.TakeNext());
  return true;
}

void MembershipNetwork::Deliver(const Delivery& delivery) {
  const Outgoing& outgoing = delivery.outgoing;
  const std::optional<size_t> to = ListenerAt(outgoing.address);
  if (!to.has_value()) return;
  Process& process = members_[*to];
  if (!outgoing.to.IsNone() && outgoing.to != process.id) return;
  if (!Passes(delivery.from, *to, outgoing.channel)) return;
  const Arrival arrival = {
      .from = delivery.from,
      .on_stream = outgoing.channel != Outgoing::Channel::kDatagram,
      .message = Narrow<MembershipMessage>(outgoing.message)};
  if (process.is_paused) {
    process.waiting.push_back(arrival);
    return;
  }
  Receive(*to, arrival);
}

void MembershipNetwork::Receive(size_t to, const Arrival& arrival) {
  Tick(to);
  Outbox out;
  const Process& from = members_[arrival.from];
  members_[to].machine->Receive(Now(), from.id,
                                OriginOf(from.address, arrival.on_stream),
                                arrival.message, out);
  AfterStep(to, out);
}

void MembershipNetwork::Tick(size_t member) {
  Outbox out;
  members_[member].machine->FireTimers(Now(), out);
  AfterStep(member, out);
}

void MembershipNetwork::AfterStep(size_t member, const Outbox& out) {
  Process& process = members_[member];
  process.deadline = process.machine->NextDeadline();
  EXPECT_GT(process.deadline, Now());
  // Takes the square of the number of members.
  if (++steps_ % members_.size() == 0) process.machine->CheckInvariants();
  Observe(member);
  for (const Outgoing& outgoing : out.sends) Send(member, outgoing);
}

void MembershipNetwork::Observe(size_t member) {
  for (const Membership::Change& change :
       members_[member].machine->TakeChanges()) {
    const MemberFact& fact = change.fact;
    const auto [known, is_new] = believed_.try_emplace({member, fact.id}, fact);
    EXPECT_EQ(is_new, change.is_new);
    if (!is_new) {
      EXPECT_TRUE(Supersedes(fact, known->second))
          << known->second.state << "@" << known->second.incarnation << " -> "
          << fact.state << "@" << fact.incarnation;
      EXPECT_EQ(known->second.state, change.was);
      known->second = fact;
    }
    EXPECT_LE(fact.incarnation, OwnIncarnation(fact.id))
        << "raised by somebody else than its owner";
    observations_.push_back({now(), member, fact.id, change});
  }
}

uint64_t MembershipNetwork::OwnIncarnation(NodeId id) const {
  uint64_t incarnation = 0;
  for (const Process& process : members_) {
    if (process.id != id) continue;
    incarnation = std::max(incarnation, process.machine->self().incarnation);
  }
  return incarnation;
}

void MembershipNetwork::Send(size_t from, const Outgoing& outgoing) {
  const bool is_datagram = outgoing.channel == Outgoing::Channel::kDatagram;
  if (is_datagram) {
    const size_t bytes = Encode({.cluster = {.high = 1, .low = 1},
                                 .from = members_[from].id,
                                 .to = outgoing.to,
                                 .from_address = members_[from].address,
                                 .message = outgoing.message})
                             .size();
    EXPECT_LE(bytes, limits::kDatagramBytesMax);
    ++datagrams_;
    datagram_bytes_max_ = std::max(datagram_bytes_max_, bytes);
    if (random_.Chance(options_.loss_percent, 100)) return;
  }
  const absl::Duration delay =
      random_.Between(options_.delay_min, options_.delay_max);
  deliveries_.Add(now_ + delay, Delivery{from, outgoing});
}

std::optional<size_t> MembershipNetwork::ListenerAt(
    const Address& address) const {
  for (size_t i = 0; i < members_.size(); ++i) {
    if (members_[i].runs && members_[i].address == address) return i;
  }
  return std::nullopt;
}

bool MembershipNetwork::Passes(size_t from, size_t to,
                               Outgoing::Channel channel) const {
  if (cut_.contains({from, to})) return false;
  if (channel == Outgoing::Channel::kDatagram &&
      cut_datagrams_.contains({from, to})) {
    return false;
  }
  const auto group_from = group_of_.find(from);
  const auto group_to = group_of_.find(to);
  return group_from == group_of_.end() || group_to == group_of_.end() ||
         group_from->second == group_to->second;
}

std::optional<MemberState> MembershipNetwork::Belief(size_t member,
                                                     size_t about) const {
  const auto& others = at(member).others();
  const auto found = others.find(id(about));
  if (found == others.end()) return std::nullopt;
  return found->second.state;
}

bool MembershipNetwork::AllAlive() const {
  for (size_t i = 0; i < members_.size(); ++i) {
    if (runs(i) && !AllBelieve(i, MemberState::kAlive)) return false;
  }
  return true;
}

bool MembershipNetwork::AllBelieve(size_t about, MemberState state) const {
  for (size_t i = 0; i < members_.size(); ++i) {
    if (runs(i) && i != about && Belief(i, about) != state) return false;
  }
  return true;
}

size_t MembershipNetwork::CountOf(MemberState state) const {
  return static_cast<size_t>(
      absl::c_count_if(observations_, [state](const Observation& seen) {
        return seen.change.fact.state == state;
      }));
}

uint64_t MembershipNetwork::Fingerprint() const {
  std::string text;
  for (const Process& process : members_) {
    absl::StrAppend(&text, process.machine->Fingerprint(), " ");
  }
  return StableHash(text);
}

}  // namespace cachalot
