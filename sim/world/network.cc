#include "sim/world/network.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace cachalot::sim {
namespace {

// What the kernel does not lose on the way to its own machine.
constexpr absl::Duration kLoopbackDelay = absl::Microseconds(20);

// The number of a machine, as it is written in the last two bytes of its
// address.
uint64_t NumberOf(const Address& address) {
  return uint64_t{address.ip[14]} << 8 | address.ip[15];
}

// 1002 for the link from machine 1 to machine 2.
uint64_t LinkNumber(const Address& from, const Address& to) {
  return NumberOf(from) * 1000 + NumberOf(to);
}

}  // namespace

Network::Network(NetworkOptions options, ChoiceSource* choices)
    : options_(options), choices_(choices) {}

size_t Network::HashOfLink::operator()(const Link& link) const {
  constexpr uint64_t kGolden = 0x9e3779b97f4a7c15u;  // spreads the numbers
  return static_cast<size_t>(LinkNumber(link.first, link.second) * kGolden);
}

Network::LinkChances& Network::ChancesOf(const Link& link) {
  const auto found = chances_.find(link);
  if (found != chances_.end()) return found->second;
  const uint64_t number = LinkNumber(link.first, link.second);
  return chances_
      .insert({link,
               {.datagrams = Chance(choices_, "datagram", number),
                .frames = Chance(choices_, "frame", number),
                .streams = Chance(choices_, "stream", number),
                .distance =
                    Chance(choices_, "distance", number)
                        .Between(absl::ZeroDuration(), options_.distance_max)}})
      .first->second;
}

Chance& Network::StreamChance(const Link& link) {
  Chance& chance = ChancesOf(link).streams;
  chance.BeginItem();
  return chance;
}

// --- Datagrams ---------------------------------------------------------------

void Network::SendDatagram(RealInstant now, const Address& from,
                           const Address& to, std::string bytes) {
  ++counters_.datagrams_sent;
  const Link link(from, to);
  if (from == to) {
    agenda_.Add(now + kLoopbackDelay, DatagramDue{link, 0, std::move(bytes)});
    return;
  }
  LinkChances& chances = ChancesOf(link);
  Chance& chance = chances.datagrams;
  const uint64_t number = ++chances.datagrams_sent;
  chance.BeginItem();
  const absl::Duration delay = chance.Draw(options_.delay) + chances.distance;
  if (chance.Happens(options_.loss)) {
    ++counters_.datagrams_lost;
    ledger_.Attempt(Fault::kLoss);
    ledger_.Apply(Fault::kLoss);
    if (IsHeard(link)) ledger_.Observe(Fault::kLoss);
    return;
  }
  if (chance.Happens(options_.duplication)) {
    ++counters_.datagrams_duplicated;
    ledger_.Attempt(Fault::kDuplication);
    ledger_.Apply(Fault::kDuplication);
    if (IsHeard(link)) ledger_.Observe(Fault::kDuplication);
    agenda_.Add(now + chance.Draw(options_.delay) + chances.distance,
                DatagramDue{link, number, bytes});
  }
  if (chance.Happens(options_.corruption)) {
    ledger_.Attempt(Fault::kCorruption);
    if (IsHeard(link)) ledger_.Observe(Fault::kCorruption);
    ledger_.Apply(Fault::kCorruption);
    Damage(chance, bytes);
  }
  agenda_.Add(now + delay, DatagramDue{link, number, std::move(bytes)});
}

// As far as one can see now, what is sent there arrives.
bool Network::IsHeard(const Link& link) const {
  return listening_.contains(link.second) && !IsCut(link.first, link.second);
}

// One byte is another.
void Network::Damage(Chance& chance, std::string& bytes) {
  if (bytes.empty()) return;
  char& byte = bytes[static_cast<size_t>(chance.Below(bytes.size()))];
  byte = static_cast<char>(static_cast<uint8_t>(byte) ^
                           chance.Between(uint64_t{1}, uint64_t{255}));
}

std::optional<Network::Arrival> Network::Happen(RealInstant, DatagramDue due) {
  const auto [from, to] = due.link;
  if (IsCut(from, to)) {
    ++counters_.datagrams_cut;
    return std::nullopt;
  }
  if (const auto clog = clogs_.find(due.link); clog != clogs_.end()) {
    ++counters_.datagrams_clogged;
    clog->second.push_back(std::move(due));
    return std::nullopt;
  }
  if (!listening_.contains(to)) {
    ++counters_.datagrams_unheard;
    NoteDeadSeed(to);
    return std::nullopt;
  }
  ++counters_.datagrams_delivered;
  if (from != to) NoteOrder(due);
  return Arrival{to, DatagramReceived{from, std::move(due.bytes)}};
}

