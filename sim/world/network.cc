#include "sim/world/network.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace cachalot::sim {
namespace {

// From a machine to itself: nothing is lost there.
constexpr absl::Duration kLoopbackDelay = absl::Microseconds(20);

// A machine's number: the last two bytes of its address (host.h).
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

Network::LinkChances& Network::LinkChancesOf(const Link& link) {
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
  Chance& chance = LinkChancesOf(link).streams;
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
  LinkChances& chances = LinkChancesOf(link);
  Chance& chance = chances.datagrams;
  const uint64_t number = ++chances.datagrams_sent;
  chance.BeginItem();
  const absl::Duration delay = chance.Draw(options_.delay) + chances.distance;
  if (chance.Happens(options_.loss)) {
    ++counters_.datagrams_lost;
    fault_counts_.AddAttempted(Fault::kLoss);
    fault_counts_.AddApplied(Fault::kLoss);
    if (WillArrive(link)) fault_counts_.AddObserved(Fault::kLoss);
    return;
  }
  if (chance.Happens(options_.duplication)) {
    ++counters_.datagrams_duplicated;
    fault_counts_.AddAttempted(Fault::kDuplication);
    fault_counts_.AddApplied(Fault::kDuplication);
    if (WillArrive(link)) fault_counts_.AddObserved(Fault::kDuplication);
    agenda_.Add(now + chance.Draw(options_.delay) + chances.distance,
                DatagramDue{link, number, bytes});
  }
  if (chance.Happens(options_.corruption)) {
    fault_counts_.AddAttempted(Fault::kCorruption);
    if (WillArrive(link)) fault_counts_.AddObserved(Fault::kCorruption);
    fault_counts_.AddApplied(Fault::kCorruption);
    CorruptByte(chance, bytes);
  }
  agenda_.Add(now + delay, DatagramDue{link, number, std::move(bytes)});
}

// True if a message that is sent now arrives, as far as is known now.
bool Network::WillArrive(const Link& link) const {
  return listening_.contains(link.second) && !IsCut(link.first, link.second);
}

// Changes one random byte.
void Network::CorruptByte(Chance& chance, std::string& bytes) {
  if (bytes.empty()) return;
  char& byte = bytes[static_cast<size_t>(chance.Below(bytes.size()))];
  byte = static_cast<char>(static_cast<uint8_t>(byte) ^
                           chance.Between(uint64_t{1}, uint64_t{255}));
}

std::optional<Network::Arrival> Network::Handle(RealInstant, DatagramDue due) {
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
    CountDeadSeed(to);
    return std::nullopt;
  }
  ++counters_.datagrams_delivered;
  if (from != to) CountReordering(due);
  return Arrival{to, DatagramReceived{from, std::move(due.bytes)}};
}