void Network::NoteOrder(const DatagramDue& due) {
  LinkChances& chances = ChancesOf(due.link);
  if (due.number < chances.last_arrived) {
    ledger_.Attempt(Fault::kReordering);
    ledger_.Apply(Fault::kReordering);
    ledger_.Observe(Fault::kReordering);
  }
  chances.last_arrived = std::max(chances.last_arrived, due.number);
}

// --- Streams -----------------------------------------------------------------

void Network::SendFrame(RealInstant now, const Address& from, const Address& to,
                        std::string bytes) {
  ++counters_.frames_sent;
  const StreamId id = StreamFor(now, {from, to});
  Stream& stream = streams_.at(id);
  if (stream.state == StreamState::kBroken) {
    ++counters_.frames_lost;
    return;
  }
  LinkChances& chances = ChancesOf(stream.link);
  Chance& chance = chances.frames;
  chance.BeginItem();
  RealInstant at =
      now + (from == to ? kLoopbackDelay
                        : chance.Draw(options_.delay) + chances.distance);
  if (!stream.frames.empty()) at = std::max(at, stream.frames.back().at);
  if (from != to && chance.Happens(options_.frame_corruption)) {
    ledger_.Attempt(Fault::kFrameCorruption);
    ledger_.Apply(Fault::kFrameCorruption);
    if (IsHeard(stream.link)) ledger_.Observe(Fault::kFrameCorruption);
    Damage(chance, bytes);
  }
  stream.frames.push_back({at, std::move(bytes)});
  if (IsBlockedEitherWay(stream.link)) Doubt(now, id, stream);
  if (from != to && chance.Happens(options_.reset)) {
    ++counters_.streams_reset;
    ledger_.Attempt(Fault::kStreamReset);
    ledger_.Apply(Fault::kStreamReset);
    ledger_.Observe(Fault::kStreamReset);  // at least by the sender
    Break(now, id, stream);
    return;
  }
  PlanHead(now, id, stream);
}

// Opens one if there is none.
Network::StreamId Network::StreamFor(RealInstant now, const Link& link) {
  const auto found = current_.find(link);
  if (found != current_.end()) return found->second;
  const StreamId id = next_stream_++;
  streams_[id].link = link;
  current_[link] = id;
  Chance& chance = StreamChance(link);
  // SYN and SYN-ACK.
  const absl::Duration round_trip =
      chance.Draw(options_.delay) + chance.Draw(options_.delay);
  agenda_.Add(now + round_trip, ConnectDue{id});
  return id;
}

std::optional<Network::Arrival> Network::Happen(RealInstant now,
                                                ConnectDue due) {
  const auto found = streams_.find(due.stream);
  if (found == streams_.end()) return std::nullopt;
  Stream& stream = found->second;
  if (stream.state != StreamState::kConnecting) return std::nullopt;
  if (IsBlockedEitherWay(stream.link)) {
    Doubt(now, due.stream, stream);
    stream.is_stalled = true;
    return std::nullopt;
  }
  if (!listening_.contains(stream.link.second)) {
    NoteDeadSeed(stream.link.second);
    Break(now, due.stream, stream);
    return std::nullopt;
  }
  ++counters_.streams_opened;
  stream.state = StreamState::kOpen;
  PlanHead(now, due.stream, stream);
  if (stream.is_orphan) return std::nullopt;
  return Arrival{stream.link.first, LinkChanged{stream.link.second, true}};
}

// At most one frame of a stream is on the agenda: its first.
void Network::PlanHead(RealInstant now, StreamId id, Stream& stream) {
  if (stream.state != StreamState::kOpen) return;
  if (stream.head_is_planned || stream.is_stalled) return;
  if (stream.frames.empty()) return;
  stream.head_is_planned = true;
  agenda_.Add(std::max(now, stream.frames.front().at), FrameDue{id});
}

std::optional<Network::Arrival> Network::Happen(RealInstant now, FrameDue due) {
  const auto found = streams_.find(due.stream);
  if (found == streams_.end()) return std::nullopt;
  Stream& stream = found->second;
  stream.head_is_planned = false;
  if (stream.state != StreamState::kOpen) return std::nullopt;
  if (stream.frames.empty()) return std::nullopt;
  const auto [from, to] = stream.link;
  if (IsBlocked(stream.link)) {
    ++counters_.streams_stalled;
    stream.is_stalled = true;
    Doubt(now, due.stream, stream);
    return std::nullopt;
  }
  if (stream.is_headless) {
    Break(now, due.stream, stream);
    return std::nullopt;
  }
  ++counters_.frames_delivered;
  NoteHeard(due.stream, stream);
  Arrival arrival{to,
                  FrameReceived{from, std::move(stream.frames.front().bytes)}};
  stream.frames.pop_front();
  PlanHead(now, due.stream, stream);
  if (stream.is_orphan && stream.frames.empty()) Forget(due.stream);
  return arrival;
}

// The sender hears nothing back: it will give up unless the link is mended.
void Network::Doubt(RealInstant now, StreamId id, Stream& stream) {
  if (stream.is_doubted) return;
  stream.is_doubted = true;
  Chance& chance = StreamChance(stream.link);
  agenda_.Add(now + chance.Between(options_.give_up_min, options_.give_up_max),
              GiveUpDue{id});
}

std::optional<Network::Arrival> Network::Happen(RealInstant now,
                                                GiveUpDue due) {
  const auto found = streams_.find(due.stream);
  if (found == streams_.end()) return std::nullopt;
  Stream& stream = found->second;
  stream.is_doubted = false;
  if (stream.state == StreamState::kBroken) return std::nullopt;
  if (!IsBlockedEitherWay(stream.link)) return std::nullopt;
  Break(now, due.stream, stream);
  return std::nullopt;
}

void Network::Break(RealInstant now, StreamId id, Stream& stream) {
  if (stream.state == StreamState::kBroken) return;
  ++counters_.streams_broken;
  Stream stragglers = TakeStragglers(stream);
  counters_.frames_lost += stream.frames.size() - stragglers.frames.size();
  stream.frames.clear();
  stream.state = StreamState::kBroken;
  if (stream.is_orphan) {
    Forget(id);
    return;
  }
  agenda_.Add(now + StreamChance(stream.link).Draw(options_.delay),
              BreakDue{id});
  if (stragglers.frames.empty()) return;
  // Last: it may move the others in memory.
  const StreamId behind = next_stream_++;
  Stream& added = streams_[behind] = std::move(stragglers);
  PlanHead(now, behind, added);
}

// What still arrives of a stream that breaks: a stream of its own, without a
// sender. Empty if nothing does.
Network::Stream Network::TakeStragglers(const Stream& broken) {
  const auto& [from, to] = broken.link;
  Stream rest = {.link = broken.link,
                 .state = StreamState::kOpen,
                 .is_orphan = true,
                 .is_straggling = true};
  const bool can_arrive =
      options_.straggling.ppm > 0 && broken.state == StreamState::kOpen &&
      !broken.is_orphan && !broken.is_headless && !broken.frames.empty() &&
      from != to && listening_.contains(to);
  if (!can_arrive) return rest;
  Chance& chance = StreamChance(broken.link);
  if (!chance.Happens(options_.straggling)) return rest;
  ledger_.Attempt(Fault::kStraggler);
  ledger_.Apply(Fault::kStraggler);
  const uint64_t count = 1 + chance.Below(broken.frames.size());
  const absl::Duration late =
      chance.Between(absl::ZeroDuration(), options_.give_up_max);
  for (size_t i = 0; i < count; ++i) {
    rest.frames.push_back(broken.frames[i]);
    rest.frames.back().at = broken.frames[i].at + late;
  }
  return rest;
}

// A straggler is one only behind what was sent after it.
void Network::NoteHeard(StreamId id, Stream& stream) {
  uint64_t& last = ChancesOf(stream.link).last_stream;
  if (stream.is_straggling && id < last) {
    stream.is_straggling = false;  // noted
    ++counters_.streams_straggled;
    ledger_.Observe(Fault::kStraggler);
  }
  last = std::max(last, id);
}

std::optional<Network::Arrival> Network::Happen(RealInstant, BreakDue due) {
  const auto found = streams_.find(due.stream);
  if (found == streams_.end()) return std::nullopt;
  const Link link = found->second.link;
  Forget(due.stream);
  return Arrival{link.first, LinkChanged{link.second, false}};
}

void Network::LoseFrames(Stream& stream, size_t kept) {
  counters_.frames_lost += stream.frames.size() - kept;
  stream.frames.resize(kept);
}

void Network::Forget(StreamId id) {
  const auto found = streams_.find(id);
  const auto current = current_.find(found->second.link);
  if (current != current_.end() && current->second == id) {
    current_.erase(current);
  }
  streams_.erase(found);
}

bool Network::Reset(RealInstant now, const Address& from, const Address& to) {
  const auto found = current_.find({from, to});
  if (found == current_.end()) return false;
  ++counters_.streams_reset;
  Break(now, found->second, streams_.at(found->second));
  return true;
}

// --- Processes ---------------------------------------------------------------

void Network::Open(const Address& address) {
  listening_.insert(address);
  lived_.insert(address);
}