void Network::CountReordering(const DatagramDue& due) {
  LinkChances& chances = LinkChancesOf(due.link);
  if (due.number < chances.last_arrived) {
    fault_counts_.AddAttempted(Fault::kReordering);
    fault_counts_.AddApplied(Fault::kReordering);
    fault_counts_.AddObserved(Fault::kReordering);
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
  LinkChances& chances = LinkChancesOf(stream.link);
  Chance& chance = chances.frames;
  chance.BeginItem();
  RealInstant at =
      now + (from == to ? kLoopbackDelay
                        : chance.Draw(options_.delay) + chances.distance);
  if (!stream.frames.empty()) at = std::max(at, stream.frames.back().at);
  if (from != to && chance.Happens(options_.frame_corruption)) {
    fault_counts_.AddAttempted(Fault::kFrameCorruption);
    fault_counts_.AddApplied(Fault::kFrameCorruption);
    if (WillArrive(stream.link)) {
      fault_counts_.AddObserved(Fault::kFrameCorruption);
    }
    CorruptByte(chance, bytes);
  }
  stream.frames.push_back({at, std::move(bytes)});
  if (IsBlockedEitherWay(stream.link)) PlanGiveUp(now, id, stream);
  if (from != to && chance.Happens(options_.reset)) {
    ++counters_.streams_reset;
    fault_counts_.AddAttempted(Fault::kStreamReset);
    fault_counts_.AddApplied(Fault::kStreamReset);
    fault_counts_.AddObserved(Fault::kStreamReset);  // at least by the sender
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

std::optional<Network::Arrival> Network::Handle(RealInstant now,
                                                ConnectDue due) {
  const auto found = streams_.find(due.stream);
  if (found == streams_.end()) return std::nullopt;
  Stream& stream = found->second;
  if (stream.state != StreamState::kConnecting) return std::nullopt;
  if (IsBlockedEitherWay(stream.link)) {
    PlanGiveUp(now, due.stream, stream);
    stream.is_stalled = true;
    return std::nullopt;
  }
  if (!listening_.contains(stream.link.second)) {
    CountDeadSeed(stream.link.second);
    Break(now, due.stream, stream);
    return std::nullopt;
  }
  ++counters_.streams_opened;
  stream.state = StreamState::kOpen;
  PlanHead(now, due.stream, stream);
  if (stream.sender_is_gone) return std::nullopt;
  return Arrival{stream.link.first, LinkChanged{stream.link.second, true}};
}

// Puts the first frame of the stream on the agenda. There is never more than
// one of a stream.
void Network::PlanHead(RealInstant now, StreamId id, Stream& stream) {
  if (stream.state != StreamState::kOpen) return;
  if (stream.head_is_planned || stream.is_stalled) return;
  if (stream.frames.empty()) return;
  stream.head_is_planned = true;
  agenda_.Add(std::max(now, stream.frames.front().at), FrameDue{id});
}

std::optional<Network::Arrival> Network::Handle(RealInstant now, FrameDue due) {
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
    PlanGiveUp(now, due.stream, stream);
    return std::nullopt;
  }
  if (stream.receiver_is_gone) {
    Break(now, due.stream, stream);
    return std::nullopt;
  }
  ++counters_.frames_delivered;
  CountStraggler(due.stream, stream);
  Arrival arrival{to,
                  FrameReceived{from, std::move(stream.frames.front().bytes)}};
  stream.frames.pop_front();
  PlanHead(now, due.stream, stream);
  if (stream.sender_is_gone && stream.frames.empty()) Remove(due.stream);
  return arrival;
}

// The sender gets no acknowledgements: it gives up unless the link is mended.
void Network::PlanGiveUp(RealInstant now, StreamId id, Stream& stream) {
  if (stream.give_up_is_planned) return;
  stream.give_up_is_planned = true;
  Chance& chance = StreamChance(stream.link);
  agenda_.Add(now + chance.Between(options_.give_up_min, options_.give_up_max),
              GiveUpDue{id});
}

std::optional<Network::Arrival> Network::Handle(RealInstant now,
                                                GiveUpDue due) {
  const auto found = streams_.find(due.stream);
  if (found == streams_.end()) return std::nullopt;
  Stream& stream = found->second;
  stream.give_up_is_planned = false;
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
  if (stream.sender_is_gone) {
    Remove(id);
    return;
  }
  agenda_.Add(now + StreamChance(stream.link).Draw(options_.delay),
              BreakDue{id});
  if (stragglers.frames.empty()) return;
  // Comes last, because the insertion may invalidate `stream`.
  const StreamId tail = next_stream_++;
  Stream& added = streams_[tail] = std::move(stragglers);
  PlanHead(now, tail, added);
}

// The frames of a breaking stream that still arrive later, as a new stream
// without a sender. Without frames if all are lost.
Network::Stream Network::TakeStragglers(const Stream& broken) {
  const auto& [from, to] = broken.link;
  Stream rest = {.link = broken.link,
                 .state = StreamState::kOpen,
                 .sender_is_gone = true,
                 .is_straggling = true};
  const bool can_arrive =
      options_.straggling.ppm > 0 && broken.state == StreamState::kOpen &&
      !broken.sender_is_gone && !broken.receiver_is_gone &&
      !broken.frames.empty() && from != to && listening_.contains(to);
  if (!can_arrive) return rest;
  Chance& chance = StreamChance(broken.link);
  if (!chance.Happens(options_.straggling)) return rest;
  fault_counts_.AddAttempted(Fault::kStraggler);
  fault_counts_.AddApplied(Fault::kStraggler);
  const uint64_t count = 1 + chance.Below(broken.frames.size());
  const absl::Duration late =
      chance.Between(absl::ZeroDuration(), options_.give_up_max);
  for (size_t i = 0; i < count; ++i) {
    rest.frames.push_back(broken.frames[i]);
    rest.frames.back().at = broken.frames[i].at + late;
  }
  return rest;
}

// A straggling stream counts only if it arrives after a frame of a later one.
void Network::CountStraggler(StreamId id, Stream& stream) {
  uint64_t& last = LinkChancesOf(stream.link).last_stream;
  if (stream.is_straggling && id < last) {
    stream.is_straggling = false;  // count it once
    ++counters_.streams_straggled;
    fault_counts_.AddObserved(Fault::kStraggler);
  }
  last = std::max(last, id);
}

std::optional<Network::Arrival> Network::Handle(RealInstant, BreakDue due) {
  const auto found = streams_.find(due.stream);
  if (found == streams_.end()) return std::nullopt;
  const Link link = found->second.link;
  Remove(due.stream);
  return Arrival{link.first, LinkChanged{link.second, false}};
}

void Network::LoseFrames(Stream& stream, size_t kept) {
  counters_.frames_lost += stream.frames.size() - kept;
  stream.frames.resize(kept);
}

void Network::Remove(StreamId id) {
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
  ever_listened_.insert(address);
}

// Nodes learn an address where no process ever listened from seeds alone.
void Network::CountDeadSeed(const Address& address) {
  if (ever_listened_.contains(address)) return;
  fault_counts_.AddAttempted(Fault::kDeadSeed);
  fault_counts_.AddApplied(Fault::kDeadSeed);
  fault_counts_.AddObserved(Fault::kDeadSeed);
}

void Network::Crash(RealInstant now, const Address& address) {
  Close(now, address, /*in_order=*/false);
}

void Network::Exit(RealInstant now, const Address& address) {
  Close(now, address, /*in_order=*/true);
}

void Network::Close(RealInstant now, const Address& address, bool in_order) {
  listening_.erase(address);
  std::vector<StreamId> affected;
  for (const auto& [id, stream] : streams_) {
    const auto& [from, to] = stream.link;
    if (from == address || to == address) affected.push_back(id);
  }
  for (const StreamId id : affected) {
    const auto found = streams_.find(id);
    if (found->second.link.first == address) {
      LoseSender(id, found->second, in_order);
    } else if (found->second.state == StreamState::kOpen) {
      LoseReceiver(now, id, found->second);
    }
  }
}

// The dead process's kernel resets the stream; the sender learns it at once,
// unless the link is blocked.
void Network::LoseReceiver(RealInstant now, StreamId id, Stream& stream) {
  if (IsBlockedEitherWay(stream.link)) {
    stream.receiver_is_gone = true;
  } else {
    Break(now, id, stream);
  }
}

// The kernel may still send what the dead process handed to it.
void Network::LoseSender(StreamId id, Stream& stream, bool in_order) {
  if (stream.sender_is_gone) return;
  stream.sender_is_gone = true;
  if (!in_order) {
    // The minimal choice: all of it is sent.
    const uint64_t lost =
        StreamChance(stream.link).Below(stream.frames.size() + 1);
    LoseFrames(stream, stream.frames.size() - static_cast<size_t>(lost));
  }
  current_.erase(stream.link);
  if (stream.frames.empty() || stream.state == StreamState::kBroken) Remove(id);
}

// --- Cuts --------------------------------------------------------------------

void Network::Cut(const Address& from, const Address& to) {
  if (from != to) cuts_.insert({from, to});
}

void Network::Mend(RealInstant now, const Address& from, const Address& to) {
  if (cuts_.erase({from, to}) > 0) ResumeStreams(now);
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
  ResumeStreams(now);
}

void Network::ResumeStreams(RealInstant now) {
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

// Delays all frames of the stream until they have been sent again.
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

std::optional<Network::Arrival> Network::RunNext(RealInstant now) {
  return std::visit([&](auto&& due) { return Handle(now, std::move(due)); },
                    agenda_.TakeNext());
}

}  // namespace cachalot::sim