// Who asks for a node where none ever was has it from a list of seeds.
void Network::NoteDeadSeed(const Address& address) {
  if (lived_.contains(address)) return;
  ledger_.Attempt(Fault::kDeadSeed);
  ledger_.Apply(Fault::kDeadSeed);
  ledger_.Observe(Fault::kDeadSeed);
}

void Network::Crash(RealInstant now, const Address& address) {
  Close(now, address, /*in_order=*/false);
}

void Network::Exit(RealInstant now, const Address& address) {
  Close(now, address, /*in_order=*/true);
}

void Network::Close(RealInstant now, const Address& address, bool in_order) {
  listening_.erase(address);
  std::vector<StreamId> concerned;
  for (const auto& [id, stream] : streams_) {
    const auto& [from, to] = stream.link;
    if (from == address || to == address) concerned.push_back(id);
  }
  for (const StreamId id : concerned) {
    const auto found = streams_.find(id);
    if (found->second.link.first == address) {
      Orphan(id, found->second, in_order);
    } else if (found->second.state == StreamState::kOpen) {
      Behead(now, id, found->second);
    }
  }
}

// The dead process's kernel says so, at once if it can be heard.
void Network::Behead(RealInstant now, StreamId id, Stream& stream) {
  if (IsBlockedEitherWay(stream.link)) {
    stream.is_headless = true;
  } else {
    Break(now, id, stream);
  }
}

// What the dead process handed to its kernel may still go out.
void Network::Orphan(StreamId id, Stream& stream, bool in_order) {
  if (stream.is_orphan) return;
  stream.is_orphan = true;
  if (!in_order) {
    // The dullest is that all of it does.
    const uint64_t lost =
        StreamChance(stream.link).Below(stream.frames.size() + 1);
    LoseFrames(stream, stream.frames.size() - static_cast<size_t>(lost));
  }
  current_.erase(stream.link);
  if (stream.frames.empty() || stream.state == StreamState::kBroken) Forget(id);
}

// --- Cuts --------------------------------------------------------------------

void Network::Cut(const Address& from, const Address& to) {
  if (from != to) cuts_.insert({from, to});
}

void Network::Mend(RealInstant now, const Address& from, const Address& to) {
  if (cuts_.erase({from, to}) > 0) GoOnWithStreams(now);
}

void Network::Clog(const Address& from, const Address& to) {
  if (from != to) clogs_.try_emplace({from, to});
}

void Network::Unclog(RealInstant now, const Address& from, const Address& to) {
  const Link link(from, to);
  const auto found = clogs_.find(link);
  if (found == clogs_.end()) return;
  for (DatagramDue& due : found->second) {
    agenda_.Add(now + StreamChance(link).Between(absl::ZeroDuration(),
                                                 options_.resend_max),
                std::move(due));
  }
  clogs_.erase(found);
  GoOnWithStreams(now);
}

void Network::GoOnWithStreams(RealInstant now) {
  for (auto& [id, stream] : streams_) {
    if (!stream.is_stalled || IsBlockedEitherWay(stream.link)) continue;
    stream.is_stalled = false;
    const RealInstant at = Resume(now, stream);
    if (stream.state == StreamState::kConnecting) {
      agenda_.Add(at, ConnectDue{id});
    } else {
      PlanHead(now, id, stream);
    }
  }
}

// Nothing on the stream arrives before it has been sent again.
RealInstant Network::Resume(RealInstant now, Stream& stream) {
  const RealInstant at =
      now + StreamChance(stream.link)
                .Between(absl::ZeroDuration(), options_.resend_max);
  for (Frame& frame : stream.frames) frame.at = std::max(frame.at, at);
  return at;
}

void Network::MendAll(RealInstant now) {
  const std::vector<Link> cuts(cuts_.begin(), cuts_.end());
  for (const auto& [from, to] : cuts) Mend(now, from, to);
  while (!clogs_.empty()) {
    const Link link = clogs_.begin()->first;
    Unclog(now, link.first, link.second);
  }
}

bool Network::IsCut(const Address& from, const Address& to) const {
  return !cuts_.empty() && cuts_.contains({from, to});
}

bool Network::IsClogged(const Link& link) const {
  return !clogs_.empty() && clogs_.contains(link);
}

bool Network::IsBlocked(const Link& link) const {
  return IsCut(link.first, link.second) || IsClogged(link);
}

bool Network::IsBlockedEitherWay(const Link& link) const {
  return IsBlocked(link) || IsBlocked({link.second, link.first});
}

std::optional<Network::Arrival> Network::HappenNext(RealInstant now) {
  return std::visit([&](auto&& due) { return Happen(now, std::move(due)); },
                    agenda_.TakeNext());
}

}  // namespace cachalot::sim
